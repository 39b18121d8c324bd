/** Verification of an export on disk, as a stream. */
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import type { KnownHead } from "../ledger/knownHead.ts";
import { createBundleVerifier } from "../ledger/verifyBundle.ts";
import type { BundleVerdict, BundleVerifier } from "../ledger/verifyBundle.ts";
import type { Verdict } from "../ledger/verify.ts";
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

async function verifyOpened(
  file: FileHandle,
  knownHeads: readonly KnownHead[],
  progress: Progress,
  workers: number | undefined,
): Promise<BundleVerdict> {
  const stat = await file.stat();
  // A pipe can be read once and in order only.
  if (stat.isFile()) {
    const options = { fd: file.fd, size: stat.size, knownHeads, progress };
    const intact = await findIntact(workers === undefined ? options : { ...options, workers });
    if (intact !== undefined) return intact;
  }
  const verifier = createBundleVerifier({ sha256: nodeSha256, knownHeads });
  const start = stat.isFile() ? { start: 0 } : {};
  const chunks = file.createReadStream({ highWaterMark: READ_BYTES, autoClose: false, ...start });
  return await readThrough(verifier, chunks, progress);
}

/**
 * Verifies an export against its own manifest and the heads known from elsewhere, with as many threads as `workers`
 * says, or as the machine and the file suggest. The verdict does not depend on it. Throws `AuditError`.
 */
export async function verifyBundleFile(
  path: string,
  knownHeads: readonly KnownHead[],
  progress: Progress,
  workers?: number,
): Promise<Verdict> {
  const verdict = await verifyPath(path, knownHeads, progress, workers);
  if (verdict.result !== "not a bundle") return verdict;
  throw new AuditError(
    `${path} is not an exported ledger: ${verdict.reason}.`,
    "Name the file that `npm run audit -- export` wrote, unchanged and uncompressed.",
  );
}

async function verifyPath(
  path: string,
  knownHeads: readonly KnownHead[],
  progress: Progress,
  workers: number | undefined,
): Promise<BundleVerdict> {
  try {
    const file = await open(path);
    try {
      return await verifyOpened(file, knownHeads, progress, workers);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw readingFailed(path, error);
  } finally {
    progress.stop();
  }
}
