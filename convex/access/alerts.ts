/**
 * The outbox of alerts: rows that wait for the notification effect, and that owners list. One row per dedupe key, in
 * the transaction that found the reason, so that a flood of reasons raises one alert.
 */
import type { MutationCtx } from "../_generated/server.js";
import { tenantWriter } from "./tenantDb.ts";

export async function raiseAlert(
  ctx: MutationCtx,
  orgId: string,
  alert: { kind: string; dedupeKey: string; userId?: string; detail?: string },
): Promise<void> {
  const tenant = tenantWriter(ctx, orgId);
  const known = await tenant
    .rows("alerts", "by_orgId_and_dedupeKey", (q) => q.eq("dedupeKey", alert.dedupeKey))
    .first();
  if (known === null) await tenant.insert("alerts", { at: Date.now(), deliveredAt: null, ...alert });
}
