/** Verification of a running server's ledger, up to the head that it claims. */
import type { KnownHead } from "../ledger/knownHead.ts";
import { createVerifier } from "../ledger/verify.ts";
import type { Verdict } from "../ledger/verify.ts";
import { readHead, readPages } from "./liveLedger.ts";
import type { LiveLedger } from "./liveLedger.ts";
import { nodeSha256 } from "./nodeSha256.ts";
import type { Progress } from "./progress.ts";

export async function verifyLive(
  ledger: LiveLedger,
  knownHeads: readonly KnownHead[],
  progress: Progress,
): Promise<Verdict> {
  const head = await readHead(ledger);
  const verifier = createVerifier({
    orgId: head.orgId,
    sha256: nodeSha256,
    knownHeads: [{ seq: head.seq, hash: head.hash, isLast: true }, ...knownHeads],
  });
  try {
    for await (const entries of readPages(ledger, head)) {
      for (const entry of entries) verifier.push(entry);
      if (verifier.isSettled) break;
      progress.report(verifier.count, head.seq);
    }
  } finally {
    progress.stop();
  }
  return verifier.finish();
}
