/** Convex's limits on one document that is about to be stored. */
import { PlatformError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { convexSize, showBytes } from "./convexSize.ts";
import { isPlainObject, type Json, type JsonObject } from "./json.ts";
import { checkValue } from "./valueShape.ts";

export type DocumentShape = { sizeBytes: number; usesCommitTs: boolean };

function invalid(problem: string): PlatformError {
  return new PlatformError(`Invalid document: ${problem}`);
}

function checkInner(value: Json): void {
  // UTF-8 has no lone surrogates: stored, two different strings would become one.
  if (typeof value === "string" && !value.isWellFormed()) throw invalid("a string has a lone surrogate");
  if (Array.isArray(value)) value.forEach(checkInner);
  if (!isPlainObject(value)) return;
  for (const [name, field] of Object.entries(value)) {
    if (name.startsWith("_")) {
      throw invalid(`Field '${name}' starts with an underscore, which is not allowed for nested fields`);
    }
    checkInner(field);
  }
}

/**
 * Measures a document with its system fields; `limited` is the part of it that 1 MiB holds for.
 * Throws a PlatformError that names the limit it breaks.
 */
export function inspectDocument(document: JsonObject, limited: JsonObject): DocumentShape {
  let usesCommitTs = false;
  const nesting = checkValue(document, (key) => {
    if (key === "$undefined") throw new PlatformError("undefined is not a valid Convex value");
    usesCommitTs ||= key === "$commitTs";
  });
  if (nesting > LIMITS.documentDepthMax) {
    throw invalid(
      `Document is too nested (nested ${nesting} levels deep > maximum nesting ${LIMITS.documentDepthMax})`,
    );
  }
  for (const field of Object.values(document)) checkInner(field);
  const limitedBytes = convexSize(limited);
  if (limitedBytes > LIMITS.documentBytesMax) {
    throw new PlatformError(
      `Value is too large (${showBytes(limitedBytes)} > maximum size ${showBytes(LIMITS.documentBytesMax)})`,
    );
  }
  return { sizeBytes: convexSize(document), usesCommitTs };
}
