/** `/v1/disputes`, and what banks do with disputes. */
import type Stripe from "stripe";
import { z } from "zod";
import { recordEvent } from "../events/recordEvent.ts";
import { newDispute } from "../objects/dispute.ts";
import { newId } from "../state/ids.ts";
import type { AccountBook } from "../state/simulatorState.ts";
import type { Work } from "../state/work.ts";
import { noSuch, StripeApiError } from "../wire/apiError.ts";
import type { Call } from "../wire/call.ts";
import { listPage, pageParameters } from "../wire/listPage.ts";
import { boolean, metadata, readParameters, text } from "../wire/parameters.ts";
import { bookMovement, DISPUTE_FEE } from "./balance.ts";
import { mergedMetadata } from "./paymentIntents.ts";
import { chargeOf } from "./refunds.ts";
import { idOf } from "../objects/reference.ts";

/** The account's dispute of this id. @throws StripeApiError (404) */
export function disputeOf(book: AccountBook, id: string): Stripe.Dispute {
  const dispute = book.disputes.get(id);
  if (dispute === undefined) throw noSuch("dispute", id, "dispute");
  return dispute;
}

const isInquiry = ({ status }: Stripe.Dispute) => status.startsWith("warning_");

/** Money of a dispute, out of the balance or back into it. */
function move(work: Work, dispute: Stripe.Dispute, amount: number, fee: number): void {
  const movement = bookMovement(work, {
    amount,
    fee,
    currency: dispute.currency,
    type: "adjustment",
    source: dispute.id,
    description: `Chargeback ${amount < 0 ? "withdrawal" : "reversal"} for ${idOf(dispute.charge)}`,
  });
  dispute.balance_transactions.push(structuredClone(movement));
}

/**
 * The payer's bank disputes what is left of a charge.
 * @throws StripeApiError (400) when nothing is left, or a dispute is there.
 */
export function openDispute(
  work: Work,
  charge: Stripe.Charge,
  { reason = "fraudulent", isInquiry: asInquiry = false }: { reason?: string; isInquiry?: boolean } = {},
): Stripe.Dispute {
  const amount = charge.amount_captured - charge.amount_refunded;
  if (!charge.captured || amount <= 0 || charge.disputed) {
    throw new StripeApiError(400, `Charge ${charge.id} has nothing that can be disputed.`, {
      param: "charge",
    });
  }
  const id = newId(work.ids, "dispute");
  const dispute = newDispute({ id, created: work.nowS, charge, amount, reason, isInquiry: asInquiry });
  work.book.disputes.set(id, dispute);
  charge.disputed = true;
  if (!asInquiry) move(work, dispute, -amount, DISPUTE_FEE);
  recordEvent(work, "charge.dispute.created", dispute);
  if (!asInquiry) recordEvent(work, "charge.dispute.funds_withdrawn", dispute);
  return dispute;
}

const OPEN: readonly string[] = [
  "needs_response",
  "under_review",
  "warning_needs_response",
  "warning_under_review",
];

function assertOpen(dispute: Stripe.Dispute): void {
  if (OPEN.includes(dispute.status)) return;
  throw new StripeApiError(400, `This dispute is already closed (${dispute.status}).`, { param: "dispute" });
}

/** An inquiry that is lost takes what is left of its charge; where nothing is, it was answered by refunds. */
function decideInquiry(work: Work, dispute: Stripe.Dispute, outcome: "won" | "lost"): void {
  const charge = chargeOf(work.book, idOf(dispute.charge));
  const left = Math.min(dispute.amount, charge.amount_captured - charge.amount_refunded);
  if (outcome === "won" || left === 0) {
    dispute.status = "warning_closed";
    return;
  }
  dispute.status = "lost";
  dispute.amount = left;
  dispute.is_charge_refundable = false;
  move(work, dispute, -left, DISPUTE_FEE);
  recordEvent(work, "charge.dispute.funds_withdrawn", dispute);
}

/** The bank's decision, for the merchant or for the payer. */
export function decideDispute(work: Work, dispute: Stripe.Dispute, outcome: "won" | "lost"): void {
  assertOpen(dispute);
  if (isInquiry(dispute)) decideInquiry(work, dispute, outcome);
  else {
    dispute.status = outcome;
    if (outcome === "won") {
      move(work, dispute, dispute.amount, 0);
      dispute.is_charge_refundable = true;
    }
  }
  recordEvent(work, "charge.dispute.closed", dispute);
  if (dispute.status === "won") recordEvent(work, "charge.dispute.funds_reinstated", dispute);
}

const UPDATE = z.strictObject({
  evidence: z.record(z.string(), text(20_000)).optional(),
  metadata: metadata.optional(),
  submit: boolean.optional(),
});

/** `POST /v1/disputes/:id`: collects evidence, and submits it unless `submit` is false. */
export function updateDispute({ work, fields, id }: Call): Stripe.Dispute {
  const parameters = readParameters(UPDATE, fields);
  const dispute = disputeOf(work.book, id);
  const evidence = parameters.evidence ?? {};
  const unknown = Object.keys(evidence).find((name) => !Object.hasOwn(dispute.evidence, name));
  if (unknown !== undefined) {
    const param = `evidence[${unknown}]`;
    throw new StripeApiError(400, `Received unknown parameter: ${param}`, {
      code: "parameter_unknown",
      param,
      isSaved: false,
    });
  }
  assertOpen(dispute);
  const before = structuredClone(dispute);
  Object.assign(dispute.evidence, evidence);
  dispute.evidence_details.has_evidence ||= Object.keys(evidence).length > 0;
  dispute.metadata = mergedMetadata(dispute.metadata, parameters.metadata);
  // Evidence is submitted at once unless the caller only collects it.
  if (parameters.submit !== false && parameters.evidence !== undefined) {
    dispute.evidence_details.submission_count += 1;
    dispute.evidence_details.submission_method = "manual";
    dispute.status = isInquiry(dispute) ? "warning_under_review" : "under_review";
  }
  recordEvent(work, "charge.dispute.updated", dispute, before);
  return dispute;
}

/** `POST /v1/disputes/:id/close`: gives up. */
export function closeDispute({ work, fields, id }: Call): Stripe.Dispute {
  readParameters(z.strictObject({}), fields);
  const dispute = disputeOf(work.book, id);
  decideDispute(work, dispute, "lost");
  return dispute;
}

export const retrieveDispute = ({ work, id }: Call): object => disputeOf(work.book, id);

const LIST = z.strictObject({
  ...pageParameters,
  charge: text().optional(),
  payment_intent: text().optional(),
});

/** `GET /v1/disputes` */
export function listDisputes({ work, fields }: Call): object {
  const parameters = readParameters(LIST, fields);
  const { charge = null, payment_intent: intent = null } = parameters;
  const disputes = [...work.book.disputes.values()].filter(
    (dispute) =>
      (charge === null || dispute.charge === charge) &&
      (intent === null || dispute.payment_intent === intent),
  );
  return listPage("/v1/disputes", "dispute", disputes, parameters);
}
