/**
 * Removes what is left of closed organisations once their owners had their time to export. One step a transaction,
 * each schedules the next; a step that is lost is taken up again by the cron, at the first table that has rows.
 */
import { v } from "convex/values";
import { internal } from "../_generated/api.js";
import type { Doc } from "../_generated/dataModel.js";
import { internalMutation, type MutationCtx } from "../_generated/server.js";
import { operatorName, parseOperator } from "../access/operators.ts";
import { tombstoneOf } from "../access/lifecycle.ts";
import { tenantWriter } from "../access/tenantDb.ts";
import { CASCADE } from "./cascade.ts";

/** When a removal is tried again that could not go on. */
const RETRY_MS = 24 * 60 * 60 * 1000;

/** Removes rows of the first table that has some. Answers whether there were any. */
async function removeSome(ctx: MutationCtx, orgId: string): Promise<boolean> {
  for (const [, remove] of CASCADE) if ((await remove(ctx, orgId)) > 0) return true;
  return false;
}

/**
 * One step; the tombstone gets its date when no table has rows any more. A step that fails, as on a ledger whose
 * closing is damaged, is put off for a day, so that no organisation holds up the others.
 */
async function step(ctx: MutationCtx, tombstone: Doc<"closedOrganizations">): Promise<void> {
  const { orgId, _id, _creationTime, ...row } = tombstone;
  const tenant = tenantWriter(ctx, orgId);
  try {
    if (await removeSome(ctx, orgId)) return;
    await tenant.replace("closedOrganizations", tombstone, { ...row, removedAt: Date.now() });
  } catch (error) {
    console.error(`the removal of ${orgId} is put off: ${String(error)}`);
    const removeAfter = Date.now() + RETRY_MS;
    await tenant.replace("closedOrganizations", tombstone, { ...row, removeAfter });
  }
}

/** One step for the organisation whose time came first; schedules the next while there is one. */
export const next = internalMutation({
  args: {},
  returns: v.null(),
  handler: async (ctx) => {
    const due = await ctx.db
      .query("closedOrganizations")
      .withIndex("by_removedAt_and_removeAfter", (q) =>
        q.eq("removedAt", null).lte("removeAfter", Date.now()),
      )
      .first();
    if (due === null) return null;
    await step(ctx, due);
    await ctx.scheduler.runAfter(0, internal.workers.closing.next, {});
    return null;
  },
});

/**
 * Brings an organisation's removal forward, on its owners' wish, and keeps which operator did in what stays of it.
 * Answers false when it is not closed, or was removed already.
 */
export const removeNow = internalMutation({
  args: { orgId: v.string(), operator: operatorName },
  returns: v.boolean(),
  handler: async (ctx, { orgId, operator }) => {
    const name = parseOperator(operator);
    const tombstone = await tombstoneOf(ctx, orgId);
    if (tombstone === null || tombstone.removedAt !== null) return false;
    const { _id, _creationTime, orgId: _, ...row } = tombstone;
    const now = Date.now();
    await tenantWriter(ctx, orgId).replace("closedOrganizations", tombstone, {
      ...row,
      removeAfter: Math.min(row.removeAfter, now),
      broughtForward: { at: now, operator: name },
    });
    const what = {
      outcome: "changed",
      function: "workers/closing:removeNow",
      code: "REMOVAL_BROUGHT_FORWARD",
    };
    console.warn(JSON.stringify({ security: { ...what, userId: `operator/${name}`, orgId } }));
    await ctx.scheduler.runAfter(0, internal.workers.closing.next, {});
    return true;
  },
});
