/** Convex's limits on what a function returns. */
import { PlatformError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { convexSize, showBytes } from "./convexSize.ts";
import type { Json } from "./json.ts";
import { checkValue } from "./valueShape.ts";

/** `path` as Convex shows it, `module.js:function`. Throws a PlatformError in Convex's words. */
export function checkReturnValue(path: string, value: Json): void {
  try {
    checkValue(value);
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    throw new PlatformError(`Function ${path} return value invalid: ${error.message}`);
  }
  const sizeBytes = convexSize(value);
  if (sizeBytes <= LIMITS.returnValueBytesMax) return;
  const [actual, limit] = [showBytes(sizeBytes), showBytes(LIMITS.returnValueBytesMax)];
  throw new PlatformError(`Function ${path} return value is too large (actual: ${actual}, limit: ${limit})`);
}
