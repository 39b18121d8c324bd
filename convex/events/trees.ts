/**
 * The Merkle trees as the component's tables hold them: one for each organisation's ledger, and the log of logs. An
 * append inserts the nodes that it completes at every fourth level (one row for sixteen events) and never updates one;
 * leaf hashes follow from the events themselves. A proof at a million events reads at most 32 leaves and 128 rows.
 */
import { hashFromHex } from "../../ledger/bytes.ts";
import {
  appendLeaf,
  EMPTY_FRONTIER,
  formatFrontier,
  frontierRoot,
  parseFrontier,
  type Frontier,
} from "../../ledger/frontier.ts";
import { sha256Noble, toHex } from "../../ledger/hash.ts";
import { eventLeafHash, verifyConsistency, verifyInclusion } from "../../ledger/merkle.ts";
import { consistencyPath, inclusionPath } from "../../ledger/merkleProof.ts";
import {
  eventsOfTile,
  frontierFromTiles,
  proofFromTiles,
  TILE_WIDTH,
  tileGains,
  type TileRange,
  type TileReader,
} from "../../ledger/tiles.ts";
import type { Doc } from "./_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "./_generated/server.js";
import { IntegrityError } from "./row.ts";

/** The name of the log of logs among the trees; the others are named by their organisation's id. */
export const LOG_OF_LOGS = "log";

/** The invariant that tree and checkpoints answer for: what is proven once holds for ever. */
const INVARIANT = "INV-13";

type Reader = Pick<QueryCtx, "db">;
type Writer = Pick<MutationCtx, "db">;

/** What a head row holds of its tree. */
export type StoredTree = { treeSize?: number; frontier?: string[] };

/** Damage of a tree, with the size at which it shows. */
export function treeDamage(tree: string, size: number, detail: string): IntegrityError {
  return new IntegrityError(INVARIANT, tree, size, detail);
}

/** The frontier of a head row; the empty one where there is none. Throws IntegrityError for one that no tree has. */
export function frontierOf(tree: string, stored: StoredTree): Frontier {
  if (stored.frontier === undefined && stored.treeSize === undefined) return EMPTY_FRONTIER;
  const size = stored.treeSize ?? -1;
  const parsed = parseFrontier({ size, frontier: stored.frontier ?? [] });
  if (!parsed.ok) throw treeDamage(tree, size, `damaged frontier: ${parsed.reason}`);
  return parsed.value;
}

/** The form that a head row stores. */
export function storedFrontier(frontier: Frontier): { treeSize: number; frontier: string[] } {
  const { size, frontier: roots } = formatFrontier(frontier);
  return { treeSize: size, frontier: [...roots] };
}

/** Grows a tree by leaves, given by their leaf hashes (32 bytes): inserts the nodes that they complete. */
export async function growTree(
  ctx: Writer,
  tree: string,
  from: Frontier,
  leaves: readonly Uint8Array[],
): Promise<Frontier> {
  let frontier = from;
  for (const leaf of leaves) {
    const appended = appendLeaf(frontier, leaf, sha256Noble);
    frontier = appended.frontier;
    for (const { level, index, offset, hash } of tileGains(appended.completed)) {
      const row = { tree, level, index: index * TILE_WIDTH + offset, hash: toHex(hash) };
      await ctx.db.insert("treeHashes", row);
    }
  }
  return frontier;
}

/**
 * The tree's part of an append: what the head row holds of the tree after these events. A tree that is behind the
 * chain stays where it is; `tree:catchUp` reads the events between, in bounded steps.
 */
export async function treeAfterAppend(
  ctx: Writer,
  orgId: string,
  head: StoredTree & { seq: number },
  hashes: readonly string[],
): Promise<StoredTree> {
  if ((head.treeSize ?? 0) !== head.seq) return {};
  const leaves = hashes.map((hash) => eventLeafHash(hash, sha256Noble));
  return storedFrontier(await growTree(ctx, orgId, frontierOf(orgId, head), leaves));
}

/** The leaf hashes of one tile's first leaves. */
async function readLeaves(ctx: Reader, tree: string, range: TileRange): Promise<Uint8Array[]> {
  const { from, to } = eventsOfTile(range);
  if (tree === LOG_OF_LOGS) {
    const rows = await ctx.db
      .query("logLeaves")
      .withIndex("by_index", (q) => q.gte("index", from - 1).lt("index", to))
      .take(TILE_WIDTH + 1);
    requireRun(tree, from - 1, rows);
    return rows.map(({ hash }) => hashOf(tree, from, hash));
  }
  const rows = await ctx.db
    .query("events")
    .withIndex("by_orgId_and_seq", (q) => q.eq("orgId", tree).gte("seq", from).lte("seq", to))
    .take(TILE_WIDTH + 1);
  requireRun(
    tree,
    from,
    rows.map(({ seq }) => ({ index: seq })),
  );
  return rows.map(({ hash }) => eventLeafHash(hash, sha256Noble));
}

function hashOf(tree: string, at: number, hash: string): Uint8Array {
  const bytes = hashFromHex(hash);
  if (bytes === undefined) throw treeDamage(tree, at, "a stored hash is none");
  return bytes;
}

/** Rows must follow each other without a gap and without a double, or the tile would hold others' hashes. */
function requireRun(tree: string, first: number, rows: readonly { index: number }[]): void {
  for (const [offset, { index }] of rows.entries()) {
    if (index !== first + offset)
      throw treeDamage(tree, first + offset, "a row of the tree is missing or doubled");
  }
}

/** Reads the tiles of one tree. Throws IntegrityError for rows that are missing, doubled or no hashes. */
export function tileReader(ctx: Reader, tree: string): TileReader {
  return async (range) => {
    if (range.level === 0) return await readLeaves(ctx, tree, range);
    const { level, index } = range;
    const first = index * TILE_WIDTH;
    const rows = await ctx.db
      .query("treeHashes")
      .withIndex("by_tree_and_level_and_index", (q) =>
        q
          .eq("tree", tree)
          .eq("level", level)
          .gte("index", first)
          .lt("index", first + range.width),
      )
      .take(TILE_WIDTH + 1);
    requireRun(tree, first, rows);
    return rows.map(({ hash }) => hashOf(tree, first, hash));
  };
}

/** Runs a reading of tiles; rows that are too few are damage with this size. */
async function held<T>(tree: string, size: number, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof RangeError) throw treeDamage(tree, size, `damaged tile: ${error.message}`);
    throw error;
  }
}

/** A tree at its present size: what its head row says. */
export type TreeHead = { tree: string; frontier: Frontier };

/** The root, 32 bytes, that a tree had at a size up to its present one, from its rows alone. */
export async function rootAt(ctx: Reader, tree: string, size: number): Promise<Uint8Array> {
  return await held(tree, size, async () =>
    frontierRoot(await frontierFromTiles(size, tileReader(ctx, tree), sha256Noble), sha256Noble),
  );
}

/**
 * The proof, 32 bytes a hash, that the tree of `newSize` and root begins with that of `oldSize` and root. Throws
 * IntegrityError when it does not: a consistency proof that does not lead to both roots is never handed out.
 */
export async function proveConsistency(
  ctx: Reader,
  tree: string,
  older: { size: number; root: Uint8Array },
  newer: { size: number; root: Uint8Array },
): Promise<Uint8Array[]> {
  if (older.size === 0) return [];
  const proof = await held(tree, newer.size, () =>
    proofFromTiles(consistencyPath(older.size, newer.size), tileReader(ctx, tree), sha256Noble),
  );
  const claim = {
    oldSize: older.size,
    newSize: newer.size,
    oldRoot: older.root,
    newRoot: newer.root,
    proof,
  };
  if (!verifyConsistency(claim, sha256Noble)) {
    throw treeDamage(
      tree,
      older.size,
      `the tree of ${newer.size} does not begin with the one that was signed`,
    );
  }
  return proof;
}

/** The proof that a leaf is in the tree of this size and root. Throws IntegrityError when it does not lead there. */
export async function proveInclusion(
  ctx: Reader,
  tree: string,
  leaf: { index: number; hash: Uint8Array },
  at: { size: number; root: Uint8Array },
): Promise<Uint8Array[]> {
  const { index, hash: leafHash } = leaf;
  const { size, root } = at;
  const proof = await held(tree, size, () =>
    proofFromTiles(inclusionPath(index, size), tileReader(ctx, tree), sha256Noble),
  );
  if (!verifyInclusion({ index, size, root, leafHash, proof }, sha256Noble)) {
    throw treeDamage(tree, index + 1, `leaf ${index} is not in the tree of ${size} that was signed`);
  }
  return proof;
}

/** The head of an organisation's tree; null without a ledger. `isCurrent`: it has all events of the chain. */
export async function organizationTree(
  ctx: Reader,
  orgId: string,
): Promise<(TreeHead & { head: Doc<"heads">; isCurrent: boolean }) | null> {
  const head = await ctx.db
    .query("heads")
    .withIndex("by_orgId", (q) => q.eq("orgId", orgId))
    .unique();
  if (head === null) return null;
  const frontier = frontierOf(orgId, head);
  return { tree: orgId, frontier, head, isCurrent: frontier.size === head.seq };
}

/** The head of the log of logs. */
export async function logTree(ctx: Reader): Promise<TreeHead & { row: Doc<"logHead"> | null }> {
  const row = await ctx.db.query("logHead").first();
  return { tree: LOG_OF_LOGS, frontier: frontierOf(LOG_OF_LOGS, row ?? {}), row };
}
