/**
 * What a provider's signed delivery says, as the ledger component read it from the raw bytes. Nothing here comes from
 * metadata, a redirect or a client: an object is known by the id that the provider gave it.
 */

/** How a payment stands at the provider. Whatever else it may say some day is not here and fails closed. */
export type IntentOutcome =
  "succeeded" | "failed" | "processing" | "canceled" | "requires_action" | "capturable";

/** A refund's status at the provider. */
export type ProviderRefundStatus = "pending" | "requires_action" | "succeeded" | "failed" | "canceled";

export type DisputeChange = "opened" | "updated" | "fundsWithdrawn" | "fundsReinstated" | "closed";

export type ProviderFact =
  | {
      readonly kind: "paymentIntent";
      readonly paymentIntentId: string;
      readonly outcome: IntentOutcome;
      /** When the provider says it happened, milliseconds UTC: deliveries come in any order. */
      readonly occurredAt: number;
      readonly amountMinor: number;
      readonly amountReceivedMinor: number;
      /** ISO 4217, upper case. */
      readonly currency: string;
      /** Why it failed, in the provider's words; only with `failed`. */
      readonly code?: string;
    }
  | {
      readonly kind: "checkoutSession";
      readonly checkoutSessionId: string;
      /** Null as long as nobody began to pay. */
      readonly paymentIntentId: string | null;
      readonly outcome: "paid" | "unpaid" | "failed" | "expired" | "free";
      readonly occurredAt: number;
      readonly amountMinor: number;
      readonly currency: string;
    }
  | {
      readonly kind: "refund";
      readonly providerRefundId: string;
      readonly paymentIntentId: string;
      readonly status: ProviderRefundStatus;
      readonly amountMinor: number;
      readonly currency: string;
      readonly code?: string;
    }
  | {
      readonly kind: "dispute";
      readonly disputeId: string;
      readonly paymentIntentId: string;
      readonly change: DisputeChange;
      readonly occurredAt: number;
      readonly amountMinor: number;
      readonly currency: string;
      readonly status: string;
      readonly reason: string;
    }
  | {
      readonly kind: "account";
      readonly account: string;
      readonly change: "updated" | "deauthorized";
      readonly occurredAt: number;
    };

/** Why a delivery is kept aside instead of taking effect. */
export const PARK_REASONS = [
  "SAME_ID_OTHER_BODY",
  "WRONG_MODE",
  "WRONG_API_VERSION",
  "MALFORMED",
  "UNKNOWN_STATUS",
  "UNKNOWN_OBJECT",
  "WRONG_ACCOUNT",
  "AMOUNT_MISMATCH",
  "CURRENCY_MISMATCH",
  "NOTHING_PAID",
  "NOT_PAID_YET",
  "REFUND_EXCEEDS_PAYMENT",
  "TOO_MANY",
  "LEDGER_FROZEN",
] as const;
export type ParkReason = (typeof PARK_REASONS)[number];
