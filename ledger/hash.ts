/** The hashes of the chain. The hash function is a parameter: @noble on Convex and in a browser, Node's own in the auditor. */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

/** SHA-256 (FIPS 180-4): any number of bytes in, 32 bytes out. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

/** The same, 32 bytes as 64 lower-case hexadecimal digits: engines answer text faster than bytes. */
export type Sha256Hex = (bytes: Uint8Array) => string;

/** A tag per purpose, so that the bytes of one kind can never be read as another kind. */
export const EVENT_TAG = "daybook-event-v1\n";
const GENESIS_TAG = "daybook-genesis-v1\n";

/** 64 lower-case hexadecimal digits. */
export const HASH_PATTERN = /^[0-9a-f]{64}$/;

const encoder = new TextEncoder();

export const sha256Noble: Sha256 = (bytes) => sha256(bytes);

/** Lower-case hexadecimal, two digits per byte. */
export function toHex(bytes: Uint8Array): string {
  return bytesToHex(bytes);
}

function hashTagged(tag: string, text: string, hash: Sha256): string {
  // The encoder would replace a lone surrogate by U+FFFD, and two texts would share a hash.
  if (!text.isWellFormed()) throw new RangeError("A text with a lone surrogate has no UTF-8 bytes to hash.");
  return toHex(hash(encoder.encode(tag + text)));
}

/**
 * `hex(SHA-256(utf8("daybook-event-v1\n") || utf8(text)))`, `text` being the canonical event, `prevHash`
 * included and `hash` excluded. Does not verify that the text is canonical or is an event.
 */
export function hashCanonicalEvent(text: string, hash: Sha256): string {
  return hashTagged(EVENT_TAG, text, hash);
}

/** The `prevHash` of an organisation's first event: `hex(SHA-256(utf8("daybook-genesis-v1\n" + orgId)))`. */
export function genesisHash(orgId: string, hash: Sha256): string {
  return hashTagged(GENESIS_TAG, orgId, hash);
}
