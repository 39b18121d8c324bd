/** Function handles: opaque to functions, and good for as long as the function exists. */
import { PlatformError } from "../errors.ts";

export type FunctionTarget = { component: string; path: string };

const HANDLE = /^function:\/\/([^;]*);(.+)$/;

/** Reads a handle that `writeFunctionHandle` wrote. Throws a PlatformError for any other text. */
export function parseFunctionHandle(handle: string): FunctionTarget {
  const [, component, path] = HANDLE.exec(handle) ?? [];
  if (component === undefined || path === undefined) {
    throw new PlatformError(`Invalid function handle: ${handle}`);
  }
  return { component, path };
}

/** Writes the handle of a function. */
export function writeFunctionHandle({ component, path }: FunctionTarget): string {
  return `function://${component};${path}`;
}

/** A function as Convex shows it: `module.js:function`. */
export function visiblePath(path: string): string {
  return path.replace(/:(?=[^:]*$)/, ".js:");
}
