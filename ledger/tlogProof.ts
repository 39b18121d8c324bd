/**
 * Proofs of inclusion in a file (c2sp.org/tlog-proof@v1), to be verified offline: an index, the hashes from the leaf
 * up, and the checkpoint that they lead to, with its signatures. Extension `.tlog-proof`.
 *
 * The format leaves the meaning of its `extra` bytes to the application. Ours hold what the leaf is computed from, so
 * that a file tells what it proves: `receipt.ts` and `logOfLogs.ts` say what they are. They become trustworthy only
 * by verification: a file whose `extra` was changed has another leaf.
 */
import type { Algorithms } from "./algorithms.ts";
import { fromBase64, fromDecimal, toBase64 } from "./bytes.ts";
import { openCheckpoint } from "./checkpoint.ts";
import type { OpenedCheckpoint, PinnedKeys } from "./checkpoint.ts";
import { isTreeSize, verifyInclusion } from "./merkle.ts";
import { accepted, refused } from "./parsed.ts";
import type { Parsed } from "./parsed.ts";
import { parseProofLines, PROOF_LINES_MAX } from "./witnessProtocol.ts";

export const PROOF_HEADER = "c2sp.org/tlog-proof@v1";
const EXTRA = "extra ";
const INDEX = "index ";

/** A reader's bound: an event of the largest size, in base 64 twice, and its proofs. In UTF-16 code units. */
export const PROOF_LENGTH_MAX = 4_194_304;

export interface TlogProof {
  /** At least one byte; what the leaf is computed from. */
  readonly extra: Uint8Array;
  /** The leaf's place in the log, from 0. */
  readonly index: number;
  /** The inclusion proof, 32 bytes each. */
  readonly proof: readonly Uint8Array[];
  /** The checkpoint as it is published, with signatures and cosignatures. */
  readonly checkpoint: string;
}

/** The file's text. Throws a RangeError for an index or a number of hashes that no tree has, or an empty `extra`. */
export function formatTlogProof({ extra, index, proof, checkpoint }: TlogProof): string {
  if (!isTreeSize(index) || proof.length > PROOF_LINES_MAX || extra.length === 0) {
    throw new RangeError(
      `A proof has an index from 0, at most ${PROOF_LINES_MAX} hashes, and what it proves.`,
    );
  }
  const head = [PROOF_HEADER, EXTRA + toBase64(extra), INDEX + String(index)];
  return `${[...head, ...proof.map(toBase64), ""].join("\n")}\n${checkpoint}`;
}

/**
 * Reads a file. Accepts only what `formatTlogProof` writes: `extra`, which the format makes optional, is required, for
 * a proof that does not say what it proves is nobody's receipt. Not verified here: anything.
 */
export function parseTlogProof(text: string): Parsed<TlogProof> {
  if (text.length > PROOF_LENGTH_MAX)
    return refused(`the proof is longer than ${PROOF_LENGTH_MAX} characters`);
  const blank = text.indexOf("\n\n");
  if (blank === -1) return refused("the proof has no blank line before its checkpoint");
  const [header, extraLine = "", indexLine = "", ...lines] = text.slice(0, blank).split("\n");
  if (header !== PROOF_HEADER) return refused(`the first line is not ${PROOF_HEADER}`);
  const extra = extraLine.startsWith(EXTRA) ? fromBase64(extraLine.slice(EXTRA.length)) : undefined;
  if (extra === undefined || extra.length === 0) return refused("the second line is not extra and base 64");
  const index = indexLine.startsWith(INDEX) ? fromDecimal(indexLine.slice(INDEX.length)) : undefined;
  if (index === undefined) return refused("the third line is not index and a decimal");
  const proof = parseProofLines(lines);
  return proof.ok ? accepted({ extra, index, proof: proof.value, checkpoint: text.slice(blank + 2) }) : proof;
}

/**
 * Verifies that a leaf, given by its hash (32 bytes), is in the log at the proof's index: opens the checkpoint against
 * pinned keys, then leads the proof to its root. Not verified here: which origin it is, whether a quorum cosigned.
 */
export function verifyTlogProof(
  proof: TlogProof,
  leafHash: Uint8Array,
  pinned: PinnedKeys,
  algorithms: Algorithms,
): Parsed<OpenedCheckpoint> {
  const opened = openCheckpoint(proof.checkpoint, pinned, algorithms);
  if (!opened.ok) return opened;
  const { size, root } = opened.value.checkpoint;
  const { index } = proof;
  return verifyInclusion({ index, size, root, leafHash, proof: proof.proof }, algorithms.sha256)
    ? opened
    : refused(`the proof does not lead from what it proves, at index ${index}, to the checkpoint's root`);
}
