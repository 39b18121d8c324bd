import type Stripe from "stripe";

export interface NewRefund {
  readonly id: string;
  readonly created: number;
  readonly amount: number;
  readonly charge: Stripe.Charge;
  readonly metadata: Stripe.Metadata;
  readonly reason: Stripe.Refund.Reason | null;
  readonly status: "succeeded" | "pending";
}

/** A refund to the card that paid. */
export function newRefund(parts: NewRefund): Stripe.Refund {
  const { charge } = parts;
  return {
    id: parts.id,
    object: "refund",
    amount: parts.amount,
    balance_transaction: null,
    charge: charge.id,
    created: parts.created,
    currency: charge.currency,
    customer: null,
    customer_account: null,
    destination_details: { card: { type: "refund" }, type: "card" },
    metadata: parts.metadata,
    payment_intent: charge.payment_intent,
    payment_method: charge.payment_method,
    reason: parts.reason,
    receipt_number: null,
    source_transfer_reversal: null,
    status: parts.status,
    transfer_reversal: null,
  };
}
