/** Convex values in their JSON form, and the door every argument object passes. */
import { PlatformError } from "../errors.ts";
import { LIMITS } from "../limits.ts";

export type Json = null | boolean | number | string | Json[] | JsonObject;
export type JsonObject = { [key: string]: Json };

/** The single-key objects by which Convex writes what JSON lacks. */
export type SpecialKey = "$integer" | "$float" | "$bytes" | "$commitTs" | "$undefined";

const SPECIAL_KEYS: ReadonlySet<string> = new Set<SpecialKey>([
  "$integer",
  "$float",
  "$bytes",
  "$commitTs",
  "$undefined",
]);

/** Returns the special form's key when `value` is one: the key counts only when it stands alone. */
export function specialKeyOf(value: JsonObject): SpecialKey | null {
  let only: string | null = null;
  for (const key in value) {
    if (only !== null) return null;
    only = key;
  }
  return only !== null && SPECIAL_KEYS.has(only) ? (only as SpecialKey) : null;
}

/** True for a Convex object, false for null, arrays and special forms. */
export function isPlainObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && specialKeyOf(value) === null;
}

/** A field that holds a string; anything else counts as missing. */
export function textField(value: JsonObject, name: string): string {
  const text = value[name];
  return typeof text === "string" ? text : "";
}

/** Writes an int64 as Convex JSON: base64 of 8 bytes, little endian. */
export function int64ToJson(value: bigint): JsonObject {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(value);
  return { $integer: bytes.toString("base64") };
}

/** Reads the int64 of an `$integer` form. */
export function int64FromBase64(text: string): bigint {
  return Buffer.from(text, "base64").readBigInt64LE(0);
}

/** Reads the double of a `$float` form. */
export function float64FromBase64(text: string): number {
  return Buffer.from(text, "base64").readDoubleLE(0);
}

function isCanonicalBase64(text: string, byteLength: number | null): boolean {
  const bytes = Buffer.from(text, "base64");
  return (byteLength === null || bytes.length === byteLength) && bytes.toString("base64") === text;
}

/** Says what is wrong with a special form that came from outside, or null. */
function specialFormProblem(key: SpecialKey, payload: Json | undefined): string | null {
  if (key === "$commitTs" || key === "$undefined") return `${key} is not allowed here`;
  if (typeof payload !== "string" || !isCanonicalBase64(payload, key === "$bytes" ? null : 8)) {
    return `malformed ${key}`;
  }
  if (key !== "$float") return null;
  const number = float64FromBase64(payload);
  const needsForm = !Number.isFinite(number) || Object.is(number, -0);
  return needsForm ? null : `${key} holds an ordinary number`;
}

/** Why `key` can't be a field name, or null. */
export function fieldNameProblem(key: string): string | null {
  if (key.startsWith("$")) return `field name ${JSON.stringify(key)} starts with "$", which is reserved`;
  if (key === "__proto__") return `field name "__proto__" is not allowed`;
  if (key.length > LIMITS.fieldNameLengthMax) return "a field name is too long";
  return /^[\x20-\x7e]*$/.test(key)
    ? null
    : `field name ${JSON.stringify(key)} has characters other than printable ASCII`;
}

function scalarProblem(value: null | boolean | number | string): string | null {
  if (typeof value === "number" && !Number.isFinite(value)) return "a number is out of range";
  return null;
}

function valueProblem(value: Json, depth: number): string | null {
  if (typeof value !== "object" || value === null) return scalarProblem(value);
  if (depth > LIMITS.argumentsDepthMax) return `nested deeper than ${LIMITS.argumentsDepthMax} levels`;
  if (Array.isArray(value)) {
    for (const element of value) {
      const problem = valueProblem(element, depth + 1);
      if (problem !== null) return problem;
    }
    return null;
  }
  const special = specialKeyOf(value);
  if (special !== null) return specialFormProblem(special, value[special]);
  for (const key of Object.keys(value)) {
    const problem = fieldNameProblem(key) ?? valueProblem(value[key] ?? null, depth + 1);
    if (problem !== null) return problem;
  }
  return null;
}

function refuse(problem: string): PlatformError {
  const message = `Invalid arguments: ${problem}`;
  return new PlatformError(message, {
    visible: true,
    data: { code: "INVALID", message, field: "arguments" },
  });
}

/**
 * Parses the Convex JSON text of one argument object from outside.
 * Refuses, before any function sees it: text that is not JSON, anything but one object, reserved field names and
 * deep nesting. What the function's own validator wants is not yet verified, nor that strings are well-formed:
 * the function may want to say which argument is not. Documents and index bounds refuse lone surrogates.
 */
export function parseArguments(text: string): JsonObject {
  if (Buffer.byteLength(text) > LIMITS.argumentsBytesMax) {
    throw refuse(`larger than the limit of ${LIMITS.argumentsBytesMax} bytes`);
  }
  let value: Json;
  try {
    // JSON.parse makes `__proto__` an own property, so parsing alone never sets a prototype.
    value = JSON.parse(text) as Json;
  } catch {
    throw refuse("not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw refuse("must be one object");
  }
  const problem = specialKeyOf(value) === null ? valueProblem(value, 1) : "must be one object";
  if (problem !== null) throw refuse(problem);
  return value;
}
