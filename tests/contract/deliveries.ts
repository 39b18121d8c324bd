/** The door of Stripe's deliveries and the ledger's fence behind it, on both hosts: attack groups E and F. */
import { beforeAll, describe, expect, test } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import { readLedger } from "./ledger.ts";
import { codeOf, committed, eventually, join, key, refusalOf } from "../support/scene.ts";
import {
  created,
  deliver,
  headSeq,
  listed,
  openPayment,
  requestPayment,
  statusOf,
  type OpenPayment,
  type PaymentBackend,
} from "../support/payments.ts";
import {
  eventOf,
  headerFor,
  intent,
  nowSeconds,
  providerId,
  refundOf,
  signatureOf,
  succeeded,
} from "../support/stripe.ts";
import { OLD_WEBHOOK_SECRET } from "../support/stripeEnvironment.ts";

const REFUSED = { status: 400, text: '{"error":"refused"}' };
const ACCEPTED = { status: 200, text: '{"received":true}' };
const PAGE = { paginationOpts: { numItems: 200, cursor: null } };

type Open = () => Promise<PaymentBackend>;

/** Nothing of a refused body is anywhere: not in the ledger, in no list, in no alert. */
async function expectUntouched({ owner, paymentId }: OpenPayment, seq: number): Promise<void> {
  expect(await headSeq(owner.client)).toBe(seq);
  expect(await statusOf(owner.client, paymentId)).toBe("awaiting_payment");
  expect((await owner.client.query(api.projections.deliveries.list, PAGE)).page).toEqual([]);
  const alerts = await owner.client.query(api.projections.alerts.list, PAGE);
  expect(alerts.page.filter(({ kind }) => kind === "DELIVERY_PARKED")).toEqual([]);
}

async function parkedFor(
  on: PaymentBackend,
  event: ReturnType<typeof succeeded>,
  { owner }: OpenPayment,
): Promise<string | null> {
  const seq = await headSeq(owner.client);
  expect(await deliver(on, event)).toEqual(ACCEPTED);
  expect(await headSeq(owner.client)).toBe(seq);
  const [row] = await listed(owner.client, event.id);
  expect(row?.status).toBe("parked");
  return row?.reason ?? null;
}

/** Why the bodies that came under an id are parked, in order of the alphabet. */
async function parkedReasons({ backend }: PaymentBackend, id: string): Promise<(string | null)[]> {
  const { page: parked } = await backend.operator.query(internal.operator.deliveries.parked, PAGE);
  return parked
    .filter(({ deliveryId }) => deliveryId === id)
    .map(({ reason }) => reason)
    .sort();
}

export function authenticityContract(open: Open): void {
  let on: PaymentBackend;
  let target: OpenPayment;
  beforeAll(async () => {
    on = await open();
    target = await openPayment(on);
  });

  test("E01 E11 G05 no header or junk is refused, what the SDK throws at least of all", async () => {
    const seq = await headSeq(target.owner.client);
    const body = JSON.stringify(succeeded(target.intentId));
    const [, signature = ""] = (await headerFor(body)).split(",");
    const t = `t=${nowSeconds()}`;
    for (const header of [
      ...[null, "", ",,", "t", "t,v1=,v0=", "bad_header", "I'm not even a real signature header"],
      ...[
        t,
        signature,
        `${t},v1=`,
        `${t},v1`,
        `${t},${signature},`,
        `${t}, ${signature}`,
        `${t},${t},${signature}`,
      ],
      ...[`${t},v0=${signature.slice(3)}`, `${t},V1=${signature.slice(3)}`, `${t},v1=${"é".repeat(64)}`],
      `${t},v1=${signature.slice(3).toUpperCase()}`,
      `${t},${signature},v0=${"x".repeat(65_536)}`,
    ]) {
      const answer = await on.post(body, header).catch(() => null);
      // Some clients don't send what is no header; the host cuts one of 64 kB off itself.
      if (answer !== null && answer.status !== 431) expect([header, answer]).toEqual([header, REFUSED]);
    }
    await expectUntouched(target, seq);
  });

  test("E03 a changed body is refused, wherever the bit is", async () => {
    const seq = await headSeq(target.owner.client);
    const text = JSON.stringify(succeeded(target.intentId));
    const header = await headerFor(text);
    const bytes = new TextEncoder().encode(text);
    for (let offset = 0; offset < bytes.length; offset += 37) {
      const changed = bytes.slice();
      changed[offset] = (changed[offset] ?? 0) ^ 1;
      expect(await on.post(changed, header)).toEqual(REFUSED);
    }
    for (const other of [`${text}\n`, `${text} `, ` ${text}`, `\ufeff${text}`, "", text.slice(1)]) {
      expect(await on.post(other, header)).toEqual(REFUSED);
    }
    await expectUntouched(target, seq);
  });

  test("E05 G03 a signature is fresh for 300 seconds, before and after now", async () => {
    const seq = await headSeq(target.owner.client);
    const body = JSON.stringify(eventOf("customer.created", { id: "cus_1", object: "customer" }));
    for (const age of [306, 3_600, -306, -3_600, -315_360_000]) {
      const header = await headerFor(body, { seconds: nowSeconds() - age });
      expect([age, await on.post(body, header)]).toEqual([age, REFUSED]);
    }
    for (const age of [295, -295]) {
      expect(await on.post(body, await headerFor(body, { seconds: nowSeconds() - age }))).toEqual(ACCEPTED);
    }
    await expectUntouched(target, seq);
  });

  test("E07 G03 a time that is no ten digits is refused, however well it is signed", async () => {
    const body = JSON.stringify(succeeded(target.intentId));
    for (const t of [
      "NaN",
      "abc",
      "-1",
      "",
      "0",
      `${nowSeconds()}000`,
      `${nowSeconds()}.5`,
      `0x${nowSeconds()}`,
    ]) {
      for (const signed of [t, "NaN"]) {
        const header = `t=${t},v1=${await signatureOf(body, signed)}`;
        expect([header, await on.post(body, header)]).toEqual([header, REFUSED]);
      }
    }
  });

  test("E09 either secret and any one of several signatures will do, and no other secret", async () => {
    const body = JSON.stringify(eventOf("customer.created", { id: "cus_1", object: "customer" }));
    const right = await headerFor(body);
    expect(await on.post(body, `${right},v1=potato`)).toEqual(ACCEPTED);
    expect(await on.post(body, right.replace("v1=", `v1=${"0".repeat(64)},v1=`))).toEqual(ACCEPTED);
    expect(await on.post(body, await headerFor(body, { secret: OLD_WEBHOOK_SECRET }))).toEqual(ACCEPTED);
    for (const secret of ["undefined", "whsec_", "null", `whsec_${"6".repeat(32)}`]) {
      expect(await on.post(body, await headerFor(body, { secret }))).toEqual(REFUSED);
    }
  });

  test("E15 a body beyond 256 KiB is refused before its signature is looked at", async () => {
    const body = `{"pad":"${"x".repeat(256 * 1024)}"}`;
    expect(await on.post(body, await headerFor(body))).toEqual({
      status: 413,
      text: '{"error":"too large"}',
    });
    expect((await on.post(body, "junk")).status).toBe(413);
  });

  test("E17 E19 E21 E23 what is signed and no event is refused", async () => {
    const seq = await headSeq(target.owner.client);
    const good = JSON.stringify(succeeded(target.intentId));
    const bad = [
      ...["null", "[]", "1", '"x"', "not json", "", "{}", "} I am not valid JSON; 123][", `${good}${good}`],
      ...[
        `${good},`,
        "[1,]",
        '{"a":1,}',
        "{'a':1}",
        "01",
        "+1",
        ".5",
        "NaN",
        '{"a":1 "b":2}',
        "[".repeat(1e4),
      ],
      good.replace("{", '{"livemode":true,'),
      good.replace('"livemode":false', '"livemode":false,"livemode":false'),
      good.replace('"status":"succeeded"', '"status":"succeeded","status":"processing"'),
      good.replace('"object":"event"', '"object":"list"'),
      good.replace(/"id":"evt_[^"]*"/, '"id":"x"'),
      good.replace(/"id":"evt_[^"]*"/, `"id":"evt_${"x".repeat(10_000)}"`),
      good.replace(/"id":"evt_[^"]*",/, ""),
      good.replace('"type":"payment_intent.succeeded"', '"type":5'),
      good.replace('"livemode":false', '"livemode":"false"'),
      good.replace('"data":{', '"date":{'),
    ];
    for (const body of bad) {
      expect([body.slice(0, 80), await on.post(body, await headerFor(body))]).toEqual([
        body.slice(0, 80),
        REFUSED,
      ]);
    }
    const invalid = new TextEncoder().encode(good);
    invalid[invalid.length - 3] = 0xff;
    expect(await on.post(invalid, await headerFor(invalid))).toEqual(REFUSED);
    await expectUntouched(target, seq);
  });

  test("E23 an object of another kind, or a malformed one, is parked", async () => {
    const { intentId } = target;
    for (const object of [
      refundOf(intentId, "succeeded"),
      intent(intentId, "succeeded", { currency: "euro" }),
      intent(intentId, "succeeded", { id: "cs_12345678" }),
      {},
    ]) {
      const event = eventOf("payment_intent.succeeded", object);
      expect(await deliver(on, event)).toEqual(ACCEPTED);
      const { page: parked } = await on.backend.operator.query(internal.operator.deliveries.parked, PAGE);
      expect(parked.find(({ deliveryId }) => deliveryId === event.id)?.reason).toBe("MALFORMED");
    }
    expect(await statusOf(target.owner.client, target.paymentId)).toBe("awaiting_payment");
  });

  test("E25 a flood of bad signatures writes nothing, and genuine ones still pass", async () => {
    const other = await openPayment(on);
    const seq = await headSeq(other.owner.client);
    const event = succeeded(other.intentId);
    const body = JSON.stringify(event);
    const junk = `t=${nowSeconds()},v1=${"0".repeat(64)}`;
    for (let round = 0; round < 25; round += 1) {
      const answers = await Promise.all(Array.from({ length: 8 }, () => on.post(body, junk)));
      expect(answers.every(({ status }) => status === 400)).toBe(true);
    }
    await expectUntouched(other, seq);
    expect(await deliver(on, event)).toEqual(ACCEPTED);
    expect(await statusOf(other.owner.client, other.paymentId)).toBe("paid");
  });
}

export function meaningContract(open: Open): void {
  let on: PaymentBackend;
  beforeAll(async () => {
    on = await open();
  });

  test("F01 a delivery takes effect once, however often and late it comes", async () => {
    const target = await openPayment(on);
    const event = succeeded(target.intentId);
    const body = JSON.stringify(event);
    const header = await headerFor(body);
    const answers = await Promise.all(Array.from({ length: 12 }, () => on.post(body, header)));
    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThan(0);
    const seq = await headSeq(target.owner.client);
    for (let count = 0; count < 20; count += 1) expect(await on.post(body, header)).toEqual(ACCEPTED);
    // Sent again with a new signature, and the same said again under another id.
    expect(await on.post(body, await headerFor(body, { seconds: nowSeconds() - 200 }))).toEqual(ACCEPTED);
    expect(await deliver(on, { ...event, id: providerId("evt") })).toEqual(ACCEPTED);
    expect(await headSeq(target.owner.client)).toBe(seq);
    const confirmed = (await readLedger(target.owner.client)).filter(({ text }) =>
      text.includes('"payment.confirmed"'),
    );
    expect(confirmed).toHaveLength(1);
    expect(await listed(target.owner.client, event.id)).toEqual([{ status: "applied", reason: null }]);
  });

  test("F03 the same id with another body is parked apart, with an alert, and can't be resolved", async () => {
    const target = await openPayment(on);
    const event = succeeded(target.intentId);
    await deliver(on, event);
    const other = { ...event, data: { object: intent(target.intentId, "succeeded", { amount: 1 }) } };
    expect(await deliver(on, other)).toEqual(ACCEPTED);
    expect(await deliver(on, other)).toEqual(ACCEPTED);
    const rows = await listed(target.owner.client, event.id);
    expect(rows).toContainEqual({ status: "parked", reason: "SAME_ID_OTHER_BODY" });
    expect(rows).toHaveLength(2);
    const alerts = await target.owner.client.query(api.projections.alerts.list, PAGE);
    expect(alerts.page.map(({ kind }) => kind)).toContain("DELIVERY_PARKED");
    const again = await on.backend.operator.mutation(internal.operator.deliveries.resolve, {
      deliveryId: event.id,
    });
    expect(codeOf(again)).toBe("NOT_FOUND");
    const dismissed = await on.backend.operator.mutation(internal.operator.deliveries.dismiss, {
      deliveryId: event.id,
      reason: "other",
    });
    expect(dismissed).toMatchObject({ status: "committed", outcome: "dismissed" });
  });

  test("F01 an event that comes again with another count of who takes it is the same one", async () => {
    const target = await openPayment(on);
    const { client } = target.owner;
    const event = { ...succeeded(target.intentId, { exchange_rate: 0.92 }), pending_webhooks: 2 };
    await deliver(on, event);
    const seq = await headSeq(client);
    await deliver(on, { ...event, pending_webhooks: 1 });
    const spread = JSON.stringify(Object.fromEntries(Object.entries(event).reverse()), null, 2);
    expect(await on.post(spread, await headerFor(spread))).toEqual(ACCEPTED);
    expect(await headSeq(client)).toBe(seq);
    expect(await listed(client, event.id)).toEqual([{ status: "applied", reason: null }]);
    // So is a conflict that comes again; but what the object says is no such count.
    const other = { ...event, data: { object: { ...event.data.object, pending_webhooks: 1 } } };
    for (const count of [2, 1, 0]) await deliver(on, { ...other, pending_webhooks: count });
    expect(await parkedReasons(on, event.id)).toEqual(["SAME_ID_OTHER_BODY"]);
  });

  test("F05 failed, canceled and processing after succeeded downgrade nothing", async () => {
    const target = await openPayment(on);
    await deliver(on, succeeded(target.intentId));
    const seq = await headSeq(target.owner.client);
    for (const [type, status] of [
      ["payment_intent.payment_failed", "requires_payment_method"],
      ["payment_intent.canceled", "canceled"],
      ["payment_intent.processing", "processing"],
    ] as const) {
      expect(await deliver(on, eventOf(type, intent(target.intentId, status)))).toEqual(ACCEPTED);
    }
    expect(await statusOf(target.owner.client, target.paymentId)).toBe("paid");
    expect(await headSeq(target.owner.client)).toBe(seq);
  });

  test("F07 an event of three days ago with a fresh signature counts", async () => {
    const target = await openPayment(on);
    await deliver(on, { ...succeeded(target.intentId), created: nowSeconds() - 3 * 86_400 });
    expect(await statusOf(target.owner.client, target.paymentId)).toBe("paid");
  });

  test("F09 another account, an unknown one and one that should be absent are parked", async () => {
    const target = await openPayment(on);
    const account = `acct_${providerId("x").slice(2)}`;
    expect(await parkedFor(on, { ...succeeded(target.intentId), account }, target)).toBe("WRONG_ACCOUNT");
    expect(await statusOf(target.owner.client, target.paymentId)).toBe("awaiting_payment");
  });

  test("F11 what a payer could write, metadata and client_reference_id, maps nothing", async () => {
    const target = await openPayment(on);
    const metadata = { orgId: target.orgId, paymentId: target.paymentId, bookingId: target.bookingId };
    const foreign = providerId("pi");
    await deliver(on, succeeded(foreign, { metadata, client_reference_id: target.paymentId }));
    expect(await statusOf(target.owner.client, target.paymentId)).toBe("awaiting_payment");
    const { page: parked } = await on.backend.operator.query(internal.operator.deliveries.parked, PAGE);
    expect(parked[0]).toMatchObject({ reason: "UNKNOWN_OBJECT", orgId: null });
  });

  test("F13 an amount that is not exactly the asked one confirms nothing", async () => {
    const target = await openPayment(on);
    for (const [over, reason] of [
      [{ amount_received: 4999 }, "AMOUNT_MISMATCH"],
      [{ amount_received: 5001 }, "AMOUNT_MISMATCH"],
      [{ amount_received: 0 }, "AMOUNT_MISMATCH"],
      [{ amount: 4999, amount_received: 4999 }, "AMOUNT_MISMATCH"],
      [{ amount_received: -5000 }, "MALFORMED"],
      [{ amount_received: "5000" }, "MALFORMED"],
      [{ amount_received: 5000.5 }, "MALFORMED"],
      [{ amount_received: 2 ** 53 }, "MALFORMED"],
      [{ currency: "usd" }, "CURRENCY_MISMATCH"],
    ] as const) {
      const event = succeeded(target.intentId, over);
      await deliver(on, event);
      const { page: parked } = await on.backend.operator.query(internal.operator.deliveries.parked, PAGE);
      expect([over, parked.find(({ deliveryId }) => deliveryId === event.id)?.reason]).toEqual([
        over,
        reason,
      ]);
    }
    for (const number of ["5e3", "5000.0", "5.0e3"]) {
      const event = succeeded(target.intentId);
      const body = JSON.stringify(event).replace('"amount_received":5000', `"amount_received":${number}`);
      expect(await on.post(body, await headerFor(body))).toEqual(ACCEPTED);
    }
    expect(await statusOf(target.owner.client, target.paymentId)).toBe("awaiting_payment");
  });

  test("F15 reserved, processing and unfinished is not paid", async () => {
    const target = await openPayment(on);
    for (const [type, status] of [
      ["payment_intent.amount_capturable_updated", "requires_capture"],
      ["payment_intent.requires_action", "requires_action"],
      ["payment_intent.processing", "processing"],
      ["payment_intent.succeeded", "requires_capture"],
    ] as const) {
      await deliver(on, eventOf(type, intent(target.intentId, status, { amount_received: 5000 })));
    }
    expect(await statusOf(target.owner.client, target.paymentId)).toBe("processing");
  });

  test("F17 a session without a payment is parked; a paid one brings its intent", async () => {
    const target = await openPayment(on);
    const sessionId = providerId("cs_test");
    const intentId = providerId("pi");
    const asked = await openPayment(on, target);
    await created(on, { ...asked, sessionId });
    const session = (status: string, over = {}): Record<string, unknown> => ({
      ...{ id: sessionId, object: "checkout.session", mode: "payment", payment_status: status },
      ...{ payment_intent: asked.intentId, amount_total: 5000, currency: "eur", ...over },
    });
    const free = eventOf("checkout.session.completed", session("no_payment_required"));
    expect(await parkedFor(on, free, asked)).toBe("NOTHING_PAID");
    const other = eventOf("checkout.session.completed", session("paid", { payment_intent: intentId }));
    expect(await parkedFor(on, other, asked)).toBe("UNKNOWN_OBJECT");
    await deliver(on, eventOf("checkout.session.completed", session("paid")));
    expect(await statusOf(asked.owner.client, asked.paymentId)).toBe("paid");
  });

  test("F19 refunds before the payment wait for it; totals are exact and never above what was paid", async () => {
    const target = await openPayment(on);
    const { client } = target.owner;
    const first = refundOf(target.intentId, "succeeded", { amount: 2000 });
    const early = eventOf("refund.created", first);
    expect(await parkedFor(on, early, target)).toBe("NOT_PAID_YET");
    await deliver(on, succeeded(target.intentId));
    await eventually(async () => (await listed(client, early.id))[0]?.status === "applied");
    await deliver(on, eventOf("refund.updated", first));
    const second = refundOf(target.intentId, "succeeded", { amount: 3000 });
    await deliver(on, eventOf("refund.created", second));
    const over = eventOf("refund.created", refundOf(target.intentId, "succeeded", { amount: 1 }));
    expect(await parkedFor(on, over, target)).toBe("REFUND_EXCEEDS_PAYMENT");
    const charge = eventOf("charge.refunded", { id: "ch_1", object: "charge", amount_refunded: 5000 });
    await deliver(on, charge);
    expect(await client.query(api.projections.payments.get, { paymentId: target.paymentId })).toMatchObject({
      refundedMinor: 5000,
    });
    // A refund that fails after it succeeded gives its amount back, and what waited for room takes effect.
    await deliver(
      on,
      eventOf("refund.failed", { ...second, status: "failed", failure_reason: "expired_or_canceled_card" }),
    );
    await eventually(async () => (await listed(client, over.id))[0]?.status === "applied");
    expect(await client.query(api.projections.payments.get, { paymentId: target.paymentId })).toMatchObject({
      refundedMinor: 2001,
    });
  });

  test("F21 an unknown status is parked and never success", async () => {
    const target = await openPayment(on);
    const unknown = succeeded(target.intentId, { status: "brand_new" });
    await deliver(on, unknown);
    const dispute = eventOf("charge.dispute.created", {
      ...{ id: providerId("dp"), object: "dispute", payment_intent: target.intentId, amount: 5000 },
      ...{ currency: "eur", status: "appeal_needs_response", reason: "fraudulent" },
    });
    await deliver(on, dispute);
    const { page: parked } = await on.backend.operator.query(internal.operator.deliveries.parked, PAGE);
    for (const { id } of [unknown, dispute]) {
      expect(parked.find(({ deliveryId }) => deliveryId === id)?.reason).toBe("UNKNOWN_STATUS");
    }
    expect(await statusOf(target.owner.client, target.paymentId)).toBe("awaiting_payment");
  });

  test("F23 a frozen organisation's money is recorded; a type that is not listed changes nothing", async () => {
    const target = await openPayment(on);
    committed(
      await on.backend.operator.mutation(internal.operator.organizations.freeze, {
        orgId: target.orgId,
        reason: "security_incident",
      }),
    );
    await deliver(on, succeeded(target.intentId));
    await deliver(on, eventOf("invoice.paid", { id: "in_1", object: "invoice" }));
    committed(
      await on.backend.operator.mutation(internal.operator.organizations.unfreeze, { orgId: target.orgId }),
    );
    expect(await statusOf(target.owner.client, target.paymentId)).toBe("paid");
  });

  test("F27 a delivery about one organisation's payment changes no other's", async () => {
    const [one, two] = [await openPayment(on), await openPayment(on)];
    const seq = await headSeq(one.owner.client);
    await deliver(on, succeeded(two.intentId));
    expect(await headSeq(one.owner.client)).toBe(seq);
    expect(await statusOf(one.owner.client, one.paymentId)).toBe("awaiting_payment");
    expect(await statusOf(two.owner.client, two.paymentId)).toBe("paid");
    expect((await one.owner.client.query(api.projections.deliveries.list, PAGE)).page).toEqual([]);
  });

  test("R38 R40 the other mode and another API release are parked, a later month of the same is not", async () => {
    const target = await openPayment(on);
    for (const [over, reason] of [
      [{ livemode: true }, "WRONG_MODE"],
      [{ api_version: "2026-09-30.dahlia" }, "WRONG_API_VERSION"],
      [{ api_version: "2026-04-22.endive" }, "WRONG_API_VERSION"],
    ] as const) {
      const event = { ...succeeded(target.intentId), ...over };
      await deliver(on, event);
      const { page: parked } = await on.backend.operator.query(internal.operator.deliveries.parked, PAGE);
      expect(parked.find(({ deliveryId }) => deliveryId === event.id)?.reason).toBe(reason);
    }
    await deliver(on, { ...succeeded(target.intentId), api_version: "2026-11-25.endive" });
    expect(await statusOf(target.owner.client, target.paymentId)).toBe("paid");
  });

  test("R40 an event of another release that comes again in the pinned one takes effect, once", async () => {
    const target = await openPayment(on);
    const { client } = target.owner;
    const event = succeeded(target.intentId);
    const unread = { ...event, api_version: "2026-09-30.dahlia" };
    await deliver(on, unread);
    expect(await parkedReasons(on, event.id)).toEqual(["WRONG_API_VERSION"]);
    const seq = await headSeq(client);
    expect(await deliver(on, event)).toEqual(ACCEPTED);
    expect(await statusOf(client, target.paymentId)).toBe("paid");
    expect(await headSeq(client)).toBe(seq + 1);
    // The first body stays what it was, whatever comes again counts no more, and a third body is a conflict.
    const counted = { ...unread, pending_webhooks: 1 };
    for (const again of [event, unread, counted]) expect(await deliver(on, again)).toEqual(ACCEPTED);
    expect(await parkedReasons(on, event.id)).toEqual(["WRONG_API_VERSION"]);
    await deliver(on, { ...event, api_version: "2026-11-25.endive" });
    expect(await parkedReasons(on, event.id)).toEqual(["SAME_ID_OTHER_BODY", "WRONG_API_VERSION"]);
    expect(await headSeq(client)).toBe(seq + 1);
    expect(await listed(client, event.id)).toContainEqual({ status: "applied", reason: null });
  });

  test("F03 R40 what comes again takes no place but that of its own event, waiting in another release", async () => {
    const target = await openPayment(on);
    const { operator } = on.backend;
    const event = succeeded(target.intentId);
    const unread = { api_version: "2026-09-30.dahlia" };
    const dismiss = { deliveryId: event.id, reason: "other" };
    const pairs: [what: string, first: typeof event, second: typeof event][] = [
      ["still unread", { ...event, ...unread }, { ...event, api_version: "2026-04-22.endive" }],
      ["another account", { ...event, ...unread }, { ...event, account: "acct_12345678" }],
      [
        "another type",
        { ...event, ...unread },
        eventOf("payment_intent.canceled", intent(target.intentId, "canceled")),
      ],
      ["no fact", { ...event, ...unread }, { ...event, data: { object: {} } }],
      ["was of the other mode", { ...event, livemode: true }, event],
      ["was malformed", { ...event, data: { object: {} } }, event],
      ["was dismissed", { ...event, ...unread }, event],
    ];
    for (const [what, first, second] of pairs) {
      const id = providerId("evt");
      await deliver(on, { ...first, id });
      if (what === "was dismissed") {
        committed(
          await operator.mutation(internal.operator.deliveries.dismiss, { ...dismiss, deliveryId: id }),
        );
      }
      await deliver(on, { ...second, id });
      expect([what, await parkedReasons(on, id)]).toEqual([
        what,
        expect.arrayContaining(["SAME_ID_OTHER_BODY"]),
      ]);
    }
    expect(await statusOf(target.owner.client, target.paymentId)).toBe("awaiting_payment");
  });

  test("a delivery that comes before the provider's answer takes effect after it", async () => {
    const asked = await requestPayment(on);
    const event = succeeded(asked.intentId);
    expect(await deliver(on, event)).toEqual(ACCEPTED);
    const resolve = { deliveryId: event.id };
    expect(await on.backend.operator.mutation(internal.operator.deliveries.resolve, resolve)).toMatchObject({
      outcome: "parked",
      reason: "UNKNOWN_OBJECT",
    });
    await created(on, asked);
    await eventually(async () => (await statusOf(asked.owner.client, asked.paymentId)) === "paid");
    expect(await listed(asked.owner.client, event.id)).toEqual([{ status: "applied", reason: null }]);
  });

  test("the operator's list has pages, of one organisation and for one reason too", async () => {
    const { operator } = on.backend;
    const targets = [await openPayment(on), await openPayment(on)];
    const sent: { id: string; orgId: string; reason: string }[] = [];
    for (const over of [{ amount_received: 1 }, { currency: "usd" }, { amount_received: 2 }]) {
      for (const { intentId, orgId } of targets) {
        const event = succeeded(intentId, over);
        await deliver(on, event);
        sent.unshift({
          id: event.id,
          orgId,
          reason: "currency" in over ? "CURRENCY_MISMATCH" : "AMOUNT_MISMATCH",
        });
      }
    }
    const pagesOf = async (
      asked: { orgId?: string; reason?: string },
      numItems: number,
    ): Promise<string[][]> => {
      const pages: string[][] = [];
      for (let cursor: string | null = null; ;) {
        const paginationOpts: { numItems: number; cursor: string | null } = { numItems, cursor };
        const found = await operator.query(internal.operator.deliveries.parked, { ...asked, paginationOpts });
        pages.push(found.page.map(({ deliveryId }) => deliveryId));
        if (found.isDone) return pages;
        cursor = found.continueCursor;
      }
    };
    const [{ orgId }] = targets as [OpenPayment, OpenPayment];
    const own = sent.filter((each) => each.orgId === orgId).map(({ id }) => id);
    expect(await pagesOf({ orgId }, 2)).toEqual([own.slice(0, 2), own.slice(2)]);
    expect(await pagesOf({ orgId }, 3)).toEqual([own]);
    const amount = { orgId, reason: "AMOUNT_MISMATCH" };
    const ids = sent
      .filter((each) => each.orgId === orgId && each.reason === amount.reason)
      .map(({ id }) => id);
    expect(await pagesOf(amount, 1)).toEqual(ids.map((id) => [id]));
    const over = (await pagesOf({ reason: "CURRENCY_MISMATCH" }, 1)).flat().slice(0, 2);
    expect(over).toEqual(sent.filter(({ reason }) => reason === "CURRENCY_MISMATCH").map(({ id }) => id));
    expect((await pagesOf({}, 5)).flat().slice(0, 6)).toEqual(sent.map(({ id }) => id));
    expect(await pagesOf({ orgId: "org_NOBODY" }, 5)).toEqual([[]]);
  });

  test("a delivery that waited and then says nothing new is listed without the reason it waited for", async () => {
    const asked = await requestPayment(on);
    const event = eventOf("payment_intent.requires_action", intent(asked.intentId, "requires_action"));
    expect(await deliver(on, event)).toEqual(ACCEPTED);
    await created(on, asked);
    await eventually(async () => (await listed(asked.owner.client, event.id)).length > 0);
    expect(await listed(asked.owner.client, event.id)).toEqual([{ status: "nothing", reason: null }]);
  });

  test("R61 a raw body is kept sealed, opens for the operator, and goes when they say so", async () => {
    const { operator } = on.backend;
    const personal = { receipt_email: "CANARY@example.com" };
    const event = succeeded(providerId("pi"), personal);
    await deliver(on, event);
    const of = { deliveryId: event.id };
    const kept = await operator.query(internal.operator.deliveries.raw, of);
    expect(kept.map(({ text }) => JSON.parse(text) as unknown)).toEqual([event]);
    expect(await operator.mutation(internal.operator.deliveries.removeRaw, of)).toBe(1);
    expect(await operator.query(internal.operator.deliveries.raw, of)).toEqual([]);
    await deliver(on, succeeded(providerId("pi"), personal));
    await operator.mutation(internal.workers.rawDeliveries.next, {});
    const aged = { before: Date.now() + 1 };
    await operator.mutation(internal.workers.rawDeliveries.next, aged);
  });

  test("R61 of a type that is not listed no raw body is kept, and it is recorded once all the same", async () => {
    const { operator } = on.backend;
    const event = eventOf("customer.created", {
      id: "cus_1",
      object: "customer",
      email: "CANARY@example.com",
    });
    for (let count = 0; count < 2; count += 1) expect(await deliver(on, event)).toEqual(ACCEPTED);
    expect(await operator.query(internal.operator.deliveries.raw, { deliveryId: event.id })).toEqual([]);
    await deliver(on, { ...event, data: { object: { id: "cus_2" } } });
    expect(await parkedReasons(on, event.id)).toEqual(["SAME_ID_OTHER_BODY"]);
  });

  test("only owners and auditors list deliveries", async () => {
    const target = await openPayment(on);
    await deliver(on, succeeded(target.intentId));
    const auditor = await join(on.backend, target.orgId, target.owner.client, "auditor");
    const manager = await join(on.backend, target.orgId, target.owner.client, "manager");
    expect((await auditor.client.query(api.projections.deliveries.list, PAGE)).page).toHaveLength(1);
    const refusal = await refusalOf(manager.client.query(api.projections.deliveries.list, PAGE));
    expect(refusal.code).toBe("FORBIDDEN");
  });
}

/** The source that an event about a delivery has. */
async function sourceOf(deliveryId: string, body: string, header: string): Promise<Record<string, unknown>> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(body)));
  return {
    ...{ kind: "webhook", provider: "stripe", deliveryId, signedAt: Number(header.slice(2, 12)) },
    bodySha256: [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join(""),
  };
}

/** What a door with a bug in it would ask the ledger to write. */
export function fenceContract(open: Open): void {
  let on: PaymentBackend;
  let target: OpenPayment;
  let source: Record<string, unknown>;

  const confirmed = (): Record<string, unknown> => ({
    paymentIntentId: target.intentId,
    amountMinor: 5000,
    currency: "EUR",
  });

  async function append(
    over: Record<string, unknown> = {},
    data = confirmed(),
    event = {},
  ): Promise<unknown> {
    const stream = `payment/${target.paymentId}`;
    const events = [
      { stream, expectedStreamVersion: 2, type: "payment.confirmed", typeVersion: 1, data, ...event },
    ];
    const actor = { kind: "provider", id: "stripe" };
    return await on.append({
      orgId: target.orgId,
      actor,
      source,
      correlationId: "cor_test",
      events,
      ...over,
    });
  }

  beforeAll(async () => {
    on = await open();
    target = await openPayment(on);
    // Genuine and recorded, and parked for its amount: the best that a forger could cite.
    const event = succeeded(target.intentId, { amount_received: 4999 });
    const body = JSON.stringify(event);
    const header = await headerFor(body);
    await on.post(body, header);
    source = await sourceOf(event.id, body, header);
  });

  test("INV-04 a confirmation that no delivery says is refused, whatever is wrong with it", async () => {
    const other = await openPayment(on);
    const seq = await headSeq(target.owner.client);
    const refund = { providerRefundId: providerId("re"), amountMinor: 1000, currency: "EUR" };
    const attempts: [what: string, Promise<unknown>][] = [
      ["the amount received is another", append()],
      ["the amount is the received one", append({}, { ...confirmed(), amountMinor: 4999 })],
      ["an invented delivery", append({ source: { ...source, deliveryId: providerId("evt") } })],
      ["another body", append({ source: { ...source, bodySha256: "0".repeat(64) } })],
      ["another time", append({ source: { ...source, signedAt: 1 } })],
      ["an account", append({ source: { ...source, account: "acct_12345678" } })],
      ["another provider", append({ source: { ...source, provider: "other" } })],
      ["another organisation", append({ orgId: other.orgId })],
      ["another payment", append({}, confirmed(), { stream: `payment/${other.paymentId}` })],
      ["another fact", append({}, refund, { type: "payment.refunded" })],
      ["another actor", append({ actor: { kind: "system", id: "worker" } })],
      ["a job", append({ source: { kind: "job", name: "door" }, actor: { kind: "system", id: "door" } })],
      [
        "a word of the provider's without one",
        append(
          { source: { kind: "job", name: "door" }, actor: { kind: "system", id: "door" } },
          { reason: "provider" },
          { type: "payment.cancelled" },
        ),
      ],
      ["no source at all", append({ source: null })],
    ];
    for (const [what, attempt] of attempts) {
      const outcome = await attempt.then(
        () => "written",
        (error: unknown) => String(error),
      );
      // What has no source that makes sense is no event at all.
      const refusal = what === "no source at all" || what === "a job" ? /INV-0[23]/ : /INV-04/;
      expect([what, outcome]).toEqual([what, expect.stringMatching(refusal)]);
    }
    expect(await headSeq(target.owner.client)).toBe(seq);
  });

  test("INV-04 a delivery that was used proves nothing a second time", async () => {
    target = await openPayment(on);
    const event = succeeded(target.intentId);
    await deliver(on, event);
    const entries = await readLedger(target.owner.client);
    const last = JSON.parse(entries.at(-1)?.text ?? "{}") as {
      type: string;
      source: Record<string, unknown>;
    };
    expect(last.type).toBe("payment.confirmed");
    source = last.source;
    await expect(append({}, confirmed(), { expectedStreamVersion: 3 })).rejects.toThrow("INV-04");
    expect(await readLedger(target.owner.client)).toEqual(entries);
  });

  test("INV-04 of an event that came in two releases only the body that was read can be cited", async () => {
    target = await openPayment(on);
    const event = succeeded(target.intentId);
    const bodies = [{ ...event, api_version: "2026-09-30.dahlia" }, event].map((each) =>
      JSON.stringify(each),
    );
    const cited: Record<string, unknown>[] = [];
    for (const body of bodies) {
      const header = await headerFor(body);
      await on.post(body, header);
      cited.push(await sourceOf(event.id, body, header));
    }
    const entries = await readLedger(target.owner.client);
    expect(JSON.parse(entries.at(-1)?.text ?? "{}")).toMatchObject({ source: cited[1] });
    for (const each of cited) {
      await expect(append({ source: each }, confirmed(), { expectedStreamVersion: 3 })).rejects.toThrow(
        "INV-04",
      );
    }
    expect(await readLedger(target.owner.client)).toEqual(entries);
  });

  test("INV-04 an object of the provider's is one payment's", async () => {
    const [one, two] = [await openPayment(on), await openPayment(on)];
    await expect(
      on.append({
        orgId: two.orgId,
        ...{
          actor: { kind: "system", id: "door" },
          source: { kind: "job", name: "door" },
          correlationId: "cor_test",
        },
        events: [
          {
            ...{
              stream: `payment/${two.paymentId}`,
              expectedStreamVersion: 2,
              type: "payment.created",
              typeVersion: 1,
            },
            data: { paymentIntentId: one.intentId, livemode: false },
          },
        ],
      }),
    ).rejects.toThrow("INV-04");
  });

  test("INV-04 a command can't say that a payment is paid", async () => {
    const asked = await openPayment(on);
    const refund = await asked.owner.client.mutation(api.commands.payments.requestRefund, {
      paymentId: asked.paymentId,
      amountMinor: 1,
      reason: "other",
      idempotencyKey: key(),
    });
    expect(refund.status).toBe("rejected");
  });
}

export function deliveriesContract(open: Open): void {
  describe("authenticity", () => {
    authenticityContract(open);
  });
  describe("meaning", () => {
    meaningContract(open);
  });
  describe("the fence", () => {
    fenceContract(open);
  });
}
