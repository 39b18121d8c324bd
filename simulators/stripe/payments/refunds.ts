/** `/v1/refunds`. A refund counts against its charge from its creation until it fails or is cancelled. */
import type Stripe from "stripe";
import { z } from "zod";
import { recordEvent } from "../events/recordEvent.ts";
import { newRefund } from "../objects/refund.ts";
import { newId } from "../state/ids.ts";
import type { AccountBook } from "../state/simulatorState.ts";
import { later } from "../state/work.ts";
import type { Work } from "../state/work.ts";
import { badParameter, noSuch, StripeApiError } from "../wire/apiError.ts";
import type { Call } from "../wire/call.ts";
import { listPage, pageParameters } from "../wire/listPage.ts";
import { integer, metadata, oneOf, readParameters, text } from "../wire/parameters.ts";
import { bookMovement } from "./balance.ts";
import { intentOf } from "./paymentIntents.ts";
import { idOf } from "../objects/reference.ts";

const CREATE = z.strictObject({
  amount: integer(1).optional(),
  charge: text().optional(),
  metadata: metadata.optional(),
  payment_intent: text().optional(),
  reason: oneOf(["duplicate", "fraudulent", "requested_by_customer"]).optional(),
});

/** The account's charge of this id. @throws StripeApiError (404) */
export function chargeOf(book: AccountBook, id: string): Stripe.Charge {
  const charge = book.charges.get(id);
  if (charge === undefined) throw noSuch("charge", id, "charge");
  return charge;
}

export const retrieveCharge = ({ work, id }: Call): object => chargeOf(work.book, id);

/** The account's refund of this id. @throws StripeApiError (404) */
export function refundOf(book: AccountBook, id: string): Stripe.Refund {
  const refund = book.refunds.get(id);
  if (refund === undefined) throw noSuch("refund", id, "id");
  return refund;
}

function chargeToRefund(book: AccountBook, parameters: z.infer<typeof CREATE>): Stripe.Charge {
  const { charge, payment_intent: intentId } = parameters;
  if ((charge === undefined) === (intentId === undefined)) {
    throw badParameter(
      "charge",
      "One of the following params should be provided for this request: payment_intent or charge.",
    );
  }
  if (intentId === undefined) return chargeOf(book, String(charge));
  const intent = intentOf(book, intentId);
  const latest = book.charges.get(idOf(intent.latest_charge));
  if (latest?.status !== "succeeded") {
    throw new StripeApiError(
      400,
      `This PaymentIntent (${intentId}) does not have a successful charge to refund.`,
      {
        code: "payment_intent_unexpected_state",
        param: "payment_intent",
      },
    );
  }
  return latest;
}

const isDisputed = (book: AccountBook, chargeId: string) =>
  [...book.disputes.values()].some(({ charge, is_charge_refundable: may }) => charge === chargeId && !may);

function refundableAmount(book: AccountBook, charge: Stripe.Charge, asked: number | undefined): number {
  if (!charge.captured) {
    throw new StripeApiError(
      400,
      `Charge ${charge.id} has not been captured; cancel its PaymentIntent instead.`,
      {
        code: "charge_not_refundable",
        param: "charge",
      },
    );
  }
  if (isDisputed(book, charge.id)) {
    throw new StripeApiError(400, `Charge ${charge.id} has been charged back; cannot issue a refund.`, {
      code: "charge_disputed",
      param: "charge",
    });
  }
  const left = charge.amount_captured - charge.amount_refunded;
  if (left === 0) {
    throw new StripeApiError(400, `Charge ${charge.id} has already been refunded.`, {
      code: "charge_already_refunded",
    });
  }
  if (asked !== undefined && asked > left) {
    throw new StripeApiError(
      400,
      `Refund amount (${asked}) is greater than unrefunded amount on charge (${left}).`,
      {
        param: "amount",
      },
    );
  }
  return asked ?? left;
}

/** Books what a refund takes from the balance, or gives back when it failed. */
function move(work: Work, refund: Stripe.Refund, type: "refund" | "refund_failure"): string {
  const { amount, currency } = refund;
  return bookMovement(work, {
    amount: type === "refund" ? -amount : amount,
    currency,
    type,
    source: refund.id,
    description: null,
  }).id;
}

function countRefund(charge: Stripe.Charge, amount: number): void {
  charge.amount_refunded += amount;
  charge.refunded = charge.amount_refunded === charge.amount_captured;
}

export interface RefundRequest {
  readonly charge: Stripe.Charge;
  readonly amount?: number | undefined;
  readonly metadata?: Stripe.Metadata | undefined;
  readonly reason?: Stripe.Refund.Reason | undefined;
  /** Leaves the refund pending until somebody settles it. */
  readonly isPending?: boolean;
}

/** Makes a refund, which its card settles at once or later. */
export function openRefund(work: Work, request: RefundRequest): Stripe.Refund {
  const { charge } = request;
  const amount = refundableAmount(work.book, charge, request.amount);
  const onRefund = work.book.paymentMethods.get(idOf(charge.payment_method))?.behaviour.onRefund ?? "succeed";
  const isPending = request.isPending === true || onRefund === "pending";
  const refund = newRefund({
    id: newId(work.ids, "refund"),
    created: work.nowS,
    amount,
    charge,
    metadata: request.metadata ?? {},
    reason: request.reason ?? null,
    status: isPending ? "pending" : "succeeded",
  });
  if (isPending) refund.pending_reason = "processing";
  refund.balance_transaction = move(work, refund, "refund");
  work.book.refunds.set(refund.id, refund);
  countRefund(charge, amount);
  recordEvent(work, "refund.created", refund);
  recordEvent(work, "charge.refunded", charge);
  if (request.isPending !== true && onRefund !== "succeed") {
    later(work, {
      kind: "settle_refund",
      dueMs: work.nowMs + work.settings.settleDelayMs,
      accountId: work.book.account.id,
      id: refund.id,
      outcome: onRefund === "fail" ? "fail" : "succeed",
    });
  }
  return refund;
}

/** `POST /v1/refunds` */
export function createRefund({ work, fields }: Call): Stripe.Refund {
  const parameters = readParameters(CREATE, fields);
  const { amount, metadata: given, reason } = parameters;
  return openRefund(work, { charge: chargeToRefund(work.book, parameters), amount, metadata: given, reason });
}

/** Tells that a refund changed, by the events that Stripe sends for it. */
function recordChange(work: Work, refund: Stripe.Refund, before: Stripe.Refund): void {
  recordEvent(work, "refund.updated", refund, before);
  recordEvent(work, "charge.refund.updated", refund, before);
}

const assertRefundStatus = (refund: Stripe.Refund, allowed: readonly string[], what: string) => {
  if (allowed.includes(String(refund.status))) return;
  const words = `Refund ${refund.id} has a status of ${String(refund.status)} and cannot be ${what}.`;
  throw new StripeApiError(400, words, { param: "id" });
};

/** Money that did not go back counts as paid again. */
function takeBack(work: Work, refund: Stripe.Refund): void {
  const charge = chargeOf(work.book, idOf(refund.charge));
  countRefund(charge, -refund.amount);
  refund.failure_balance_transaction = move(work, refund, "refund_failure");
  delete refund.pending_reason;
}

/** Ends a pending refund, or lets one fail that had succeeded, as banks do. */
export function settleRefund(work: Work, refund: Stripe.Refund, outcome: "succeed" | "fail"): void {
  assertRefundStatus(
    refund,
    outcome === "succeed" ? ["pending"] : ["pending", "succeeded"],
    `made to ${outcome}`,
  );
  const before = { ...refund };
  if (outcome === "succeed") {
    refund.status = "succeeded";
    delete refund.pending_reason;
    recordChange(work, refund, before);
    return;
  }
  refund.status = "failed";
  refund.failure_reason = "expired_or_canceled_card";
  takeBack(work, refund);
  recordEvent(work, "refund.failed", refund);
  recordChange(work, refund, before);
}

/** `POST /v1/refunds/:id/cancel` */
export function cancelRefund({ work, fields, id }: Call): Stripe.Refund {
  readParameters(z.strictObject({}), fields);
  const refund = refundOf(work.book, id);
  assertRefundStatus(refund, ["pending", "requires_action"], "canceled");
  const before = { ...refund };
  refund.status = "canceled";
  takeBack(work, refund);
  recordChange(work, refund, before);
  return refund;
}

export const retrieveRefund = ({ work, id }: Call): object => refundOf(work.book, id);

const LIST = z.strictObject({
  ...pageParameters,
  charge: text().optional(),
  payment_intent: text().optional(),
});

/** `GET /v1/refunds` */
export function listRefunds({ work, fields }: Call): object {
  const parameters = readParameters(LIST, fields);
  const { charge = null, payment_intent: intent = null } = parameters;
  const refunds = [...work.book.refunds.values()].filter(
    (refund) =>
      (charge === null || refund.charge === charge) && (intent === null || refund.payment_intent === intent),
  );
  return listPage("/v1/refunds", "refund", refunds, parameters);
}
