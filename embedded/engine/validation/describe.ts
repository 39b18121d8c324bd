/** Validators and values as Convex writes them in its error messages. */
import {
  float64FromBase64,
  int64FromBase64,
  specialKeyOf,
  type Json,
  type JsonObject,
} from "../values/json.ts";
import type { FieldJson, ValidatorJson } from "./validator.ts";

/** A message is read by people; a value of megabytes in it helps nobody. */
const VALUE_LENGTH_MAX = 4096;

const SCALARS = {
  any: "v.any()",
  null: "v.null()",
  number: "v.float64()",
  bigint: "v.int64()",
  commitTs: "v.commitTs()",
  boolean: "v.boolean()",
  string: "v.string()",
  bytes: "v.bytes()",
} as const;

function showField({ fieldType, optional }: FieldJson): string {
  return optional ? `v.optional(${showValidator(fieldType)})` : showValidator(fieldType);
}

/** Writes a validator as the code that makes it. */
export function showValidator(validator: ValidatorJson): string {
  switch (validator.type) {
    case "literal":
      return `v.literal(${show(validator.value)})`;
    case "id":
      return `v.id(${JSON.stringify(validator.tableName)})`;
    case "array":
      return `v.array(${showValidator(validator.value)})`;
    case "record":
      return `v.record(${showValidator(validator.keys)}, ${showField(validator.values)})`;
    case "union":
      return `v.union(${validator.value.map(showValidator).join(", ")})`;
    case "object": {
      const fields = Object.entries(validator.value).map(([name, field]) => `${name}: ${showField(field)}`);
      return `v.object({${fields.join(", ")}})`;
    }
    default:
      return SCALARS[validator.type];
  }
}

function showNumber(value: number): string {
  if (Object.is(value, -0)) return "-0.0";
  return Number.isInteger(value) && Math.abs(value) < 1e16 ? `${value}.0` : String(value);
}

function showObject(value: JsonObject): string {
  const special = specialKeyOf(value);
  const payload = special === null ? null : value[special];
  if (special === "$integer" && typeof payload === "string") return `${int64FromBase64(payload)}n`;
  if (special === "$float" && typeof payload === "string") return showNumber(float64FromBase64(payload));
  if (special === "$bytes" && typeof payload === "string") return `bytes(${payload})`;
  const fields = Object.entries(value).map(([name, field]) => `${name}: ${show(field)}`);
  return `{${fields.join(", ")}}`;
}

function show(value: Json): string {
  if (typeof value === "number") return showNumber(value);
  if (Array.isArray(value)) return `[${value.map(show).join(", ")}]`;
  return typeof value === "object" && value !== null ? showObject(value) : JSON.stringify(value);
}

/** Writes a value for an error message, cut where it gets long. */
export function showValue(value: Json): string {
  const text = show(value);
  return text.length <= VALUE_LENGTH_MAX ? text : `${text.slice(0, VALUE_LENGTH_MAX)}…`;
}
