/**
 * The data folder: who may open it, and whether what lies in it is ours and whole.
 *
 * Phases of opening, each before anything is written to the database: make the folder → take the lock → look at
 * the database file without changing it → open it for writing.
 */
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, readSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { HostError } from "../errors.ts";
import { storageProblem } from "./storageErrors.ts";

export const DATABASE_FILE = "daybook.sqlite";
const LOCK_FILE = "lock.sqlite";
const BUSY_TIMEOUT_MS = 5_000;
const READ_CHUNK_BYTES = 1024 * 1024;
const SQLITE_MAGIC = "SQLite format 3\0";
/** Marks a database file as this host's ("DBEH"). */
export const APPLICATION_ID = 0x44424548;
/** Raised with every change of the tables below that an older host can't read. */
export const FORMAT_VERSION = 1;

export type FolderLock = { release: () => void };

/** Only the owner may read the rows: SQLite gives its -wal and -shm files the mode of the database file. */
function ensureOwnerOnlyFile(file: string): void {
  closeSync(openSync(file, "a", 0o600));
  chmodSync(file, 0o600);
}

/** Makes the folder (owner only) where it is missing. */
export function ensureDataFolder(dataDir: string): void {
  if (!existsSync(dataDir)) mkdirSync(dataDir, { recursive: true, mode: 0o700 });
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && /locked|busy/i.test(error.message);
}

/**
 * Holds the folder against a second host. The lock is an open exclusive SQLite transaction, so the operating
 * system drops it when the process dies. Throws HostError DATA_LOCKED.
 */
export function lockDataFolder(dataDir: string): FolderLock {
  const file = path.join(dataDir, LOCK_FILE);
  ensureOwnerOnlyFile(file);
  const database = new DatabaseSync(file, { timeout: 0 });
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (!isBusy(error)) throw error;
    throw new HostError(
      "DATA_LOCKED",
      `Another host is using the data folder ${dataDir}. Stop it, or start this one with another data folder.`,
      { cause: error },
    );
  }
  return {
    release: () => {
      database.close();
    },
  };
}

function corrupt(file: string, finding: string, cause?: unknown): HostError {
  return new HostError(
    "DATA_CORRUPT",
    `The database ${file} is damaged: ${finding}. It was left untouched. ` +
      "Restore a backup of the data folder, or move the folder away to start with an empty one.",
    { cause },
  );
}

/** To SQLite a page that the disk can't read is damage. Throws Node's error of the read then. */
function requireReadable(file: string): void {
  const descriptor = openSync(file, "r");
  try {
    const chunk = Buffer.alloc(READ_CHUNK_BYTES);
    while (readSync(descriptor, chunk) > 0);
  } finally {
    closeSync(descriptor);
  }
}

function hasSqliteHeader(file: string): boolean {
  const descriptor = openSync(file, "r");
  try {
    const header = Buffer.alloc(SQLITE_MAGIC.length);
    const count = readSync(descriptor, header, 0, header.length, 0);
    // SQLite leaves a database without any write at zero bytes.
    return count === 0 || header.toString("latin1") === SQLITE_MAGIC;
  } finally {
    closeSync(descriptor);
  }
}

function pragmaNumber(database: DatabaseSync, name: string): number {
  const row = database.prepare(`PRAGMA ${name}`).get();
  return Number(row?.[name] ?? 0);
}

function inspectDatabase(file: string): void {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    const version = pragmaNumber(database, "user_version");
    if (version > FORMAT_VERSION) {
      throw new HostError(
        "DATA_NEWER",
        `The database ${file} has format ${version}, and this host reads up to ${FORMAT_VERSION}. ` +
          "Start the newer host again, or restore a backup made with this one.",
      );
    }
    const row = database.prepare("PRAGMA quick_check(1)").get();
    const finding = String(row?.["quick_check"] ?? "no answer");
    if (finding !== "ok") throw corrupt(file, finding.replaceAll("\n", " "));
    const objects = database.prepare("SELECT count(*) AS n FROM sqlite_schema").get();
    if (Number(objects?.["n"] ?? 0) > 0 && pragmaNumber(database, "application_id") !== APPLICATION_ID) {
      throw corrupt(file, "it is a database, but not one of this host");
    }
  } finally {
    database.close();
  }
}

/** Refuses a damaged, foreign or newer database without changing it. Throws HostError. */
export function checkDatabaseFile(file: string): void {
  if (!existsSync(file)) return;
  if (!hasSqliteHeader(file)) throw corrupt(file, "it is not a SQLite database");
  try {
    inspectDatabase(file);
  } catch (error) {
    // What the disk does not give up says nothing of what is on it.
    const problem = storageProblem(error);
    if (problem === "unreadable" || problem === "full") throw error;
    requireReadable(file);
    if (error instanceof HostError) throw error;
    throw corrupt(file, error instanceof Error ? error.message : String(error), error);
  }
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS tables (
    number INTEGER PRIMARY KEY, component TEXT NOT NULL, name TEXT NOT NULL, checked_validator TEXT,
    UNIQUE (component, name));
  CREATE TABLE IF NOT EXISTS indexes (
    id INTEGER PRIMARY KEY, table_number INTEGER NOT NULL, name TEXT NOT NULL, fields TEXT NOT NULL,
    UNIQUE (table_number, name));
  CREATE TABLE IF NOT EXISTS documents (
    document INTEGER PRIMARY KEY, table_number INTEGER NOT NULL, id BLOB NOT NULL, value TEXT NOT NULL,
    UNIQUE (table_number, id));
  CREATE TABLE IF NOT EXISTS index_entries (
    index_id INTEGER NOT NULL, key BLOB NOT NULL, document INTEGER NOT NULL,
    PRIMARY KEY (index_id, key)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS session_answers (
    session BLOB NOT NULL, request_id INTEGER NOT NULL, commit_ts INTEGER NOT NULL, sealed BLOB NOT NULL,
    recorded_at_ms INTEGER NOT NULL,
    PRIMARY KEY (session, request_id)) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS session_answers_by_age ON session_answers (recorded_at_ms);
`;

/** Opens the database for writing, after `checkDatabaseFile`: an acknowledged commit survives a power cut. */
export function openDatabase(file: string): DatabaseSync {
  ensureOwnerOnlyFile(file);
  // A backup that reads the file may hold it for a moment.
  const database = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
  try {
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536");
    // The store does it, and sees its errors.
    database.exec("PRAGMA wal_autocheckpoint = 0");
    database.exec(`BEGIN IMMEDIATE; ${SCHEMA}`);
    database.exec(
      `PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT_VERSION}; COMMIT`,
    );
  } catch (error) {
    database.close();
    throw error;
  }
  return database;
}
