/** RFC 9162 §2.1 word for word: slow, recursive, and written without a look at the product's own tree. */
import { sha256 } from "@noble/hashes/sha2.js";
import { concatBytes, utf8ToBytes } from "@noble/hashes/utils.js";

type Hash = Uint8Array;

/** SHA-256 over the parts, one after the other; a text as UTF-8. */
export const sha256Of = (...parts: readonly (Uint8Array | string)[]): Hash =>
  sha256(concatBytes(...parts.map((part) => (typeof part === "string" ? utf8ToBytes(part) : part))));

/** The data of leaf `index`: 32 bytes that no other leaf has. */
export const leafData = (index: number): Hash => sha256Of(`leaf ${index}`);

export const naiveLeaf = (data: Uint8Array): Hash => sha256Of(Uint8Array.of(0), data);

function split(count: number): number {
  let k = 1;
  while (k * 2 < count) k *= 2;
  return k;
}

/** `MTH(D)` over leaf hashes. */
export function naiveRoot(leaves: readonly Hash[]): Hash {
  const [only] = leaves;
  if (only === undefined) return sha256Of("");
  if (leaves.length === 1) return only;
  const k = split(leaves.length);
  return sha256Of(Uint8Array.of(1), naiveRoot(leaves.slice(0, k)), naiveRoot(leaves.slice(k)));
}

/** `PATH(m, D)`. */
export function naiveInclusion(m: number, leaves: readonly Hash[]): Hash[] {
  if (leaves.length <= 1) return [];
  const k = split(leaves.length);
  return m < k
    ? [...naiveInclusion(m, leaves.slice(0, k)), naiveRoot(leaves.slice(k))]
    : [...naiveInclusion(m - k, leaves.slice(k)), naiveRoot(leaves.slice(0, k))];
}

/** `PROOF(m, D)`. */
export function naiveConsistency(m: number, leaves: readonly Hash[]): Hash[] {
  return subproof(m, leaves, true);
}

function subproof(m: number, leaves: readonly Hash[], isWhole: boolean): Hash[] {
  if (m === leaves.length) return isWhole ? [] : [naiveRoot(leaves)];
  const k = split(leaves.length);
  return m <= k
    ? [...subproof(m, leaves.slice(0, k), isWhole), naiveRoot(leaves.slice(k))]
    : [...subproof(m - k, leaves.slice(k), false), naiveRoot(leaves.slice(0, k))];
}
