import { v } from "convex/values";
import { decideBeginExport, ledgerExport } from "../domain/export.ts";
import { commandMutation } from "../pipeline/commandMutation.ts";

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
