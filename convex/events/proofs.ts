/**
 * Reads of the trees: checkpoints with their cosignatures, inclusion and consistency proofs. Every proof is verified
 * against signed roots before it is handed out; one that does not lead there is damage and throws IntegrityError.
 * Hashes are 64 lower-case hexadecimal digits.
 */
import { v, type Infer } from "convex/values";
import { formatVerifierKey } from "../../ledger/noteKeys.ts";
import { hashFromHex } from "../../ledger/bytes.ts";
import { verifierKeysOf } from "../../ledger/deploymentKeys.ts";
import { sha256Noble, toHex } from "../../ledger/hash.ts";
import { eventLeafHash } from "../../ledger/merkle.ts";
import { query, type QueryCtx } from "./_generated/server.js";
import type { Doc } from "./_generated/dataModel.js";
import { checkpointAt, newestCheckpoint, openedCheckpoint, originOf } from "./checkpointRows.ts";
import { eventOfRow } from "./row.ts";
import { deploymentKeys } from "./signing.ts";
import { LOG_OF_LOGS, proveConsistency, proveInclusion, rootAt, treeDamage } from "./trees.ts";

/** Most witnesses whose lines a published checkpoint carries; the specification asks readers for 16 lines. */
const COSIGNATURES_MAX = 15;
/** Among how many of the newest cosigned checkpoints the best one is looked for, where all witnesses cosigned. */
const COSIGNED_MAX = 4;

const checkpointValidator = v.object({
  size: v.number(),
  root: v.string(),
  at: v.number(),
  keyName: v.string(),
  keyId: v.string(),
  /** The signed note with the cosignatures that are kept. */
  note: v.string(),
  witnesses: v.array(v.object({ name: v.string(), keyId: v.string(), time: v.number() })),
});
type Published = Infer<typeof checkpointValidator>;

async function published(ctx: QueryCtx, row: Doc<"checkpoints">): Promise<Published> {
  const { tree, size, root, at, keyName, keyId } = row;
  const cosignatures = await ctx.db
    .query("cosignatures")
    .withIndex("by_tree_and_size_and_witness_and_keyId", (q) => q.eq("tree", tree).eq("size", size))
    .take(COSIGNATURES_MAX);
  const note = row.note + cosignatures.map(({ line }) => line).join("");
  const witnesses = cosignatures.map(({ witness, keyId: id, time }) => ({ name: witness, keyId: id, time }));
  return { size, root, at, keyName, keyId, note, witnesses };
}

async function rowOf(
  ctx: QueryCtx,
  tree: string,
  size: number | undefined,
): Promise<Doc<"checkpoints"> | null> {
  return size === undefined ? await newestCheckpoint(ctx, tree) : await checkpointAt(ctx, tree, size);
}

function opened(row: Doc<"checkpoints">): { size: number; root: Uint8Array } {
  const keys = deploymentKeys();
  return openedCheckpoint(row, originOf(keys, row.tree), keys);
}

/** A checkpoint of a tree: the newest, or the one of a size; null when there is none. As stored, not verified. */
export const checkpoint = query({
  args: { tree: v.string(), size: v.optional(v.number()) },
  returns: v.union(v.null(), checkpointValidator),
  handler: async (ctx, { tree, size }) => {
    const row = await rowOf(ctx, tree, size);
    return row === null ? null : await published(ctx, row);
  },
});

/** Up to `limit` (at most 200) checkpoints of a tree after a size, by size. As stored, not verified. */
export const checkpointsAfter = query({
  args: { tree: v.string(), afterSize: v.number(), limit: v.number() },
  returns: v.array(checkpointValidator),
  handler: async (ctx, { tree, afterSize, limit }) => {
    const rows = await ctx.db
      .query("checkpoints")
      .withIndex("by_tree_and_size", (q) => q.eq("tree", tree).gt("size", afterSize))
      .take(Math.min(Math.max(1, Math.floor(limit)), 200));
    return await Promise.all(rows.map((row) => published(ctx, row)));
  },
});

/** The deployment's name and the public keys of its logs (verifier keys as text), the current one first. */
export const keys = query({
  args: {},
  returns: v.object({ deployment: v.string(), keys: v.array(v.string()) }),
  handler: () => {
    const of = deploymentKeys();
    const texts = verifierKeysOf(of, sha256Noble).map(formatVerifierKey);
    return Promise.resolve({ deployment: of.deployment, keys: texts });
  },
});

const placeValidator = v.object({
  /** The leaf's place, from 0. */
  index: v.number(),
  /** From the leaf up (RFC 9162 §2.1.3). */
  hashes: v.array(v.string()),
  checkpoint: checkpointValidator,
});

/** An event by its sequence, or by its id. */
async function eventRow(
  ctx: QueryCtx,
  { orgId, seq, eventId }: { orgId: string; seq?: number; eventId?: string },
): Promise<Doc<"events"> | null> {
  if (seq !== undefined) {
    return await ctx.db
      .query("events")
      .withIndex("by_orgId_and_seq", (q) => q.eq("orgId", orgId).eq("seq", seq))
      .unique();
  }
  if (eventId === undefined) return null;
  return await ctx.db
    .query("events")
    .withIndex("by_orgId_and_eventId", (q) => q.eq("orgId", orgId).eq("eventId", eventId))
    .unique();
}

/** One event, by sequence or id, held against its hash; null when there is none. Throws IntegrityError. */
export const event = query({
  args: { orgId: v.string(), seq: v.optional(v.number()), eventId: v.optional(v.string()) },
  returns: v.union(v.null(), v.object({ seq: v.number(), text: v.string(), hash: v.string() })),
  handler: async (ctx, args) => {
    const row = await eventRow(ctx, args);
    if (row === null) return null;
    return { seq: eventOfRow(row).seq, text: row.text, hash: row.hash };
  },
});

/**
 * The proof that an event is in the tree of a checkpoint: the newest, or the one of a size; null when there is no such
 * checkpoint or it does not cover the event.
 */
export const inclusion = query({
  args: { orgId: v.string(), seq: v.number(), size: v.optional(v.number()) },
  returns: v.union(v.null(), placeValidator),
  handler: async (ctx, { orgId, seq, size }) => {
    const row = await rowOf(ctx, orgId, size);
    const found = await eventRow(ctx, { orgId, seq });
    if (row === null || found === null || row.size < seq) return null;
    const leaf = { index: seq - 1, hash: eventLeafHash(found.hash, sha256Noble) };
    const proof = await proveInclusion(ctx, orgId, leaf, opened(row));
    return { index: leaf.index, hashes: proof.map(toHex), checkpoint: await published(ctx, row) };
  },
});

/**
 * The checkpoint of the log of logs that proves a leaf best: of those with more than `index` leaves the one that most
 * witnesses cosigned among the newest that any did, and the newest where none did. So a log that grows while witnesses
 * do not answer takes no proof away that there was.
 */
async function bestLogCheckpoint(ctx: QueryCtx, index: number): Promise<Doc<"checkpoints"> | null> {
  const cosignatures = await ctx.db
    .query("cosignatures")
    .withIndex("by_tree_and_size_and_witness_and_keyId", (q) => q.eq("tree", LOG_OF_LOGS).gt("size", index))
    .order("desc")
    .take(COSIGNED_MAX * COSIGNATURES_MAX);
  // From the newest size on; of equally many the newer one stays.
  const witnesses = new Map<number, number>();
  for (const { size } of cosignatures) witnesses.set(size, (witnesses.get(size) ?? 0) + 1);
  const [best] = [...witnesses].sort(([, one], [, other]) => other - one);
  if (best === undefined) return await newestCheckpoint(ctx, LOG_OF_LOGS);
  const [size] = best;
  const row = await checkpointAt(ctx, LOG_OF_LOGS, size);
  if (row === null) throw treeDamage(LOG_OF_LOGS, size, "a checkpoint that was cosigned is missing");
  return row;
}

/**
 * The proof that an organisation's checkpoint is in the log of logs, at the log's newest checkpoint that witnesses
 * cosigned where there is one; null until it is in it.
 */
export const anchor = query({
  args: { orgId: v.string(), size: v.number() },
  returns: v.union(v.null(), placeValidator),
  handler: async (ctx, { orgId, size }) => {
    const leaf = await ctx.db
      .query("logLeaves")
      .withIndex("by_orgId_and_size", (q) => q.eq("orgId", orgId).eq("size", size))
      .unique();
    if (leaf === null) return null;
    const row = await bestLogCheckpoint(ctx, leaf.index);
    if (row === null || row.size <= leaf.index) return null;
    const hash = hashFromHex(leaf.hash);
    if (hash === undefined) throw treeDamage(LOG_OF_LOGS, leaf.index + 1, "a stored hash is none");
    const proof = await proveInclusion(ctx, LOG_OF_LOGS, { index: leaf.index, hash }, opened(row));
    return { index: leaf.index, hashes: proof.map(toHex), checkpoint: await published(ctx, row) };
  },
});

/**
 * The proof that the tree of one checkpoint begins with that of an earlier one (RFC 9162 §2.1.4), with both notes;
 * null when there is no checkpoint of one of the sizes, or they are the wrong way round. From equal sizes it is empty.
 */
export const consistency = query({
  args: { tree: v.string(), fromSize: v.number(), toSize: v.number() },
  returns: v.union(
    v.null(),
    v.object({ hashes: v.array(v.string()), from: checkpointValidator, to: checkpointValidator }),
  ),
  handler: async (ctx, { tree, fromSize, toSize }) => {
    const from = await checkpointAt(ctx, tree, fromSize);
    const to = await checkpointAt(ctx, tree, toSize);
    if (from === null || to === null || fromSize > toSize) return null;
    const proof = await proveConsistency(ctx, tree, opened(from), opened(to));
    return { hashes: proof.map(toHex), from: await published(ctx, from), to: await published(ctx, to) };
  },
});

/**
 * The proof from any size up to that of a checkpoint: what a witness asks for. It begins with the root that the rows
 * give for that size, which need not be the one that the witness knows; null for a size that is above the checkpoint's.
 */
export const growth = query({
  args: { tree: v.string(), fromSize: v.number(), toSize: v.number() },
  returns: v.union(v.null(), v.array(v.string())),
  handler: async (ctx, { tree, fromSize, toSize }) => {
    const to = await checkpointAt(ctx, tree, toSize);
    if (to === null || fromSize > toSize) return null;
    if (fromSize === 0) return [];
    const from = { size: fromSize, root: await rootAt(ctx, tree, fromSize) };
    return (await proveConsistency(ctx, tree, from, opened(to))).map(toHex);
  },
});
