/**
 * Checkpoints (c2sp.org/tlog-checkpoint): the signed heads of a tree. The text of the note is three lines and no
 * more: origin, size, root. Lines of extension, which nobody could audit, are refused.
 */
import type { Algorithms } from "./algorithms.ts";
import { fromDecimal, hashFromBase64, toBase64 } from "./bytes.ts";
import { cosignaturesOf } from "./cosignature.ts";
import type { Cosignature } from "./cosignature.ts";
import type { Ed25519Sign } from "./ed25519.ts";
import { toHex } from "./hash.ts";
import { isTreeSize } from "./merkle.ts";
import { formatOrigin, keysOfOrigin, parseOrigin } from "./origin.ts";
import type { Origin } from "./origin.ts";
import type { SignerKey, VerifierKey } from "./noteKeys.ts";
import { accepted, refused } from "./parsed.ts";
import type { Parsed } from "./parsed.ts";
import { formatNote, parseNote, signNote, verifyNote } from "./signedNote.ts";
import type { SignedNote } from "./signedNote.ts";

/** The root of the tree without leaves, in hexadecimal: SHA-256 of nothing. */
const EMPTY_ROOT = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** What a checkpoint says. */
export interface Checkpoint {
  readonly origin: Origin;
  /** Leaves in the tree. */
  readonly size: number;
  /** 32 bytes. */
  readonly root: Uint8Array;
}

/** A checkpoint whose signatures were verified. */
export interface OpenedCheckpoint {
  readonly checkpoint: Checkpoint;
  readonly note: SignedNote;
  /** The pinned keys that signed it, under the origin's name: at least one. */
  readonly signers: readonly VerifierKey[];
  /** The cosignatures of known witnesses, in the order of the note; none is an answer too. */
  readonly cosignatures: readonly Cosignature[];
}

/** Whom an auditor believes. */
export interface PinnedKeys {
  /** Keys of logs, named after an origin or after a deployment (`keysOfOrigin`). */
  readonly logs: readonly VerifierKey[];
  /** Keys of witnesses, for cosignatures. */
  readonly witnesses: readonly VerifierKey[];
}

/** `<origin>\n<size>\n<base64 root>\n`. Throws a RangeError for a size or root that no tree has. */
export function formatCheckpoint(checkpoint: Checkpoint): string {
  const text = `${formatOrigin(checkpoint.origin)}\n${checkpoint.size}\n${toBase64(checkpoint.root)}\n`;
  if (!isTreeSize(checkpoint.size) || !parseCheckpoint(text).ok) {
    throw new RangeError("A checkpoint has a size from 0 and a root of 32 bytes that a tree of it can have.");
  }
  return text;
}

/** Reads the text of a checkpoint's note. Accepts only what `formatCheckpoint` writes. */
export function parseCheckpoint(text: string): Parsed<Checkpoint> {
  const lines = text.split("\n");
  const [originLine, sizeLine, rootLine, end, ...more] = lines;
  if (originLine === undefined || sizeLine === undefined || rootLine === undefined || end === undefined) {
    return refused("a checkpoint has three lines, each ended by a newline");
  }
  if (end !== "" || more.length > 0) return refused("a checkpoint has no lines of extension");
  const origin = parseOrigin(originLine);
  const size = fromDecimal(sizeLine);
  const root = hashFromBase64(rootLine);
  if (origin === undefined) return refused("the origin is not <deployment>/org/<orgId> or <deployment>/log");
  if (size === undefined)
    return refused("the size is not a decimal from 0 to 2^53 - 1 without leading zeros");
  if (root === undefined) return refused("the root is not 32 bytes in base 64");
  if (size === 0 && toHex(root) !== EMPTY_ROOT) return refused("an empty tree has another root");
  return accepted({ origin, size, root });
}

/**
 * The published form of a checkpoint: the note with the signatures of these keys, at least one, each named after the
 * origin (c2sp.org/tlog-checkpoint asks for it; throws a RangeError otherwise). Signing does not check that the
 * checkpoint agrees with earlier ones: the caller proves that first.
 */
export function signCheckpoint(
  checkpoint: Checkpoint,
  keys: readonly SignerKey[],
  sign: Ed25519Sign,
): string {
  const text = formatCheckpoint(checkpoint);
  const origin = formatOrigin(checkpoint.origin);
  if (keys.length === 0) throw new RangeError("A checkpoint is signed by at least one key.");
  const stranger = keys.find(({ name }) => name !== origin);
  if (stranger !== undefined) throw new RangeError(`The key ${stranger.name} is not named after ${origin}.`);
  return formatNote({ text, signatures: keys.map((key) => signNote(text, key, sign)) });
}

/**
 * Reads a published checkpoint and verifies it against pinned keys. Refused when its form is wrong, no pinned key of
 * its origin signed it, or a signature that claims to be a known log's or witness's is not. Not verified here: that
 * the origin is the wanted one, that enough witnesses cosigned (`logPolicy.ts`), how it stands to other checkpoints.
 */
export function openCheckpoint(
  published: string,
  pinned: PinnedKeys,
  algorithms: Algorithms,
): Parsed<OpenedCheckpoint> {
  const note = parseNote(published);
  if (!note.ok) return note;
  const checkpoint = parseCheckpoint(note.value.text);
  if (!checkpoint.ok) return checkpoint;
  const origin = formatOrigin(checkpoint.value.origin);
  const keys = keysOfOrigin(origin, pinned.logs, algorithms.sha256);
  const signers = verifyNote(note.value, keys, algorithms.verify);
  if (!signers.ok) return signers;
  const cosignatures = cosignaturesOf(note.value, pinned.witnesses, algorithms.verify);
  if (!cosignatures.ok) return cosignatures;
  return accepted({
    checkpoint: checkpoint.value,
    note: note.value,
    signers: signers.value,
    cosignatures: cosignatures.value,
  });
}
