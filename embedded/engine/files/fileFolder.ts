/**
 * The folder `files/` of a data folder: one file per stored file, under a random key, and `<key>.part` while its
 * bytes arrive. A file has its key before the row that makes it visible is committed, and keeps it until the row is
 * gone; so what has a key and no row is a leftover of a crash.
 */
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync } from "node:fs";
import { open, readdir, rename, rm } from "node:fs/promises";
import path from "node:path";

const FOLDER = "files";
const PARTIAL = ".part";
const KEY = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Whether a text has the form of a key: random, and a name that is safe in a path. */
export function isFileKey(text: string): boolean {
  return KEY.test(text);
}

/** Makes what was created, renamed or removed in a folder survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The bytes of stored files. */
export class FileFolder {
  readonly folder: string;

  constructor(dataDir: string) {
    this.folder = path.join(dataDir, FOLDER);
  }

  /** Makes the folder (owner only) where it is missing. */
  async ensure(): Promise<void> {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    await syncFolder(path.dirname(this.folder));
  }

  /** Absolute path of a stored file's bytes. */
  path(key: string): string {
    if (!isFileKey(key)) throw new Error("not the key of a file");
    return path.join(this.folder, key);
  }

  /** Where the bytes of a new file may arrive. */
  newPartialPath(): string {
    return path.join(this.folder, `${randomUUID()}${PARTIAL}`);
  }

  /** Gives a complete and durable partial file its key. `isNew` is false when that was done before. */
  async adopt(partialPath: string): Promise<{ key: string; isNew: boolean }> {
    const key = path.basename(partialPath, PARTIAL);
    const target = this.path(key);
    let isNew = true;
    await rename(partialPath, target).catch((error: unknown) => {
      if (!existsSync(target)) throw error;
      isNew = false;
    });
    await syncFolder(this.folder);
    return { key, isNew };
  }

  async remove(key: string): Promise<void> {
    await rm(this.path(key), { force: true });
  }

  /** Removes partial files and those that `isStored` does not know; returns how many. Only while nothing arrives. */
  async sweep(isStored: (key: string) => boolean): Promise<number> {
    let removed = 0;
    for (const name of await readdir(this.folder)) {
      const key = path.basename(name, PARTIAL);
      // Anything else was put here by someone else.
      if (!isFileKey(key) || (key === name && isStored(key))) continue;
      await rm(path.join(this.folder, name), { force: true });
      removed += 1;
    }
    return removed;
  }
}
