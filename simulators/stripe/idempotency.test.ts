/** Idempotency keys (R45, R46) and faults of API calls, as the official SDK meets them. */
import Stripe from "stripe";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CARD_PAYMENT, SECRET_KEY, startTestSimulator } from "./testing/testSimulator.ts";
import type { TestSimulator } from "./testing/testSimulator.ts";

let world: TestSimulator;
let stripe: Stripe;
beforeEach(async () => {
  world = await startTestSimulator();
  stripe = world.stripe;
});
afterEach(() => world.close());

const KEY = "attempt-1";
const HOUR_MS = 60 * 60 * 1000;

const create = (idempotencyKey = KEY, amount = 2000, sdk = stripe) =>
  sdk.paymentIntents.create({ ...CARD_PAYMENT, amount }, { idempotencyKey });

const intents = async () => (await stripe.paymentIntents.list({ limit: 100 })).data.length;

async function refusal(call: Promise<unknown>): Promise<Stripe.errors.StripeError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof Stripe.errors.StripeError) return error;
  throw new Error("The call was not refused by Stripe.", { cause: error });
}

/** A call without the SDK, which shows headers. */
const post = (path: string, body: string, key?: string) =>
  fetch(`${world.url}${path}`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${SECRET_KEY}`,
      "content-type": "application/x-www-form-urlencoded",
      ...(key === undefined ? {} : { "idempotency-key": key }),
    },
    body,
  });

describe("Idempotency keys", () => {
  test("the same request with the same key repeats the first answer and does nothing", async () => {
    const first = await create();
    const second = await create();
    expect(second).toEqual(first);
    expect(second.lastResponse.headers["idempotent-replayed"]).toBe("true");
    expect(second.lastResponse.headers["original-request"]).toBe(first.lastResponse.requestId);
    expect(second.lastResponse.requestId).not.toBe(first.lastResponse.requestId);
    expect(first.lastResponse.headers["idempotent-replayed"]).toBeUndefined();
    expect(first.lastResponse.headers["idempotency-key"]).toBe(KEY);
    expect(await intents()).toBe(1);
  });

  test("the repeated answer is that of then, whatever happened since", async () => {
    const first = await create();
    await world.flip("payments/succeed", { id: first.id });
    expect((await create()).status).toBe("requires_payment_method");
  });

  test("the same key with other parameters is a 400 idempotency_error", async () => {
    await create();
    const error = await refusal(create(KEY, 2001));
    expect(error).toBeInstanceOf(Stripe.errors.StripeIdempotencyError);
    expect(error).toMatchObject({ statusCode: 400, rawType: "idempotency_error" });
  });

  test("the same key for another endpoint is a 400 idempotency_error", async () => {
    const { id } = await create();
    const error = await refusal(stripe.paymentIntents.cancel(id, {}, { idempotencyKey: KEY }));
    expect(error).toBeInstanceOf(Stripe.errors.StripeIdempotencyError);
    expect((await stripe.paymentIntents.retrieve(id)).status).toBe("requires_payment_method");
  });

  test("each account and each API key has keys of its own", async () => {
    const stripeAccount = String((await world.flip("accounts/create", { name: "Studio" }))["id"]);
    const first = await create();
    const other = await stripe.paymentIntents.create(CARD_PAYMENT, { idempotencyKey: KEY, stripeAccount });
    expect(other.id).not.toBe(first.id);
  });

  test("declines and other errors of a request that had begun are repeated too", async () => {
    const attempt = () =>
      stripe.paymentIntents.create(
        { ...CARD_PAYMENT, payment_method: "pm_card_chargeDeclined", confirm: true },
        { idempotencyKey: KEY },
      );
    const first = await refusal(attempt());
    const second = await refusal(attempt());
    expect(second).toMatchObject({ statusCode: 402, charge: first.charge });
    expect(second.headers?.["idempotent-replayed"]).toBe("true");
    expect(await intents()).toBe(1);
  });

  test("nothing is saved for a wrong key, a limit or refused parameters", async () => {
    const body = "amount=2000&currency=eur";
    const wrong = world.sdk("sk_test_unknown000000000");
    expect(await refusal(create(KEY, 2000, wrong))).toMatchObject({ statusCode: 401 });
    await world.flip("faults", { kind: "rate_limited", method: "POST" });
    expect(await refusal(create())).toMatchObject({ statusCode: 429 });
    expect((await post("/v1/payment_intents", "amount=2000", KEY)).status).toBe(400);
    const answer = await post("/v1/payment_intents", body, KEY);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("idempotent-replayed")).toBeNull();
  });

  test("a key is in use while its first request runs, and repeats afterwards", async () => {
    await world.flip("faults", { kind: "slow", method: "POST", delay_ms: 3000 });
    const first = create();
    await expect.poll(intents).toBe(1);
    const error = await refusal(create());
    expect(error).toMatchObject({ statusCode: 409, code: "idempotency_key_in_use" });
    world.clock.advance(3000);
    const { id } = await first;
    expect((await create()).id).toBe(id);
  });

  test("a key is forgotten after 24 hours and not before", async () => {
    const { id } = await create();
    world.clock.advance(24 * HOUR_MS - 1);
    expect((await create()).id).toBe(id);
    world.clock.advance(1);
    expect((await create()).id).not.toBe(id);
  });

  test.each(["k".repeat(256), ""])("a key of a wrong length is refused", async (key) => {
    expect((await post("/v1/payment_intents", "amount=100&currency=eur", key)).status).toBe(400);
    expect(await intents()).toBe(0);
  });

  test("twenty requests at once with one key make one payment", async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => create()));
    expect(new Set(all.map(({ id }) => id)).size).toBe(1);
    expect(await intents()).toBe(1);
  });
});

describe("Faults", () => {
  const once = (kind: string, more: object = {}) =>
    world.flip("faults", { kind, method: "POST", path: "/v1/payment_intents", ...more });

  test("a connection cut before execution: the SDK's own retry with the same key pays once", async () => {
    await once("drop_before");
    expect((await create()).status).toBe("requires_payment_method");
    expect(await intents()).toBe(1);
  });

  test("a connection cut after execution: the retry gets the first answer", async () => {
    await once("drop_after");
    const intent = await create();
    expect(intent.lastResponse.headers["idempotent-replayed"]).toBe("true");
    expect(await intents()).toBe(1);
  });

  test("cut twice, the outcome is unknown to the caller, and reading shows it (H07)", async () => {
    await once("drop_after", { times: 2 });
    expect(await refusal(create())).toBeInstanceOf(Stripe.errors.StripeConnectionError);
    expect(await intents()).toBe(1);
    expect((await create()).status).toBe("requires_payment_method");
    expect(await intents()).toBe(1);
  });

  test("500 before execution is retried; 500 after execution is repeated for its key", async () => {
    await once("error");
    const retrying = world.sdk(SECRET_KEY, { maxNetworkRetries: 1 });
    expect((await create(KEY, 2000, retrying)).id).toMatch(/^pi_/);
    await once("error_after");
    expect(await refusal(create("attempt-2"))).toMatchObject({ statusCode: 500 });
    expect(await refusal(create("attempt-2"))).toMatchObject({ statusCode: 500 });
    expect(await intents()).toBe(2);
  });

  test("429 tells when to come back, and the SDK comes back", async () => {
    await once("rate_limited", { retry_after_s: 7 });
    const error = await refusal(create());
    expect(error).toBeInstanceOf(Stripe.errors.StripeRateLimitError);
    expect(error.headers).toMatchObject({ "retry-after": "7", "stripe-should-retry": "true" });
    await once("rate_limited");
    const retrying = world.sdk(SECRET_KEY, { maxNetworkRetries: 1 });
    expect((await create(KEY, 2000, retrying)).id).toMatch(/^pi_/);
  });

  test("Stripe-Should-Retry: false stops the SDK", async () => {
    await once("error", { should_retry: false });
    const retrying = world.sdk(SECRET_KEY, { maxNetworkRetries: 2 });
    expect(await refusal(create(KEY, 2000, retrying))).toMatchObject({ statusCode: 500 });
    expect(await intents()).toBe(0);
  });

  test("409 lock_timeout does nothing", async () => {
    await once("conflict");
    expect(await refusal(create())).toMatchObject({ statusCode: 409, code: "lock_timeout" });
    expect(await intents()).toBe(0);
  });

  test.each([
    ["truncated", Stripe.errors.StripeConnectionError],
    ["bad_json", Stripe.errors.StripeAPIError],
  ])("a %s answer is an unknown outcome: it was done", async (kind, error) => {
    await once(kind);
    expect(await refusal(create())).toBeInstanceOf(error);
    expect(await intents()).toBe(1);
    expect((await create()).lastResponse.headers["idempotent-replayed"]).toBe("true");
  });

  test("a fault meets its method, its path and its number of calls only", async () => {
    await world.flip("faults", { kind: "error", method: "GET", path: "/v1/payment_intents/*", times: 2 });
    const { id } = await create();
    expect(await intents()).toBe(1);
    expect(await refusal(stripe.paymentIntents.retrieve(id))).toMatchObject({ statusCode: 500 });
    expect(await refusal(stripe.paymentIntents.retrieve(id))).toMatchObject({ statusCode: 500 });
    expect((await stripe.paymentIntents.retrieve(id)).id).toBe(id);
  });

  test("clear forgets faults", async () => {
    await once("error", { times: 100 });
    await world.flip("clear");
    expect((await create()).id).toMatch(/^pi_/);
  });
});
