/**
 * Payments. What moved money, or failed to, comes from the provider's signed deliveries only (`webhook/stripe`); what
 * our own calls to the provider led to comes from a job and never says that money moved.
 */
import { z } from "zod";
import { idPattern } from "../../../ledger/ids.ts";
import { defineEvent } from "./definition.ts";
import { amountMinor, bookingId, currency, stripeAccountId, timestampMs } from "./fields.ts";

/** What of the booking's price a payment is for. */
export const PAYMENT_PURPOSES = ["full", "deposit", "balance"] as const;

/** How the payer pays: with a form of ours on a PaymentIntent, or on the provider's own page. */
export const PAYMENT_METHODS = ["payment_intent", "checkout_session"] as const;

/** Why money goes back. */
export const REFUND_REASONS = [
  "requested_by_customer",
  "duplicate",
  "service_not_provided",
  "other",
] as const;

/**
 * Why a payment will not happen. `never_created`: nothing was at the provider yet. `provider`: the provider's word.
 * `expired`: the provider's page was not used in time.
 */
export const PAYMENT_CANCEL_REASONS = ["never_created", "provider", "expired"] as const;

const refundId = z.string().regex(idPattern("rfd"));
const paymentIntentId = z.string().regex(/^pi_[A-Za-z0-9]{8,250}$/);
const checkoutSessionId = z.string().regex(/^cs_[A-Za-z0-9_]{8,250}$/);
const providerRefundId = z.string().regex(/^(?:re|pyr)_[A-Za-z0-9]{8,250}$/);
const disputeId = z.string().regex(/^(?:dp|du)_[A-Za-z0-9]{8,250}$/);
/** A path without query, fragment and escapes, so that no value hides in it. */
const returnPath = z
  .string()
  .max(200)
  .regex(/^\/(?:[A-Za-z0-9_~.-]+(?:\/[A-Za-z0-9_~.-]+)*\/?)?$/);
const positiveMinor = amountMinor.positive();
/** A code of the provider's: `card_declined`, `fraudulent`, `needs_response`. */
const providerCode = z.string().regex(/^[a-z][a-z0-9_]{0,63}$/);

/** When the provider says it happened: of two deliveries the later one counts, in whatever order they come. */
const occurredAt = timestampMs;

const nothing = z.strictObject({});
const aboutRefund = z.strictObject({ refundId });

/** A refund as the provider's delivery tells it; `refundId` when it is one that was requested here. */
const providerRefund = {
  providerRefundId,
  amountMinor: positiveMinor,
  currency,
  refundId: z.exactOptional(refundId),
};

/** A dispute as the provider's delivery tells it. `status` and `reason` are the provider's words. */
const dispute = z.strictObject({
  disputeId,
  occurredAt,
  amountMinor,
  currency,
  status: providerCode,
  reason: providerCode,
});

export const paymentEvents = {
  /**
   * `account`: the organisation's account at the provider; absent when the deployment's own takes the money.
   * `returnPath`: where the provider's page sends the payer back to, under the deployment's origins.
   */
  "payment.requested": defineEvent(
    z.strictObject({
      bookingId,
      purpose: z.enum(PAYMENT_PURPOSES),
      method: z.enum(PAYMENT_METHODS),
      amountMinor: positiveMinor,
      currency,
      account: z.exactOptional(stripeAccountId),
      returnPath: z.exactOptional(returnPath),
    }),
  ),
  /** The provider has the payment under these ids: from here on its deliveries are about this stream. */
  "payment.created": defineEvent(
    z.strictObject({
      paymentIntentId: z.exactOptional(paymentIntentId),
      checkoutSessionId: z.exactOptional(checkoutSessionId),
      livemode: z.boolean(),
    }),
  ),
  /** The answer to the creating call never came, or made no sense; it will be read back, never made again. */
  "payment.creationUnknown": defineEvent(nothing),
  "payment.creationFailed": defineEvent(z.strictObject({ code: providerCode })),
  "payment.cancelRequested": defineEvent(nothing),
  /** `paymentIntentId`: as far as the delivery names it. */
  "payment.cancelled": defineEvent(
    z.strictObject({
      reason: z.enum(PAYMENT_CANCEL_REASONS),
      paymentIntentId: z.exactOptional(paymentIntentId),
    }),
  ),
  "payment.processing": defineEvent(z.strictObject({ paymentIntentId, occurredAt })),
  "payment.failed": defineEvent(z.strictObject({ paymentIntentId, occurredAt, code: providerCode })),
  "payment.confirmed": defineEvent(
    z.strictObject({
      paymentIntentId,
      amountMinor: positiveMinor,
      currency,
      checkoutSessionId: z.exactOptional(checkoutSessionId),
    }),
  ),
  "payment.refundRequested": defineEvent(
    z.strictObject({
      refundId,
      amountMinor: positiveMinor,
      reason: z.enum(REFUND_REASONS),
      needsApproval: z.boolean(),
    }),
  ),
  "payment.refundApproved": defineEvent(aboutRefund),
  "payment.refundDeclined": defineEvent(aboutRefund),
  "payment.refundSubmitted": defineEvent(z.strictObject({ refundId, providerRefundId })),
  "payment.refundUnknown": defineEvent(aboutRefund),
  /** The provider refused our call; no money moved. */
  "payment.refundNotSubmitted": defineEvent(z.strictObject({ refundId, code: providerCode })),
  "payment.refundPending": defineEvent(z.strictObject(providerRefund)),
  "payment.refunded": defineEvent(z.strictObject(providerRefund)),
  "payment.refundFailed": defineEvent(z.strictObject({ ...providerRefund, code: providerCode })),
  "payment.disputeOpened": defineEvent(dispute),
  "payment.disputeUpdated": defineEvent(dispute),
  "payment.disputeFundsWithdrawn": defineEvent(dispute),
  "payment.disputeFundsReinstated": defineEvent(dispute),
  "payment.disputeClosed": defineEvent(dispute),
};
