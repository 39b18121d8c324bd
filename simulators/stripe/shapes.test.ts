/**
 * The shapes of what the simulator answers, against Stripe's published samples: every key of ours is a key of the
 * sample with the same JSON type (or null on one side), and every key of the sample is there.
 */
import type Stripe from "stripe";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CARD_PAYMENT, startTestSimulator } from "./testing/testSimulator.ts";
import type { TestSimulator } from "./testing/testSimulator.ts";
import published from "./testdata/fixtures3.json" with { type: "json" };
import { idOf } from "./objects/reference.ts";

const samples: Readonly<Record<string, unknown>> = published.resources;

let world: TestSimulator;
let stripe: Stripe;
beforeAll(async () => {
  world = await startTestSimulator();
  stripe = world.stripe;
});
afterAll(() => world.close());

/** Keys that the SDK's version requires and the samples, which are older, do not have. */
const NEWER = new Set([
  "account.business_profile.specified_commercial_transactions_act_url",
  "charge.payment_method_details.card.electronic_commerce_indicator",
  "checkout.session.allowed_payment_method_types",
  "dispute.evidence_details.submission_method",
  "dispute.intended_submission_method",
  "payment_intent.allowed_payment_method_types",
  "payment_intent.payment_record",
]);

/** Optional keys that the samples show and that come only when there is something to tell, or when expanded. */
const OPTIONAL = new Set([
  "charge.refunds",
  "charge.outcome.risk_level",
  "charge.outcome.risk_score",
  "dispute.payment_method_details",
  "payment_intent.automatic_payment_methods.allow_redirects",
  "refund.pending_reason",
  "refund.failure_reason",
  "refund.failure_balance_transaction",
  "payment_intent.payment_method_options.card",
  "payment_intent.processing.card",
  "payment_intent.last_payment_error.advice_code",
  "payment_intent.last_payment_error.charge",
  "payment_intent.last_payment_error.code",
  "payment_intent.last_payment_error.decline_code",
  "payment_intent.last_payment_error.doc_url",
  "payment_intent.last_payment_error.message",
  "payment_intent.last_payment_error.payment_method",
  "payment_intent.next_action.redirect_to_url",
  "payment_intent.next_action.use_stripe_sdk",
  "event.account",
]);

/** Objects whose keys are their owner's. */
const FREE = /\.(metadata|enhanced_evidence|enhanced_eligibility)$/;

const kindOf = (value: unknown) => (Array.isArray(value) ? "array" : value === null ? "null" : typeof value);

function* keyDifferences(path: string, ours: object, sample: object): Generator<string> {
  const [own, theirs] = [ours as Record<string, unknown>, sample as Record<string, unknown>];
  for (const key of Object.keys(own)) {
    const at = `${path}.${key}`;
    if (NEWER.has(at) || OPTIONAL.has(at)) continue;
    if (key in theirs) yield* differences(at, own[key], theirs[key]);
    else yield `${at} is not published`;
  }
  for (const key of Object.keys(theirs)) {
    const at = `${path}.${key}`;
    if (!(key in own) && !OPTIONAL.has(at)) yield `${at} is missing`;
  }
}

function* differences(path: string, ours: unknown, sample: unknown): Generator<string> {
  const [kind, wanted] = [kindOf(ours), kindOf(sample)];
  if (kind === "null" || wanted === "null" || FREE.test(path)) return;
  if (kind !== wanted) yield `${path} is ${kind}, published as ${wanted}`;
  else if (kind === "object") yield* keyDifferences(path, ours as object, sample as object);
}

function expectShape(object: { readonly object: string }): void {
  const sample = samples[object.object];
  expect(sample, object.object).toBeDefined();
  expect([...differences(object.object, object, sample)]).toEqual([]);
}

const pay = (payment_method: string, changes: Partial<Stripe.PaymentIntentCreateParams> = {}) =>
  stripe.paymentIntents.create({ ...CARD_PAYMENT, payment_method, confirm: true, ...changes });

test("PaymentIntents in every state have the published shape", async () => {
  const { id } = await stripe.paymentIntents.create({ amount: 100, currency: "eur" });
  const declined = await stripe.paymentIntents.create(CARD_PAYMENT);
  await world.flip("payments/fail", { id: declined.id });
  const processing = await stripe.paymentIntents.create(CARD_PAYMENT);
  await world.flip("payments/process", { id: processing.id });
  const intents = await Promise.all([
    stripe.paymentIntents.retrieve(id),
    stripe.paymentIntents.cancel(id),
    stripe.paymentIntents.retrieve(declined.id),
    stripe.paymentIntents.retrieve(processing.id),
    pay("pm_card_visa"),
    pay("pm_card_visa", { capture_method: "manual" }),
    pay("pm_card_authenticationRequired"),
  ]);
  expect(new Set(intents.map(({ status }) => status)).size).toBeGreaterThanOrEqual(6);
  for (const intent of intents) expectShape(intent);
});

test("charges, payment methods, balance transactions, refunds and disputes have the published shape", async () => {
  const intent = await pay("pm_card_visa");
  const refund = await stripe.refunds.create({ payment_intent: intent.id, amount: 100 });
  await world.flip("refunds/settle", { id: refund.id, outcome: "fail" });
  const { id } = await world.flip("disputes/open", { id: intent.id });
  const charge = await stripe.charges.retrieve(idOf(intent.latest_charge));
  expectShape(charge);
  expectShape(await stripe.paymentMethods.retrieve(idOf(intent.payment_method)));
  expectShape(await stripe.balanceTransactions.retrieve(idOf(charge.balance_transaction)));
  expectShape(refund);
  expectShape(await stripe.refunds.retrieve(refund.id));
  const dispute = await stripe.disputes.retrieve(String(id));
  expectShape(dispute);
  for (const transaction of dispute.balance_transactions) expectShape(transaction);
});

test("declined charges have the published shape", async () => {
  const { id } = await stripe.paymentIntents.create(CARD_PAYMENT);
  await world.flip("payments/fail", { id });
  const { latest_charge: charge } = await stripe.paymentIntents.retrieve(id);
  expectShape(await stripe.charges.retrieve(idOf(charge)));
});

test("Checkout Sessions have the published shape, open, complete and expired", async () => {
  const create = () =>
    stripe.checkout.sessions.create({
      mode: "payment",
      success_url: "https://studio.example/paid",
      line_items: [{ price_data: { currency: "eur", unit_amount: 1500, product_data: { name: "Yoga" } } }],
    });
  const open = await create();
  expectShape(open);
  await world.flip("payments/succeed", { id: open.id });
  expectShape(await stripe.checkout.sessions.retrieve(open.id));
  expectShape(await stripe.checkout.sessions.expire((await create()).id));
});

test("accounts have the published shape", async () => {
  expectShape(await stripe.accounts.retrieveCurrent());
  expectShape((await world.flip("accounts/create", { name: "Studio" })) as never);
});

test("every event has the published shape, and so has the object in it", async () => {
  const events = await world.events();
  expect(new Set(events.map(({ type }) => type)).size).toBeGreaterThan(15);
  for (const event of events) {
    expect([
      ...differences("event", { ...event, data: {} }, { ...(samples["event"] as object), data: {} }),
    ]).toEqual([]);
    expectShape(event.data.object);
  }
});

test("the comparison sees a key too many, one too few and a wrong type", () => {
  const [ours, sample] = [
    { a: 1, b: { c: "x" }, d: null },
    { a: "1", b: {}, d: 1, e: 1 },
  ];
  expect([...differences("x", ours, sample)]).toEqual([
    "x.a is number, published as string",
    "x.b.c is not published",
    "x.e is missing",
  ]);
});
