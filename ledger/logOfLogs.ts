/**
 * The log of logs: the organisations' checkpoints are the leaves of one log of the deployment, so that whoever
 * witnesses its root witnesses every organisation.
 *
 * The data of a leaf is 32 bytes, `SHA-256("daybook-log-of-logs-v1\n" || text of the checkpoint's note)`. Who sees the
 * log's leaves, or proofs made of them, learns how many checkpoints there are and in which order they came. To
 * recognise one they must know its organisation's id, size and root: the id has 80 random bits, and a root of one
 * leaf or more depends on events that nobody else has seen. The root of an empty ledger is known to everybody, so a
 * checkpoint of size 0 is no leaf. Who holds a checkpoint, a member or an auditor, can find it in the log.
 */
import type { Algorithms } from "./algorithms.ts";
import { fromUtf8, toUtf8 } from "./bytes.ts";
import { formatCheckpoint, openCheckpoint } from "./checkpoint.ts";
import type { Checkpoint, OpenedCheckpoint, PinnedKeys } from "./checkpoint.ts";
import type { Sha256 } from "./hash.ts";
import { leafHash } from "./merkle.ts";
import { accepted, refused } from "./parsed.ts";
import type { Parsed } from "./parsed.ts";
import { formatTlogProof, parseTlogProof, verifyTlogProof } from "./tlogProof.ts";
import type { TlogProof } from "./tlogProof.ts";

const LEAF_TAG = "daybook-log-of-logs-v1\n";

/** An organisation's checkpoint as found in its deployment's log. */
export interface VerifiedAnchor {
  readonly organisation: OpenedCheckpoint;
  readonly log: OpenedCheckpoint;
  /** The leaf's place in the log of logs, from 0. */
  readonly index: number;
}

/**
 * The data of a checkpoint's leaf: 32 bytes. It does not depend on who signed. Throws a RangeError unless the
 * checkpoint is an organisation's and has at least one leaf.
 */
export function logOfLogsData(checkpoint: Checkpoint, sha256: Sha256): Uint8Array {
  if (checkpoint.origin.kind !== "organisation" || checkpoint.size === 0) {
    throw new RangeError(
      "A leaf of the log of logs is an organisation's checkpoint with at least one event.",
    );
  }
  return sha256(toUtf8(LEAF_TAG + formatCheckpoint(checkpoint)));
}

/** The leaf hash of a checkpoint in the log of logs: `SHA-256(00 || data)`, 32 bytes. Throws as `logOfLogsData`. */
export function logOfLogsLeafHash(checkpoint: Checkpoint, sha256: Sha256): Uint8Array {
  return leafHash(logOfLogsData(checkpoint, sha256), sha256);
}

/** A proof file that an organisation's checkpoint, as published, is in the log of logs: it is the proof's `extra`. */
export function formatAnchor(organisationCheckpoint: string, proof: Omit<TlogProof, "extra">): string {
  return formatTlogProof({ ...proof, extra: toUtf8(organisationCheckpoint) });
}

/** Reads and verifies what `formatAnchor` writes. Not verified here: whether a quorum cosigned. */
export function verifyAnchor(
  text: string,
  pinned: PinnedKeys,
  algorithms: Algorithms,
): Parsed<VerifiedAnchor> {
  const proof = parseTlogProof(text);
  if (!proof.ok) return proof;
  const published = fromUtf8(proof.value.extra);
  if (published === undefined) return refused("the extra bytes are not UTF-8");
  const organisation = openCheckpoint(published, pinned, algorithms);
  if (!organisation.ok) return refused(`the organisation's checkpoint: ${organisation.reason}`);
  const log = verifyInLogOfLogs(organisation.value.checkpoint, proof.value, pinned, algorithms);
  if (!log.ok) return log;
  return accepted({ organisation: organisation.value, log: log.value, index: proof.value.index });
}

/**
 * Verifies that an organisation's checkpoint is in the log of logs of its own deployment. Says nothing of who signed
 * the organisation's checkpoint.
 */
export function verifyInLogOfLogs(
  organisation: Checkpoint,
  proof: TlogProof,
  pinned: PinnedKeys,
  algorithms: Algorithms,
): Parsed<OpenedCheckpoint> {
  if (organisation.origin.kind !== "organisation" || organisation.size === 0) {
    return refused("what is to be found in the log of logs is no organisation's checkpoint with an event");
  }
  const leaf = logOfLogsLeafHash(organisation, algorithms.sha256);
  const log = verifyTlogProof(proof, leaf, pinned, algorithms);
  if (!log.ok) return refused(`the log of logs: ${log.reason}`);
  const { origin } = log.value.checkpoint;
  if (origin.kind !== "log of logs" || origin.deployment !== organisation.origin.deployment) {
    return refused("the checkpoint is not of the log of logs of the organisation's deployment");
  }
  return log;
}
