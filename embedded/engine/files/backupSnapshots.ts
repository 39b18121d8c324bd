/**
 * Snapshots of backups in progress. Such a file lies in the data folder from before its backup looks at the database
 * until the backup has read the last stored file; for as long the host keeps the bytes of deleted files.
 */
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import path from "node:path";

const PREFIX = "backup-snapshot-";
const NAME = new RegExp(`^${PREFIX}(\\d+)-`);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** A path for this process's snapshot. */
export function newSnapshotPath(dataDir: string): string {
  return path.join(dataDir, `${PREFIX}${process.pid}-${randomBytes(6).toString("hex")}.sqlite`);
}

/** The snapshots that lie in a data folder; one whose process has ended is abandoned. */
export function snapshotsIn(dataDir: string): { path: string; abandoned: boolean }[] {
  return readdirSync(dataDir).flatMap((name) => {
    const pid = NAME.exec(name)?.[1];
    return pid === undefined ? [] : [{ path: path.join(dataDir, name), abandoned: !isAlive(Number(pid)) }];
  });
}

/** Whether a backup may still read the bytes of files that are deleted by now. */
export function isBackupRunning(dataDir: string): boolean {
  return snapshotsIn(dataDir).some(({ abandoned }) => !abandoned);
}
