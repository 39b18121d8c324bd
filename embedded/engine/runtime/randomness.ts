/** `Math.random` of one execution: a ChaCha20 keystream under a random key, so that no caller can predict it. */
import { createCipheriv, type Cipheriv } from "node:crypto";
import { freshBytes } from "../values/freshBytes.ts";

const KEY_BYTES = 32;
const BLOCK = Buffer.alloc(1024);
const TWO_POW_53 = 2 ** 53;

/** One execution's numbers. */
export class RandomStream {
  private readonly parent: RandomStream | null;
  private cipher: Cipheriv | null = null;
  private block = Buffer.alloc(0);
  private at = 0;

  /** A nested call's stream is keyed from its caller's, as on the platform. */
  constructor(parent: RandomStream | null) {
    this.parent = parent;
  }

  /** A double in [0, 1) with 53 random bits. */
  next(): number {
    const bytes = this.take(8);
    return ((bytes.readUInt32LE(0) >>> 11) * 2 ** 32 + bytes.readUInt32LE(4)) / TWO_POW_53;
  }

  private take(count: number): Buffer {
    if (this.at + count > this.block.length) {
      this.cipher ??= createCipheriv("chacha20", this.seed(), Buffer.alloc(16));
      this.block = this.cipher.update(BLOCK);
      this.at = 0;
    }
    this.at += count;
    return this.block.subarray(this.at - count, this.at);
  }

  private seed(): Buffer {
    return this.parent === null ? freshBytes(KEY_BYTES) : this.parent.take(KEY_BYTES);
  }
}
