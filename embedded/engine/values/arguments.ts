/** The arguments of functions: the door for those from outside, and Convex's limits for all. */
import { PlatformError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { convexSize, showBytes } from "./convexSize.ts";
import { specialFormProblem, specialKeyOf, type Json, type JsonObject } from "./json.ts";
import { checkValue } from "./valueShape.ts";

function refuse(problem: string): PlatformError {
  const message = `Invalid arguments: ${problem}`;
  return new PlatformError(message, {
    visible: true,
    data: { code: "INVALID", message, field: "arguments" },
  });
}

function checkSize(path: string, value: JsonObject): void {
  const sizeBytes = convexSize(value);
  if (sizeBytes <= LIMITS.argumentsBytesMax) return;
  const [actual, limit] = [showBytes(sizeBytes), showBytes(LIMITS.argumentsBytesMax)];
  throw new PlatformError(`Arguments for ${path} are too large (actual: ${actual}, limit: ${limit})`, {
    visible: true,
  });
}

/** Holds the arguments of a call that a function makes to Convex's limits. Throws a PlatformError. */
export function checkArguments(path: string, value: JsonObject): void {
  checkValue(value);
  checkSize(path, value);
}

/**
 * Parses the Convex JSON text of one argument object from outside, for the function at `path`.
 * Refuses, before any function sees it: text that is not JSON, anything but one object, reserved field names and
 * what is beyond Convex's limits. What the function's own validator wants is not yet verified, nor that strings are
 * well-formed: the function may want to say which argument is not. Documents and index bounds refuse lone surrogates.
 */
export function parseArguments(path: string, text: string): JsonObject {
  let value: Json;
  try {
    // JSON.parse makes `__proto__` an own property, so parsing alone never sets a prototype.
    value = JSON.parse(text) as Json;
  } catch {
    throw refuse("not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw refuse("must be one object");
  if (specialKeyOf(value) !== null) throw refuse("must be one object");
  try {
    checkValue(value, (key, payload) => {
      const problem = specialFormProblem(key, payload);
      if (problem !== null) throw new PlatformError(problem);
    });
  } catch (error) {
    throw error instanceof PlatformError ? refuse(error.message) : error;
  }
  checkSize(path, value);
  return value;
}
