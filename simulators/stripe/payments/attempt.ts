/** A try to take a payment, and what comes of it: charge, state of the PaymentIntent, events. */
import type Stripe from "stripe";
import { recordEvent } from "../events/recordEvent.ts";
import { newCharge } from "../objects/charge.ts";
import { newPaymentMethod } from "../objects/paymentMethod.ts";
import { newId } from "../state/ids.ts";
import type { KeptPaymentMethod } from "../state/simulatorState.ts";
import { later } from "../state/work.ts";
import type { Work } from "../state/work.ts";
import { noSuch } from "../wire/apiError.ts";
import { bookMovement, paymentFee } from "./balance.ts";
import { magicCard, plainCard } from "./magicCards.ts";
import type { CardBehaviour, Decline } from "./magicCards.ts";

/** Makes a payment method of a magic name or finds one that was made before. */
export function paymentMethodFor(work: Work, name: string): KeptPaymentMethod {
  const kept = work.book.paymentMethods.get(name);
  if (kept !== undefined) return kept;
  const behaviour = magicCard(name);
  if (behaviour === undefined) throw noSuch("PaymentMethod", name, "payment_method");
  return keepPaymentMethod(work, behaviour);
}

function keepPaymentMethod(work: Work, behaviour: CardBehaviour): KeptPaymentMethod {
  const object = newPaymentMethod(newId(work.ids, "paymentMethod"), work.nowS, behaviour);
  const kept = { object, behaviour };
  work.book.paymentMethods.set(object.id, kept);
  return kept;
}

/** What the payer has: the payment method of the intent, or a plain card. */
export function payersMethod(work: Work, intent: Stripe.PaymentIntent): KeptPaymentMethod {
  const id = intent.payment_method;
  const kept = typeof id === "string" ? work.book.paymentMethods.get(id) : undefined;
  return kept ?? keepPaymentMethod(work, plainCard);
}

function openCharge(
  work: Work,
  intent: Stripe.PaymentIntent,
  method: KeptPaymentMethod,
  decline: Decline | null,
): Stripe.Charge {
  const charge = newCharge({
    id: newId(work.ids, "charge"),
    created: work.nowS,
    intent,
    paymentMethodId: method.object.id,
    card: method.behaviour,
    receiptUrl: `${work.settings.url()}/_simulator#${intent.id}`,
    decline,
    isAuthenticated: intent.status === "requires_action",
  });
  work.book.charges.set(charge.id, charge);
  intent.latest_charge = charge.id;
  return charge;
}

function settleBalance(work: Work, charge: Stripe.Charge): void {
  charge.balance_transaction = bookMovement(work, {
    amount: charge.amount_captured,
    fee: paymentFee(charge.amount_captured),
    currency: charge.currency,
    type: "charge",
    source: charge.id,
    description: charge.description,
  }).id;
}

/** Takes `amount` of what was authorised; the rest is let go. */
export function capture(
  work: Work,
  intent: Stripe.PaymentIntent,
  charge: Stripe.Charge,
  amount: number,
): void {
  charge.captured = true;
  charge.amount_captured = amount;
  if (intent.capture_method !== "automatic_async") settleBalance(work, charge);
  intent.amount_capturable = 0;
  intent.amount_received = amount;
  intent.status = "succeeded";
}

/** What follows a capture: the balance of an asynchronous one, and the dispute of a card that disputes. */
export function afterCapture(work: Work, charge: Stripe.Charge, { behaviour }: KeptPaymentMethod): void {
  if (charge.balance_transaction === null) {
    const before = { ...charge };
    settleBalance(work, charge);
    recordEvent(work, "charge.updated", charge, before);
  }
  if (!behaviour.isDisputed) return;
  later(work, {
    kind: "open_dispute",
    dueMs: work.nowMs + work.settings.settleDelayMs,
    accountId: work.book.account.id,
    id: charge.id,
  });
}

const clearAttempt = (intent: Stripe.PaymentIntent) => {
  intent.last_payment_error = null;
  intent.next_action = null;
  intent.processing = null;
};

/** The bank agrees: the intent is paid, or waits for its capture. */
export function approve(work: Work, intent: Stripe.PaymentIntent, method: KeptPaymentMethod): void {
  const charge = openCharge(work, intent, method, null);
  clearAttempt(intent);
  intent.payment_method = method.object.id;
  if (intent.capture_method === "manual") {
    const before = { ...intent, amount_capturable: 0 };
    intent.status = "requires_capture";
    intent.amount_capturable = intent.amount;
    recordEvent(work, "charge.succeeded", charge);
    recordEvent(work, "payment_intent.amount_capturable_updated", intent, before);
    return;
  }
  capture(work, intent, charge, intent.amount);
  recordEvent(work, "charge.succeeded", charge);
  recordEvent(work, "payment_intent.succeeded", intent);
  afterCapture(work, charge, method);
}

/** The bank says no: the intent waits for another payment method. */
export function declineAttempt(
  work: Work,
  intent: Stripe.PaymentIntent,
  method: KeptPaymentMethod,
  decline: Decline,
): Stripe.Charge {
  const charge = openCharge(work, intent, method, decline);
  clearAttempt(intent);
  intent.status = "requires_payment_method";
  intent.payment_method = null;
  intent.last_payment_error = {
    advice_code: "try_again_later",
    charge: charge.id,
    code: decline.code,
    ...(decline.declineCode === null ? {} : { decline_code: decline.declineCode }),
    doc_url: `https://stripe.com/docs/error-codes/${decline.code.replaceAll("_", "-")}`,
    message: decline.message,
    payment_method: method.object,
    type: "card_error",
  };
  recordEvent(work, "charge.failed", charge);
  recordEvent(work, "payment_intent.payment_failed", intent);
  return charge;
}

/** The payer's bank wants to see the payer first. */
export function requireAction(
  work: Work,
  intent: Stripe.PaymentIntent,
  method: KeptPaymentMethod,
  returnUrl: string | null,
): void {
  clearAttempt(intent);
  const url = `${work.settings.url()}/_simulator#${intent.id}`;
  intent.status = "requires_action";
  intent.payment_method = method.object.id;
  intent.next_action =
    returnUrl === null
      ? { type: "use_stripe_sdk", use_stripe_sdk: {} }
      : { type: "redirect_to_url", redirect_to_url: { return_url: returnUrl, url } };
  recordEvent(work, "payment_intent.requires_action", intent);
}

/** The payer's bank takes its time. */
export function process(work: Work, intent: Stripe.PaymentIntent, method: KeptPaymentMethod): void {
  clearAttempt(intent);
  intent.status = "processing";
  intent.payment_method = method.object.id;
  intent.processing = { card: {}, type: "card" };
  recordEvent(work, "payment_intent.processing", intent);
}
