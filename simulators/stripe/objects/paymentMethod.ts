import { createHash } from "node:crypto";
import type Stripe from "stripe";
import type { CardBehaviour } from "../payments/magicCards.ts";

/** Stripe's own test cards expire in a year that has not come yet. */
export const cardExpiry = { exp_month: 8, exp_year: 2034 };

/** Equal for equal cards, as Stripe's is. */
export const cardFingerprint = ({ brand, last4 }: CardBehaviour): string =>
  createHash("sha256").update(`${brand} ${last4}`).digest("base64url").slice(0, 16);

/** The payment method that a payer used. */
export function newPaymentMethod(id: string, created: number, card: CardBehaviour): Stripe.PaymentMethod {
  return {
    id,
    object: "payment_method",
    allow_redisplay: "unspecified",
    billing_details: {
      address: { city: null, country: null, line1: null, line2: null, postal_code: null, state: null },
      email: null,
      name: null,
      phone: null,
      tax_id: null,
    },
    card: {
      brand: card.brand,
      checks: { address_line1_check: null, address_postal_code_check: null, cvc_check: "pass" },
      country: "US",
      display_brand: card.brand,
      ...cardExpiry,
      fingerprint: cardFingerprint(card),
      funding: "credit",
      generated_from: null,
      last4: card.last4,
      networks: { available: [card.brand], preferred: null },
      regulated_status: "unregulated",
      three_d_secure_usage: { supported: true },
      wallet: null,
    },
    created,
    customer: null,
    customer_account: null,
    livemode: false,
    metadata: {},
    type: "card",
  };
}
