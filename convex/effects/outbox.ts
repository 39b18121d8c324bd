/** What every effect begins with, and what the operator sees and does of them. Each kind settles in the file of its action. */
import { v } from "convex/values";
import { internalMutation, internalQuery } from "../_generated/server.js";
import { claimEffect, retryEffects } from "../access/outbox.ts";
import { tenantReader } from "../access/tenantDb.ts";
import { effectErrorValidator, effectKindValidator, effectStatusValidator } from "../validators.ts";

const LISTED_MAX = 100;

/** Makes a due effect the caller's for the time of a lease; null when there is nothing to do. */
export const claim = internalMutation({
  args: { orgId: v.string(), outboxId: v.string() },
  returns: v.union(
    v.null(),
    v.object({
      kind: effectKindValidator,
      subject: v.string(),
      idempotencyKey: v.string(),
      attempt: v.number(),
      isTakenOver: v.boolean(),
      createdAt: v.number(),
    }),
  ),
  handler: async (ctx, of) => await claimEffect(ctx, of),
});

/** The operator's view of an organisation's effects in one state, oldest first, at most 100. */
export const list = internalQuery({
  args: { orgId: v.string(), status: effectStatusValidator },
  returns: v.array(
    v.object({
      outboxId: v.string(),
      kind: effectKindValidator,
      subject: v.string(),
      attempts: v.number(),
      notBefore: v.number(),
      updatedAt: v.number(),
      lastError: v.union(effectErrorValidator, v.null()),
    }),
  ),
  handler: async (ctx, { orgId, status }) => {
    const rows = await tenantReader(ctx, orgId)
      .rows("outbox", "by_orgId_and_status", (q) => q.eq("status", status))
      .take(LISTED_MAX);
    return rows.map(
      ({ _id, _creationTime, orgId: _, idempotencyKey, neverRests, status: _s, createdAt, ...row }) => row,
    );
  },
});

/** Begins what waits, has failed or hangs anew, without waiting for its time; returns how many, at most 100. */
export const retry = internalMutation({
  args: { orgId: v.string() },
  returns: v.number(),
  handler: async (ctx, { orgId }) => await retryEffects(ctx, orgId),
});
