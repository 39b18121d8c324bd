/** Removal of what an organisation's idempotency keys did. Its events and its head are out of this file's reach. */
import { v } from "convex/values";
import { mutation } from "./_generated/server.js";
import { isClosed } from "./closed.ts";
import { IntegrityError } from "./row.ts";

const REMOVE_MAX = 200;

/**
 * Removes up to 200 receipts of an organisation whose last word on itself is that it is closed, and returns how
 * many; 0 when none is left. Throws IntegrityError for any other organisation.
 */
export const removeOfClosed = mutation({
  args: { orgId: v.string() },
  returns: v.number(),
  handler: async (ctx, { orgId }) => {
    if (!(await isClosed(ctx, orgId))) {
      throw new IntegrityError("INV-05", orgId, 0, "receipts of an organisation that is not closed");
    }
    const rows = await ctx.db
      .query("receipts")
      .withIndex("by_orgId_and_actorId_and_command_and_key", (q) => q.eq("orgId", orgId))
      .take(REMOVE_MAX);
    for (const row of rows) await ctx.db.delete("receipts", row._id);
    return rows.length;
  },
});
