/**
 * What a signed delivery means for a payment. A fact that changes nothing is no event; one that contradicts what was
 * asked for, or comes before what it builds on, is parked with its reason and can be decided again later. The ids
 * must be the ones that the provider gave for this payment: nothing else says whose money it is.
 */
import type { NewEvent } from "../events/catalogue/catalogue.ts";
import type {
  DisputeChange,
  ParkReason,
  ProviderFact,
  ProviderRefundStatus,
} from "../events/providerFact.ts";
import { afterAttempt, type Payment, type PaymentState } from "./payment.ts";
import { afterDispute, DISPUTES_MAX, type DisputeEvent } from "./paymentDisputes.ts";
import {
  afterProviderRefund,
  outcomeOfRefundEvent,
  PROVIDER_REFUNDS_MAX,
  providerRefundedMinor,
  type ProviderRefundEvent,
} from "./paymentRefunds.ts";

export type FactDecision =
  | { kind: "events"; events: readonly [NewEvent, ...NewEvent[]] }
  | { kind: "nothing" }
  | { kind: "park"; reason: ParkReason };

type Fact<Kind extends ProviderFact["kind"]> = Extract<ProviderFact, { kind: Kind }>;
type Of<Type extends NewEvent["type"]> = Extract<NewEvent, { type: Type }>["data"];

const NOTHING: FactDecision = { kind: "nothing" };

export function park(reason: ParkReason): FactDecision {
  return { kind: "park", reason };
}

/** Decides what a fact about this payment means. `UNKNOWN_OBJECT` and `NOT_PAID_YET` may pass when more is known. */
export function decideFact(state: PaymentState, fact: ProviderFact): FactDecision {
  if (state.kind === "none") return park("UNKNOWN_OBJECT");
  switch (fact.kind) {
    case "checkoutSession":
      return decideSession(state, fact);
    case "paymentIntent":
      return isOfIntent(state, fact) ? decideIntent(state, fact) : park("UNKNOWN_OBJECT");
    case "refund":
      return isOfIntent(state, fact) ? decideRefund(state, fact) : park("UNKNOWN_OBJECT");
    case "dispute":
      return isOfIntent(state, fact) ? decideDispute(state, fact) : park("UNKNOWN_OBJECT");
    case "account":
      return park("UNKNOWN_OBJECT");
  }
}

function isOfIntent(state: Payment, fact: { paymentIntentId: string }): boolean {
  return state.paymentIntentId === fact.paymentIntentId;
}

/** A session is known by its own id, and brings one intent. */
function isOfSession(state: Payment, fact: Fact<"checkoutSession">): boolean {
  const { checkoutSessionId, paymentIntentId } = fact;
  const isOtherIntent =
    paymentIntentId !== null && state.paymentIntentId !== null && state.paymentIntentId !== paymentIntentId;
  return state.checkoutSessionId === checkoutSessionId && !isOtherIntent;
}

function record<Type extends NewEvent["type"]>(state: Payment, type: Type, data: Of<Type>): FactDecision {
  return { kind: "events", events: [{ stream: `payment/${state.paymentId}`, type, data } as NewEvent] };
}

/** Records word of an attempt, unless it is older than what is known or comes after the end and names nothing new. */
function attempt(
  state: Payment,
  status: "processing" | "failed",
  { code, ...told }: { paymentIntentId: string; occurredAt: number; code: string },
): FactDecision {
  const isNews = afterAttempt(state, status, told.occurredAt) !== state || state.paymentIntentId === null;
  if (!isNews) return NOTHING;
  return status === "failed"
    ? record(state, "payment.failed", { ...told, code })
    : record(state, "payment.processing", told);
}

function amountProblem(state: Payment, fact: { amountMinor: number; currency: string }): FactDecision | null {
  if (fact.currency !== state.currency) return park("CURRENCY_MISMATCH");
  return fact.amountMinor === state.amountMinor ? null : park("AMOUNT_MISMATCH");
}

const NO_CODE = "unknown";

function decideIntent(state: Payment, fact: Fact<"paymentIntent">): FactDecision {
  const { paymentIntentId, occurredAt, code = NO_CODE, currency, amountMinor } = fact;
  const told = { paymentIntentId, occurredAt, code };
  switch (fact.outcome) {
    case "succeeded": {
      const problem = amountProblem(state, fact);
      if (problem !== null) return problem;
      if (fact.amountReceivedMinor !== state.amountMinor) return park("AMOUNT_MISMATCH");
      if (state.status === "paid") return NOTHING;
      return record(state, "payment.confirmed", { paymentIntentId, amountMinor, currency });
    }
    case "failed":
      return attempt(state, "failed", told);
    case "processing":
      return attempt(state, "processing", told);
    case "canceled":
      return cancelled(state, { reason: "provider", paymentIntentId });
    case "requires_action":
    case "capturable":
      // The payer has more to do, or the money is only reserved: neither is paid.
      return NOTHING;
  }
}

function cancelled(state: Payment, data: Of<"payment.cancelled">): FactDecision {
  const isOver = state.status === "paid" || state.status === "cancelled";
  const isNews = data.paymentIntentId !== undefined && state.paymentIntentId === null;
  return isOver && !isNews ? NOTHING : record(state, "payment.cancelled", data);
}

const SESSION_FAILED_CODE = "async_payment_failed";

function decideSession(state: Payment, fact: Fact<"checkoutSession">): FactDecision {
  const { checkoutSessionId, paymentIntentId, occurredAt, currency, amountMinor } = fact;
  if (!isOfSession(state, fact)) return park("UNKNOWN_OBJECT");
  if (fact.outcome === "free") return park("NOTHING_PAID");
  if (fact.outcome === "expired") {
    const reason = "expired";
    return cancelled(state, paymentIntentId === null ? { reason } : { reason, paymentIntentId });
  }
  if (paymentIntentId === null) return park("MALFORMED");
  const told = { paymentIntentId, occurredAt, code: SESSION_FAILED_CODE };
  if (fact.outcome === "failed") return attempt(state, "failed", told);
  if (fact.outcome === "unpaid") return attempt(state, "processing", told);
  const problem = amountProblem(state, fact);
  if (problem !== null) return problem;
  if (state.status === "paid") return NOTHING;
  return record(state, "payment.confirmed", { paymentIntentId, amountMinor, currency, checkoutSessionId });
}

const REFUND_EVENT: Record<ProviderRefundStatus, ProviderRefundEvent> = {
  pending: "payment.refundPending",
  requires_action: "payment.refundPending",
  succeeded: "payment.refunded",
  failed: "payment.refundFailed",
  canceled: "payment.refundFailed",
};

function decideRefund(state: Payment, fact: Fact<"refund">): FactDecision {
  if (state.status !== "paid") return park("NOT_PAID_YET");
  if (fact.currency !== state.currency) return park("CURRENCY_MISMATCH");
  const { providerRefundId, amountMinor, currency, code = fact.status } = fact;
  const type = REFUND_EVENT[fact.status];
  const { providerRefunds: known } = state;
  const told = { providerRefundId, amountMinor, status: outcomeOfRefundEvent(type) };
  const same = known.find((refund) => refund.providerRefundId === providerRefundId);
  if (same !== undefined && same.amountMinor !== amountMinor) return park("AMOUNT_MISMATCH");
  const providerRefunds = afterProviderRefund(known, told);
  if (providerRefunds === known) return NOTHING;
  if (providerRefundedMinor({ ...state, providerRefunds }) > state.amountMinor) {
    return park("REFUND_EXCEEDS_PAYMENT");
  }
  if (providerRefunds.length > PROVIDER_REFUNDS_MAX) return park("TOO_MANY");
  const request = state.refundRequests.find((each) => each.providerRefundId === providerRefundId);
  const data = { providerRefundId, amountMinor, currency };
  const linked = request === undefined ? data : { ...data, refundId: request.refundId };
  return type === "payment.refundFailed"
    ? record(state, type, { ...linked, code })
    : record(state, type, linked);
}

const DISPUTE_EVENT: Record<DisputeChange, DisputeEvent> = {
  opened: "payment.disputeOpened",
  updated: "payment.disputeUpdated",
  fundsWithdrawn: "payment.disputeFundsWithdrawn",
  fundsReinstated: "payment.disputeFundsReinstated",
  closed: "payment.disputeClosed",
};

function decideDispute(state: Payment, fact: Fact<"dispute">): FactDecision {
  if (state.status !== "paid") return park("NOT_PAID_YET");
  if (fact.currency !== state.currency) return park("CURRENCY_MISMATCH");
  const { disputeId, occurredAt, amountMinor, currency, status, reason } = fact;
  const type = DISPUTE_EVENT[fact.change];
  const news = { disputeId, occurredAt, amountMinor, currency, status, reason };
  const disputes = afterDispute(state.disputes, type, news);
  if (disputes === state.disputes) return NOTHING;
  if (disputes.length > DISPUTES_MAX) return park("TOO_MANY");
  return record(state, type, news);
}
