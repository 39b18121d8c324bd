/** Payments through the unmodified SDK against the stand-in for Stripe, with deliveries over HTTP. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { api } from "../../convex/_generated/api.js";
import {
  effectsOf,
  hurry,
  intentOf,
  ledgerOf,
  openPaymentScene,
  payerSecret,
  paymentRow,
  requestPayment,
  untilStatus,
  type PaymentScene,
} from "../support/paymentScene.ts";
import { codeOf, committed, eventually, key } from "../support/scene.ts";

let scene: PaymentScene;

beforeAll(async () => {
  scene = await openPaymentScene();
});
afterAll(async () => {
  await scene.backend.close();
});
afterEach(async () => {
  await scene.simulator.flip("clear");
});

const INTENTS = "/v1/payment_intents";

/** The intents of one payment at the provider: there must never be two. */
async function intentsOf(paymentId: string): Promise<string[]> {
  const list = await scene.stripe.paymentIntents.list({ limit: 100 });
  return list.data.filter(({ metadata }) => metadata["daybook_payment"] === paymentId).map(({ id }) => id);
}

async function pay(): Promise<{ paymentId: string; intent: string; bookingId: string }> {
  const { paymentId, bookingId } = await requestPayment(scene);
  const intent = intentOf((await payerSecret(scene, paymentId)).value);
  await scene.simulator.succeed(intent);
  await untilStatus(scene, paymentId, "paid");
  return { paymentId, intent, bookingId };
}

async function refund(paymentId: string, amountMinor?: number) {
  return await scene.owner.client.mutation(api.commands.payments.requestRefund, {
    paymentId,
    ...(amountMinor === undefined ? {} : { amountMinor }),
    reason: "requested_by_customer",
    idempotencyKey: key(),
  });
}

test("a payment is created at Stripe, paid there, confirmed by the signed delivery, and given back", async () => {
  const { paymentId, intent } = await pay();
  expect(await paymentRow(scene, paymentId)).toMatchObject({
    status: "paid",
    paidMinor: 5000,
    refundedMinor: 0,
  });
  committed(await refund(paymentId, 2000));
  await eventually(async () => (await paymentRow(scene, paymentId)).refundedMinor === 2000);
  const events = (await ledgerOf(scene)).filter(({ stream }) => stream === `payment/${paymentId}`);
  const confirmed = events.filter(({ type }) => type === "payment.confirmed");
  expect(confirmed.map(({ source }) => source)).toMatchObject([{ kind: "webhook", provider: "stripe" }]);
  expect(events.map(({ type }) => type)).toEqual(
    expect.arrayContaining([
      "payment.requested",
      "payment.created",
      "payment.refundSubmitted",
      "payment.refunded",
    ]),
  );
  const atStripe = await scene.stripe.paymentIntents.retrieve(intent);
  expect(atStripe).toMatchObject({ amount: 5000, amount_received: 5000, currency: "eur" });
  expect(JSON.stringify(events)).not.toContain("_secret_");
});

test("a page of Stripe's is the other way to pay; its URL and where it leads back to are allowed ones", async () => {
  const { paymentId } = await requestPayment(scene, { method: "checkout_session", returnPath: "/thanks" });
  const secret = await payerSecret(scene, paymentId);
  expect(secret.kind).toBe("url");
  const sessions = await scene.stripe.checkout.sessions.list({ limit: 100 });
  const session = sessions.data.find(({ metadata }) => metadata?.["daybook_payment"] === paymentId);
  expect(session?.success_url).toBe(`${scene.backend.host.siteUrl}/thanks`);
  await scene.simulator.succeed(session?.id ?? "");
  await untilStatus(scene, paymentId, "paid");
});

test("a page that was complete when the bank refused takes no other attempt: it holds nothing, and is called off", async () => {
  const { paymentId, bookingId } = await requestPayment(scene, { method: "checkout_session" });
  await payerSecret(scene, paymentId);
  const sessions = await scene.stripe.checkout.sessions.list({ limit: 100 });
  const session = sessions.data.find(({ metadata }) => metadata?.["daybook_payment"] === paymentId);
  await scene.simulator.flip("payments/process", { id: session?.id ?? "" });
  await untilStatus(scene, paymentId, "processing");
  const again = { bookingId, method: "checkout_session" } as const;
  const ask = async () =>
    await scene.owner.client.mutation(api.commands.payments.request, { ...again, idempotencyKey: key() });
  expect(codeOf(await ask())).toBe("CONFLICT");
  await scene.simulator.flip("payments/fail", { id: session?.id ?? "" });
  await untilStatus(scene, paymentId, "failed");
  expect(await scene.owner.client.query(api.projections.payments.payerSecret, { paymentId })).toBeNull();
  committed(
    await scene.owner.client.mutation(api.commands.payments.cancel, { paymentId, idempotencyKey: key() }),
  );
  await eventually(async () =>
    (await effectsOf(scene, "done")).some(
      ({ kind, subject }) => kind === "stripe.cancelPayment" && subject === paymentId,
    ),
  );
  const { paymentId: second } = committed(await ask()).result;
  await untilStatus(scene, second, "awaiting_payment");
});

test("H13: a way back that is no plain path is refused before anything is asked for", async () => {
  for (const returnPath of ["//evil.example", "https://evil.example", "javascript:alert(1)", "/a?b=c"]) {
    const { bookingId } = await requestPayment(scene);
    const asked = await scene.owner.client.mutation(api.commands.payments.request, {
      bookingId,
      method: "checkout_session",
      returnPath,
      idempotencyKey: key(),
    });
    expect(codeOf(asked)).toBe("INVALID");
  }
});

test("H01: a price, a currency or a discount from the client is INVALID, and nothing is asked for", async () => {
  const { bookingId } = await requestPayment(scene);
  for (const extra of [{ amountMinor: 1 }, { currency: "JPY" }, { discount: 100 }, { amount: 1 }]) {
    const args = { bookingId, idempotencyKey: key(), ...extra } as never;
    expect(codeOf(await scene.owner.client.mutation(api.commands.payments.request, args))).toBe("INVALID");
  }
});

test.each(["drop_after", "truncated", "bad_json"])(
  "H03: an answer that is lost (%s) is answered to the repetition under the same key: one intent",
  async (kind) => {
    await scene.simulator.fault(kind, INTENTS);
    const { paymentId } = await requestPayment(scene);
    await untilStatus(scene, paymentId, "awaiting_payment");
    expect(await intentsOf(paymentId)).toHaveLength(1);
  },
);

test("H07: an answer that stays lost leaves the payment in doubt; reading back finds it, and nothing is made twice", async () => {
  await scene.simulator.fault("error_after", INTENTS, 3);
  const { paymentId } = await requestPayment(scene);
  await untilStatus(scene, paymentId, "awaiting_payment");
  const types = (await ledgerOf(scene))
    .filter(({ stream }) => stream === `payment/${paymentId}`)
    .map(({ type }) => type);
  expect(types).toEqual(["payment.requested", "payment.creationUnknown", "payment.created"]);
  expect(await intentsOf(paymentId)).toHaveLength(1);
  expect((await payerSecret(scene, paymentId)).value).toContain("_secret_");
  const alerts = await scene.owner.client.query(api.projections.alerts.list, {
    paginationOpts: { numItems: 50, cursor: null },
  });
  expect(alerts.page.map((row) => row.kind)).toContain("OUTCOME_UNKNOWN");
});

test.each(["rate_limited", "conflict"])(
  "H07: a call that Stripe puts off (%s) is made again, once",
  async (kind) => {
    await scene.simulator.fault(kind, INTENTS, 3);
    const { paymentId } = await requestPayment(scene);
    await eventually(async () =>
      (await effectsOf(scene, "pending")).some(
        ({ subject, lastError }) => subject === paymentId && lastError === "PROVIDER_BUSY",
      ),
    );
    expect(await intentsOf(paymentId)).toHaveLength(0);
    await scene.simulator.flip("clear");
    await hurry(scene);
    await untilStatus(scene, paymentId, "awaiting_payment");
    expect(await intentsOf(paymentId)).toHaveLength(1);
  },
);

test("a payment that is given up is called off at Stripe, and Stripe's word ends it", async () => {
  const { paymentId } = await requestPayment(scene);
  const intent = intentOf((await payerSecret(scene, paymentId)).value);
  committed(
    await scene.owner.client.mutation(api.commands.payments.cancel, { paymentId, idempotencyKey: key() }),
  );
  await untilStatus(scene, paymentId, "cancelled");
  expect((await scene.stripe.paymentIntents.retrieve(intent)).status).toBe("canceled");
});

test("calling off that Stripe answered with an error is done again under a key of its own, and comes to an end", async () => {
  const { paymentId } = await requestPayment(scene);
  const intent = intentOf((await payerSecret(scene, paymentId)).value);
  await scene.simulator.fault("error_after", `/v1/payment_intents/${intent}/cancel`);
  committed(
    await scene.owner.client.mutation(api.commands.payments.cancel, { paymentId, idempotencyKey: key() }),
  );
  const isCancel = ({ kind, subject }: { kind: string; subject: string }): boolean =>
    kind === "stripe.cancelPayment" && subject === paymentId;
  await eventually(async () =>
    (await effectsOf(scene, "pending")).some(
      (each) => isCancel(each) && each.lastError === "OUTCOME_UNKNOWN",
    ),
  );
  await hurry(scene);
  await eventually(async () => (await effectsOf(scene, "done")).some(isCancel));
  await untilStatus(scene, paymentId, "cancelled");
});

test("H15: of 20 full refunds at once one takes effect", async () => {
  const { paymentId, intent } = await pay();
  const answers = await Promise.all(Array.from({ length: 20 }, async () => await refund(paymentId)));
  expect(answers.filter(({ status }) => status === "committed")).toHaveLength(1);
  await eventually(async () => (await paymentRow(scene, paymentId)).refundedMinor === 5000);
  const refunds = await scene.stripe.refunds.list({ payment_intent: intent });
  expect(refunds.data.map(({ amount }) => amount)).toEqual([5000]);
});

test.each(["drop_after", "error_after"])(
  "H15: a refund whose answer is lost (%s) is given once",
  async (kind) => {
    const { paymentId, intent } = await pay();
    await scene.simulator.fault(kind, "/v1/refunds", 3);
    committed(await refund(paymentId));
    await eventually(async () => (await paymentRow(scene, paymentId)).refundedMinor === 5000);
    await eventually(async () =>
      (await effectsOf(scene, "pending")).every(({ subject }) => !subject.startsWith(paymentId)),
    );
    await scene.simulator.flip("clear");
    expect((await scene.stripe.refunds.list({ payment_intent: intent })).data).toHaveLength(1);
  },
);

test("a refund that Stripe refuses is not submitted, and its amount is free again", async () => {
  const { paymentId, intent } = await pay();
  // Somebody gave it back in Stripe's own pages, and the delivery has not come yet.
  await scene.simulator.flip("deliveries/alter", {
    switch: { kind: "drop" },
    times: 3,
    type: "refund.created",
  });
  await scene.simulator.flip("deliveries/alter", {
    switch: { kind: "drop" },
    times: 3,
    type: "refund.updated",
  });
  await scene.stripe.refunds.create({ payment_intent: intent });
  committed(await refund(paymentId));
  const isRefused = async (): Promise<boolean> =>
    (await ledgerOf(scene)).some(
      ({ type, stream }) => stream === `payment/${paymentId}` && type === "payment.refundNotSubmitted",
    );
  await eventually(isRefused);
});

test("Q15: with Stripe away everything else works, and the payment waits", async () => {
  await scene.simulator.fault("drop_before", INTENTS, 3);
  const { paymentId, bookingId } = await requestPayment(scene);
  committed(
    await scene.owner.client.mutation(api.commands.bookings.confirm, { bookingId, idempotencyKey: key() }),
  );
  await eventually(async () => (await paymentRow(scene, paymentId)).status !== "requested");
  expect(["creation_unknown", "awaiting_payment"]).toContain((await paymentRow(scene, paymentId)).status);
});
