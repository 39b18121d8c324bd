/** What people may ask of payments. The amount is the server's; a command only says of which booking or payment. */
import { accept, refuse, type Decision, type DecisionContext } from "./decision.ts";
import type { Booking, BookingState } from "./booking.ts";
import {
  isOpen,
  isUsedUp,
  refundableMinor,
  type Payment,
  type PaymentMethod,
  type PaymentPurpose,
  type PaymentState,
} from "./payment.ts";
import { disputedMinor } from "./paymentDisputes.ts";
import { committedMinor, findRequest, REFUND_REQUESTS_MAX, type RefundReason } from "./paymentRefunds.ts";

/** Who takes the money: the organisation's own account, the deployment's, or nobody. */
export type Payee = { kind: "account"; account: string } | { kind: "platform" } | { kind: "nobody" };

export type RequestPaymentFacts = {
  /** What has been asked for it. */
  payments: readonly Pick<Payment, "purpose" | "status" | "method" | "paymentIntentId">[];
  payee: Payee;
  /** Whether the provider's page has somewhere to send the payer back to. */
  hasReturnOrigin: boolean;
};

/** The part of a booking's price that is due next: the deposit, then the balance; without deposit all of it. */
export function partDue(
  { priceMinor, depositMinor }: { priceMinor: number; depositMinor?: number },
  payments: readonly Pick<Payment, "purpose" | "status">[],
): { purpose: PaymentPurpose; amountMinor: number } {
  if (depositMinor === undefined) return { purpose: "full", amountMinor: priceMinor };
  const isDepositPaid = payments.some(({ purpose, status }) => purpose === "deposit" && status === "paid");
  return isDepositPaid
    ? { purpose: "balance", amountMinor: priceMinor - depositMinor }
    : { purpose: "deposit", amountMinor: depositMinor };
}

/** Whether nothing else may be asked for the same part: it is paid, or may still be. */
function holdsPart(payment: RequestPaymentFacts["payments"][number]): boolean {
  return (isOpen(payment.status) && !isUsedUp(payment)) || payment.status === "paid";
}

/** Whether somebody still owes something for a booking. */
function isPayable({ status }: Booking): boolean {
  return status !== "cancelled" && status !== "no_show";
}

/** Asks for the part of a booking's price that is due. One at a time may be open or paid for each part. */
export function decideRequestPayment(
  booking: BookingState,
  command: { bookingId: string; method: PaymentMethod; returnPath?: string | undefined },
  { payments, payee, hasReturnOrigin }: RequestPaymentFacts,
  context: Pick<DecisionContext, "newId">,
): Decision {
  const { bookingId, method, returnPath } = command;
  if (booking.kind === "none") return refuse("NOT_FOUND");
  if (returnPath !== undefined && method !== "checkout_session") return refuse("INVALID", "returnPath");
  if (!isPayable(booking)) return refuse("CONFLICT", "bookingId");
  const { purpose, amountMinor } = partDue(booking, payments);
  if (amountMinor === 0) return refuse("CONFLICT", "bookingId");
  if (payments.some((each) => each.purpose === purpose && holdsPart(each))) {
    return refuse("CONFLICT", "bookingId");
  }
  if (payee.kind === "nobody") return refuse("CONFLICT");
  if (method === "checkout_session" && !hasReturnOrigin) return refuse("CONFLICT", "method");
  const paymentId = context.newId("pay");
  const asked = { bookingId, purpose, method, amountMinor, currency: booking.currency };
  const data = {
    ...asked,
    ...(payee.kind === "account" ? { account: payee.account } : {}),
    ...(returnPath === undefined ? {} : { returnPath }),
  };
  return accept([{ stream: `payment/${paymentId}`, type: "payment.requested", data }], { paymentId });
}

/**
 * Cancels what the provider has not heard of; of everything else it asks the provider, whose word decides whether the
 * payer was faster.
 */
export function decideCancelPayment(state: PaymentState, command: { paymentId: string }): Decision {
  if (state.kind === "none") return refuse("NOT_FOUND");
  const stream = `payment/${command.paymentId}`;
  if (state.status === "requested") {
    return accept([{ stream, type: "payment.cancelled", data: { reason: "never_created" } }]);
  }
  if (!isOpen(state.status)) return refuse("INVALID_TRANSITION");
  return accept([{ stream, type: "payment.cancelRequested", data: {} }]);
}

/** What a refund request would give back: the amount asked for, or all that is left. */
export function askedMinor(
  state: PaymentState,
  { amountMinor }: { amountMinor?: number | undefined },
): number {
  if (amountMinor !== undefined) return amountMinor;
  return state.kind === "none" ? 0 : Math.max(0, refundableMinor(state));
}

/**
 * Asks for a refund, of all that is left without an amount. It waits for another person's approval where what was
 * given back, asked for and asked for now is more than `limitMinor` together, so that no splitting goes around it.
 */
export function decideRequestRefund(
  state: PaymentState,
  command: { paymentId: string; amountMinor?: number | undefined; reason: RefundReason },
  { limitMinor }: { limitMinor: number },
  context: Pick<DecisionContext, "newId">,
): Decision {
  if (state.kind === "none") return refuse("NOT_FOUND");
  if (state.status !== "paid") return refuse("INVALID_TRANSITION");
  const amountMinor = askedMinor(state, command);
  if (amountMinor === 0 || amountMinor > refundableMinor(state)) return refuse("CONFLICT", "amountMinor");
  if (state.refundRequests.length >= REFUND_REQUESTS_MAX) return refuse("CONFLICT");
  const refundId = context.newId("rfd");
  const needsApproval = committedMinor(state) + amountMinor > limitMinor;
  const data = { refundId, amountMinor, reason: command.reason, needsApproval };
  return accept([{ stream: `payment/${command.paymentId}`, type: "payment.refundRequested", data }], {
    refundId,
  });
}

/** Approves a refund, if what it needs is still there. That another person does it is in the policy table. */
export function decideApproveRefund(
  state: PaymentState,
  command: { paymentId: string; refundId: string },
): Decision {
  if (state.kind === "none") return refuse("NOT_FOUND");
  const { paymentId, refundId } = command;
  const request = findRequest(state, refundId);
  if (request === undefined) return refuse("NOT_FOUND", "refundId");
  if (request.status !== "awaiting_approval") return refuse("INVALID_TRANSITION");
  const bound = committedMinor(state) + disputedMinor(state.disputes);
  if (bound > state.amountMinor) return refuse("CONFLICT");
  return accept([{ stream: `payment/${paymentId}`, type: "payment.refundApproved", data: { refundId } }]);
}

/** Declines a refund that waits for approval; what it held is free again. */
export function decideDeclineRefund(
  state: PaymentState,
  command: { paymentId: string; refundId: string },
): Decision {
  if (state.kind === "none") return refuse("NOT_FOUND");
  const { paymentId, refundId } = command;
  const request = findRequest(state, refundId);
  if (request === undefined) return refuse("NOT_FOUND", "refundId");
  if (request.status !== "awaiting_approval") return refuse("INVALID_TRANSITION");
  return accept([{ stream: `payment/${paymentId}`, type: "payment.refundDeclined", data: { refundId } }]);
}
