import { v } from "convex/values";
import { internal } from "../_generated/api.js";
import { freezeForDamage } from "../access/damage.ts";
import { Refusal } from "../access/errors.ts";
import { decideBeginExport, ledgerExport } from "../domain/export.ts";
import { commandMutation } from "../pipeline/commandMutation.ts";
import { evidenceMutation } from "../pipeline/evidenceMutation.ts";
import { makeCheckpoint } from "../pipeline/ledger.ts";

/**
 * Records that the caller begins to read the whole ledger, and pins the head that the export covers: sequence
 * `receipt.firstSeq - 1` with the hash `headHash`. The record itself lies after it.
 */
export const beginExport = commandMutation({
  function: "commands/ledger:beginExport",
  args: {},
  result: { exportId: v.string(), headHash: v.string() },
  aggregate: ledgerExport,
  facts: async ({ head }) => ({ head: await head() }),
  decide: ({ facts, context }) => decideBeginExport(facts, context),
});

/**
 * Signs a checkpoint of the present head, or finds it signed: `size` events, the signed note. It is no event of the
 * ledger, so that a checkpoint covers the newest event there is and a frozen organisation can have one; the note itself
 * is the record. CONFLICT while the tree of an older ledger is being made, or a signing key is missing; a tree that does
 * not begin with what was signed before freezes the organisation: ORG_FROZEN.
 */
export const requestCheckpoint = evidenceMutation({
  function: "commands/ledger:requestCheckpoint",
  args: {},
  result: { size: v.number(), root: v.string(), checkpoint: v.string() },
  run: async (ctx, { orgId }) => {
    const made = await makeCheckpoint(ctx, orgId);
    if (made.outcome === "damaged") {
      const by = "commands/ledger:requestCheckpoint";
      await freezeForDamage(ctx, orgId, made.damage, { actor: "system/checkpoints", by });
      throw new Refusal("ORG_FROZEN");
    }
    if (made.outcome === "behind") {
      await ctx.scheduler.runAfter(0, internal.workers.checkpoints.sign, { orgId });
    }
    if (made.outcome !== "made" && made.outcome !== "current") throw new Refusal("CONFLICT");
    if (made.outcome === "made") {
      // A member waits for this one, so it is not left to the next round: log of logs, then the witnesses.
      await ctx.scheduler.runAfter(0, internal.workers.checkpoints.log, { offer: orgId });
    }
    const { size, root, note } = made;
    return { size, root, checkpoint: note };
  },
});
