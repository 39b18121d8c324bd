/** Evaluates the expressions of `.filter()`. */
import { PlatformError } from "../errors.ts";
import {
  float64FromBase64,
  int64FromBase64,
  int64ToJson,
  specialKeyOf,
  type Json,
  type JsonObject,
  type SpecialKey,
} from "../values/json.ts";
import { showValue } from "../validation/describe.ts";
import { compareValues, valueAt } from "../values/sortKey.ts";

const UNDEFINED: JsonObject = { $undefined: null };

type Binary = (left: Json, right: Json) => Json;

function toNumeric(value: Json): number | bigint | null {
  if (typeof value === "number") return value;
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    const integer = value["$integer"];
    if (typeof integer === "string") return int64FromBase64(integer);
    const float = value["$float"];
    if (typeof float === "string") return float64FromBase64(float);
  }
  return null;
}

const SPECIAL_TYPES = {
  $integer: "int64",
  $commitTs: "int64",
  $float: "float64",
  $bytes: "bytes",
  $undefined: "undefined",
} as const satisfies Record<SpecialKey, string>;

function typeName(value: Json): string {
  if (value === null) return "null";
  if (typeof value === "number") return "float64";
  if (typeof value !== "object") return typeof value;
  if (Array.isArray(value)) return "array";
  const special = specialKeyOf(value);
  return special === null ? "object" : SPECIAL_TYPES[special];
}

/** `value (type …)` in a refusal. */
function described(value: Json): string {
  return `${showValue(value)} (type ${typeName(value)})`;
}

/** Convex takes booleans only: nothing is truthy. */
export function toBoolean(value: Json): boolean {
  if (typeof value === "boolean") return value;
  throw new PlatformError(`${described(value)} is not a boolean`);
}

function fromNumeric(value: number | bigint): Json {
  if (typeof value === "bigint") return int64ToJson(BigInt.asIntN(64, value));
  if (Number.isFinite(value) && !Object.is(value, -0)) return value;
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return { $float: bytes.toString("base64") };
}

function arithmetic(
  verb: string,
  onNumbers: (left: number, right: number) => number,
  onIntegers: (left: bigint, right: bigint) => bigint,
): Binary {
  return (left, right) => {
    const [a, b] = [toNumeric(left), toNumeric(right)];
    if (typeof a === "number" && typeof b === "number") return fromNumeric(onNumbers(a, b));
    if (typeof a !== "bigint" || typeof b !== "bigint") {
      throw new PlatformError(`Cannot ${verb} ${described(left)} and ${described(right)}`);
    }
    const divides = verb === "divide" || verb === "mod";
    if (divides && b === 0n) throw new PlatformError(`Cannot ${verb} by zero`);
    return fromNumeric(onIntegers(a, b));
  };
}

const BINARY: ReadonlyMap<string, Binary> = new Map<string, Binary>([
  ["$eq", (a, b) => compareValues(a, b) === 0],
  ["$neq", (a, b) => compareValues(a, b) !== 0],
  ["$lt", (a, b) => compareValues(a, b) < 0],
  ["$lte", (a, b) => compareValues(a, b) <= 0],
  ["$gt", (a, b) => compareValues(a, b) > 0],
  ["$gte", (a, b) => compareValues(a, b) >= 0],
  [
    "$add",
    arithmetic(
      "add",
      (a, b) => a + b,
      (a, b) => a + b,
    ),
  ],
  [
    "$sub",
    arithmetic(
      "subtract",
      (a, b) => a - b,
      (a, b) => a - b,
    ),
  ],
  [
    "$mul",
    arithmetic(
      "multiply",
      (a, b) => a * b,
      (a, b) => a * b,
    ),
  ],
  [
    "$div",
    arithmetic(
      "divide",
      (a, b) => a / b,
      (a, b) => a / b,
    ),
  ],
  [
    "$mod",
    arithmetic(
      "mod",
      (a, b) => a % b,
      (a, b) => a % b,
    ),
  ],
]);

function operands(payload: Json | undefined): Json[] {
  return Array.isArray(payload) ? payload : [];
}

function negate(value: Json): Json {
  const number = toNumeric(value);
  if (number === null) throw new PlatformError(`Cannot negate ${described(value)}`);
  return fromNumeric(typeof number === "bigint" ? -number : -number);
}

type Evaluator = (payload: Json | undefined, document: JsonObject) => Json;

const OTHERS: ReadonlyMap<string, Evaluator> = new Map<string, Evaluator>([
  ["$literal", (payload) => payload ?? null],
  [
    "$field",
    (payload, document) => {
      const value = typeof payload === "string" ? valueAt(document, payload.split(".")) : undefined;
      return value === undefined ? UNDEFINED : value;
    },
  ],
  [
    "$and",
    (payload, document) => operands(payload).every((operand) => toBoolean(evaluate(operand, document))),
  ],
  ["$or", (payload, document) => operands(payload).some((operand) => toBoolean(evaluate(operand, document)))],
  ["$not", (payload, document) => !toBoolean(evaluate(payload ?? null, document))],
  ["$neg", (payload, document) => negate(evaluate(payload ?? null, document))],
]);

/** Value of an expression for one document. */
export function evaluate(expression: Json, document: JsonObject): Json {
  if (typeof expression !== "object" || expression === null || Array.isArray(expression)) return expression;
  const [operator = ""] = Object.keys(expression);
  const payload = expression[operator];
  const binary = BINARY.get(operator);
  if (binary !== undefined) {
    const [left = null, right = null] = operands(payload);
    return binary(evaluate(left, document), evaluate(right, document));
  }
  const other = OTHERS.get(operator);
  if (other === undefined) throw new PlatformError(`Unknown filter expression ${operator}`);
  return other(payload, document);
}
