/**
 * Evidence at random: proofs of random trees against the RFC's recursive definition, and every change of one bit and
 * every truncation of proofs, notes and receipts, which must all be refused.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ALGORITHMS_NOBLE } from "../ledger/algorithms.ts";
import { fromUtf8, toUtf8 } from "../ledger/bytes.ts";
import { openCheckpoint } from "../ledger/checkpoint.ts";
import {
  appendLeaf,
  EMPTY_FRONTIER,
  formatFrontier,
  frontierRoot,
  parseFrontier,
} from "../ledger/frontier.ts";
import { sha256Noble } from "../ledger/hash.ts";
import { parsePolicy, policyOfKeys } from "../ledger/logPolicy.ts";
import { verifyConsistency, verifyInclusion } from "../ledger/merkle.ts";
import { consistencyPath, inclusionPath, pathNodes } from "../ledger/merkleProof.ts";
import { verifyReceipt } from "../ledger/receipt.ts";
import { parseNote } from "../ledger/signedNote.ts";
import { naiveConsistency, naiveInclusion, naiveRoot, sha256Of } from "../ledger/testing/naiveTree.ts";
import {
  anchoredReceipt,
  deploymentKey,
  directReceipt,
  organisationLog,
  samplePolicy,
  WITNESSES,
} from "../ledger/testing/sampleEvidence.ts";
import { StoredTree } from "../ledger/testing/storedTree.ts";
import { proofFromTiles, tilesOf } from "../ledger/tiles.ts";

const leaves = fc
  .tuple(fc.string(), fc.integer({ min: 1, max: 400 }))
  .map(([salt, size]) => Array.from({ length: size }, (_, index) => sha256Of(`${salt} ${index}`)));

/** A tree, a size of it, and a smaller size or a leaf's index. */
const treeAndPlace = leaves.chain((all) =>
  fc.integer({ min: 1, max: all.length }).chain((size) =>
    fc.record({
      all: fc.constant(all),
      size: fc.constant(size),
      index: fc.integer({ min: 0, max: size - 1 }),
    }),
  ),
);

function store(all: readonly Uint8Array[]): StoredTree {
  const tree = new StoredTree(sha256Noble);
  for (const leaf of all) tree.append(leaf);
  return tree;
}

/** Every hash with every one of its bits changed, one at a time. */
function* bitFlips(bytes: Uint8Array): Generator<Uint8Array, void> {
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const at = Math.floor(bit / 8);
    yield bytes.with(at, (bytes[at] ?? 0) ^ (1 << (bit % 8)));
  }
}

/** Every list with one hash left out, and with one put twice. */
function* otherLengths(proof: readonly Uint8Array[]): Generator<Uint8Array[], void> {
  for (const [at, hash] of proof.entries()) {
    yield proof.toSpliced(at, 1);
    yield proof.toSpliced(at, 0, hash);
  }
}

describe("random trees", () => {
  test("proofs are those of the recursive definition, from tiles that later appends filled", async () => {
    await fc.assert(
      fc.asyncProperty(treeAndPlace, async ({ all, size, index }) => {
        const tree = store(all);
        const part = all.slice(0, size);
        const inclusion = await proofFromTiles(inclusionPath(index, size), tree.readTile, sha256Noble);
        expect(inclusion).toEqual(naiveInclusion(index, part));
        const consistency = await proofFromTiles(
          consistencyPath(index + 1, size),
          tree.readTile,
          sha256Noble,
        );
        expect(consistency).toEqual(naiveConsistency(index + 1, part));
        expect(frontierRoot(tree.frontier, sha256Noble)).toEqual(naiveRoot(all));
        const stored = formatFrontier(tree.frontier);
        expect(parseFrontier(stored)).toEqual({ ok: true, value: tree.frontier });
      }),
      { numRuns: 60 },
    );
  });

  test("an inclusion proof with any bit changed, a hash less or more, or another place is refused", () => {
    fc.assert(
      fc.property(treeAndPlace, ({ all, size, index }) => {
        const part = all.slice(0, size);
        const claim = {
          index,
          size,
          leafHash: part[index] ?? new Uint8Array(0),
          root: naiveRoot(part),
          proof: naiveInclusion(index, part),
        };
        const isProven = (other: Partial<typeof claim>) =>
          verifyInclusion({ ...claim, ...other }, sha256Noble);
        expect(isProven({})).toBe(true);
        for (const [at, hash] of claim.proof.entries()) {
          for (const flipped of bitFlips(hash)) {
            if (isProven({ proof: claim.proof.with(at, flipped) }))
              throw new Error(`hash ${at} of the proof`);
          }
        }
        for (const leafHash of bitFlips(claim.leafHash)) expect(isProven({ leafHash })).toBe(false);
        for (const root of bitFlips(claim.root)) expect(isProven({ root })).toBe(false);
        for (const proof of otherLengths(claim.proof)) expect(isProven({ proof })).toBe(false);
        for (const other of [index - 1, index + 1, index ^ 1]) expect(isProven({ index: other })).toBe(false);
      }),
      { numRuns: 12 },
    );
  });

  test("a consistency proof with any bit changed, a hash less or more is refused", () => {
    fc.assert(
      fc.property(treeAndPlace, ({ all, size, index }) => {
        const part = all.slice(0, size);
        const oldSize = index + 1;
        const claim = {
          oldSize,
          newSize: size,
          oldRoot: naiveRoot(part.slice(0, oldSize)),
          newRoot: naiveRoot(part),
          proof: naiveConsistency(oldSize, part),
        };
        const isProven = (other: Partial<typeof claim>) =>
          verifyConsistency({ ...claim, ...other }, sha256Noble);
        expect(isProven({})).toBe(true);
        for (const [at, hash] of claim.proof.entries()) {
          for (const flipped of bitFlips(hash)) {
            if (isProven({ proof: claim.proof.with(at, flipped) }))
              throw new Error(`hash ${at} of the proof`);
          }
        }
        for (const oldRoot of bitFlips(claim.oldRoot)) expect(isProven({ oldRoot })).toBe(false);
        for (const newRoot of bitFlips(claim.newRoot)) expect(isProven({ newRoot })).toBe(false);
        for (const proof of otherLengths(claim.proof)) expect(isProven({ proof })).toBe(false);
      }),
      { numRuns: 12 },
    );
  });

  test("the frontier's root is the recursive one at every size to 3,000, told by the last leaf's proof", () => {
    let frontier = EMPTY_FRONTIER;
    const tree = store(Array.from({ length: 3000 }, (_, index) => sha256Of(`${index}`)));
    for (const [index, leafHash] of tree.leaves.entries()) {
      frontier = appendLeaf(frontier, leafHash, sha256Noble).frontier;
      const root = frontierRoot(frontier, sha256Noble);
      // The last leaf's siblings are the frontier's other roots: the verifier, which knows no frontier, joins them.
      const proof = frontier.roots.slice(0, -1).toReversed();
      const inner = inclusionPath(index, index + 1).length - proof.length;
      const below = naiveInclusion(2 ** inner - 1, tree.leaves.slice(index + 1 - 2 ** inner, index + 1));
      expect(
        verifyInclusion({ index, size: index + 1, leafHash, root, proof: [...below, ...proof] }, sha256Noble),
      ).toBe(true);
    }
    expect(frontierRoot(frontier, sha256Noble)).toEqual(naiveRoot(tree.leaves));
  });
});

test("any proof to 2^40 leaves needs two tiles a level at most, so its reads grow with the logarithm", () => {
  const sizes = fc.bigInt({ min: 1n, max: 2n ** 40n }).map(Number);
  fc.assert(
    fc.property(sizes, fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), (size, part) => {
      const index = Math.floor(part * size);
      const levels = Math.ceil(Math.log2(size + 1));
      for (const path of [inclusionPath(index, size), consistencyPath(index + 1, size)]) {
        expect(path.length).toBeLessThanOrEqual(levels + 1);
        expect(pathNodes(path).length).toBeLessThanOrEqual(2 * levels + 1);
        const perLevel = Map.groupBy(tilesOf(pathNodes(path)), ({ level }) => level);
        for (const tiles of perLevel.values()) expect(tiles.length).toBeLessThanOrEqual(2);
      }
    }),
    { numRuns: 2000 },
  );
});

/** Whether bytes are still accepted; bytes that are not UTF-8 are refused by whoever reads the file. */
type Accepts = (text: string) => boolean;

function findAcceptedFlip(text: string, accepts: Accepts): string | undefined {
  for (const flipped of bitFlips(toUtf8(text))) {
    const changed = fromUtf8(flipped);
    if (changed !== undefined && accepts(changed)) return changed;
  }
  return undefined;
}

function findAcceptedTruncation(text: string, accepts: Accepts): string | undefined {
  for (let length = 0; length < text.length; length += 1) {
    if (accepts(text.slice(0, length)) || accepts(text.slice(length + 1))) return text.slice(0, length);
  }
  return undefined;
}

describe("every bit and every length", () => {
  const pinned = { logs: [deploymentKey()], witnesses: [] };
  const opens: Accepts = (text) => openCheckpoint(text, pinned, ALGORITHMS_NOBLE).ok;

  test("of a checkpoint that its log alone signed matters", () => {
    const published = organisationLog().published();
    expect(opens(published)).toBe(true);
    expect(findAcceptedFlip(published, opens)).toBeUndefined();
    expect(findAcceptedTruncation(published, opens)).toBeUndefined();
  });

  test("of a direct receipt matters", () => {
    const policy = policyOfKeys([deploymentKey()]);
    const accepts: Accepts = (text) => verifyReceipt(text, policy, ALGORITHMS_NOBLE).ok;
    const receipt = directReceipt(4);
    expect(accepts(receipt)).toBe(true);
    expect(findAcceptedFlip(receipt, accepts)).toBeUndefined();
    expect(findAcceptedTruncation(receipt, accepts)).toBeUndefined();
  });

  test("of an anchored receipt whose every signature is asked for matters", () => {
    const all = parsePolicy(samplePolicy().replace("group most 2", "group most all"), sha256Noble);
    if (!all.ok) throw new Error(all.reason);
    const accepts: Accepts = (text) => verifyReceipt(text, all.value, ALGORITHMS_NOBLE).ok;
    const receipt = anchoredReceipt(4, WITNESSES);
    expect(accepts(receipt)).toBe(true);
    const bytes = toUtf8(receipt);
    // All of its bits would verify five signatures ten thousand times; these are spread over all of its parts.
    fc.assert(
      fc.property(fc.integer({ min: 0, max: bytes.length * 8 - 1 }), (bit) => {
        const at = Math.floor(bit / 8);
        const changed = fromUtf8(bytes.with(at, (bytes[at] ?? 0) ^ (1 << (bit % 8))));
        if (changed !== undefined && accepts(changed)) throw new Error(`bit ${bit} does not matter`);
      }),
      { numRuns: 1500 },
    );
    expect(findAcceptedTruncation(receipt, accepts)).toBeUndefined();
  });

  test("a note reads as itself only: what is read and is not the original has another text or signature", () => {
    const published = organisationLog().published(undefined, WITNESSES);
    const original = parseNote(published);
    for (const flipped of bitFlips(toUtf8(published))) {
      const changed = fromUtf8(flipped);
      const parsed = changed === undefined ? undefined : parseNote(changed);
      if (parsed?.ok === true && JSON.stringify(parsed) === JSON.stringify(original))
        throw new Error(changed);
    }
  });
});
