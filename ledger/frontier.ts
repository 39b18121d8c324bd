/**
 * A tree as its frontier: the roots of the perfect subtrees that its leaves fall into, from left to right, the
 * largest first. One per set bit of the size (20 at most at a million leaves), so a row can hold it, and it is all
 * that appending and the root need.
 */
import { hashFromHex } from "./bytes.ts";
import { toHex } from "./hash.ts";
import type { Sha256 } from "./hash.ts";
import { emptyRoot, isTreeSize, nodeHash } from "./merkle.ts";
import { accepted, refused } from "./parsed.ts";
import type { Parsed } from "./parsed.ts";

export interface Frontier {
  /** Leaves in the tree. */
  readonly size: number;
  /** 32 bytes each. */
  readonly roots: readonly Uint8Array[];
}

/** What a row stores of a frontier: each root as 64 lower-case hexadecimal digits. */
export interface StoredFrontier {
  readonly size: number;
  readonly frontier: readonly string[];
}

/**
 * The root of a perfect subtree: the one over the leaves from `index * 2^level` to `(index + 1) * 2^level - 1`.
 * At level 0 it is a leaf hash.
 */
export interface NodeId {
  readonly level: number;
  readonly index: number;
}

export interface TreeNode extends NodeId {
  readonly hash: Uint8Array;
}

export interface Appended {
  readonly frontier: Frontier;
  /**
   * The perfect subtrees that this leaf completes, by ascending level: the leaf itself, and one more for every
   * trailing zero bit of the new size. Each node of a tree is completed once, so keeping all of them keeps each once.
   */
  readonly completed: readonly TreeNode[];
}

export const EMPTY_FRONTIER: Frontier = { size: 0, roots: [] };

/**
 * The tree with one more leaf, given by its leaf hash (32 bytes). Hashes once per completed inner node: less than
 * once per append on average, and at most log2 of the size.
 */
export function appendLeaf(frontier: Frontier, leaf: Uint8Array, sha256: Sha256): Appended {
  const roots = [...frontier.roots];
  const completed: TreeNode[] = [{ level: 0, index: frontier.size, hash: leaf }];
  let hash = leaf;
  let level = 0;
  for (let rest = frontier.size; rest % 2 === 1; rest = Math.floor(rest / 2)) {
    const left = roots.pop();
    if (left === undefined) throw new RangeError("A frontier has one root for every set bit of its size.");
    hash = nodeHash(left, hash, sha256);
    level += 1;
    completed.push({ level, index: Math.floor(rest / 2), hash });
  }
  return { frontier: { size: frontier.size + 1, roots: [...roots, hash] }, completed };
}

/** The root of the tree: 32 bytes. */
export function frontierRoot(frontier: Frontier, sha256: Sha256): Uint8Array {
  return joinFromRight(frontier.roots, sha256) ?? emptyRoot(sha256);
}

/** The root over neighbouring perfect subtrees of falling size (RFC 9162 §2.1.1); undefined for none. */
export function joinFromRight(roots: readonly Uint8Array[], sha256: Sha256): Uint8Array | undefined {
  return roots.reduceRight<Uint8Array | undefined>(
    (right, left) => (right === undefined ? left : nodeHash(left, right, sha256)),
    undefined,
  );
}

/** The perfect subtrees whose roots make the frontier of a tree of this size, from left to right. */
export function frontierNodes(size: number): NodeId[] {
  return perfectSubtrees(0, size);
}

/**
 * The perfect subtrees that cover the leaves from `start` to `end - 1`, from left to right. `start` must be a
 * multiple of the smallest power of two that is not below `end - start`, as it is for every subtree of RFC 9162.
 */
export function perfectSubtrees(start: number, end: number): NodeId[] {
  const nodes: NodeId[] = [];
  let at = start;
  while (at < end) {
    let level = 0;
    while (2 ** (level + 1) <= end - at) level += 1;
    nodes.push({ level, index: at / 2 ** level });
    at += 2 ** level;
  }
  return nodes;
}

/** The form that a row stores. */
export function formatFrontier(frontier: Frontier): StoredFrontier {
  return { size: frontier.size, frontier: frontier.roots.map(toHex) };
}

function setBits(size: number): number {
  let count = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) count += rest % 2;
  return count;
}

/** Reads the stored form: a size from 0 to 2^53 - 1, and exactly one hash for each of its set bits. */
export function parseFrontier(stored: StoredFrontier): Parsed<Frontier> {
  const { size, frontier } = stored;
  if (!isTreeSize(size)) return refused("the size is not an integer from 0");
  if (frontier.length !== setBits(size)) {
    return refused(
      `a tree of ${size} leaves has ${setBits(size)} roots in its frontier, not ${frontier.length}`,
    );
  }
  const roots = frontier.map(hashFromHex).filter((root) => root !== undefined);
  if (roots.length !== frontier.length) return refused("a root is not 64 lower-case hexadecimal digits");
  return accepted({ size, roots });
}
