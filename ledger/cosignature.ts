/**
 * Cosignatures of witnesses (c2sp.org/tlog-cosignature, Ed25519, signature type 04): "as of this time, the largest
 * consistent tree of this origin that I saw has this root".
 */
import { toUtf8 } from "./bytes.ts";
import { ED25519_SIGNATURE_BYTES } from "./ed25519.ts";
import type { Ed25519Sign, Ed25519Verify } from "./ed25519.ts";
import type { SignerKey, VerifierKey } from "./noteKeys.ts";
import { accepted, refused } from "./parsed.ts";
import type { Parsed } from "./parsed.ts";
import { claimedKey } from "./signedNote.ts";
import type { NoteSignature, SignedNote } from "./signedNote.ts";

const TIME_BYTES = 8;

/** A verified cosignature. */
export interface Cosignature {
  readonly witness: VerifierKey;
  /** Seconds since the epoch, by the witness's clock. */
  readonly time: number;
  /** The line of the note that holds it, as bytes. */
  readonly signature: NoteSignature;
}

/** What a witness signs: `cosignature/v1\ntime <seconds>\n` and the text of the checkpoint's note. */
function cosignedMessage(time: number, text: string): Uint8Array {
  return toUtf8(`cosignature/v1\ntime ${time}\n${text}`);
}

/**
 * A witness's cosignature of a checkpoint, given by the text of its note. `time` is in seconds since the epoch.
 * Throws a RangeError for a key of another kind or a time that is not an integer from 0 to 2^53 - 1.
 */
export function cosign(text: string, time: number, key: SignerKey, sign: Ed25519Sign): NoteSignature {
  if (key.kind !== "cosignature") throw new RangeError(`The key ${key.name} does not cosign.`);
  if (!Number.isSafeInteger(time) || time < 0)
    throw new RangeError("A time is an integer of seconds from 0.");
  const signature = new Uint8Array(TIME_BYTES + ED25519_SIGNATURE_BYTES);
  new DataView(signature.buffer).setBigUint64(0, BigInt(time));
  signature.set(sign(cosignedMessage(time, text), key.secretKey), TIME_BYTES);
  return { name: key.name, keyId: key.keyId, signature };
}

/** The time of a cosignature, not verified; undefined when it has another length or a time above 2^53 - 1. */
function timeOf(signature: Uint8Array): number | undefined {
  if (signature.length !== TIME_BYTES + ED25519_SIGNATURE_BYTES) return undefined;
  const view = new DataView(signature.buffer, signature.byteOffset, TIME_BYTES);
  const time = Number(view.getBigUint64(0));
  return Number.isSafeInteger(time) ? time : undefined;
}

/** Verifies one cosignature of a checkpoint's text by the key that it claims. */
export function verifyCosignature(
  signature: NoteSignature,
  text: string,
  witness: VerifierKey,
  verify: Ed25519Verify,
): Parsed<Cosignature> {
  const time = timeOf(signature.signature);
  const bytes = signature.signature.subarray(TIME_BYTES);
  if (time === undefined || !verify(bytes, cosignedMessage(time, text), witness.publicKey)) {
    return refused(`the cosignature of ${witness.name} (${witness.keyId}) is not that witness's`);
  }
  return accepted({ witness, time, signature });
}

/**
 * The cosignatures of known witnesses on a checkpoint, in the order of its lines; lines of unknown keys are ignored.
 * Refused when a line claims to be a known witness's and is not. Times are not judged: a verifier has no clock.
 */
export function cosignaturesOf(
  note: SignedNote,
  witnesses: readonly VerifierKey[],
  verify: Ed25519Verify,
): Parsed<Cosignature[]> {
  const keys = witnesses.filter(({ kind }) => kind === "cosignature");
  const found: Cosignature[] = [];
  for (const signature of note.signatures) {
    const witness = claimedKey(signature, keys);
    if (witness === undefined) continue;
    const cosignature = verifyCosignature(signature, note.text, witness, verify);
    if (!cosignature.ok) return cosignature;
    found.push(cosignature.value);
  }
  return accepted(found);
}
