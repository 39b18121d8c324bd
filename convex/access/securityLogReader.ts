/** Reads the security log; `list` is the operator's way: internal, so only the deployment's key reaches it. */
import {
  paginationOptsValidator,
  paginationResultValidator,
  type PaginationOptions,
  type PaginationResult,
} from "convex/server";
import { v, type Infer } from "convex/values";
import { internalQuery } from "../_generated/server.js";
import { roleValidator, securityOutcomeValidator } from "../validators.ts";
import { tenantReader, type TenantReader } from "./tenantDb.ts";

const lineValidator = v.object({
  at: v.number(),
  outcome: securityOutcomeValidator,
  function: v.string(),
  code: v.string(),
  userId: v.string(),
  role: v.optional(roleValidator),
  field: v.optional(v.string()),
  detail: v.optional(v.string()),
  requestId: v.optional(v.string()),
  count: v.number(),
});

export const securityPageValidator = paginationResultValidator(lineValidator);

/** A page of one organisation's security log, newest first. */
export async function securityPage(
  tenant: TenantReader,
  options: PaginationOptions,
): Promise<PaginationResult<Infer<typeof lineValidator>>> {
  const result = await tenant.rows("securityLog", "by_orgId_and_at").order("desc").paginate(options);
  const page = result.page.map(({ _id, _creationTime, orgId, minute, ordinal, ...line }) => line);
  return { ...result, page };
}

export const list = internalQuery({
  args: { orgId: v.string(), paginationOpts: paginationOptsValidator },
  returns: securityPageValidator,
  handler: async (ctx, { orgId, paginationOpts }) =>
    await securityPage(tenantReader(ctx, orgId), paginationOpts),
});
