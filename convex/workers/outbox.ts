/**
 * Takes up effects that no action runs: the host schedules an action at most once, and a crash loses it. One page of
 * all organisations' rows per transaction, each of which schedules the next; it changes no row, because the action's claim
 * decides.
 */
import { v } from "convex/values";
import { internal } from "../_generated/api.js";
import { internalMutation } from "../_generated/server.js";
import { scheduleEffect } from "../access/outbox.ts";

const PAGE = 50;

/** Schedules the actions of a page of effects that are due, or whose lease has ended; without a position, of the first. */
export const next = internalMutation({
  args: {
    at: v.optional(
      v.object({
        status: v.union(v.literal("pending"), v.literal("running")),
        /** Milliseconds UTC, as the round began, so that it ends. */
        dueBy: v.number(),
        cursor: v.union(v.string(), v.null()),
      }),
    ),
  },
  returns: v.null(),
  handler: async (ctx, { at }) => {
    const { status, dueBy, cursor } = at ?? { status: "pending", dueBy: Date.now(), cursor: null };
    const due = await ctx.db
      .query("outbox")
      .withIndex("by_status_and_notBefore", (q) => q.eq("status", status).lte("notBefore", dueBy))
      .paginate({ numItems: PAGE, cursor });
    for (const row of due.page) await scheduleEffect(ctx, row);
    const following = due.isDone
      ? status === "pending" && ({ status: "running", dueBy, cursor: null } as const)
      : { status, dueBy, cursor: due.continueCursor };
    if (following !== false) await ctx.scheduler.runAfter(0, internal.workers.outbox.next, { at: following });
    return null;
  },
});
