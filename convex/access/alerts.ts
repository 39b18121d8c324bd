/**
 * Alerts: rows that owners list, and that effects/alerts delivers to the operator where a receiver is configured. One row
 * per dedupe key, in the transaction that found the reason, so that a flood of reasons raises one alert. When the
 * outbox of the organisation is full, alerts wait without an effect of their own, and share the next one that there is
 * room for.
 */
import { ulid } from "ulid";
import type { Doc } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { environment } from "./environment.ts";
import { enqueueEffect, hasRoom } from "./outbox.ts";
import { tenantReader, tenantWriter } from "./tenantDb.ts";

/** Most alerts that one effect delivers. */
const SHARED_MAX = 500;

/** Where alerts go, and the secret that signs them. */
export type AlertReceiver = { url: string; secret: string };

/** The configured receiver of alerts; null when there is none. */
export function alertReceiver(): AlertReceiver | null {
  const { DAYBOOK_ALERT_WEBHOOK_URL: url, DAYBOOK_ALERT_WEBHOOK_SECRET: secret } = environment();
  return url === undefined || secret === undefined ? null : { url, secret };
}

/** The effect that delivers an alert, or null when the outbox is full. What never rests is rare, and waits for nothing. */
async function effectFor(
  ctx: MutationCtx,
  orgId: string,
  alertId: string,
  neverRests: boolean,
): Promise<string | null> {
  if (!neverRests && !(await hasRoom(ctx, orgId))) return null;
  // The key is what the receiver sees as the message's id, and so names nothing but itself.
  const effect = { kind: "alert.deliver", subject: alertId, idempotencyKey: `msg_${alertId}` } as const;
  return await enqueueEffect(ctx, orgId, effect, { neverRests });
}

/**
 * Raises an alert, unless there is one under the same key. `neverRests`: the operator hears of it although the
 * organisation is frozen or closed, because it says why, or because nobody else can act on it.
 */
export async function raiseAlert(
  ctx: MutationCtx,
  orgId: string,
  alert: { kind: string; dedupeKey: string; userId?: string; detail?: string },
  { neverRests }: { neverRests: boolean } = { neverRests: false },
): Promise<void> {
  const tenant = tenantWriter(ctx, orgId);
  const known = await tenant
    .rows("alerts", "by_orgId_and_dedupeKey", (q) => q.eq("dedupeKey", alert.dedupeKey))
    .first();
  if (known !== null) return;
  const at = Date.now();
  const alertId = `alr_${ulid(at, Math.random)}`;
  const row = { alertId, at, deliveredAt: null, ...alert };
  if (alertReceiver() === null) await tenant.insert("alerts", row);
  else {
    const outboxId = await effectFor(ctx, orgId, alertId, neverRests);
    await tenant.insert("alerts", { ...row, outboxId });
  }
}

/** The alerts that an effect delivers, oldest first. */
export async function alertsOf(
  ctx: Pick<QueryCtx, "db">,
  orgId: string,
  outboxId: string | null,
): Promise<Doc<"alerts">[]> {
  return await tenantReader(ctx, orgId)
    .rows("alerts", "by_orgId_and_outboxId", (q) => q.eq("outboxId", outboxId))
    .take(SHARED_MAX);
}

async function change(
  ctx: Pick<MutationCtx, "db">,
  alert: Doc<"alerts">,
  to: { deliveredAt: number } | { outboxId: string },
): Promise<void> {
  const { _id, _creationTime, orgId, ...row } = alert;
  await tenantWriter(ctx, orgId).replace("alerts", alert, { ...row, ...to });
}

/** Marks what an effect has delivered. */
export async function markDelivered(ctx: MutationCtx, orgId: string, outboxId: string): Promise<void> {
  const deliveredAt = Date.now();
  for (const alert of await alertsOf(ctx, orgId, outboxId)) await change(ctx, alert, { deliveredAt });
}

/** Gives one effect to alerts that wait for room, now that there may be some. */
export async function admitWaiting(ctx: MutationCtx, orgId: string): Promise<void> {
  const waiting = await alertsOf(ctx, orgId, null);
  const [first] = waiting;
  if (first === undefined) return;
  const outboxId = await effectFor(ctx, orgId, first.alertId, false);
  if (outboxId === null) return;
  for (const alert of waiting) await change(ctx, alert, { outboxId });
}
