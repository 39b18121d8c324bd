/** Encodings of bytes and numbers in the text formats of evidence. Every value has one text, and no other is read. */
import { HASH_PATTERN } from "./hash.ts";
import { hexToBytes } from "@noble/hashes/utils.js";

export const HASH_BYTES = 32;

const BASE64_PATTERN = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const DECIMAL_PATTERN = /^(?:0|[1-9][0-9]{0,15})$/;
/** Arguments of one call: far below what every engine allows. */
const CHARACTERS_AT_ONCE = 8192;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** UTF-8. Throws a RangeError for a lone surrogate, which has no UTF-8 bytes. */
export function toUtf8(text: string): Uint8Array {
  if (!text.isWellFormed()) throw new RangeError("A text with a lone surrogate has no UTF-8 bytes.");
  return encoder.encode(text);
}

/** The text of UTF-8 bytes, a byte order mark kept as a character; undefined when they are not UTF-8. */
export function fromUtf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** Base 64 (RFC 4648 §4), padded, without line breaks. */
export function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (let start = 0; start < bytes.length; start += CHARACTERS_AT_ONCE) {
    binary += String.fromCharCode(...bytes.subarray(start, start + CHARACTERS_AT_ONCE));
  }
  return btoa(binary);
}

/** The bytes of what `toBase64` writes; undefined for anything else, unused bits that are not zero included. */
export function fromBase64(text: string): Uint8Array | undefined {
  if (!BASE64_PATTERN.test(text)) return undefined;
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return toBase64(bytes) === text ? bytes : undefined;
}

/** The 32 bytes of a hash in base 64; undefined for anything else. */
export function hashFromBase64(text: string): Uint8Array | undefined {
  const bytes = fromBase64(text);
  return bytes?.length === HASH_BYTES ? bytes : undefined;
}

/** The 32 bytes of a hash in 64 lower-case hexadecimal digits; undefined for anything else. */
export function hashFromHex(text: string): Uint8Array | undefined {
  return HASH_PATTERN.test(text) ? hexToBytes(text) : undefined;
}

/** An integer from 0 to 2^53 - 1 in ASCII decimal without leading zeros; undefined for anything else. */
export function fromDecimal(text: string): number | undefined {
  const value = DECIMAL_PATTERN.test(text) ? Number(text) : undefined;
  return value !== undefined && Number.isSafeInteger(value) ? value : undefined;
}

/** Whether two byte strings are equal. Not in constant time: everything compared here is public. */
export function areEqualBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}
