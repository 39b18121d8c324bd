/**
 * The integrity check: one organisation after another, one page of its ledger per transaction, each of which
 * schedules the next. Damage freezes the organisation outside of its ledger. A step that is lost ends the round;
 * the next round begins anew.
 */
import { v } from "convex/values";
import { internal } from "../_generated/api.js";
import { internalMutation, type MutationCtx } from "../_generated/server.js";
import { freezeForDamage, isRemoved } from "../access/damage.ts";
import { tenantReader, tenantWriter } from "../access/tenantDb.ts";
import { checkLogPage, checkPage, logDamage, organizationAfter, recordTreeIncident } from "./ledgerCheck.ts";

const BY = "workers/integrity";

const position = v.object({
  seq: v.number(),
  hash: v.string(),
  recordedAt: v.number(),
  frontier: v.array(v.string()),
});

/** Begins a round, and the search for orphaned rows with it, or goes on with the organisation after one. */
export const next = internalMutation({
  args: { after: v.optional(v.string()) },
  returns: v.null(),
  handler: async (ctx, { after }) => {
    if (after === undefined)
      await ctx.scheduler.runAfter(0, internal.workers.orphans.step, { inRound: true });
    const orgId = await organizationAfter(ctx, after ?? null);
    if (orgId === null) await ctx.scheduler.runAfter(0, internal.workers.integrity.logStep, {});
    else await ctx.scheduler.runAfter(0, internal.workers.integrity.step, { orgId, inRound: true });
    return null;
  },
});

/** Checks a page of the log of logs, and schedules the next. */
export const logStep = internalMutation({
  args: { from: v.optional(v.object({ seq: v.number(), frontier: v.array(v.string()) })) },
  returns: v.union(v.literal("sound"), v.literal("done"), v.literal("damaged")),
  handler: async (ctx, args) => {
    const checked = await checkLogPage(ctx, args);
    if (checked.outcome === "sound") {
      await ctx.scheduler.runAfter(0, internal.workers.integrity.logStep, { from: checked.at });
    }
    if (checked.outcome !== "damaged") return checked.outcome;
    const { orgId, damage } = checked;
    if (orgId !== null) await freezeForDamage(ctx, orgId, damage, { actor: "system/integrity", by: BY });
    else await recordTreeIncident(ctx, logDamage(damage));
    return checked.outcome;
  },
});

async function keepHead(ctx: MutationCtx, orgId: string, head: { seq: number; hash: string }): Promise<void> {
  const tenant = tenantWriter(ctx, orgId);
  if (await isRemoved(ctx, orgId)) return;
  const known = await tenant.rows("verifiedHeads", "by_orgId").unique();
  const row = { seq: head.seq, hash: head.hash, at: Date.now() };
  if (known === null) await tenant.insert("verifiedHeads", row);
  else await tenant.replace("verifiedHeads", known, row);
}

/** Checks a page of one organisation's ledger; in a round, what comes after it is scheduled. */
export const step = internalMutation({
  args: { orgId: v.string(), from: v.optional(position), inRound: v.boolean() },
  returns: v.union(v.literal("sound"), v.literal("done"), v.literal("damaged")),
  handler: async (ctx, { orgId, from, inRound }) => {
    const known = await tenantReader(ctx, orgId).rows("verifiedHeads", "by_orgId").unique();
    const knownHead = known === null ? null : { seq: known.seq, hash: known.hash };
    const checked = await checkPage(ctx, { orgId, knownHead, ...(from === undefined ? {} : { from }) });
    if (checked.outcome === "sound") {
      const args = { orgId, from: checked.at, inRound };
      await ctx.scheduler.runAfter(0, internal.workers.integrity.step, args);
      return checked.outcome;
    }
    if (checked.outcome === "damaged")
      await freezeForDamage(ctx, orgId, checked.damage, { actor: "system/integrity", by: BY });
    else await keepHead(ctx, orgId, checked.at);
    if (inRound) await ctx.scheduler.runAfter(0, internal.workers.integrity.next, { after: orgId });
    return checked.outcome;
  },
});

/** Freezes for damage that an auditor reported, without waiting for the check. */
export const report = internalMutation({
  args: { orgId: v.string(), seq: v.number(), kind: v.string() },
  returns: v.null(),
  handler: async (ctx, { orgId, seq, kind }) => {
    await freezeForDamage(ctx, orgId, { seq, kind }, { actor: "operator/report", by: BY });
    return null;
  },
});
