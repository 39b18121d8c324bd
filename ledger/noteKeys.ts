/** The keys of signed notes (c2sp.org/signed-note): their names, ids and texts. Ed25519 alone. */
import { ED25519_KEY_BYTES, publicKeyOf } from "./ed25519.ts";
import { areEqualBytes, fromBase64, toBase64, toUtf8 } from "./bytes.ts";
import { toHex } from "./hash.ts";
import type { Sha256 } from "./hash.ts";
import { accepted, refused } from "./parsed.ts";
import type { Parsed } from "./parsed.ts";

/** What a key signs, by its signature type: 01 the text of a note, 04 a cosignature (c2sp.org/tlog-cosignature). */
export type KeyKind = "note" | "cosignature";

const KIND_BYTES: Readonly<Record<KeyKind, number>> = { note: 0x01, cosignature: 0x04 };

/** Ids of keys are 4 bytes: they tell keys apart and prove nothing. */
const KEY_ID_HEX_PATTERN = /^[0-9a-f]{8}$/;
const KEY_ID_BYTES = 4;
const SIGNER_PREFIX = "PRIVATE+KEY+";

/** The specification sets no limit; ours bounds every line. In UTF-16 code units. */
const NAME_LENGTH_MAX = 255;

/** A public key. `name` and `keyId` together say which key a signature is of. */
export interface VerifierKey {
  readonly name: string;
  /** 8 lower-case hexadecimal digits. */
  readonly keyId: string;
  readonly kind: KeyKind;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
}

/** A key that signs. Its text is a secret. */
export interface SignerKey extends VerifierKey {
  /** 32 bytes: the seed of RFC 8032. */
  readonly secretKey: Uint8Array;
}

/** Whether a text may name a key: not empty, no white space of Unicode, no plus, no control character, UTF-8. */
export function isKeyName(text: string): boolean {
  return (
    text.length > 0 &&
    text.length <= NAME_LENGTH_MAX &&
    text.isWellFormed() &&
    !/[\p{White_Space}\p{Cc}+]/u.test(text)
  );
}

/** `SHA-256(name || 0A || type || public key)`, its first 4 bytes in hexadecimal. */
export function keyIdOf(name: string, kind: KeyKind, publicKey: Uint8Array, sha256: Sha256): string {
  const head = toUtf8(`${name}\n`);
  const bytes = new Uint8Array([...head, KIND_BYTES[kind], ...publicKey]);
  return toHex(sha256(bytes).subarray(0, KEY_ID_BYTES));
}

/** A verifier key of these parts. Throws a RangeError for a bad name or a public key that is not 32 bytes. */
export function verifierKey(name: string, kind: KeyKind, publicKey: Uint8Array, sha256: Sha256): VerifierKey {
  if (!isKeyName(name)) throw new RangeError(`Not a key name: ${JSON.stringify(name)}`);
  if (publicKey.length !== ED25519_KEY_BYTES) throw new RangeError("An Ed25519 public key has 32 bytes.");
  return { name, kind, publicKey, keyId: keyIdOf(name, kind, publicKey, sha256) };
}

/** A signer key of these parts. Throws a RangeError for a bad name or a secret key that is not 32 bytes. */
export function signerKey(name: string, kind: KeyKind, secretKey: Uint8Array, sha256: Sha256): SignerKey {
  if (secretKey.length !== ED25519_KEY_BYTES) throw new RangeError("An Ed25519 secret key has 32 bytes.");
  return { ...verifierKey(name, kind, publicKeyOf(secretKey), sha256), secretKey };
}

function formatKey(key: VerifierKey, bytes: Uint8Array): string {
  return `${key.name}+${key.keyId}+${toBase64(new Uint8Array([KIND_BYTES[key.kind], ...bytes]))}`;
}

/** `<name>+<8 hexadecimal digits>+<base64(type || public key)>`. */
export function formatVerifierKey(key: VerifierKey): string {
  return formatKey(key, key.publicKey);
}

/** `PRIVATE+KEY+<name>+<8 hexadecimal digits>+<base64(type || secret key)>`. A secret. */
export function formatSignerKey(key: SignerKey): string {
  return SIGNER_PREFIX + formatKey(key, key.secretKey);
}

interface KeyParts {
  readonly name: string;
  readonly keyId: string;
  readonly kind: KeyKind;
  readonly bytes: Uint8Array;
}

function parseParts(text: string): Parsed<KeyParts> {
  const firstPlus = text.indexOf("+");
  const secondPlus = text.indexOf("+", firstPlus + 1);
  if (firstPlus === -1 || secondPlus === -1)
    return refused("a key has a name, an id and base 64, joined by +");
  const name = text.slice(0, firstPlus);
  const keyId = text.slice(firstPlus + 1, secondPlus);
  const typed = fromBase64(text.slice(secondPlus + 1));
  if (!isKeyName(name))
    return refused("the key's name is empty, too long, or has a space, a plus or a control");
  if (!KEY_ID_HEX_PATTERN.test(keyId)) return refused("the key's id is not 8 lower-case hexadecimal digits");
  if (typed === undefined) return refused("the key is not in base 64");
  const kind = kindOf(typed[0]);
  if (kind === undefined) return refused("the key's signature type is not 01 or 04 (Ed25519)");
  if (typed.length !== 1 + ED25519_KEY_BYTES) return refused("the key does not have 32 bytes");
  return accepted({ name, keyId, kind, bytes: typed.subarray(1) });
}

function kindOf(byte: number | undefined): KeyKind | undefined {
  if (byte === KIND_BYTES.note) return "note";
  return byte === KIND_BYTES.cosignature ? "cosignature" : undefined;
}

function withCheckedId<Key extends VerifierKey>(key: Key, keyId: string): Parsed<Key> {
  return key.keyId === keyId ? accepted(key) : refused(`the key's id is ${key.keyId}, not ${keyId}`);
}

/** Reads what `formatVerifierKey` writes, and nothing else. */
export function parseVerifierKey(text: string, sha256: Sha256): Parsed<VerifierKey> {
  const parts = parseParts(text);
  if (!parts.ok) return parts;
  const { name, kind, bytes, keyId } = parts.value;
  return withCheckedId(verifierKey(name, kind, bytes, sha256), keyId);
}

/** Reads what `formatSignerKey` writes, and nothing else. The reason of a refusal holds nothing of the secret. */
export function parseSignerKey(text: string, sha256: Sha256): Parsed<SignerKey> {
  if (!text.startsWith(SIGNER_PREFIX)) return refused(`a signer key begins with ${SIGNER_PREFIX}`);
  const parts = parseParts(text.slice(SIGNER_PREFIX.length));
  if (!parts.ok) return parts;
  const { name, kind, bytes, keyId } = parts.value;
  return withCheckedId(signerKey(name, kind, bytes, sha256), keyId);
}

/** Whether two keys are the same key under the same name, for the same kind of signature. */
export function isSameKey(left: VerifierKey, right: VerifierKey): boolean {
  return (
    left.name === right.name && left.kind === right.kind && areEqualBytes(left.publicKey, right.publicKey)
  );
}
