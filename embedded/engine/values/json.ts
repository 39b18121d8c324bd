/** Convex values in their JSON form. */
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

/** Why `key` can't be a field name, in Convex's words, or null. */
export function fieldNameProblem(key: string): string | null {
  if (key === "") return "Field name cannot be empty";
  if (key.startsWith("$")) return `Field name ${key} starts with '$', which is reserved.`;
  if (key === "__proto__") return "Field name __proto__ is not allowed";
  const odd = /[^\x20-\x7e]/u.exec(key)?.[0];
  if (odd !== undefined) {
    return `Field name ${key} has invalid character '${odd}': Field names can only contain non-control ASCII characters`;
  }
  if (key.length <= LIMITS.fieldNameLengthMax) return null;
  return `Field name is too long (${key.length} > maximum ${LIMITS.fieldNameLengthMax})`;
}

/** Why a special form that came from outside is none, or null. */
export function specialFormProblem(key: SpecialKey, payload: Json | undefined): string | null {
  if (key === "$commitTs" || key === "$undefined") return `${key} is not allowed here`;
  if (typeof payload !== "string" || !isCanonicalBase64(payload, key === "$bytes" ? null : 8)) {
    return `malformed ${key}`;
  }
  if (key !== "$float") return null;
  const number = float64FromBase64(payload);
  const needsForm = !Number.isFinite(number) || Object.is(number, -0);
  return needsForm ? null : `${key} holds an ordinary number`;
}
