/** Payments in every state, and facts about them, for tests. */
import type { DomainEvent, NewEvent } from "../events/catalogue/catalogue.ts";
import type { ProviderFact } from "../events/providerFact.ts";
import { payment, type Payment, type PaymentState } from "./payment.ts";

export const INTENT = "pi_3ABCDEFGH";
export const SESSION = "cs_test_ABCDEFGH";
export const REFUND = "re_3ABCDEFGH";
export const AMOUNT = 5000;

const STREAM = "payment/pay_1";
export const ASKER = "usr_1";

export type Happened = { type: NewEvent["type"]; data: object; by?: string };

export function happened(type: NewEvent["type"], data: object = {}, by = ASKER): Happened {
  return { type, data, by };
}

function domainEvent({ type, data, by = ASKER }: Happened): DomainEvent {
  return { type, data, stream: STREAM, actor: { kind: "user", id: by } } as unknown as DomainEvent;
}

export function evolve(state: PaymentState, events: readonly Happened[]): PaymentState {
  return events.reduce<PaymentState>((next, event) => payment.evolve(next, domainEvent(event)), state);
}

/** The payment after these events. */
export function given(...events: readonly Happened[]): Payment {
  const state = evolve(payment.initial, events);
  if (state.kind === "none") throw new Error("no payment was given");
  return state;
}

const booked = { bookingId: "bkg_1", purpose: "full", amountMinor: AMOUNT, currency: "EUR" };
export const REQUESTED = happened("payment.requested", { ...booked, method: "payment_intent" });
export const PAGE_REQUESTED = happened("payment.requested", { ...booked, method: "checkout_session" });
export const CREATED = happened("payment.created", { paymentIntentId: INTENT, livemode: false });
export const PAGE_CREATED = happened("payment.created", { checkoutSessionId: SESSION, livemode: false });
export const CONFIRMED = happened("payment.confirmed", {
  paymentIntentId: INTENT,
  amountMinor: AMOUNT,
  currency: "EUR",
});

/** The shortest history to each status, as docs/payments.md names them. */
export const HISTORIES: Readonly<Record<string, readonly Happened[]>> = {
  requested: [REQUESTED],
  creation_unknown: [REQUESTED, happened("payment.creationUnknown")],
  creation_failed: [REQUESTED, happened("payment.creationFailed", { code: "card_declined" })],
  "cancelled, never created": [REQUESTED, happened("payment.cancelled", { reason: "never_created" })],
  awaiting_payment: [REQUESTED, CREATED],
  processing: [
    REQUESTED,
    CREATED,
    happened("payment.processing", { paymentIntentId: INTENT, occurredAt: 1 }),
  ],
  failed: [
    REQUESTED,
    CREATED,
    happened("payment.failed", { paymentIntentId: INTENT, occurredAt: 1, code: "card_declined" }),
  ],
  paid: [REQUESTED, CREATED, CONFIRMED],
  cancelled: [REQUESTED, CREATED, happened("payment.cancelled", { reason: "provider" })],
};

type Fact<Kind extends ProviderFact["kind"]> = Extract<ProviderFact, { kind: Kind }>;

export function intentFact(
  outcome: Fact<"paymentIntent">["outcome"],
  more: Partial<Fact<"paymentIntent">> = {},
): ProviderFact {
  const amountReceivedMinor = outcome === "succeeded" ? AMOUNT : 0;
  const told = { kind: "paymentIntent", paymentIntentId: INTENT, outcome, occurredAt: 2 } as const;
  return { ...told, amountMinor: AMOUNT, amountReceivedMinor, currency: "EUR", ...more };
}

export function sessionFact(
  outcome: Fact<"checkoutSession">["outcome"],
  more: Partial<Fact<"checkoutSession">> = {},
): ProviderFact {
  const told = { kind: "checkoutSession", checkoutSessionId: SESSION, outcome, occurredAt: 2 } as const;
  return { ...told, paymentIntentId: INTENT, amountMinor: AMOUNT, currency: "EUR", ...more };
}

export function refundFact(
  status: Fact<"refund">["status"],
  more: Partial<Fact<"refund">> = {},
): ProviderFact {
  const told = { kind: "refund", providerRefundId: REFUND, paymentIntentId: INTENT, status } as const;
  return { ...told, amountMinor: AMOUNT, currency: "EUR", ...more };
}

export function disputeFact(
  change: Fact<"dispute">["change"],
  more: Partial<Fact<"dispute">> = {},
): ProviderFact {
  const told = { kind: "dispute", disputeId: "dp_3ABCDEFGH", paymentIntentId: INTENT, change } as const;
  const words = { status: "needs_response", reason: "fraudulent" };
  return { ...told, ...words, occurredAt: 2, amountMinor: AMOUNT, currency: "EUR", ...more };
}
