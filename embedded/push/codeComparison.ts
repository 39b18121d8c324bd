/**
 * Whether pushed modules are the code of a folder. The folder is bundled as the CLI does it, by the CLI's own
 * bundler; both are then joined and minified, so that paths in comments and names of chunks don't count.
 */
import type * as Esbuild from "esbuild";
import { createRequire } from "node:module";
import path from "node:path";
import { findSources } from "../engine/loader/sources.ts";
import { joinPushed } from "./pushedBundle.ts";
import type { ModuleSource } from "./pushRequests.ts";

const OUTPUT_FOLDER = "out";

/** The version of esbuild that the installed CLI uses: another one may name and order things differently. */
const { build } = createRequire(import.meta.resolve("convex/package.json"))("esbuild") as typeof Esbuild;

/** True when the pushed modules of one app or component do what the folder's do. */
export async function isCodeOf(
  folder: string,
  project: string,
  pushed: readonly ModuleSource[],
): Promise<boolean> {
  const own = await bundleLikeCli(folder, project);
  return (await comparable(own)) === (await comparable(pushed));
}

async function comparable(modules: readonly ModuleSource[]): Promise<string> {
  const functions = modules.filter(
    ({ path: name, environment }) => environment === "isolate" && name !== "auth.config.js",
  );
  const sorted = [...functions].sort((left, right) => (left.path < right.path ? -1 : 1));
  const nothing = { path: "", definition: null, schema: null, dependencies: new Map<string, string>() };
  return await joinPushed({ ...nothing, modules: sorted }, { minify: true });
}

async function bundleLikeCli(folder: string, project: string): Promise<ModuleSource[]> {
  const { modules } = findSources(folder);
  const result = await build({
    absWorkingDir: project,
    entryPoints: [...modules.values()].sort(inFolderOrder),
    bundle: true,
    platform: "browser",
    format: "esm",
    target: "esnext",
    jsx: "automatic",
    outdir: OUTPUT_FOLDER,
    outbase: folder,
    conditions: ["convex", "module"],
    write: false,
    splitting: true,
    chunkNames: "_deps/[hash]",
    treeShaking: true,
    minifySyntax: true,
    minifyIdentifiers: true,
    keepNames: true,
    define: { "process.env.NODE_ENV": '"production"' },
    logLevel: "silent",
  });
  return result.outputFiles.map(({ path: file, text }) => ({
    path: path.relative(path.join(project, OUTPUT_FOLDER), file).split(path.sep).join("/"),
    source: text,
    environment: "isolate",
  }));
}

/** The order in which the CLI walks a folder, which decides the order within chunks. */
function inFolderOrder(left: string, right: string): number {
  const [leftParts, rightParts] = [left.split(path.sep), right.split(path.sep)];
  const position = leftParts.findIndex((part, index) => part !== rightParts[index]);
  return (leftParts[position] ?? "") < (rightParts[position] ?? "") ? -1 : 1;
}
