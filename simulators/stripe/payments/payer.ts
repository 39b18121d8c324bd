/** What payers and their banks do, by the switches: pay, fail, authenticate, take their time. */
import type Stripe from "stripe";
import { recordEvent } from "../events/recordEvent.ts";
import type { Work } from "../state/work.ts";
import { approve, declineAttempt, payersMethod, process, requireAction } from "./attempt.ts";
import { assertOpenSession, completeSession, intentOfSession, sessionOf } from "./checkoutSessions.ts";
import { assertAllowed } from "./intentStates.ts";
import { declineOf } from "./magicCards.ts";
import type { Decline } from "./magicCards.ts";
import { intentOf } from "./paymentIntents.ts";
import { idOf } from "../objects/reference.ts";

export type PayerAction =
  | { readonly kind: "succeed" }
  | { readonly kind: "fail"; readonly declineCode: string }
  | { readonly kind: "require_action" }
  | { readonly kind: "process" };

/** A payer who did not pass authentication is no declined card. */
const NOT_AUTHENTICATED: Decline = {
  code: "payment_intent_authentication_failure",
  declineCode: null,
  message:
    "We are unable to authenticate your payment method. Please choose a different payment method and try again.",
};

function act(work: Work, intent: Stripe.PaymentIntent, action: PayerAction): void {
  assertAllowed(intent, action.kind);
  const method = payersMethod(work, intent);
  switch (action.kind) {
    case "succeed":
      approve(work, intent, method);
      return;
    case "fail":
      declineAttempt(
        work,
        intent,
        method,
        intent.status === "requires_action" ? NOT_AUTHENTICATED : declineOf(action.declineCode),
      );
      return;
    case "require_action":
      requireAction(work, intent, method, null);
      return;
    case "process":
      process(work, intent, method);
  }
}

const isSessionOf = (intentId: string) => (session: Stripe.Checkout.Session) =>
  session.payment_intent === intentId;

/** A session that waits for the payer's bank learns what it said. */
function settleSession(work: Work, session: Stripe.Checkout.Session, intent: Stripe.PaymentIntent): void {
  const isPaid = intent.status === "succeeded";
  if (isPaid) session.payment_status = "paid";
  recordEvent(
    work,
    isPaid ? "checkout.session.async_payment_succeeded" : "checkout.session.async_payment_failed",
    session,
  );
}

/**
 * The payer acts on a PaymentIntent or on a Checkout Session, by the id of either.
 * @returns the PaymentIntent.
 * @throws StripeApiError when there is no such object, or it is in no state for this.
 */
export function payerActs(work: Work, id: string, action: PayerAction): Stripe.PaymentIntent {
  const session = id.startsWith("cs_")
    ? sessionOf(work.book, id)
    : [...work.book.sessions.values()].find(isSessionOf(id));
  if (session === undefined) {
    const intent = intentOf(work.book, id);
    act(work, intent, action);
    return intent;
  }
  const existing = work.book.paymentIntents.get(idOf(session.payment_intent));
  if (existing?.status === "processing") {
    act(work, existing, action);
    settleSession(work, session, existing);
    return existing;
  }
  assertOpenSession(session);
  const intent = intentOfSession(work, session);
  act(work, intent, action);
  const isThrough = ["succeeded", "processing", "requires_capture"].includes(intent.status);
  if (isThrough) completeSession(work, session, intent.status === "succeeded");
  return intent;
}
