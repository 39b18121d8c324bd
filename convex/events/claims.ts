/**
 * What a signed delivery's fact may be recorded as (INV-04): the only event types and the exact data that an append
 * which cites it may carry. Pure.
 */
import type { DisputeChange, ProviderFact, ProviderRefundStatus } from "./providerFact.ts";

type Data = Readonly<Record<string, string | number>>;

export type Claim = {
  type: string;
  data: Data;
  /** The provider's object that the claim is about. */
  objectId: string;
  /** Amount and currency must be those that were asked for. */
  paysInFull?: true;
  /** The refund that was requested here may be named, where the ledger ties it to this one of the provider. */
  mayNameRefund?: true;
};

type Of<Kind extends ProviderFact["kind"]> = Extract<ProviderFact, { kind: Kind }>;

/** A session does not say why it failed. */
const SESSION_FAILED = "async_payment_failed";

function ofIntent(fact: Of<"paymentIntent">): Claim[] {
  const { paymentIntentId, occurredAt, amountMinor, currency } = fact;
  const objectId = paymentIntentId;
  switch (fact.outcome) {
    case "succeeded": {
      if (fact.amountReceivedMinor !== amountMinor) return [];
      const data = { paymentIntentId, amountMinor, currency };
      return [{ type: "payment.confirmed", data, objectId, paysInFull: true }];
    }
    case "failed": {
      const data = { paymentIntentId, occurredAt, code: fact.code ?? "unknown" };
      return [{ type: "payment.failed", data, objectId }];
    }
    case "processing":
      return [{ type: "payment.processing", data: { paymentIntentId, occurredAt }, objectId }];
    case "canceled":
      return [{ type: "payment.cancelled", data: { reason: "provider", paymentIntentId }, objectId }];
    case "requires_action":
    case "capturable":
      return [];
  }
}

function ofSession(fact: Of<"checkoutSession">): Claim[] {
  const { checkoutSessionId, paymentIntentId, occurredAt, amountMinor, currency } = fact;
  if (fact.outcome === "expired") {
    const named = paymentIntentId === null ? {} : { paymentIntentId };
    return [
      { type: "payment.cancelled", data: { reason: "expired", ...named }, objectId: checkoutSessionId },
    ];
  }
  if (paymentIntentId === null) return [];
  const objectId = paymentIntentId;
  switch (fact.outcome) {
    case "paid": {
      const data = { paymentIntentId, amountMinor, currency, checkoutSessionId };
      return [{ type: "payment.confirmed", data, objectId, paysInFull: true }];
    }
    case "unpaid":
      return [{ type: "payment.processing", data: { paymentIntentId, occurredAt }, objectId }];
    case "failed": {
      const data = { paymentIntentId, occurredAt, code: SESSION_FAILED };
      return [{ type: "payment.failed", data, objectId }];
    }
    case "free":
      return [];
  }
}

const REFUND_TYPE: Readonly<Record<ProviderRefundStatus, string>> = {
  pending: "payment.refundPending",
  requires_action: "payment.refundPending",
  succeeded: "payment.refunded",
  failed: "payment.refundFailed",
  canceled: "payment.refundFailed",
};

function ofRefund({ providerRefundId, amountMinor, currency, status, code }: Of<"refund">): Claim[] {
  const type = REFUND_TYPE[status];
  const failure = type === "payment.refundFailed" ? { code: code ?? status } : {};
  const data = { providerRefundId, amountMinor, currency, ...failure };
  return [{ type, data, objectId: providerRefundId, mayNameRefund: true }];
}

const DISPUTE_TYPE: Readonly<Record<DisputeChange, string>> = {
  opened: "payment.disputeOpened",
  updated: "payment.disputeUpdated",
  fundsWithdrawn: "payment.disputeFundsWithdrawn",
  fundsReinstated: "payment.disputeFundsReinstated",
  closed: "payment.disputeClosed",
};

function ofDispute(fact: Of<"dispute">): Claim[] {
  const { disputeId, occurredAt, amountMinor, currency, status, reason } = fact;
  const data = { disputeId, occurredAt, amountMinor, currency, status, reason };
  return [{ type: DISPUTE_TYPE[fact.change], data, objectId: disputeId }];
}

/** Everything that the fact may be recorded as; empty when it is nothing to record. */
export function claimsOf(fact: ProviderFact): Claim[] {
  switch (fact.kind) {
    case "paymentIntent":
      return ofIntent(fact);
    case "checkoutSession":
      return ofSession(fact);
    case "refund":
      return ofRefund(fact);
    case "dispute":
      return ofDispute(fact);
    case "account": {
      if (fact.change !== "deauthorized") return [];
      const data = { account: fact.account, reason: "deauthorized" };
      return [{ type: "stripeAccount.unlinked", data, objectId: fact.account }];
    }
  }
}

/** Money that moves once per object, whatever delivery says so (R34): a second time is a fault here, not news. */
export const ONCE_PER_OBJECT: ReadonlySet<string> = new Set([
  "payment.confirmed",
  "payment.refunded",
  "payment.refundFailed",
]);
