import type Stripe from "stripe";

export interface NewBalanceTransaction {
  readonly id: string;
  readonly created: number;
  readonly amount: number;
  readonly fee: number;
  readonly currency: string;
  readonly type: "adjustment" | "charge" | "refund" | "refund_failure";
  readonly source: string;
  readonly description: string | null;
}

const PAYOUT_DELAY_S = 2 * 24 * 60 * 60;

/** A movement of the account's balance; `amount` is negative for what leaves it. */
export function newBalanceTransaction(parts: NewBalanceTransaction): Stripe.BalanceTransaction {
  const { amount, fee, currency } = parts;
  return {
    id: parts.id,
    object: "balance_transaction",
    amount,
    available_on: parts.created + PAYOUT_DELAY_S,
    balance_type: "payments",
    created: parts.created,
    currency,
    description: parts.description,
    exchange_rate: null,
    fee,
    fee_details:
      fee === 0
        ? []
        : [
            {
              amount: fee,
              application: null,
              currency,
              description: "Stripe processing fees",
              type: "stripe_fee",
            },
          ],
    net: amount - fee,
    reporting_category: parts.type === "adjustment" ? "dispute" : parts.type,
    source: parts.source,
    status: "pending",
    type: parts.type,
  };
}
