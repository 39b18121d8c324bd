/** Evaluates the expressions of `.filter()`. */
import { PlatformError } from "../errors.ts";
import {
  float64FromBase64,
  int64FromBase64,
  int64ToJson,
  type Json,
  type JsonObject,
} from "../values/json.ts";
import { compareValues, valueAt } from "../values/sortKey.ts";

const UNDEFINED: JsonObject = { $undefined: null };

type Operand = Json;
type Binary = (left: Operand, right: Operand) => Json;

function toNumeric(value: Json): number | bigint {
  if (typeof value === "number") return value;
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    const integer = value["$integer"];
    if (typeof integer === "string") return int64FromBase64(integer);
    const float = value["$float"];
    if (typeof float === "string") return float64FromBase64(float);
  }
  throw new PlatformError("Arithmetic in a filter needs numbers");
}

function fromNumeric(value: number | bigint): Json {
  if (typeof value === "bigint") return int64ToJson(BigInt.asIntN(64, value));
  if (Number.isFinite(value) && !Object.is(value, -0)) return value;
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return { $float: bytes.toString("base64") };
}

function arithmetic(
  onNumbers: (left: number, right: number) => number,
  onIntegers: (left: bigint, right: bigint) => bigint,
): Binary {
  return (left, right) => {
    const [a, b] = [toNumeric(left), toNumeric(right)];
    if (typeof a === "bigint" && typeof b === "bigint") return fromNumeric(onIntegers(a, b));
    if (typeof a === "number" && typeof b === "number") return fromNumeric(onNumbers(a, b));
    throw new PlatformError("Arithmetic in a filter can't mix int64 and float64");
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
      (a, b) => a + b,
      (a, b) => a + b,
    ),
  ],
  [
    "$sub",
    arithmetic(
      (a, b) => a - b,
      (a, b) => a - b,
    ),
  ],
  [
    "$mul",
    arithmetic(
      (a, b) => a * b,
      (a, b) => a * b,
    ),
  ],
  [
    "$div",
    arithmetic(
      (a, b) => a / b,
      (a, b) => a / b,
    ),
  ],
  [
    "$mod",
    arithmetic(
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
  ["$and", (payload, document) => operands(payload).every((operand) => evaluate(operand, document) === true)],
  ["$or", (payload, document) => operands(payload).some((operand) => evaluate(operand, document) === true)],
  ["$not", (payload, document) => evaluate(payload ?? null, document) !== true],
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
