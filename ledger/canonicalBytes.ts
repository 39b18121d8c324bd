/**
 * One pass over UTF-8 bytes that accepts a value exactly when it is a ledger value (canonicalJson.ts) in its RFC 8785
 * form, without parsing and writing it again.
 *
 * Every function takes the position where its part begins and returns the position behind it, or `NOT_THERE`. Given
 * `NOT_THERE` it returns that, so that a grammar reads as a list of its parts. No function goes past a newline, which
 * no canonical text holds: with one at the end of the bytes, no other bound is needed.
 */
import { LEDGER_DEPTH_MAX } from "./canonicalJson.ts";

export const NOT_THERE = -1;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const SMALL_U = 0x75;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const ASCII_END = 0x80;
const SAFE_DIGITS_MAX = 16;
const COLON = 0x3a;
const LONG_ESCAPE_LENGTH = "\\u0000".length;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The UTF-8 bytes of a text. */
export function bytesOf(text: string): Uint8Array {
  return encoder.encode(text);
}

/** A table from bytes to 1 for those that a pattern of one character matches, and 0 for the others. */
export function byteClass(pattern: RegExp): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) =>
    byte < ASCII_END && pattern.test(String.fromCharCode(byte)) ? 1 : 0,
  );
}

/** What stands in a canonical string as it is, one byte each. */
const PLAIN = byteClass(/[\x20-\x7f]/);
PLAIN[QUOTE] = 0;
PLAIN[BACKSLASH] = 0;
const SHORT_ESCAPED = byteClass(/["\\bfnrt]/);
/** The last digit of `\u000x` and of `\u001x`: \b \t \n \f and \r have shorter escapes. */
const ESCAPED_BELOW_16 = byteClass(/[0-7bef]/);
const ESCAPED_FROM_16 = byteClass(/[0-9a-f]/);

const LONG_ESCAPE = bytesOf("\\u00");
const TRUE = bytesOf("true");
const FALSE = bytesOf("false");
const NULL = bytesOf("null");

/** Whether these bytes stand there. */
export function startsWith(bytes: Uint8Array, at: number, literal: Uint8Array): boolean {
  for (let index = 0; index < literal.length; index += 1) {
    if (bytes[at + index] !== literal[index]) return false;
  }
  return true;
}

/** Exactly these bytes. */
export function skipLiteral(bytes: Uint8Array, at: number, literal: Uint8Array): number {
  return at >= 0 && startsWith(bytes, at, literal) ? at + literal.length : NOT_THERE;
}

/** Exactly `count` bytes of a class. */
export function skipExactly(bytes: Uint8Array, at: number, count: number, table: Uint8Array): number {
  if (at < 0) return NOT_THERE;
  const end = at + count;
  for (let next = at; next < end; next += 1) {
    if (table[bytes[next] ?? 0] !== 1) return NOT_THERE;
  }
  return end;
}

function skipEscape(bytes: Uint8Array, at: number): number {
  const escaped = bytes[at + 1] ?? 0;
  if (escaped !== SMALL_U) return SHORT_ESCAPED[escaped] === 1 ? at + 2 : NOT_THERE;
  if (!startsWith(bytes, at, LONG_ESCAPE)) return NOT_THERE;
  const high = (bytes[at + 4] ?? 0) - ZERO;
  const low = bytes[at + 5] ?? 0;
  const table = high === 0 ? ESCAPED_BELOW_16 : high === 1 ? ESCAPED_FROM_16 : undefined;
  return table?.[low] === 1 ? at + LONG_ESCAPE_LENGTH : NOT_THERE;
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

/** The second byte of these sequences is narrower: no overlong forms, no surrogates, nothing above U+10FFFF. */
function isSecond(lead: number, second: number): boolean {
  if (lead === 0xe0) return second >= 0xa0;
  if (lead === 0xed) return second < 0xa0;
  if (lead === 0xf0) return second >= 0x90;
  if (lead === 0xf4) return second < 0x90;
  return true;
}

/** One character of two to four bytes, by table 3-7 of the Unicode standard. */
function skipMultibyte(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] ?? 0;
  if (lead < 0xc2 || lead > 0xf4) return NOT_THERE;
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  for (let index = 1; index < length; index += 1) {
    if (!isContinuation(bytes[at + index])) return NOT_THERE;
  }
  return isSecond(lead, bytes[at + 1] ?? 0) ? at + length : NOT_THERE;
}

/** A string: only the escapes that RFC 8785 writes, and valid UTF-8. */
export function skipString(bytes: Uint8Array, at: number): number {
  if (at < 0 || bytes[at] !== QUOTE) return NOT_THERE;
  let next = at + 1;
  while (next > 0) {
    const byte = bytes[next] ?? 0;
    if (PLAIN[byte] === 1) next += 1;
    else if (byte === QUOTE) return next + 1;
    else next = byte === BACKSLASH ? skipEscape(bytes, next) : skipMultibyte(bytes, next);
  }
  return NOT_THERE;
}

/** The value of decimal digits, perhaps after a minus sign. */
export function integerValue(bytes: Uint8Array, at: number, end: number): number {
  const isNegative = bytes[at] === MINUS;
  let value = 0;
  for (let next = isNegative ? at + 1 : at; next < end; next += 1) {
    value = value * 10 + ((bytes[next] ?? 0) - ZERO);
  }
  return isNegative ? -value : value;
}

function skipDigits(bytes: Uint8Array, at: number): number {
  let next = at;
  for (let byte = bytes[next] ?? 0; byte >= ZERO && byte <= NINE; byte = bytes[next] ?? 0) next += 1;
  return next;
}

/** An integer in the safe range: no leading zeros, no minus zero, no fraction and no exponent. */
export function skipInteger(bytes: Uint8Array, at: number): number {
  if (at < 0) return NOT_THERE;
  if (bytes[at] === ZERO) return at + 1;
  const first = bytes[at] === MINUS ? at + 1 : at;
  const end = skipDigits(bytes, first);
  const digits = end - first;
  if (digits === 0 || digits > SAFE_DIGITS_MAX || bytes[first] === ZERO) return NOT_THERE;
  // Rounding never leads from above 2^53 to below it, so an unsafe integer stays one.
  if (digits === SAFE_DIGITS_MAX && !Number.isSafeInteger(integerValue(bytes, at, end))) return NOT_THERE;
  return end;
}

function decodeString(bytes: Uint8Array, at: number, end: number): string {
  return String(JSON.parse(decoder.decode(bytes.subarray(at, end))));
}

/**
 * Whether one string sorts before another by UTF-16 code units; both were accepted, quotes included. Bytes of ASCII
 * sort alike; a backslash hides what it stands for, and UTF-8 sorts by code points.
 */
function sortsBefore(bytes: Uint8Array, one: number, oneEnd: number, other: number, otherEnd: number) {
  const length = Math.min(oneEnd - one, otherEnd - other) - 1;
  for (let index = 1; index < length; index += 1) {
    const a = bytes[one + index] ?? 0;
    const b = bytes[other + index] ?? 0;
    if (a >= ASCII_END || b >= ASCII_END || a === BACKSLASH || b === BACKSLASH) {
      return decodeString(bytes, one, oneEnd) < decodeString(bytes, other, otherEnd);
    }
    if (a !== b) return a < b;
  }
  return oneEnd - one < otherEnd - other;
}

/** An object of ledger values, its names sorted and none twice. `depth` containers stand around it. */
export function skipObject(bytes: Uint8Array, at: number, depth: number): number {
  if (at < 0 || bytes[at] !== OPEN_BRACE || depth >= LEDGER_DEPTH_MAX) return NOT_THERE;
  if (bytes[at + 1] === CLOSE_BRACE) return at + 2;
  let previous = NOT_THERE;
  let previousEnd = NOT_THERE;
  let next = at;
  do {
    const name = next + 1;
    const nameEnd = skipString(bytes, name);
    if (nameEnd < 0 || bytes[nameEnd] !== COLON) return NOT_THERE;
    if (previous >= 0 && !sortsBefore(bytes, previous, previousEnd, name, nameEnd)) return NOT_THERE;
    previous = name;
    previousEnd = nameEnd;
    next = skipValue(bytes, nameEnd + 1, depth + 1);
    if (next < 0) return NOT_THERE;
  } while (bytes[next] === COMMA);
  return bytes[next] === CLOSE_BRACE ? next + 1 : NOT_THERE;
}

function skipArray(bytes: Uint8Array, at: number, depth: number): number {
  if (depth >= LEDGER_DEPTH_MAX) return NOT_THERE;
  if (bytes[at + 1] === CLOSE_BRACKET) return at + 2;
  let next = at;
  do {
    next = skipValue(bytes, next + 1, depth + 1);
    if (next < 0) return NOT_THERE;
  } while (bytes[next] === COMMA);
  return bytes[next] === CLOSE_BRACKET ? next + 1 : NOT_THERE;
}

/** Any ledger value. `depth` containers stand around it. */
export function skipValue(bytes: Uint8Array, at: number, depth: number): number {
  if (at < 0) return NOT_THERE;
  switch (bytes[at]) {
    case QUOTE:
      return skipString(bytes, at);
    case OPEN_BRACE:
      return skipObject(bytes, at, depth);
    case OPEN_BRACKET:
      return skipArray(bytes, at, depth);
    case TRUE[0]:
      return skipLiteral(bytes, at, TRUE);
    case FALSE[0]:
      return skipLiteral(bytes, at, FALSE);
    case NULL[0]:
      return skipLiteral(bytes, at, NULL);
    default:
      return skipInteger(bytes, at);
  }
}
