/**
 * Export of a running server's ledger to a file, verified as it is written. A damaged ledger is written all the
 * same: the file is the evidence, and gets the same verdict from anyone who verifies it later.
 */
import { existsSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { formatEntry, formatManifest } from "../ledger/bundle.ts";
import { createBundleVerifier } from "../ledger/verifyBundle.ts";
import type { BundleVerifier } from "../ledger/verifyBundle.ts";
import type { Verdict } from "../ledger/verify.ts";
import { AuditError, systemErrorCode } from "./auditError.ts";
import { beginExport, readHead, readPages } from "./liveLedger.ts";
import type { LiveHead, LiveLedger } from "./liveLedger.ts";
import { nodeSha256 } from "./nodeSha256.ts";
import type { Progress } from "./progress.ts";

export interface ExportTarget {
  readonly file: string;
  readonly overwrite: boolean;
  /** Milliseconds since the epoch. */
  readonly exportedAt: number;
  /** Told the code with which the server refused to record the export, which then goes on without a record. */
  readonly onUnrecorded: (code: string) => void;
}

/** A ledger is the organisation's business: nobody else on the machine reads it. */
const OWNER_ONLY = 0o600;

function refuseExisting(target: ExportTarget): void {
  if (target.overwrite || !existsSync(target.file)) return;
  throw new AuditError(`${target.file} exists.`, "Choose another name, or overwrite it with --force.");
}

async function writeLines(
  file: FileHandle,
  verifier: BundleVerifier,
  lines: readonly string[],
): Promise<void> {
  const bytes = new TextEncoder().encode(lines.map((line) => `${line}\n`).join(""));
  verifier.push(bytes);
  await file.writeFile(bytes);
}

async function writeLedger(
  file: FileHandle,
  ledger: LiveLedger,
  head: LiveHead,
  target: ExportTarget,
  progress: Progress,
): Promise<Verdict> {
  const verifier = createBundleVerifier({ sha256: nodeSha256 });
  const manifest = { orgId: head.orgId, count: head.seq, headSeq: head.seq, headHash: head.hash };
  await writeLines(file, verifier, [formatManifest({ ...manifest, exportedAt: target.exportedAt })]);
  for await (const entries of readPages(ledger, head)) {
    await writeLines(file, verifier, entries.map(formatEntry));
    progress.report(verifier.count, head.seq);
  }
  await file.sync();
  const verdict = verifier.finish();
  if (verdict.result === "not a bundle") throw new Error(`The export has no manifest: ${verdict.reason}`);
  return verdict;
}

/** The head that the export covers: the one that its record in the ledger names, or the present one. */
async function headOfExport(ledger: LiveLedger, target: ExportTarget): Promise<LiveHead> {
  const begun = await beginExport(ledger);
  if (!("refused" in begun)) return begun;
  const head = await readHead(ledger);
  target.onUnrecorded(begun.refused);
  return head;
}

/** Writes beside the target and renames, so that a file of that name is always whole. Throws `AuditError`. */
export async function exportLedger(
  ledger: LiveLedger,
  target: ExportTarget,
  progress: Progress,
): Promise<Verdict> {
  refuseExisting(target);
  const head = await headOfExport(ledger, target);
  const partial = `${target.file}.partial-${process.pid}`;
  try {
    const file = await open(partial, "wx", OWNER_ONLY);
    try {
      const verdict = await writeLedger(file, ledger, head, target, progress);
      refuseExisting(target);
      await rename(partial, target.file);
      return verdict;
    } finally {
      progress.stop();
      await file.close();
      await rm(partial, { force: true });
    }
  } catch (error) {
    const code = systemErrorCode(error);
    if (error instanceof AuditError || code === undefined) throw error;
    const next = "Check that the folder exists, is writable and has room.";
    throw new AuditError(`${target.file} can't be written (${code}).`, next, { cause: error });
  }
}
