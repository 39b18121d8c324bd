/** Secure randomness in small portions, fetched in large ones: each fetch costs as much as kilobytes do. */
import { randomBytes } from "node:crypto";

const POOL_BYTES = 4_096;

let pool = Buffer.alloc(0);
let poolAt = 0;

/** `count` bytes that nobody else gets, at most 4096. */
export function freshBytes(count: number): Buffer {
  if (poolAt + count > pool.length) {
    pool = randomBytes(POOL_BYTES);
    poolAt = 0;
  }
  poolAt += count;
  return Buffer.from(pool.subarray(poolAt - count, poolAt));
}
