/**
 * What our own calls to the provider led to. None of it says that money moved; that is in the provider's deliveries.
 * An outcome may come late, or twice: what it adds is recorded, the rest is nothing. One that names another object at
 * the provider than the one that is known is damage, and thrown.
 */
import type { NewEvent } from "../events/catalogue/catalogue.ts";
import type { Payment, PaymentState } from "./payment.ts";
import { findRequest, type RefundRequest } from "./paymentRefunds.ts";

export type OutcomeDecision =
  { kind: "events"; events: readonly [NewEvent, ...NewEvent[]] } | { kind: "nothing" };

const NOTHING: OutcomeDecision = { kind: "nothing" };

type Of<Type extends NewEvent["type"]> = Extract<NewEvent, { type: Type }>["data"];

function event<Type extends NewEvent["type"]>(state: Payment, type: Type, data: Of<Type>): NewEvent {
  return { stream: `payment/${state.paymentId}`, type, data } as NewEvent;
}

function requireExisting(state: PaymentState): Payment {
  if (state.kind === "none") throw new Error("INV-09 an outcome for no payment");
  return state;
}

function differs(known: string | null, told: string | undefined): boolean {
  return known !== null && told !== undefined && known !== told;
}

/**
 * The provider has the payment under these ids. When it was given up meanwhile, its cancelling is asked for again,
 * so that what nobody wants any more does not stay payable.
 */
export function decideCreated(
  state: PaymentState,
  told: { paymentIntentId?: string; checkoutSessionId?: string; livemode: boolean },
): OutcomeDecision {
  const known = requireExisting(state);
  const { paymentIntentId, checkoutSessionId } = told;
  if (
    differs(known.paymentIntentId, paymentIntentId) ||
    differs(known.checkoutSessionId, checkoutSessionId)
  ) {
    throw new Error(`INV-09 two objects at the provider for ${known.paymentId}`);
  }
  const addsId =
    (paymentIntentId !== undefined && known.paymentIntentId === null) ||
    (checkoutSessionId !== undefined && known.checkoutSessionId === null);
  if (!addsId) return NOTHING;
  const created = event(known, "payment.created", told);
  const isGivenUp =
    known.cancelRequested || known.status === "cancelled" || known.status === "creation_failed";
  return isGivenUp
    ? { kind: "events", events: [created, event(known, "payment.cancelRequested", {})] }
    : { kind: "events", events: [created] };
}

/** Nobody knows whether the provider has the payment: it will be read back, never made again. */
export function decideCreationUnknown(state: PaymentState): OutcomeDecision {
  const known = requireExisting(state);
  if (known.status !== "requested") return NOTHING;
  return { kind: "events", events: [event(known, "payment.creationUnknown", {})] };
}

/** The provider does not have the payment: it refused it, or reading back found none. */
export function decideCreationFailed(state: PaymentState, { code }: { code: string }): OutcomeDecision {
  const known = requireExisting(state);
  if (known.status !== "requested" && known.status !== "creation_unknown") return NOTHING;
  const failed = known.cancelRequested
    ? event(known, "payment.cancelled", { reason: "never_created" })
    : event(known, "payment.creationFailed", { code });
  return { kind: "events", events: [failed] };
}

function requireRequest(state: Payment, refundId: string): RefundRequest {
  const request = findRequest(state, refundId);
  if (request === undefined) throw new Error(`INV-09 an outcome for no refund of ${state.paymentId}`);
  return request;
}

/** The provider took the refund under this id; that money moved is in its deliveries. */
export function decideRefundSubmitted(
  state: PaymentState,
  told: { refundId: string; providerRefundId: string },
): OutcomeDecision {
  const known = requireExisting(state);
  const request = requireRequest(known, told.refundId);
  if (request.providerRefundId === told.providerRefundId) return NOTHING;
  if (request.providerRefundId !== null) {
    throw new Error(`INV-09 two refunds at the provider for ${told.refundId}`);
  }
  return { kind: "events", events: [event(known, "payment.refundSubmitted", told)] };
}

/** Nobody knows whether the provider took the refund: it will be read back, never made again. */
export function decideRefundUnknown(
  state: PaymentState,
  { refundId }: { refundId: string },
): OutcomeDecision {
  const known = requireExisting(state);
  if (requireRequest(known, refundId).status !== "submitting") return NOTHING;
  return { kind: "events", events: [event(known, "payment.refundUnknown", { refundId })] };
}

/** The provider did not take the refund: it refused it, or reading back found none. */
export function decideRefundNotSubmitted(
  state: PaymentState,
  told: { refundId: string; code: string },
): OutcomeDecision {
  const known = requireExisting(state);
  const { status } = requireRequest(known, told.refundId);
  if (status !== "submitting" && status !== "unknown") return NOTHING;
  return { kind: "events", events: [event(known, "payment.refundNotSubmitted", told)] };
}
