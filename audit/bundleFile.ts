/** Verification of an export on disk, as a stream. */
import { createReadStream } from "node:fs";
import type { KnownHead } from "../ledger/knownHead.ts";
import { createBundleVerifier } from "../ledger/verifyBundle.ts";
import type { Verdict } from "../ledger/verify.ts";
import { AuditError, systemErrorCode } from "./auditError.ts";
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

/** Verifies an export against its own manifest and the heads known from elsewhere. Throws `AuditError`. */
export async function verifyBundleFile(
  file: string,
  knownHeads: readonly KnownHead[],
  progress: Progress,
): Promise<Verdict> {
  const verifier = createBundleVerifier({ sha256: nodeSha256, knownHeads });
  try {
    const chunks: AsyncIterable<Buffer> = createReadStream(file, { highWaterMark: READ_BYTES });
    for await (const chunk of chunks) {
      verifier.push(chunk);
      if (verifier.isSettled) break;
      progress.report(verifier.count, verifier.manifest?.count ?? 0);
    }
  } catch (error) {
    throw readingFailed(file, error);
  } finally {
    progress.stop();
  }
  const verdict = verifier.finish();
  if (verdict.result !== "not a bundle") return verdict;
  throw new AuditError(
    `${file} is not an exported ledger: ${verdict.reason}.`,
    "Name the file that `npm run audit -- export` wrote, unchanged and uncompressed.",
  );
}
