/** Payments through the official SDK: the way of money, from intent to refund. */
import Stripe from "stripe";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { magicCardNames } from "./payments/magicCards.ts";
import { CARD_PAYMENT, READING_KEY, START_MS, startTestSimulator } from "./testing/testSimulator.ts";
import type { TestSimulator } from "./testing/testSimulator.ts";
import { idOf } from "./objects/reference.ts";

let world: TestSimulator;
let stripe: Stripe;

beforeAll(async () => {
  world = await startTestSimulator();
  stripe = world.stripe;
});
afterAll(() => world.close());

const paid = (changes: Partial<Stripe.PaymentIntentCreateParams> = {}) =>
  stripe.paymentIntents.create({
    ...CARD_PAYMENT,
    payment_method: "pm_card_visa",
    confirm: true,
    ...changes,
  });

/** What an SDK call was refused with. */
async function refusal(call: Promise<unknown>): Promise<Stripe.errors.StripeError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof Stripe.errors.StripeError) return error;
  throw new Error("The call was not refused by Stripe.", { cause: error });
}

describe("PaymentIntents", () => {
  test("a new intent waits for a payment method and keeps what it was given", async () => {
    const intent = await stripe.paymentIntents.create({
      amount: 1099,
      currency: "EUR",
      description: "Yoga",
      metadata: { booking: "bkg_1", "odd [name]": "a&b=c ü" },
    });
    expect(intent).toMatchObject({
      status: "requires_payment_method",
      amount: 1099,
      currency: "eur",
      amount_received: 0,
      latest_charge: null,
      livemode: false,
      capture_method: "automatic_async",
      created: START_MS / 1000,
      metadata: { booking: "bkg_1", "odd [name]": "a&b=c ü" },
    });
    expect(intent.id).toMatch(/^pi_3[0-9A-Za-z]{23}$/);
    expect(intent.client_secret).toMatch(new RegExp(`^${intent.id}_secret_[0-9A-Za-z]{25}$`));
    expect(await stripe.paymentIntents.retrieve(intent.id)).toEqual(intent);
  });

  test("pm_card_visa pays at once", async () => {
    const intent = await paid();
    expect(intent).toMatchObject({ status: "succeeded", amount_received: 2000, next_action: null });
    const charge = await stripe.charges.retrieve(idOf(intent.latest_charge));
    expect(charge).toMatchObject({
      paid: true,
      captured: true,
      amount_captured: 2000,
      payment_intent: intent.id,
    });
    const transaction = await stripe.balanceTransactions.retrieve(idOf(charge.balance_transaction));
    expect(transaction).toMatchObject({
      amount: 2000,
      fee: 55,
      net: 1945,
      source: charge.id,
      type: "charge",
    });
  });

  test("a declined card is a card error, and the intent waits for another card", async () => {
    const intent = await stripe.paymentIntents.create(CARD_PAYMENT);
    const error = await refusal(
      stripe.paymentIntents.confirm(intent.id, { payment_method: "pm_card_chargeDeclinedInsufficientFunds" }),
    );
    expect(error).toBeInstanceOf(Stripe.errors.StripeCardError);
    expect(error).toMatchObject({
      statusCode: 402,
      code: "card_declined",
      decline_code: "insufficient_funds",
    });
    const after = await stripe.paymentIntents.retrieve(intent.id);
    expect(after).toMatchObject({ status: "requires_payment_method", payment_method: null });
    expect(after.last_payment_error).toMatchObject({ code: "card_declined", type: "card_error" });
    const again = await stripe.paymentIntents.confirm(intent.id, { payment_method: "pm_card_visa" });
    expect(again).toMatchObject({ status: "succeeded", last_payment_error: null });
  });

  test("a card that needs authentication waits for the payer, who passes or fails", async () => {
    const intent = await paid({
      payment_method: "pm_card_authenticationRequired",
      return_url: "https://a.example/b",
    });
    expect(intent.status).toBe("requires_action");
    expect(intent.next_action).toMatchObject({
      type: "redirect_to_url",
      redirect_to_url: { return_url: "https://a.example/b" },
    });
    expect(await world.flip("payments/succeed", { id: intent.id })).toMatchObject({ status: "succeeded" });

    const other = await paid({ payment_method: "pm_card_authenticationRequired" });
    expect(other.next_action?.type).toBe("use_stripe_sdk");
    const failed = await world.flip("payments/fail", { id: other.id });
    expect(failed).toMatchObject({
      status: "requires_payment_method",
      last_payment_error: { code: "payment_intent_authentication_failure" },
    });
  });

  test("every magic payment method pays, is declined or asks for authentication", async () => {
    const outcomes = new Map<string, string>();
    for (const name of magicCardNames()) {
      const outcome = await paid({ payment_method: name }).then(
        ({ status }) => status,
        (error: unknown) => (error as Stripe.errors.StripeCardError).code ?? "no code",
      );
      outcomes.set(name, outcome);
    }
    expect(outcomes.get("pm_card_chargeDeclined")).toBe("card_declined");
    expect(outcomes.get("pm_card_chargeDeclinedExpiredCard")).toBe("expired_card");
    expect(outcomes.get("pm_card_authenticationRequired")).toBe("requires_action");
    expect(outcomes.get("pm_card_mastercard")).toBe("succeeded");
    expect(outcomes.size).toBe(27);
  });

  test("an authorised payment is captured in part, and no more than was authorised", async () => {
    const intent = await paid({ capture_method: "manual" });
    expect(intent).toMatchObject({ status: "requires_capture", amount_capturable: 2000, amount_received: 0 });
    const error = await refusal(stripe.paymentIntents.capture(intent.id, { amount_to_capture: 2001 }));
    expect(error).toMatchObject({ statusCode: 400, code: "amount_too_large", param: "amount_to_capture" });
    const captured = await stripe.paymentIntents.capture(intent.id, { amount_to_capture: 1500 });
    expect(captured).toMatchObject({
      status: "succeeded",
      amount: 2000,
      amount_received: 1500,
      amount_capturable: 0,
    });
  });

  test("a cancelled authorisation lets the money go", async () => {
    const intent = await paid({ capture_method: "manual" });
    const canceled = await stripe.paymentIntents.cancel(intent.id, {
      cancellation_reason: "requested_by_customer",
    });
    expect(canceled).toMatchObject({
      status: "canceled",
      cancellation_reason: "requested_by_customer",
      amount_capturable: 0,
      canceled_at: START_MS / 1000,
    });
    const charge = await stripe.charges.retrieve(idOf(intent.latest_charge));
    expect(charge).toMatchObject({ captured: false, refunded: true, amount_captured: 0 });
  });

  test.each([
    [{ amount: 0, currency: "eur" }, "parameter_invalid_integer", "amount"],
    [{ amount: 49, currency: "eur" }, "amount_too_small", "amount"],
    [{ amount: 50.5, currency: "eur" }, "parameter_invalid_integer", "amount"],
    [{ currency: "eur" }, "parameter_missing", "amount"],
    [{ amount: 100 }, "parameter_missing", "currency"],
    [{ amount: 100, currency: "xyz" }, undefined, "currency"],
    [{ amount: 100, currency: "eur", surprise: 1 }, "parameter_unknown", "surprise"],
    [{ amount: 100, currency: "eur", capture_method: "later" }, undefined, "capture_method"],
    [{ ...CARD_PAYMENT, payment_method: "pm_card_none" }, "resource_missing", "payment_method"],
    [
      { amount: 100, currency: "eur", payment_method: "pm_card_visa", confirm: true },
      undefined,
      "return_url",
    ],
  ])("creation with %j is refused", async (parameters, code, param) => {
    const error = await refusal(stripe.paymentIntents.create(parameters as Stripe.PaymentIntentCreateParams));
    expect(error).toBeInstanceOf(Stripe.errors.StripeInvalidRequestError);
    expect(error).toMatchObject({ code, param });
  });

  test("lists are newest first, filtered by time, and paged to the end", async () => {
    const account = String((await world.flip("accounts/create", { name: "Lists" }))["id"]);
    const options = { stripeAccount: account };
    const ids: string[] = [];
    for (let index = 0; index < 12; index += 1) {
      ids.push((await stripe.paymentIntents.create({ amount: 100 + index, currency: "eur" }, options)).id);
      world.clock.advance(1000);
    }
    const newestFirst = [...ids].reverse();
    const first = await stripe.paymentIntents.list({}, options);
    expect(first.data.map(({ id }) => id)).toEqual(newestFirst.slice(0, 10));
    expect(first).toMatchObject({ object: "list", has_more: true, url: "/v1/payment_intents" });
    const all: string[] = [];
    for await (const { id } of stripe.paymentIntents.list({ limit: 5 }, options)) all.push(id);
    expect(all).toEqual(newestFirst);
    const createdAt = first.data[3]?.created ?? 0;
    const since = await stripe.paymentIntents.list({ created: { gte: createdAt } }, options);
    expect(since.data.map(({ id }) => id)).toEqual(newestFirst.slice(0, 4));
    const before = await stripe.paymentIntents.list(
      { ending_before: newestFirst[4] ?? "", limit: 2 },
      options,
    );
    expect(before.data.map(({ id }) => id)).toEqual(newestFirst.slice(2, 4));
  });

  test("expand gives the charge and its balance transaction in the place of ids", async () => {
    const { id } = await paid();
    const intent = await stripe.paymentIntents.retrieve(id, {
      expand: ["latest_charge.balance_transaction"],
    });
    const charge = intent.latest_charge as Stripe.Charge;
    expect(charge.object).toBe("charge");
    expect((charge.balance_transaction as Stripe.BalanceTransaction).amount).toBe(2000);
    const list = await stripe.paymentIntents.list({ limit: 1, expand: ["data.latest_charge"] });
    expect(list.data[0]?.latest_charge).toMatchObject({ object: "charge" });
    const error = await refusal(stripe.paymentIntents.retrieve(id, { expand: ["amount"] }));
    expect(error.message).toContain("cannot be expanded (amount)");
  });

  test("an id of nobody's is 404, and one that is no id leaves the path alone", async () => {
    for (const id of ["pi_none", "../customers/x", "pi_1/confirm?x=1", "__proto__", "constructor"]) {
      const error = await refusal(stripe.paymentIntents.retrieve(id));
      expect(error).toMatchObject({ statusCode: 404, code: "resource_missing" });
    }
  });

  test("the payer's own key confirms an intent by its secret, and does nothing else", async () => {
    const { id, client_secret: secret } = await stripe.paymentIntents.create(CARD_PAYMENT);
    const payer = world.sdk("pk_test_daybookTests0000000000");
    const wrong = payer.paymentIntents.confirm(id, {
      payment_method: "pm_card_visa",
      client_secret: "x",
    } as never);
    expect(await refusal(wrong)).toMatchObject({ statusCode: 400, param: "client_secret" });
    expect(await refusal(payer.paymentIntents.list())).toMatchObject({ statusCode: 403 });
    const right = { payment_method: "pm_card_visa", client_secret: secret } as never;
    expect(await payer.paymentIntents.confirm(id, right)).toMatchObject({ status: "succeeded" });
  });
});

describe("Refunds", () => {
  test("partial refunds add up to what was captured and not to more", async () => {
    const intent = await paid();
    const first = await stripe.refunds.create({
      payment_intent: intent.id,
      amount: 500,
      reason: "duplicate",
    });
    expect(first).toMatchObject({
      status: "succeeded",
      amount: 500,
      reason: "duplicate",
      payment_intent: intent.id,
    });
    const tooMuch = await refusal(stripe.refunds.create({ payment_intent: intent.id, amount: 1501 }));
    expect(tooMuch).toMatchObject({ statusCode: 400, param: "amount" });
    const rest = await stripe.refunds.create({ charge: idOf(intent.latest_charge) });
    expect(rest.amount).toBe(1500);
    const none = await refusal(stripe.refunds.create({ payment_intent: intent.id }));
    expect(none).toMatchObject({ statusCode: 400, code: "charge_already_refunded" });
    const charge = await stripe.charges.retrieve(idOf(intent.latest_charge), { expand: ["refunds"] });
    expect(charge).toMatchObject({ refunded: true, amount_refunded: 2000 });
    expect(charge.refunds?.data.map(({ id }) => id)).toEqual([rest.id, first.id]);
    const list = await stripe.refunds.list({ payment_intent: intent.id });
    expect(list.data.map(({ id }) => id)).toEqual([rest.id, first.id]);
  });

  test("what was not paid cannot be refunded", async () => {
    const intent = await stripe.paymentIntents.create(CARD_PAYMENT);
    expect(await refusal(stripe.refunds.create({ payment_intent: intent.id }))).toMatchObject({
      statusCode: 400,
    });
    const held = await paid({ capture_method: "manual" });
    expect(await refusal(stripe.refunds.create({ payment_intent: held.id }))).toMatchObject({
      code: "charge_not_refundable",
    });
  });

  test("a pending refund is cancelled once, and its money counts as paid again", async () => {
    const intent = await paid({ payment_method: "pm_card_pendingRefund" });
    const refund = await stripe.refunds.create({ payment_intent: intent.id });
    expect(refund).toMatchObject({ status: "pending", pending_reason: "processing" });
    expect((await stripe.refunds.cancel(refund.id)).status).toBe("canceled");
    expect(await refusal(stripe.refunds.cancel(refund.id))).toMatchObject({ statusCode: 400 });
    const charge = await stripe.charges.retrieve(idOf(intent.latest_charge));
    expect(charge).toMatchObject({ refunded: false, amount_refunded: 0 });
  });

  test("a pending refund succeeds by itself, and the refund of a closed card fails by itself", async () => {
    const refunds = new Map<string, string>();
    for (const card of ["pm_card_pendingRefund", "pm_card_refundFail"]) {
      const intent = await paid({ payment_method: card });
      refunds.set(card, (await stripe.refunds.create({ payment_intent: intent.id })).id);
    }
    world.clock.advance(6000);
    const pending = await stripe.refunds.retrieve(refunds.get("pm_card_pendingRefund") ?? "");
    expect(pending.status).toBe("succeeded");
    const failing = await stripe.refunds.retrieve(refunds.get("pm_card_refundFail") ?? "");
    expect(failing).toMatchObject({ status: "failed", failure_reason: "expired_or_canceled_card" });
    const charge = await stripe.charges.retrieve(idOf(failing.charge));
    expect(charge.amount_refunded).toBe(0);
  });
});

describe("Disputes", () => {
  async function disputed() {
    const intent = await paid();
    const { id } = await world.flip("disputes/open", { id: intent.id });
    return { intent, id: String(id) };
  }

  test("a dispute takes the money, answers evidence, and gives the money back when it is won", async () => {
    const { intent, id } = await disputed();
    const dispute = await stripe.disputes.retrieve(id);
    expect(dispute).toMatchObject({ status: "needs_response", amount: 2000, is_charge_refundable: false });
    expect(dispute.balance_transactions.map(({ amount }) => amount)).toEqual([-2000]);
    expect(await refusal(stripe.refunds.create({ payment_intent: intent.id }))).toMatchObject({
      code: "charge_disputed",
    });
    const collected = await stripe.disputes.update(id, {
      evidence: { product_description: "Yoga" },
      submit: false,
    });
    expect(collected).toMatchObject({ status: "needs_response", evidence_details: { has_evidence: true } });
    const submitted = await stripe.disputes.update(id, { evidence: { customer_name: "Ann" } });
    expect(submitted).toMatchObject({ status: "under_review", evidence: { product_description: "Yoga" } });
    await world.flip("disputes/decide", { id, outcome: "won" });
    const won = await stripe.disputes.retrieve(id);
    expect(won.status).toBe("won");
    expect(won.balance_transactions.map(({ amount }) => amount)).toEqual([-2000, 2000]);
    expect(await refusal(stripe.disputes.close(id))).toMatchObject({ statusCode: 400 });
  });

  test("closing a dispute loses it", async () => {
    const { intent, id } = await disputed();
    expect((await stripe.disputes.close(id)).status).toBe("lost");
    const list = await stripe.disputes.list({ payment_intent: intent.id });
    expect(list.data.map((dispute) => dispute.id)).toEqual([id]);
  });

  test("an inquiry takes no money and ends as warning_closed", async () => {
    const intent = await paid();
    const { id } = await world.flip("disputes/open", { id: intent.id, inquiry: true, reason: "general" });
    expect(await stripe.disputes.retrieve(String(id))).toMatchObject({
      status: "warning_needs_response",
      balance_transactions: [],
      reason: "general",
    });
    await world.flip("disputes/decide", { id, outcome: "won" });
    expect((await stripe.disputes.retrieve(String(id))).status).toBe("warning_closed");
    await expect(world.flip("disputes/open", { id: intent.id })).rejects.toThrow(
      "nothing that can be disputed",
    );
  });

  test("pm_card_createDispute is disputed by itself", async () => {
    const intent = await paid({ payment_method: "pm_card_createDispute" });
    world.clock.advance(6000);
    const { data } = await stripe.disputes.list({ payment_intent: intent.id });
    expect(data.map(({ status }) => status)).toEqual(["needs_response"]);
  });
});

describe("Checkout Sessions", () => {
  const open = (changes: Partial<Stripe.Checkout.SessionCreateParams> = {}) =>
    stripe.checkout.sessions.create({
      mode: "payment",
      success_url: "https://studio.example/paid",
      line_items: [
        { quantity: 2, price_data: { currency: "eur", unit_amount: 1500, product_data: { name: "Yoga" } } },
      ],
      metadata: { booking: "bkg_1" },
      payment_intent_data: { metadata: { booking: "bkg_1" } },
      ...changes,
    });

  test("a session has no PaymentIntent until the payer pays", async () => {
    const session = await open({ client_reference_id: "bkg_1" });
    expect(session).toMatchObject({
      status: "open",
      payment_status: "unpaid",
      payment_intent: null,
      amount_total: 3000,
      currency: "eur",
      client_reference_id: "bkg_1",
      expires_at: session.created + 86_400,
    });
    expect(session.id).toMatch(/^cs_test_/);
    await world.flip("payments/succeed", { id: session.id });
    const after = await stripe.checkout.sessions.retrieve(session.id, { expand: ["payment_intent"] });
    expect(after).toMatchObject({ status: "complete", payment_status: "paid", url: null });
    expect(after.payment_intent).toMatchObject({
      status: "succeeded",
      amount: 3000,
      metadata: { booking: "bkg_1" },
    });
    expect(await refusal(stripe.checkout.sessions.expire(session.id))).toMatchObject({ statusCode: 400 });
  });

  test("a declined payer tries again in the same session, with the same PaymentIntent", async () => {
    const { id } = await open();
    const first = await world.flip("payments/fail", { id });
    expect((await stripe.checkout.sessions.retrieve(id)).status).toBe("open");
    expect(await refusal(stripe.paymentIntents.cancel(String(first["id"])))).toMatchObject({
      statusCode: 400,
    });
    const second = await world.flip("payments/succeed", { id });
    expect(second["id"]).toBe(first["id"]);
  });

  test.each([
    ["succeed", "paid"],
    ["fail", "unpaid"],
  ])("an asynchronous payment is complete before it is paid, then %ss", async (action, status) => {
    const { id } = await open();
    await world.flip("payments/process", { id });
    expect(await stripe.checkout.sessions.retrieve(id)).toMatchObject({
      status: "complete",
      payment_status: "unpaid",
    });
    await world.flip(`payments/${action}`, { id });
    expect((await stripe.checkout.sessions.retrieve(id)).payment_status).toBe(status);
  });

  test("a session expires on demand, with what it had opened, and by itself", async () => {
    const { id } = await open();
    const intent = await world.flip("payments/fail", { id });
    expect((await stripe.checkout.sessions.expire(id)).status).toBe("expired");
    expect((await stripe.paymentIntents.retrieve(String(intent["id"]))).status).toBe("canceled");
    await expect(world.flip("payments/succeed", { id })).rejects.toThrow("expired");

    const short = await open({ expires_at: Math.floor(world.clock.nowMs() / 1000) + 1800 });
    world.clock.advance(1_800_000);
    expect((await stripe.checkout.sessions.retrieve(short.id)).status).toBe("expired");
    const { data } = await stripe.checkout.sessions.list({ status: "expired" });
    expect(data.map((session) => session.id)).toEqual([short.id, id]);
  });

  test.each([
    [{ success_url: "javascript:alert(1)" }, "success_url"],
    [{ expires_at: Math.floor(START_MS / 1000) + 60 }, "expires_at"],
    [{ line_items: [] }, "line_items"],
    [{ mode: "subscription" as const }, "mode"],
  ])("a session with %j is refused", async (changes, param) => {
    expect(await refusal(open(changes))).toMatchObject({ statusCode: 400, param });
  });
});

describe("Keys", () => {
  test.each(["sk_test_unknown000000000", "sk_live_daybookTests0000000000", "nonsense"])(
    "%s is 401",
    async (key) => {
      const error = await refusal(world.sdk(key).paymentIntents.list());
      expect(error).toBeInstanceOf(Stripe.errors.StripeAuthenticationError);
      expect(error.message).not.toContain(key);
    },
  );

  test("a restricted key reads and does not write", async () => {
    const auditor = world.sdk(READING_KEY);
    expect((await auditor.paymentIntents.list()).object).toBe("list");
    const error = await refusal(auditor.paymentIntents.create(CARD_PAYMENT));
    expect(error).toBeInstanceOf(Stripe.errors.StripePermissionError);
  });

  test("a key comes as Basic user name too, and no key is 401", async () => {
    const basic = Buffer.from("sk_test_daybookTests0000000000:").toString("base64");
    const answer = await fetch(`${world.url}/v1/account`, { headers: { authorization: `Basic ${basic}` } });
    expect(answer.status).toBe(200);
    expect((await fetch(`${world.url}/v1/account`)).status).toBe(401);
  });

  test("another API version is refused, none is the pinned one", async () => {
    const other = world.sdk("sk_test_daybookTests0000000000", { apiVersion: "2020-08-27" as never });
    expect(await refusal(other.paymentIntents.list())).toMatchObject({ statusCode: 400 });
  });
});
