/**
 * `restore`: a data folder from a backup. Everything is written and verified in a new folder beside the wanted one,
 * which gets its name last: a restore that fails leaves nothing behind.
 */
import { randomBytes } from "node:crypto";
import { createReadStream, existsSync, readdirSync, statSync } from "node:fs";
import { mkdir, open, rename, rm, type FileHandle } from "node:fs/promises";
import path from "node:path";
import { checkDatabaseFile, DATABASE_FILE } from "../engine/storage/dataFolder.ts";
import { decrypt } from "./backupFormat.ts";
import type { BackupSecret } from "./backupKey.ts";
import { ENVIRONMENT_FILE, readManifest, SECRETS_FILE, type BackupManifest } from "./backupManifest.ts";
import { checkDatabase } from "./checkDatabase.ts";
import { MaintenanceError } from "./maintenanceError.ts";
import type { Progress } from "./progress.ts";

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
  let bytes = 0;
  await writeOwnerOnly(path.join(folder, DATABASE_FILE), async (target) => {
    for await (const chunk of chunks) {
      await target.writeFile(chunk);
      bytes += chunk.length;
      progress.report(bytes, manifest.databaseBytes);
    }
  });
  if (bytes !== manifest.databaseBytes) {
    throw new MaintenanceError("The backup is damaged: the database has another size than it says.");
  }
  const { environment, developmentSecrets } = manifest;
  if (environment !== "") {
    await writeOwnerOnly(path.join(folder, ENVIRONMENT_FILE), (target) =>
      target.writeFile(`${environment}\n`),
    );
  }
  if (developmentSecrets !== undefined) {
    await writeOwnerOnly(path.join(folder, SECRETS_FILE), (target) => target.writeFile(developmentSecrets));
  }
  return manifest;
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

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
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
    verify(folder);
    await syncFolder(folder);
    // Replaces an empty folder, and fails on one that has got something meanwhile.
    await rename(folder, dataDir);
    await syncFolder(path.dirname(dataDir));
    return manifest;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
