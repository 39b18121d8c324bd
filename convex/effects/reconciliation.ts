/**
 * Compares an organisation's payments with Stripe by reading, a page per step: it has what is in doubt looked for again,
 * then goes through the payments that are open, those that were paid in the last week, and what Stripe has in our name
 * and we don't know. It reports what differs and calls off orphans that nobody paid; it never makes a payment paid,
 * because only a delivery does.
 */
import { v, type Infer } from "convex/values";
import { ulid } from "ulid";
import { internal } from "../_generated/api.js";
import type { Doc } from "../_generated/dataModel.js";
import { internalAction, internalMutation, internalQuery, type ActionCtx } from "../_generated/server.js";
import { organizationOf } from "../access/lifecycle.ts";
import { endDoubt, enqueueEffect, type EffectKind } from "../access/outbox.ts";
import { recordIncident } from "../access/securityLog.ts";
import { stripeSettings, type StripeSettings } from "../access/stripeSettings.ts";
import { tenantReader, type TenantReader } from "../access/tenantDb.ts";
import schema from "../schema.ts";
import { listAnswer, paymentIntentAnswer, refundAnswer, type PaymentIntentAnswer } from "./stripe/answers.ts";
import { callStripe } from "./stripe/client.ts";
import { driftOf, isOrphan, isUnpaid, namedPayment, sessionDriftOf, type Drift } from "./stripe/drift.ts";
import { cancelPayment, retrieveIntent, retrieveSession } from "./stripe/payments.ts";

const NAME = "workers/reconciliation";
const PAGE = 20;
const DAY_MS = 24 * 60 * 60 * 1000;
const PAID_DAYS = 7;
const ORPHAN_DAYS = 2;
const ORPHAN_PAGES = 10;
const ORPHANS_MAX = 100;

/** In this order; what is over and unpaid has nothing to compare. */
const STATUSES = ["awaiting_payment", "processing", "failed", "paid"] as const;

const position = v.object({
  status: v.union(...STATUSES.map((status) => v.literal(status))),
  after: v.string(),
});
type Position = Infer<typeof position>;

/** Where a round is: among the effects in doubt, after a cursor, or among the payments. */
const place = v.union(
  v.object({ status: v.literal("in_doubt"), after: v.union(v.string(), v.null()) }),
  position,
);
type Place = Infer<typeof place>;

const paymentValidator = v.object({
  ...schema.tables.payments.validator.fields,
  _id: v.id("payments"),
  _creationTime: v.number(),
});

const comparedPayment = v.object({ paymentId: v.string(), version: v.number() });

async function accountOf(tenant: TenantReader): Promise<string | null> {
  return (await tenant.rows("stripeAccounts", "by_orgId").unique())?.linked?.account ?? null;
}

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
    return { rows, account: await accountOf(tenant) };
  },
});

/** The organisation's own account at the provider; null when it has none, or does not work. */
export const linkedAccount = internalQuery({
  args: { orgId: v.string() },
  returns: v.union(v.string(), v.null()),
  handler: async (ctx, { orgId }): Promise<string | null> => {
    if ((await organizationOf(ctx, orgId))?.lifecycle.status !== "active") return null;
    return await accountOf(tenantReader(ctx, orgId));
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
      // What an account's owner writes beside an intent names any number of payments that nobody knows.
      alertKey: `${row === null ? "orphans" : paymentId} ${Math.floor(Date.now() / DAY_MS)}`,
    });
    return null;
  },
});

/** What looks for the subject of an effect that ended in doubt; null when it was not about a payment or refund. */
function searchFor({ kind }: Doc<"outbox">): EffectKind | null {
  if (kind === "stripe.createPayment" || kind === "stripe.findPayment") return "stripe.findPayment";
  return kind === "stripe.createRefund" || kind === "stripe.findRefund" ? "stripe.findRefund" : null;
}

/** Whether nobody knows yet what became of a subject: a payment, or a payment's refund. */
function isInDoubt(row: Doc<"payments"> | null, refundId: string | undefined): boolean {
  if (row === null) return false;
  if (refundId !== undefined) {
    return row.refundRequests.some((each) => each.refundId === refundId && each.status === "unknown");
  }
  const isKnown = row.paymentIntentId !== null || row.checkoutSessionId !== null;
  // One that was cancelled while its creating was under way may be payable at Stripe.
  return !isKnown && (row.status === "creation_unknown" || row.status === "cancelled");
}

/**
 * Has what is in doubt looked for again, once a day, however long ago it was asked for; effects whose subject is in doubt
 * no more are done. A page, in an organisation that works; returns where the next one begins, null after the last.
 */
export const lookAgain = internalMutation({
  args: { orgId: v.string(), cursor: v.union(v.string(), v.null()) },
  returns: v.union(v.string(), v.null()),
  handler: async (ctx, { orgId, cursor }): Promise<string | null> => {
    if ((await organizationOf(ctx, orgId))?.lifecycle.status !== "active") return null;
    const day = Math.floor(Date.now() / DAY_MS);
    const tenant = tenantReader(ctx, orgId);
    const found = await tenant
      .rows("outbox", "by_orgId_and_status", (q) => q.eq("status", "unknown"))
      .paginate({ numItems: PAGE, cursor });
    for (const effect of found.page) {
      const kind = searchFor(effect);
      if (kind === null) continue;
      const { subject } = effect;
      const [paymentId = "", refundId] = subject.split(" ");
      const row = await tenant
        .rows("payments", "by_orgId_and_paymentId", (q) => q.eq("paymentId", paymentId))
        .unique();
      if (!isInDoubt(row, refundId)) await endDoubt(ctx, effect);
      else await enqueueEffect(ctx, orgId, { kind, subject, idempotencyKey: `${kind}:${subject}:${day}` });
    }
    return found.isDone ? null : found.continueCursor;
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

/** The same as `compare`, of a payment whose page has told of no intent yet. */
async function compareSession(settings: StripeSettings, row: Doc<"payments">): Promise<Drift | null> {
  const { checkoutSessionId: session, account } = row;
  if (session === null) return null;
  const read = await retrieveSession(settings, session, account);
  return read.kind === "read" ? sessionDriftOf(row, read.value, settings.livemode) : null;
}

/** What differs between a payment and Stripe; null when nothing does, or Stripe can't be asked now. */
async function compare(settings: StripeSettings, row: Doc<"payments">): Promise<Drift | null> {
  const { paymentIntentId: intent, account } = row;
  if (intent === null) return await compareSession(settings, row);
  const read = await retrieveIntent(settings, intent, account);
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
    const { orgId, paymentId, version } = row;
    // What another organisation may hold by now is not looked at.
    if (row.account !== null && row.account !== account) continue;
    const drift = await compare(settings, row);
    if (drift === null) continue;
    const payment = { paymentId, version };
    await ctx.runMutation(internal.effects.reconciliation.report, { orgId, payment, drift });
  }
}

/** Looks at one intent that names a payment of this organisation; says whether it was an orphan. */
async function examine(
  ctx: ActionCtx,
  settings: StripeSettings,
  orgId: string,
  { intent, account }: { intent: PaymentIntentAnswer; account: string | null },
): Promise<boolean> {
  const paymentId = namedPayment(intent, orgId);
  if (paymentId === null) return false;
  const found: { isActive: boolean; row: Doc<"payments"> | null } = await ctx.runQuery(
    internal.effects.reconciliation.known,
    {
      orgId,
      paymentId,
    },
  );
  const { isActive, row } = found;
  if (!isActive || !isOrphan(intent, row)) return false;
  const payment = { paymentId, version: row?.version ?? 0 };
  if (intent.status === "succeeded") {
    await ctx.runMutation(internal.effects.reconciliation.report, { orgId, payment, drift: "ORPHAN_PAID" });
  }
  if (!isUnpaid(intent)) return true;
  const ids = { paymentIntentId: intent.id, checkoutSessionId: null };
  const cancelled = await cancelPayment(settings, ids, { account, idempotencyKey: `orphan:${intent.id}` });
  if (cancelled.kind !== "asked") return true;
  await ctx.runMutation(internal.effects.reconciliation.report, {
    orgId,
    payment,
    drift: "ORPHAN_CANCELLED",
  });
  return true;
}

/** Goes through what Stripe has of the last two days, newest first: at most a thousand, and a hundred orphans a day. */
async function findOrphans(
  ctx: ActionCtx,
  settings: StripeSettings,
  orgId: string,
  account: string | null,
): Promise<void> {
  const created = { gte: Math.floor((Date.now() - ORPHAN_DAYS * DAY_MS) / 1000) };
  let after: string | undefined;
  let orphans = 0;
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
      if (await examine(ctx, settings, orgId, { intent: intent.data, account })) orphans += 1;
      if (orphans === ORPHANS_MAX) return;
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

/** Goes through one page; returns where the next one begins, null after the last. */
async function visit(
  ctx: ActionCtx,
  settings: StripeSettings,
  orgId: string,
  at: Place,
): Promise<Place | null> {
  if (at.status === "in_doubt") {
    const cursor: string | null = await ctx.runMutation(internal.effects.reconciliation.lookAgain, {
      orgId,
      cursor: at.after,
    });
    return cursor === null ? beginningOf(STATUSES[0]) : { ...at, after: cursor };
  }
  const found: { rows: Doc<"payments">[]; account: string | null } = await ctx.runQuery(
    internal.effects.reconciliation.page,
    { orgId, at },
  );
  await comparePage(ctx, settings, found);
  const last = found.rows.at(-1);
  return found.rows.length === PAGE && last !== undefined ? { ...at, after: last.paymentId } : following(at);
}

/** One page of one organisation; schedules the next one, and after the last the next organisation. */
export const step = internalAction({
  args: { orgId: v.string(), at: v.union(v.null(), place) },
  returns: v.null(),
  handler: async (ctx, { orgId, at }): Promise<null> => {
    const settings = stripeSettings();
    if (settings === null) return null;
    const next = await visit(ctx, settings, orgId, at ?? { status: "in_doubt", after: null });
    if (next !== null) {
      await ctx.scheduler.runAfter(0, internal.effects.reconciliation.step, { orgId, at: next });
      return null;
    }
    const account: string | null = await ctx.runQuery(internal.effects.reconciliation.linkedAccount, {
      orgId,
    });
    // First: an account with more than an action has time for ends nobody else's comparison.
    await ctx.scheduler.runAfter(0, internal.workers.reconciliation.next, { after: orgId });
    await findOrphans(ctx, settings, orgId, account);
    return null;
  },
});
