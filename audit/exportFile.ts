/**
 * The file that an export is written to: beside the target until it is whole, so that a file of that name always is.
 * What was interrupted stays there, to be gone on from.
 */
import { existsSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { LineCutter, parseEntry } from "../ledger/bundle.ts";
import type { Line, Manifest } from "../ledger/bundle.ts";
import { OpeningReader } from "../ledger/bundleOpening.ts";
import type { BundleVerifier } from "../ledger/verifyBundle.ts";
import { AuditError, systemErrorCode } from "./auditError.ts";

/** A ledger is the organisation's business: nobody else on the machine reads it. */
const OWNER_ONLY = 0o600;
const READ_BYTES = 256 * 1024;

export interface ExportTarget {
  readonly file: string;
  readonly overwrite: boolean;
  /** Go on with an export that was interrupted, where there is one. */
  readonly resume: boolean;
  /** Without evidence: `daybook-ledger/1`. */
  readonly isPlain: boolean;
  /** Milliseconds since the epoch. */
  readonly exportedAt: number;
  /** Told the code with which the server refused to record the export, which then goes on without a record. */
  readonly onUnrecorded: (code: string) => void;
}

export function partialOf({ file }: ExportTarget): string {
  return `${file}.partial`;
}

export function refuseExisting(target: ExportTarget): void {
  if (target.overwrite || !existsSync(target.file)) return;
  throw new AuditError(`${target.file} exists.`, "Choose another name, or overwrite it with --force.");
}

/** Opens the file to write: new, or the one that was interrupted. */
export async function openPartial(target: ExportTarget): Promise<FileHandle> {
  const partial = partialOf(target);
  if (target.resume && existsSync(partial)) return await open(partial, "r+");
  if (target.overwrite) await rm(partial, { force: true });
  try {
    return await open(partial, "wx+", OWNER_ONLY);
  } catch (error) {
    if (systemErrorCode(error) !== "EEXIST") throw error;
    const next = "Go on with it with --resume, or begin again with --force.";
    throw new AuditError(`${partial} is left of an export that was interrupted.`, next, { cause: error });
  }
}

/** Renames the whole file to its target. */
export async function finishPartial(target: ExportTarget): Promise<void> {
  refuseExisting(target);
  await rename(partialOf(target), target.file);
}

/** Removes a file to which nothing was written yet. */
export async function dropEmpty(target: ExportTarget, file: FileHandle): Promise<void> {
  if ((await file.stat()).size === 0) await rm(partialOf(target), { force: true });
}

/** Reads the complete lines from the beginning, with the position behind each. */
async function* completeLines(file: FileHandle): AsyncGenerator<{ line: Line; end: number }, void> {
  const cutter = new LineCutter();
  let end = 0;
  let position = 0;
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(READ_BYTES), 0, READ_BYTES, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    for (const line of cutter.push(buffer.subarray(0, bytesRead))) {
      if (line.kind === "line") end += Buffer.byteLength(line.text) + 1;
      yield { line, end };
    }
  }
}

/**
 * Verifies what an interrupted export wrote, cuts off its unfinished last line, and leaves the file at its end. Answers
 * its manifest, and undefined when not even what stands before the first event is whole: then it is emptied. The verifier
 * has seen all of it. Throws `AuditError` when it is damaged.
 */
export async function takeUp(file: FileHandle, verifier: BundleVerifier): Promise<Manifest | undefined> {
  const reader = new OpeningReader();
  let isOpen = false;
  let kept = 0;
  const encoder = new TextEncoder();
  for await (const { line, end } of completeLines(file)) {
    if (line.kind !== "line" || (isOpen && !parseEntry(line.text).ok))
      throw damaged("a line is not readable");
    if (!isOpen) isOpen = reader.take(line).kind === "done";
    verifier.push(encoder.encode(`${line.text}\n`));
    if (verifier.isSettled) throw damaged(`sequence ${verifier.count + 1} is not sound`);
    kept = end;
  }
  const manifest = isOpen ? reader.manifest : undefined;
  await file.truncate(manifest === undefined ? 0 : kept);
  return manifest;
}

function damaged(reason: string): AuditError {
  const next = "Begin again with --force: the server's ledger is read anew.";
  return new AuditError(`The interrupted export is damaged: ${reason}.`, next);
}
