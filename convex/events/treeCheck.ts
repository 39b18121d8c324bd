/**
 * The integrity check of the trees. The tree of a page's events is worked out anew, from the frontier that the pages
 * before gave, and what the tables hold of it is held against that: the nodes at every fourth level, each checkpoint's
 * root and signature, and at the end the frontier of the head. Nothing here trusts a stored node.
 */
import { hashFromHex } from "../../ledger/bytes.ts";
import { appendLeaf, frontierRoot, parseFrontier, type Frontier } from "../../ledger/frontier.ts";
import { sha256Noble, toHex } from "../../ledger/hash.ts";
import { eventLeafHash } from "../../ledger/merkle.ts";
import { TILE_WIDTH, tileGains } from "../../ledger/tiles.ts";
import { logOfLogsLeafHash } from "../../ledger/logOfLogs.ts";
import { v, type Infer } from "convex/values";
import type { Doc } from "./_generated/dataModel.js";
import { query, type QueryCtx } from "./_generated/server.js";
import {
  checkpointAt,
  heldCheckpoint,
  newestCheckpoint,
  organizationOrigin,
  originOf,
} from "./checkpointRows.ts";
import { IntegrityError } from "./row.ts";
import { deploymentKeys } from "./signing.ts";
import { LOG_OF_LOGS, logTree, organizationTree, storedFrontier, treeDamage } from "./trees.ts";

type Damage = { seq: number; kind: string };
type TreePosition = { seq: number; frontier: string[] };
/** The id of a key that signed something and is configured no longer, or null: what it signed is checked but for that. */
type MissingKey = string | null;

const PAGE = 100;

/** The node at a place must be stored once, with this hash. */
async function checkNode(
  ctx: QueryCtx,
  tree: string,
  node: { level: number; index: number; hash: Uint8Array },
  size: number,
): Promise<void> {
  const rows = await ctx.db
    .query("treeHashes")
    .withIndex("by_tree_and_level_and_index", (q) =>
      q.eq("tree", tree).eq("level", node.level).eq("index", node.index),
    )
    .take(2);
  if (rows.length !== 1 || rows[0]?.hash !== toHex(node.hash)) throw treeDamage(tree, size, "damaged tile");
}

/** The checkpoint of a size, where there is one, must have this root and a signature of ours. */
async function checkSigned(ctx: QueryCtx, tree: string, frontier: Frontier): Promise<MissingKey> {
  const keys = deploymentKeys();
  const row = await checkpointAt(ctx, tree, frontier.size);
  if (row === null) return null;
  const { root, missingKey } = heldCheckpoint(row, originOf(keys, tree), keys);
  if (toHex(root) !== toHex(frontierRoot(frontier, sha256Noble))) {
    throw treeDamage(tree, frontier.size, "the chain is not the one that was signed");
  }
  return missingKey;
}

/** Sizes of a tree's checkpoints in a range, both ends included; as many as a page can have. */
async function signedSizes(ctx: QueryCtx, tree: string, from: number, to: number): Promise<Set<number>> {
  const rows = await ctx.db
    .query("checkpoints")
    .withIndex("by_tree_and_size", (q) => q.eq("tree", tree).gte("size", from).lte("size", to))
    .take(2 * PAGE);
  return new Set(rows.map(({ size }) => size));
}

/**
 * Grows the frontier by a page's leaves and checks what was signed of it, and what is stored of it up to `storedTo`
 * leaves. Throws IntegrityError.
 */
async function growChecked(
  ctx: QueryCtx,
  tree: string,
  from: Frontier,
  leaves: readonly Uint8Array[],
  storedTo: number,
): Promise<{ frontier: Frontier; missingKey: MissingKey }> {
  const signed = await signedSizes(ctx, tree, from.size + 1, from.size + leaves.length);
  let frontier = from;
  let missingKey: MissingKey = null;
  for (const leaf of leaves) {
    const appended = appendLeaf(frontier, leaf, sha256Noble);
    frontier = appended.frontier;
    if (signed.has(frontier.size)) missingKey = (await checkSigned(ctx, tree, frontier)) ?? missingKey;
    if (frontier.size > storedTo) continue;
    for (const { level, index, offset, hash } of tileGains(appended.completed)) {
      await checkNode(ctx, tree, { level, index: index * TILE_WIDTH + offset, hash }, frontier.size);
    }
  }
  return { frontier, missingKey };
}

function frontierAt(tree: string, { seq, frontier }: TreePosition): Frontier {
  const parsed = parseFrontier({ size: seq, frontier });
  if (!parsed.ok) throw treeDamage(tree, seq, parsed.reason);
  return parsed.value;
}

/** What a check gives, or the damage that it threw. */
async function damageOf<T>(check: () => Promise<T>): Promise<T | Damage> {
  try {
    return await check();
  } catch (error) {
    if (error instanceof IntegrityError) return error.damage;
    throw error;
  }
}

/** Checks the tree of a page of events, given by their hashes, after a position; answers the frontier after them. */
export async function checkTreePage(
  ctx: QueryCtx,
  orgId: string,
  at: TreePosition,
  hashes: readonly string[],
): Promise<{ frontier: string[]; missingKey: MissingKey } | Damage> {
  return await damageOf(async () => {
    const tree = await organizationTree(ctx, orgId);
    const leaves = hashes.map((hash) => eventLeafHash(hash, sha256Noble));
    const storedTo = tree?.frontier.size ?? 0;
    const { frontier, missingKey } = await growChecked(ctx, orgId, frontierAt(orgId, at), leaves, storedTo);
    return { frontier: storedFrontier(frontier).frontier, missingKey };
  });
}

/** Nothing of a tree may be stored or signed beyond its end, and its head's frontier must be the one worked out. */
async function checkEnd(ctx: QueryCtx, tree: string, worked: Frontier, stored: Frontier): Promise<void> {
  const newest = await newestCheckpoint(ctx, tree);
  if (newest !== null && newest.size > worked.size) {
    throw treeDamage(tree, worked.size + 1, `a checkpoint of ${newest.size} was signed`);
  }
  const agrees = storedFrontier(worked).frontier.join() === storedFrontier(stored).frontier.join();
  if (stored.size === worked.size && !agrees) throw treeDamage(tree, worked.size, "damaged frontier");
  const last = await ctx.db
    .query("treeHashes")
    .withIndex("by_tree_and_level_and_index", (q) => q.eq("tree", tree).eq("level", 1))
    .order("desc")
    .first();
  const rows = Math.floor(stored.size / TILE_WIDTH);
  if ((last?.index ?? -1) !== rows - 1) throw treeDamage(tree, stored.size, "damaged tile");
}

/** Checks the end of an organisation's tree, once all its events were looked at. */
export async function checkTreeEnd(ctx: QueryCtx, orgId: string, at: TreePosition): Promise<Damage | null> {
  const found = await damageOf(async () => {
    const tree = await organizationTree(ctx, orgId);
    if (tree !== null) await checkEnd(ctx, orgId, frontierAt(orgId, at), tree.frontier);
    return null;
  });
  return found;
}

const logPositionValidator = v.object({ seq: v.number(), frontier: v.array(v.string()) });
const damageValidator = v.object({ seq: v.number(), kind: v.string() });
/** Organisations whose checkpoint is not what the log took in. */
const damagedValidator = v.array(v.object({ orgId: v.string(), damage: damageValidator }));
const logPageValidator = v.union(
  v.object({
    outcome: v.union(v.literal("sound"), v.literal("done")),
    at: logPositionValidator,
    /** Of the log's own checkpoints; that of an organisation's is told by its own check. */
    missingKey: v.union(v.null(), v.string()),
    damaged: damagedValidator,
  }),
  /** The log itself is. */
  v.object({ outcome: v.literal("damaged"), damage: damageValidator, damaged: damagedValidator }),
);
type LogPage = Infer<typeof logPageValidator>;

/** The organisation's checkpoint that a leaf stands for must be there, and give the leaf. */
async function checkLeaf(ctx: QueryCtx, { orgId, size, hash }: Doc<"logLeaves">): Promise<Damage | null> {
  return await damageOf(async () => {
    const keys = deploymentKeys();
    const row = await checkpointAt(ctx, orgId, size);
    if (row === null) throw treeDamage(orgId, size, "a checkpoint that was signed is missing");
    const held = heldCheckpoint(row, organizationOrigin(keys, orgId), keys);
    if (toHex(logOfLogsLeafHash(held, sha256Noble)) !== hash) {
      throw treeDamage(orgId, size, "edited checkpoint");
    }
    return null;
  });
}

/** Checks a page's leaves each by itself: one organisation's damage hides nobody else's. */
async function checkLeaves(
  ctx: QueryCtx,
  rows: readonly Doc<"logLeaves">[],
): Promise<Infer<typeof damagedValidator>> {
  const damaged: Infer<typeof damagedValidator> = [];
  for (const row of rows) {
    const damage = await checkLeaf(ctx, row);
    if (damage !== null) damaged.push({ orgId: row.orgId, damage });
  }
  return damaged;
}

/** Checks the log's own tree over a page of leaves. Throws IntegrityError. */
async function checkLog(
  ctx: QueryCtx,
  at: TreePosition,
  rows: readonly Doc<"logLeaves">[],
): Promise<{ isDone: boolean; at: TreePosition; missingKey: MissingKey }> {
  const { frontier: stored } = await logTree(ctx);
  if (rows.some(({ index }, offset) => index !== at.seq + offset)) {
    throw treeDamage(LOG_OF_LOGS, at.seq, "a leaf is missing or doubled");
  }
  const leaves = rows.map(({ hash }) => hashFromHex(hash)).filter((leaf) => leaf !== undefined);
  const from = frontierAt(LOG_OF_LOGS, at);
  const { frontier: grown, missingKey } = await growChecked(ctx, LOG_OF_LOGS, from, leaves, stored.size);
  const isDone = rows.length < PAGE;
  if (isDone && grown.size !== stored.size) throw treeDamage(LOG_OF_LOGS, grown.size, "damaged head");
  if (isDone) await checkEnd(ctx, LOG_OF_LOGS, grown, stored);
  return { isDone, at: { seq: grown.size, frontier: storedFrontier(grown).frontier }, missingKey };
}

/** Checks up to 100 leaves of the log of logs after a position; without one, from the beginning. */
export const logPage = query({
  args: { from: v.optional(logPositionValidator) },
  returns: logPageValidator,
  handler: async (ctx, { from }): Promise<LogPage> => {
    const at = from ?? { seq: 0, frontier: [] };
    const rows = await ctx.db
      .query("logLeaves")
      .withIndex("by_index", (q) => q.gte("index", at.seq))
      .take(PAGE);
    const damaged = await checkLeaves(ctx, rows);
    const checked = await damageOf(() => checkLog(ctx, at, rows));
    if ("kind" in checked) return { outcome: "damaged", damage: checked, damaged };
    const { isDone, ...where } = checked;
    return { outcome: isDone ? "done" : "sound", ...where, damaged };
  },
});
