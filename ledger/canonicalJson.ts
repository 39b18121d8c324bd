/**
 * RFC 8785 (JSON Canonicalization Scheme), and the narrower set of values an event may hold.
 *
 * Order matters here. The serialiser turns NaN into `null`, drops `undefined`, keeps lone surrogates, calls
 * `toJSON` and overflows on a cyclic array, so every value is walked and refused *before* it gets there.
 */
import stableStringify from "fast-json-stable-stringify";

/** What an event may hold: no floats, no -0, nothing that two languages read differently. */
export type LedgerValue = null | boolean | number | string | readonly LedgerValue[] | LedgerObject;
export interface LedgerObject {
  readonly [key: string]: LedgerValue;
}

/** Containers inside one another, the outermost counted. */
export const LEDGER_DEPTH_MAX = 16;

/** RFC 8785 sets no limit; recursion needs one that is the same on every machine. */
const CANONICAL_DEPTH_MAX = 1000;

/** A value that has no RFC 8785 form. `path` is a JSONPath-like position, `$` being the value itself. */
export class NotCanonicalizableError extends Error {
  override readonly name = "NotCanonicalizableError";
  readonly path: string;
  readonly reason: string;

  constructor(path: string, reason: string) {
    super(`${path}: ${reason}`);
    this.path = path;
    this.reason = reason;
  }
}

/** A value that an event may not hold. */
export class NotLedgerValueError extends Error {
  override readonly name = "NotLedgerValueError";
  readonly path: string;
  readonly reason: string;

  constructor(path: string, reason: string) {
    super(`${path}: ${reason}`);
    this.path = path;
    this.reason = reason;
  }
}

interface Refusal {
  readonly path: string;
  readonly reason: string;
}

interface Rules {
  readonly depthMax: number;
  readonly refuseNumber: (value: number) => string | undefined;
}

const CANONICAL_RULES: Rules = {
  depthMax: CANONICAL_DEPTH_MAX,
  refuseNumber: (value) => (Number.isFinite(value) ? undefined : "is not a finite number"),
};

const LEDGER_RULES: Rules = {
  depthMax: LEDGER_DEPTH_MAX,
  refuseNumber: (value) => {
    if (!Number.isSafeInteger(value)) return "is not an integer in the safe range";
    return Object.is(value, -0) ? "is negative zero" : undefined;
  },
};

/** Objects made in another realm have another `Object.prototype`; `isPrototypeOf` tells one from a class. */
function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) return true;
  return (
    typeof prototype === "object" &&
    Object.getPrototypeOf(prototype) === null &&
    Object.hasOwn(prototype, "isPrototypeOf")
  );
}

function refuseContainer(value: object): string | undefined {
  if ("toJSON" in value && typeof value.toJSON === "function") return "has a toJSON method";
  if (Object.getOwnPropertySymbols(value).length > 0) return "has a symbol as a key";
  if (!Array.isArray(value)) return isPlainObject(value) ? undefined : "is not a plain object";
  for (let index = 0; index < value.length; index += 1) {
    if (!Object.hasOwn(value, index)) return "is a sparse array";
  }
  return Object.keys(value).length === value.length ? undefined : "is an array with named properties";
}

function refuseMember(container: object, key: string, path: string, rules: Rules, ancestors: object[]) {
  if (!key.isWellFormed()) return { path, reason: "has a key with a lone surrogate" };
  const descriptor = Object.getOwnPropertyDescriptor(container, key);
  const memberPath = Array.isArray(container) ? `${path}[${key}]` : `${path}.${key}`;
  // A getter may answer the check with one value and the serialiser with another.
  if (descriptor === undefined || !("value" in descriptor)) {
    return { path: memberPath, reason: "is an accessor property" };
  }
  const member: unknown = descriptor.value;
  return findRefusal(member, memberPath, rules, ancestors);
}

function refuseScalar(value: unknown, rules: Rules): string | undefined {
  if (value === null || typeof value === "boolean") return undefined;
  if (typeof value === "string") return value.isWellFormed() ? undefined : "holds a lone surrogate";
  if (typeof value === "number") return rules.refuseNumber(value);
  return `is of type ${typeof value}`;
}

function findRefusal(value: unknown, path: string, rules: Rules, ancestors: object[]): Refusal | undefined {
  if (typeof value !== "object" || value === null) {
    const reason = refuseScalar(value, rules);
    return reason === undefined ? undefined : { path, reason };
  }
  if (ancestors.includes(value)) return { path, reason: "contains itself" };
  if (ancestors.length >= rules.depthMax) {
    return { path, reason: `is nested deeper than ${rules.depthMax}` };
  }
  const reason = refuseContainer(value);
  if (reason !== undefined) return { path, reason };
  ancestors.push(value);
  for (const key of Object.keys(value)) {
    const refusal = refuseMember(value, key, path, rules, ancestors);
    if (refusal !== undefined) return refusal;
  }
  ancestors.pop();
  return undefined;
}

/**
 * The RFC 8785 text of a value, as a JavaScript string; its bytes are the UTF-8 encoding of that string.
 * Throws `NotCanonicalizableError` for whatever has no such form; never calls `toJSON` or a getter.
 */
export function canonicalize(value: unknown): string {
  const refusal = findRefusal(value, "$", CANONICAL_RULES, []);
  if (refusal !== undefined) throw new NotCanonicalizableError(refusal.path, refusal.reason);
  return stableStringify(value);
}

/**
 * Narrows a value to what an event may hold: null, booleans, well-formed strings, safe integers without
 * negative zero, dense arrays and plain objects, at most `LEDGER_DEPTH_MAX` containers deep.
 * Throws `NotLedgerValueError` with the path of the first offence.
 */
export function assertLedgerValue(value: unknown): asserts value is LedgerValue {
  const refusal = findRefusal(value, "$", LEDGER_RULES, []);
  if (refusal !== undefined) throw new NotLedgerValueError(refusal.path, refusal.reason);
}

export type ParsedCanonical =
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly reason: string };

/** A lone surrogate survives a parse and a serialisation as the same escape; this finds texts worth a walk. */
const SURROGATE_ESCAPE = /\\ud[89a-f]/;

function hasSortedKeys(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  if (Array.isArray(value)) return value.every(hasSortedKeys);
  let previous: string | undefined;
  for (const [key, member] of Object.entries(value)) {
    if ((previous !== undefined && key <= previous) || !hasSortedKeys(member)) return false;
    previous = key;
  }
  return true;
}

/** With its keys in order, a parsed value has the same text from the engine's serialiser, several times faster. */
function serializeParsed(value: unknown): string {
  return hasSortedKeys(value) ? JSON.stringify(value) : stableStringify(value);
}

/**
 * Parses a text that must be canonical already. What RFC 8785 would write differently is refused, and that
 * covers duplicate keys (only the last survives a parse), `1.0`, `-0`, `1e400`, white space, unsorted keys and
 * needless escapes. The value is not narrowed any further.
 */
export function parseCanonical(text: string): ParsedCanonical {
  let value: unknown;
  let again: string;
  try {
    value = JSON.parse(text);
    again = SURROGATE_ESCAPE.test(text) ? canonicalize(value) : serializeParsed(value);
  } catch (error) {
    // RangeError: nested so deeply that the serialiser ran out of stack.
    if (error instanceof SyntaxError) return { ok: false, reason: "is not JSON" };
    if (error instanceof NotCanonicalizableError) return { ok: false, reason: error.message };
    if (error instanceof RangeError) return { ok: false, reason: "is nested too deeply" };
    throw error;
  }
  if (again !== text) return { ok: false, reason: "is not in canonical form" };
  return { ok: true, value };
}
