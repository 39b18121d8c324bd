/**
 * The organisation's own account at Stripe: an owner's code is exchanged once, and a link that an owner ended is ended
 * at Stripe too. begin → Stripe → finish, as for payments; the code leaves its row with the outcome, whatever it is.
 */
import { v, type Infer } from "convex/values";
import { internal } from "../_generated/api.js";
import { internalAction, internalMutation, type MutationCtx } from "../_generated/server.js";
import { environment } from "../access/environment.ts";
import { claimEffect, settleEffect, type EffectOutcome } from "../access/outbox.ts";
import { recordIncident } from "../access/securityLog.ts";
import { stripeSettings, type StripeSettings } from "../access/stripeSettings.ts";
import { tenantWriter } from "../access/tenantDb.ts";
import { decideLinked, decideLinkFailed, stripeAccount, type LinkFailure } from "../domain/stripeAccount.ts";
import { accountHolder } from "../pipeline/ledger.ts";
import { commitOutcome } from "../pipeline/outcome.ts";
import { sealedValidator } from "../validators.ts";
import { SealError, unseal, type Sealed } from "../vault/seal.ts";
import { deauthorize, exchangeCode, type ExchangeResult } from "./stripe/connect.ts";
import { afterCancelling, afterCreating } from "./stripe/steps.ts";
import { attemptArgs, failureValidators, JOB } from "./stripe/vocabulary.ts";

const taskValidator = v.union(
  v.object({
    step: v.literal("exchange"),
    attempt: v.number(),
    linkId: v.string(),
    sealedCode: sealedValidator,
  }),
  v.object({ step: v.literal("deauthorize"), attempt: v.number(), account: v.string() }),
);
type Task = Infer<typeof taskValidator>;

const exchangeResult = v.union(
  v.object({ kind: v.literal("exchanged"), account: v.string(), livemode: v.boolean() }),
  ...failureValidators,
);

const effectArgs = { orgId: v.string(), outboxId: v.string() };
type Attempt = { orgId: string; outboxId: string; attempt: number };

/** Takes the attempt and says what it does; null when there is nothing to do, which is then settled. */
export const begin = internalMutation({
  args: effectArgs,
  returns: v.union(v.null(), taskValidator),
  handler: async (ctx, of): Promise<Task | null> => {
    const effect = await claimEffect(ctx, of);
    if (effect === null) return null;
    const { attempt, subject, isTakenOver } = effect;
    if (effect.kind === "stripe.deauthorize") {
      // Linked again meanwhile, here or elsewhere: to end it at Stripe would end the new link.
      const isFree = (await accountHolder(ctx, subject)) === null;
      if (isFree) return { step: "deauthorize", attempt, account: subject };
      await settleEffect(ctx, { ...of, attempt }, { status: "done" });
      return null;
    }
    const row = await tenantWriter(ctx, of.orgId)
      .rows("stripeLinks", "by_orgId_and_linkId", (q) => q.eq("linkId", subject))
      .unique();
    // A code works once: after an attempt that never told its outcome, there is nothing left to exchange.
    if (row === null || isTakenOver || row.expiresAt <= Date.now()) {
      const outcome = { status: "unknown", error: "OUTCOME_UNKNOWN" } as const;
      await endLink(ctx, { ...of, attempt }, subject, { outcome, reason: "unknown_outcome" });
      return null;
    }
    return { step: "exchange", attempt, linkId: subject, sealedCode: row.sealedCode };
  },
});

async function forgetCode(ctx: MutationCtx, orgId: string, linkId: string): Promise<void> {
  const tenant = tenantWriter(ctx, orgId);
  const row = await tenant.rows("stripeLinks", "by_orgId_and_linkId", (q) => q.eq("linkId", linkId)).unique();
  if (row !== null) await tenant.remove("stripeLinks", row);
}

/** The link came to nothing. */
async function endLink(
  ctx: MutationCtx,
  of: Attempt,
  linkId: string,
  { outcome, reason }: { outcome: EffectOutcome; reason: LinkFailure },
): Promise<void> {
  const { orgId } = of;
  if (!(await settleEffect(ctx, of, outcome))) return;
  await forgetCode(ctx, orgId, linkId);
  const place = { orgId, stream: `stripeAccount/${orgId}`, aggregate: stripeAccount, job: JOB };
  await commitOutcome(ctx, place, (state) => decideLinkFailed(state, { linkId, reason }));
  await recordIncident(ctx, {
    ...{ orgId, actor: `system/${JOB}`, function: JOB, code: "STRIPE_LINK_FAILED" },
    detail: `${linkId} ${reason}`,
  });
}

/** Links the account, unless another organisation has it or it is of the other mode. */
async function finishExchanged(
  ctx: MutationCtx,
  of: Attempt,
  linkId: string,
  { account, livemode }: { account: string; livemode: boolean },
): Promise<void> {
  const { orgId } = of;
  const refused = { status: "failed", error: "PROVIDER_REFUSED" } as const;
  if (livemode !== stripeSettings()?.livemode) {
    await endLink(ctx, of, linkId, { outcome: refused, reason: "wrong_mode" });
    return;
  }
  const holder = await accountHolder(ctx, account);
  if (holder !== null && holder !== orgId) {
    await endLink(ctx, of, linkId, { outcome: refused, reason: "taken" });
    return;
  }
  if (!(await settleEffect(ctx, of, { status: "done" }))) return;
  await forgetCode(ctx, orgId, linkId);
  const place = { orgId, stream: `stripeAccount/${orgId}`, aggregate: stripeAccount, job: JOB };
  await commitOutcome(ctx, place, (state) => decideLinked(state, { linkId, account, livemode }));
}

/** What came of exchanging a code. */
export const finishExchange = internalMutation({
  args: { ...attemptArgs, linkId: v.string(), result: exchangeResult },
  returns: v.null(),
  handler: async (ctx, { linkId, result, ...of }) => {
    if (result.kind === "exchanged") {
      await finishExchanged(ctx, of, linkId, result);
      return null;
    }
    // A code works once, so that a refusal ends it, whichever attempt was carried out.
    const verdict = afterCreating(result, { ...of, isSure: true });
    if (verdict.kind === "again") await settleEffect(ctx, of, verdict.outcome);
    else {
      const reason = verdict.kind === "over" ? "denied" : "unknown_outcome";
      await endLink(ctx, of, linkId, { outcome: verdict.outcome, reason });
    }
    return null;
  },
});

/** What came of ending a link at Stripe. The organisation's own link has ended already. */
export const finishDeauthorize = internalMutation({
  args: {
    ...attemptArgs,
    result: v.union(v.object({ kind: v.literal("deauthorized") }), ...failureValidators),
  },
  returns: v.null(),
  handler: async (ctx, { result, ...of }) => {
    await settleEffect(
      ctx,
      of,
      result.kind === "deauthorized" ? { status: "done" } : afterCancelling(result),
    );
    return null;
  },
});

/** Opens a code for its exchange; undefined when its key is gone. */
function openCode(orgId: string, linkId: string, sealed: Sealed): string | undefined {
  try {
    const place = { table: "stripeLinks", orgId, linkId };
    return new TextDecoder().decode(unseal(environment().DAYBOOK_SEALING_KEYS, place, sealed));
  } catch (error) {
    if (error instanceof SealError) return undefined;
    throw error;
  }
}

async function exchange(
  settings: StripeSettings | null,
  orgId: string,
  { linkId, sealedCode }: Extract<Task, { step: "exchange" }>,
): Promise<ExchangeResult> {
  const code = openCode(orgId, linkId, sealedCode);
  if (settings === null || code === undefined) return { kind: "failed", code: "not_sent" };
  return await exchangeCode(settings, code);
}

/** Runs one attempt of `stripe.exchangeCode` or `stripe.deauthorize`. */
export const run = internalAction({
  args: effectArgs,
  returns: v.null(),
  handler: async (ctx, of): Promise<null> => {
    const task = await ctx.runMutation(internal.effects.stripeAccounts.begin, of);
    if (task === null) return null;
    const settings = stripeSettings();
    const { attempt } = task;
    if (task.step === "exchange") {
      const result = await exchange(settings, of.orgId, task);
      const { linkId } = task;
      await ctx.runMutation(internal.effects.stripeAccounts.finishExchange, {
        ...of,
        attempt,
        linkId,
        result,
      });
      return null;
    }
    const result =
      settings === null
        ? ({ kind: "failed", code: "not_sent" } as const)
        : await deauthorize(settings, task.account);
    await ctx.runMutation(internal.effects.stripeAccounts.finishDeauthorize, { ...of, attempt, result });
    return null;
  },
});
