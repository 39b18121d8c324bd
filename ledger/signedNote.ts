/**
 * Signed notes (c2sp.org/signed-note): a text, a blank line, and lines of signatures. A note as read proves
 * nothing; `verifyNote` says which known keys signed its text.
 */
import { fromBase64, toBase64, toUtf8 } from "./bytes.ts";
import type { Ed25519Sign, Ed25519Verify } from "./ed25519.ts";
import { toHex } from "./hash.ts";
import { isKeyName } from "./noteKeys.ts";
import type { SignerKey, VerifierKey } from "./noteKeys.ts";
import { accepted, refused } from "./parsed.ts";
import type { Parsed } from "./parsed.ts";

/** What a reader takes at most; the specification asks for 16 signatures. In UTF-16 code units. */
export const NOTE_LENGTH_MAX = 1_048_576;
export const NOTE_SIGNATURES_MAX = 128;

/** One signature line, not verified. */
export interface NoteSignature {
  readonly name: string;
  /** 8 lower-case hexadecimal digits. */
  readonly keyId: string;
  /** What the key made: 64 bytes for a note's key, 72 for a cosignature's (time and signature). */
  readonly signature: Uint8Array;
}

export interface SignedNote {
  /** Ends with a newline; without the blank line and the signatures. What is signed. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

const KEY_ID_BYTES = 4;
const OPENING = "\u2014 ";
const CONTROL_BUT_NEWLINE = /[\0-\x09\x0b-\x1f]/;

/** `— <name> <base64(key id || signature)>` and a newline. */
export function formatSignatureLine(signature: NoteSignature): string {
  const id = Uint8Array.from({ length: KEY_ID_BYTES }, (_, at) =>
    Number.parseInt(signature.keyId.slice(2 * at, 2 * at + 2), 16),
  );
  return `${OPENING}${signature.name} ${toBase64(new Uint8Array([...id, ...signature.signature]))}\n`;
}

/** Reads one line of a signature, without its newline. Not verified here: the signature. */
export function parseSignatureLine(line: string): Parsed<NoteSignature> {
  const space = line.indexOf(" ", OPENING.length);
  if (!line.startsWith(OPENING) || space === -1) return refused("a line is not a signature");
  const name = line.slice(OPENING.length, space);
  if (!isKeyName(name)) return refused("the name in a signature line is not a key's");
  const bytes = fromBase64(line.slice(space + 1));
  if (bytes === undefined) return refused(`the signature of ${name} is not in base 64`);
  if (bytes.length <= KEY_ID_BYTES) return refused(`the signature of ${name} is empty`);
  const keyId = toHex(bytes.subarray(0, KEY_ID_BYTES));
  return accepted({ name, keyId, signature: bytes.subarray(KEY_ID_BYTES) });
}

/** Reads signature lines, each ended by a newline, at least one and nothing else. */
export function parseSignatureLines(text: string): Parsed<NoteSignature[]> {
  if (!text.endsWith("\n")) return refused("the last line of signatures has no newline");
  const lines = text.slice(0, -1).split("\n");
  if (lines.length > NOTE_SIGNATURES_MAX) return refused(`more than ${NOTE_SIGNATURES_MAX} signatures`);
  const signatures: NoteSignature[] = [];
  for (const line of lines) {
    const parsed = parseSignatureLine(line);
    if (!parsed.ok) return parsed;
    signatures.push(parsed.value);
  }
  return accepted(signatures);
}

/** The note as it is published. */
export function formatNote(note: SignedNote): string {
  return `${note.text}\n${note.signatures.map(formatSignatureLine).join("")}`;
}

/** Reads a note. Accepts only what `formatNote` writes. Not verified here: any signature. */
export function parseNote(note: string): Parsed<SignedNote> {
  if (note.length > NOTE_LENGTH_MAX) return refused(`the note is longer than ${NOTE_LENGTH_MAX} characters`);
  if (!note.isWellFormed() || CONTROL_BUT_NEWLINE.test(note)) {
    return refused("the note holds a control character, or is not UTF-8");
  }
  const blank = note.lastIndexOf("\n\n");
  if (blank === -1) return refused("the note has no blank line before its signatures");
  const signatures = parseSignatureLines(note.slice(blank + 2));
  return signatures.ok
    ? accepted({ text: note.slice(0, blank + 1), signatures: signatures.value })
    : signatures;
}

/** Throws a RangeError for a text that no note can have, or a key that is for cosignatures. */
function assertSignable(text: string, key: VerifierKey): void {
  if (key.kind !== "note") throw new RangeError(`The key ${key.name} does not sign notes.`);
  if (!text.endsWith("\n") || CONTROL_BUT_NEWLINE.test(text)) {
    throw new RangeError("A note's text ends with a newline and holds no other control character.");
  }
}

/** The key's signature over a text that ends with a newline (Ed25519, signature type 01). */
export function signNote(text: string, key: SignerKey, sign: Ed25519Sign): NoteSignature {
  assertSignable(text, key);
  return { name: key.name, keyId: key.keyId, signature: sign(toUtf8(text), key.secretKey) };
}

/** The key that a signature claims to be of: the one with its name and its id. */
export function claimedKey(signature: NoteSignature, keys: readonly VerifierKey[]): VerifierKey | undefined {
  return keys.find(({ name, keyId }) => name === signature.name && keyId === signature.keyId);
}

/**
 * The known keys that signed the note, each once. Signatures of unknown keys are ignored, as the specification
 * says. Refused when a signature of a known key is not that key's, and when no known key signed. Only keys that
 * sign notes are looked at: cosignatures are verified by `cosignature.ts`.
 */
export function verifyNote(
  note: SignedNote,
  keys: readonly VerifierKey[],
  verify: Ed25519Verify,
): Parsed<VerifierKey[]> {
  const noteKeys = keys.filter(({ kind }) => kind === "note");
  const message = toUtf8(note.text);
  const signers = new Set<VerifierKey>();
  for (const signature of note.signatures) {
    const key = claimedKey(signature, noteKeys);
    if (key === undefined) continue;
    if (!verify(signature.signature, message, key.publicKey)) {
      return refused(`the signature of ${key.name} (${key.keyId}) is not that key's`);
    }
    signers.add(key);
  }
  return signers.size > 0 ? accepted([...signers]) : refused("no known key signed the note");
}
