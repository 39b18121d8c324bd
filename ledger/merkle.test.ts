import { describe, expect, test } from "vitest";
import {
  formatFrontier,
  frontierRoot,
  parseFrontier,
  perfectSubtrees,
  appendLeaf,
  EMPTY_FRONTIER,
} from "./frontier.ts";
import { sha256Noble, toHex } from "./hash.ts";
import {
  emptyRoot,
  eventLeafHash,
  leafHash,
  nodeHash,
  rootOfInclusion,
  verifyConsistency,
  verifyInclusion,
} from "./merkle.ts";
import { consistencyPath, inclusionPath, pathNodes } from "./merkleProof.ts";
import {
  leafData,
  naiveConsistency,
  naiveInclusion,
  naiveLeaf,
  naiveRoot,
  sha256Of,
} from "./testing/naiveTree.ts";
import { StoredTree } from "./testing/storedTree.ts";
import { eventsOfTile, frontierFromTiles, nodeFromTile, proofFromTiles, tilesOf } from "./tiles.ts";

const MILLION = 1_000_000;
const leaf = (index: number) => naiveLeaf(leafData(index));
const leavesTo = (size: number) => Array.from({ length: size }, (_, index) => leaf(index));

function storedTree(size: number): StoredTree {
  const tree = new StoredTree(sha256Of);
  for (let index = 0; index < size; index += 1) tree.append(leaf(index));
  return tree;
}

describe("hashes", () => {
  test("a leaf, a node and the empty tree are those of RFC 9162", () => {
    expect(toHex(emptyRoot(sha256Noble))).toBe(
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    );
    expect(toHex(leafHash(new Uint8Array(0), sha256Noble))).toBe(
      "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    );
    const [left, right] = [leafData(1), leafData(2)];
    expect(nodeHash(left, right, sha256Noble)).toEqual(sha256Of(Uint8Array.of(1), left, right));
  });

  test("an event's leaf is hashed over the 32 bytes of its hash, not over their digits", () => {
    expect(eventLeafHash(toHex(leafData(7)), sha256Noble)).toEqual(leaf(7));
  });

  test.each(["", "ab", "A".repeat(64), `${"a".repeat(64)}\n`])("%j is no event hash", (text) => {
    expect(() => eventLeafHash(text, sha256Noble)).toThrow(RangeError);
  });

  test("a node of anything but two hashes is refused", () => {
    expect(() => nodeHash(leafData(1), leafData(2).subarray(1), sha256Noble)).toThrow(RangeError);
    expect(() => nodeHash(new Uint8Array(33), leafData(2), sha256Noble)).toThrow(RangeError);
  });

  test("an inner node is no leaf: its two children as data of one leaf give another root", () => {
    const children = new Uint8Array([...leaf(0), ...leaf(1)]);
    expect(leafHash(children, sha256Noble)).not.toEqual(naiveRoot(leavesTo(2)));
  });

  test("a doubled last leaf gives another root", () => {
    expect(naiveRoot([leaf(0), leaf(1), leaf(2)])).not.toEqual(
      naiveRoot([leaf(0), leaf(1), leaf(2), leaf(2)]),
    );
  });
});

describe("the frontier", () => {
  test("has the root of the recursive definition at every size to 130, every power of two and many between", () => {
    let frontier = EMPTY_FRONTIER;
    expect(frontierRoot(frontier, sha256Noble)).toEqual(naiveRoot([]));
    const leaves = leavesTo(2100);
    // Every size would cost two million hashes; these hold every shape of frontier up to seven roots.
    for (const [index, hash] of leaves.entries()) {
      frontier = appendLeaf(frontier, hash, sha256Of).frontier;
      const size = index + 1;
      if (size <= 130 || size % 97 === 0 || Number.isInteger(Math.log2(size))) {
        expect(frontierRoot(frontier, sha256Of), `size ${size}`).toEqual(naiveRoot(leaves.slice(0, size)));
      }
    }
    expect(frontierRoot(frontier, sha256Of)).toEqual(naiveRoot(leaves));
  });

  test("an append completes the leaf and one node for each trailing zero bit of the new size", () => {
    let frontier = EMPTY_FRONTIER;
    const completed: string[] = [];
    for (let index = 0; index < 8; index += 1) {
      const appended = appendLeaf(frontier, leaf(index), sha256Of);
      frontier = appended.frontier;
      completed.push(appended.completed.map((node) => `${node.level}/${node.index}`).join(" "));
      for (const { level, index: at, hash } of appended.completed) {
        expect(hash).toEqual(naiveRoot(leavesTo(at * 2 ** level + 2 ** level).slice(at * 2 ** level)));
      }
    }
    expect(completed).toEqual([
      "0/0",
      "0/1 1/0",
      "0/2",
      "0/3 1/1 2/0",
      "0/4",
      "0/5 1/2",
      "0/6",
      "0/7 1/3 2/1 3/0",
    ]);
  });

  test("appends hash once per completed node and less than once each on average", () => {
    let hashes = 0;
    const counting = (bytes: Uint8Array) => {
      hashes += 1;
      return sha256Of(bytes);
    };
    let frontier = EMPTY_FRONTIER;
    for (let index = 0; index < 1000; index += 1)
      frontier = appendLeaf(frontier, leaf(index), counting).frontier;
    expect(hashes).toBe(994);
  });

  test("is stored and read again", () => {
    const { frontier } = storedTree(1000);
    const stored = formatFrontier(frontier);
    expect(stored.frontier).toHaveLength(6);
    expect(parseFrontier(JSON.parse(JSON.stringify(stored)) as typeof stored)).toEqual({
      ok: true,
      value: frontier,
    });
    expect(parseFrontier({ size: 0, frontier: [] })).toEqual({ ok: true, value: EMPTY_FRONTIER });
  });

  test.each([
    ["a root too few", { size: 3, frontier: ["ab".repeat(32)] }],
    ["a root too many", { size: 2, frontier: ["ab".repeat(32), "ab".repeat(32)] }],
    ["a root that is no hash", { size: 1, frontier: ["AB".repeat(32)] }],
    ["a short root", { size: 1, frontier: ["ab".repeat(31)] }],
    ["a size below 0", { size: -1, frontier: [] }],
    ["a size that is no integer", { size: 0.5, frontier: [] }],
    ["a size beyond the safe integers", { size: 2 ** 53, frontier: ["ab".repeat(32)] }],
  ])("%s is refused", (_name, stored) => {
    expect(parseFrontier(stored)).toMatchObject({ ok: false });
  });

  test("one that lacks a root takes no leaf", () => {
    expect(() => appendLeaf({ size: 3, roots: [leaf(0)] }, leaf(3), sha256Of)).toThrow(RangeError);
  });

  test("perfect subtrees cover a range once, the largest first", () => {
    expect(perfectSubtrees(0, 13)).toEqual([
      { level: 3, index: 0 },
      { level: 2, index: 2 },
      { level: 0, index: 12 },
    ]);
    expect(perfectSubtrees(8, 8)).toEqual([]);
  });
});

describe("proofs", () => {
  test("every leaf of every tree to 40 leaves is proven as the RFC says, from tiles", async () => {
    for (let size = 1; size <= 40; size += 1) {
      const tree = storedTree(size);
      const leaves = leavesTo(size);
      const root = naiveRoot(leaves);
      for (const [index, hash] of leaves.entries()) {
        const proof = await proofFromTiles(inclusionPath(index, size), tree.readTile, sha256Of);
        expect(proof).toEqual(naiveInclusion(index, leaves));
        expect(verifyInclusion({ index, size, root, leafHash: hash, proof }, sha256Of)).toBe(true);
      }
    }
  });

  test("every two sizes to 40 are proven consistent as the RFC says, from the tiles of a larger tree", async () => {
    const tree = storedTree(600);
    for (let newSize = 1; newSize <= 40; newSize += 1) {
      const leaves = leavesTo(newSize);
      for (let oldSize = 1; oldSize <= newSize; oldSize += 1) {
        const proof = await proofFromTiles(consistencyPath(oldSize, newSize), tree.readTile, sha256Of);
        expect(proof).toEqual(naiveConsistency(oldSize, leaves));
        const oldRoot = naiveRoot(leaves.slice(0, oldSize));
        const claim = { oldSize, newSize, oldRoot, newRoot: naiveRoot(leaves), proof };
        expect(verifyConsistency(claim, sha256Of)).toBe(true);
      }
    }
  });

  test("consistency from nothing proves nothing", () => {
    const newRoot = naiveRoot(leavesTo(3));
    const claim = { oldSize: 0, newSize: 3, oldRoot: emptyRoot(sha256Of), newRoot, proof: [] };
    expect(verifyConsistency(claim, sha256Of)).toBe(false);
    expect(verifyConsistency({ ...claim, newSize: 0, newRoot: claim.oldRoot }, sha256Of)).toBe(false);
  });

  test.each([
    ["an index at the size", { index: 3, size: 3 }],
    ["an index below 0", { index: -1, size: 3 }],
    ["an index that is no integer", { index: 0.5, size: 3 }],
    ["a size that is no integer", { index: 0, size: 2.5 }],
    ["a size beyond the safe integers", { index: 0, size: 2 ** 53 }],
  ])("%s has no root and no path", (_name, place) => {
    expect(
      rootOfInclusion({ ...place, leafHash: leaf(0), proof: [leaf(1), leaf(2)] }, sha256Of),
    ).toBeUndefined();
    expect(() => inclusionPath(place.index, place.size)).toThrow(RangeError);
  });

  test.each([
    [0, 3],
    [4, 3],
    [1, 2 ** 53],
    [1.5, 3],
  ])("there is no consistency path from %d to %d", (oldSize, newSize) => {
    expect(() => consistencyPath(oldSize, newSize)).toThrow(RangeError);
  });

  test("a root that was made to fit a proof with a hash too many is refused", () => {
    const proof = [leaf(1), leaf(2)];
    const root = nodeHash(leaf(2), nodeHash(leaf(0), leaf(1), sha256Of), sha256Of);
    const claim = { index: 0, size: 2, leafHash: leaf(0), proof };
    expect(rootOfInclusion(claim, sha256Of)).toBeUndefined();
    expect(verifyInclusion({ ...claim, root }, sha256Of)).toBe(false);
  });

  test("a proof with a hash of another length is refused", () => {
    const proof = [leaf(1).subarray(1)];
    const claim = { index: 0, size: 2, leafHash: leaf(0), proof, root: naiveRoot(leavesTo(2)) };
    expect(verifyInclusion(claim, sha256Of)).toBe(false);
    expect(verifyInclusion({ ...claim, proof: [leaf(1)], leafHash: leaf(0).subarray(1) }, sha256Of)).toBe(
      false,
    );
  });
});

describe("beyond 32 bits", () => {
  test("paths and verification count right where bit operators of JavaScript do not", () => {
    const size = 2 ** 40 + 5;
    const index = 2 ** 33 + 1;
    const nodeAt = leafData(1);
    const proof = inclusionPath(index, size).map(() => nodeAt);
    expect(proof).toHaveLength(41);
    expect(rootOfInclusion({ index, size, leafHash: leaf(0), proof }, sha256Of)).toBeDefined();
    expect(
      rootOfInclusion({ index, size, leafHash: leaf(0), proof: proof.slice(1) }, sha256Of),
    ).toBeUndefined();
  });
});

describe("tiles", () => {
  test("a proof at a million leaves reads at most 32 events and 8 rows", () => {
    const indexes = [0, 1, 15, 16, 255, 256, 65_535, 65_536, 524_287, 524_288, 999_999];
    const paths = [
      ...indexes.map((index) => inclusionPath(index, MILLION)),
      ...indexes.slice(1).map((oldSize) => consistencyPath(oldSize, MILLION)),
    ];
    for (const path of paths) {
      const tiles = tilesOf(pathNodes(path));
      const events = tiles.filter(({ level }) => level === 0).reduce((sum, { width }) => sum + width, 0);
      expect(path.length).toBeLessThanOrEqual(21);
      expect(events).toBeLessThanOrEqual(32);
      expect(tiles.filter(({ level }) => level > 0).length).toBeLessThanOrEqual(8);
    }
  });

  test("a thousand appends write a row 66 times", () => {
    const tree = storedTree(1000);
    expect(tree.writes).toBe(Math.floor(1000 / 16) + Math.floor(1000 / 256));
    expect([...tree.tiles.values()].every((tile) => tile.length <= 16)).toBe(true);
  });

  test("the frontier of every earlier size can be read again", async () => {
    const tree = storedTree(300);
    const leaves = leavesTo(300);
    for (const size of [0, 1, 16, 17, 255, 256, 257, 300]) {
      const frontier = await frontierFromTiles(size, tree.readTile, sha256Of);
      expect(frontierRoot(frontier, sha256Of)).toEqual(naiveRoot(leaves.slice(0, size)));
    }
  });

  test("a tile of level 0 is sixteen neighbouring events", () => {
    expect(eventsOfTile({ level: 0, index: 2, width: 5 })).toEqual({ from: 33, to: 37 });
    expect(() => eventsOfTile({ level: 1, index: 0, width: 1 })).toThrow(RangeError);
  });

  test("a node of a tile that is too short is refused", () => {
    const row = leavesTo(3);
    expect(() => nodeFromTile({ level: 2, index: 0 }, row, sha256Of)).toThrow(
      "Tile 0/0 lacks hashes of node 2/0.",
    );
    expect(nodeFromTile({ level: 1, index: 0 }, row, sha256Of)).toEqual(naiveRoot(row.slice(0, 2)));
  });
});
