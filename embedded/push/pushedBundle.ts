/**
 * Joins the ES modules of a push into one script. Every import is answered from the push itself: nothing of this
 * machine's files can be drawn in.
 */
import * as esbuild from "esbuild";
import path from "node:path";
import { PushProblem } from "./pushProblem.ts";
import type { ModuleSource } from "./pushRequests.ts";

/** Global name under which the script leaves `modules`, `schema` and `definition`, each a function that loads it. */
export const PUSHED_GLOBAL = "__pushed";

const DEPENDENCY = /^\.\/_componentDeps\/([A-Za-z0-9_-]+)$/;
const NAMESPACE = "pushed";

/** One app or component as pushed. */
export type PushedDefinition = {
  /** "" is the app. */
  path: string;
  definition: ModuleSource | null;
  schema: ModuleSource | null;
  modules: readonly ModuleSource[];
  /** Paths of the components it installs, with the names these have by default. */
  dependencies: ReadonlyMap<string, string>;
};

/** Chunks that several modules share; the CLI's bundler makes them. */
export function isChunk(modulePath: string): boolean {
  return modulePath.startsWith("_deps/");
}

/** The modules that are looked into: those for Node.js can't run here, `auth.config` holds no functions. */
export function functionModules(modules: readonly ModuleSource[]): ModuleSource[] {
  return modules.filter(
    (module) => module.environment === "isolate" && !isChunk(module.path) && module.path !== "auth.config.js",
  );
}

/** Sources under the names by which they are imported. The schema may share the modules' folder, so it has its own. */
function sourcesOf(pushed: PushedDefinition): Map<string, string> {
  const sources = new Map(pushed.modules.map(({ path: name, source }) => [`modules/${name}`, source]));
  if (pushed.schema !== null) sources.set("schema/schema.js", pushed.schema.source);
  if (pushed.definition !== null) sources.set("definition/convex.config.js", pushed.definition.source);
  for (const [dependency, defaultName] of pushed.dependencies) {
    const imported = JSON.stringify({ componentDefinitionPath: dependency, defaultName });
    const name = Buffer.from(dependency).toString("base64url");
    sources.set(`definition/_componentDeps/${name}`, `export default ${imported}`);
  }
  return sources;
}

function entryOf(pushed: PushedDefinition): string {
  const lazily = (name: string): string => `() => require(${JSON.stringify(name)})`;
  const modules = functionModules(pushed.modules).map(
    ({ path: name }) => `${JSON.stringify(name)}: ${lazily(`modules/${name}`)}`,
  );
  const auth = pushed.modules.some(({ path: name }) => name === "auth.config.js");
  return [
    `export const modules = { ${modules.join(",\n")} };`,
    `export const schema = ${pushed.schema === null ? "null" : lazily("schema/schema.js")};`,
    `export const definition = ${pushed.definition === null ? "null" : lazily("definition/convex.config.js")};`,
    `export const authConfig = ${auth ? lazily("modules/auth.config.js") : "null"};`,
  ].join("\n");
}

function fromPushOnly(sources: ReadonlyMap<string, string>): esbuild.Plugin {
  return {
    name: "from-push-only",
    setup(build) {
      build.onResolve({ filter: /.*/ }, (args) => {
        const isDependency = DEPENDENCY.test(args.path);
        const isRelative = args.path.startsWith(".");
        const name = isRelative ? path.posix.join(path.posix.dirname(args.importer), args.path) : args.path;
        const known = args.kind === "require-call" || isRelative || isDependency;
        if (known && sources.has(name)) return { path: name, namespace: NAMESPACE };
        return { errors: [{ text: `${JSON.stringify(args.path)} is not part of the push` }] };
      });
      build.onLoad({ filter: /.*/, namespace: NAMESPACE }, (args) => ({
        contents: sources.get(args.path) ?? "",
        loader: "js",
      }));
    },
  };
}

/** The script. Throws PushProblem for modules that can't be joined. */
export async function joinPushed(pushed: PushedDefinition, { minify = false } = {}): Promise<string> {
  try {
    const result = await esbuild.build({
      stdin: { contents: entryOf(pushed), sourcefile: "entry.js", loader: "js" },
      bundle: true,
      write: false,
      platform: "neutral",
      format: "iife",
      globalName: PUSHED_GLOBAL,
      target: "esnext",
      keepNames: true,
      minify,
      logLevel: "silent",
      plugins: [fromPushOnly(sourcesOf(pushed))],
    });
    return result.outputFiles[0]?.text ?? "";
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new PushProblem(`${labelOf(pushed.path)} can't be joined: ${detail}`, { cause: error });
  }
}

/** Names an app or component in messages. */
export function labelOf(definitionPath: string): string {
  return definitionPath === "" ? "the app" : `the component ${definitionPath}`;
}
