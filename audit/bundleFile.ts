/** Verification of an export on disk, as a stream. */
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { auditVerdict } from "../ledger/auditVerdict.ts";
import type { AuditVerdict } from "../ledger/auditVerdict.ts";
import type { Opening } from "../ledger/bundleOpening.ts";
import { wantedSizes } from "../ledger/judgeEvidence.ts";
import type { KnownHead } from "../ledger/knownHead.ts";
import { TreeRoots } from "../ledger/treeRoots.ts";
import type { Trust } from "../ledger/trust.ts";
import { createBundleVerifier } from "../ledger/verifyBundle.ts";
import type { BundleVerdict, BundleVerifier } from "../ledger/verifyBundle.ts";
import type { Verdict } from "../ledger/verify.ts";
import { NODE_ALGORITHMS } from "./algorithms.ts";
import { AuditError, systemErrorCode } from "./auditError.ts";
import { findIntact } from "./intactFile.ts";
import { nodeSha256 } from "./nodeSha256.ts";
import type { Progress } from "./progress.ts";

const READ_BYTES = 256 * 1024;

const NEXT_BY_CODE: Readonly<Record<string, string>> = {
  ENOENT: "Check the path, or make an export with: npm run audit -- export --url URL --out FILE",
  EISDIR: "Name the exported file, not a folder.",
  EACCES: "Ask for permission to read the file.",
};

function readingFailed(file: string, error: unknown): unknown {
  const code = systemErrorCode(error);
  if (code === undefined) return error;
  const next = NEXT_BY_CODE[code] ?? "Check the disk and try again.";
  return new AuditError(`${file} can't be read (${code}).`, next, { cause: error });
}

async function readThrough(
  verifier: BundleVerifier,
  chunks: AsyncIterable<Buffer>,
  progress: Progress,
): Promise<BundleVerdict> {
  for await (const chunk of chunks) {
    verifier.push(chunk);
    if (verifier.isSettled) break;
    progress.report(verifier.count, verifier.manifest?.count ?? 0);
  }
  return verifier.finish();
}

type TreeFor = (opening: Opening) => TreeRoots | undefined;

interface FileOptions {
  readonly knownHeads: readonly KnownHead[];
  readonly progress: Progress;
  readonly workers?: number | undefined;
  readonly treeFor?: TreeFor;
}

async function verifyOpened(file: FileHandle, { workers, ...rest }: FileOptions): Promise<BundleVerdict> {
  const { knownHeads, progress, treeFor } = rest;
  const stat = await file.stat();
  // A pipe can be read once and in order only.
  if (stat.isFile()) {
    const options = { fd: file.fd, size: stat.size, ...rest };
    const intact = await findIntact(workers === undefined ? options : { ...options, workers });
    if (intact !== undefined) return intact;
  }
  const verifier = createBundleVerifier({
    sha256: nodeSha256,
    knownHeads,
    ...(treeFor === undefined ? {} : { treeFor }),
  });
  const start = stat.isFile() ? { start: 0 } : {};
  const chunks = file.createReadStream({ highWaterMark: READ_BYTES, autoClose: false, ...start });
  return await readThrough(verifier, chunks, progress);
}

/**
 * Verifies the chain of an export against its own manifest and the heads known from elsewhere, with as many threads as
 * `workers` says, or as the machine and the file suggest. The verdict does not depend on it. Throws `AuditError`.
 */
export async function verifyBundleFile(
  path: string,
  knownHeads: readonly KnownHead[],
  progress: Progress,
  workers?: number,
): Promise<Verdict> {
  return await verifyPath(path, { knownHeads, progress, workers });
}

/** The same, and the file's evidence and the auditor's own checkpoint held against the events. Throws `AuditError`. */
export async function auditBundleFile(
  path: string,
  trust: Trust,
  options: Omit<FileOptions, "treeFor">,
): Promise<AuditVerdict> {
  let opening: Opening | undefined;
  let roots: TreeRoots | undefined;
  const treeFor: TreeFor = (read) => {
    opening = read;
    const sizes = wantedSizes(read.evidence, trust);
    // A plain ledger without anything to be held against needs no tree.
    roots = sizes.length > 0 || trust.policy !== undefined ? new TreeRoots(sizes, nodeSha256) : undefined;
    return roots;
  };
  const chain = await verifyPath(path, { ...options, treeFor });
  refuseOtherOrganisation(chain, trust);
  const evidence = opening?.evidence;
  return auditVerdict(chain, {
    ...(evidence === undefined ? {} : { evidence }),
    roots,
    trust,
    algorithms: NODE_ALGORITHMS,
  });
}

/** A checkpoint of another ledger is the auditor's mistake and says nothing of this one. */
export function refuseOtherOrganisation({ orgId }: Verdict, { since }: Trust): void {
  const origin = since?.checkpoint.origin;
  if (origin === undefined || orgId === undefined) return;
  if (origin.kind === "organisation" && origin.orgId === orgId) return;
  throw new AuditError("The checkpoint given with --since is of another log.", `Name the one of ${orgId}.`);
}

async function verifyPath(path: string, options: FileOptions): Promise<Verdict> {
  const verdict = await tryPath(path, options);
  if (verdict.result !== "not a bundle") return verdict;
  throw new AuditError(
    `${path} is not an exported ledger: ${verdict.reason}.`,
    "Name the file that `npm run audit -- export` wrote, unchanged and uncompressed.",
  );
}

async function tryPath(path: string, options: FileOptions): Promise<BundleVerdict> {
  try {
    const file = await open(path);
    try {
      return await verifyOpened(file, options);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw readingFailed(path, error);
  } finally {
    options.progress.stop();
  }
}
