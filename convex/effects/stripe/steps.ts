/** What an attempt of an effect on a payment or refund does, and what its result means for the effect. Pure. */
import type { EffectError, EffectOutcome } from "../../access/outbox.ts";
import { ATTEMPTS_MAX } from "../../access/outbox.ts";
import type { Payment } from "../../domain/payment.ts";
import { findRequest, type RefundRequest } from "../../domain/paymentRefunds.ts";
import type { Failure } from "./classify.ts";

/** An attempt, as far as it decides what may be done. */
export type Attempt = {
  /** From 1. */
  attempt: number;
  /** When the effect was caused, milliseconds UTC. */
  createdAt: number;
  now: number;
};

const HOUR_MS = 60 * 60 * 1000;
/** Stripe forgets idempotency keys after a day; a call is repeated for somewhat less (R45). */
const KEY_LIFETIME_MS = 23 * HOUR_MS;

/** Nothing that a payer could pay with was given out, so a payment that is not found soon is given up. */
export const PAYMENT_GIVEN_UP_MS = HOUR_MS / 6;
/** A refund is money: its call could only be carried out for as long as Stripe knows its key. */
export const REFUND_GIVEN_UP_MS = 24 * HOUR_MS;

/** `settle`: there is nothing to do any more. `doubt`: the call may not be repeated, and only reading tells. */
export type Step = "create" | "find" | "cancel" | "settle" | "doubt";

/** Whether an earlier attempt may have reached Stripe, and under a key that Stripe has forgotten by now. */
function isTooLate({ attempt, createdAt, now }: Attempt): boolean {
  return attempt > 1 && now - createdAt > KEY_LIFETIME_MS;
}

/** What an attempt to create a payment does. */
export function creationStep(
  { status, paymentIntentId, checkoutSessionId }: Payment,
  attempt: Attempt,
): Step {
  if (paymentIntentId !== null || checkoutSessionId !== null) return "settle";
  if (status === "requested") return isTooLate(attempt) ? "doubt" : "create";
  // Given up meanwhile. What an attempt before this one may have made must not stay payable.
  return status === "cancelled" && attempt.attempt > 1 ? "find" : "settle";
}

/** What an attempt to find a payment again does. */
export function searchStep({ paymentIntentId, checkoutSessionId }: Payment): Step {
  return paymentIntentId === null && checkoutSessionId === null ? "find" : "settle";
}

/** What an attempt to call a payment off does. What is not known yet, its creating outcome asks for again. */
export function cancelStep({ status, paymentIntentId, checkoutSessionId }: Payment): Step {
  if (paymentIntentId === null && checkoutSessionId === null) return "settle";
  return status === "paid" ? "settle" : "cancel";
}

/** What an attempt to submit a refund, or to find it again, does. */
export function refundStep(payment: Payment, refundId: string, find: boolean, attempt: Attempt): Step {
  const request = findRequest(payment, refundId);
  if (request === undefined || payment.paymentIntentId === null) return "settle";
  const waits: readonly RefundRequest["status"][] = find ? ["submitting", "unknown"] : ["submitting"];
  if (!waits.includes(request.status)) return "settle";
  if (find) return "find";
  return isTooLate(attempt) ? "doubt" : "create";
}

const RETRY_ERRORS: Readonly<Record<Extract<Failure, { kind: "retry" }>["reason"], EffectError>> = {
  RATE_LIMITED: "PROVIDER_BUSY",
  IN_FLIGHT: "PROVIDER_BUSY",
  UNREACHABLE: "PROVIDER_UNREACHABLE",
  UNAUTHORIZED: "PROVIDER_REJECTS_KEY",
};

/** What is left to say of an attempt that made nothing sure: another one, doubt, or the end. */
export type Verdict =
  | { kind: "again"; outcome: EffectOutcome }
  | { kind: "doubt"; outcome: EffectOutcome }
  | { kind: "over"; outcome: EffectOutcome; code: string };

const IN_DOUBT: Verdict = { kind: "doubt", outcome: { status: "unknown", error: "OUTCOME_UNKNOWN" } };

/**
 * What a failed call to create means. A refusal speaks of its own attempt: an earlier one may have been carried out,
 * under a key of the API's that was replaced since. So it ends a first attempt, and a later one only where it is sure
 * that none before it was carried out.
 */
export function afterCreating(
  failure: Failure,
  { attempt, isSure }: { attempt: number; isSure: boolean },
): Verdict {
  if (failure.kind === "failed" && attempt > 1 && !isSure) return IN_DOUBT;
  if (failure.kind === "failed") {
    const outcome = { status: "failed", error: "PROVIDER_REFUSED" } as const;
    return { kind: "over", outcome, code: failure.code };
  }
  if (failure.kind === "unknown" || attempt >= ATTEMPTS_MAX) return IN_DOUBT;
  return { kind: "again", outcome: { status: "retry", error: RETRY_ERRORS[failure.reason] } };
}

/** What a search that found nothing, or failed, means. Reading changes nothing, so it is repeated whatever happened. */
export function afterSearching(
  result: Failure | { kind: "missing" },
  { attempt, createdAt, now }: Attempt,
  givenUpAfterMs: number,
): Verdict {
  if (result.kind === "missing" && now - createdAt >= givenUpAfterMs) {
    const outcome = { status: "failed", error: "NOTHING_FOUND" } as const;
    return { kind: "over", outcome, code: "never_created" };
  }
  if (attempt >= ATTEMPTS_MAX) return IN_DOUBT;
  const error =
    result.kind === "missing"
      ? "NOTHING_FOUND"
      : result.kind === "retry"
        ? RETRY_ERRORS[result.reason]
        : "OUTCOME_UNKNOWN";
  return { kind: "again", outcome: { status: "retry", error } };
}

/** What a failed wish to cancel means: repeated until Stripe answers, because a second one changes nothing. */
export function afterCancelling(failure: Failure): EffectOutcome {
  if (failure.kind === "failed") return { status: "failed", error: "PROVIDER_REFUSED" };
  const error = failure.kind === "retry" ? RETRY_ERRORS[failure.reason] : "OUTCOME_UNKNOWN";
  return { status: "retry", error };
}
