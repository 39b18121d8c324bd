/**
 * Payments at Stripe: begin (claims the attempt, says what to do) → Stripe → finish (what came of it, its events and
 * the effect's end, in one transaction). The account and the key of the call come from the ledger and the outbox;
 * nothing here makes a payment paid.
 */
import { v, type Infer } from "convex/values";
import { decodeTime } from "ulid";
import { internal } from "../_generated/api.js";
import { internalAction, internalMutation, type MutationCtx } from "../_generated/server.js";
import { environment } from "../access/environment.ts";
import { isRemoved } from "../access/lifecycle.ts";
import {
  ATTEMPTS_MAX,
  claimEffect,
  requireEffect,
  settleEffect,
  type ClaimedEffect,
  type EffectOutcome,
} from "../access/outbox.ts";
import { recordIncident } from "../access/securityLog.ts";
import { stripeSettings, type StripeSettings } from "../access/stripeSettings.ts";
import { tenantWriter } from "../access/tenantDb.ts";
import type { Aggregate } from "../domain/decision.ts";
import { payment, type Payment, type PaymentState } from "../domain/payment.ts";
import { decideCreated, decideCreationFailed, decideCreationUnknown } from "../domain/paymentOutcomes.ts";
import { holdsAccount, loadAggregate } from "../pipeline/ledger.ts";
import { commitOutcome } from "../pipeline/outcome.ts";
import { paymentMethodValidator, sealedValidator } from "../validators.ts";
import { NONCE_BYTES, seal, type Sealed } from "../vault/seal.ts";
import { cancelPayment, createPayment, findPayment, type PayerSecret } from "./stripe/payments.ts";
import {
  afterCancelling,
  afterCreating,
  afterSearching,
  cancelStep,
  creationStep,
  PAYMENT_GIVEN_UP_MS,
  searchStep,
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

const secretValidator = v.object({
  kind: v.union(v.literal("client_secret"), v.literal("url")),
  sealed: sealedValidator,
});

const taskValidator = v.object({
  step: v.union(v.literal("create"), v.literal("find"), v.literal("cancel")),
  attempt: v.number(),
  idempotencyKey: v.string(),
  account: v.union(v.string(), v.null()),
  payment: v.object({
    orgId: v.string(),
    paymentId: v.string(),
    method: paymentMethodValidator,
    amountMinor: v.number(),
    currency: v.string(),
  }),
  returnPath: v.optional(v.string()),
  paymentIntentId: v.union(v.string(), v.null()),
  checkoutSessionId: v.union(v.string(), v.null()),
  /** When the effect was caused or the payment fell into doubt, milliseconds UTC: nothing is created after it. */
  createdAt: v.number(),
});
type Task = Infer<typeof taskValidator>;

const creationResult = v.union(
  v.object({
    kind: v.literal("created"),
    paymentIntentId: v.optional(v.string()),
    checkoutSessionId: v.optional(v.string()),
    livemode: v.boolean(),
    secret: v.union(secretValidator, v.null()),
  }),
  missingValidator,
  ...failureValidators,
);
type CreationResult = Infer<typeof creationResult>;

/** A payment, where its payer wants to come back to, and since when it is in doubt (milliseconds UTC). */
const asked: Aggregate<{
  payment: PaymentState;
  returnPath?: string | undefined;
  inDoubtSince?: number | undefined;
}> = {
  initial: { payment: payment.initial },
  evolve: (state, event) => ({
    payment: payment.evolve(state.payment, event),
    returnPath: event.type === "payment.requested" ? event.data.returnPath : state.returnPath,
    inDoubtSince: event.type === "payment.creationUnknown" ? event.recordedAt : state.inDoubtSince,
  }),
};

const effectArgs = { orgId: v.string(), outboxId: v.string() };

function stepOf(effect: ClaimedEffect, state: Payment): Step {
  if (effect.kind === "stripe.findPayment") return searchStep(state);
  if (effect.kind === "stripe.cancelPayment") return cancelStep(state);
  return creationStep(state, { ...effect, now: Date.now() });
}

/** Takes the attempt and says what it does; null when there is nothing to do, which is then settled. */
export const begin = internalMutation({
  args: effectArgs,
  returns: v.union(v.null(), taskValidator),
  handler: async (ctx, of): Promise<Task | null> => {
    const effect = await claimEffect(ctx, of);
    if (effect === null) return null;
    const { orgId } = of;
    const { subject: paymentId, attempt, idempotencyKey } = effect;
    const loaded = await loadAggregate(ctx, orgId, `payment/${paymentId}`, asked);
    const { payment: state, returnPath, inDoubtSince: createdAt = effect.createdAt } = loaded.state;
    if (state.kind === "none") throw new Error(`INV-09 an effect on no payment: ${paymentId}`);
    const step = stepOf(effect, state);
    if (step === "settle") {
      await settleEffect(ctx, { ...of, attempt }, { status: "done" });
      return null;
    }
    if (step === "doubt") {
      await fallIntoDoubt(ctx, { ...of, attempt, paymentId });
      return null;
    }
    if (!(await holdsAccount(ctx, orgId, state.account))) {
      await leaveUncalled(ctx, { ...of, attempt, paymentId }, step);
      return null;
    }
    const { account, method, amountMinor, currency, paymentIntentId, checkoutSessionId } = state;
    return {
      ...{ step, attempt, idempotencyKey, account, paymentIntentId, checkoutSessionId, createdAt },
      payment: { orgId, paymentId, method, amountMinor, currency },
      ...(returnPath === undefined ? {} : { returnPath }),
    };
  },
});

type Finishing = { orgId: string; outboxId: string; attempt: number; paymentId: string };

/** Nobody knows whether Stripe has the payment: from here on it is looked for, and never made again. */
async function fallIntoDoubt(ctx: MutationCtx, of: Finishing): Promise<void> {
  const { orgId, paymentId } = of;
  const settled = await settleEffect(ctx, of, { status: "unknown", error: "OUTCOME_UNKNOWN" });
  if (!settled) return;
  await commitOutcome(ctx, { orgId, stream: `payment/${paymentId}`, aggregate: payment, job: JOB }, (state) =>
    decideCreationUnknown(state),
  );
  await recordIncident(ctx, {
    ...{ orgId, actor: `system/${JOB}`, function: JOB, code: "OUTCOME_UNKNOWN" },
    detail: paymentId,
  });
}

/** The account is not the organisation's any more, and may be another's by now: nothing is sent through it. */
async function leaveUncalled(
  ctx: MutationCtx,
  of: Finishing,
  step: "create" | "find" | "cancel",
): Promise<void> {
  const refused = { kind: "failed", code: NOT_LINKED_CODE } as const;
  if (step === "cancel") await endCancel(ctx, of, afterCancelling(refused));
  else if (step === "find") await fallIntoDoubt(ctx, of);
  else await finishVerdict(ctx, of, afterCreating(refused, { ...of, isSure: false }));
}

async function keepSecret(
  ctx: MutationCtx,
  { orgId, paymentId }: Finishing,
  secret: Infer<typeof secretValidator>,
): Promise<void> {
  const tenant = tenantWriter(ctx, orgId);
  const known = await tenant
    .rows("paymentSecrets", "by_orgId_and_paymentId", (q) => q.eq("paymentId", paymentId))
    .unique();
  if (known === null) await tenant.insert("paymentSecrets", { paymentId, ...secret });
}

/**
 * Stripe has the payment. That is so whichever attempt says it, and however late; only the effect's own end is the
 * running attempt's.
 */
async function finishCreated(
  ctx: MutationCtx,
  of: Finishing,
  { kind: _, secret, ...told }: Extract<CreationResult, { kind: "created" }>,
): Promise<void> {
  const { orgId, paymentId } = of;
  await settleEffect(ctx, of, { status: "done" });
  const place = { orgId, stream: `payment/${paymentId}`, aggregate: payment, job: JOB };
  const isNews = await commitOutcome(ctx, place, (state) => decideCreated(state, told));
  if (isNews && secret !== null && !(await isRemoved(ctx, orgId))) await keepSecret(ctx, of, secret);
}

async function finishVerdict(ctx: MutationCtx, of: Finishing, verdict: Verdict): Promise<void> {
  if (verdict.kind === "doubt") {
    await fallIntoDoubt(ctx, of);
    return;
  }
  const settled = await settleEffect(ctx, of, verdict.outcome);
  if (!settled || verdict.kind === "again") return;
  const { orgId, paymentId } = of;
  await commitOutcome(ctx, { orgId, stream: `payment/${paymentId}`, aggregate: payment, job: JOB }, (state) =>
    decideCreationFailed(state, verdict),
  );
}

/** What came of creating a payment, or of looking for it. */
export const finishCreation = internalMutation({
  args: {
    ...attemptArgs,
    paymentId: v.string(),
    step: v.union(v.literal("create"), v.literal("find")),
    createdAt: v.number(),
    result: creationResult,
  },
  returns: v.null(),
  handler: async (ctx, { step, createdAt, result, ...of }) => {
    await requireEffect(ctx, of, ["stripe.createPayment", "stripe.findPayment"], of.paymentId);
    const attempt = { attempt: of.attempt, createdAt, now: Date.now() };
    if (result.kind === "created") await finishCreated(ctx, of, result);
    else if (step === "find" || result.kind === "missing") {
      await finishVerdict(ctx, of, afterSearching(result, attempt, PAYMENT_GIVEN_UP_MS));
    } else await finishVerdict(ctx, of, afterCreating(result, { ...attempt, isSure: false }));
    return null;
  },
});

/** Ends or puts off a wish to cancel. That it was not carried out is nothing that a delivery will tell. */
async function endCancel(ctx: MutationCtx, of: Finishing, outcome: EffectOutcome): Promise<void> {
  const isGivenUp = outcome.status === "failed" || (outcome.status === "retry" && of.attempt >= ATTEMPTS_MAX);
  if (!(await settleEffect(ctx, of, outcome)) || !isGivenUp) return;
  const { orgId, paymentId } = of;
  await recordIncident(ctx, {
    ...{ orgId, actor: `system/${JOB}`, function: JOB, code: "CANCEL_FAILED" },
    detail: paymentId,
  });
}

/** What came of asking Stripe to call a payment off; the payment itself waits for Stripe's word. */
export const finishCancel = internalMutation({
  args: {
    ...attemptArgs,
    paymentId: v.string(),
    result: v.union(
      v.object({ kind: v.literal("asked") }),
      v.object({ kind: v.literal("over") }),
      ...failureValidators,
    ),
  },
  returns: v.null(),
  handler: async (ctx, { result, ...of }) => {
    await requireEffect(ctx, of, ["stripe.cancelPayment"], of.paymentId);
    const isDone = result.kind === "asked" || result.kind === "over";
    await endCancel(ctx, of, isDone ? { status: "done" } : afterCancelling(result));
    return null;
  },
});

/** Seals what the payer pays with, for its row. An action has the secure randomness that a nonce needs. */
function sealSecret(
  { orgId, paymentId }: Task["payment"],
  { kind, text }: PayerSecret,
): { kind: PayerSecret["kind"]; sealed: Sealed } {
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const place = { table: "paymentSecrets", orgId, paymentId, kind };
  return {
    kind,
    sealed: seal(environment().DAYBOOK_SEALING_KEYS, place, new TextEncoder().encode(text), nonce),
  };
}

const SOME_MINUTES_S = 300;

async function creationOf(settings: StripeSettings, task: Task): Promise<CreationResult> {
  const { account, idempotencyKey, returnPath } = task;
  // The id tells when it was made; Stripe's clock and ours need not agree to the second.
  const from = Math.floor(decodeTime(task.payment.paymentId.slice("pay_".length)) / 1000) - SOME_MINUTES_S;
  const window = { gte: from, lte: Math.ceil(task.createdAt / 1000) + SOME_MINUTES_S };
  const result =
    task.step === "find"
      ? await findPayment(settings, task.payment, { account, window })
      : await createPayment(settings, task.payment, { account, idempotencyKey, returnPath });
  if (result.kind !== "created") return result;
  const { secret, ...created } = result.created;
  return {
    kind: "created",
    ...created,
    secret: secret === null ? null : sealSecret(task.payment, secret),
  };
}

/** Runs one attempt of `stripe.createPayment`, `stripe.findPayment` or `stripe.cancelPayment`. */
export const run = internalAction({
  args: effectArgs,
  returns: v.null(),
  handler: async (ctx, of): Promise<null> => {
    const task = await ctx.runMutation(internal.effects.payments.begin, of);
    if (task === null) return null;
    const { attempt, step, createdAt, payment: toCreate } = task;
    const settings = stripeSettings();
    const unconfigured = { kind: "failed", code: "payments_not_configured" } as const;
    if (step === "cancel") {
      const options = { account: task.account, idempotencyKey: `${task.idempotencyKey}:${attempt}` };
      const result = settings === null ? unconfigured : await cancelPayment(settings, task, options);
      await ctx.runMutation(internal.effects.payments.finishCancel, {
        ...{ ...of, attempt, result },
        paymentId: toCreate.paymentId,
      });
      return null;
    }
    const result = settings === null ? unconfigured : await creationOf(settings, task);
    await ctx.runMutation(internal.effects.payments.finishCreation, {
      ...{ ...of, attempt, step, createdAt, result },
      paymentId: toCreate.paymentId,
    });
    return null;
  },
});
