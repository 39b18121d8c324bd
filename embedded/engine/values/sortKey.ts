/**
 * Order-preserving bytes of Convex values: comparing two keys byte by byte gives Convex's value order.
 *
 * One tag byte per value, in Convex's type order, then: int64 as its shortest big-endian two's complement with
 * the length in the tag; float64 big endian with the sign bit set, or all bits inverted when negative; strings
 * and bytes with 00 written as 00 FF and ended by 00; arrays and objects as their elements, ended by 00.
 * Every tag is below FF, which is what makes `afterPrefix` exact.
 */
import { PlatformError } from "../errors.ts";
import { specialKeyOf, type Json, type JsonObject } from "./json.ts";

const TAG = {
  undefined: 0x01,
  null: 0x03,
  int64Zero: 0x08,
  float64: 0x0d,
  false: 0x0e,
  true: 0x0f,
  string: 0x10,
  bytes: 0x11,
  array: 0x12,
  object: 0x15,
} as const;

const INT64_MAX = (1n << 63n) - 1n;
const SIGN_BIT = 1n << 63n;
const ALL_BITS = (1n << 64n) - 1n;

/** Keys are built here and copied out: encoding is synchronous and never nests, so one scratch buffer is enough. */
let scratch = Buffer.allocUnsafe(1024);
let length = 0;

function reserve(bytes: number): void {
  if (length + bytes <= scratch.length) return;
  const larger = Buffer.allocUnsafe(Math.max(scratch.length * 2, length + bytes));
  scratch.copy(larger, 0, 0, length);
  scratch = larger;
}

function putByte(byte: number): void {
  reserve(1);
  scratch[length] = byte;
  length += 1;
}

function putEscaped(bytes: Uint8Array): void {
  reserve(bytes.length * 2 + 1);
  for (const byte of bytes) {
    scratch[length] = byte;
    length += 1;
    if (byte === 0) {
      scratch[length] = 0xff;
      length += 1;
    }
  }
  putByte(0);
}

function putString(text: string): void {
  // In UTF-8 every lone surrogate becomes U+FFFD: different strings would have one key.
  if (!text.isWellFormed()) throw new PlatformError("Invalid index key: a string has a lone surrogate");
  if (text.includes("\0")) {
    putEscaped(Buffer.from(text, "utf8"));
    return;
  }
  reserve(text.length * 3 + 1);
  length += scratch.write(text, length, "utf8");
  putByte(0);
}

function putFloat64(value: number): void {
  putByte(TAG.float64);
  reserve(8);
  scratch.writeDoubleBE(value, length);
  putFloat64Bits(scratch.readBigUInt64BE(length));
}

/** Takes bits, not a number, because a NaN's sign and payload take part in the order. */
function putFloat64Bits(bits: bigint): void {
  reserve(8);
  scratch.writeBigUInt64BE(bits >= SIGN_BIT ? ~bits & ALL_BITS : bits | SIGN_BIT, length);
  length += 8;
}

function int64SizeClass(value: bigint): number {
  if (value >= -128n && value < 128n) return 0;
  if (value >= -32_768n && value < 32_768n) return 1;
  return value >= -2_147_483_648n && value < 2_147_483_648n ? 2 : 3;
}

function putInt64(value: bigint): void {
  if (value === 0n) {
    putByte(TAG.int64Zero);
    return;
  }
  const sizeClass = int64SizeClass(value);
  const byteCount = 1 << sizeClass;
  putByte(value < 0n ? TAG.int64Zero - 1 - sizeClass : TAG.int64Zero + 1 + sizeClass);
  reserve(8);
  scratch.writeBigInt64BE(value, length);
  scratch.copyWithin(length, length + 8 - byteCount, length + 8);
  length += byteCount;
}

function putSpecial(key: string, payload: Json | undefined): void {
  const bytes = typeof payload === "string" ? Buffer.from(payload, "base64") : Buffer.alloc(8);
  switch (key) {
    case "$integer":
      putInt64(bytes.readBigInt64LE(0));
      break;
    case "$float":
      putByte(TAG.float64);
      putFloat64Bits(bytes.readBigUInt64LE(0));
      break;
    case "$bytes":
      putByte(TAG.bytes);
      putEscaped(bytes);
      break;
    case "$commitTs":
      // The commit's timestamp is later than every stored one until it is known.
      putInt64(INT64_MAX);
      break;
    default:
      putByte(TAG.undefined);
  }
}

function putObject(value: JsonObject): void {
  const special = specialKeyOf(value);
  if (special !== null) {
    putSpecial(special, value[special]);
    return;
  }
  putByte(TAG.object);
  for (const key of Object.keys(value).sort()) {
    putString(key);
    // An empty key would look like the end of the object.
    if (key === "") putByte(0xff);
    putValue(value[key]);
  }
  putByte(0);
}

function putValue(value: Json | undefined): void {
  switch (typeof value) {
    case "undefined":
      putByte(TAG.undefined);
      break;
    case "boolean":
      putByte(value ? TAG.true : TAG.false);
      break;
    case "number":
      putFloat64(value);
      break;
    case "string":
      putByte(TAG.string);
      putString(value);
      break;
    default:
      if (value === null) putByte(TAG.null);
      else if (Array.isArray(value)) putArray(value);
      else putObject(value);
  }
}

function putArray(value: Json[]): void {
  putByte(TAG.array);
  for (const element of value) putValue(element);
  putByte(0);
}

/** Key of a tuple of values: the keys of its elements one after the other. */
export function sortKey(values: readonly (Json | undefined)[]): Buffer {
  length = 0;
  for (const value of values) putValue(value);
  return Buffer.from(scratch.subarray(0, length));
}

/**
 * Exclusive end of the keys that start with the tuple of `prefix`. Not the byte-wise increment: that would take
 * in "a\0…" for the prefix "a", whose escaped NUL also continues with FF, just above every tag.
 */
export function afterPrefix(prefix: Uint8Array): Buffer {
  return Buffer.concat([prefix, Buffer.of(0xff)]);
}

/** The least key greater than `key`. */
export function successor(key: Uint8Array): Buffer {
  return Buffer.concat([key, Buffer.of(0)]);
}

export const FIRST_KEY: Buffer = Buffer.alloc(0);
/** Above every key, document ids included (they are 16 bytes). */
export const END_KEY: Buffer = Buffer.alloc(17, 0xff);

/** Orders two values as Convex does. */
export function compareValues(left: Json | undefined, right: Json | undefined): number {
  return Buffer.compare(sortKey([left]), sortKey([right]));
}

/** Value at a field path; undefined where the path leaves plain objects. */
export function valueAt(document: JsonObject, path: readonly string[]): Json | undefined {
  let value: Json | undefined = document;
  for (const field of path) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    if (!Object.hasOwn(value, field)) return undefined;
    value = value[field];
  }
  return value;
}
