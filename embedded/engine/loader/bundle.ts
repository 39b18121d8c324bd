/** Bundles one folder's modules into one script, as Convex's bundler does, and `convex.config` files likewise. */
import type * as esbuild from "esbuild";
import esbuildPackage from "esbuild/package.json" with { type: "json" };
import path from "node:path";
import vm from "node:vm";
import { HostError } from "../errors.ts";
import type { BundleCache, Bundled, Made } from "./bundleCache.ts";
import { configFileOf, type Sources } from "./sources.ts";

const OPTIONS = {
  bundle: true,
  write: false,
  platform: "browser",
  target: "es2022",
  format: "iife",
  conditions: ["convex", "module"],
  logLevel: "silent",
  metafile: true,
  absWorkingDir: "/",
  define: { "process.env.NODE_ENV": '"production"' },
} as const satisfies esbuild.BuildOptions;

/** Global name under which a bundle leaves its exports. */
export const BUNDLE_GLOBAL = "__convexBundle";

export type ComponentUse = {
  name: string;
  /** Folder of the child's definition. */
  path: string;
  env: [name: string, value: { type: "value"; value: string } | { type: "envVar"; name: string }][] | null;
};

export type Definition = {
  name?: string;
  childComponents: ComponentUse[];
  httpMounts?: Record<string, string>;
  envVars?: [name: string, declaration: { value: string; optional?: boolean }][];
};

/** Namespace of what stands in a bundle for an imported `convex.config`: the path of its folder. */
const COMPONENT = "component";

/** The file on disk that an input of a bundle comes from, or null for what has none. */
function fileOf(input: string): string | null {
  if (input.startsWith(`${COMPONENT}:`)) return configFileOf(input.slice(COMPONENT.length + 1));
  return input === ENTRY ? null : path.join("/", input);
}

async function build(what: string, options: esbuild.BuildOptions): Promise<Made> {
  // Loaded only when there is something to bundle.
  const { build: bundle } = await import("esbuild");
  try {
    const { outputFiles = [], metafile } = await bundle({ ...OPTIONS, ...options });
    const inputs = Object.keys(metafile?.inputs ?? {}).map(fileOf);
    return { text: outputFiles[0]?.text ?? "", inputs: inputs.filter((file) => file !== null) };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new HostError("FUNCTIONS_INVALID", `${what} can't be bundled: ${detail}`, { cause: error });
  }
}

const ENTRY = "entry.js";

/** Bundles all modules of a folder. Each is evaluated on its own, when `modules[path]()` is called. */
export async function bundleFolder(dir: string, sources: Sources, cache: BundleCache): Promise<Bundled> {
  const lazily = (file: string): string => `() => require(${JSON.stringify(file)})`;
  const modules = [...sources.modules].map(([name, file]) => `${JSON.stringify(name)}: ${lazily(file)}`);
  const contents = [
    `export const modules = { ${modules.join(",\n")} };`,
    `export const schema = ${sources.schema === null ? "null" : lazily(sources.schema)};`,
    `export const authConfig = ${sources.authConfig === null ? "null" : lazily(sources.authConfig)};`,
  ].join("\n");
  return await cache.get(JSON.stringify([esbuildPackage.version, OPTIONS, dir, contents]), () =>
    build(`The folder ${dir}`, {
      stdin: { contents, resolveDir: dir, sourcefile: ENTRY },
      globalName: BUNDLE_GLOBAL,
    }),
  );
}

/**
 * Replaces an imported `convex.config` by what Convex's runtime puts there: the component's name and where it
 * lies. Published packages import each other's without an extension, so `.js` is tried too.
 */
function componentImports(read: (dir: string) => Promise<Definition>): esbuild.Plugin {
  const inner = { skip: true };
  return {
    name: "component-imports",
    setup(pluginBuild) {
      pluginBuild.onResolve({ filter: /convex\.config/ }, async (args) => {
        if (args.pluginData === inner || args.kind === "entry-point") return undefined;
        const options = { kind: args.kind, resolveDir: args.resolveDir, pluginData: inner };
        for (const request of [args.path, `${args.path}.js`]) {
          const found = await pluginBuild.resolve(request, options);
          if (found.errors.length === 0) return { path: path.dirname(found.path), namespace: COMPONENT };
        }
        return { errors: [{ text: `component ${args.path} is not installed` }] };
      });
      pluginBuild.onLoad({ filter: /.*/, namespace: COMPONENT }, async (args) => {
        const { name } = await read(args.path);
        const imported = JSON.stringify({ componentDefinitionPath: args.path, defaultName: name });
        return { contents: `export default ${imported}` };
      });
    },
  };
}

/** Reads `convex.config` files, each once. */
export class DefinitionReader {
  private readonly known = new Map<string, Promise<Definition>>();
  private readonly cache: BundleCache;

  constructor(cache: BundleCache) {
    this.cache = cache;
  }

  read(dir: string): Promise<Definition> {
    let definition = this.known.get(dir);
    if (definition === undefined) {
      definition = this.evaluate(dir);
      this.known.set(dir, definition);
    }
    return definition;
  }

  private async evaluate(dir: string): Promise<Definition> {
    const file = configFileOf(dir);
    if (file === null) return { childComponents: [] };
    const plugins = [componentImports((child) => this.read(child))];
    const { text: script } = await this.cache.get(
      JSON.stringify([esbuildPackage.version, OPTIONS, file]),
      () => build(file, { entryPoints: [file], globalName: BUNDLE_GLOBAL, plugins }),
    );
    const context = vm.createContext({ process: { env: {} }, console: {} });
    try {
      const text: unknown = vm.runInContext(
        `${script};JSON.stringify(${BUNDLE_GLOBAL}.default.export())`,
        context,
      );
      return JSON.parse(String(text)) as Definition;
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      throw new HostError("FUNCTIONS_INVALID", `${file}: ${detail}`, { cause: error });
    }
  }
}
