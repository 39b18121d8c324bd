/** The bytes of stored files, as maintenance reads them beside a database. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { FileFolder, isFileKey } from "../engine/files/fileFolder.ts";
import { storedFiles, type FileRecord } from "../engine/files/fileTables.ts";
import { Store } from "../engine/storage/store.ts";
import { MaintenanceError } from "./maintenanceError.ts";

export type NamedFile = Pick<FileRecord, "key" | "fileId" | "size" | "sha256">;

/** The stored files that a database names, in the order in which a backup holds them. Throws MaintenanceError. */
export function filesOf(database: string): NamedFile[] {
  const store = new Store(new DatabaseSync(database, { readOnly: true }));
  try {
    const files = [...storedFiles(store)].sort((left, right) => (left.key < right.key ? -1 : 1));
    const bad = files.find(({ key, size }) => !isFileKey(key) || !Number.isSafeInteger(size) || size < 0);
    if (bad !== undefined) throw new MaintenanceError(`The row of the stored file ${bad.fileId} is damaged.`);
    return files;
  } finally {
    store.close();
  }
}

/** What is wrong with the bytes of a stored file, or null. */
export async function bytesProblem(dataDir: string, file: NamedFile): Promise<"missing" | "damaged" | null> {
  const hash = createHash("sha256");
  let size = 0;
  try {
    for await (const chunk of createReadStream(new FileFolder(dataDir).path(file.key))) {
      hash.update(chunk as Buffer);
      size += (chunk as Buffer).length;
    }
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "missing";
    throw error;
  }
  return size === file.size && hash.digest("base64") === file.sha256 ? null : "damaged";
}

/** The bytes of a stored file. Throws MaintenanceError, at the latest after the last, when they are not what was stored. */
export async function* bytesIn(
  dataDir: string,
  { key, fileId, size, sha256 }: NamedFile,
  chunkBytes: number,
): AsyncGenerator<Buffer> {
  const hash = createHash("sha256");
  let bytes = 0;
  try {
    const chunks = createReadStream(new FileFolder(dataDir).path(key), { highWaterMark: chunkBytes });
    for await (const chunk of chunks as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.length;
      if (bytes > size) break;
      yield chunk;
    }
  } catch (error) {
    throw damagedBytes(fileId, error);
  }
  if (bytes !== size || hash.digest("base64") !== sha256) throw damagedBytes(fileId);
}

function damagedBytes(fileId: string, cause?: unknown): MaintenanceError {
  return new MaintenanceError(
    `The bytes of the stored file ${fileId} are missing or damaged. \`npm run embedded -- check\` names every such ` +
      "file; put its bytes back from an older backup, or let the app delete it.",
    { cause },
  );
}
