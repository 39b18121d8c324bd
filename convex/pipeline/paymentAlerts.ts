/**
 * What people must hear of a payment: rows of the security log and alerts, in the event's transaction. A fold can't
 * raise them, so that a rebuild alerts nobody; this runs before the read models follow the event and sees the payment
 * as it was.
 */
import type { MutationCtx } from "../_generated/server.js";
import type { Doc } from "../_generated/dataModel.js";
import { recordIncident } from "../access/securityLog.ts";
import { tenantReader, type TenantReader } from "../access/tenantDb.ts";
import type { DomainEvent } from "../events/catalogue/catalogue.ts";

/** Most payments of one booking that are compared. */
const PAYMENTS_OF_BOOKING_MAX = 1_000;

type Incident = { code: string; detail: string };
type Row = Doc<"payments">;

/** Whether the same part of the booking is paid already. */
async function isPaidTwice(tenant: TenantReader, { bookingId, purpose, paymentId }: Row): Promise<boolean> {
  const paid = await tenant
    .rows("payments", "by_orgId_and_bookingId_and_status_and_paymentId", (q) =>
      q.eq("bookingId", bookingId).eq("status", "paid"),
    )
    .take(PAYMENTS_OF_BOOKING_MAX);
  return paid.some((other) => other.purpose === purpose && other.paymentId !== paymentId);
}

async function incidentsOf(tenant: TenantReader, event: DomainEvent, before: Row): Promise<Incident[]> {
  const { paymentId, bookingId } = before;
  switch (event.type) {
    case "payment.confirmed": {
      const found: Incident[] = [];
      if (before.status === "cancelled") found.push({ code: "PAID_AFTER_CANCEL", detail: paymentId });
      if (await isPaidTwice(tenant, before)) {
        found.push({ code: "OVERPAID", detail: `${paymentId} of ${bookingId}` });
      }
      return found;
    }
    case "payment.creationUnknown":
      return [{ code: "OUTCOME_UNKNOWN", detail: paymentId }];
    case "payment.refundUnknown":
      return [{ code: "OUTCOME_UNKNOWN", detail: `${event.data.refundId} of ${paymentId}` }];
    case "payment.disputeOpened":
    case "payment.disputeUpdated":
    case "payment.disputeFundsWithdrawn":
    case "payment.disputeFundsReinstated":
    case "payment.disputeClosed": {
      // The first word of a dispute need not be that it was opened.
      const isKnown = before.disputes.some(({ disputeId }) => disputeId === event.data.disputeId);
      return isKnown ? [] : [{ code: "DISPUTE_OPENED", detail: paymentId }];
    }
    default:
      return [];
  }
}

/** Records what an event of a payment means for people. Runs before the read models follow it. */
export async function followPayment(ctx: MutationCtx, event: DomainEvent): Promise<void> {
  if (!event.stream.startsWith("payment/") || event.type === "payment.requested") return;
  const tenant = tenantReader(ctx, event.orgId);
  const paymentId = event.stream.slice("payment/".length);
  const before = await tenant
    .rows("payments", "by_orgId_and_paymentId", (q) => q.eq("paymentId", paymentId))
    .unique();
  if (before === null) return;
  const { orgId, actor, source } = event;
  const name = source.kind === "webhook" ? source.provider : source.name;
  for (const { code, detail } of await incidentsOf(tenant, event, before)) {
    await recordIncident(ctx, { orgId, actor: `${actor.kind}/${actor.id}`, function: name, code, detail });
  }
}
