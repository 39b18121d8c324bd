/**
 * File storage: rows in the database, bytes in `files/`.
 *
 * Storing: bytes to a partial file → durable → its key → the rows in one transaction. Deleting: rows and a note of
 * the bytes in the function's transaction → after its commit the bytes → the note. While a backup runs the bytes stay,
 * because its snapshot may still have the rows. A crash between any two steps leaves bytes without a row, which the
 * next start removes, or a note, which it works off.
 */
import path from "node:path";
import type { Executor } from "../execution/executor.ts";
import type { EngineLog } from "../execution/log.ts";
import { StorageFailure } from "../storage/storageErrors.ts";
import type { Store, Touched } from "../storage/store.ts";
import { Transaction } from "../transaction/transaction.ts";
import { isBackupRunning } from "./backupSnapshots.ts";
import type { FileContent, Files, StoredFile, Upload, UploadAdmission } from "./contract.ts";
import { isFileKey, type FileFolder } from "./fileFolder.ts";
import { storedFiles, type FileTables } from "./fileTables.ts";
import type { UploadTokens } from "./uploadTokens.ts";

/** How long bytes wait for a backup to end, or for a disk that refused, before the next attempt to remove them. */
const RETRY_DELAY_MS = 5_000;

export type StoredFilesParts = {
  store: Store;
  executor: Executor;
  tables: FileTables;
  folder: FileFolder;
  tokens: UploadTokens;
  log: EngineLog;
  hasComponent: (path: string) => boolean;
};

/** The contract's Files. */
export class StoredFiles implements Files {
  private readonly parts: StoredFilesParts;
  private removing: Promise<void> | null = null;
  private removeAgain = false;
  private timer: NodeJS.Timeout | null = null;
  private stopped = true;

  constructor(parts: StoredFilesParts) {
    this.parts = parts;
  }

  async admitUpload(token: string): Promise<UploadAdmission> {
    const opened = await this.parts.tokens.open(token, Date.now());
    if (!opened.ok) return opened;
    const { component } = opened;
    if (!this.parts.hasComponent(component)) return { ok: false, reason: "invalid" };
    return { ok: true, upload: { component, path: this.parts.folder.newPartialPath() } };
  }

  async commitUpload({ component, path: partialPath }: Upload, content: FileContent): Promise<string> {
    const { folder, executor, tables } = this.parts;
    const { key, isNew } = await folder.adopt(partialPath);
    try {
      return await executor.transact((transaction) => {
        const known = tables.withKey(transaction, key);
        const id = known === null ? tables.insert(transaction, component, key, content) : known.fileId;
        return { commit: true, value: () => id };
      });
    } catch (error) {
      // What was there before may be stored already; and after a disk failed, nobody knows what is.
      if (isNew && !(error instanceof StorageFailure)) await folder.remove(key);
      throw error;
    }
  }

  async find(key: string): Promise<StoredFile | null> {
    if (!isFileKey(key)) return null;
    const { executor, store, tables, folder } = this.parts;
    const record = await executor.read(() =>
      Promise.resolve(tables.withKey(new Transaction(store, Date.now()), key)),
    );
    if (record === null) return null;
    const { size, sha256, contentType } = record;
    return { size, sha256, contentType, path: folder.path(key) };
  }

  /**
   * Makes the folder, and removes what a process before this one left there. When this process goes on, uploads may
   * still be arriving, so nothing is removed. Call before anything is stored.
   */
  async prepare(isReopened: boolean): Promise<void> {
    const { folder, store, tables, log } = this.parts;
    await folder.ensure();
    if (isReopened) return;
    const keys = new Set(Array.from(storedFiles(store), ({ key }) => key));
    for (const { key } of tables.discardedKeys()) keys.add(key);
    const removed = await folder.sweep((key) => keys.has(key));
    if (removed > 0)
      log.notice("info", "removed the bytes of files that were never stored", { files: removed });
  }

  /** From now on the bytes of deleted files are removed. */
  start(): void {
    this.stopped = false;
    this.removeDiscarded();
  }

  /** Resolves when nothing is being removed any more. */
  async stop(): Promise<void> {
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    await this.removing;
  }

  afterCommit(touched: Touched): void {
    if (touched.has(this.parts.tables.watchedIndexId)) this.removeDiscarded();
  }

  private removeDiscarded(): void {
    if (this.stopped) return;
    if (this.removing !== null) {
      this.removeAgain = true;
      return;
    }
    this.removing = this.removeAll()
      .catch((error: unknown) => {
        const { log } = this.parts;
        log.notice("error", "the bytes of a deleted file could not be removed", { error: String(error) });
        return false;
      })
      .then((done) => {
        this.removing = null;
        if (!done) this.retryLater();
        else if (this.removeAgain) this.removeDiscarded();
      });
  }

  private retryLater(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.removeDiscarded();
    }, RETRY_DELAY_MS);
  }

  /** False when a backup holds the bytes. */
  private async removeAll(): Promise<boolean> {
    const { executor, tables, folder } = this.parts;
    this.removeAgain = false;
    const discarded = await executor.read(() => Promise.resolve(tables.discardedKeys()));
    if (discarded.length === 0) return true;
    // After the commit and before the removal: a backup that starts now can't see these rows any more.
    if (isBackupRunning(path.dirname(folder.folder))) return false;
    for (const { key } of discarded) await folder.remove(key);
    await executor.transact((transaction) => {
      for (const { noteId } of discarded) tables.removeRow(transaction, noteId);
      return { commit: true, value: () => undefined };
    });
    return true;
  }
}
