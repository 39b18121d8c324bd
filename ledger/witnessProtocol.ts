/**
 * The call `add-checkpoint` of the witness protocol (c2sp.org/tlog-witness): the bodies of its request and its
 * answers, and what a witness decides. HTTP itself, and keeping the last checkpoint, are the host's.
 */
import type { Algorithms } from "./algorithms.ts";
import { areEqualBytes, fromDecimal, hashFromBase64, toBase64 } from "./bytes.ts";
import { parseCheckpoint } from "./checkpoint.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { cosignaturesOf } from "./cosignature.ts";
import type { Cosignature } from "./cosignature.ts";
import type { Ed25519Verify } from "./ed25519.ts";
import { isTreeSize, verifyConsistency } from "./merkle.ts";
import type { VerifierKey } from "./noteKeys.ts";
import { formatOrigin, keysOfOrigin, parseOrigin } from "./origin.ts";
import { accepted, refused } from "./parsed.ts";
import type { Parsed } from "./parsed.ts";
import { formatNote, formatSignatureLine, parseNote, parseSignatureLines, verifyNote } from "./signedNote.ts";
import type { NoteSignature, SignedNote } from "./signedNote.ts";

/** The `Content-Type` of a 409 that tells a size. */
export const SIZE_CONTENT_TYPE = "text/x.tlog.size";
/** The specification's own limit. */
export const PROOF_LINES_MAX = 63;

export interface AddCheckpoint {
  /** Leaves in the checkpoint that the witness is thought to have cosigned last; 0 for none. */
  readonly oldSize: number;
  /** The consistency proof from the old size; empty from 0. 32 bytes each. */
  readonly proof: readonly Uint8Array[];
  /** The new checkpoint as it is published, with its signatures. */
  readonly checkpoint: string;
}

/** `old <size>`, the proof's hashes in base 64 line by line, an empty line, the checkpoint. Throws a RangeError. */
export function formatAddCheckpoint(request: AddCheckpoint): string {
  if (!isTreeSize(request.oldSize) || request.proof.length > PROOF_LINES_MAX) {
    throw new RangeError(`A request has a size from 0 and at most ${PROOF_LINES_MAX} hashes.`);
  }
  const lines = [`old ${request.oldSize}`, ...request.proof.map(toBase64), ""];
  return `${lines.join("\n")}\n${request.checkpoint}`;
}

/** Base 64 hashes, one a line, at most 63. */
export function parseProofLines(lines: readonly string[]): Parsed<Uint8Array[]> {
  if (lines.length > PROOF_LINES_MAX) return refused(`a proof has more than ${PROOF_LINES_MAX} hashes`);
  const hashes = lines.map(hashFromBase64).filter((hash) => hash !== undefined);
  return hashes.length === lines.length
    ? accepted(hashes)
    : refused("a line of a proof is not a hash in base 64");
}

/** Reads a request's body. Accepts only what `formatAddCheckpoint` writes. Not verified here: checkpoint and proof. */
export function parseAddCheckpoint(body: string): Parsed<AddCheckpoint> {
  const blank = body.indexOf("\n\n");
  if (blank === -1) return refused("the request has no blank line");
  const [first = "", ...lines] = body.slice(0, blank).split("\n");
  const oldSize = first.startsWith("old ") ? fromDecimal(first.slice("old ".length)) : undefined;
  if (oldSize === undefined) return refused("the request does not begin with the old size");
  const proof = parseProofLines(lines);
  if (!proof.ok) return proof;
  return accepted({ oldSize, proof: proof.value, checkpoint: body.slice(blank + 2) });
}

/** What a witness answers, by HTTP status. */
export type WitnessDecision =
  /** Keep the checkpoint as the last of its origin, in one step with this decision, then cosign `note.text`. */
  | { readonly status: 200; readonly checkpoint: Checkpoint; readonly note: SignedNote }
  /** `size` is that of the checkpoint cosigned last. */
  | { readonly status: 409; readonly size: number }
  /** 400 malformed · 403 no known key signed · 404 unknown log · 422 the proof does not verify. */
  | { readonly status: 400 | 403 | 404 | 422; readonly reason: string };

/**
 * Decides a request against the checkpoint that the witness cosigned last for its origin (undefined for none), in the
 * order of the specification. `logs` are keys named after an origin or a deployment. Checkpoints with extension lines,
 * or of an origin that is none of ours, are malformed.
 */
export function decideAddCheckpoint(
  body: string,
  lastOf: (origin: string) => Checkpoint | undefined,
  logs: readonly VerifierKey[],
  algorithms: Algorithms,
): WitnessDecision {
  const request = parseAddCheckpoint(body);
  if (!request.ok) return { status: 400, reason: request.reason };
  const note = parseNote(request.value.checkpoint);
  if (!note.ok) return { status: 400, reason: note.reason };
  const [originLine = ""] = note.value.text.split("\n", 1);
  const keys = parseOrigin(originLine) === undefined ? [] : keysOfOrigin(originLine, logs, algorithms.sha256);
  if (keys.length === 0) return { status: 404, reason: "the log is unknown" };
  const signers = verifyNote(note.value, keys, algorithms.verify);
  if (!signers.ok) return { status: 403, reason: signers.reason };
  const checkpoint = parseCheckpoint(note.value.text);
  if (!checkpoint.ok) return { status: 400, reason: checkpoint.reason };
  const last = lastOf(formatOrigin(checkpoint.value.origin));
  const fault = findGrowthFault(request.value, checkpoint.value, last, algorithms);
  return fault ?? { status: 200, checkpoint: checkpoint.value, note: note.value };
}

function findGrowthFault(
  request: AddCheckpoint,
  next: Checkpoint,
  last: Checkpoint | undefined,
  { sha256 }: Algorithms,
): Exclude<WitnessDecision, { readonly status: 200 }> | undefined {
  const { oldSize, proof } = request;
  const lastSize = last?.size ?? 0;
  if (oldSize > next.size) return { status: 400, reason: "the old size is above the new one" };
  if (oldSize !== lastSize) return { status: 409, size: lastSize };
  if (last !== undefined && oldSize === next.size && !areEqualBytes(last.root, next.root)) {
    return { status: 409, size: lastSize };
  }
  // From nothing there is nothing to prove, and verifyConsistency refuses the claim.
  const isProven =
    last === undefined || lastSize === 0
      ? proof.length === 0
      : verifyConsistency(
          { oldSize, newSize: next.size, oldRoot: last.root, newRoot: next.root, proof },
          sha256,
        );
  return isProven ? undefined : { status: 422, reason: "the consistency proof does not verify" };
}

/** The body of a 200: the witness's signature lines. */
export function formatCosignatures(signatures: readonly NoteSignature[]): string {
  return signatures.map(formatSignatureLine).join("");
}

/** The body of a 409, to be sent as `SIZE_CONTENT_TYPE`. */
export function formatKnownSize(size: number): string {
  return `${size}\n`;
}

/** What a log learns from a witness's answer. */
export type WitnessAnswer =
  /** Verified cosignatures of known witnesses on the offered checkpoint: at least one. */
  | { readonly kind: "cosigned"; readonly cosignatures: readonly Cosignature[] }
  /** The witness cosigned this size last: prove from there, or, at the same size, find that two trees exist. */
  | { readonly kind: "knows another size"; readonly size: number }
  | { readonly kind: "refused"; readonly status: 400 | 403 | 404 | 422 }
  /** An answer outside of the protocol. */
  | { readonly kind: "unusable"; readonly reason: string };

/**
 * Reads a witness's answer to the offer of a checkpoint (as it was published). Lines of unknown keys are ignored; a
 * line that claims to be a known witness's and is not makes the answer unusable.
 */
export function readWitnessAnswer(
  answer: { readonly status: number; readonly body: string },
  published: string,
  witnesses: readonly VerifierKey[],
  verify: Ed25519Verify,
): WitnessAnswer {
  const { status, body } = answer;
  if (status === 200) return readCosignatures(body, published, witnesses, verify);
  if (status === 409) {
    const size = body.endsWith("\n") ? fromDecimal(body.slice(0, -1)) : undefined;
    return size === undefined
      ? { kind: "unusable", reason: "a conflict without a size" }
      : { kind: "knows another size", size };
  }
  if (status === 400 || status === 403 || status === 404 || status === 422)
    return { kind: "refused", status };
  return { kind: "unusable", reason: `status ${status}` };
}

function readCosignatures(
  body: string,
  published: string,
  witnesses: readonly VerifierKey[],
  verify: Ed25519Verify,
): WitnessAnswer {
  const note = parseNote(published);
  if (!note.ok) throw new RangeError(`What was offered is no checkpoint: ${note.reason}`);
  const signatures = parseSignatureLines(body);
  if (!signatures.ok) return { kind: "unusable", reason: signatures.reason };
  const found = cosignaturesOf({ text: note.value.text, signatures: signatures.value }, witnesses, verify);
  if (!found.ok) return { kind: "unusable", reason: found.reason };
  if (found.value.length === 0) return { kind: "unusable", reason: "no known witness cosigned" };
  return { kind: "cosigned", cosignatures: found.value };
}

/**
 * A published checkpoint with these cosignatures added: the newest of each witness, in the place of the lines that it
 * had. Throws a RangeError when it is no note. The cosignatures must be verified ones of this checkpoint.
 */
export function withCosignatures(published: string, cosignatures: readonly Cosignature[]): string {
  const note = parseNote(published);
  if (!note.ok) throw new RangeError(`Not a checkpoint: ${note.reason}`);
  const isReplaced = (line: NoteSignature) =>
    cosignatures.some(({ signature }) => signature.name === line.name && signature.keyId === line.keyId);
  const newest = cosignatures.filter(
    ({ witness, time }, at) =>
      !cosignatures.some(
        (other, otherAt) =>
          other.witness.keyId === witness.keyId &&
          other.witness.name === witness.name &&
          (other.time > time || (other.time === time && otherAt < at)),
      ),
  );
  const kept = note.value.signatures.filter((line) => !isReplaced(line));
  return formatNote({
    text: note.value.text,
    signatures: [...kept, ...newest.map(({ signature }) => signature)],
  });
}
