/**
 * The organisation's own list of deliveries that concern it. The ledger component's record is the authority; a row here
 * follows it in the same transaction, and holds ids, types and reasons only.
 */
import type { MutationCtx } from "../_generated/server.js";
import type { Doc } from "../_generated/dataModel.js";
import { tenantWriter } from "./tenantDb.ts";

type Row = Doc<"deliveries">;

/** A delivery as the ledger component tells it. */
export type DeliveryRecord = Pick<
  Row,
  "provider" | "deliveryId" | "bodySha256" | "type" | "signedAt" | "receivedAt" | "reason"
> & {
  status: Row["status"] | "received";
  orgId: string | null;
};

/** Writes a delivery's row, or the change of it. Answers whether it tells anything new. */
export async function listDelivery(
  ctx: Pick<MutationCtx, "db">,
  orgId: string,
  { orgId: _orgId, status, ...record }: DeliveryRecord,
): Promise<boolean> {
  if (status === "received") throw new Error("a delivery is listed when it is decided");
  const tenant = tenantWriter(ctx, orgId);
  const { deliveryId, bodySha256 } = record;
  const known = await tenant
    .rows("deliveries", "by_orgId_and_deliveryId_and_bodySha256", (q) =>
      q.eq("deliveryId", deliveryId).eq("bodySha256", bodySha256),
    )
    .unique();
  const row = { ...record, status };
  if (known === null) {
    await tenant.insert("deliveries", row);
    return true;
  }
  if (known.status === status && known.reason === record.reason) return false;
  await tenant.replace("deliveries", known, row);
  return true;
}
