/** Alerts for owners: what was unusual, newest first. */
import { paginationResultValidator } from "convex/server";
import { v } from "convex/values";
import { paginationOpts } from "../access/arguments.ts";
import { mapPage } from "./page.ts";
import { projectionQuery } from "./projectionQuery.ts";

export const list = projectionQuery({
  function: "projections/alerts:list",
  args: { paginationOpts },
  returns: paginationResultValidator(
    v.object({
      at: v.number(),
      kind: v.string(),
      userId: v.optional(v.string()),
      detail: v.optional(v.string()),
      deliveredAt: v.union(v.number(), v.null()),
    }),
  ),
  handler: async ({ tenant, args }) => {
    const result = await tenant.rows("alerts", "by_orgId_and_at").order("desc").paginate(args.paginationOpts);
    return mapPage(result, ({ _id, _creationTime, orgId, alertId, dedupeKey, outboxId, ...alert }) => alert);
  },
});
