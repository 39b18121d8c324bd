/**
 * What is said to Stripe. Pure: the same payment gives the same parameters, byte for byte, so that a call that is
 * repeated under its idempotency key is the same call. Metadata names our own ids, for finding a payment again by
 * our own reading; nothing that comes from it ever confirms anything.
 */
import type Stripe from "stripe";
import { requireProviderId } from "./identifiers.ts";

export const ORGANISATION_KEY = "daybook_organisation";
export const PAYMENT_KEY = "daybook_payment";
export const REFUND_KEY = "daybook_refund";

export type PaymentToCreate = {
  orgId: string;
  paymentId: string;
  method: "payment_intent" | "checkout_session";
  amountMinor: number;
  /** ISO 4217, upper case. */
  currency: string;
};

/**
 * Currencies whose smallest unit here (ISO 4217) is not the one that Stripe counts in: an amount would be taken for a
 * hundredth or a hundredfold of itself.
 */
const OTHER_UNITS_AT_STRIPE: ReadonlySet<string> = new Set(["ISK", "MGA", "UGX"]);

/** Whether Stripe reads an amount in this currency as it is meant. */
export function hasSameUnits(currency: string): boolean {
  return !OTHER_UNITS_AT_STRIPE.has(currency);
}

function metadataOf({ orgId, paymentId }: PaymentToCreate): Record<string, string> {
  return { [ORGANISATION_KEY]: orgId, [PAYMENT_KEY]: paymentId };
}

function amountOf({ amountMinor }: { amountMinor: number }): number {
  if (!Number.isSafeInteger(amountMinor) || amountMinor <= 0)
    throw new Error("an amount is a positive integer");
  return amountMinor;
}

/** A PaymentIntent that a form of ours completes with its client secret. */
export function paymentIntentParameters(of: PaymentToCreate): Stripe.PaymentIntentCreateParams {
  return {
    amount: amountOf(of),
    currency: of.currency.toLowerCase(),
    automatic_payment_methods: { enabled: true },
    metadata: metadataOf(of),
  };
}

/** A page of Stripe's own. The intent that it makes when somebody pays carries the same metadata. */
export function checkoutSessionParameters(
  of: PaymentToCreate,
  url: { paid: string; left: string },
): Stripe.Checkout.SessionCreateParams {
  const metadata = metadataOf(of);
  return {
    mode: "payment",
    line_items: [
      {
        quantity: 1,
        price_data: {
          currency: of.currency.toLowerCase(),
          unit_amount: amountOf(of),
          // The payer's page says nothing of the organisation's customers or services.
          product_data: { name: "Booking" },
        },
      },
    ],
    success_url: url.paid,
    cancel_url: url.left,
    metadata,
    payment_intent_data: { metadata },
  };
}

export type RefundToCreate = {
  orgId: string;
  paymentId: string;
  refundId: string;
  paymentIntentId: string;
  amountMinor: number;
  reason: string;
};

/** Stripe's own words where it has one for our reason; it takes no others. */
const STRIPE_REASONS: Readonly<Record<string, Stripe.RefundCreateParams.Reason>> = {
  requested_by_customer: "requested_by_customer",
  duplicate: "duplicate",
};

export function refundParameters(of: RefundToCreate): Stripe.RefundCreateParams {
  const reason = Object.hasOwn(STRIPE_REASONS, of.reason) ? STRIPE_REASONS[of.reason] : undefined;
  return {
    payment_intent: requireProviderId("paymentIntent", of.paymentIntentId),
    amount: amountOf(of),
    ...(reason === undefined ? {} : { reason }),
    metadata: {
      [ORGANISATION_KEY]: of.orgId,
      [PAYMENT_KEY]: of.paymentId,
      [REFUND_KEY]: of.refundId,
    },
  };
}
