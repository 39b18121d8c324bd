/**
 * Payments: requested → awaiting_payment → processing → paid, with what can go wrong on the way (docs/payments.md has
 * the tables). Only the provider's signed word leads to processing, failed and paid; paid is above everything else,
 * whatever comes before or after it.
 */
import type { DomainEvent } from "../events/catalogue/catalogue.ts";
import type { PAYMENT_METHODS, PAYMENT_PURPOSES } from "../events/catalogue/payment.ts";
import type { Aggregate } from "./decision.ts";
import { afterDispute, disputedMinor, type Dispute } from "./paymentDisputes.ts";
import {
  afterProviderRefund,
  committedMinor,
  outcomeOfRefundEvent,
  withRequest,
  type Refunds,
} from "./paymentRefunds.ts";

export type PaymentStatus =
  | "requested"
  | "creation_unknown"
  | "creation_failed"
  | "awaiting_payment"
  | "processing"
  | "failed"
  | "paid"
  | "cancelled";

export type PaymentPurpose = (typeof PAYMENT_PURPOSES)[number];
export type PaymentMethod = (typeof PAYMENT_METHODS)[number];

export type Payment = Refunds & {
  kind: "existing";
  paymentId: string;
  bookingId: string;
  purpose: PaymentPurpose;
  method: PaymentMethod;
  amountMinor: number;
  currency: string;
  /** The organisation's account at the provider; null when the deployment's own takes the money. */
  account: string | null;
  status: PaymentStatus;
  cancelRequested: boolean;
  paymentIntentId: string | null;
  checkoutSessionId: string | null;
  /** When the provider says that the attempt of `processing` or `failed` was, milliseconds UTC; 0 in other states. */
  attemptAt: number;
  disputes: readonly Dispute[];
};
export type PaymentState = { kind: "none" } | Payment;

/** Statuses in which money may still come. */
const OPEN: readonly PaymentStatus[] = [
  "requested",
  "creation_unknown",
  "awaiting_payment",
  "processing",
  "failed",
];

/** Whether money may still come, the payer's next attempt after a failed one included. */
export function isOpen(status: PaymentStatus): boolean {
  return OPEN.includes(status);
}

/**
 * Whether the provider's page was gone through and the payer's bank refused afterwards: the page takes no other attempt.
 * The intent of a page is known once the page is complete.
 */
export function isUsedUp({
  method,
  status,
  paymentIntentId,
}: Pick<Payment, "method" | "status" | "paymentIntentId">): boolean {
  return method === "checkout_session" && status === "failed" && paymentIntentId !== null;
}

/** What has been paid. */
export function paidMinor({ status, amountMinor }: Pick<Payment, "status" | "amountMinor">): number {
  return status === "paid" ? amountMinor : 0;
}

/** What can still be given back: paid, and neither given back, asked for, nor disputed. Below 0 when more is bound than was paid. */
export function refundableMinor(payment: Payment): number {
  return paidMinor(payment) - committedMinor(payment) - disputedMinor(payment.disputes);
}

type Of<Type extends DomainEvent["type"]> = Extract<DomainEvent, { type: Type }>;

function requested(event: Of<"payment.requested">): Payment {
  const { bookingId, purpose, method, amountMinor, currency, account = null } = event.data;
  return {
    kind: "existing",
    paymentId: event.stream.slice("payment/".length),
    ...{ bookingId, purpose, method, amountMinor, currency, account },
    status: "requested",
    cancelRequested: false,
    paymentIntentId: null,
    checkoutSessionId: null,
    attemptAt: 0,
    refundRequests: [],
    providerRefunds: [],
    disputes: [],
  };
}

/** The ids that the provider gave; one that is known stays. */
function withIds(state: Payment, told: { paymentIntentId?: string; checkoutSessionId?: string }): Payment {
  return {
    ...state,
    paymentIntentId: state.paymentIntentId ?? told.paymentIntentId ?? null,
    checkoutSessionId: state.checkoutSessionId ?? told.checkoutSessionId ?? null,
  };
}

const NOT_CREATED: readonly PaymentStatus[] = ["requested", "creation_unknown", "creation_failed"];

/**
 * After word of an attempt to pay: the later one by the provider's time counts, of two at once the failed one. The same
 * state when nothing is new.
 */
export function afterAttempt(state: Payment, status: "processing" | "failed", occurredAt: number): Payment {
  if (state.status === "paid" || state.status === "cancelled") return state;
  const isNews =
    occurredAt > state.attemptAt ||
    (occurredAt === state.attemptAt && status === "failed" && state.status === "processing");
  return isNews ? { ...state, status, attemptAt: occurredAt } : state;
}

function evolveCreation(state: Payment, event: DomainEvent): Payment {
  switch (event.type) {
    case "payment.created": {
      const created = withIds(state, event.data);
      return NOT_CREATED.includes(state.status) ? { ...created, status: "awaiting_payment" } : created;
    }
    case "payment.creationUnknown":
      return state.status === "requested" ? { ...state, status: "creation_unknown" } : state;
    case "payment.creationFailed":
      return NOT_CREATED.includes(state.status) ? { ...state, status: "creation_failed" } : state;
    default:
      return evolveMoneyBack(state, event);
  }
}

function evolvePayment(state: Payment, event: DomainEvent): Payment {
  switch (event.type) {
    case "payment.cancelRequested":
      return { ...state, cancelRequested: true };
    case "payment.cancelled": {
      const informed = withIds(state, event.data);
      return state.status === "paid" ? informed : { ...informed, status: "cancelled", attemptAt: 0 };
    }
    case "payment.processing":
      return afterAttempt(withIds(state, event.data), "processing", event.data.occurredAt);
    case "payment.failed":
      return afterAttempt(withIds(state, event.data), "failed", event.data.occurredAt);
    case "payment.confirmed":
      return { ...withIds(state, event.data), status: "paid", attemptAt: 0 };
    default:
      return evolveCreation(state, event);
  }
}

function evolveMoneyBack(state: Payment, event: DomainEvent): Payment {
  switch (event.type) {
    case "payment.refundPending":
    case "payment.refunded":
    case "payment.refundFailed": {
      const { providerRefundId, amountMinor } = event.data;
      const told = { providerRefundId, amountMinor, status: outcomeOfRefundEvent(event.type) };
      return { ...state, providerRefunds: afterProviderRefund(state.providerRefunds, told) };
    }
    case "payment.disputeOpened":
    case "payment.disputeUpdated":
    case "payment.disputeFundsWithdrawn":
    case "payment.disputeFundsReinstated":
    case "payment.disputeClosed":
      return { ...state, disputes: afterDispute(state.disputes, event.type, event.data) };
    default:
      return { ...state, refundRequests: evolveRequests(state, event) };
  }
}

function evolveRequests(
  { refundRequests: requests }: Payment,
  event: DomainEvent,
): Payment["refundRequests"] {
  switch (event.type) {
    case "payment.refundRequested": {
      const status = event.data.needsApproval ? "awaiting_approval" : "submitting";
      return [...requests, { ...event.data, requestedBy: event.actor.id, status, providerRefundId: null }];
    }
    case "payment.refundApproved":
      return withRequest(requests, event.data.refundId, { status: "submitting" });
    case "payment.refundDeclined":
      return withRequest(requests, event.data.refundId, { status: "declined" });
    case "payment.refundUnknown":
      return withRequest(requests, event.data.refundId, { status: "unknown" });
    case "payment.refundNotSubmitted":
      return withRequest(requests, event.data.refundId, { status: "not_submitted" });
    case "payment.refundSubmitted": {
      const { refundId, providerRefundId } = event.data;
      return withRequest(requests, refundId, { status: "submitted", providerRefundId });
    }
    default:
      return requests;
  }
}

export const payment: Aggregate<PaymentState> = {
  initial: { kind: "none" },
  evolve(state, event) {
    if (event.type === "payment.requested") return requested(event);
    return state.kind === "none" ? state : evolvePayment(state, event);
  },
};
