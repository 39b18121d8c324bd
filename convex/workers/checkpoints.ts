/**
 * The job of the checkpoints: a round looks at every organisation, page after page, and signs those that are due, each
 * in a transaction of its own; then the log of logs takes them in and is signed, and witnesses are offered it. Every
 * step is bounded and schedules what comes after; a step that is lost is made up for by the next round.
 */
import { v } from "convex/values";
import { isId } from "../../ledger/ids.ts";
import { internal } from "../_generated/api.js";
import { internalMutation, type MutationCtx } from "../_generated/server.js";
import { alertOfEvidence, alertOfMissingKey, freezeForDamage } from "../access/damage.ts";
import { environment } from "../access/environment.ts";
import { integrityFreezeOf } from "../access/lifecycle.ts";
import {
  catchUpTree,
  dueForCheckpoint,
  extendLogOfLogs,
  keepLines,
  keyMissingOf,
  logDamage,
  makeCheckpoint,
  recordTreeIncident,
} from "./ledgerCheck.ts";

const PAGE = 50;
const MINUTE_MS = 60_000;
const FOUND = { actor: "system/checkpoints", by: "workers/checkpoints" };

/** Looks at a page of organisations; without a position, begins a round. The end of a round goes to the log of logs. */
export const next = internalMutation({
  args: { after: v.optional(v.string()) },
  returns: v.null(),
  handler: async (ctx, { after }) => {
    const { DAYBOOK_CHECKPOINT_EVENTS: events, DAYBOOK_CHECKPOINT_INTERVAL_MINUTES: minutes } = environment();
    const found = await dueForCheckpoint(ctx, {
      after: after ?? null,
      limit: PAGE,
      events,
      intervalMs: minutes * MINUTE_MS,
      now: Date.now(),
    });
    for (const orgId of found.due) {
      await ctx.scheduler.runAfter(0, internal.workers.checkpoints.sign, { orgId });
    }
    if (found.next === null) await ctx.scheduler.runAfter(0, internal.workers.checkpoints.log, {});
    else await ctx.scheduler.runAfter(0, internal.workers.checkpoints.next, { after: found.next });
    return null;
  },
});

/** Signs one organisation's head, after bringing its tree up to its chain where it is older than the trees. */
export const sign = internalMutation({
  args: { orgId: v.string() },
  returns: v.union(
    v.literal("made"),
    v.literal("current"),
    v.literal("empty"),
    v.literal("behind"),
    v.literal("keyMissing"),
    v.literal("damaged"),
    v.literal("frozen"),
  ),
  handler: async (ctx, { orgId }) => {
    // Nothing is signed over what may be damaged.
    if ((await integrityFreezeOf(ctx, orgId)) !== null) return "frozen";
    const made = await makeCheckpoint(ctx, orgId);
    if (made.outcome === "damaged") await freezeForDamage(ctx, orgId, made.damage, FOUND);
    if (made.outcome === "keyMissing") await alertOfMissingKey(ctx, orgId, made.keyId);
    if (made.outcome === "behind") await followChain(ctx, orgId);
    return made.outcome;
  },
});

/** Reads some of the events that the tree lacks, and comes back. */
async function followChain(ctx: MutationCtx, orgId: string): Promise<void> {
  const caught = await catchUpTree(ctx, orgId);
  if (caught.outcome === "damaged") await freezeForDamage(ctx, orgId, caught.damage, FOUND);
  else await ctx.scheduler.runAfter(0, internal.workers.checkpoints.sign, { orgId });
}

/**
 * Takes queued checkpoints into the log of logs and signs it; comes back while there are more, then offers the log's
 * newest checkpoint to the witnesses, and that of the organisation `offer` besides. `after` is where it comes back to
 * in the queue.
 */
export const log = internalMutation({
  args: { offer: v.optional(v.string()), after: v.optional(v.number()) },
  returns: v.union(v.literal("extended"), v.literal("keyMissing"), v.literal("damaged")),
  handler: async (ctx, { offer, after }) => {
    const extended = await extendLogOfLogs(ctx, after === undefined ? {} : { after });
    if (extended.outcome === "keyMissing") await recordTreeIncident(ctx, keyMissingOf("the log"));
    if (extended.outcome === "damaged") {
      await recordTreeIncident(ctx, logDamage(extended.damage));
    }
    if (extended.outcome !== "extended") return extended.outcome;
    for (const { orgId, damage } of extended.damaged) await freezeForDamage(ctx, orgId, damage, FOUND);
    if (extended.waiting > 0) await recordTreeIncident(ctx, keyMissingOf("queued checkpoints"));
    if (extended.next !== null) {
      const args = { after: extended.next, ...(offer === undefined ? {} : { offer }) };
      await ctx.scheduler.runAfter(0, internal.workers.checkpoints.log, args);
    } else if (environment().DAYBOOK_WITNESSES.length > 0 && extended.size > 0) {
      const trees = offer === undefined ? [] : [offer];
      await ctx.scheduler.runAfter(0, internal.effects.witnesses.offer, { trees });
    }
    return extended.outcome;
  },
});

/** Keeps the witnesses' signature lines of a checkpoint that verify; answers how many are new. */
export const keepCosignatures = internalMutation({
  args: { tree: v.string(), size: v.number(), lines: v.string(), witnesses: v.array(v.string()) },
  returns: v.number(),
  handler: async (ctx, args) => await keepLines(ctx, args),
});

/**
 * A witness does not find what it cosigned in what we offer: the database was set back, or somebody was shown another
 * tree. Or the witness is wrong: its answer carries no signature, so it is kept and told, and nothing stops for it. The
 * organisation's ledger is looked at now, and damage that shows in it freezes as ever.
 */
export const witnessDisagrees = internalMutation({
  args: { tree: v.string(), size: v.number(), detail: v.string() },
  returns: v.null(),
  handler: async (ctx, { tree, size, detail }) => {
    const incident = { tree, kind: "witness disagrees", detail: `size ${size}: ${detail}` };
    const isNew = await recordTreeIncident(ctx, incident);
    if (!isNew || !isId("org", tree)) return null;
    await alertOfEvidence(ctx, tree, { code: "WITNESS_DISAGREES", detail: incident.detail }, FOUND);
    await ctx.scheduler.runAfter(0, internal.workers.integrity.step, { orgId: tree, inRound: false });
    return null;
  },
});
