/**
 * How the nodes of a tree are kept, so that a proof at a million leaves reads a few rows and an append writes none
 * but every sixteenth time one.
 *
 * The tree is cut into tiles of four levels. Tile `index` of tile level L holds up to 16 hashes, those of the nodes
 * `16 * index` to `16 * index + 15` at level 4 * L; the three levels above them are computed from these. Tiles of
 * level 0 hold leaf hashes, which follow from the events themselves, so they are never stored: they are read as 16
 * neighbouring events. A tile of a higher level is one row that grows by one hash when the append completes a node
 * of its level: every 16th append for level 1, every 256th for level 2, and never more than 16 hashes.
 *
 * At a million leaves a proof reads at most two tiles of each of the five levels: 32 events and 8 rows.
 */
import { HASH_BYTES } from "./bytes.ts";
import type { Frontier, NodeId, TreeNode } from "./frontier.ts";
import { frontierNodes } from "./frontier.ts";
import type { Sha256 } from "./hash.ts";
import { nodeHash } from "./merkle.ts";
import { pathNodes, proofFromPath } from "./merkleProof.ts";
import type { NodeReader, ProofPath } from "./merkleProof.ts";

/** Levels of the tree in one tile. */
export const TILE_HEIGHT = 4;
/** Hashes in a full tile. */
export const TILE_WIDTH = 2 ** TILE_HEIGHT;

export interface TileId {
  /** The tile's level: its hashes are nodes at level `TILE_HEIGHT * level` of the tree. */
  readonly level: number;
  readonly index: number;
}

/** A tile, and how many of its first hashes are wanted: 1 to 16. */
export interface TileRange extends TileId {
  readonly width: number;
}

/** A hash that a stored tile gains: at `offset`, which is how many it has before. */
export interface TileGain extends TileId {
  readonly offset: number;
  readonly hash: Uint8Array;
}

/** Answers the first `width` hashes of a tile, 32 bytes each. It may answer more of them, never fewer. */
export type TileReader = (range: TileRange) => Promise<readonly Uint8Array[]>;

interface Place extends TileRange {
  /** Where in the tile the nodes below the wanted one begin. */
  readonly offset: number;
}

function placeOf(node: NodeId): Place {
  const level = Math.floor(node.level / TILE_HEIGHT);
  const span = 2 ** (node.level - level * TILE_HEIGHT);
  const first = node.index * span;
  const offset = first % TILE_WIDTH;
  return { level, index: Math.floor(first / TILE_WIDTH), offset, width: offset + span };
}

const nameOf = (tile: TileId): string => `${tile.level}/${tile.index}`;

/** What the stored tiles gain by an append, from the nodes that it completed: nothing in 15 of 16 cases. */
export function tileGains(completed: readonly TreeNode[]): TileGain[] {
  return completed
    .filter((node) => node.level > 0 && node.level % TILE_HEIGHT === 0)
    .map((node) => {
      const { level, index, offset } = placeOf(node);
      return { level, index, offset, hash: node.hash };
    });
}

/** The tiles that hold these nodes, each once, by level and index. */
export function tilesOf(nodes: readonly NodeId[]): TileRange[] {
  const ranges = new Map<string, TileRange>();
  for (const { level, index, width } of nodes.map(placeOf)) {
    const known = ranges.get(nameOf({ level, index }));
    ranges.set(nameOf({ level, index }), { level, index, width: Math.max(width, known?.width ?? 0) });
  }
  return [...ranges.values()].sort((left, right) => left.level - right.level || left.index - right.index);
}

/** The sequences of the events whose leaf hashes a tile of level 0 holds: `from` to `to`, both included. */
export function eventsOfTile(range: TileRange): { readonly from: number; readonly to: number } {
  if (range.level !== 0) throw new RangeError("Only the tiles of level 0 hold the leaves of events.");
  const from = range.index * TILE_WIDTH + 1;
  return { from, to: from + range.width - 1 };
}

/** A node from the hashes of the tile that `tilesOf` names for it. Throws a RangeError when one is missing. */
export function nodeFromTile(node: NodeId, hashes: readonly Uint8Array[], sha256: Sha256): Uint8Array {
  const { offset, width } = placeOf(node);
  let row = hashes.slice(offset, width);
  if (row.length !== width - offset || row.some((hash) => hash.length !== HASH_BYTES)) {
    throw new RangeError(`Tile ${nameOf(placeOf(node))} lacks hashes of node ${node.level}/${node.index}.`);
  }
  while (row.length > 1) row = joinPairs(row, sha256);
  const [root] = row;
  if (root === undefined) throw new RangeError("A node covers at least one hash of its tile.");
  return root;
}

function joinPairs(row: readonly Uint8Array[], sha256: Sha256): Uint8Array[] {
  const parents: Uint8Array[] = [];
  for (let at = 0; at < row.length; at += 2) {
    const [left, right] = row.slice(at, at + 2);
    if (left === undefined || right === undefined)
      throw new RangeError("A row of a perfect subtree is even.");
    parents.push(nodeHash(left, right, sha256));
  }
  return parents;
}

async function readNodes(
  nodes: readonly NodeId[],
  readTile: TileReader,
  sha256: Sha256,
): Promise<NodeReader> {
  const ranges = tilesOf(nodes);
  const read = await Promise.all(
    ranges.map(async (range) => [nameOf(range), await readTile(range)] as const),
  );
  const tiles = new Map(read);
  return (node) => nodeFromTile(node, tiles.get(nameOf(placeOf(node))) ?? [], sha256);
}

/** The proof along a path (`inclusionPath`, `consistencyPath`), reading each tile that it needs once. */
export async function proofFromTiles(
  path: ProofPath,
  readTile: TileReader,
  sha256: Sha256,
): Promise<Uint8Array[]> {
  return proofFromPath(path, await readNodes(pathNodes(path), readTile, sha256), sha256);
}

/** The frontier that the tree had at this size, which must not be above its size now. */
export async function frontierFromTiles(
  size: number,
  readTile: TileReader,
  sha256: Sha256,
): Promise<Frontier> {
  const nodes = frontierNodes(size);
  const nodeAt = await readNodes(nodes, readTile, sha256);
  return { size, roots: nodes.map(nodeAt) };
}
