/** The security log for operators: internal, so only the deployment's key reaches it. */
import { paginationOptsValidator, paginationResultValidator } from "convex/server";
import { v } from "convex/values";
import { internalQuery } from "../_generated/server.js";
import { roleValidator } from "../schema.ts";
import { tenantReader } from "./tenantDb.ts";

export const list = internalQuery({
  args: { orgId: v.string(), paginationOpts: paginationOptsValidator },
  returns: paginationResultValidator(
    v.object({
      at: v.number(),
      function: v.string(),
      code: v.string(),
      userId: v.string(),
      role: v.optional(roleValidator),
      field: v.optional(v.string()),
      detail: v.optional(v.string()),
    }),
  ),
  handler: async (ctx, { orgId, paginationOpts }) => {
    const result = await tenantReader(ctx, orgId)
      .rows("securityLog", "by_orgId_and_at")
      .order("desc")
      .paginate(paginationOpts);
    const page = result.page.map(({ _id, _creationTime, orgId: _, ...row }) => row);
    return { ...result, page };
  },
});
