/**
 * `backup`: a consistent copy of the data folder, encrypted, while the host runs or not.
 *
 * Phases: snapshot by `VACUUM INTO` through a reading connection (one SQLite snapshot, which no writer waits for and
 * which holds up no writer) → check of the snapshot → encryption beside the target, of the snapshot and of the stored
 * files it names → sync → the target's name. While the snapshot lies in the data folder, a running host removes no
 * bytes of a stored file, so every file of the snapshot is there until it has been read.
 */
import { randomBytes } from "node:crypto";
import { closeSync, createReadStream, existsSync, openSync, readFileSync, rmSync, statSync } from "node:fs";
import { link, open, rename, rm } from "node:fs/promises";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { HostError } from "../engine/errors.ts";
import { newSnapshotPath, snapshotsIn } from "../engine/files/backupSnapshots.ts";
import { checkDatabaseFile, DATABASE_FILE } from "../engine/storage/dataFolder.ts";
import { encrypt, FRAME_BYTES_MAX } from "./backupFormat.ts";
import type { BackupSecret } from "./backupKey.ts";
import { ENVIRONMENT_FILE, readEnvironment, SECRETS_FILE, writeManifest } from "./backupManifest.ts";
import { bytesIn, filesOf, type NamedFile } from "./storedBytes.ts";
import { MaintenanceError } from "./maintenanceError.ts";
import type { Progress } from "./progress.ts";

const BUSY_TIMEOUT_MS = 5_000;

export type BackupRequest = { dataDir: string; file: string; overwrite: boolean; secret: BackupSecret };

/** A backup that was killed leaves its snapshot, which is as secret as the database and as large. */
function removeAbandonedSnapshots(dataDir: string): void {
  for (const { path: snapshot, abandoned } of snapshotsIn(dataDir)) if (abandoned) rmSync(snapshot);
}

function takeSnapshot(dataDir: string): string {
  const snapshot = newSnapshotPath(dataDir);
  // SQLite takes an empty file for a new one and keeps its mode.
  closeSync(openSync(snapshot, "wx", 0o600));
  try {
    const database = new DatabaseSync(path.join(dataDir, DATABASE_FILE), {
      readOnly: true,
      timeout: BUSY_TIMEOUT_MS,
    });
    try {
      database.prepare("VACUUM INTO ?").run(snapshot);
    } finally {
      database.close();
    }
    checkDatabaseFile(snapshot);
    return snapshot;
  } catch (error) {
    rmSync(snapshot, { force: true });
    if (error instanceof HostError) throw error;
    throw new MaintenanceError(
      "The database can't be copied. `npm run embedded -- check` says what it has.",
      {
        cause: error,
      },
    );
  }
}

function textOf(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}

async function* contents(dataDir: string, snapshot: string, progress: Progress): AsyncGenerator<Buffer> {
  const databaseBytes = statSync(snapshot).size;
  const files = filesOf(snapshot);
  const totals = { count: files.length, bytes: files.reduce((sum, { size }) => sum + size, 0) };
  const environment = readEnvironment(textOf(path.join(dataDir, ENVIRONMENT_FILE)));
  // The keys of production are the operator's, in the environment: they are in no file and in no backup.
  const developmentSecrets =
    environment === "development" ? textOf(path.join(dataDir, SECRETS_FILE)) : undefined;
  yield writeManifest({
    environment,
    takenAt: Date.now(),
    databaseBytes,
    files: totals,
    ...(developmentSecrets === undefined ? {} : { developmentSecrets }),
  });
  let done = 0;
  for await (const chunk of bytesOfAll(dataDir, snapshot, files)) {
    yield chunk;
    done += chunk.length;
    progress.report(done, databaseBytes + totals.bytes);
  }
}

async function* bytesOfAll(
  dataDir: string,
  snapshot: string,
  files: readonly NamedFile[],
): AsyncGenerator<Buffer> {
  yield* createReadStream(snapshot, { highWaterMark: FRAME_BYTES_MAX }) as AsyncIterable<Buffer>;
  for (const file of files) yield* bytesIn(dataDir, file, FRAME_BYTES_MAX);
}

function refuseExisting(file: string): MaintenanceError {
  return new MaintenanceError(`${file} exists. Choose another name, or overwrite it with --force.`);
}

async function publish(partial: string, { file, overwrite }: BackupRequest): Promise<void> {
  if (overwrite) {
    await rename(partial, file);
    return;
  }
  try {
    // Unlike a rename, this fails when the name was taken meanwhile.
    await link(partial, file);
  } catch (error) {
    throw existsSync(file) ? refuseExisting(file) : error;
  }
  await rm(partial);
}

/** Writes the backup; returns its size. Throws MaintenanceError or HostError, and then leaves no file. */
export async function writeBackup(request: BackupRequest, progress: Progress): Promise<number> {
  const { dataDir, file, overwrite, secret } = request;
  if (!existsSync(path.join(dataDir, DATABASE_FILE))) {
    throw new MaintenanceError(`${dataDir} holds no database. Set DATA_DIR to the host's data folder.`);
  }
  if (existsSync(file) && !overwrite) throw refuseExisting(file);
  removeAbandonedSnapshots(dataDir);
  const snapshot = takeSnapshot(dataDir);
  const partial = `${file}.partial-${randomBytes(6).toString("hex")}`;
  try {
    const target = await open(partial, "wx", 0o600);
    let bytes = 0;
    try {
      for await (const part of encrypt(contents(dataDir, snapshot, progress), secret)) {
        await target.writeFile(part);
        bytes += part.length;
      }
      await target.sync();
    } finally {
      await target.close();
    }
    await publish(partial, request);
    return bytes;
  } finally {
    await rm(partial, { force: true });
    rmSync(snapshot, { force: true });
  }
}
