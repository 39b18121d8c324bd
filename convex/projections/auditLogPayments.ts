/** The audit log's lines about payments and the account that takes them. */
import type { DomainEvent } from "../events/catalogue/catalogue.ts";
import { streamId } from "./projection.ts";

function words(code: string): string {
  return code.replaceAll("_", " ");
}

function money({ amountMinor, currency }: { amountMinor: number; currency: string }): string {
  return `${amountMinor} minor units ${currency}`;
}

/** The line of a payment's event; null for others. */
export function paymentSummary(event: DomainEvent): string | null {
  const id = streamId(event);
  switch (event.type) {
    case "payment.requested": {
      const { bookingId, purpose } = event.data;
      return `Payment ${id} requested for booking ${bookingId} (${purpose}, ${money(event.data)})`;
    }
    case "payment.created":
      return `Payment ${id} is at Stripe${event.data.livemode ? "" : " (test)"}`;
    case "payment.creationUnknown":
      return `Payment ${id}: Stripe's answer is unknown`;
    case "payment.creationFailed":
      return `Payment ${id} refused by Stripe (${words(event.data.code)})`;
    case "payment.cancelRequested":
      return `Payment ${id}: cancelling asked for`;
    case "payment.cancelled":
      return `Payment ${id} cancelled (${words(event.data.reason)})`;
    case "payment.processing":
      return `Payment ${id} is being processed`;
    case "payment.failed":
      return `Payment ${id} failed (${words(event.data.code)})`;
    case "payment.confirmed":
      return `Payment ${id} paid (${money(event.data)})`;
    default:
      return refundSummary(event, id) ?? disputeSummary(event, id);
  }
}

function refundSummary(event: DomainEvent, id: string): string | null {
  switch (event.type) {
    case "payment.refundRequested": {
      const { refundId, amountMinor, reason, needsApproval } = event.data;
      const approval = needsApproval ? ", needs approval" : "";
      return `Refund ${refundId} of payment ${id} requested (${amountMinor} minor units, ${words(reason)}${approval})`;
    }
    case "payment.refundApproved":
      return `Refund ${event.data.refundId} of payment ${id} approved`;
    case "payment.refundDeclined":
      return `Refund ${event.data.refundId} of payment ${id} declined`;
    case "payment.refundSubmitted":
      return `Refund ${event.data.refundId} of payment ${id} is at Stripe`;
    case "payment.refundUnknown":
      return `Refund ${event.data.refundId} of payment ${id}: Stripe's answer is unknown`;
    case "payment.refundNotSubmitted":
      return `Refund ${event.data.refundId} of payment ${id} refused by Stripe (${words(event.data.code)})`;
    case "payment.refundPending":
      return `Payment ${id}: refund of ${money(event.data)} on its way`;
    case "payment.refunded":
      return `Payment ${id}: ${money(event.data)} refunded`;
    case "payment.refundFailed":
      return `Payment ${id}: refund of ${money(event.data)} failed (${words(event.data.code)})`;
    default:
      return null;
  }
}

function disputeSummary(event: DomainEvent, id: string): string | null {
  switch (event.type) {
    case "payment.disputeOpened":
      return `Payment ${id} disputed (${money(event.data)}, ${words(event.data.reason)})`;
    case "payment.disputeUpdated":
      return `Dispute of payment ${id}: ${words(event.data.status)}`;
    case "payment.disputeFundsWithdrawn":
      return `Dispute of payment ${id}: ${money(event.data)} withdrawn`;
    case "payment.disputeFundsReinstated":
      return `Dispute of payment ${id}: ${money(event.data)} given back`;
    case "payment.disputeClosed":
      return `Dispute of payment ${id} closed (${words(event.data.status)})`;
    default:
      return null;
  }
}

/** The line of an event about the organisation's account; null for others. */
export function stripeAccountSummary(event: DomainEvent): string | null {
  switch (event.type) {
    case "stripeAccount.linkBegun":
      return "Linking of a Stripe account begun";
    case "stripeAccount.linkReturned":
      return "Linking of a Stripe account: back from Stripe";
    case "stripeAccount.linked":
      return `Stripe account ${event.data.account} linked`;
    case "stripeAccount.linkFailed":
      return `Linking of a Stripe account failed (${words(event.data.reason)})`;
    case "stripeAccount.unlinked":
      return `Stripe account ${event.data.account} no longer linked (${words(event.data.reason)})`;
    default:
      return null;
  }
}
