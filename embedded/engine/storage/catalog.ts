/** Which tables and indexes there are. Written when the host starts and when code names a table for the first time. */
import { decodeDocumentId } from "../values/documentId.ts";
import type { JsonObject } from "../values/json.ts";
import { sortKey, valueAt } from "../values/sortKey.ts";
import type { ValidatorJson } from "../validation/validator.ts";
import type { Database } from "./watchedDatabase.ts";

export type Index = {
  /** Negative for `by_id`, which is the documents table itself. */
  id: number;
  name: string;
  fields: readonly string[];
  paths: readonly (readonly string[])[];
};

export type Table = {
  number: number;
  component: string;
  name: string;
  byId: Index;
  indexes: Map<string, Index>;
  /** What the schema asks of every document; null when it asks nothing. */
  validator: ValidatorJson | null;
};

/**
 * System tables that functions and operators may read, in every component; all others with a leading underscore are
 * the engine's own.
 */
export const SYSTEM_TABLES: ReadonlySet<string> = new Set(["_scheduled_functions", "_storage"]);

/** User tables start here, as on the platform, so that ids have its length. */
const FIRST_TABLE_NUMBER = 10_001;
const CREATION_TIME_FIELDS = ["_creationTime", "_id"] as const;

function makeIndex(id: number, name: string, fields: readonly string[]): Index {
  return { id, name, fields, paths: fields.map((field) => field.split(".")) };
}

/** Key of a document in an index. `raw` are the 16 bytes of its id. */
export function indexKey(index: Index, document: JsonObject, raw: Uint8Array): Uint8Array {
  if (index.id < 0) return raw;
  return sortKey(index.paths.map((path) => valueAt(document, path)));
}

function tableKey(component: string, name: string): string {
  return `${component}\0${name}`;
}

/** Tables and indexes by name and number, in memory and in the database. */
export class Catalog {
  private readonly database: Database;
  private byName = new Map<string, Table>();
  private byNumber = new Map<number, Table>();

  constructor(database: Database) {
    this.database = database;
    this.load();
  }

  /** Forgets what a rolled back transaction had added. A table that stays is the same object: others hold on to it. */
  reload(): void {
    const known = this.byName;
    this.load();
    for (const [key, { number, indexes }] of this.byName) {
      const table = known.get(key);
      if (table === undefined) continue;
      table.indexes = indexes;
      this.byName.set(key, table);
      this.byNumber.set(number, table);
    }
  }

  all(): Iterable<Table> {
    return this.byNumber.values();
  }

  find(component: string, name: string): Table | undefined {
    return this.byName.get(tableKey(component, name));
  }

  withNumber(tableNumber: number): Table | undefined {
    return this.byNumber.get(tableNumber);
  }

  /** The table of that name, made on first mention: without a schema, code names tables by using them. */
  ensure(component: string, name: string): Table {
    const existing = this.find(component, name);
    if (existing !== undefined) return existing;
    const tableNumber = Math.max(FIRST_TABLE_NUMBER - 1, ...this.byNumber.keys()) + 1;
    this.database
      .prepare("INSERT INTO tables (number, component, name) VALUES (?, ?, ?)")
      .run(tableNumber, component, name);
    const table = this.addToMemory(tableNumber, component, name);
    this.addIndex(table, "by_creation_time", CREATION_TIME_FIELDS);
    return table;
  }

  /** Adds an index definition; its entries are the caller's business. */
  addIndex(table: Table, name: string, fields: readonly string[]): Index {
    const { lastInsertRowid } = this.database
      .prepare("INSERT INTO indexes (table_number, name, fields) VALUES (?, ?, ?)")
      .run(table.number, name, JSON.stringify(fields));
    const index = makeIndex(Number(lastInsertRowid), name, fields);
    table.indexes.set(name, index);
    return index;
  }

  dropIndex(table: Table, index: Index): void {
    this.database.prepare("DELETE FROM index_entries WHERE index_id = ?").run(index.id);
    this.database.prepare("DELETE FROM indexes WHERE id = ?").run(index.id);
    table.indexes.delete(index.name);
  }

  /** Name of the table that an id of this component belongs to. */
  tableNameOf(component: string, id: string): string | null {
    const decoded = decodeDocumentId(id);
    const table = decoded === null ? undefined : this.byNumber.get(decoded.tableNumber);
    return table?.component === component ? table.name : null;
  }

  private addToMemory(tableNumber: number, component: string, name: string): Table {
    const table: Table = {
      number: tableNumber,
      component,
      name,
      byId: makeIndex(-tableNumber, "by_id", ["_id"]),
      indexes: new Map(),
      validator: null,
    };
    this.byName.set(tableKey(component, name), table);
    this.byNumber.set(tableNumber, table);
    return table;
  }

  private load(): void {
    this.byName = new Map();
    this.byNumber = new Map();
    for (const row of this.database.prepare("SELECT number, component, name FROM tables").all()) {
      this.addToMemory(Number(row["number"]), String(row["component"]), String(row["name"]));
    }
    for (const row of this.database.prepare("SELECT id, table_number, name, fields FROM indexes").all()) {
      const table = this.byNumber.get(Number(row["table_number"]));
      const fields = JSON.parse(String(row["fields"])) as string[];
      const name = String(row["name"]);
      table?.indexes.set(name, makeIndex(Number(row["id"]), name, fields));
    }
  }
}
