/** Refunds at Stripe: begin → Stripe → finish, as for payments. That money went back is in Stripe's deliveries. */
import { v, type Infer } from "convex/values";
import { internal } from "../_generated/api.js";
import { internalAction, internalMutation, type MutationCtx } from "../_generated/server.js";
import { claimEffect, requireEffect, settleEffect } from "../access/outbox.ts";
import { recordIncident } from "../access/securityLog.ts";
import { stripeSettings, type StripeSettings } from "../access/stripeSettings.ts";
import type { Aggregate } from "../domain/decision.ts";
import { payment, type PaymentState } from "../domain/payment.ts";
import {
  decideRefundNotSubmitted,
  decideRefundSubmitted,
  decideRefundUnknown,
} from "../domain/paymentOutcomes.ts";
import { findRequest } from "../domain/paymentRefunds.ts";
import { holdsAccount, loadAggregate } from "../pipeline/ledger.ts";
import { commitOutcome } from "../pipeline/outcome.ts";
import { createRefund, findRefund, type RefundResult } from "./stripe/refunds.ts";
import {
  afterCreating,
  afterSearching,
  REFUND_GIVEN_UP_MS,
  refundStep,
  type Step,
  type Verdict,
} from "./stripe/steps.ts";
import {
  attemptArgs,
  failureValidators,
  JOB,
  missingValidator,
  NOT_LINKED_CODE,
} from "./stripe/vocabulary.ts";

const taskValidator = v.object({
  step: v.union(v.literal("create"), v.literal("find")),
  attempt: v.number(),
  idempotencyKey: v.string(),
  account: v.union(v.string(), v.null()),
  refund: v.object({
    orgId: v.string(),
    paymentId: v.string(),
    refundId: v.string(),
    paymentIntentId: v.string(),
    amountMinor: v.number(),
    reason: v.string(),
  }),
  createdAt: v.number(),
});
type Task = Infer<typeof taskValidator>;

const refundResult = v.union(
  v.object({ kind: v.literal("submitted"), providerRefundId: v.string() }),
  missingValidator,
  ...failureValidators,
);

const effectArgs = { orgId: v.string(), outboxId: v.string() };

type Finishing = { orgId: string; outboxId: string; attempt: number; paymentId: string; refundId: string };

/** A payment, and since when one of its refunds is in doubt (milliseconds UTC). */
function asked(refundId: string): Aggregate<{ payment: PaymentState; inDoubtSince?: number | undefined }> {
  return {
    initial: { payment: payment.initial },
    evolve: (state, event) => ({
      payment: payment.evolve(state.payment, event),
      inDoubtSince:
        event.type === "payment.refundUnknown" && event.data.refundId === refundId
          ? event.recordedAt
          : state.inDoubtSince,
    }),
  };
}

/** The payment and the refund that an effect is about. */
function namedIn(subject: string): { paymentId: string; refundId: string } {
  const [paymentId = "", refundId = ""] = subject.split(" ");
  return { paymentId, refundId };
}

/** Takes the attempt and says what it does; null when there is nothing to do, which is then settled. */
export const begin = internalMutation({
  args: effectArgs,
  returns: v.union(v.null(), taskValidator),
  handler: async (ctx, of): Promise<Task | null> => {
    const effect = await claimEffect(ctx, of);
    if (effect === null) return null;
    const { orgId } = of;
    const { attempt, idempotencyKey, subject } = effect;
    const { paymentId, refundId } = namedIn(subject);
    const loaded = await loadAggregate(ctx, orgId, `payment/${paymentId}`, asked(refundId));
    const { payment: state, inDoubtSince: createdAt = effect.createdAt } = loaded.state;
    if (state.kind === "none") throw new Error(`INV-09 an effect on no payment: ${paymentId}`);
    const isSearch = effect.kind === "stripe.findRefund";
    const step = refundStep(state, refundId, isSearch, { attempt, createdAt, now: Date.now() });
    const request = findRequest(state, refundId);
    const { account, paymentIntentId } = state;
    if (step === "doubt") await fallIntoDoubt(ctx, { ...of, attempt, paymentId, refundId });
    if (step === "settle") await settleEffect(ctx, { ...of, attempt }, { status: "done" });
    if (step === "doubt" || step === "settle" || request === undefined || paymentIntentId === null)
      return null;
    if (!(await holdsAccount(ctx, orgId, account))) {
      await leaveUncalled(ctx, { ...of, attempt, paymentId, refundId }, step);
      return null;
    }
    const { amountMinor, reason } = request;
    return {
      ...{ step: step === "find" ? "find" : "create", attempt, idempotencyKey, account, createdAt },
      refund: { orgId, paymentId, refundId, paymentIntentId, amountMinor, reason },
    };
  },
});

/** Nobody knows whether Stripe took the refund: from here on it is looked for, and never made again. */
async function fallIntoDoubt(ctx: MutationCtx, of: Finishing): Promise<void> {
  const { orgId, paymentId, refundId } = of;
  if (!(await settleEffect(ctx, of, { status: "unknown", error: "OUTCOME_UNKNOWN" }))) return;
  const place = { orgId, stream: `payment/${paymentId}`, aggregate: payment, job: JOB };
  await commitOutcome(ctx, place, (state) => decideRefundUnknown(state, { refundId }));
  await recordIncident(ctx, {
    ...{ orgId, actor: `system/${JOB}`, function: JOB, code: "OUTCOME_UNKNOWN" },
    detail: `${paymentId} ${refundId}`,
  });
}

/** The account is not the organisation's any more, and may be another's by now: nothing is sent through it. */
async function leaveUncalled(ctx: MutationCtx, of: Finishing, step: Step): Promise<void> {
  const refused = { kind: "failed", code: NOT_LINKED_CODE } as const;
  if (step === "find") await fallIntoDoubt(ctx, of);
  else await finishVerdict(ctx, of, afterCreating(refused, { ...of, isSure: false }));
}

async function finishVerdict(ctx: MutationCtx, of: Finishing, verdict: Verdict): Promise<void> {
  if (verdict.kind === "doubt") {
    await fallIntoDoubt(ctx, of);
    return;
  }
  const settled = await settleEffect(ctx, of, verdict.outcome);
  if (!settled || verdict.kind === "again") return;
  const { orgId, paymentId, refundId } = of;
  const place = { orgId, stream: `payment/${paymentId}`, aggregate: payment, job: JOB };
  await commitOutcome(ctx, place, (state) =>
    decideRefundNotSubmitted(state, { refundId, code: verdict.code }),
  );
}

/** What came of submitting a refund, or of looking for it. */
export const finish = internalMutation({
  args: {
    ...attemptArgs,
    paymentId: v.string(),
    refundId: v.string(),
    step: v.union(v.literal("create"), v.literal("find")),
    createdAt: v.number(),
    result: refundResult,
  },
  returns: v.null(),
  handler: async (ctx, { step, createdAt, result, ...of }) => {
    const subject = `${of.paymentId} ${of.refundId}`;
    await requireEffect(ctx, of, ["stripe.createRefund", "stripe.findRefund"], subject);
    const attempt = { attempt: of.attempt, createdAt, now: Date.now() };
    if (result.kind === "submitted") {
      const { orgId, paymentId, refundId } = of;
      await settleEffect(ctx, of, { status: "done" });
      const place = { orgId, stream: `payment/${paymentId}`, aggregate: payment, job: JOB };
      const told = { refundId, providerRefundId: result.providerRefundId };
      await commitOutcome(ctx, place, (state) => decideRefundSubmitted(state, told));
    } else if (step === "find" || result.kind === "missing") {
      await finishVerdict(ctx, of, afterSearching(result, attempt, REFUND_GIVEN_UP_MS));
    } else await finishVerdict(ctx, of, afterCreating(result, { ...attempt, isSure: true }));
    return null;
  },
});

/**
 * Makes a refund, or looks for it; `step` is what the result is of. An attempt before this one may have made it, under an
 * API key that was replaced since, with which Stripe forgets the idempotency key too. So from the second one on it is
 * looked for first, and made only when the refunds of its payment were read to their end without it.
 */
async function submitOrFind(
  settings: StripeSettings | null,
  task: Task,
): Promise<{ step: Task["step"]; result: RefundResult }> {
  const { refund, attempt } = task;
  const looks = task.step === "find" || attempt > 1;
  if (settings === null) {
    return { step: looks ? "find" : "create", result: { kind: "failed", code: "payments_not_configured" } };
  }
  if (looks) {
    const found = await findRefund(settings, refund, task);
    if (task.step === "find" || found.kind !== "missing") return { step: "find", result: found };
  }
  return { step: "create", result: await createRefund(settings, refund, task) };
}

/** Runs one attempt of `stripe.createRefund` or `stripe.findRefund`. */
export const run = internalAction({
  args: effectArgs,
  returns: v.null(),
  handler: async (ctx, of): Promise<null> => {
    const task = await ctx.runMutation(internal.effects.refunds.begin, of);
    if (task === null) return null;
    const { attempt, createdAt, refund } = task;
    await ctx.runMutation(internal.effects.refunds.finish, {
      ...{ ...of, attempt, createdAt, ...(await submitOrFind(stripeSettings(), task)) },
      paymentId: refund.paymentId,
      refundId: refund.refundId,
    });
    return null;
  },
});
