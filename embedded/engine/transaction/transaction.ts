/** One query's or mutation's view of the database: reads, writes, and what it read and used. */
import { PlatformError } from "../errors.ts";
import { SYSTEM_TABLES, type Index, type Table } from "../storage/catalog.ts";
import type { Order, Store, Touched } from "../storage/store.ts";
import { decodeDocumentId, encodeDocumentId, newRawId } from "../values/documentId.ts";
import { inspectDocument } from "../values/documentShape.ts";
import { int64ToJson, specialKeyOf, type Json, type JsonObject } from "../values/json.ts";
import { afterPrefix, sortKey, successor } from "../values/sortKey.ts";
import { validatorProblem } from "../validation/validator.ts";
import { Counters } from "./counters.ts";
import { Overlay, rawKeyOf } from "./overlay.ts";

/** A range of keys that the outcome depends on. The stream that reads it widens it as it goes. */
export type ReadRange = { indexId: number; low: Uint8Array; high: Uint8Array };

export type Located = { table: Table; raw: Uint8Array };

export type Row = { key: Uint8Array; text: string };

const COMMIT_TS_TEXT = '{"$commitTs":null}';

/** Puts the commit's timestamp where a document or result asked for it. Quotes inside strings are escaped in JSON, so no string can match. */
export function resolveCommitTs(text: string, ts: bigint): string {
  return text.replaceAll(COMMIT_TS_TEXT, JSON.stringify(int64ToJson(ts)));
}

/** A transaction in progress. Nothing reaches the database before `applyTo`. */
export class Transaction {
  readonly store: Store;
  readonly nowMs: number;
  readonly snapshotTs: bigint;
  readonly counters = new Counters();
  readonly reads: ReadRange[] = [];
  readonly overlay = new Overlay();
  private usesCommitTs = false;

  constructor(store: Store, nowMs: number, snapshotTs: bigint = store.newestTs()) {
    this.store = store;
    this.nowMs = nowMs;
    this.snapshotTs = snapshotTs;
  }

  /** A view of an earlier moment, for reading only; null when that is too long ago. */
  static at(store: Store, nowMs: number, ts: bigint): Transaction | null {
    const changes = ts > store.latestTs() ? null : store.history.after(ts);
    if (changes === null) return null;
    const transaction = new Transaction(store, nowMs, ts);
    for (const { table, raw, before } of changes) transaction.overlay.write(table, raw, null, before);
    return transaction;
  }

  /** The table as functions of a component name it. */
  table(component: string, name: string): Table {
    if (name.startsWith("_") && !SYSTEM_TABLES.has(name)) {
      throw new PlatformError(`Table "${name}" does not exist`);
    }
    return this.store.catalog.ensure(component, name);
  }

  writableTable(component: string, name: string): Table {
    if (name.startsWith("_")) throw new PlatformError("System tables (prefixed with `_`) are read-only.");
    return this.store.catalog.ensure(component, name);
  }

  /** Finds the table of an id. Null when it is not one of this component's ids. */
  locate(component: string, id: string, expectedTable?: string | null): Located | null {
    const decoded = decodeDocumentId(id);
    if (decoded === null) throw new PlatformError(`Invalid argument \`id\`: Unable to decode ID: ${id}`);
    const table = this.store.catalog.withNumber(decoded.tableNumber);
    if (table?.component !== component) return null;
    if (expectedTable && table.name !== expectedTable) {
      throw new PlatformError(
        `Invalid argument \`id\`, expected ID in table '${expectedTable}' but got ID in table '${table.name}'`,
      );
    }
    return { table, raw: decoded.raw };
  }

  /** The document's JSON text, or null. */
  readText({ table, raw }: Located): string | null {
    this.reads.push({ indexId: table.byId.id, low: raw, high: successor(raw) });
    this.counters.countRange();
    const pending = this.overlay.find(table, rawKeyOf(raw));
    const text = pending === undefined ? this.store.read(table, raw) : textOf(pending.current);
    if (text !== null) this.counters.countRead(text);
    return text;
  }

  read(located: Located): JsonObject | null {
    const text = this.readText(located);
    return text === null ? null : (JSON.parse(text) as JsonObject);
  }

  /** Reads for the engine itself: uncounted, and no part of what the outcome depends on. */
  peek({ table, raw }: Located): JsonObject | null {
    const pending = this.overlay.find(table, rawKeyOf(raw));
    if (pending !== undefined) return pending.current;
    const text = this.store.read(table, raw);
    return text === null ? null : (JSON.parse(text) as JsonObject);
  }

  /** Like `peek`, from an id of any table. */
  peekById(id: string): { located: Located; before: JsonObject } | null {
    const decoded = decodeDocumentId(id);
    const table = decoded === null ? undefined : this.store.catalog.withNumber(decoded.tableNumber);
    if (decoded === null || table === undefined) return null;
    const located = { table, raw: decoded.raw };
    const before = this.peek(located);
    return before === null ? null : { located, before };
  }

  /** Like `peek`, for the first document by the first field of an index. */
  peekBy(table: Table, indexName: string, value: Json): JsonObject | null {
    const index = table.indexes.get(indexName);
    if (index === undefined) throw new Error(`table ${table.name} has no index ${indexName}`);
    const prefix = sortKey([value]);
    const [row] = this.scan(table, index, { low: prefix, high: afterPrefix(prefix) }, "asc", 1).rows;
    return row === undefined ? null : (JSON.parse(row.text) as JsonObject);
  }

  insert(table: Table, fields: JsonObject): string {
    const reserved = Object.keys(fields).find((name) => name.startsWith("_"));
    if (reserved !== undefined) {
      throw new PlatformError(
        `Field '${reserved}' starts with an underscore, which is only allowed for system fields like '_id'`,
      );
    }
    const raw = newRawId();
    const id = encodeDocumentId(table.number, raw);
    const document = { ...fields, _creationTime: this.store.issueCreationTime(this.nowMs), _id: id };
    this.write({ table, raw }, null, document, fields);
    return id;
  }

  replace(located: Located, before: JsonObject, fields: JsonObject): JsonObject {
    for (const name of Object.keys(fields)) {
      if (name.startsWith("_") && fields[name] !== before[name]) {
        throw new PlatformError(`Field "${name}" of a document can't be changed`);
      }
    }
    const { _creationTime = null, _id = null } = before;
    const document = { ...fields, _creationTime, _id };
    this.write(located, before, document, fields);
    return document;
  }

  patch(located: Located, before: JsonObject, changes: JsonObject): JsonObject {
    const isUnset = (value: Json | undefined): boolean => isUndefinedForm(value ?? null);
    const removed = Object.keys(changes).filter((name) => isUnset(changes[name]));
    const system = removed.find((name) => name.startsWith("_"));
    if (system !== undefined) throw new PlatformError(`Field "${system}" of a document can't be removed`);
    const merged = Object.entries({ ...before, ...changes });
    const fields = Object.fromEntries(merged.filter(([, value]) => !isUnset(value)));
    return this.replace(located, before, fields);
  }

  remove(located: Located, before: JsonObject): void {
    this.counters.countWrite(0);
    this.overlay.write(located.table, located.raw, before, null);
  }

  /** Writes of the engine itself: a function that has used up its limits must not keep its job from being closed. */
  insertSystem(table: Table, fields: JsonObject): string {
    const raw = newRawId();
    const id = encodeDocumentId(table.number, raw);
    const _creationTime = this.store.issueCreationTime(this.nowMs);
    this.overlay.write(table, raw, null, { ...fields, _creationTime, _id: id });
    return id;
  }

  replaceSystem({ table, raw }: Located, before: JsonObject, fields: JsonObject | null): void {
    const { _creationTime = null, _id = null } = before;
    this.overlay.write(table, raw, before, fields === null ? null : { ...fields, _creationTime, _id });
  }

  /** Rows of a range, stored and own, about `limit` of them; `rest` is the range that is not yet read. */
  scan(
    table: Table,
    index: Index,
    range: { low: Uint8Array; high: Uint8Array },
    order: Order,
    limit: number,
  ): { rows: Row[]; rest: { low: Uint8Array; high: Uint8Array } | null } {
    const stored = this.store.scan(table, index, range, order, limit);
    const last = stored.length === limit ? stored.at(-1) : undefined;
    const rest = last === undefined ? null : restOf(range, order, last.key);
    if (!this.overlay.touches(table)) return { rows: stored, rest };
    // Own rows beyond the last stored key belong to a later chunk.
    const seen = rest === null ? range : coveredBy(range, order, rest);
    const rows: Row[] = stored.filter((row) => this.overlay.find(table, rawKeyOf(row.raw)) === undefined);
    for (const { key, pending } of this.overlay.rows(table, index, seen)) {
      rows.push({ key, text: JSON.stringify(pending.current) });
    }
    const direction = order === "asc" ? 1 : -1;
    rows.sort((left, right) => direction * Buffer.compare(left.key, right.key));
    return { rows, rest };
  }

  /** Hands every change to the store, with the commit's timestamp in its place. */
  applyTo(ts: bigint, touched: Touched): void {
    for (const { table, raw, committed, current } of this.overlay.changes()) {
      this.store.history.note(ts, { table, raw, before: committed });
      if (current === null) {
        this.store.apply({ table, raw, before: committed, after: null }, null, touched);
        continue;
      }
      const draft = JSON.stringify(current);
      const text = this.usesCommitTs ? resolveCommitTs(draft, ts) : draft;
      const after = text === draft ? current : (JSON.parse(text) as JsonObject);
      this.store.apply({ table, raw, before: committed, after }, text, touched);
    }
  }

  hasChanges(): boolean {
    return this.overlay.changes().next().done !== true;
  }

  private write(
    located: Located,
    before: JsonObject | null,
    document: JsonObject,
    limited: JsonObject,
  ): void {
    const { table, raw } = located;
    this.checkSchema(table, document);
    const { sizeBytes, usesCommitTs } = inspectDocument(document, limited);
    this.counters.countWrite(sizeBytes);
    this.usesCommitTs ||= usesCommitTs;
    this.overlay.write(table, raw, before, document);
  }

  private checkSchema(table: Table, document: JsonObject): void {
    const problem = schemaProblem(this.store, table, document);
    if (problem === null) return;
    throw new PlatformError(
      `Failed to insert or update a document in table "${table.name}" because it does not match the schema: ${problem}`,
    );
  }
}

function textOf(document: JsonObject | null): string | null {
  return document === null ? null : JSON.stringify(document);
}

function isUndefinedForm(value: Json): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return specialKeyOf(value) === "$undefined";
}

/** How a document breaks its table's schema, or null. */
export function schemaProblem(store: Store, table: Table, document: JsonObject): string | null {
  if (table.validator === null) return null;
  const { _id, _creationTime, ...fields } = document;
  return validatorProblem(table.validator, fields, (id) => store.catalog.tableNameOf(table.component, id));
}

type Span = { low: Uint8Array; high: Uint8Array };

function restOf(range: Span, order: Order, lastKey: Uint8Array): Span {
  return order === "asc" ? { low: successor(lastKey), high: range.high } : { low: range.low, high: lastKey };
}

function coveredBy(range: Span, order: Order, rest: Span): Span {
  return order === "asc" ? { low: range.low, high: rest.low } : { low: rest.high, high: range.high };
}
