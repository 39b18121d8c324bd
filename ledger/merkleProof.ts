/**
 * The making of proofs (RFC 9162 §2.1.3.1 and §2.1.4.1) from the roots of perfect subtrees. In two steps, so that
 * whoever reads the nodes from a store reads them at once: a *path* says which nodes a proof is made of, and
 * `proofFromPath` makes it of them. A path names less than 3 * log2(size) nodes.
 */
import { joinFromRight, perfectSubtrees } from "./frontier.ts";
import type { NodeId } from "./frontier.ts";
import type { Sha256 } from "./hash.ts";
import { isTreeSize } from "./merkle.ts";

/**
 * One element for each hash of the proof, in its order: the perfect subtrees, from left to right, that make it. All
 * but the one element that ends at the end of the tree are a single node.
 */
export type ProofPath = readonly (readonly NodeId[])[];

/** Answers the root of a perfect subtree: 32 bytes. */
export type NodeReader = (node: NodeId) => Uint8Array;

/** The largest power of two below a size of at least 2. */
function splitOf(size: number): number {
  let split = 1;
  while (split * 2 < size) split *= 2;
  return split;
}

/** `PATH(index, D[start:end])` of RFC 9162 §2.1.3.1, from the top down. */
function descend(index: number, start: number, end: number): NodeId[][] {
  const elements: NodeId[][] = [];
  let from = start;
  let to = end;
  while (to - from > 1) {
    const middle = from + splitOf(to - from);
    if (index < middle) {
      elements.push(perfectSubtrees(middle, to));
      to = middle;
    } else {
      elements.push(perfectSubtrees(from, middle));
      from = middle;
    }
  }
  return elements;
}

/** The path of the inclusion proof of a leaf. Throws a RangeError unless `0 <= index < size`. */
export function inclusionPath(index: number, size: number): ProofPath {
  if (!isTreeSize(index) || !isTreeSize(size) || index >= size) {
    throw new RangeError(`A tree of ${size} leaves has no leaf ${index}.`);
  }
  return descend(index, 0, size).reverse();
}

/**
 * The path of the consistency proof between two sizes of a tree. Empty between equal sizes. Throws a RangeError
 * unless `0 < oldSize <= newSize`.
 */
export function consistencyPath(oldSize: number, newSize: number): ProofPath {
  if (!isTreeSize(oldSize) || !isTreeSize(newSize) || oldSize === 0 || oldSize > newSize) {
    throw new RangeError(`There is no consistency proof from ${oldSize} to ${newSize} leaves.`);
  }
  const elements: NodeId[][] = [];
  let from = 0;
  let to = newSize;
  // SUBPROOF of RFC 9162 §2.1.4.1: until what is left ends where the older tree does.
  while (oldSize !== to) {
    const middle = from + splitOf(to - from);
    if (oldSize <= middle) {
      elements.push(perfectSubtrees(middle, to));
      to = middle;
    } else {
      elements.push(perfectSubtrees(from, middle));
      from = middle;
    }
  }
  // From the first leaf on it is the older tree itself, whose root the verifier has.
  if (from > 0) elements.push(perfectSubtrees(from, to));
  return elements.reverse();
}

/** The nodes that a path needs, each once. */
export function pathNodes(path: ProofPath): NodeId[] {
  return path.flat();
}

/** The proof along a path: hashes of 32 bytes. Reads each node of the path once and hashes O(log n) times. */
export function proofFromPath(path: ProofPath, nodeAt: NodeReader, sha256: Sha256): Uint8Array[] {
  return path.map((nodes) => {
    const hash = joinFromRight(nodes.map(nodeAt), sha256);
    if (hash === undefined) throw new RangeError("An element of a path names at least one node.");
    return hash;
  });
}
