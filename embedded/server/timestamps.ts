/** Commit timestamps on the wire: unsigned 64 bits, little endian, base64. */
import type { Timestamp } from "../engine/contract.ts";

/** The wire's form of a timestamp. */
export function encodeTimestamp(ts: Timestamp): string {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(ts);
  return bytes.toString("base64");
}

/** Undefined when the text is not exactly eight bytes in base64. */
export function decodeTimestamp(text: string): Timestamp | undefined {
  const bytes = Buffer.from(text, "base64");
  return bytes.byteLength === 8 && bytes.toString("base64") === text ? bytes.readBigUInt64LE() : undefined;
}
