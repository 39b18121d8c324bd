/** Which files of a convex/ folder are what, by the rules of Convex's own bundler. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { HostError } from "../errors.ts";

const MODULE_EXTENSION = /\.(ts|tsx|js|jsx|mts|mjs)$/;
const MODULE_PATH = /^[A-Za-z0-9_./]+$/;
const USE_NODE = /^\s*(?:(?:\/\/[^\n]*|\/\*[\s\S]*?\*\/)\s*)*["']use node["']/;

export type Sources = {
  /** Module path (`dir/file`) to absolute file. */
  modules: Map<string, string>;
  /** Modules for the Node.js runtime, which this host lacks. */
  nodeModules: Set<string>;
  schema: string | null;
  authConfig: string | null;
};

function firstExisting(dir: string, names: readonly string[]): string | null {
  return names.map((name) => path.join(dir, name)).find((file) => existsSync(file)) ?? null;
}

/** The folder's `convex.config` file, or null. */
export function configFileOf(dir: string): string | null {
  return firstExisting(dir, ["convex.config.ts", "convex.config.js"]);
}

function isModuleName(name: string): boolean {
  if (!MODULE_EXTENSION.test(name) || name.startsWith(".") || name.startsWith("#")) return false;
  // More than one dot: tests, type declarations, `auth.config.ts`, `convex.config.ts`.
  if (name.indexOf(".") !== name.lastIndexOf(".")) return false;
  return name !== "schema.ts" && name !== "schema.js" && !name.includes(" ");
}

function* moduleFiles(dir: string, root: string): Generator<string> {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const file = path.join(dir, entry.name);
    if (entry.isDirectory()) {
      const isGenerated = dir === root && entry.name === "_generated";
      if (isGenerated || entry.name === "node_modules" || configFileOf(file) !== null) continue;
      yield* moduleFiles(file, root);
    } else if (isModuleName(entry.name)) {
      yield file;
    }
  }
}

/** Sorts the files of one app's or component's folder. Throws HostError FUNCTIONS_INVALID for impossible module names. */
export function findSources(dir: string): Sources {
  if (!existsSync(dir))
    throw new HostError("FUNCTIONS_INVALID", `The functions folder ${dir} does not exist`);
  const sources: Sources = {
    modules: new Map(),
    nodeModules: new Set(),
    schema: firstExisting(dir, ["schema.ts", "schema.js"]),
    authConfig: firstExisting(dir, ["auth.config.ts", "auth.config.js"]),
  };
  for (const file of [...moduleFiles(dir, dir)].sort()) {
    const relative = path.relative(dir, file).split(path.sep).join("/");
    const modulePath = relative.replace(MODULE_EXTENSION, "");
    const text = readFileSync(file, "utf8");
    if (/\.tsx?$/.test(file) && !/^\s{0,100}(import|export)/m.test(text)) continue;
    if (!MODULE_PATH.test(modulePath)) {
      throw new HostError(
        "FUNCTIONS_INVALID",
        `${file} can't be a function module: module paths hold letters, digits, underscores and periods only.`,
      );
    }
    if (USE_NODE.test(text)) sources.nodeModules.add(modulePath);
    else sources.modules.set(modulePath, file);
  }
  return sources;
}
