/**
 * Export of a running server's ledger to a file, verified as it is written. A damaged ledger is written all the
 * same: the file is the evidence, and gets the same verdict from anyone who verifies it later.
 */
import type { FileHandle } from "node:fs/promises";
import { auditVerdict } from "../ledger/auditVerdict.ts";
import type { AuditVerdict } from "../ledger/auditVerdict.ts";
import { formatEntry, formatManifest } from "../ledger/bundle.ts";
import type { Opening } from "../ledger/bundleOpening.ts";
import { wantedSizes } from "../ledger/judgeEvidence.ts";
import { TreeRoots } from "../ledger/treeRoots.ts";
import type { Trust } from "../ledger/trust.ts";
import { BundleVerifier } from "../ledger/verifyBundle.ts";
import type { Verdict } from "../ledger/verify.ts";
import { NODE_ALGORITHMS } from "./algorithms.ts";
import { AuditError, systemErrorCode } from "./auditError.ts";
import { dropEmpty, finishPartial, openPartial, refuseExisting, takeUp } from "./exportFile.ts";
import type { ExportTarget } from "./exportFile.ts";
import { readEvidenceLines } from "./liveEvidence.ts";
import { beginExport, readHead, readPages } from "./liveLedger.ts";
import type { LiveHead } from "./liveLedger.ts";
import { nodeSha256 } from "./nodeSha256.ts";
import type { Progress } from "./progress.ts";
import type { LiveLedger } from "./server.ts";

/** Verifies the file that is written, as it is written. */
class ExportAudit {
  readonly #trust: Trust;
  readonly verifier: BundleVerifier;
  #opening: Opening | undefined;
  #roots: TreeRoots | undefined;

  constructor(trust: Trust) {
    this.#trust = trust;
    const treeFor = (opening: Opening) => {
      this.#opening = opening;
      this.#roots = new TreeRoots(wantedSizes(opening.evidence, trust), nodeSha256);
      return this.#roots;
    };
    this.verifier = new BundleVerifier({ sha256: nodeSha256, treeFor });
  }

  finish(): AuditVerdict {
    const chain: Verdict | { readonly result: "not a bundle"; readonly reason: string } =
      this.verifier.finish();
    if (chain.result === "not a bundle") throw new Error(`The export has no manifest: ${chain.reason}`);
    const evidence = this.#opening?.evidence;
    return auditVerdict(chain, {
      ...(evidence === undefined ? {} : { evidence }),
      roots: this.#roots,
      trust: this.#trust,
      algorithms: NODE_ALGORITHMS,
    });
  }
}

/** The head that the export covers: the one that its record in the ledger names, or the present one. */
async function headOfExport(ledger: LiveLedger, target: ExportTarget): Promise<LiveHead> {
  const begun = await beginExport(ledger);
  if (!("refused" in begun)) return begun;
  const head = await readHead(ledger);
  target.onUnrecorded(begun.refused);
  return head;
}

interface Writing {
  readonly file: FileHandle;
  readonly audit: ExportAudit;
  position: number;
}

async function writeLines(writing: Writing, lines: readonly string[]): Promise<void> {
  const bytes = new TextEncoder().encode(lines.map((line) => `${line}\n`).join(""));
  writing.audit.verifier.push(bytes);
  await writing.file.write(bytes, 0, bytes.length, writing.position);
  writing.position += bytes.length;
}

/** Writes manifest and evidence in one go, so that an interrupted file has both or is begun again. */
async function begin(writing: Writing, ledger: LiveLedger, target: ExportTarget): Promise<LiveHead> {
  const head = await headOfExport(ledger, target);
  const evidence = target.isPlain ? undefined : await readEvidenceLines(ledger, head);
  const { exportedAt } = target;
  const manifest = { orgId: head.orgId, count: head.seq, headSeq: head.seq, headHash: head.hash, exportedAt };
  const count = evidence === undefined ? {} : { evidence: evidence.length };
  await writeLines(writing, [formatManifest({ ...manifest, ...count }), ...(evidence ?? [])]);
  return head;
}

/** The head of the export that is gone on with; undefined when nothing was written that counts. */
async function goOn(writing: Writing, ledger: LiveLedger): Promise<LiveHead | undefined> {
  const { file, audit } = writing;
  const manifest = await takeUp(file, audit.verifier);
  writing.position = (await file.stat()).size;
  if (manifest === undefined) return undefined;
  const { orgId, headSeq, headHash } = manifest;
  const present = await readHead(ledger);
  if (present.orgId === orgId) return { orgId, seq: headSeq, hash: headHash };
  const next = "Use a token of that organisation, or choose another file.";
  throw new AuditError(`The interrupted export is of ${orgId}, the token of ${present.orgId}.`, next);
}

async function writeLedger(
  file: FileHandle,
  { ledger, target, trust, progress }: ExportTask,
): Promise<AuditVerdict> {
  let writing: Writing = { file, audit: new ExportAudit(trust), position: 0 };
  let head = target.resume ? await goOn(writing, ledger) : undefined;
  if (head === undefined) {
    writing = { file, audit: new ExportAudit(trust), position: 0 };
    head = await begin(writing, ledger, target);
  }
  const { verifier } = writing.audit;
  for await (const entries of readPages(ledger, head, verifier.count)) {
    await writeLines(writing, entries.map(formatEntry));
    progress.report(verifier.count, head.seq);
  }
  await file.sync();
  return writing.audit.finish();
}

export interface ExportTask {
  readonly ledger: LiveLedger;
  readonly target: ExportTarget;
  readonly trust: Trust;
  readonly progress: Progress;
}

/** Writes beside the target and renames when it is whole; goes on with what was interrupted. Throws `AuditError`. */
export async function exportLedger(task: ExportTask): Promise<AuditVerdict> {
  const { target, progress } = task;
  refuseExisting(target);
  try {
    const file = await openPartial(target);
    try {
      const verdict = await writeLedger(file, task);
      await finishPartial(target);
      return verdict;
    } finally {
      progress.stop();
      await dropEmpty(target, file);
      await file.close();
    }
  } catch (error) {
    const code = systemErrorCode(error);
    if (error instanceof AuditError || code === undefined) throw error;
    const next = "Check that the folder exists, is writable and has room.";
    throw new AuditError(`${target.file} can't be written (${code}).`, next, { cause: error });
  }
}
