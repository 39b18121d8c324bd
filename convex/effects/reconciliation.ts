/**
 * Compares an organisation's payments with Stripe by reading, a page per step: those that are open, those that were paid
 * in the last week, then what Stripe has in our name and we don't know. It reports what differs, looks again for what is
 * in doubt, and calls off orphans that nobody paid; it never makes a payment paid, because only a delivery does.
 */
import { v, type Infer } from "convex/values";
import { ulid } from "ulid";
import { internal } from "../_generated/api.js";
import type { Doc } from "../_generated/dataModel.js";
import { internalAction, internalMutation, internalQuery, type ActionCtx } from "../_generated/server.js";
import { organizationOf } from "../access/lifecycle.ts";
import { enqueueEffect } from "../access/outbox.ts";
import { recordIncident } from "../access/securityLog.ts";
import { stripeSettings, type StripeSettings } from "../access/stripeSettings.ts";
import { tenantReader } from "../access/tenantDb.ts";
import schema from "../schema.ts";
import { listAnswer, paymentIntentAnswer, refundAnswer, type PaymentIntentAnswer } from "./stripe/answers.ts";
import { callStripe } from "./stripe/client.ts";
import { driftOf, isOrphan, isUnpaid, namedPayment, type Drift } from "./stripe/drift.ts";
import { isProviderId } from "./stripe/identifiers.ts";
import { cancelPayment, readAtStripe } from "./stripe/payments.ts";

const NAME = "workers/reconciliation";
const PAGE = 20;
const DAY_MS = 24 * 60 * 60 * 1000;
const PAID_DAYS = 7;
const ORPHAN_DAYS = 2;
const ORPHAN_PAGES = 10;

/** In this order; what is over and unpaid has nothing to compare. */
const STATUSES = ["creation_unknown", "awaiting_payment", "processing", "failed", "paid"] as const;

const position = v.object({
  status: v.union(...STATUSES.map((status) => v.literal(status))),
  after: v.string(),
});
type Position = Infer<typeof position>;

const paymentValidator = v.object({
  ...schema.tables.payments.validator.fields,
  _id: v.id("payments"),
  _creationTime: v.number(),
});

const comparedPayment = v.object({ paymentId: v.string(), version: v.number() });

/** A page of an organisation's payments in one status, oldest first, after an id; none while it is frozen or closed. */
export const page = internalQuery({
  args: { orgId: v.string(), at: position },
  returns: v.object({ rows: v.array(paymentValidator), account: v.union(v.string(), v.null()) }),
  handler: async (ctx, { orgId, at }): Promise<{ rows: Doc<"payments">[]; account: string | null }> => {
    const isActive = (await organizationOf(ctx, orgId))?.lifecycle.status === "active";
    if (!isActive) return { rows: [], account: null };
    const tenant = tenantReader(ctx, orgId);
    const rows = await tenant
      .rows("payments", "by_orgId_and_status_and_paymentId", (q) =>
        q.eq("status", at.status).gt("paymentId", at.after),
      )
      .take(PAGE);
    const linked = (await tenant.rows("stripeAccounts", "by_orgId").unique())?.linked ?? null;
    return { rows, account: linked?.account ?? null };
  },
});

/** Whether the organisation works, and its payment under an id, if it has one. */
export const known = internalQuery({
  args: { orgId: v.string(), paymentId: v.string() },
  returns: v.object({ isActive: v.boolean(), row: v.union(v.null(), paymentValidator) }),
  handler: async (ctx, { orgId, paymentId }): Promise<{ isActive: boolean; row: Doc<"payments"> | null }> => {
    const row = await tenantReader(ctx, orgId)
      .rows("payments", "by_orgId_and_paymentId", (q) => q.eq("paymentId", paymentId))
      .unique();
    return { isActive: (await organizationOf(ctx, orgId))?.lifecycle.status === "active", row };
  },
});

/** Reports what differs, unless a delivery has changed the payment since it was read. */
export const report = internalMutation({
  args: { orgId: v.string(), payment: comparedPayment, drift: v.string() },
  returns: v.null(),
  handler: async (ctx, { orgId, payment: { paymentId, version }, drift }) => {
    const row = await tenantReader(ctx, orgId)
      .rows("payments", "by_orgId_and_paymentId", (q) => q.eq("paymentId", paymentId))
      .unique();
    if ((row?.version ?? 0) !== version) return null;
    await recordIncident(ctx, {
      ...{ orgId, actor: `system/${NAME}`, function: NAME, code: "RECONCILIATION_DRIFT" },
      detail: `${paymentId} ${drift}`,
    });
    return null;
  },
});

/** Has a payment or refund that is in doubt looked for again, once a day. */
export const lookAgain = internalMutation({
  args: { orgId: v.string(), paymentId: v.string(), refundId: v.union(v.string(), v.null()) },
  returns: v.null(),
  handler: async (ctx, { orgId, paymentId, refundId }) => {
    const kind = refundId === null ? "stripe.findPayment" : "stripe.findRefund";
    const subject = refundId === null ? paymentId : `${paymentId} ${refundId}`;
    const day = Math.floor(Date.now() / DAY_MS);
    await enqueueEffect(ctx, orgId, { kind, subject, idempotencyKey: `${kind}:${subject}:${day}` });
    return null;
  },
});

const ofAccount = (account: string | null): { stripeAccount?: string } =>
  account === null ? {} : { stripeAccount: account };

/** What was given back of an intent at Stripe; null when it can't be read to its end now. */
async function refundedAtStripe(
  settings: StripeSettings,
  intent: string,
  account: string | null,
): Promise<number | null> {
  const called = await callStripe(settings, (stripe) =>
    stripe.refunds.list({ payment_intent: intent, limit: 100 }, ofAccount(account)),
  );
  const list = called.kind === "answered" ? listAnswer.safeParse(called.answer) : null;
  if (list?.success !== true || list.data.has_more) return null;
  const refunds = list.data.data.map((item) => refundAnswer.safeParse(item));
  if (refunds.some(({ success }) => !success)) return null;
  return refunds.reduce((sum, { data }) => sum + (data?.status === "succeeded" ? data.amount : 0), 0);
}

/** What differs between a payment and Stripe; null when nothing does, or Stripe can't be asked now. */
async function compare(settings: StripeSettings, row: Doc<"payments">): Promise<Drift | null> {
  const { paymentIntentId: intent, account } = row;
  if (!isProviderId("paymentIntent", intent)) return null;
  const called = await callStripe(settings, (stripe) =>
    stripe.paymentIntents.retrieve(intent, {}, ofAccount(account)),
  );
  const read = await readAtStripe(called, paymentIntentAnswer);
  if (read.kind !== "read") return null;
  const refunded = row.status === "paid" ? await refundedAtStripe(settings, intent, account) : 0;
  if (refunded === null) return null;
  return driftOf(row, read.value, { refunded, livemode: settings.livemode });
}

async function comparePage(
  ctx: ActionCtx,
  settings: StripeSettings,
  { rows, account }: { rows: Doc<"payments">[]; account: string | null },
): Promise<void> {
  for (const row of rows) {
    const { orgId, paymentId, version, status, refundRequests } = row;
    if (status === "creation_unknown") {
      await ctx.runMutation(internal.effects.reconciliation.lookAgain, { orgId, paymentId, refundId: null });
    }
    for (const { refundId } of refundRequests.filter((request) => request.status === "unknown")) {
      await ctx.runMutation(internal.effects.reconciliation.lookAgain, { orgId, paymentId, refundId });
    }
    // What another organisation may hold by now is not looked at.
    if (row.account !== null && row.account !== account) continue;
    const drift = await compare(settings, row);
    if (drift === null) continue;
    const payment = { paymentId, version };
    await ctx.runMutation(internal.effects.reconciliation.report, { orgId, payment, drift });
  }
}

/** Looks at one intent that names a payment of this organisation. */
async function examine(
  ctx: ActionCtx,
  settings: StripeSettings,
  orgId: string,
  { intent, account }: { intent: PaymentIntentAnswer; account: string | null },
): Promise<void> {
  const paymentId = namedPayment(intent, orgId);
  if (paymentId === null) return;
  const found: { isActive: boolean; row: Doc<"payments"> | null } = await ctx.runQuery(
    internal.effects.reconciliation.known,
    {
      orgId,
      paymentId,
    },
  );
  const { isActive, row } = found;
  if (!isActive || !isOrphan(intent, row)) return;
  const payment = { paymentId, version: row?.version ?? 0 };
  if (intent.status === "succeeded") {
    await ctx.runMutation(internal.effects.reconciliation.report, { orgId, payment, drift: "ORPHAN_PAID" });
  }
  if (!isUnpaid(intent)) return;
  const ids = { paymentIntentId: intent.id, checkoutSessionId: null };
  const cancelled = await cancelPayment(settings, ids, { account, idempotencyKey: `orphan:${intent.id}` });
  if (cancelled.kind !== "asked") return;
  await ctx.runMutation(internal.effects.reconciliation.report, {
    orgId,
    payment,
    drift: "ORPHAN_CANCELLED",
  });
}

/** Goes through what Stripe has of the last two days, newest first, at most a thousand. */
async function findOrphans(
  ctx: ActionCtx,
  settings: StripeSettings,
  orgId: string,
  account: string | null,
): Promise<void> {
  const created = { gte: Math.floor((Date.now() - ORPHAN_DAYS * DAY_MS) / 1000) };
  let after: string | undefined;
  for (let count = 0; count < ORPHAN_PAGES; count += 1) {
    const query = { created, limit: 100, ...(after === undefined ? {} : { starting_after: after }) };
    const called = await callStripe(settings, (stripe) =>
      stripe.paymentIntents.list(query, ofAccount(account)),
    );
    const list = called.kind === "answered" ? listAnswer.safeParse(called.answer) : null;
    if (list?.success !== true) return;
    for (const item of list.data.data) {
      const intent = paymentIntentAnswer.safeParse(item);
      if (!intent.success) continue;
      await examine(ctx, settings, orgId, { intent: intent.data, account });
      after = intent.data.id;
    }
    if (!list.data.has_more) return;
  }
}

/** Where payments begin that may still be compared: all that are open, and the paid ones of the last week. */
function beginningOf(status: Position["status"]): Position {
  const after = status === "paid" ? `pay_${ulid(Date.now() - PAID_DAYS * DAY_MS, () => 0)}` : "";
  return { status, after };
}

function following({ status }: Position): Position | null {
  const next = STATUSES[STATUSES.indexOf(status) + 1];
  return next === undefined ? null : beginningOf(next);
}

/** One page of one organisation; schedules the next one, and after the last the next organisation. */
export const step = internalAction({
  args: { orgId: v.string(), at: v.union(v.null(), position) },
  returns: v.null(),
  handler: async (ctx, { orgId, at }): Promise<null> => {
    const settings = stripeSettings();
    if (settings === null) return null;
    const current = at ?? beginningOf(STATUSES[0]);
    const found: { rows: Doc<"payments">[]; account: string | null } = await ctx.runQuery(
      internal.effects.reconciliation.page,
      { orgId, at: current },
    );
    const { rows, account } = found;
    await comparePage(ctx, settings, found);
    const last = rows.at(-1);
    const goesOn = rows.length === PAGE && last !== undefined;
    const next = goesOn ? { ...current, after: last.paymentId } : following(current);
    if (next !== null) {
      await ctx.scheduler.runAfter(0, internal.effects.reconciliation.step, { orgId, at: next });
      return null;
    }
    await findOrphans(ctx, settings, orgId, account);
    await ctx.scheduler.runAfter(0, internal.workers.reconciliation.next, { after: orgId });
    return null;
  },
});
