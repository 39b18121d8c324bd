/** Signed deliveries: what arrives, when, how often, and what each switch does to it. */
import Stripe from "stripe";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { RETRY_DELAYS_MS } from "./events/deliveryQueue.ts";
import {
  CARD_PAYMENT,
  createTestEndpoint,
  startTestSimulator,
  WEBHOOK_SECRET,
} from "./testing/testSimulator.ts";
import type { Received, TestSimulator } from "./testing/testSimulator.ts";

let world: TestSimulator;
let stripe: Stripe;
beforeEach(async () => {
  world = await startTestSimulator();
  stripe = world.stripe;
});
afterEach(() => world.close());

const pay = (changes: Partial<Stripe.PaymentIntentCreateParams> = {}) =>
  stripe.paymentIntents.create({
    ...CARD_PAYMENT,
    payment_method: "pm_card_visa",
    confirm: true,
    ...changes,
  });
const open = () => stripe.paymentIntents.create(CARD_PAYMENT);

const types = async () => (await world.events()).map(({ type }) => type);
const alter = (kind: string, more: object = {}, rule: object = {}) =>
  world.flip("deliveries/alter", { switch: { kind, ...more }, ...rule });

/** What arrived, once all is through, without looking at signatures. */
async function bodies(): Promise<Record<string, unknown>[]> {
  await world.simulator.deliveriesSettled();
  return world.endpoint.received.map(({ body }) => JSON.parse(body) as Record<string, unknown>);
}

const verify = ({ body, signature }: Received, secret = WEBHOOK_SECRET) =>
  stripe.webhooks.constructEventAsync(body, signature, secret, 300, undefined, world.clock.nowMs());

describe("Events", () => {
  test("a payment tells what happened in its order, signed for the SDK", async () => {
    const intent = await pay();
    expect(await types()).toEqual([
      "payment_intent.created",
      "charge.succeeded",
      "payment_intent.succeeded",
      "charge.updated",
    ]);
    const [created, , succeeded] = await world.events();
    expect(created).toMatchObject({
      object: "event",
      api_version: "2026-10-28.endive",
      livemode: false,
      pending_webhooks: 1,
      data: { object: { id: intent.id, status: "requires_confirmation" } },
      request: { id: intent.lastResponse.requestId },
    });
    expect(created).not.toHaveProperty("account");
    expect(succeeded?.data.object).toMatchObject({
      id: intent.id,
      status: "succeeded",
      amount_received: 2000,
    });
  });

  test("an API call's events carry its idempotency key, a switch's carry none", async () => {
    const { id } = await stripe.paymentIntents.create(CARD_PAYMENT, { idempotencyKey: "attempt-1" });
    await world.flip("payments/succeed", { id });
    const [created, , succeeded] = await world.events();
    expect(created?.request?.idempotency_key).toBe("attempt-1");
    expect(succeeded?.request).toEqual({ id: null, idempotency_key: null });
  });

  test.each<[string, () => Promise<unknown>, string[]]>([
    [
      "a decline",
      async () => world.flip("payments/fail", { id: (await open()).id }),
      ["payment_intent.created", "charge.failed", "payment_intent.payment_failed"],
    ],
    [
      "a capture",
      async () => stripe.paymentIntents.capture((await pay({ capture_method: "manual" })).id),
      [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.amount_capturable_updated",
        "charge.captured",
        "payment_intent.succeeded",
      ],
    ],
    [
      "a cancellation",
      async () => stripe.paymentIntents.cancel((await open()).id),
      ["payment_intent.created", "payment_intent.canceled"],
    ],
    [
      "authentication",
      async () => world.flip("payments/require_action", { id: (await open()).id }),
      ["payment_intent.created", "payment_intent.requires_action"],
    ],
    [
      "processing",
      async () => world.flip("payments/process", { id: (await open()).id }),
      ["payment_intent.created", "payment_intent.processing"],
    ],
  ])("%s tells its events", async (_name, act, expected) => {
    await act();
    expect(await types()).toEqual(expected);
  });

  test("a refund that fails tells refund.created, refund.failed and what it was before (F19)", async () => {
    const intent = await pay();
    const { id } = await stripe.refunds.create({ payment_intent: intent.id, amount: 500 });
    await world.flip("refunds/settle", { id, outcome: "fail" });
    const events = (await world.events()).slice(4);
    expect(events.map(({ type }) => type)).toEqual([
      "refund.created",
      "charge.refunded",
      "refund.failed",
      "refund.updated",
      "charge.refund.updated",
    ]);
    expect(events[3]?.data.previous_attributes).toMatchObject({ status: "succeeded" });
    expect(events[1]?.data.object).toMatchObject({ amount_refunded: 500 });
  });

  test("a dispute tells its opening, its money and its end", async () => {
    const { id } = await pay();
    const dispute = await world.flip("disputes/open", { id });
    await world.flip("disputes/decide", { id: dispute["id"], outcome: "won" });
    expect((await types()).slice(4)).toEqual([
      "charge.dispute.created",
      "charge.dispute.funds_withdrawn",
      "charge.dispute.closed",
      "charge.dispute.funds_reinstated",
    ]);
  });

  test("Checkout tells completion after the payment, and asynchronous outcomes after it", async () => {
    const session = () =>
      stripe.checkout.sessions.create({
        mode: "payment",
        success_url: "https://studio.example/paid",
        line_items: [{ price_data: { currency: "eur", unit_amount: 900, product_data: { name: "Yoga" } } }],
      });
    const first = await session();
    await world.flip("payments/succeed", { id: first.id });
    expect((await types()).at(-1)).toBe("checkout.session.completed");
    const second = await session();
    await world.flip("payments/process", { id: second.id });
    await world.flip("payments/fail", { id: second.id });
    await stripe.checkout.sessions.expire((await session()).id);
    expect((await types()).slice(-6)).toEqual([
      "payment_intent.processing",
      "checkout.session.completed",
      "charge.failed",
      "payment_intent.payment_failed",
      "checkout.session.async_payment_failed",
      "checkout.session.expired",
    ]);
  });

  test("events are read and listed by type, newest first", async () => {
    const intent = await pay();
    const { data } = await stripe.events.list({ type: "payment_intent.*" });
    expect(data.map(({ type }) => type)).toEqual(["payment_intent.succeeded", "payment_intent.created"]);
    const event = await stripe.events.retrieve(data[0]?.id ?? "");
    expect(event.data.object).toMatchObject({ id: intent.id });
    await world.simulator.deliveriesSettled();
    expect((await stripe.events.list({ delivery_success: false })).data).toEqual([]);
  });
});

describe("Deliveries", () => {
  test("a failed delivery is tried again later, signed anew, with the same body (F07)", async () => {
    world.endpoint.statuses.push(500, 302);
    await open();
    await world.simulator.deliveriesSettled();
    world.clock.advance(RETRY_DELAYS_MS[0] ?? 0);
    await world.simulator.deliveriesSettled();
    world.clock.advance(RETRY_DELAYS_MS[1] ?? 0);
    await world.simulator.deliveriesSettled();
    const { received } = world.endpoint;
    expect(received).toHaveLength(3);
    expect(new Set(received.map(({ body }) => body)).size).toBe(1);
    expect(new Set(received.map(({ signature }) => signature)).size).toBe(3);
    const [, , last] = received;
    if (last !== undefined) expect((await verify(last)).type).toBe("payment_intent.created");
    world.clock.advance(7 * 24 * 60 * 60 * 1000);
    await world.simulator.deliveriesSettled();
    expect(world.endpoint.received).toHaveLength(3);
  });

  test("an endpoint that never agrees is given up after about three days", async () => {
    world.endpoint.statuses.push(...Array.from({ length: 50 }, () => 500));
    await open();
    await world.simulator.deliveriesSettled();
    for (const delayMs of RETRY_DELAYS_MS) {
      world.clock.advance(delayMs);
      await world.simulator.deliveriesSettled();
    }
    world.clock.advance(30 * 24 * 60 * 60 * 1000);
    await world.simulator.deliveriesSettled();
    expect(world.endpoint.received).toHaveLength(RETRY_DELAYS_MS.length + 1);
    const days = RETRY_DELAYS_MS.reduce((sum, ms) => sum + ms, 0) / 86_400_000;
    expect(days).toBeGreaterThan(2.9);
    expect(days).toBeLessThan(3.1);
  });

  test("a failed delivery does not hold up the next ones", async () => {
    world.endpoint.statuses.push(500);
    await pay();
    expect(await types()).toEqual([
      "payment_intent.created",
      "charge.succeeded",
      "payment_intent.succeeded",
      "charge.updated",
    ]);
    await world.flip("deliveries/retry");
    expect((await types()).at(-1)).toBe("payment_intent.created");
  });

  test("while a secret rotates, each secret signs (E09)", async () => {
    const secrets = ["whsec_theNewOne0000000000000", WEBHOOK_SECRET];
    world.simulator.setWebhooks([{ url: world.endpoint.url, secrets }]);
    await open();
    await world.simulator.deliveriesSettled();
    const [received] = world.endpoint.received;
    expect(received?.signature).toMatch(/^t=\d{10},v1=[0-9a-f]{64},v1=[0-9a-f]{64}$/);
    for (const secret of secrets) if (received !== undefined) await verify(received, secret);
  });

  test("endpoints get the events of their scope and their types, and connected accounts are named", async () => {
    const connect = await createTestEndpoint();
    const own = { url: world.endpoint.url, secrets: [WEBHOOK_SECRET], scope: "account" as const };
    const secrets = ["whsec_ofConnect00000000000000"];
    const events = ["payment_intent.created"];
    world.simulator.setWebhooks([own, { url: connect.url, secrets, scope: "connect", events }]);
    const stripeAccount = String((await world.flip("accounts/create", { name: "Studio" }))["id"]);
    await stripe.paymentIntents.create(
      { ...CARD_PAYMENT, payment_method: "pm_card_visa", confirm: true },
      { stripeAccount },
    );
    await open();
    expect(await types()).toEqual(["payment_intent.created"]);
    const [received, ...others] = connect.received;
    expect(others).toEqual([]);
    if (received !== undefined) {
      expect(await verify(received, secrets[0])).toMatchObject({ account: stripeAccount, type: events[0] });
    }
    await connect.close();
  });

  test("the body is UTF-8 JSON, sent as Stripe sends it", async () => {
    await stripe.paymentIntents.create({ ...CARD_PAYMENT, metadata: { name: "Zoë 🧘" } });
    await world.events();
    const [received] = world.endpoint.received;
    expect(received?.headers).toMatchObject({
      "content-type": "application/json; charset=utf-8",
      "user-agent": expect.stringContaining("Stripe/1.0") as string,
    });
    expect(received?.body).toContain('"name": "Zoë 🧘"');
    expect(received?.body.startsWith('{\n  "id": "evt_')).toBe(true);
  });
});

describe("Delivery switches", () => {
  test("duplicate sends the same event again (F01)", async () => {
    await alter("duplicate", { copies: 2 });
    await open();
    const events = await world.events();
    expect(events).toHaveLength(3);
    expect(new Set(events.map(({ id }) => id)).size).toBe(1);
    expect(new Set(world.endpoint.received.map(({ body }) => body)).size).toBe(1);
  });

  test("delay sends later, signed with the later time", async () => {
    await alter("delay", { seconds: 3600 }, { type: "payment_intent.created" });
    await pay();
    expect(await types()).toEqual(["charge.succeeded", "payment_intent.succeeded", "charge.updated"]);
    world.clock.advance(3_600_000);
    await world.simulator.deliveriesSettled();
    const last = world.endpoint.received.at(-1);
    if (last !== undefined) expect((await verify(last)).type).toBe("payment_intent.created");
  });

  test("drop never sends, and resend does", async () => {
    await alter("drop");
    await open();
    expect(await types()).toEqual([]);
    const { data } = await stripe.events.list();
    await world.flip("deliveries/resend", { id: data[0]?.id });
    expect(await types()).toEqual(["payment_intent.created"]);
  });

  test("reorder sends its number of deliveries backwards", async () => {
    await alter("reorder", {}, { times: 3 });
    await pay();
    expect(await types()).toEqual([
      "payment_intent.succeeded",
      "charge.succeeded",
      "payment_intent.created",
      "charge.updated",
    ]);
  });

  test("release sends what reorder still holds, in its order", async () => {
    await alter("reorder", {}, { times: 100 });
    await pay();
    expect(await types()).toEqual([]);
    expect(await world.flip("deliveries/release")).toEqual({ released: 4 });
    expect((await types())[0]).toBe("payment_intent.created");
  });

  test("other_body sends the same id with another amount, both validly signed (F03)", async () => {
    await alter("other_body", {}, { type: "payment_intent.succeeded" });
    await pay();
    const succeeded = (await world.events()).filter(({ type }) => type === "payment_intent.succeeded");
    expect(new Set(succeeded.map(({ id }) => id)).size).toBe(1);
    expect(succeeded.map(({ data }) => (data.object as Stripe.PaymentIntent).amount_received)).toEqual([
      2000, 2001,
    ]);
  });

  test.each([
    ["wrong_mode", { livemode: true }],
    ["wrong_account", { account: "acct_1SomebodyElse00" }],
    ["wrong_version", { api_version: "2019-12-03" }],
  ])("%s is signed validly (F09, R38, R40)", async (kind, changed) => {
    await alter(kind);
    await open();
    expect(await world.events()).toMatchObject([changed]);
  });

  test("rewrite puts any value at a path, signed (F13)", async () => {
    await alter(
      "rewrite",
      { path: "data.object.amount_received", value: "5000" },
      { type: "payment_intent.succeeded" },
    );
    await pay();
    const succeeded = (await bodies()).find(({ type }) => type === "payment_intent.succeeded");
    expect(succeeded).toMatchObject({ data: { object: { amount_received: "5000", amount: 2000 } } });
  });

  test("a path that an event does not have fails this delivery and no other", async () => {
    await alter("rewrite", { path: "data.nothing.here", value: 1 });
    await pay();
    expect(await types()).toEqual(["charge.succeeded", "payment_intent.succeeded", "charge.updated"]);
  });

  test.each([
    ["tamper", {}],
    ["wrong_secret", {}],
    ["signed_ago", { seconds: 301 }],
  ])("%s does not verify (E03, E05)", async (kind, more) => {
    await alter(kind, more);
    await open();
    await world.simulator.deliveriesSettled();
    const [received] = world.endpoint.received;
    expect(received).toBeDefined();
    if (received !== undefined)
      await expect(verify(received)).rejects.toThrow(Stripe.errors.StripeSignatureVerificationError);
  });

  test("signed_ago takes the future, which the SDK accepts and a careful reader does not", async () => {
    await alter("signed_ago", { seconds: -3600 });
    await open();
    await world.events();
    const t = Number(/^t=(\d+)/.exec(world.endpoint.received[0]?.signature ?? "")?.[1]);
    expect(t).toBe(world.clock.nowMs() / 1000 + 3600);
  });

  test("a switch meets its type and its number only, and clear forgets it", async () => {
    await alter("drop", {}, { type: "charge.succeeded", times: 1 });
    await pay();
    await pay();
    expect((await types()).filter((type) => type === "charge.succeeded")).toHaveLength(1);
    await alter("drop", {}, { times: 100 });
    await world.flip("clear");
    const before = world.endpoint.received.length;
    await open();
    expect((await types()).length).toBe(before + 1);
  });
});
