/**
 * The signed heads of the organisations' trees. A checkpoint is made only where the tree is proven to begin with the
 * one of the newest checkpoint before it (bounded reads: the two frontiers and one consistency proof), so that no two
 * ever contradict each other. What does not agree is answered as damage, and nothing is signed.
 *
 * The order matters: read tree and newest checkpoint → hold that row against its own note and the keys → prove the
 * new tree consistent with it → sign → insert the row and queue it for the log of logs.
 */
import { v, type Infer } from "convex/values";
import { frontierRoot } from "../../ledger/frontier.ts";
import { sha256Noble, toHex } from "../../ledger/hash.ts";
import { mutation, query, type MutationCtx, type QueryCtx } from "./_generated/server.js";
import type { Doc } from "./_generated/dataModel.js";
import {
  KeyMissing,
  newestCheckpoint,
  openedCheckpoint,
  organizationOrigin,
  signedRow,
} from "./checkpointRows.ts";
import { IntegrityError } from "./row.ts";
import { deploymentKeys } from "./signing.ts";
import { organizationTree, proveConsistency, type TreeHead } from "./trees.ts";

/** Where damage shows, and what it is. */
const damageValidator = v.object({ seq: v.number(), kind: v.string() });

const madeValidator = v.union(
  /** Signed now, or there already for the present head. */
  v.object({
    outcome: v.union(v.literal("made"), v.literal("current")),
    size: v.number(),
    root: v.string(),
    note: v.string(),
  }),
  /** No ledger. */
  v.object({ outcome: v.literal("empty") }),
  /** The tree does not have all events of the chain yet: `tree:catchUp` has to run first. */
  v.object({ outcome: v.literal("behind") }),
  /** The key that signed the newest one is configured no longer. */
  v.object({ outcome: v.literal("keyMissing"), keyId: v.string() }),
  v.object({ outcome: v.literal("damaged"), damage: damageValidator }),
);
type Made = Infer<typeof madeValidator>;

/** Signs a head that is proven to follow the newest checkpoint. Throws IntegrityError when it does not. */
async function sign(
  ctx: MutationCtx,
  tree: TreeHead & { head: Doc<"heads"> },
  newest: Doc<"checkpoints"> | null,
): Promise<Made> {
  const { tree: orgId, frontier } = tree;
  const keys = deploymentKeys();
  const { size } = frontier;
  const root = frontierRoot(frontier, sha256Noble);
  if (newest !== null) {
    const older = openedCheckpoint(newest, organizationOrigin(keys, orgId), keys);
    if (newest.size > size) {
      throw new IntegrityError("INV-13", orgId, size + 1, `a checkpoint of ${newest.size} events was signed`);
    }
    await proveConsistency(ctx, orgId, older, { size, root });
    if (newest.size === size) return { outcome: "current", size, root: newest.root, note: newest.note };
  }
  const row = signedRow(orgId, { origin: organizationOrigin(keys, orgId), size, root }, keys, Date.now());
  await ctx.db.insert("checkpoints", row);
  await ctx.db.insert("unloggedCheckpoints", { orgId, size });
  return { outcome: "made", size, root: toHex(root), note: row.note };
}

/** Makes the checkpoint of an organisation's present head, or finds it made. */
export const make = mutation({
  args: { orgId: v.string() },
  returns: madeValidator,
  handler: async (ctx, { orgId }): Promise<Made> => {
    try {
      const tree = await organizationTree(ctx, orgId);
      if (tree === null) return { outcome: "empty" };
      if (!tree.isCurrent) return { outcome: "behind" };
      return await sign(ctx, tree, await newestCheckpoint(ctx, orgId));
    } catch (error) {
      // Everything that throws so does it before the first write.
      if (error instanceof IntegrityError) return { outcome: "damaged", damage: error.damage };
      if (error instanceof KeyMissing) return { outcome: "keyMissing", keyId: error.keyId };
      throw error;
    }
  },
});

async function dueOf(
  ctx: QueryCtx,
  head: Doc<"heads">,
  { events, intervalMs, now }: { events: number; intervalMs: number; now: number },
): Promise<boolean> {
  if (head.treeSize !== head.seq) return true;
  const newest = await newestCheckpoint(ctx, head.orgId);
  const unsigned = head.seq - (newest?.size ?? 0);
  if (unsigned === 0) return false;
  // A head that is shorter than what was signed is due too: making its checkpoint says what is wrong.
  return unsigned < 0 || unsigned >= events || now - (newest?.at ?? 0) >= intervalMs;
}

/**
 * The organisations of one page, in the order of their ids, that are due for a checkpoint: as many new events as
 * `events`, or some and the newest checkpoint as old as `intervalMs`; also those whose tree is behind. `next` is where
 * to go on after, null at the end.
 */
export const due = query({
  args: {
    after: v.union(v.null(), v.string()),
    limit: v.number(),
    events: v.number(),
    intervalMs: v.number(),
    now: v.number(),
  },
  returns: v.object({ due: v.array(v.string()), next: v.union(v.null(), v.string()) }),
  handler: async (ctx, { after, limit, ...when }) => {
    const heads = await ctx.db
      .query("heads")
      .withIndex("by_orgId", (q) => q.gt("orgId", after ?? ""))
      .take(limit);
    const found: string[] = [];
    for (const head of heads) if (await dueOf(ctx, head, when)) found.push(head.orgId);
    return { due: found, next: heads.length < limit ? null : (heads.at(-1)?.orgId ?? null) };
  },
});
