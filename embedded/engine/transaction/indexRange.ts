/** From a query's source to an index and a range of its keys. */
import { notSupported, PlatformError } from "../errors.ts";
import type { Index, Table } from "../storage/catalog.ts";
import type { Order } from "../storage/store.ts";
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

function requireField(index: Index, position: number, bound: Bound): void {
  const expected = index.fields[position];
  if (bound.fieldPath === expected) return;
  throw new PlatformError(
    `Tried to query index ${index.name} but the query didn't use the index fields in order: ` +
      `expected \`${expected ?? "no more fields"}\`, got \`${bound.fieldPath}\``,
  );
}

function spanOf(index: Index, bounds: readonly Bound[]): Span {
  const equal = bounds.filter((bound) => bound.type === "Eq");
  for (const [position, bound] of equal.entries()) requireField(index, position, bound);
  const prefix = sortKey(equal.map((bound) => bound.value));
  const span: Span = { low: prefix, high: prefix.length === 0 ? END_KEY : afterPrefix(prefix) };
  for (const bound of bounds.slice(equal.length)) {
    if (bound.type === "Eq")
      throw new PlatformError(`Equality after a range in a query of index ${index.name}`);
    requireField(index, equal.length, bound);
    const key = Buffer.concat([prefix, sortKey([bound.value])]);
    if (bound.type === "Gte") span.low = key;
    else if (bound.type === "Gt") span.low = afterPrefix(key);
    else if (bound.type === "Lt") span.high = key;
    else span.high = afterPrefix(key);
  }
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
  const span = spanOf(index, source.range);
  if (index !== table.byId) return { table, index, span, order };
  const rawSpan: Span = { low: rawBound(table, span.low), high: rawBound(table, span.high) };
  return { table, index, span: rawSpan, order };
}
