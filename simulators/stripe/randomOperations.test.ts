/**
 * Random operations of merchants, payers and banks, through the official SDK and the switches. Whatever is refused is
 * refused with a 4xx; and after every run money adds up, and the newest event about an object is the object.
 */
import fc from "fast-check";
import Stripe from "stripe";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CARD_PAYMENT, startTestSimulator, WEBHOOK_SECRET } from "./testing/testSimulator.ts";
import type { TestSimulator } from "./testing/testSimulator.ts";

let world: TestSimulator;
beforeAll(async () => {
  world = await startTestSimulator();
});
afterAll(() => world.close());

const RUNS = 40;

/** `target` picks one of the objects that are there; `amount` is in minor units and often too much. */
interface Step {
  readonly kind: (typeof KINDS)[number];
  readonly target: number;
  readonly amount: number;
}

const KINDS = [
  "create",
  "create_manual",
  "checkout",
  "confirm",
  "decline",
  "succeed",
  "fail",
  "process",
  "require_action",
  "capture",
  "cancel",
  "expire",
  "refund",
  "refund_pending",
  "settle",
  "fail_refund",
  "cancel_refund",
  "dispute",
  "inquiry",
  "win",
  "lose",
] as const;

/** What leads to money, and to parts of it, comes more often than what ends it. */
const LIKELY = ["create", "create_manual", "confirm", "succeed", "capture", "refund", "dispute"] as const;

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.oneof(fc.constantFrom(...KINDS), { arbitrary: fc.constantFrom(...LIKELY), weight: 2 }),
  target: fc.nat(3),
  amount: fc.oneof(fc.integer({ min: 50, max: 3000 }), fc.integer({ min: 50, max: 300 })),
});

/** One connected account with all its objects, so that runs do not meet. */
class Scene {
  readonly options: { stripeAccount: string };
  readonly intents: string[] = [];
  readonly sessions: string[] = [];
  readonly refunds: string[] = [];
  readonly disputes: string[] = [];

  constructor(stripeAccount: string) {
    this.options = { stripeAccount };
  }
}

/** One of the newest. */
const pick = (ids: readonly string[], { target }: Step) =>
  ids[ids.length - 1 - (target % Math.max(ids.length, 1))] ?? "none";

async function merchantStep(scene: Scene, { kind, amount, ...rest }: Step): Promise<void> {
  const { stripe } = world;
  const { options } = scene;
  const here = { kind, amount, ...rest };
  const intent = pick(scene.intents, here);
  switch (kind) {
    case "create":
    case "create_manual": {
      const capture = kind === "create" ? {} : { capture_method: "manual" as const };
      const made = await stripe.paymentIntents.create({ ...CARD_PAYMENT, amount, ...capture }, options);
      scene.intents.push(made.id);
      return;
    }
    case "checkout": {
      const price = { currency: "eur", unit_amount: amount, product_data: { name: "Yoga" } };
      const made = await stripe.checkout.sessions.create(
        { mode: "payment", success_url: "https://studio.example/", line_items: [{ price_data: price }] },
        options,
      );
      scene.sessions.push(made.id);
      return;
    }
    case "confirm":
      await stripe.paymentIntents.confirm(intent, { payment_method: "pm_card_visa" }, options);
      return;
    case "decline":
      await stripe.paymentIntents.confirm(intent, { payment_method: "pm_card_chargeDeclined" }, options);
      return;
    case "capture":
      await stripe.paymentIntents.capture(intent, { amount_to_capture: amount }, options);
      return;
    case "cancel":
      await stripe.paymentIntents.cancel(intent, {}, options);
      return;
    case "expire":
      await stripe.checkout.sessions.expire(pick(scene.sessions, here), {}, options);
      return;
    case "refund":
      scene.refunds.push((await stripe.refunds.create({ payment_intent: intent, amount }, options)).id);
      return;
    case "cancel_refund":
      await stripe.refunds.cancel(pick(scene.refunds, here), {}, options);
      return;
    default:
      await outsideStep(scene, here);
  }
}

/** What payers and banks do. */
async function outsideStep(scene: Scene, here: Step): Promise<void> {
  const { kind, amount } = here;
  const payable = pick(amount % 3 === 0 ? scene.sessions : scene.intents, here);
  const note = (ids: string[], made: Record<string, unknown>) => {
    const id = String(made["id"]);
    if (!ids.includes(id)) ids.push(id);
  };
  switch (kind) {
    case "refund_pending":
      note(scene.refunds, await world.flip("payments/refund", { id: payable, amount, pending: true }));
      return;
    case "settle":
    case "fail_refund": {
      const outcome = kind === "settle" ? "succeed" : "fail";
      await world.flip("refunds/settle", { id: pick(scene.refunds, here), outcome });
      return;
    }
    case "dispute":
    case "inquiry":
      note(scene.disputes, await world.flip("disputes/open", { id: payable, inquiry: kind === "inquiry" }));
      return;
    case "win":
    case "lose": {
      const outcome = kind === "win" ? "won" : "lost";
      await world.flip("disputes/decide", { id: pick(scene.disputes, here), outcome });
      return;
    }
    default:
      note(scene.intents, await world.flip(`payments/${kind}`, { id: payable }));
  }
}

/** Refusals are part of the game; a 5xx or a broken answer is not. */
async function play(scene: Scene, here: Step): Promise<"done" | "refused"> {
  try {
    await merchantStep(scene, here);
    return "done";
  } catch (error) {
    if (error instanceof Stripe.errors.StripeError) {
      expect(error.statusCode).toBeGreaterThanOrEqual(400);
      expect(error.statusCode).toBeLessThan(500);
    } else {
      expect((error as Error).message).toMatch(
        /No such|You cannot|has |does not|already|nothing|Only|greater/,
      );
    }
    return "refused";
  }
}

const sum = (amounts: Iterable<number>) => [...amounts].reduce((total, amount) => total + amount, 0);

async function everything<T>(list: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of list) all.push(item);
  return all;
}

async function read(scene: Scene) {
  const { stripe } = world;
  const { options } = scene;
  const page = { limit: 100 };
  const intents = await everything(stripe.paymentIntents.list(page, options));
  const events = (await everything(stripe.events.list(page, options))).reverse();
  const chargeIds = new Set<string>();
  for (const { type, data } of events) {
    if (type.startsWith("charge.") && data.object.object === "charge") chargeIds.add(data.object.id);
  }
  const charges = await Promise.all([...chargeIds].map((id) => stripe.charges.retrieve(id, {}, options)));
  return {
    intents,
    events,
    charges,
    refunds: await everything(stripe.refunds.list(page, options)),
    disputes: await everything(stripe.disputes.list(page, options)),
    sessions: await everything(stripe.checkout.sessions.list(page, options)),
  };
}
type Money = Awaited<ReturnType<typeof read>>;

const counts = ({ status }: Stripe.Refund) => status === "succeeded" || status === "pending";
const takesMoney = ({ status }: Stripe.Dispute) =>
  ["needs_response", "under_review", "lost"].includes(status);

/** Never more refunded than captured, never more captured than asked for. */
function expectArithmetic({ intents, charges, refunds, disputes }: Money): void {
  for (const charge of charges) {
    const back = sum(
      refunds.filter((refund) => refund.charge === charge.id && counts(refund)).map((r) => r.amount),
    );
    const disputed = sum(
      disputes.filter((d) => d.charge === charge.id && takesMoney(d)).map((d) => d.amount),
    );
    if (charge.captured) expect(charge.amount_refunded).toBe(back);
    expect(back + disputed).toBeLessThanOrEqual(charge.amount_captured);
    expect(charge.amount_captured).toBeLessThanOrEqual(charge.amount);
  }
  for (const intent of intents) {
    const captured = charges.filter((charge) => charge.payment_intent === intent.id && charge.captured);
    expect(captured.length).toBeLessThanOrEqual(1);
    expect(intent.amount_received).toBe(sum(captured.map((charge) => charge.amount_captured)));
    expect(intent.amount_received > 0).toBe(intent.status === "succeeded");
  }
}

/** The balance moved by exactly what the objects say. */
async function expectBalance(scene: Scene, { charges, refunds, disputes }: Money): Promise<void> {
  const ids = [
    ...charges.map((charge) => charge.balance_transaction),
    ...refunds.flatMap((refund) => [refund.balance_transaction, refund.failure_balance_transaction]),
  ].filter((id) => typeof id === "string");
  const moved = await Promise.all(
    ids.map((id) => world.stripe.balanceTransactions.retrieve(id, {}, scene.options)),
  );
  const ofDisputes = disputes.flatMap((dispute) => dispute.balance_transactions);
  const expected =
    sum(charges.map((charge) => charge.amount_captured)) -
    sum(refunds.filter(counts).map(({ amount }) => amount)) -
    sum(disputes.filter(takesMoney).map(({ amount }) => amount));
  expect(sum([...moved, ...ofDisputes].map(({ amount }) => amount))).toBe(expected);
}

/** Whoever only listens ends with the same objects as who reads. */
function expectEventsTellAll({ events, intents, refunds, disputes, sessions }: Money): void {
  const newest = new Map<string, unknown>();
  for (const { data } of events) if ("id" in data.object) newest.set(data.object.id, data.object);
  for (const object of [...intents, ...refunds, ...disputes]) expect(newest.get(object.id)).toEqual(object);
  for (const session of sessions.filter(({ status }) => status !== "open")) {
    expect(newest.get(session.id)).toEqual(session);
  }
}

async function expectDelivered({ options }: Scene, { events }: Money): Promise<void> {
  await world.simulator.deliveriesSettled();
  const delivered = world.endpoint.received
    .map(({ body, signature }) => world.stripe.webhooks.constructEvent(body, signature, WEBHOOK_SECRET, 0))
    .filter(({ account }) => account === options.stripeAccount);
  expect(delivered.map(({ id }) => id)).toEqual(events.map(({ id }) => id));
}

test("money adds up, and events tell all of it, after any operations", async () => {
  const outcomes = { done: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40, size: "max" }), async (steps) => {
      const scene = new Scene(String((await world.flip("accounts/create", { name: "Studio" }))["id"]));
      for (const here of steps) outcomes[await play(scene, here)] += 1;
      const money = await read(scene);
      expectArithmetic(money);
      await expectBalance(scene, money);
      expectEventsTellAll(money);
      await expectDelivered(scene, money);
    }),
    { numRuns: RUNS },
  );
  // A run that is always refused would show nothing.
  expect(outcomes.done).toBeGreaterThan(RUNS * 3);
  expect(outcomes.refused).toBeGreaterThan(RUNS);
});
