/** Whether the rounds of the integrity check come to their ends: one that does not would be a silent one. */
import { v } from "convex/values";
import { mutation } from "./_generated/server.js";

/** A round that began so long ago does not run any longer. */
const ROUND_MS_MAX = 12 * 60 * 60 * 1000;

/**
 * Begins a round. Answers when the one before began, in milliseconds UTC, where that is twelve hours ago and it has no
 * end; null otherwise.
 */
export const begin = mutation({
  args: {},
  returns: v.union(v.null(), v.number()),
  handler: async (ctx) => {
    const begunAt = Date.now();
    const before = await ctx.db.query("checkRounds").first();
    if (before === null) await ctx.db.insert("checkRounds", { begunAt, endedAt: null });
    else await ctx.db.patch("checkRounds", before._id, { begunAt, endedAt: null });
    const isLost = before !== null && before.endedAt === null && begunAt - before.begunAt >= ROUND_MS_MAX;
    return isLost ? before.begunAt : null;
  },
});

/** Ends the round that runs. */
export const end = mutation({
  args: {},
  returns: v.null(),
  handler: async (ctx) => {
    const round = await ctx.db.query("checkRounds").first();
    if (round !== null) await ctx.db.patch("checkRounds", round._id, { endedAt: Date.now() });
    return null;
  },
});
