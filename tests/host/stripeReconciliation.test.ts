/** Crashes between Stripe and the commit, the comparison with Stripe's books, and Connect. */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import {
  intentOf,
  ledgerOf,
  openPaymentScene,
  payerSecret,
  paymentRow,
  requestPayment,
  untilStatus,
  type LedgerEvent,
  type PaymentScene,
} from "../support/paymentScene.ts";
import { committed, defineService, eventually, foundOrganization, freshly, key } from "../support/scene.ts";

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

async function driftOf(paymentId: string): Promise<string[]> {
  const alerts = await scene.owner.client.query(api.projections.alerts.list, {
    paginationOpts: { numItems: 100, cursor: null },
  });
  return alerts.page
    .filter((row) => row.kind === "RECONCILIATION_DRIFT" && row.detail?.startsWith(paymentId) === true)
    .map((row) => row.detail?.split(" ")[1] ?? "");
}

async function reconcile(): Promise<void> {
  await scene.backend.operator.mutation(internal.workers.reconciliation.next, {});
}

test("what Stripe says is paid and no delivery has told is reported, and never confirmed by that", async () => {
  await scene.simulator.flip("deliveries/alter", {
    switch: { kind: "drop" },
    times: 1,
    type: "payment_intent.succeeded",
  });
  const { paymentId } = await requestPayment(scene);
  const intent = intentOf((await payerSecret(scene, paymentId)).value);
  await scene.simulator.succeed(intent);
  await reconcile();
  await eventually(async () => (await driftOf(paymentId)).includes("PAID_AT_STRIPE"));
  expect((await paymentRow(scene, paymentId)).status).toBe("awaiting_payment");
  const { data } = await scene.stripe.events.list({ limit: 100, type: "payment_intent.succeeded" });
  const lost = data.find((event) => "id" in event.data.object && event.data.object.id === intent);
  await scene.simulator.flip("deliveries/resend", { id: lost?.id ?? "" });
  await untilStatus(scene, paymentId, "paid");
});

test("an unpaid payment at Stripe in our name that we don't know is called off and reported; others' are left alone", async () => {
  const stray = "pay_01JC0000000000000000000000";
  const metadata = { daybook_organisation: scene.orgId, daybook_payment: stray };
  const orphan = await scene.stripe.paymentIntents.create({ amount: 100, currency: "eur", metadata });
  const foreign = await scene.stripe.paymentIntents.create({ amount: 100, currency: "eur" });
  await reconcile();
  await eventually(async () => (await driftOf(stray)).includes("ORPHAN_CANCELLED"));
  expect((await scene.stripe.paymentIntents.retrieve(orphan.id)).status).toBe("canceled");
  expect((await scene.stripe.paymentIntents.retrieve(foreign.id)).status).toBe("requires_payment_method");
});

test("H03: a host that is killed between Stripe's answer and its commit ends with the same intent", async () => {
  await scene.simulator.flip("faults", {
    kind: "slow",
    path: "/v1/payment_intents",
    method: "POST",
    times: 1,
    delay_ms: 60_000,
  });
  const { paymentId } = await requestPayment(scene);
  const made = async (): Promise<string[]> =>
    (await scene.stripe.paymentIntents.list({ limit: 100 })).data
      .filter(({ metadata }) => metadata["daybook_payment"] === paymentId)
      .map(({ id }) => id);
  await eventually(async () => (await made()).length === 1);
  const [intent] = await made();
  await scene.backend.host.kill("SIGKILL");
  await scene.backend.host.start();
  await scene.backend.operator.mutation(internal.effects.outbox.retry, { orgId: scene.orgId });
  await untilStatus(scene, paymentId, "awaiting_payment");
  expect(await made()).toEqual([intent]);
  const created = (await ledgerOf(scene)).filter(
    ({ type, stream }) => type === "payment.created" && stream === `payment/${paymentId}`,
  );
  expect(created.map(({ data }) => data["paymentIntentId"])).toEqual([intent]);
});

/** Stripe keeps the answers of a key of the API's apart: after a new one it knows no idempotency key of the old one's. */
function forgetIdempotencyKeys(): void {
  const file = path.join(scene.backend.host.dataDir, "stripe-simulator.json");
  const books = JSON.parse(readFileSync(file, "utf8")) as { state: { idempotentAnswers: object } };
  books.state.idempotentAnswers = { $map: [] };
  writeFileSync(file, JSON.stringify(books));
}

test("H15: a refund whose answer was lost is given once, although Stripe knows its key no more", async () => {
  const { paymentId } = await requestPayment(scene);
  const intent = intentOf((await payerSecret(scene, paymentId)).value);
  await scene.simulator.succeed(intent);
  await untilStatus(scene, paymentId, "paid");
  const slow = { kind: "slow", path: "/v1/refunds", method: "POST", times: 1, delay_ms: 60_000 };
  await scene.simulator.flip("faults", slow);
  committed(
    await scene.owner.client.mutation(api.commands.payments.requestRefund, {
      ...{ paymentId, amountMinor: 1000, reason: "requested_by_customer" },
      idempotencyKey: key(),
    }),
  );
  const made = async (): Promise<number[]> =>
    (await scene.stripe.refunds.list({ payment_intent: intent })).data.map(({ amount }) => amount);
  await eventually(async () => (await made()).length === 1);
  await scene.backend.host.kill("SIGKILL");
  forgetIdempotencyKeys();
  await scene.backend.host.start();
  await scene.backend.operator.mutation(internal.effects.outbox.retry, { orgId: scene.orgId });
  const isSubmitted = async (): Promise<boolean> =>
    (await ledgerOf(scene)).some(
      ({ type, stream }) => type === "payment.refundSubmitted" && stream === `payment/${paymentId}`,
    );
  await eventually(isSubmitted);
  expect(await made()).toEqual([1000]);
});

async function link(orgId: string, subject: string, account = "new"): Promise<string> {
  const owner = await freshly(scene.backend, { subject }, orgId);
  const begun = committed(
    await owner.mutation(api.commands.stripeAccount.beginLink, { idempotencyKey: key() }),
  );
  const redirectUri = `${scene.backend.host.siteUrl}/stripe/linked`;
  const { location } = await scene.simulator.flip<{ location: string }>("oauth/authorize", {
    redirect_uri: redirectUri,
    state: begun.result.state,
    account,
  });
  const back = new URL(location);
  expect(`${back.origin}${back.pathname}`).toBe(redirectUri);
  committed(
    await owner.mutation(api.commands.stripeAccount.completeLink, {
      state: back.searchParams.get("state") ?? "",
      code: back.searchParams.get("code") ?? "",
      idempotencyKey: key(),
    }),
  );
  const ended = async (): Promise<string | undefined> => {
    const current = await owner.query(api.projections.ledger.events, { afterSeq: 0, limit: 200 });
    const types = current.entries.map(
      ({ text }) => JSON.parse(text) as { type: string; data: Record<string, string> },
    );
    const end = types.findLast(
      ({ type }) => type === "stripeAccount.linked" || type === "stripeAccount.linkFailed",
    );
    return end?.data["account"] ?? end?.data["reason"];
  };
  await eventually(async () => (await ended()) !== undefined);
  return (await ended()) ?? "";
}

test("Connect: an owner's account takes the payments; another organisation can't have it; unlinking ends it at Stripe", async () => {
  const { orgId, owner } = await foundOrganization(scene.backend, "Studio Green");
  const account = await link(orgId, owner.subject);
  expect(account).toMatch(/^acct_/);

  const other = await foundOrganization(scene.backend, "Studio Red");
  expect(await link(other.orgId, other.owner.subject, account)).toBe("taken");

  const linked = { owner, serviceId: await defineService(owner.client) };
  const { paymentId } = await requestPayment(linked);
  const intent = intentOf((await payerSecret(linked, paymentId)).value);
  const atStripe = await scene.stripe.paymentIntents.retrieve(intent, {}, { stripeAccount: account });
  expect(atStripe.metadata["daybook_payment"]).toBe(paymentId);
  await scene.simulator.succeed(intent);
  await untilStatus(linked, paymentId, "paid");

  const fresh = await freshly(scene.backend, owner, orgId);
  committed(await fresh.mutation(api.commands.stripeAccount.unlink, { idempotencyKey: key() }));
  const isGone = async (): Promise<boolean> =>
    await scene.stripe.paymentIntents.list({ limit: 1 }, { stripeAccount: account }).then(
      () => false,
      () => true,
    );
  await eventually(isGone);
});

test("what was paid through an account that another organisation holds by now is not given back from it", async () => {
  const first = await foundOrganization(scene.backend, "Studio Green");
  const account = await link(first.orgId, first.owner.subject);
  const linked = { owner: first.owner, serviceId: await defineService(first.owner.client) };
  const { paymentId } = await requestPayment(linked);
  const intent = intentOf((await payerSecret(linked, paymentId)).value);
  await scene.simulator.succeed(intent);
  await untilStatus(linked, paymentId, "paid");
  const fresh = await freshly(scene.backend, first.owner, first.orgId);
  committed(await fresh.mutation(api.commands.stripeAccount.unlink, { idempotencyKey: key() }));
  const second = await foundOrganization(scene.backend, "Studio Red");
  expect(await link(second.orgId, second.owner.subject, account)).toBe(account);

  committed(
    await first.owner.client.mutation(api.commands.payments.requestRefund, {
      paymentId,
      reason: "requested_by_customer",
      idempotencyKey: key(),
    }),
  );
  const outcomes = async (): Promise<LedgerEvent[]> =>
    (await ledgerOf(linked)).filter(({ type }) => /^payment\.refund(?!Requested)/.test(type));
  await eventually(async () => (await outcomes()).length > 0);
  expect(await outcomes()).toMatchObject([
    { type: "payment.refundNotSubmitted", data: { code: "account_not_linked" } },
  ]);
  const atStripe = await scene.stripe.refunds.list({ payment_intent: intent }, { stripeAccount: account });
  expect(atStripe.data).toEqual([]);
});
