/** Small files that the auditor writes: never half of one under its name. */
import { rename, rm, writeFile } from "node:fs/promises";
import { AuditError, systemErrorCode } from "./auditError.ts";

const OWNER_ONLY = 0o600;

/** Writes beside the file and renames, so that a file of that name is always whole. Throws `AuditError`. */
export async function writeWhole(file: string, text: string): Promise<void> {
  const partial = `${file}.partial-${process.pid}`;
  try {
    await writeFile(partial, text, { mode: OWNER_ONLY, flag: "wx" });
    await rename(partial, file);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === undefined) throw error;
    const next = "Check that the folder exists, is writable and has room.";
    throw new AuditError(`${file} can't be written (${code}).`, next, { cause: error });
  } finally {
    await rm(partial, { force: true });
  }
}
