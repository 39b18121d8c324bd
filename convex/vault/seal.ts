/**
 * Authenticated encryption of what must not be readable from the database alone: raw bodies, client secrets.
 * XChaCha20-Poly1305 under a key of the deployment that is named by its id, so that keys can be rotated: the first
 * one seals, the others still open. The associated data bind the text to its place (table, row, field) and to the key
 * id, so that a sealed text that is moved elsewhere, or renamed to another key, does not open.
 *
 * A nonce is 24 random bytes and an argument: mutations have no secure randomness, actions do. At that length random
 * nonces never meet under one key.
 */
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import { canonicalize } from "../../ledger/canonicalJson.ts";

export const NONCE_BYTES = 24;

/** A key of 32 bytes, as 64 hex characters. */
export type SealingKey = { readonly keyId: string; readonly key: string };

/** Where a sealed text stands: `{ table, …ids }`. The same fields, with the same values, open it again. */
export type Place = { readonly table: string } & Readonly<Record<string, string>>;

/** What is stored: the key's id, the nonce (24 bytes) and the ciphertext with its 16-byte tag. */
export type Sealed = { keyId: string; nonce: ArrayBuffer; ciphertext: ArrayBuffer };

/** It did not open. Says no more: whether key, place or text is wrong helps nobody but who guesses. */
export class SealError extends Error {
  constructor() {
    super("the sealed text does not open");
    this.name = "SealError";
  }
}

function associatedData(keyId: string, place: Place): Uint8Array {
  return utf8ToBytes(`daybook-seal-v1\n${keyId}\n${canonicalize(place)}`);
}

function exactBuffer(bytes: Uint8Array): ArrayBuffer {
  const copy = new ArrayBuffer(bytes.byteLength);
  new Uint8Array(copy).set(bytes);
  return copy;
}

/** Seals bytes for a place under the first key. Throws when there is no key, or the nonce is not 24 bytes. */
export function seal(
  keys: readonly SealingKey[],
  place: Place,
  plaintext: Uint8Array,
  nonce: Uint8Array,
): Sealed {
  const [current] = keys;
  if (current === undefined) throw new Error("there is no sealing key");
  if (nonce.byteLength !== NONCE_BYTES) throw new Error(`a nonce has ${NONCE_BYTES} bytes`);
  const cipher = xchacha20poly1305(hexToBytes(current.key), nonce, associatedData(current.keyId, place));
  return {
    keyId: current.keyId,
    nonce: exactBuffer(nonce),
    ciphertext: exactBuffer(cipher.encrypt(plaintext)),
  };
}

/** The bytes that were sealed for this place. Throws SealError when the key is gone or anything was changed. */
export function unseal(keys: readonly SealingKey[], place: Place, sealed: Sealed): Uint8Array {
  const entry = keys.find(({ keyId }) => keyId === sealed.keyId);
  if (entry === undefined) throw new SealError();
  try {
    const nonce = new Uint8Array(sealed.nonce);
    const cipher = xchacha20poly1305(hexToBytes(entry.key), nonce, associatedData(sealed.keyId, place));
    return cipher.decrypt(new Uint8Array(sealed.ciphertext));
  } catch {
    throw new SealError();
  }
}
