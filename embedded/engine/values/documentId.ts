/**
 * Document ids in Convex's form: lower-case Crockford base32 of varint(table number), 16 random bytes and
 * their Fletcher-16 checksum, little endian.
 */
import { freshBytes } from "./freshBytes.ts";

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const DIGITS = new Map(Array.from(ALPHABET, (character, digit) => [character, digit]));
const RANDOM_BYTES = 16;

function fletcher16(bytes: Uint8Array): number {
  let low = 0;
  let high = 0;
  for (const byte of bytes) {
    low = (low + byte) & 0xff;
    high = (high + low) & 0xff;
  }
  return (high << 8) | low;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
  return bytes;
}

function toBase32(bytes: Uint8Array): string {
  let text = "";
  let buffer = 0;
  let bits = 0;
  for (const byte of bytes) {
    buffer = (buffer << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET.charAt((buffer >> bits) & 31);
      buffer &= (1 << bits) - 1;
    }
  }
  return bits === 0 ? text : text + ALPHABET.charAt((buffer << (5 - bits)) & 31);
}

function fromBase32(text: string): Buffer | null {
  const bytes: number[] = [];
  let buffer = 0;
  let bits = 0;
  for (const character of text) {
    const digit = DIGITS.get(character);
    if (digit === undefined) return null;
    buffer = (buffer << 5) | digit;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((buffer >> bits) & 0xff);
      buffer &= (1 << bits) - 1;
    }
  }
  // Left-over bits that are not zero would make a second spelling of the same id.
  return buffer === 0 ? Buffer.from(bytes) : null;
}

/** Writes the id of the document with these 16 bytes in a table. */
export function encodeDocumentId(tableNumber: number, raw: Uint8Array): string {
  const body = Buffer.concat([Buffer.from(varint(tableNumber)), raw]);
  const checksum = Buffer.alloc(2);
  checksum.writeUInt16LE(fletcher16(body));
  return toBase32(Buffer.concat([body, checksum]));
}

/** Reads an id; null for anything that `encodeDocumentId` does not write. */
export function decodeDocumentId(text: string): { tableNumber: number; raw: Buffer } | null {
  if (text.length < 31 || text.length > 37) return null;
  const bytes = fromBase32(text);
  if (bytes === null) return null;
  let tableNumber = 0;
  let at = 0;
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = bytes[at];
    if (byte === undefined) return null;
    tableNumber += (byte & 0x7f) * 2 ** shift;
    at += 1;
    if (byte < 0x80) break;
  }
  const end = at + RANDOM_BYTES;
  if (bytes.length !== end + 2) return null;
  if (bytes.readUInt16LE(end) !== fletcher16(bytes.subarray(0, end))) return null;
  return { tableNumber, raw: bytes.subarray(at, end) };
}

/** Sixteen fresh bytes from secure randomness, so that ids can't be guessed. */
export function newRawId(): Buffer {
  return freshBytes(RANDOM_BYTES);
}
