/** Refunds at Stripe: submit, find again. Whether money went back, its deliveries tell. */
import type { StripeSettings } from "../../access/stripeSettings.ts";
import { refundAnswer } from "./answers.ts";
import type { Failure } from "./classify.ts";
import { callStripe, type Called } from "./client.ts";
import { isProviderId } from "./identifiers.ts";
import { ORGANISATION_KEY, REFUND_KEY, refundParameters, type RefundToCreate } from "./parameters.ts";
import { findInList, type CallOptions } from "./payments.ts";

export type RefundResult = { kind: "submitted"; providerRefundId: string } | Failure | { kind: "missing" };

/** The id of a refund when it is the one that was asked for. */
function readRefund(answer: unknown, refund: RefundToCreate): string | null {
  const parsed = refundAnswer.safeParse(answer);
  if (!parsed.success) return null;
  const { metadata, amount, payment_intent: intent, id } = parsed.data;
  const isOurs =
    metadata?.[ORGANISATION_KEY] === refund.orgId &&
    metadata[REFUND_KEY] === refund.refundId &&
    amount === refund.amountMinor &&
    intent === refund.paymentIntentId;
  return isOurs ? id : null;
}

/** Submits a refund; repeated with the same key within a day it is the same refund. */
export async function createRefund(
  settings: StripeSettings,
  refund: RefundToCreate,
  { account, idempotencyKey }: CallOptions,
): Promise<RefundResult> {
  const options = { idempotencyKey, ...(account === null ? {} : { stripeAccount: account }) };
  const called = await callStripe(settings, (stripe) =>
    stripe.refunds.create(refundParameters(refund), options),
  );
  if (called.kind !== "answered") return called;
  const providerRefundId = readRefund(called.answer, refund);
  return providerRefundId === null ? { kind: "unknown" } : { kind: "submitted", providerRefundId };
}

/** Looks for a refund among those of its payment, by our own id in what Stripe keeps beside it. Makes nothing. */
export async function findRefund(
  settings: StripeSettings,
  refund: RefundToCreate,
  { account }: { account: string | null },
): Promise<RefundResult> {
  const { paymentIntentId: intent } = refund;
  if (!isProviderId("paymentIntent", intent)) return { kind: "failed", code: "not_sent" };
  const ofAccount = account === null ? {} : { stripeAccount: account };
  const readPage = async (after: string | undefined): Promise<Called<unknown>> => {
    const query = {
      limit: 100,
      payment_intent: intent,
      ...(after === undefined ? {} : { starting_after: after }),
    };
    return await callStripe(settings, (stripe) => stripe.refunds.list(query, ofAccount));
  };
  const unreadable: unknown[] = [];
  const found = await findInList(readPage, (item) => {
    if (!refundAnswer.safeParse(item).success) unreadable.push(item);
    return readRefund(item, refund);
  });
  if (found.kind === "found") return { kind: "submitted", providerRefundId: found.item };
  // What can't be read may be the one.
  return found.kind === "missing" && unreadable.length > 0 ? { kind: "unknown" } : found;
}
