/** Drafts of payments and of the organisation's account: every such event type once. The provider's ids are made up. */
import type { Draft } from "./sampleLedger.ts";
import { SAMPLE_ORG_ID, sampleId } from "./sampleLedger.ts";

const MONEY = { amountMinor: 4500, currency: "EUR" };
const DISPUTE = { disputeId: "dp_sample0001", ...MONEY, status: "needs_response", reason: "fraudulent" };
const REFUND = { providerRefundId: "re_sample0001", ...MONEY, refundId: `rfd_${SAMPLE_ORG_ID.slice(4)}` };
const BY_STRIPE: Pick<Draft, "actor"> = { actor: { kind: "provider", id: "stripe" } };
const JOB: Pick<Draft, "actor" | "source"> = {
  actor: { kind: "system", id: "worker/payments" },
  source: { kind: "job", name: "payments" },
};

/** The source of the provider's delivery number n. */
export function deliverySource(number: number, account?: string): NonNullable<Draft["source"]> {
  return {
    kind: "webhook",
    provider: "stripe",
    deliveryId: `evt_sample${number}`,
    bodySha256: "5f".repeat(32),
    signedAt: 1_767_600_000 + number,
    ...(account === undefined ? {} : { account }),
  };
}

const intent = { paymentIntentId: "pi_sample0001" };

/** Every type of a payment's stream. */
export function paymentDrafts(): Draft[] {
  const stream = `payment/${sampleId("pay", 1)}`;
  const refundId = REFUND.refundId;
  const requested = { bookingId: sampleId("bkg", 1), purpose: "full", method: "payment_intent", ...MONEY };
  const ours = (type: Draft["type"], data: Draft["data"]): Draft => ({ type, stream, data });
  const job = (type: Draft["type"], data: Draft["data"]): Draft => ({ type, stream, data, ...JOB });
  let delivery = 0;
  const fact = (type: Draft["type"], data: Draft["data"]): Draft => {
    delivery += 1;
    return { type, stream, data, ...BY_STRIPE, source: deliverySource(delivery) };
  };
  return [
    ours("payment.requested", requested),
    job("payment.creationUnknown", {}),
    job("payment.creationFailed", { code: "api_error" }),
    job("payment.created", { ...intent, livemode: false }),
    ours("payment.cancelRequested", {}),
    fact("payment.processing", intent),
    fact("payment.failed", { ...intent, code: "card_declined" }),
    fact("payment.confirmed", { ...intent, ...MONEY }),
    ours("payment.refundRequested", { refundId, amountMinor: 4500, reason: "other", needsApproval: true }),
    ours("payment.refundApproved", { refundId }),
    ours("payment.refundDeclined", { refundId }),
    job("payment.refundUnknown", { refundId }),
    job("payment.refundNotSubmitted", { refundId, code: "api_error" }),
    job("payment.refundSubmitted", { refundId, providerRefundId: REFUND.providerRefundId }),
    fact("payment.refundPending", REFUND),
    fact("payment.refunded", REFUND),
    fact("payment.refundFailed", { ...REFUND, code: "lost_or_stolen_card" }),
    fact("payment.disputeOpened", DISPUTE),
    fact("payment.disputeUpdated", DISPUTE),
    fact("payment.disputeFundsWithdrawn", DISPUTE),
    fact("payment.disputeFundsReinstated", DISPUTE),
    fact("payment.disputeClosed", { ...DISPUTE, status: "lost" }),
    job("payment.cancelled", { reason: "never_created" }),
  ];
}

/** Every type of the stream of the organisation's account at the provider. */
export function stripeAccountDrafts(): Draft[] {
  const stream = `stripeAccount/${SAMPLE_ORG_ID}`;
  return [
    { type: "stripeAccount.linkBegun", stream, data: {} },
    { type: "stripeAccount.linkReturned", stream, data: {} },
    { type: "stripeAccount.linkFailed", stream, data: {}, ...JOB },
    { type: "stripeAccount.linked", stream, data: {}, ...JOB },
    { type: "stripeAccount.unlinked", stream, data: {} },
  ];
}
