/** Where our books and Stripe's say different things. Pure; what to do about it is for people to say. */
import { idPattern } from "../../../ledger/ids.ts";
import { paidMinor, type Payment } from "../../domain/payment.ts";
import { refundedMinor } from "../../domain/paymentRefunds.ts";
import type { CheckoutSessionAnswer, PaymentIntentAnswer } from "./answers.ts";
import { ORGANISATION_KEY, PAYMENT_KEY } from "./parameters.ts";

const PAYMENT_ID = idPattern("pay");

/**
 * - `MISSING_AT_STRIPE`: Stripe has nothing under the id that it gave.
 * - `DIFFERENT_AMOUNT`: another amount, currency or mode than was asked for.
 * - `PAID_AT_STRIPE`, `CANCELLED_AT_STRIPE`: it ended there, and no delivery has said so here.
 * - `NOT_PAID_AT_STRIPE`: it is paid here and not there.
 * - `REFUNDS_DIFFER`: not the same was given back.
 * - `ORPHAN_PAID`, `ORPHAN_CANCELLED`: Stripe has a payment in our name that we do not know; an unpaid one was called off.
 */
export type Drift =
  | "MISSING_AT_STRIPE"
  | "DIFFERENT_AMOUNT"
  | "PAID_AT_STRIPE"
  | "CANCELLED_AT_STRIPE"
  | "NOT_PAID_AT_STRIPE"
  | "REFUNDS_DIFFER"
  | "ORPHAN_PAID"
  | "ORPHAN_CANCELLED";

type Ours = Pick<Payment, "status" | "amountMinor" | "currency" | "providerRefunds" | "refundRequests">;

/** What differs between a payment and its intent at Stripe; null when nothing does. `refunded`: the sum of its refunds that succeeded there. */
export function driftOf(
  ours: Ours,
  theirs: PaymentIntentAnswer | null,
  { refunded, livemode }: { refunded: number; livemode: boolean },
): Drift | null {
  if (theirs === null) return "MISSING_AT_STRIPE";
  const isSame =
    theirs.amount === ours.amountMinor && theirs.currency === ours.currency && theirs.livemode === livemode;
  if (!isSame) return "DIFFERENT_AMOUNT";
  const isPaidThere = theirs.status === "succeeded";
  if (paidMinor(ours) === 0) {
    if (isPaidThere) return "PAID_AT_STRIPE";
    return theirs.status === "canceled" && ours.status !== "cancelled" ? "CANCELLED_AT_STRIPE" : null;
  }
  if (!isPaidThere || theirs.amount_received !== ours.amountMinor) return "NOT_PAID_AT_STRIPE";
  return refunded === refundedMinor(ours) ? null : "REFUNDS_DIFFER";
}

/** The same of a page of Stripe's that nobody here knows an intent of: no delivery has told that it is complete. */
export function sessionDriftOf(
  ours: Pick<Payment, "status" | "amountMinor" | "currency">,
  theirs: CheckoutSessionAnswer | null,
  livemode: boolean,
): Drift | null {
  if (theirs === null) return "MISSING_AT_STRIPE";
  const { amount_total: amountMinor, currency, status } = theirs;
  const isSame =
    amountMinor === ours.amountMinor && currency === ours.currency && theirs.livemode === livemode;
  if (!isSame) return "DIFFERENT_AMOUNT";
  if (theirs.payment_status === "paid") return "PAID_AT_STRIPE";
  return status === "expired" && ours.status !== "cancelled" ? "CANCELLED_AT_STRIPE" : null;
}

/** The payment that an intent names as ours, if it names one of this organisation's: an id, not any text. */
export function namedPayment(intent: PaymentIntentAnswer, orgId: string): string | null {
  const { [ORGANISATION_KEY]: ofOrganisation, [PAYMENT_KEY]: paymentId = "" } = intent.metadata;
  return ofOrganisation === orgId && PAYMENT_ID.test(paymentId) ? paymentId : null;
}

/** Whether an intent that names a payment of ours belongs to none. What may still be found again is not an orphan yet. */
export function isOrphan(
  intent: PaymentIntentAnswer,
  named: Pick<Payment, "method" | "paymentIntentId" | "status"> | null,
): boolean {
  if (named === null) return true;
  // A page of Stripe's makes its intent when somebody pays, and names it in the delivery.
  if (named.method === "checkout_session") return false;
  if (named.paymentIntentId !== null) return named.paymentIntentId !== intent.id;
  return named.status === "creation_failed" || named.status === "cancelled";
}

/** Statuses at Stripe in which nobody has paid and nobody is paying. */
const UNPAID: readonly string[] = ["requires_payment_method", "requires_confirmation", "requires_action"];

export function isUnpaid({ status }: PaymentIntentAnswer): boolean {
  return UNPAID.includes(status);
}
