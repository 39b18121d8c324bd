/**
 * A part of a booking that was paid twice: the first payment was given up and paid all the same, or two were asked for
 * one after the other. The money is real and people give it back, so they must hear of it: a row of the security log
 * and an alert, in the transaction of the second success. A fold can't raise it, so that a rebuild alerts nobody.
 */
import type { MutationCtx } from "../_generated/server.js";
import { recordIncident } from "../access/securityLog.ts";
import { tenantReader } from "../access/tenantDb.ts";
import type { DomainEvent } from "../events/catalogue/catalogue.ts";

/** Most paid payments of one booking that are compared. */
const PAID_MAX = 100;

/** Records an overpayment. Runs after the read models followed the event. */
export async function followOverpayment(ctx: MutationCtx, event: DomainEvent): Promise<void> {
  if (event.type !== "payment.confirmed") return;
  const { orgId, actor, source } = event;
  const tenant = tenantReader(ctx, orgId);
  const paymentId = event.stream.slice("payment/".length);
  const row = await tenant
    .rows("payments", "by_orgId_and_paymentId", (q) => q.eq("paymentId", paymentId))
    .unique();
  if (row === null) return;
  const { bookingId, purpose } = row;
  const paid = await tenant
    .rows("payments", "by_orgId_and_bookingId_and_status_and_paymentId", (q) =>
      q.eq("bookingId", bookingId).eq("status", "paid"),
    )
    .take(PAID_MAX);
  const isTwice = paid.some((other) => other.purpose === purpose && other.paymentId !== paymentId);
  if (!isTwice) return;
  await recordIncident(ctx, {
    orgId,
    actor: `${actor.kind}/${actor.id}`,
    function: source.kind === "webhook" ? source.provider : source.name,
    code: "OVERPAID",
    detail: `${paymentId} of ${bookingId}`,
  });
}
