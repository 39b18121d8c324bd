/**
 * `restore`: a data folder from a backup. Everything is written and verified in a new folder beside the wanted one,
 * which gets its name last: a restore that fails leaves nothing behind.
 */
import { randomBytes } from "node:crypto";
import { createReadStream, existsSync, readdirSync, statSync } from "node:fs";
import { mkdir, open, rename, rm, type FileHandle } from "node:fs/promises";
import path from "node:path";
import { Readable } from "node:stream";
import { FileFolder, syncFolder } from "../engine/files/fileFolder.ts";
import { saveStream } from "../engine/files/saveStream.ts";
import { checkDatabaseFile, DATABASE_FILE } from "../engine/storage/dataFolder.ts";
import { decrypt } from "./backupFormat.ts";
import type { BackupSecret } from "./backupKey.ts";
import { ENVIRONMENT_FILE, readManifest, SECRETS_FILE, type BackupManifest } from "./backupManifest.ts";
import { ByteReader } from "./byteReader.ts";
import { checkDatabase } from "./checkDatabase.ts";
import { MaintenanceError } from "./maintenanceError.ts";
import type { Progress } from "./progress.ts";
import { filesOf, type NamedFile } from "./storedBytes.ts";

export type RestoreRequest = { dataDir: string; file: string; secret: BackupSecret };

function requireEmpty(dataDir: string): void {
  if (!existsSync(dataDir)) return;
  if (statSync(dataDir).isDirectory() && readdirSync(dataDir).length === 0) return;
  throw new MaintenanceError(
    `${dataDir} is not empty, and a restore replaces nothing. Stop the host and move the folder away, ` +
      "or point DATA_DIR to a new one.",
  );
}

async function writeOwnerOnly(file: string, write: (target: FileHandle) => Promise<void>): Promise<void> {
  const target = await open(file, "wx", 0o600);
  try {
    await write(target);
    await target.sync();
  } finally {
    await target.close();
  }
}

async function unpack(request: RestoreRequest, folder: string, progress: Progress): Promise<BackupManifest> {
  const chunks = decrypt(createReadStream(request.file), request.secret);
  const first = await chunks.next();
  const manifest = readManifest(first.done === true ? Buffer.alloc(0) : first.value);
  const reader = new ByteReader(chunks);
  let done = 0;
  const advance = (bytes: number): void => {
    done += bytes;
    progress.report(done, manifest.databaseBytes + (manifest.files?.bytes ?? 0));
  };
  await unpackDatabase(reader, folder, manifest, advance);
  verify(folder);
  await unpackFiles(reader, folder, manifest, advance);
  // Reaching the end is what shows that the backup is complete.
  if ((await reader.take(1)).length > 0) throw wrongSize("it holds more");
  await unpackSettings(folder, manifest);
  return manifest;
}

function wrongSize(finding: string): MaintenanceError {
  return new MaintenanceError(`The backup is damaged: ${finding} than it says. Nothing was restored.`);
}

async function unpackDatabase(
  reader: ByteReader,
  folder: string,
  { databaseBytes }: BackupManifest,
  advance: (bytes: number) => void,
): Promise<void> {
  let bytes = 0;
  await writeOwnerOnly(path.join(folder, DATABASE_FILE), async (target) => {
    for await (const piece of reader.pieces(databaseBytes)) {
      await target.writeFile(piece);
      bytes += piece.length;
      advance(piece.length);
    }
  });
  if (bytes !== databaseBytes) throw wrongSize("the database is shorter");
}

async function unpackFiles(
  reader: ByteReader,
  folder: string,
  { files: totals }: BackupManifest,
  advance: (bytes: number) => void,
): Promise<void> {
  const files = filesOf(path.join(folder, DATABASE_FILE));
  if (files.length !== (totals?.count ?? 0)) throw wrongSize("the database names another number of files");
  const target = new FileFolder(folder);
  await target.ensure();
  for (const file of files) {
    await unpackFile(reader, target, file);
    advance(file.size);
  }
  await syncFolder(target.folder);
}

async function unpackFile(
  reader: ByteReader,
  target: FileFolder,
  { key, fileId, size, sha256 }: NamedFile,
): Promise<void> {
  const saved = await saveStream(Readable.from(reader.pieces(size)), target.path(key), size);
  if (saved.size === size && saved.sha256 === sha256) return;
  throw new MaintenanceError(
    `The backup is damaged: the bytes of the stored file ${fileId} are not what was stored. Nothing was restored.`,
  );
}

async function unpackSettings(
  folder: string,
  { environment, developmentSecrets }: BackupManifest,
): Promise<void> {
  if (environment !== "") {
    await writeOwnerOnly(path.join(folder, ENVIRONMENT_FILE), (target) =>
      target.writeFile(`${environment}\n`),
    );
  }
  if (developmentSecrets !== undefined) {
    await writeOwnerOnly(path.join(folder, SECRETS_FILE), (target) => target.writeFile(developmentSecrets));
  }
}

function verify(folder: string): void {
  const file = path.join(folder, DATABASE_FILE);
  checkDatabaseFile(file);
  const { findings } = checkDatabase(file);
  const [first] = findings;
  if (first === undefined) return;
  throw new MaintenanceError(
    `The backup holds a damaged database (${findings.length} findings; the first: ${first.kind}, ${first.detail}). ` +
      "Nothing was restored.",
  );
}

/** Restores into an empty or missing folder. Throws MaintenanceError or HostError, and then leaves it as it was. */
export async function restoreBackup(request: RestoreRequest, progress: Progress): Promise<BackupManifest> {
  const { dataDir, file } = request;
  requireEmpty(dataDir);
  if (!existsSync(file)) throw new MaintenanceError(`There is no file ${file}.`);
  const folder = `${dataDir}.restore-${randomBytes(6).toString("hex")}`;
  await mkdir(path.dirname(dataDir), { recursive: true });
  await mkdir(folder, { mode: 0o700 });
  try {
    const manifest = await unpack(request, folder, progress);
    await syncFolder(folder);
    // Replaces an empty folder, and fails on one that has got something meanwhile.
    await rename(folder, dataDir);
    await syncFolder(path.dirname(dataDir));
    return manifest;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
