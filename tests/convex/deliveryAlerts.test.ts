/** What owners and the operator learn of deliveries, and what they do about them: alerts, parked ones, raw bodies. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api, components, internal } from "../../convex/_generated/api.js";
import { readLedger } from "../contract/ledger.ts";
import {
  deliver,
  headSeq,
  listed,
  openPayment,
  statusOf,
  type OpenPayment,
  type PaymentBackend,
} from "../support/payments.ts";
import { committed, eventually, key } from "../support/scene.ts";
import { eventOf, headerFor, intent, nowSeconds, providerId, succeeded } from "../support/stripe.ts";
import { STRIPE_ENVIRONMENT } from "../support/stripeEnvironment.ts";
import { openTestBackend, type TestBackend } from "../support/testBackend.ts";

const ACCEPTED = { status: 200, text: '{"received":true}' };
const DAY_MS = 86_400_000;
const PAGE = { paginationOpts: { numItems: 200, cursor: null } };
const operator = internal.operator.deliveries;

let backend: TestBackend;
let on: PaymentBackend;

beforeEach(() => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("unreachable")));
  backend = openTestBackend(STRIPE_ENVIRONMENT);
  on = {
    backend,
    post: async (body, header) => {
      const headers = header === null ? {} : { "stripe-signature": header };
      const response = await backend.t.fetch("/webhooks/stripe", { method: "POST", headers, body });
      return { status: response.status, text: await response.text() };
    },
    append: () => Promise.reject(new Error("nothing is appended past the door here")),
  };
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

async function alertsOf(
  { owner }: OpenPayment,
  kind: string,
): Promise<{ kind: string; detail?: string | null }[]> {
  const { page } = await owner.client.query(api.projections.alerts.list, PAGE);
  return page.filter((alert) => alert.kind === kind);
}

function dispute(target: OpenPayment, id: string, status: string): Record<string, unknown> {
  return {
    ...{ id, object: "dispute", payment_intent: target.intentId, amount: 5000 },
    ...{ currency: "eur", status, reason: "fraudulent" },
  };
}

describe("alerts about money", () => {
  test("what is paid after it was cancelled is paid, and raises one alert however often it is told", async () => {
    const target = await openPayment(on);
    const { client } = target.owner;
    const cancel = { paymentId: target.paymentId, idempotencyKey: key() };
    committed(await client.mutation(api.commands.payments.cancel, cancel));
    await deliver(on, eventOf("payment_intent.canceled", intent(target.intentId, "canceled")));
    expect(await statusOf(client, target.paymentId)).toBe("cancelled");
    expect(await alertsOf(target, "PAID_AFTER_CANCEL")).toEqual([]);
    const event = succeeded(target.intentId);
    for (const id of [event.id, event.id, providerId("evt")]) await deliver(on, { ...event, id });
    expect(await statusOf(client, target.paymentId)).toBe("paid");
    expect(await alertsOf(target, "PAID_AFTER_CANCEL")).toMatchObject([
      { detail: `payment/${target.paymentId}` },
    ]);
  });

  test("what is paid in the ordinary way raises none", async () => {
    const target = await openPayment(on);
    await deliver(on, succeeded(target.intentId));
    expect((await target.owner.client.query(api.projections.alerts.list, PAGE)).page).toEqual([]);
  });

  test("each dispute raises one alert, by whichever delivery is the first about it", async () => {
    const target = await openPayment(on);
    await deliver(on, succeeded(target.intentId));
    const [first, second] = [providerId("dp"), providerId("du")];
    const created = nowSeconds();
    const tell = async (type: string, id: string, status: string, after: number): Promise<void> => {
      const event = eventOf(`charge.dispute.${type}`, dispute(target, id, status));
      expect(await deliver(on, { ...event, created: created + after })).toEqual(ACCEPTED);
    };
    await tell("updated", first, "under_review", 2);
    await tell("created", first, "needs_response", 1);
    await tell("closed", first, "lost", 3);
    expect(await alertsOf(target, "DISPUTE_OPENED")).toMatchObject([
      { detail: `payment/${target.paymentId} ${first}` },
    ]);
    await tell("created", second, "needs_response", 4);
    expect(await alertsOf(target, "DISPUTE_OPENED")).toHaveLength(2);
  });

  test("a frozen organisation's rest with the freeze, and its owners list them", async () => {
    const target = await openPayment(on);
    await deliver(on, succeeded(target.intentId));
    const { orgId } = target;
    const freeze = { orgId, reason: "security_incident" } as const;
    committed(await backend.operator.mutation(internal.operator.organizations.freeze, freeze));
    await deliver(on, eventOf("charge.dispute.created", dispute(target, providerId("dp"), "needs_response")));
    expect(await alertsOf(target, "DISPUTE_OPENED")).toHaveLength(1);
  });
});

describe("the operator", () => {
  test("lists parked deliveries, newest first, and ends one for good with a reason of the list", async () => {
    const target = await openPayment(on);
    const [early, late] = [
      succeeded(target.intentId, { amount_received: 1 }),
      succeeded(target.intentId, { currency: "usd" }),
    ];
    for (const event of [early, late]) {
      await deliver(on, event);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const { page: parked } = await backend.operator.query(operator.parked, PAGE);
    expect(parked).toMatchObject([
      { deliveryId: late.id, reason: "CURRENCY_MISMATCH", status: "parked", orgId: target.orgId },
      { deliveryId: early.id, reason: "AMOUNT_MISMATCH", status: "parked", orgId: target.orgId },
    ]);
    const dismiss = { deliveryId: early.id, reason: "settled_at_provider", operator: "on-call" };
    expect(await backend.operator.mutation(operator.dismiss, { ...dismiss, reason: "whim" })).toMatchObject({
      status: "rejected",
      code: "INVALID",
      field: "reason",
    });
    expect(await backend.operator.mutation(operator.dismiss, dismiss)).toEqual({
      ...{ status: "committed", outcome: "dismissed", reason: "settled_at_provider" },
    });
    expect((await backend.operator.query(operator.parked, PAGE)).page).toHaveLength(1);
    const of = { deliveryId: early.id, operator: "on-call" };
    expect(await backend.operator.mutation(operator.resolve, of)).toMatchObject({ code: "NOT_FOUND" });
    expect(await backend.operator.mutation(operator.dismiss, dismiss)).toMatchObject({ code: "NOT_FOUND" });
    // The provider may send it again: it stays dismissed.
    await deliver(on, early);
    expect(await listed(target.owner.client, early.id)).toMatchObject([{ status: "dismissed" }]);
    const log = await target.owner.client.query(api.projections.securityLog.list, PAGE);
    expect(log.page).toContainEqual(
      expect.objectContaining({
        ...{ code: "DELIVERY_DISMISSED", userId: "operator/on-call" },
        detail: `${early.id} settled_at_provider`,
      }),
    );
  });

  test("resolves nothing that is unknown, applied or nothing", async () => {
    const target = await openPayment(on);
    const paid = succeeded(target.intentId);
    const notListed = eventOf("invoice.paid", { id: "in_1", object: "invoice" });
    for (const event of [paid, notListed]) await deliver(on, event);
    const seq = await headSeq(target.owner.client);
    for (const deliveryId of [paid.id, notListed.id, providerId("evt"), ""]) {
      const dismiss = { deliveryId, reason: "other" };
      expect(await backend.operator.mutation(operator.resolve, { deliveryId })).toMatchObject({
        code: "NOT_FOUND",
      });
      expect(await backend.operator.mutation(operator.dismiss, dismiss)).toMatchObject({ code: "NOT_FOUND" });
    }
    expect(await headSeq(target.owner.client)).toBe(seq);
  });

  test("opens every raw body that came under an id, and removes them; the record stays", async () => {
    const target = await openPayment(on);
    const event = succeeded(target.intentId);
    const other = { ...event, data: { object: intent(target.intentId, "succeeded", { amount: 7 }) } };
    for (const sent of [event, other, event, other]) await deliver(on, sent);
    const of = { deliveryId: event.id };
    const texts = (await backend.operator.query(operator.raw, of)).map(({ text }) => text).sort();
    expect(texts).toEqual([JSON.stringify(event), JSON.stringify(other)].sort());
    expect(await backend.operator.query(operator.raw, { deliveryId: providerId("evt") })).toEqual([]);
    expect(await backend.operator.mutation(operator.removeRaw, of)).toBe(2);
    expect(await backend.operator.mutation(operator.removeRaw, of)).toBe(0);
    expect(await backend.operator.query(operator.raw, of)).toEqual([]);
    expect(await listed(target.owner.client, event.id)).toHaveLength(2);
    // Sent once more it is still known, and its body is not kept again.
    await deliver(on, event);
    expect(await backend.operator.query(operator.raw, of)).toEqual([]);
  });
});

test("R61 raw bodies are gone after 30 days, all of them, and no younger one", async () => {
  const aged = Date.now() - 30 * DAY_MS;
  await backend.t.run(async (ctx) => {
    const sealed = { keyId: "s1", nonce: new ArrayBuffer(24), ciphertext: new ArrayBuffer(16) };
    for (let count = 0; count < 120; count += 1) {
      const of = { provider: "stripe", deliveryId: `evt_${10_000_000 + count}` } as const;
      // Two of them still have a minute.
      const receivedAt = count < 2 ? aged + 60_000 : aged - 1;
      await ctx.db.insert("rawDeliveries", { ...of, bodySha256: "0".repeat(64), ...sealed, receivedAt });
    }
  });
  const kept = async (): Promise<number> =>
    await backend.t.run(async (ctx) => (await ctx.db.query("rawDeliveries").collect()).length);
  await backend.operator.mutation(internal.workers.rawDeliveries.next, {});
  await eventually(async () => (await kept()) === 2);
  await backend.operator.mutation(internal.workers.rawDeliveries.next, {});
  expect(await kept()).toBe(2);
});

describe("F25 a failure at a point of its own", () => {
  type Ctx = { runMutation(ref: unknown, args: unknown): Promise<unknown> };
  type Transactions = { mutation(run: (ctx: Ctx) => Promise<unknown>): Promise<unknown> };
  const sealed = { keyId: "s1", nonce: new ArrayBuffer(24), ciphertext: new ArrayBuffer(16) };

  async function expectOnce(target: OpenPayment, body: string, seq: number): Promise<void> {
    const { client } = target.owner;
    expect(await on.post(body, await headerFor(body))).toEqual(ACCEPTED);
    expect(await on.post(body, await headerFor(body))).toEqual(ACCEPTED);
    expect(await headSeq(client)).toBe(seq + 1);
    expect(await statusOf(client, target.paymentId)).toBe("paid");
    const confirmed = (await readLedger(client)).filter(({ text }) => text.includes('"payment.confirmed"'));
    expect(confirmed).toHaveLength(1);
  }

  test.each(["record", "append"] as const)(
    "after the %s leaves nothing, and the next try completes it once",
    async (point) => {
      const target = await openPayment(on);
      const event = succeeded(target.intentId);
      const body = JSON.stringify(event);
      const seq = await headSeq(target.owner.client);
      const signed = { header: await headerFor(body), body: new TextEncoder().encode(body).buffer };
      const failing = (backend.t as unknown as Transactions).mutation(async (ctx) => {
        if (point === "record") await ctx.runMutation(components.events.deliveries.receive, signed);
        else await ctx.runMutation(internal.webhooks.stripe.take, { ...signed, sealed });
        throw new Error("the host is gone");
      });
      await expect(failing).rejects.toThrow("the host is gone");
      expect(await headSeq(target.owner.client)).toBe(seq);
      expect(await listed(target.owner.client, event.id)).toEqual([]);
      await expectOnce(target, body, seq);
    },
  );

  test("before the answer has its effect already, and the next try is answered without another", async () => {
    const target = await openPayment(on);
    const body = JSON.stringify(succeeded(target.intentId));
    const seq = await headSeq(target.owner.client);
    const signed = { header: await headerFor(body), body: new TextEncoder().encode(body).buffer };
    await backend.operator.mutation(internal.webhooks.stripe.take, { ...signed, sealed });
    expect(await statusOf(target.owner.client, target.paymentId)).toBe("paid");
    await expectOnce(target, body, seq);
  });

  test("inside answers 500, with nothing of the body in the answer or the log", async () => {
    const target = await openPayment(on);
    const event = eventOf("customer.created", {
      id: "cus_1",
      object: "customer",
      email: "CANARY@example.com",
    });
    const seq = await headSeq(target.owner.client);
    const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const nonce = vi.spyOn(crypto, "getRandomValues").mockImplementation(() => {
      throw new Error("CANARY@example.com");
    });
    const answer = await deliver(on, event);
    nonce.mockRestore();
    expect(answer).toEqual({ status: 500, text: '{"error":"try again"}' });
    expect(JSON.stringify(logged.mock.calls)).toContain("nothing was committed");
    expect(JSON.stringify(logged.mock.calls)).not.toContain("CANARY");
    expect(await headSeq(target.owner.client)).toBe(seq);
    expect(await deliver(on, event)).toEqual(ACCEPTED);
  });
});

test("E25 a refused delivery is in the log with its reason and request id, and without its body", async () => {
  const logged = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const body = JSON.stringify(eventOf("customer.created", { id: "cus_1", email: "CANARY@example.com" }));
  const header = await headerFor(body);
  const stale = await headerFor(body, { seconds: nowSeconds() - 400 });
  const text = "CANARY no json";
  const cases: [body: string, header: string | null, code: string][] = [
    [body, null, "HEADER"],
    [body, "t=CANARY", "HEADER"],
    [`${body} `, header, "SIGNATURE"],
    [body, stale, "STALE"],
    [text, await headerFor(text), "NOT_JSON"],
    ["{}", await headerFor("{}"), "NOT_AN_EVENT"],
    ["x".repeat(256 * 1024 + 1), header, "TOO_LARGE"],
  ];
  for (const [sent, with_] of cases) await on.post(sent, with_);
  const lines = logged.mock.calls.map(([line]) => JSON.parse(String(line)) as unknown);
  expect(lines).toEqual(
    cases.map(([, , code]) => ({
      security: {
        ...{ outcome: "refused", function: "webhooks/stripe", code },
        requestId: expect.stringMatching(/.+/) as string,
      },
    })),
  );
  expect(JSON.stringify(lines)).not.toContain("CANARY");
});
