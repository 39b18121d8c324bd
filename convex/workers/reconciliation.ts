/**
 * The comparison of payments with Stripe, one organisation after another. Each organisation's own round is a chain of
 * bounded steps of effects/reconciliation, which comes back here for the next one; a step that is lost ends the round,
 * and the next day's begins anew.
 */
import { v } from "convex/values";
import { internal } from "../_generated/api.js";
import { internalMutation } from "../_generated/server.js";
import { stripeSettings } from "../access/stripeSettings.ts";
import { organizationAfter } from "./ledgerCheck.ts";

/** Begins a round, or goes on with the organisation after one. */
export const next = internalMutation({
  args: { after: v.optional(v.string()) },
  returns: v.null(),
  handler: async (ctx, { after }) => {
    if (stripeSettings() === null) return null;
    const orgId = await organizationAfter(ctx, after ?? null);
    if (orgId !== null) {
      await ctx.scheduler.runAfter(0, internal.effects.reconciliation.step, { orgId, at: null });
    }
    return null;
  },
});
