/**
 * The database file of a host that is stopped, changed behind everybody's back by somebody who knows how the engine
 * keeps documents: indexes follow, and no check of the functions is asked.
 */
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { DATABASE_FILE } from "../../embedded/engine/storage/dataFolder.ts";
import { Store } from "../../embedded/engine/storage/store.ts";
import type { Table } from "../../embedded/engine/storage/catalog.ts";
import { decodeDocumentId, encodeDocumentId, newRawId } from "../../embedded/engine/values/documentId.ts";
import type { JsonObject } from "../../embedded/engine/values/json.ts";

export type StoredDocument = JsonObject & { _id: string; _creationTime: number };

/** The tables of one component; "" names the app itself. */
export class StoppedDatabase {
  readonly #store: Store;
  readonly #component: string;

  private constructor(store: Store, component: string) {
    this.#store = store;
    this.#component = component;
  }

  /** Changes the file of a data folder, all or nothing. */
  static change(dataDir: string, change: (database: StoppedDatabase) => void): void {
    const store = new Store(new DatabaseSync(path.join(dataDir, DATABASE_FILE)));
    try {
      store.begin();
      change(new StoppedDatabase(store, "events"));
      store.commit();
    } finally {
      store.close();
    }
  }

  /** The app's own tables, in the same transaction. */
  get app(): StoppedDatabase {
    return new StoppedDatabase(this.#store, "");
  }

  rows(name: string): StoredDocument[] {
    return [...this.#store.documents(this.#table(name))] as StoredDocument[];
  }

  /** Puts a document in the place of one with its id. */
  replace(name: string, before: StoredDocument, after: StoredDocument): void {
    const table = this.#table(name);
    const raw = decodeDocumentId(before._id)?.raw;
    if (raw === undefined) throw new Error(`${before._id} is no id`);
    this.#store.apply({ table, raw, before, after }, JSON.stringify(after), new Map());
  }

  remove(name: string, before: StoredDocument): void {
    const raw = decodeDocumentId(before._id)?.raw;
    if (raw === undefined) throw new Error(`${before._id} is no id`);
    this.#store.apply({ table: this.#table(name), raw, before, after: null }, null, new Map());
  }

  /** Adds a document, with the creation time that it names or a new one. */
  insert(name: string, fields: JsonObject): void {
    const table = this.#table(name);
    const raw = newRawId();
    const _id = encodeDocumentId(table.number, raw);
    const after = { _creationTime: this.#store.issueCreationTime(Date.now()), ...fields, _id };
    this.#store.apply({ table, raw, before: null, after }, JSON.stringify(after), new Map());
  }

  /** Lets no cron job come before this time, in milliseconds. */
  restCrons(until: number): void {
    const crons = JSON.parse(this.#store.meta("crons") ?? "{}") as Record<string, { dueAt: number }>;
    const resting = Object.entries(crons).map(([name, state]) => [name, { ...state, dueAt: until }]);
    this.#store.setMeta("crons", JSON.stringify(Object.fromEntries(resting)));
  }

  #table(name: string): Table {
    const table = this.#store.catalog.find(this.#component, name);
    if (table === undefined) throw new Error(`no table ${name}`);
    return table;
  }
}
