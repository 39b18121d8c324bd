/**
 * The integrity check: one organisation after another, one page of its ledger per transaction, each of which
 * schedules the next. Damage freezes the organisation outside of its ledger. What throws for one organisation is told
 * and ends nobody else's check; a step that is lost ends the round, the next round begins anew and tells it.
 */
import { v, type Infer } from "convex/values";
import { internal } from "../_generated/api.js";
import { internalMutation, type MutationCtx } from "../_generated/server.js";
import { alertOfEvidence, alertOfMissingKey, freezeForDamage, isRemoved } from "../access/damage.ts";
import { tenantReader, tenantWriter } from "../access/tenantDb.ts";
import {
  beginRound,
  checkLogPage,
  checkPage,
  checkUnfinished,
  endRound,
  keyMissingOf,
  logDamage,
  organizationAfter,
  recordTreeIncident,
} from "./ledgerCheck.ts";

const FOUND = { actor: "system/integrity", by: "workers/integrity" };

const position = v.object({
  seq: v.number(),
  hash: v.string(),
  recordedAt: v.number(),
  frontier: v.array(v.string()),
});
const lookedValidator = v.union(
  v.object({ outcome: v.literal("sound"), at: position }),
  v.object({ outcome: v.union(v.literal("done"), v.literal("damaged")) }),
);
type Looked = Infer<typeof lookedValidator>;

/** Begins a round, and the search for orphaned rows with it, or goes on with the organisation after one. */
export const next = internalMutation({
  args: { after: v.optional(v.string()) },
  returns: v.null(),
  handler: async (ctx, { after }) => {
    if (after === undefined) {
      await ctx.scheduler.runAfter(0, internal.workers.orphans.step, { inRound: true });
      const lost = await beginRound(ctx);
      if (lost !== null) await recordTreeIncident(ctx, checkUnfinished(lost));
    }
    const orgId = await organizationAfter(ctx, after ?? null);
    if (orgId === null) await ctx.scheduler.runAfter(0, internal.workers.integrity.logStep, {});
    else await ctx.scheduler.runAfter(0, internal.workers.integrity.step, { orgId, inRound: true });
    return null;
  },
});

/** Checks a page of the log of logs, and schedules the next. Organisations' damage that shows in it ends nothing. */
export const logStep = internalMutation({
  args: { from: v.optional(v.object({ seq: v.number(), frontier: v.array(v.string()) })) },
  returns: v.union(v.literal("sound"), v.literal("done"), v.literal("damaged")),
  handler: async (ctx, args) => {
    const checked = await checkLogPage(ctx, args);
    for (const { orgId, damage } of checked.damaged) await freezeForDamage(ctx, orgId, damage, FOUND);
    if (checked.outcome === "damaged") await recordTreeIncident(ctx, logDamage(checked.damage));
    else if (checked.missingKey !== null) await recordTreeIncident(ctx, keyMissingOf("the log"));
    if (checked.outcome === "sound") {
      await ctx.scheduler.runAfter(0, internal.workers.integrity.logStep, { from: checked.at });
    } else await endRound(ctx);
    return checked.damaged.length > 0 ? "damaged" : checked.outcome;
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

/** Looks at a page of one organisation's ledger. A transaction inside of the step's: what throws is undone alone. */
export const look = internalMutation({
  args: { orgId: v.string(), from: v.optional(position) },
  returns: lookedValidator,
  handler: async (ctx, { orgId, from }): Promise<Looked> => {
    const known = await tenantReader(ctx, orgId).rows("verifiedHeads", "by_orgId").unique();
    const knownHead = known === null ? null : { seq: known.seq, hash: known.hash };
    const checked = await checkPage(ctx, { orgId, knownHead, ...(from === undefined ? {} : { from }) });
    if (checked.outcome === "damaged") {
      await freezeForDamage(ctx, orgId, checked.damage, FOUND);
      return { outcome: "damaged" };
    }
    if (checked.missingKey !== null) await alertOfMissingKey(ctx, orgId, checked.missingKey);
    if (checked.outcome === "sound") return { outcome: "sound", at: checked.at };
    await keepHead(ctx, orgId, checked.at);
    return { outcome: "done" };
  },
});

/** Looks, and tells of a look that came to nothing. */
async function looked(
  ctx: MutationCtx,
  args: { orgId: string; from?: Infer<typeof position> },
): Promise<Looked | { outcome: "failed" }> {
  try {
    return await ctx.runMutation(internal.workers.integrity.look, args);
  } catch (error) {
    const detail = `after sequence ${args.from?.seq ?? 0}`;
    console.error(`INV-02 ${args.orgId} could not be checked ${detail}`, error);
    await alertOfEvidence(ctx, args.orgId, { code: "CHECK_FAILED", detail }, FOUND);
    return { outcome: "failed" };
  }
}

/** Checks a page of one organisation's ledger; in a round, what comes after it is scheduled. */
export const step = internalMutation({
  args: { orgId: v.string(), from: v.optional(position), inRound: v.boolean() },
  returns: v.union(v.literal("sound"), v.literal("done"), v.literal("damaged"), v.literal("failed")),
  handler: async (ctx, { orgId, from, inRound }) => {
    const found = await looked(ctx, { orgId, ...(from === undefined ? {} : { from }) });
    if (found.outcome === "sound") {
      const args = { orgId, from: found.at, inRound };
      await ctx.scheduler.runAfter(0, internal.workers.integrity.step, args);
    } else if (inRound) await ctx.scheduler.runAfter(0, internal.workers.integrity.next, { after: orgId });
    return found.outcome;
  },
});

/** Freezes for damage that an auditor reported, without waiting for the check. */
export const report = internalMutation({
  args: { orgId: v.string(), seq: v.number(), kind: v.string() },
  returns: v.null(),
  handler: async (ctx, { orgId, seq, kind }) => {
    await freezeForDamage(ctx, orgId, { seq, kind }, { ...FOUND, actor: "operator/report" });
    return null;
  },
});
