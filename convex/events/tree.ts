/** Brings the tree of a ledger that is older than the trees up to its chain, in bounded steps. */
import { v, type Infer } from "convex/values";
import { sha256Noble } from "../../ledger/hash.ts";
import { eventLeafHash } from "../../ledger/merkle.ts";
import { mutation, type MutationCtx } from "./_generated/server.js";
import { eventOfRow, IntegrityError } from "./row.ts";
import { growTree, organizationTree, storedFrontier, treeDamage } from "./trees.ts";

/** Events that one step reads. */
const STEP = 500;

const caughtUpValidator = v.union(
  v.object({ outcome: v.literal("grown"), left: v.number() }),
  v.object({ outcome: v.literal("damaged"), damage: v.object({ seq: v.number(), kind: v.string() }) }),
);

/** Adds the next events to a tree that is behind; answers how many are left. Throws IntegrityError before it writes. */
async function grow(ctx: MutationCtx, orgId: string): Promise<number> {
  const tree = await organizationTree(ctx, orgId);
  if (tree === null || tree.isCurrent) return 0;
  const { frontier, head } = tree;
  const rows = await ctx.db
    .query("events")
    .withIndex("by_orgId_and_seq", (q) => q.eq("orgId", orgId).gt("seq", frontier.size))
    .take(STEP);
  const leaves = rows.map((row, offset) => {
    const seq = frontier.size + offset + 1;
    if (eventOfRow(row).seq !== seq) throw treeDamage(orgId, seq, "the chain has a gap");
    return eventLeafHash(row.hash, sha256Noble);
  });
  if (leaves.length === 0) {
    throw treeDamage(orgId, frontier.size + 1, "the chain is shorter than its head says");
  }
  const grown = await growTree(ctx, orgId, frontier, leaves);
  await ctx.db.patch("heads", head._id, storedFrontier(grown));
  return head.seq - grown.size;
}

/**
 * Adds up to 500 events to a tree that is behind its chain, and answers how many are left; 0 for a tree that has them
 * all. Meanwhile appends leave the tree where it is. A damaged event is answered, and nothing written.
 */
export const catchUp = mutation({
  args: { orgId: v.string() },
  returns: caughtUpValidator,
  handler: async (ctx, { orgId }): Promise<Infer<typeof caughtUpValidator>> => {
    try {
      return { outcome: "grown", left: await grow(ctx, orgId) };
    } catch (error) {
      if (error instanceof IntegrityError) return { outcome: "damaged", damage: error.damage };
      throw error;
    }
  },
});
