import { v } from "convex/values";
import { sequence } from "../access/fields.ts";
import { decideBeginReading, reading } from "../domain/reading.ts";
import { commandMutation } from "../pipeline/commandMutation.ts";

/**
 * Records that the caller begins to read the lines of the audit log from one sequence to another, both included, and
 * opens them to the caller: `projections/auditLog:range` gives them.
 */
export const beginReading = commandMutation({
  function: "commands/auditLog:beginReading",
  args: { fromSeq: sequence, toSeq: sequence },
  result: { readingId: v.string() },
  aggregate: reading,
  facts: async ({ head }) => ({ headSeq: (await head()).seq }),
  decide: ({ args, facts, context }) => decideBeginReading(args, facts, context),
});
