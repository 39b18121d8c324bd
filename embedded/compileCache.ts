/** Node's cache of compiled modules: loading them is the larger part of a host's start, and of most commands. */
import { enableCompileCache } from "node:module";
import path from "node:path";

/** Beside the packages: Node would take a folder that every user of the machine may write to. */
export const CACHE_FOLDER = path.resolve(import.meta.dirname, "../node_modules/.cache/daybook");

/** What this thread imports from here on is compiled once only. */
export function useCompileCache(): void {
  enableCompileCache(CACHE_FOLDER);
}
