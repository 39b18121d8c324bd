/**
 * What a failing disk means. A full one undoes the commit and the host goes on. Any other failure to read, write or
 * sync leaves open what the disk holds (after a failed sync the kernel may drop what it could not write and report
 * success the next time), so nothing is tried again: the host ends, and its next start recovers from the log.
 */
import { HostError, PlatformError } from "../errors.ts";

/** SQLite's result codes, https://sqlite.org/rescode.html: the low byte is the kind, the rest says more. */
const KIND_MASK = 0xff;
const FULL = 13;
const READ_ONLY = 8;
const IO_ERROR = 10;
const CORRUPT = 11;
const NOT_A_DATABASE = 26;
/** The shared memory file could not grow: nothing was written yet. */
const IO_ERROR_SHMSIZE = IO_ERROR | (19 << 8);

const FAILED_CALL: Readonly<Record<number, string>> = {
  [IO_ERROR | (1 << 8)]: "reading failed",
  [IO_ERROR | (2 << 8)]: "reading failed: the file is shorter than it should be",
  [IO_ERROR | (3 << 8)]: "writing failed",
  [IO_ERROR | (4 << 8)]: "syncing to the disk failed",
  [IO_ERROR | (5 << 8)]: "syncing the folder to the disk failed",
  [IO_ERROR | (6 << 8)]: "cutting a file failed",
};

const FULL_ERRNO = ["ENOSPC", "EDQUOT"];
const FAILED_ERRNO = ["EIO", "EROFS", "EACCES", "EPERM"];

/** The commit was taken back as a whole because there is no room for it. */
export class DiskFull extends PlatformError {
  constructor() {
    super("The host's disk is full: nothing of this call was stored. Send it again when there is room.", {
      visible: true,
    });
  }
}

/** The disk failed under the running engine. What was being committed may be there after the next start, or not. */
export class StorageFailure extends Error {
  override readonly name = "StorageFailure";
}

/** What an error of SQLite says about the disk; null when it is about something else. */
export function storageProblem(error: unknown): "full" | "unreadable" | "damaged" | null {
  const code = sqliteCode(error);
  if (code === null) return null;
  if (code === IO_ERROR_SHMSIZE) return "full";
  switch (code & KIND_MASK) {
    case FULL:
      return "full";
    case IO_ERROR:
    case READ_ONLY:
      return "unreadable";
    case CORRUPT:
    case NOT_A_DATABASE:
      return "damaged";
    default:
      return null;
  }
}

/** The same error in words: which call failed, and SQLite's code. */
export function describeStorageError(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const code = sqliteCode(error);
  if (code === null) return text;
  const call = FAILED_CALL[code];
  return `${call === undefined ? "" : `${call}, `}${text} (SQLite code ${code})`;
}

/** At start: a HostError that says what to do, where the disk is the reason; else the error as it is. */
export function explainedAtStart(error: unknown, dataDir: string): unknown {
  if (error instanceof HostError) return error;
  const cause = error instanceof StorageFailure ? error.cause : error;
  const errno = errnoOf(cause);
  const problem = storageProblem(cause);
  if (cause instanceof DiskFull || problem === "full" || FULL_ERRNO.includes(errno)) {
    return new HostError(
      "STORAGE_FAILED",
      `The disk of the data folder ${dataDir} is full. Nothing is lost: make room and start again.`,
      { cause },
    );
  }
  if (problem === null && !FAILED_ERRNO.includes(errno)) return error;
  return new HostError(
    "STORAGE_FAILED",
    `The data folder ${dataDir} can't be used: ${describeStorageError(cause)}. ` +
      "Look at the system's log and the folder's rights; where the disk is broken, restore a backup on another one.",
    { cause },
  );
}

function sqliteCode(error: unknown): number | null {
  if (!(error instanceof Error) || !("errcode" in error)) return null;
  return typeof error.errcode === "number" ? error.errcode : null;
}

function errnoOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}
