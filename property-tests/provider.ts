/**
 * What the provider does in a stream, and whoever plays it: signed deliveries about the payments that there are, again,
 * too early, of other accounts, and forged ones. Each is held against the model, and taken into it.
 */
import { internal } from "../convex/_generated/api.js";
import { headerFor } from "../tests/support/stripe.ts";
import { takeAppended } from "./appended.ts";
import {
  holderOf,
  isWaiting,
  outcomeOf,
  subjectOf,
  type Delivery,
  type KnownDelivery,
  type Outcome,
} from "./deliveryModel.ts";
import type { Pick } from "./garbage.ts";
import {
  answerCreation,
  answerRefund,
  claimCreation,
  claimExchange,
  claimRefund,
  paymentsInUse,
} from "./jobs.ts";
import type { PaymentRow } from "./paymentFold.ts";
import { deliveryOf, hashOf, intentOfSession, pickFact, providerName } from "./providerEvents.ts";
import { picker } from "./scene.ts";
import { count, requireEqual, type Session } from "./session.ts";
import { organizationOf } from "./world.ts";

const STALE_S = 301;

/** The provider's ids of a payment: those it has, or some that nobody here knows of. */
function idsOf(
  { paymentIntentId, checkoutSessionId }: PaymentRow,
  pick: Pick,
): { intentId: string; sessionId?: string } {
  if (checkoutSessionId === null) return { intentId: paymentIntentId ?? providerName("pi", pick) };
  return {
    sessionId: checkoutSessionId,
    intentId: paymentIntentId ?? intentOfSession(checkoutSessionId),
  };
}

/** Mostly the account that the payment was made with; now and then another organisation's, or nobody's. */
function pickAccount(session: Session, pick: Pick, { account }: PaymentRow): string | undefined {
  const linked = [...session.world.organizations.values()].map(({ view }) => view.account?.linked?.account);
  const right = Array.from({ length: 12 }, () => account);
  return pick([...right, ...linked, "acct_Nobody000001"]);
}

function pickDelivery(session: Session, pick: Pick): Delivery | undefined {
  const now = session.bench.now();
  const all = paymentsInUse(session);
  const known = all.filter(({ row }) => row.paymentIntentId !== null || row.checkoutSessionId !== null);
  if (all.length === 0) return undefined;
  const { row } = pick(known.length > 0 && pick([true, true, true, false]) ? known : all);
  const fact = pickFact(pick, row, idsOf(row, pick), now);
  return deliveryOf(pick, fact, { account: pickAccount(session, pick, row), now });
}

/** What the provider says of an account itself. */
function pickAccountDelivery(session: Session, pick: Pick): Delivery | undefined {
  const linked = [...session.world.organizations.values()].flatMap(({ view }) => view.account?.linked ?? []);
  if (linked.length === 0) return undefined;
  const { account } = pick(linked);
  const fact = { kind: "account", account, isEnded: pick([true, false]) } as const;
  return deliveryOf(pick, fact, { account, now: session.bench.now() });
}

async function post(session: Session, body: string, header: string | null, expected: number): Promise<void> {
  const status = await session.bench.post(body, header);
  session.tally.deliveries += 1;
  session.journal.push(`delivery ${body} → ${status}`);
  requireEqual("INV-04", `the door's answer to ${body}`, status, expected);
}

/** Signed at the second that the model lists it with: the clock goes on between the two. */
const signed = async ({ body, signedAt }: { body: string; signedAt: number }): Promise<string> =>
  await headerFor(body, { seconds: signedAt });

/** Lists a delivery where it concerns somebody. */
function list(session: Session, delivery: KnownDelivery, orgId: string | undefined): void {
  if (orgId === undefined) return;
  const { deliveryId, bodySha256, type, signedAt, status, reason } = delivery;
  const row = { provider: "stripe" as const, deliveryId, type, signedAt, status, reason };
  organizationOf(session.world, orgId).deliveries.set(`${deliveryId} ${bodySha256}`, row);
}

/** The payment intent that a genuine session brought is about the same payment from here on. */
function learn(session: Session, { says, account }: Delivery): void {
  if (says.kind !== "fact" || says.fact.kind !== "session") return;
  const place = session.world.objects.get(says.fact.sessionId);
  if (place !== undefined) session.world.objects.set(says.fact.intentId, { ...place, account });
}

/** Takes what became of a delivery into the model. */
async function settle(
  session: Session,
  delivery: KnownDelivery,
  outcome: Outcome,
  earliest: number,
): Promise<void> {
  const { deliveryId, bodySha256, signedAt, account } = delivery;
  delivery.status = outcome.status;
  delivery.reason = "reason" in outcome ? outcome.reason : null;
  const isPlaced = outcome.status === "applied" || (outcome.status === "nothing" && outcome.isRecorded);
  if (isPlaced) learn(session, delivery);
  // A parked one is kept with whom it concerned, as far as that is known.
  if (isPlaced || outcome.status === "parked") delivery.orgId = outcome.orgId ?? delivery.orgId;
  list(session, delivery, outcome.orgId);
  const what = outcome.status === "applied" ? outcome.draft.type : (delivery.reason ?? "nothing");
  count(session.tally, `delivery ${what}`);
  if (outcome.status !== "applied") return;
  const cited = { deliveryId, bodySha256, signedAt, ...(account === undefined ? {} : { account }) };
  await takeAppended(session, outcome.orgId, [outcome.draft], {
    actor: { kind: "provider", id: "stripe" },
    source: { kind: "webhook", provider: "stripe", ...cited },
    earliest,
  });
}

/** What waits in another release, and may come again in the one that is read; of one id, or all of it. */
function unreadOf({ world }: Session, deliveryId?: string): KnownDelivery[] {
  return world.deliveries.filter(
    ({ says, isConflict, ...each }) =>
      says.kind === "unreadable" &&
      says.readable !== undefined &&
      !isConflict &&
      (deliveryId === undefined || each.deliveryId === deliveryId),
  );
}

/** An endpoint's release was set right, and an event comes again. */
async function deliverReadable(session: Session, pick: Pick): Promise<void> {
  const unread = unreadOf(session);
  if (unread.length === 0) return;
  const { deliveryId, type, account, says } = pick(unread);
  if (says.kind !== "unreadable" || says.readable === undefined) return;
  const { body, fact } = says.readable;
  const signedAt = Math.floor(session.bench.now() / 1000);
  count(session.tally, "delivery read at last");
  await deliver(session, {
    ...{ deliveryId, type, account, body, signedAt },
    ...{ bodySha256: hashOf(body), says: { kind: "fact", fact } },
  });
}

async function deliver(session: Session, delivery: Delivery): Promise<void> {
  const { world, bench } = session;
  const outcome = outcomeOf(world, delivery);
  // Where the backend takes up by itself what waited, nobody knows in which order.
  if (bench.jobs === undefined && isWaiting(world, delivery, outcome)) return;
  for (const unread of unreadOf(session, delivery.deliveryId)) unread.isConflict = true;
  const earliest = bench.now();
  await post(session, delivery.body, await signed(delivery), 200);
  const known: KnownDelivery = {
    ...delivery,
    ...{ isConflict: false, status: "parked", reason: null, orgId: undefined },
  };
  world.deliveries.push(known);
  await settle(session, known, outcome, earliest);
}

/** An event without the count of who has still to take it, which alone may change when it is sent again. */
function eventIn(body: string): string {
  const { pending_webhooks: _, ...said } = JSON.parse(body) as Record<string, unknown>;
  return JSON.stringify(said);
}

/** What was delivered comes again: the same event is nothing, another one under its id is parked for ever. */
async function deliverAgain(session: Session, pick: Pick): Promise<void> {
  const { deliveries } = session.world;
  if (deliveries.length === 0) return;
  const first = pick([...deliveries, ...deliveries.slice(-10)]);
  const event = JSON.parse(first.body) as Record<string, unknown>;
  const body = pick([
    ...[first.body, `${first.body} `, JSON.stringify({ ...event, pending_webhooks: pick([0, 1, 2]) })],
    ...[1, 2].map((count) => JSON.stringify({ ...event, request: { id: `req_${count}` } })),
  ]);
  const bodySha256 = hashOf(body);
  const signedAt = Math.floor(session.bench.now() / 1000);
  await post(session, body, await signed({ body, signedAt }), 200);
  const isKnown = deliveries.some(
    (each) => each.deliveryId === first.deliveryId && eventIn(each.body) === eventIn(body),
  );
  count(session.tally, isKnown ? "delivery duplicate" : "delivery SAME_ID_OTHER_BODY");
  if (isKnown) return;
  const original =
    deliveries.find((each) => each.deliveryId === first.deliveryId && !each.isConflict) ?? first;
  const conflict: KnownDelivery = {
    ...{ ...first, body, bodySha256, signedAt },
    ...{ isConflict: true, status: "parked", reason: "SAME_ID_OTHER_BODY", orgId: undefined },
  };
  deliveries.push(conflict);
  list(session, conflict, original.orgId ?? holderOf(session.world, original.account));
}

/** Bodies that the provider did not sign, or not now, about payments that there are: nothing comes of them. */
async function forge(session: Session, pick: Pick): Promise<void> {
  const delivery = pickDelivery(session, pick);
  if (delivery === undefined) return;
  const { body } = delivery;
  const seconds = Math.floor(session.bench.now() / 1000);
  const how = pick(["secret", "stale", "ahead", "none", "tampered"] as const);
  const header = {
    secret: await headerFor(body, { seconds, secret: "whsec_forged" }),
    stale: await headerFor(body, { seconds: seconds - STALE_S - 1 }),
    ahead: await headerFor(body, { seconds: seconds + STALE_S + 60 }),
    none: null,
    tampered: await headerFor(`${body} `, { seconds }),
  }[how];
  count(session.tally, `delivery refused: ${how}`);
  await post(session, body, header, 400);
}

/**
 * Takes up what waited, as the scheduler would: each in a transaction of its own, in the order in which they were
 * scheduled, until nothing more is. What is taken up is what waited for an object of a payment, or for its organisation.
 */
async function takeUp(session: Session): Promise<void> {
  const { bench, world, taken } = session;
  for (;;) {
    const due = (await bench.jobs?.scheduled())?.find(
      ({ id, name }) => name === "webhooks/stripe:retake" && !taken.has(id),
    );
    if (due === undefined) return;
    taken.add(due.id);
    const deliveryId = String(due.args["deliveryId"]);
    const waiting = world.deliveries.find((each) => each.deliveryId === deliveryId && !each.isConflict);
    const isAbout =
      waiting?.says.kind === "fact" &&
      (world.objects.has(subjectOf(waiting.says.fact)) || waiting.orgId !== undefined);
    requireEqual("INV-04", `${deliveryId} is taken up, and waited for something known`, isAbout, true);
    const earliest = bench.now();
    await bench.backend.operator.mutation(internal.webhooks.stripe.retake, { deliveryId });
    if (waiting?.status !== "parked") continue;
    await settle(session, waiting, outcomeOf(world, waiting), earliest);
  }
}

const ACTS = {
  answer: answerCreation,
  answerRefund,
  claimCreation,
  claimRefund,
  claimExchange,
  deliver: async (session: Session, pick: Pick): Promise<void> => {
    const delivery = pickDelivery(session, pick);
    if (delivery !== undefined) await deliver(session, delivery);
  },
  tellOfAccount: async (session: Session, pick: Pick): Promise<void> => {
    const delivery = pickAccountDelivery(session, pick);
    if (delivery !== undefined) await deliver(session, delivery);
  },
  deliverAgain,
  deliverReadable,
  forge,
} as const;

const WEIGHTS: Readonly<Record<keyof typeof ACTS, number>> = {
  ...{ answer: 6, answerRefund: 4, claimCreation: 1, claimRefund: 1, claimExchange: 3 },
  ...{ deliver: 14, tellOfAccount: 1, deliverAgain: 3, deliverReadable: 2, forge: 3 },
};

const DRAWN = Object.entries(WEIGHTS).flatMap(([name, weight]) =>
  Array.from({ length: weight }, () => name as keyof typeof ACTS),
);

/** The provider does more than one thing for each that a person does. */
const ACTS_AT_ONCE = 3;
const PICK_LIMIT = 0x10000;

/** Other random numbers made of the same ones, so that no act repeats the one before it. */
function picksOf(picks: readonly number[], act: number): number[] {
  return picks.map((random, index) => (random * (2 * act + 1) + 7_919 * act * (index + 1)) % PICK_LIMIT);
}

/** Lets the provider do something, and takes up what waited for it. */
export async function playProvider(session: Session, picks: readonly number[]): Promise<void> {
  for (let act = 0; act < ACTS_AT_ONCE; act += 1) {
    const pick = picker(picksOf(picks, act));
    await ACTS[pick(DRAWN)](session, pick);
    await takeUp(session);
  }
}
