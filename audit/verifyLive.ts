/** Verification of a running server's ledger, up to the head that it claims. */
import { auditVerdict } from "../ledger/auditVerdict.ts";
import type { AuditVerdict } from "../ledger/auditVerdict.ts";
import { EvidenceReader } from "../ledger/evidenceLines.ts";
import type { BundleEvidence } from "../ledger/evidenceLines.ts";
import { wantedSizes } from "../ledger/judgeEvidence.ts";
import type { KnownHead } from "../ledger/knownHead.ts";
import { TreeRoots } from "../ledger/treeRoots.ts";
import type { Trust } from "../ledger/trust.ts";
import { createVerifier } from "../ledger/verify.ts";
import { NODE_ALGORITHMS } from "./algorithms.ts";
import { AuditError } from "./auditError.ts";
import { refuseOtherOrganisation } from "./bundleFile.ts";
import { readEvidenceLines } from "./liveEvidence.ts";
import { readHead, readPages } from "./liveLedger.ts";
import type { LiveHead } from "./liveLedger.ts";
import { nodeSha256 } from "./nodeSha256.ts";
import type { Progress } from "./progress.ts";
import type { LiveLedger } from "./server.ts";

/** Asked for where the auditor pins keys: without them nobody's checkpoint says anything. */
async function readEvidence(ledger: LiveLedger, head: LiveHead): Promise<BundleEvidence> {
  const reader = new EvidenceReader();
  for (const line of await readEvidenceLines(ledger, head)) {
    const fault = reader.take(line);
    if (fault !== undefined) {
      throw new AuditError(`The server's evidence can't be read: ${fault}.`, "Ask whoever runs the server.");
    }
  }
  return reader.evidence;
}

export async function verifyLive(
  ledger: LiveLedger,
  knownHeads: readonly KnownHead[],
  trust: Trust,
  progress: Progress,
): Promise<AuditVerdict> {
  const head = await readHead(ledger);
  const evidence = trust.policy === undefined ? undefined : await readEvidence(ledger, head);
  const sizes = wantedSizes(evidence ?? { checkpoints: [], anchors: [] }, trust);
  const roots = new TreeRoots(sizes, nodeSha256);
  const verifier = createVerifier({
    orgId: head.orgId,
    sha256: nodeSha256,
    knownHeads: [{ seq: head.seq, hash: head.hash, isLast: true }, ...knownHeads],
  });
  try {
    for await (const entries of readPages(ledger, head)) {
      for (const entry of entries) {
        const before = verifier.count;
        verifier.push(entry);
        if (verifier.count > before) roots.add(entry.hash);
      }
      if (verifier.isSettled) break;
      progress.report(verifier.count, head.seq);
    }
  } finally {
    progress.stop();
  }
  const chain = verifier.finish();
  refuseOtherOrganisation(chain, trust);
  const options = { roots, trust, algorithms: NODE_ALGORITHMS };
  return auditVerdict(chain, evidence === undefined ? options : { ...options, evidence });
}
