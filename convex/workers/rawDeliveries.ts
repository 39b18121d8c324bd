/** Removes raw bodies of deliveries when their time is over, a few per transaction. */
import { v } from "convex/values";
import { internal } from "../_generated/api.js";
import { internalMutation } from "../_generated/server.js";
import { RAW_KEPT_MS, removeBodiesBefore } from "../vault/rawDeliveries.ts";

/** Removes those that came before a moment (milliseconds UTC), 30 days ago when none is given, and goes on until none is left. */
export const next = internalMutation({
  args: { before: v.optional(v.number()) },
  returns: v.null(),
  handler: async (ctx, { before }) => {
    const removed = await removeBodiesBefore(ctx, before ?? Date.now() - RAW_KEPT_MS);
    if (removed > 0)
      await ctx.scheduler.runAfter(
        0,
        internal.workers.rawDeliveries.next,
        before === undefined ? {} : { before },
      );
    return null;
  },
});
