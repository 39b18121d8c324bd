/** What Convex asks of every value: of arguments, return values and documents alike. */
import { PlatformError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { fieldNameProblem, specialKeyOf, type Json, type JsonObject, type SpecialKey } from "./json.ts";

/** May throw for a special form, which stands for a scalar. */
type CheckSpecial = (key: SpecialKey, payload: Json | undefined) => void;

function checkObject(value: JsonObject, depth: number, checkSpecial: CheckSpecial): number {
  const keys = Object.keys(value);
  if (keys.length > LIMITS.objectFieldsMax) {
    throw new PlatformError(
      `Object has too many fields (${keys.length} > maximum number ${LIMITS.objectFieldsMax})`,
    );
  }
  let nesting = 0;
  for (const key of keys) {
    const problem = fieldNameProblem(key);
    if (problem !== null) throw new PlatformError(problem);
    nesting = Math.max(nesting, checkNested(value[key] ?? null, depth, checkSpecial));
  }
  return nesting + 1;
}

function checkArray(value: Json[], depth: number, checkSpecial: CheckSpecial): number {
  if (value.length > LIMITS.arrayLengthMax) {
    throw new PlatformError(
      `Array length is too long (${value.length} > maximum length ${LIMITS.arrayLengthMax})`,
    );
  }
  let nesting = 0;
  for (const element of value) nesting = Math.max(nesting, checkNested(element, depth, checkSpecial));
  return nesting + 1;
}

function checkNested(value: Json, depth: number, checkSpecial: CheckSpecial): number {
  if (typeof value === "number" && !Number.isFinite(value))
    throw new PlatformError("a number is out of range");
  if (typeof value !== "object" || value === null) return 0;
  if (!Array.isArray(value)) {
    const special = specialKeyOf(value);
    if (special !== null) {
      checkSpecial(special, value[special]);
      return 0;
    }
  }
  if (depth >= LIMITS.valueDepthMax) {
    throw new PlatformError(
      `Value is too nested (nested ${depth + 1} levels deep > maximum nesting ${LIMITS.valueDepthMax})`,
    );
  }
  return Array.isArray(value)
    ? checkArray(value, depth + 1, checkSpecial)
    : checkObject(value, depth + 1, checkSpecial);
}

/**
 * Returns how deep a value is nested: 0 for scalars, 1 for a flat list or object.
 * Throws a PlatformError in Convex's words for long lists, wide or deep objects and field names it does not allow.
 */
export function checkValue(value: Json, checkSpecial: CheckSpecial = () => undefined): number {
  return checkNested(value, 0, checkSpecial);
}
