/**
 * Receipts: one event, proven to somebody who sees no other event. A receipt is a `.tlog-proof` file, in one of two
 * forms that verify alike:
 *
 * - *direct*: `extra` is the event's canonical text in UTF-8, the log is the organisation's;
 * - *anchored*: `extra` is a direct receipt, the log is the deployment's log of logs, and the leaf is the
 *   organisation's checkpoint in that receipt. So a witness of the log of logs witnesses the event.
 */
import type { Algorithms } from "./algorithms.ts";
import { fromUtf8, toUtf8 } from "./bytes.ts";
import { parseCanonical } from "./canonicalJson.ts";
import type { Checkpoint, OpenedCheckpoint, PinnedKeys } from "./checkpoint.ts";
import { parseEvent } from "./event.ts";
import type { EventEnvelope } from "./event.ts";
import { hashCanonicalEvent } from "./hash.ts";
import type { Sha256 } from "./hash.ts";
import { verifyInLogOfLogs } from "./logOfLogs.ts";
import { describeQuorum, evaluateQuorum, pinnedKeys } from "./logPolicy.ts";
import type { LogPolicy, QuorumVerdict } from "./logPolicy.ts";
import { readCheckpoint } from "./evidenceLines.ts";
import { eventLeafHash, verifyInclusion } from "./merkle.ts";
import { accepted, refused } from "./parsed.ts";
import type { Parsed } from "./parsed.ts";
import { formatTlogProof, parseTlogProof, PROOF_HEADER, verifyTlogProof } from "./tlogProof.ts";
import type { TlogProof } from "./tlogProof.ts";
import { breaksTypeRule } from "./verify.ts";

/** What a sound receipt proves. */
export interface VerifiedReceipt {
  readonly event: EventEnvelope;
  /** The canonical text that was hashed. */
  readonly text: string;
  /** 64 lower-case hexadecimal digits. */
  readonly hash: string;
  /** The organisation's checkpoint that covers the event. */
  readonly organisation: OpenedCheckpoint;
  /** The log of logs' checkpoint that covers the organisation's, in an anchored receipt. */
  readonly log?: OpenedCheckpoint;
  /** Of the organisation's checkpoint or the log's, whichever met the policy. */
  readonly quorum: QuorumVerdict;
}

/** A direct receipt: the event's canonical text, and its proof against a checkpoint of its organisation. */
export function formatReceipt(eventText: string, proof: Omit<TlogProof, "extra">): string {
  return formatTlogProof({ ...proof, extra: toUtf8(eventText) });
}

/** An anchored receipt: a direct one, and the proof of its checkpoint against a checkpoint of the log of logs. */
export function formatAnchoredReceipt(directReceipt: string, proof: Omit<TlogProof, "extra">): string {
  return formatTlogProof({ ...proof, extra: toUtf8(directReceipt) });
}

type DirectReceipt = Omit<VerifiedReceipt, "log" | "quorum">;

function readEvent(extra: string, index: number): Parsed<{ readonly event: EventEnvelope }> {
  const canonical = parseCanonical(extra);
  if (!canonical.ok) return refused(`the event ${canonical.reason}`);
  const parsed = parseEvent(canonical.value);
  if (!parsed.ok) return refused(`the event: ${parsed.reason}`);
  if (parsed.event.seq !== index + 1) {
    return refused(`the event has sequence ${parsed.event.seq}, and index ${index} is that of ${index + 1}`);
  }
  const broken = breaksTypeRule(parsed.event);
  if (broken !== undefined) return refused(`${broken.kind}: ${broken.found}`);
  return accepted({ event: parsed.event });
}

function verifyDirect(
  proof: TlogProof,
  text: string,
  pinned: PinnedKeys,
  algorithms: Algorithms,
): Parsed<DirectReceipt> {
  const read = readEvent(text, proof.index);
  if (!read.ok) return read;
  const { event } = read.value;
  const hash = hashCanonicalEvent(text, algorithms.sha256);
  const opened = verifyTlogProof(proof, eventLeafHash(hash, algorithms.sha256), pinned, algorithms);
  if (!opened.ok) return opened;
  const { origin } = opened.value.checkpoint;
  if (origin.kind !== "organisation" || origin.orgId !== event.orgId) {
    return refused("the checkpoint is not of the event's organisation");
  }
  return accepted({ event, text, hash, organisation: opened.value });
}

/**
 * Reads and verifies a receipt of either form: the event's canonical text, structure, type and source, its sequence, its leaf, the
 * proof, the signatures of the logs and of every known witness that signed, and the policy's quorum on the
 * organisation's checkpoint or on that of the log of logs. Not proven: that the event is true, or the latest.
 */
export function verifyReceipt(
  receipt: string,
  policy: LogPolicy,
  algorithms: Algorithms,
): Parsed<VerifiedReceipt> {
  const outer = parseTlogProof(receipt);
  if (!outer.ok) return outer;
  const extra = fromUtf8(outer.value.extra);
  if (extra === undefined) return refused("the extra bytes are not UTF-8");
  const verified = extra.startsWith(`${PROOF_HEADER}\n`)
    ? verifyAnchored(outer.value, extra, pinnedKeys(policy), algorithms)
    : verifyDirect(outer.value, extra, pinnedKeys(policy), algorithms);
  return verified.ok ? withQuorum(verified.value, policy) : verified;
}

function verifyAnchored(
  outer: TlogProof,
  directReceipt: string,
  pinned: PinnedKeys,
  algorithms: Algorithms,
): Parsed<Omit<VerifiedReceipt, "quorum">> {
  const inner = parseTlogProof(directReceipt);
  if (!inner.ok) return inner;
  const text = fromUtf8(inner.value.extra);
  if (text === undefined) return refused("the extra bytes are not UTF-8");
  const direct = verifyDirect(inner.value, text, pinned, algorithms);
  if (!direct.ok) return direct;
  const log = verifyInLogOfLogs(direct.value.organisation.checkpoint, outer, pinned, algorithms);
  return log.ok ? accepted({ ...direct.value, log: log.value }) : log;
}

function withQuorum(receipt: Omit<VerifiedReceipt, "quorum">, policy: LogPolicy): Parsed<VerifiedReceipt> {
  const checkpoints = [receipt.organisation, ...(receipt.log === undefined ? [] : [receipt.log])];
  const quorum = checkpoints
    .map(({ cosignatures }) => evaluateQuorum(policy, cosignatures))
    .find(({ isMet }) => isMet);
  return quorum === undefined
    ? refused(`no checkpoint of the receipt is cosigned by ${describeQuorum(policy.quorum)}`)
    : accepted({ ...receipt, quorum });
}

/** What a receipt says while nobody's key is known. */
export interface InspectedReceipt {
  readonly event: EventEnvelope;
  /** 64 lower-case hexadecimal digits. */
  readonly hash: string;
  readonly organisation: Checkpoint;
}

/**
 * Reads a receipt of either form and verifies that its event is in the tree of its organisation's checkpoint. Not
 * verified here: any signature, and with it that the checkpoint is anybody's; the place in the log of logs.
 */
export function inspectReceipt(receipt: string, sha256: Sha256): Parsed<InspectedReceipt> {
  const outer = parseTlogProof(receipt);
  if (!outer.ok) return outer;
  const extra = fromUtf8(outer.value.extra);
  if (extra === undefined) return refused("the extra bytes are not UTF-8");
  return extra.startsWith(`${PROOF_HEADER}\n`)
    ? inspectReceiptText(extra, sha256)
    : inspectDirect(outer.value, extra, sha256);
}

function inspectReceiptText(direct: string, sha256: Sha256): Parsed<InspectedReceipt> {
  const inner = parseTlogProof(direct);
  if (!inner.ok) return inner;
  const text = fromUtf8(inner.value.extra);
  return text === undefined
    ? refused("the extra bytes are not UTF-8")
    : inspectDirect(inner.value, text, sha256);
}

function inspectDirect(proof: TlogProof, text: string, sha256: Sha256): Parsed<InspectedReceipt> {
  const read = readEvent(text, proof.index);
  if (!read.ok) return read;
  const { event } = read.value;
  const opened = readCheckpoint(proof.checkpoint);
  if (!opened.ok) return opened;
  const { origin, size, root } = opened.value.checkpoint;
  if (origin.kind !== "organisation" || origin.orgId !== event.orgId) {
    return refused("the checkpoint is not of the event's organisation");
  }
  const hash = hashCanonicalEvent(text, sha256);
  const claim = { index: proof.index, size, root, leafHash: eventLeafHash(hash, sha256), proof: proof.proof };
  return verifyInclusion(claim, sha256)
    ? accepted({ event, hash, organisation: opened.value.checkpoint })
    : refused("the proof does not lead from the event to the checkpoint's root");
}
