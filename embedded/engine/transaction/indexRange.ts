/** From a query's source to an index and a range of its keys. */
import { notSupported, PlatformError } from "../errors.ts";
import type { Index, Table } from "../storage/catalog.ts";
import type { Order } from "../storage/store.ts";
import { showValue } from "../validation/describe.ts";
import { encodeDocumentId } from "../values/documentId.ts";
import type { Json } from "../values/json.ts";
import { afterPrefix, END_KEY, FIRST_KEY, sortKey } from "../values/sortKey.ts";
import type { Transaction } from "./transaction.ts";

type Bound = { type: "Eq" | "Gt" | "Gte" | "Lt" | "Lte"; fieldPath: string; value: Json };

export type QuerySource =
  | { type: "FullTableScan"; tableName: string; order: Order | null }
  | { type: "IndexRange"; indexName: string; range: Bound[]; order: Order | null }
  | { type: "Search"; indexName: string };

export type QueryOperator = { filter: Json } | { limit: number };

export type QueryJson = { source: QuerySource; operators: QueryOperator[] };

export type Span = { low: Uint8Array; high: Uint8Array };

export type PlannedQuery = { table: Table; index: Index; span: Span; order: Order };

function findIndex(table: Table, name: string): Index {
  const index = name === "by_id" ? table.byId : table.indexes.get(name);
  if (index === undefined) throw new PlatformError(`Index ${table.name}.${name} not found.`);
  return index;
}

/** Equalities in any order on the first fields of the index, then at most one bound either way on the next one. */
type SplitRange = {
  equal: Map<string, Json>;
  field: string | null;
  lower: Bound | null;
  upper: Bound | null;
};

const COMPARATORS = { Eq: "==", Gt: ">", Gte: ">=", Lt: "<", Lte: "<=" } as const;

function alreadyDefined(kind: string, field: string, comparator: string, value: Json): PlatformError {
  return new PlatformError(
    `Already defined ${kind} bound in index range. Can't add ${JSON.stringify(field)} ${comparator} ${showValue(value)}.`,
  );
}

function addInequality(split: SplitRange, bound: Bound): void {
  const isUpper = bound.type === "Lt" || bound.type === "Lte";
  if ((isUpper ? split.upper : split.lower) !== null) {
    const kind = isUpper ? "upper" : "lower";
    throw alreadyDefined(kind, bound.fieldPath, COMPARATORS[bound.type], bound.value);
  }
  if (split.field !== null && split.field !== bound.fieldPath) {
    throw new PlatformError(
      "Upper and lower bounds in `range` can only be applied to a single index field. This query attempted to set a " +
        `range bound on both ${JSON.stringify(split.field)} and ${JSON.stringify(bound.fieldPath)}. ` +
        "Consider using `filter` instead.",
    );
  }
  split.field = bound.fieldPath;
  if (isUpper) split.upper = bound;
  else split.lower = bound;
}

function splitRange(bounds: readonly Bound[]): SplitRange {
  const split: SplitRange = { equal: new Map(), field: null, lower: null, upper: null };
  for (const bound of bounds) {
    if (bound.type !== "Eq") {
      addInequality(split, bound);
      continue;
    }
    const known = split.equal.get(bound.fieldPath);
    if (known !== undefined) throw alreadyDefined("equality", bound.fieldPath, "==", known);
    split.equal.set(bound.fieldPath, bound.value);
  }
  if (split.field !== null) {
    const known = split.equal.get(split.field);
    if (known !== undefined) throw alreadyDefined("inequality", split.field, "==", known);
  }
  return split;
}

function checkFields(table: Table, index: Index, used: readonly string[]): void {
  const wrong = used.find((field, position) => field !== index.fields[position]);
  if (wrong === undefined) return;
  throw new PlatformError(
    `Tried to query index ${table.name}.${index.name} but the query didn't use the index fields in order.\n` +
      `Index fields: [${index.fields.join(", ")}]\nQuery fields: [${used.join(", ")}]\n` +
      `First incorrect field: ${wrong}\nFor more information see https://docs.convex.dev/using/indexes.`,
  );
}

function spanOf(table: Table, index: Index, bounds: readonly Bound[]): Span {
  const { equal, field, lower, upper } = splitRange(bounds);
  const fields = [...equal.keys()].sort((a, b) => index.fields.indexOf(a) - index.fields.indexOf(b));
  checkFields(table, index, field === null ? fields : [...fields, field]);
  const prefix = sortKey(fields.map((name) => equal.get(name)));
  const span: Span = { low: prefix, high: prefix.length === 0 ? END_KEY : afterPrefix(prefix) };
  const keyOf = (bound: Bound): Buffer => Buffer.concat([prefix, sortKey([bound.value])]);
  if (lower !== null) span.low = lower.type === "Gte" ? keyOf(lower) : afterPrefix(keyOf(lower));
  if (upper !== null) span.high = upper.type === "Lt" ? keyOf(upper) : afterPrefix(keyOf(upper));
  return span;
}

const RAW_BITS = 128n;

function rawOf(bits: bigint): Buffer {
  return Buffer.from(bits.toString(16).padStart(32, "0"), "hex");
}

/**
 * The least 16 id bytes whose id sorts at or above `key`. The documents table is ordered by those bytes, and ids
 * sort as their bytes do, so a binary search carries any bound over.
 */
function rawBound(table: Table, key: Uint8Array): Uint8Array {
  let low = 0n;
  let high = 1n << RAW_BITS;
  while (low < high) {
    const middle = (low + high) >> 1n;
    const idKey = sortKey([encodeDocumentId(table.number, rawOf(middle))]);
    if (Buffer.compare(idKey, key) < 0) low = middle + 1n;
    else high = middle;
  }
  return low === 1n << RAW_BITS ? END_KEY : rawOf(low);
}

/** Plans a stream or page of a component's table. */
export function planQuery(transaction: Transaction, component: string, source: QuerySource): PlannedQuery {
  if (source.type === "Search") throw notSupported("Full text search");
  const order = source.order ?? "asc";
  if (source.type === "FullTableScan") {
    const table = transaction.table(component, source.tableName);
    const span: Span = { low: FIRST_KEY, high: END_KEY };
    return { table, index: findIndex(table, "by_creation_time"), span, order };
  }
  const dot = source.indexName.indexOf(".");
  const table = transaction.table(component, source.indexName.slice(0, dot));
  const index = findIndex(table, source.indexName.slice(dot + 1));
  const span = spanOf(table, index, source.range);
  if (index !== table.byId) return { table, index, span, order };
  const rawSpan: Span = { low: rawBound(table, span.low), high: rawBound(table, span.high) };
  return { table, index, span: rawSpan, order };
}
