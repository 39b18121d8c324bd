/** What calls to the provider came to: its answers, as the effects' own transactions take them. */
import { internal } from "../convex/_generated/api.js";
import { effectAbout } from "../tests/support/payments.ts";
import { organizationsInUse, takeAppended } from "./appended.ts";
import { holderOf } from "./deliveryModel.ts";
import type { Pick } from "./garbage.ts";
import type { PaymentRow, RefundRequest } from "./paymentFold.ts";
import { providerName } from "./providerEvents.ts";
import { count, requireEqual, type OutboxRow, type Session } from "./session.ts";
import { holdOf, organizationOf, type Draft, type Organization } from "./world.ts";

const JOB = "effects/stripe";

/**
 * An attempt of an effect about a subject: its answer counts, however late it is. Of a removed organisation no effect is
 * left, and it counts there too.
 */
async function attemptOf(
  { bench }: Session,
  about: { orgId: string; kinds: readonly string[]; subject: string },
): Promise<{ outboxId: string; attempt: number }> {
  const rows = await bench.jobs?.outbox();
  const row = rows?.find(
    ({ orgId, kind, subject }) =>
      orgId === about.orgId && about.kinds.includes(kind) && subject === about.subject,
  );
  const outboxId = rows === undefined ? await effectAbout(bench.backend, about) : row?.outboxId;
  return { outboxId: outboxId ?? "out_gone", attempt: 1 };
}

async function take(
  session: Session,
  orgId: string,
  drafts: readonly Draft[],
  earliest: number,
): Promise<void> {
  for (const { type } of drafts) count(session.tally, `job ${type}`);
  const of = { actor: { kind: "system", id: JOB }, source: { kind: "job", name: JOB }, earliest };
  await takeAppended(session, orgId, drafts, of);
}

type Owned = { organization: Organization; row: PaymentRow };

/** Payments of organisations whose chain takes events. */
export function paymentsInUse(session: Session): Owned[] {
  return organizationsInUse(session.world, session.bench.now()).flatMap((organization) =>
    [...organization.view.payments.values()].map((row) => ({ organization, row })),
  );
}

function isUnknown({ paymentIntentId, checkoutSessionId }: PaymentRow): boolean {
  return paymentIntentId === null && checkoutSessionId === null;
}

/** The provider has the payment: what was given up meanwhile is asked for to be cancelled. */
function createdDrafts(row: PaymentRow, ids: object): Draft[] {
  const stream = `payment/${row.paymentId}`;
  const isGivenUp = row.cancelRequested || ["cancelled", "creation_failed"].includes(row.status);
  const created = { stream, type: "payment.created", data: { ...ids, livemode: false } };
  return isGivenUp ? [created, { stream, type: "payment.cancelRequested", data: {} }] : [created];
}

/** The answer to the creating call comes: the provider has the payment under these ids. */
export async function answerCreation(session: Session, pick: Pick): Promise<void> {
  const waiting = paymentsInUse(session).filter(
    ({ organization, row }) => !organization.isHeld && isUnknown(row),
  );
  if (waiting.length === 0) return;
  const { organization, row } = pick(waiting);
  const { orgId } = organization;
  const { paymentId } = row;
  const isPage = row.method === "checkout_session";
  const ids = isPage
    ? { checkoutSessionId: providerName("cs", pick) }
    : { paymentIntentId: providerName("pi", pick) };
  const late = await attemptOf(session, {
    ...{ orgId, subject: paymentId },
    kinds: ["stripe.createPayment", "stripe.findPayment"],
  });
  const earliest = session.bench.now();
  await session.bench.backend.operator.mutation(internal.effects.payments.finishCreation, {
    ...{ orgId, paymentId, ...late, step: "create", createdAt: earliest },
    result: { kind: "created", livemode: false, secret: null, ...ids },
  });
  for (const objectId of Object.values(ids)) {
    session.world.objects.set(objectId, { orgId, paymentId, account: row.account });
  }
  await take(session, orgId, createdDrafts(row, ids), earliest);
}

/** The provider took a refund. */
export async function answerRefund(session: Session, pick: Pick): Promise<void> {
  const waiting = paymentsInUse(session).flatMap(({ organization, row }) =>
    row.requests
      .filter(({ status, providerRefundId }) => {
        const isAsked = ["submitting", "unknown", "not_submitted"].includes(status);
        return isAsked && providerRefundId === undefined && !organization.isHeld;
      })
      .map(({ refundId }) => ({ orgId: organization.orgId, row, refundId })),
  );
  if (waiting.length === 0) return;
  const { orgId, row, refundId } = pick(waiting);
  const { paymentId } = row;
  // What it told of before the answer came, or a new one.
  const providerRefundId = providerName("re", pick);
  const late = await attemptOf(session, {
    ...{ orgId, subject: `${paymentId} ${refundId}` },
    kinds: ["stripe.createRefund", "stripe.findRefund"],
  });
  const earliest = session.bench.now();
  await session.bench.backend.operator.mutation(internal.effects.refunds.finish, {
    ...{ orgId, paymentId, refundId, ...late, step: "create", createdAt: earliest },
    result: { kind: "submitted", providerRefundId },
  });
  const data = { refundId, providerRefundId };
  await take(
    session,
    orgId,
    [{ stream: `payment/${paymentId}`, type: "payment.refundSubmitted", data }],
    earliest,
  );
}

/** An effect that was never begun, of an organisation that works. */
async function pickEffect(session: Session, pick: Pick, kind: string): Promise<OutboxRow | undefined> {
  const rows = (await session.bench.jobs?.outbox()) ?? [];
  const due = rows.filter((row) => {
    const organization = organizationOf(session.world, row.orgId);
    return row.kind === kind && holdOf(organization) === undefined && !session.taken.has(row.outboxId);
  });
  const effect = due.length > 0 ? pick(due) : undefined;
  if (effect !== undefined) session.taken.add(effect.outboxId);
  return effect;
}

const failures = [{ kind: "failed", code: "amount_too_small" }, { kind: "unknown" }] as const;

/** Claims the creating of a payment as its action does; the call fails, or nobody knows what came of it. */
export async function claimCreation(session: Session, pick: Pick): Promise<void> {
  const effect = await pickEffect(session, pick, "stripe.createPayment");
  if (effect === undefined) return;
  const { orgId, outboxId, subject: paymentId } = effect;
  const { operator } = session.bench.backend;
  const row = organizationOf(session.world, orgId).view.payments.get(paymentId);
  const task = await operator.mutation(internal.effects.payments.begin, { orgId, outboxId });
  // Nothing is created for a payment that was given up, or that is there.
  requireEqual("INV-09", `whether ${paymentId} is created`, task !== null, row?.status === "requested");
  if (task === null) return;
  const result = pick(failures);
  const earliest = session.bench.now();
  await operator.mutation(internal.effects.payments.finishCreation, {
    ...{
      orgId,
      outboxId,
      paymentId,
      attempt: task.attempt,
      step: "create",
      createdAt: task.createdAt,
      result,
    },
  });
  const stream = `payment/${paymentId}`;
  const draft =
    result.kind === "failed"
      ? { stream, type: "payment.creationFailed", data: { code: result.code } }
      : { stream, type: "payment.creationUnknown", data: {} };
  await take(session, orgId, [draft], earliest);
}

function requestOf(session: Session, orgId: string, subject: string): RefundRequest | undefined {
  const [paymentId = "", refundId = ""] = subject.split(" ");
  const { payments } = organizationOf(session.world, orgId).view;
  return payments.get(paymentId)?.requests.find((each) => each.refundId === refundId);
}

/** Claims the submitting of a refund as its action does; the call fails, or nobody knows what came of it. */
export async function claimRefund(session: Session, pick: Pick): Promise<void> {
  const effect = await pickEffect(session, pick, "stripe.createRefund");
  if (effect === undefined) return;
  const { orgId, outboxId, subject } = effect;
  const [paymentId = "", refundId = ""] = subject.split(" ");
  const { operator } = session.bench.backend;
  const request = requestOf(session, orgId, subject);
  const task = await operator.mutation(internal.effects.refunds.begin, { orgId, outboxId });
  requireEqual("INV-09", `whether ${subject} is submitted`, task !== null, request?.status === "submitting");
  if (task === null) return;
  const result = pick(failures);
  const earliest = session.bench.now();
  await operator.mutation(internal.effects.refunds.finish, {
    ...{ orgId, outboxId, paymentId, refundId, attempt: task.attempt, step: "create" },
    ...{ createdAt: task.createdAt, result },
  });
  const stream = `payment/${paymentId}`;
  const draft =
    result.kind === "failed"
      ? { stream, type: "payment.refundNotSubmitted", data: { refundId, code: result.code } }
      : { stream, type: "payment.refundUnknown", data: { refundId } };
  await take(session, orgId, [draft], earliest);
}

/** Accounts that somebody else has, and one that nobody has. */
function pickAccount(session: Session, pick: Pick): string {
  const linked = [...session.world.organizations.values()].flatMap(({ view }) => {
    const account = view.account?.linked?.account;
    return account === undefined ? [] : [account];
  });
  const own = providerName("acct", pick).replace("_s", "_S");
  return pick([own, own, own, ...linked]);
}

/** Claims the exchange of an owner's code as its action does; it gives an account, which may be another one's. */
export async function claimExchange(session: Session, pick: Pick): Promise<void> {
  const effect = await pickEffect(session, pick, "stripe.exchangeCode");
  if (effect === undefined) return;
  const { orgId, outboxId, subject: linkId } = effect;
  const { operator } = session.bench.backend;
  const pending = organizationOf(session.world, orgId).view.account?.pending;
  const isInTime = pending?.linkId === linkId && session.bench.now() < pending.expiresAt;
  const earliest = session.bench.now();
  const task = await operator.mutation(internal.effects.stripeAccounts.begin, { orgId, outboxId });
  requireEqual("INV-09", `whether the code of ${linkId} is exchanged`, task !== null, isInTime);
  const stream = `stripeAccount/${orgId}`;
  const failed = (reason: string): Draft => ({
    stream,
    type: "stripeAccount.linkFailed",
    data: { linkId, reason },
  });
  if (task === null) {
    await take(session, orgId, [failed("unknown_outcome")], earliest);
    return;
  }
  const account = pickAccount(session, pick);
  await operator.mutation(internal.effects.stripeAccounts.finishExchange, {
    ...{ orgId, outboxId, linkId, attempt: task.attempt },
    result: { kind: "exchanged", account, livemode: false },
  });
  const isTaken = holderOf(session.world, account) !== undefined;
  const linked = { stream, type: "stripeAccount.linked", data: { linkId, account, livemode: false } };
  await take(session, orgId, [isTaken ? failed("taken") : linked], earliest);
}
