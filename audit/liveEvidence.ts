/** Reads a running server's evidence: checkpoints, their places in the log of logs, receipts. All of it is a claim. */
import { z } from "zod";
import { hashFromHex } from "../ledger/bytes.ts";
import { formatAnchorLine, formatCheckpointLine } from "../ledger/evidenceLines.ts";
import { HASH_PATTERN } from "../ledger/hash.ts";
import { formatAnchor } from "../ledger/logOfLogs.ts";
import { call } from "./liveLedger.ts";
import type { LiveHead } from "./liveLedger.ts";
import type { LiveLedger } from "./server.ts";

const PAGE_MAX = 200;
/** The newest checkpoints of a ledger that a bundle holds: each one covers all before it. */
const CHECKPOINTS_MAX = 10_000;
/** The newest checkpoints whose places in the log of logs a bundle proves. */
const ANCHORS_MAX = 20;

const size = z.int().min(0);
const checkpointAnswer = z.object({ size, at: z.int().min(0), note: z.string() });
const placeAnswer = z.object({
  index: z.int().min(0),
  hashes: z.array(z.string().regex(HASH_PATTERN)).max(63),
  checkpoint: z.object({ note: z.string() }),
});
const listAnswer = z.object({
  checkpoints: z.array(checkpointAnswer),
  nextAfterSize: size,
  isDone: z.boolean(),
});
const oneAnswer = z.object({ checkpoint: checkpointAnswer, anchor: z.nullable(placeAnswer) });
const proofAnswer = z.object({ receipt: z.string(), anchoredReceipt: z.nullable(z.string()) });

type LiveCheckpoint = z.infer<typeof checkpointAnswer>;

/** The newest checkpoints that lie within the head, by size. */
async function readCheckpoints(ledger: LiveLedger, head: LiveHead): Promise<LiveCheckpoint[]> {
  let found: LiveCheckpoint[] = [];
  for (let afterSize = 0; afterSize < head.seq;) {
    const args = { afterSize, limit: PAGE_MAX };
    const page = await call(ledger, "query", "projections/ledger:checkpoints", args, listAnswer);
    const within = page.checkpoints.filter((checkpoint) => checkpoint.size <= head.seq);
    found = [...found, ...within].slice(-CHECKPOINTS_MAX);
    if (page.isDone || within.length < page.checkpoints.length || page.nextAfterSize <= afterSize) break;
    afterSize = page.nextAfterSize;
  }
  return found;
}

async function readAnchorLine(ledger: LiveLedger, of: LiveCheckpoint): Promise<string | undefined> {
  const path = "projections/ledger:checkpoint";
  const { checkpoint, anchor } = await call(ledger, "query", path, { size: of.size }, oneAnswer);
  if (anchor === null) return undefined;
  const proof = anchor.hashes.map(hashFromHex).filter((hash) => hash !== undefined);
  const place = { index: anchor.index, proof, checkpoint: anchor.checkpoint.note };
  return formatAnchorLine(formatAnchor(checkpoint.note, place));
}

/** The lines of evidence for a bundle that ends at this head, without their newlines. Throws `AuditError`. */
export async function readEvidenceLines(ledger: LiveLedger, head: LiveHead): Promise<string[]> {
  const checkpoints = await readCheckpoints(ledger, head);
  const anchors: string[] = [];
  for (const checkpoint of checkpoints.slice(-ANCHORS_MAX)) {
    const line = await readAnchorLine(ledger, checkpoint);
    if (line !== undefined) anchors.push(line);
  }
  return [...checkpoints.map(({ note, at }) => formatCheckpointLine(note, at)), ...anchors];
}

/** A receipt as the server makes it: through the log of logs when it is there, unless the direct one is wanted. */
export async function readReceipt(
  ledger: LiveLedger,
  of: { readonly seq: number } | { readonly eventId: string },
  isDirect: boolean,
): Promise<string> {
  const answer = await call(ledger, "query", "projections/ledger:inclusionProof", of, proofAnswer);
  return isDirect ? answer.receipt : (answer.anchoredReceipt ?? answer.receipt);
}
