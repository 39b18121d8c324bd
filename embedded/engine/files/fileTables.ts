/**
 * Rows of stored files. `_storage`, in each component, is what functions see. `_stored_files`, one for the whole
 * engine, names the bytes; `_discarded_files` names bytes whose file is deleted and that are still to be removed.
 */
import { PlatformError } from "../errors.ts";
import { syncIndexes } from "../storage/schemaSync.ts";
import type { Table } from "../storage/catalog.ts";
import type { Store } from "../storage/store.ts";
import { Transaction } from "../transaction/transaction.ts";
import { decodeDocumentId } from "../values/documentId.ts";
import { textField, type JsonObject } from "../values/json.ts";
import type { FileContent } from "./contract.ts";
import { isFileKey } from "./fileFolder.ts";

const VISIBLE_TABLE = "_storage";
const STORED_TABLE = "_stored_files";
const DISCARDED_TABLE = "_discarded_files";

export type FileRecord = FileContent & {
  recordId: string;
  /** Names the bytes on disk and the URL; nobody learns it but through `getUrl`. */
  key: string;
  /** Id of the visible row, in the component that stored the file. */
  fileId: string;
  component: string;
};

function parseRecord(row: JsonObject): FileRecord {
  const contentType = row["contentType"];
  return {
    recordId: textField(row, "_id"),
    key: textField(row, "key"),
    fileId: textField(row, "fileId"),
    component: textField(row, "component"),
    size: Number(row["size"]),
    sha256: textField(row, "sha256"),
    contentType: typeof contentType === "string" ? contentType : null,
  };
}

/** Every stored file, from a database that nobody needs to have open for writing. */
export function* storedFiles(store: Store): Generator<FileRecord> {
  const table = store.catalog.find("", STORED_TABLE);
  if (table === undefined) return;
  for (const row of store.documents(table)) yield parseRecord(row);
}

/** Whether a file with this key is stored, as of now. */
export function isStored(store: Store, key: string): boolean {
  const table = store.catalog.find("", STORED_TABLE);
  return table !== undefined && new Transaction(store, 0).peekBy(table, "by_key", key) !== null;
}

/** Reads and writes the rows of stored files. */
export class FileTables {
  private readonly store: Store;
  private readonly stored: Table;
  private readonly discarded: Table;

  /** Call inside a write transaction. */
  constructor(store: Store) {
    this.store = store;
    this.stored = store.catalog.ensure("", STORED_TABLE);
    this.discarded = store.catalog.ensure("", DISCARDED_TABLE);
    syncIndexes(store, this.stored, [
      { indexDescriptor: "by_key", fields: ["key"] },
      { indexDescriptor: "by_fileId", fields: ["fileId"] },
    ]);
  }

  /** Index id by which a commit shows that files were deleted. */
  get watchedIndexId(): number {
    return this.discarded.byId.id;
  }

  /** Makes the rows of a new file; returns its id. */
  insert(transaction: Transaction, component: string, key: string, content: FileContent): string {
    const visible = this.store.catalog.ensure(component, VISIBLE_TABLE);
    const fileId = transaction.insertSystem(visible, { ...content });
    transaction.insertSystem(this.stored, { ...content, component, fileId, key });
    return fileId;
  }

  /**
   * The file that a function of a component names by its id, or by its key as the platform's older clients did; null
   * when it is deleted. The outcome depends on what this reads. Throws PlatformError for what names no file.
   */
  find(transaction: Transaction, component: string, name: string, operation: string): FileRecord | null {
    const fileId = isFileKey(name) ? this.fileIdOf(transaction, component, name) : name;
    if (fileId === null) return null;
    const decoded = decodeDocumentId(fileId);
    if (decoded === null) throw invalidName(operation, name);
    const table = this.store.catalog.withNumber(decoded.tableNumber);
    if (table?.component !== component || table.name !== VISIBLE_TABLE) {
      throw new PlatformError(
        "Invalid storage ID. Storage ID cannot be an ID on any table other than '_storage'.",
      );
    }
    if (transaction.read({ table, raw: decoded.raw }) === null) return null;
    const record = transaction.peekBy(this.stored, "by_fileId", fileId);
    return record === null ? null : parseRecord(record);
  }

  /** The file with a key, read for the engine itself. */
  withKey(transaction: Transaction, key: string): FileRecord | null {
    const record = transaction.peekBy(this.stored, "by_key", key);
    return record === null ? null : parseRecord(record);
  }

  /** Deletes a file's rows, and notes that its bytes are to be removed. */
  discard(transaction: Transaction, { recordId, fileId, key }: FileRecord): void {
    this.removeRow(transaction, fileId);
    this.removeRow(transaction, recordId);
    transaction.insertSystem(this.discarded, { key });
  }

  /** Bytes to be removed, as of the last commit. */
  discardedKeys(): { noteId: string; key: string }[] {
    return Array.from(this.store.documents(this.discarded), (row) => ({
      noteId: textField(row, "_id"),
      key: textField(row, "key"),
    }));
  }

  removeRow(transaction: Transaction, id: string): void {
    const found = transaction.peekById(id);
    if (found !== null) transaction.replaceSystem(found.located, found.before, null);
  }

  private fileIdOf(transaction: Transaction, component: string, key: string): string | null {
    const record = this.withKey(transaction, key);
    return record?.component === component ? record.fileId : null;
  }
}

function invalidName(operation: string, name: string): PlatformError {
  return new PlatformError(
    `Invalid argument \`storageId\` for \`${operation}\`: Invalid storage ID: ${JSON.stringify(name)}. ` +
      "Storage ID should be an Id of '_storage' table, or a UUID string.",
  );
}
