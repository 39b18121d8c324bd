/** The states of a PaymentIntent in which something can be done with it. Merchants do the first four, payers the rest. */
import type Stripe from "stripe";
import { unexpectedState } from "../wire/apiError.ts";

export const INTENT_STATES = [
  "requires_payment_method",
  "requires_confirmation",
  "requires_action",
  "processing",
  "requires_capture",
  "succeeded",
  "canceled",
] as const;
export type IntentState = (typeof INTENT_STATES)[number];

export type IntentOperation =
  "update" | "confirm" | "capture" | "cancel" | "succeed" | "fail" | "require_action" | "process";

export const ALLOWED_STATES: Readonly<Record<IntentOperation, readonly IntentState[]>> = {
  update: ["requires_payment_method", "requires_confirmation", "requires_action"],
  confirm: ["requires_payment_method", "requires_confirmation", "requires_action"],
  capture: ["requires_capture"],
  cancel: ["requires_payment_method", "requires_confirmation", "requires_action", "requires_capture"],
  succeed: ["requires_payment_method", "requires_confirmation", "requires_action", "processing"],
  fail: ["requires_payment_method", "requires_confirmation", "requires_action", "processing"],
  require_action: ["requires_payment_method", "requires_confirmation"],
  process: ["requires_payment_method", "requires_confirmation", "requires_action"],
};

/** @throws StripeApiError (400 payment_intent_unexpected_state) when the intent is in no state for it. */
export function assertAllowed(intent: Stripe.PaymentIntent, operation: IntentOperation): void {
  const allowed = ALLOWED_STATES[operation];
  if (allowed.some((state) => state === intent.status)) return;
  throw unexpectedState(
    `You cannot ${operation.replace("_", " ")} this PaymentIntent because it has a status of ${intent.status}. ` +
      `Only a PaymentIntent with one of the following statuses allows it: ${allowed.join(", ")}.`,
    intent,
  );
}
