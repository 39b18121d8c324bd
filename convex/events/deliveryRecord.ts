/** A recorded delivery as lists and logs know it. */
import { v, type Infer } from "convex/values";
import type { Doc } from "./_generated/dataModel.js";
import type { QueryCtx } from "./_generated/server.js";
import { holderOf } from "./places.ts";
import { deliveryStatusValidator } from "./schema.ts";

/** What is known of a recorded delivery, for lists and logs. */
export const recordValidator = v.object({
  provider: v.literal("stripe"),
  deliveryId: v.string(),
  bodySha256: v.string(),
  type: v.string(),
  signedAt: v.number(),
  receivedAt: v.number(),
  status: deliveryStatusValidator,
  reason: v.union(v.null(), v.string()),
  /** The organisation that is concerned; null when none is known. */
  orgId: v.union(v.null(), v.string()),
});

/** Whom a delivery concerns: who was when it was kept, else who holds its account. */
export async function concernedOrg(ctx: QueryCtx, row: Doc<"deliveries">): Promise<string | null> {
  if (row.orgId !== undefined) return row.orgId;
  return row.account === undefined ? null : await holderOf(ctx, row.account);
}

/** A row as lists show it; `orgId`: whom it concerns, null when nobody that is known. */
export function recordOf(row: Doc<"deliveries">, orgId: string | null): Infer<typeof recordValidator> {
  const { deliveryId, bodySha256, type, signedAt, receivedAt, status, reason = null } = row;
  return {
    ...{ provider: "stripe" as const, deliveryId, bodySha256, type, signedAt, receivedAt, status },
    reason,
    orgId,
  };
}
