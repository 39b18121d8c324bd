/** Documents, index entries, timestamps and session requests on SQLite. Knows nothing of functions. */
import { HOST_LIMITS } from "../limits.ts";
import type { JsonObject } from "../values/json.ts";
import { Catalog, indexKey, type Index, type Table } from "./catalog.ts";
import { History } from "./history.ts";
import { openAnswer, sealAnswer, sessionName, type Answer } from "./sealedAnswer.ts";
import type { StorageFailure } from "./storageErrors.ts";
import type { Database, Statement } from "./watchedDatabase.ts";

export type Order = "asc" | "desc";

export type StoredRow = { key: Uint8Array; raw: Uint8Array; text: string };

export type Change = {
  table: Table;
  raw: Uint8Array;
  before: JsonObject | null;
  after: JsonObject | null;
};

/** Keys that a commit touched, by index id (negative: the table's own ids). */
export type Touched = Map<number, Uint8Array[]>;

export type RecordedRequest = Answer & { commitTs: bigint };

/** Steps that a double near the present keeps apart: 2^-12 ms. */
const CREATION_TIME_STEP_MS = 2 ** -12;

const FORGET_INTERVAL_MS = 60_000;

/** Each row changes about a page, so the log grows to some 16 MB between checkpoints. */
const CHECKPOINT_ROWS = 4_000;

const SCAN = (order: "" | "DESC"): string =>
  `SELECT e.key AS key, d.id AS id, d.value AS value
   FROM index_entries e CROSS JOIN documents d ON d.document = e.document
   WHERE e.index_id = ? AND e.key >= ? AND e.key < ? ORDER BY e.key ${order} LIMIT ?`;

const SCAN_IDS = (order: "" | "DESC"): string =>
  `SELECT id AS key, id, value FROM documents
   WHERE table_number = ? AND id >= ? AND id < ? ORDER BY id ${order} LIMIT ?`;

type Statements = Record<
  | "read"
  | "write"
  | "remove"
  | "addEntry"
  | "removeEntry"
  | "asc"
  | "desc"
  | "idsAsc"
  | "idsDesc"
  | "setMeta"
  | "getMeta"
  | "findRequest"
  | "recordRequest"
  | "forgetRequests"
  | "rowsChanged"
  | "checkpoint",
  Statement
>;

function prepareStatements(database: Database): Statements {
  const statements: Statements = {
    read: database.prepare("SELECT value FROM documents WHERE table_number = ? AND id = ?"),
    write: database.prepare(
      `INSERT INTO documents (table_number, id, value) VALUES (?, ?, ?)
       ON CONFLICT (table_number, id) DO UPDATE SET value = excluded.value RETURNING document`,
    ),
    remove: database.prepare("DELETE FROM documents WHERE table_number = ? AND id = ?"),
    addEntry: database.prepare("INSERT INTO index_entries (index_id, key, document) VALUES (?, ?, ?)"),
    removeEntry: database.prepare("DELETE FROM index_entries WHERE index_id = ? AND key = ?"),
    asc: database.prepare(SCAN("")),
    desc: database.prepare(SCAN("DESC")),
    idsAsc: database.prepare(SCAN_IDS("")),
    idsDesc: database.prepare(SCAN_IDS("DESC")),
    setMeta: database.prepare(
      "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    ),
    getMeta: database.prepare("SELECT value FROM meta WHERE name = ?"),
    findRequest: database.prepare(
      "SELECT commit_ts, sealed FROM session_answers WHERE session = ? AND request_id = ?",
    ),
    recordRequest: database.prepare(
      `INSERT INTO session_answers (session, request_id, commit_ts, sealed, recorded_at_ms)
       VALUES (?, ?, ?, ?, ?)`,
    ),
    forgetRequests: database.prepare("DELETE FROM session_answers WHERE recorded_at_ms < ?"),
    rowsChanged: database.prepare("SELECT total_changes() AS n"),
    checkpoint: database.prepare("PRAGMA wal_checkpoint(PASSIVE)"),
  };
  // Nanoseconds since 1970 do not fit a double.
  statements.findRequest.setReadBigInts(true);
  return statements;
}

function touch(touched: Touched, indexId: number, key: Uint8Array): void {
  const keys = touched.get(indexId);
  if (keys === undefined) touched.set(indexId, [key]);
  else keys.push(key);
}

/** The durable side of the engine. All calls are synchronous; one caller at a time holds the open transaction. */
export class Store {
  readonly catalog: Catalog;
  private readonly database: Database;
  private readonly statements: Statements;
  readonly history: History;
  private committedTs: bigint;
  private issuedTs: bigint;
  private lastCreationTime: number;
  private forgotRequestsAtMs = 0;
  private rowsAtCheckpoint = 0;

  constructor(database: Database) {
    this.database = database;
    this.catalog = new Catalog(database);
    this.statements = prepareStatements(database);
    this.committedTs = BigInt(this.meta("commitTs") ?? "0");
    this.issuedTs = this.committedTs;
    this.history = new History(this.committedTs);
    this.lastCreationTime = Number(this.meta("creationTime") ?? "0");
  }

  /** Timestamp of the newest durable commit. */
  latestTs(): bigint {
    return this.committedTs;
  }

  /** What the open transaction sees: the newest commit, or a mutation before it in the same group. */
  newestTs(): bigint {
    return this.issuedTs;
  }

  begin(): void {
    this.database.exec("BEGIN IMMEDIATE");
  }

  /** Makes everything since `begin` durable and the issued timestamps visible. */
  commit(): void {
    if (this.issuedTs !== this.committedTs) {
      this.setMeta("commitTs", String(this.issuedTs));
      this.setMeta("creationTime", String(this.lastCreationTime));
    }
    this.database.exec("COMMIT");
    this.committedTs = this.issuedTs;
    this.history.commit();
  }

  rollback(): void {
    // A failed disk takes no more statements; the next start undoes what is not committed.
    if (this.failure !== null) return;
    this.history.rollback();
    if (this.database.isTransaction) this.database.exec("ROLLBACK");
    this.issuedTs = this.committedTs;
    this.catalog.reload();
  }

  /** Why the database can't be used any more, and the engine with it. */
  get failure(): StorageFailure | null {
    return this.database.failure ?? null;
  }

  get inTransaction(): boolean {
    return this.database.isTransaction;
  }

  /** SQLite undoes a transaction by itself on some errors; what follows would then be stored row by row. */
  requireTransaction(): void {
    if (!this.inTransaction) throw new Error("the transaction was undone on the way");
  }

  /**
   * Moves the write-ahead log into the database file when enough has come together. Call after a commit: SQLite's
   * own checkpoints keep their errors to themselves. Throws DiskFull or StorageFailure.
   */
  checkpointIfDue(): void {
    const rows = Number(this.statements.rowsChanged.get()?.["n"]);
    if (rows - this.rowsAtCheckpoint < CHECKPOINT_ROWS) return;
    this.rowsAtCheckpoint = rows;
    this.statements.checkpoint.get();
  }

  /** Next commit timestamp in nanoseconds: the clock, or one more than the last where the clock stood or went back. */
  issueTs(): bigint {
    const clock = BigInt(Date.now()) * 1_000_000n;
    this.issuedTs = clock > this.issuedTs ? clock : this.issuedTs + 1n;
    return this.issuedTs;
  }

  /** Strictly increasing, so that creation order is a total order. */
  issueCreationTime(nowMs: number): number {
    this.lastCreationTime =
      nowMs > this.lastCreationTime ? nowMs : this.lastCreationTime + CREATION_TIME_STEP_MS;
    return this.lastCreationTime;
  }

  meta(name: string): string | null {
    const row = this.statements.getMeta.get(name);
    return row === undefined ? null : String(row["value"]);
  }

  setMeta(name: string, value: string): void {
    this.statements.setMeta.run(name, value);
  }

  /** Stored JSON text of a document. */
  read(table: Table, raw: Uint8Array): string | null {
    const row = this.statements.read.get(table.number, raw);
    return row === undefined ? null : (row["value"] as string);
  }

  /** At most `limit` rows with `low <= key < high`, in key order. */
  scan(
    table: Table,
    index: Index,
    range: { low: Uint8Array; high: Uint8Array },
    order: Order,
    limit: number,
  ): StoredRow[] {
    const { asc, desc, idsAsc, idsDesc } = this.statements;
    const rows =
      index.id < 0
        ? (order === "asc" ? idsAsc : idsDesc).all(table.number, range.low, range.high, limit)
        : (order === "asc" ? asc : desc).all(index.id, range.low, range.high, limit);
    return rows.map((row) => ({
      key: row["key"] as Uint8Array,
      raw: row["id"] as Uint8Array,
      text: row["value"] as string,
    }));
  }

  /** Writes one document's change with its index entries, and notes every key it touched. */
  apply(change: Change, text: string | null, touched: Touched): void {
    const { table, raw, before, after } = change;
    touch(touched, table.byId.id, raw);
    if (after === null || text === null) {
      this.statements.remove.run(table.number, raw);
      if (before !== null) this.removeEntries(table, before, raw, touched);
      return;
    }
    const document = Number(this.statements.write.get(table.number, raw, text)?.["document"]);
    for (const index of table.indexes.values()) {
      const key = indexKey(index, after, raw);
      touch(touched, index.id, key);
      if (before !== null) {
        const keyBefore = indexKey(index, before, raw);
        if (Buffer.compare(key, keyBefore) === 0) continue;
        touch(touched, index.id, keyBefore);
        this.statements.removeEntry.run(index.id, keyBefore);
      }
      this.statements.addEntry.run(index.id, key, document);
    }
  }

  /** Fills a new index from the documents that are already there. */
  backfill(table: Table, index: Index): void {
    const rows = this.database
      .prepare("SELECT document, id, value FROM documents WHERE table_number = ?")
      .iterate(table.number);
    for (const row of rows) {
      const key = indexKey(index, JSON.parse(String(row["value"])) as JsonObject, row["id"] as Uint8Array);
      this.statements.addEntry.run(index.id, key, Number(row["document"]));
    }
  }

  /** Every document of a table, for checks at start-up. */
  *documents(table: Table): Generator<JsonObject> {
    const rows = this.database
      .prepare("SELECT value FROM documents WHERE table_number = ?")
      .iterate(table.number);
    for (const row of rows) yield JSON.parse(String(row["value"])) as JsonObject;
  }

  /** The validator that all of the table's documents were last checked against. */
  checkedValidator(table: Table): string | null {
    const row = this.database
      .prepare("SELECT checked_validator FROM tables WHERE number = ?")
      .get(table.number);
    const value = row?.["checked_validator"];
    return typeof value === "string" ? value : null;
  }

  setCheckedValidator(table: Table, validator: string | null): void {
    this.database
      .prepare("UPDATE tables SET checked_validator = ? WHERE number = ?")
      .run(validator, table.number);
  }

  findRequest(sessionId: string, requestId: number): RecordedRequest | null {
    const row = this.statements.findRequest.get(sessionName(sessionId), requestId);
    if (row === undefined) return null;
    const answer = openAnswer(sessionId, requestId, row["sealed"] as Uint8Array);
    return { ...answer, commitTs: row["commit_ts"] as bigint };
  }

  /** Records a request, and forgets those that no client can send again any more. */
  recordRequest(sessionId: string, requestId: number, request: RecordedRequest): void {
    const { commitTs, ...answer } = request;
    const nowMs = Date.now();
    const sealed = sealAnswer(sessionId, requestId, answer);
    this.statements.recordRequest.run(sessionName(sessionId), requestId, commitTs, sealed, nowMs);
    this.forgetOldRequests(nowMs);
  }

  close(): void {
    this.database.close();
  }

  private forgetOldRequests(nowMs: number): void {
    if (nowMs - this.forgotRequestsAtMs < FORGET_INTERVAL_MS) return;
    this.forgotRequestsAtMs = nowMs;
    this.statements.forgetRequests.run(nowMs - HOST_LIMITS.sessionRequestKeptMs);
  }

  private removeEntries(table: Table, document: JsonObject, raw: Uint8Array, touched: Touched): void {
    for (const index of table.indexes.values()) {
      const key = indexKey(index, document, raw);
      touch(touched, index.id, key);
      this.statements.removeEntry.run(index.id, key);
    }
  }
}
