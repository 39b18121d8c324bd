/**
 * The Merkle tree of RFC 9162 §2.1 with SHA-256: its hashes, and the verification of its proofs. A hash is 32
 * bytes; a proof is a list of hashes in the order of the RFC, the one nearest to the leaves first.
 */
import { areEqualBytes, HASH_BYTES, hashFromHex } from "./bytes.ts";
import type { Sha256 } from "./hash.ts";

/** Kept apart, so that a leaf can never be read as an inner node (second preimages). */
const LEAF_PREFIX = 0x00;
const NODE_PREFIX = 0x01;

/** `MTH({}) = SHA-256("")` (RFC 9162 §2.1.1): the root of a tree without leaves. */
export function emptyRoot(sha256: Sha256): Uint8Array {
  return sha256(new Uint8Array(0));
}

/** `SHA-256(00 || data)` (RFC 9162 §2.1.1), of any number of bytes. */
export function leafHash(data: Uint8Array, sha256: Sha256): Uint8Array {
  const bytes = new Uint8Array(1 + data.length);
  bytes[0] = LEAF_PREFIX;
  bytes.set(data, 1);
  return sha256(bytes);
}

/**
 * The leaf hash of an event: `SHA-256(00 || the 32 bytes of the event's hash)`. Takes the hash as 64 lower-case
 * hexadecimal digits and throws a RangeError for anything else. Event `seq` is leaf `seq - 1`.
 */
export function eventLeafHash(eventHash: string, sha256: Sha256): Uint8Array {
  const data = hashFromHex(eventHash);
  if (data === undefined) throw new RangeError("An event's hash is 64 lower-case hexadecimal digits.");
  return leafHash(data, sha256);
}

/** `SHA-256(01 || left || right)` (RFC 9162 §2.1.1), both 32 bytes; throws a RangeError for another length. */
export function nodeHash(left: Uint8Array, right: Uint8Array, sha256: Sha256): Uint8Array {
  if (left.length !== HASH_BYTES || right.length !== HASH_BYTES) {
    throw new RangeError(`A node joins two hashes of ${HASH_BYTES} bytes.`);
  }
  const bytes = new Uint8Array(1 + 2 * HASH_BYTES);
  bytes[0] = NODE_PREFIX;
  bytes.set(left, 1);
  bytes.set(right, 1 + HASH_BYTES);
  return sha256(bytes);
}

/** Whether a value is a number of leaves: an integer from 0 to 2^53 - 1. */
export function isTreeSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/**
 * The steps of both verifications, RFC 9162 §2.1.3.2 and §2.1.4.2, are made with arithmetic and not with bit
 * operators: those of JavaScript see 32 bits only.
 */
const half = (value: number): number => Math.floor(value / 2);
const isOdd = (value: number): boolean => value % 2 === 1;

function areHashes(...values: readonly Uint8Array[]): boolean {
  return values.every((value) => value.length === HASH_BYTES);
}

export interface InclusionClaim {
  /** The leaf's place, from 0. */
  readonly index: number;
  /** Leaves in the tree. */
  readonly size: number;
  /** 32 bytes: the leaf's hash, not its data. */
  readonly leafHash: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/**
 * The root that an inclusion proof leads to (RFC 9162 §2.1.3.2); undefined when the proof has not exactly the
 * hashes that a leaf at this index in a tree of this size needs, or something is no hash.
 */
export function rootOfInclusion(claim: InclusionClaim, sha256: Sha256): Uint8Array | undefined {
  const { index, size, proof } = claim;
  if (!isTreeSize(index) || !isTreeSize(size) || index >= size) return undefined;
  if (!areHashes(claim.leafHash, ...proof)) return undefined;
  let fn = index;
  let sn = size - 1;
  let root = claim.leafHash;
  for (const sibling of proof) {
    if (sn === 0) return undefined;
    if (isOdd(fn) || fn === sn) {
      root = nodeHash(sibling, root, sha256);
      while (!isOdd(fn) && fn !== 0) {
        fn = half(fn);
        sn = half(sn);
      }
    } else {
      root = nodeHash(root, sibling, sha256);
    }
    fn = half(fn);
    sn = half(sn);
  }
  return sn === 0 ? root : undefined;
}

/** Whether the proof shows the leaf at this index in the tree of this size and root (RFC 9162 §2.1.3.2). */
export function verifyInclusion(
  claim: InclusionClaim & { readonly root: Uint8Array },
  sha256: Sha256,
): boolean {
  const root = rootOfInclusion(claim, sha256);
  return root !== undefined && areEqualBytes(root, claim.root);
}

export interface ConsistencyClaim {
  /** Leaves in the older tree. */
  readonly oldSize: number;
  /** Leaves in the newer tree. */
  readonly newSize: number;
  readonly oldRoot: Uint8Array;
  readonly newRoot: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/**
 * Whether the proof shows that the newer tree begins with the older one (RFC 9162 §2.1.4.2). Between equal sizes
 * the roots must be equal and the proof empty. An old size of 0 is refused: every tree begins with the empty one,
 * and such a claim proves nothing.
 */
export function verifyConsistency(claim: ConsistencyClaim, sha256: Sha256): boolean {
  const { oldSize, newSize, oldRoot, newRoot, proof } = claim;
  if (!isTreeSize(oldSize) || !isTreeSize(newSize) || oldSize === 0 || oldSize > newSize) return false;
  if (oldSize === newSize) return proof.length === 0 && areEqualBytes(oldRoot, newRoot);
  if (!areHashes(oldRoot, newRoot, ...proof)) return false;
  const roots = rootsOfConsistency(oldSize, newSize, oldRoot, proof, sha256);
  return roots !== undefined && areEqualBytes(roots.old, oldRoot) && areEqualBytes(roots.new, newRoot);
}

/** Both roots that a consistency proof leads to; undefined when it has not exactly the hashes that it needs. */
function rootsOfConsistency(
  oldSize: number,
  newSize: number,
  oldRoot: Uint8Array,
  proof: readonly Uint8Array[],
  sha256: Sha256,
): { readonly old: Uint8Array; readonly new: Uint8Array } | undefined {
  let fn = oldSize - 1;
  let sn = newSize - 1;
  while (isOdd(fn)) {
    fn = half(fn);
    sn = half(sn);
  }
  // When the older tree is perfect its root is itself the first node, and the proof leaves it out.
  const [first, ...rest] = fn === 0 ? [oldRoot, ...proof] : proof;
  if (first === undefined) return undefined;
  let fr = first;
  let sr = first;
  for (const node of rest) {
    if (sn === 0) return undefined;
    if (isOdd(fn) || fn === sn) {
      fr = nodeHash(node, fr, sha256);
      sr = nodeHash(node, sr, sha256);
      while (!isOdd(fn) && fn !== 0) {
        fn = half(fn);
        sn = half(sn);
      }
    } else {
      sr = nodeHash(sr, node, sha256);
    }
    fn = half(fn);
    sn = half(sn);
  }
  return sn === 0 ? { old: fr, new: sr } : undefined;
}
