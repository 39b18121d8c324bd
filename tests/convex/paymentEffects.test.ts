/** Effects on payments, attempt by attempt: what is sent to Stripe, and what an answer, or none, leads to. */
import { ulid } from "ulid";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import { ATTEMPTS_MAX, LEASE_MS } from "../../convex/access/outbox.ts";
import { readLedger } from "../contract/ledger.ts";
import { BY_JOB, byOwner, linkAccount, write } from "../support/linkedAccounts.ts";
import {
  created,
  deliver,
  requestPayment,
  type OpenPayment,
  type PaymentBackend,
} from "../support/payments.ts";
import { committed, foundOrganization, HOUR_MS, key, type Actor } from "../support/scene.ts";
import { succeeded } from "../support/stripe.ts";
import { STRIPE_ENVIRONMENT } from "../support/stripeEnvironment.ts";
import { openTestBackend, type TestBackend } from "../support/testBackend.ts";

const { outbox, payments, refunds } = internal.effects;

let backend: TestBackend;
let on: PaymentBackend;
/** Stripe, which refuses what it is asked. */
const refuse = (): Promise<Response> =>
  Promise.resolve(Response.json({ error: { type: "invalid_request_error" } }, { status: 400 }));
const send = vi.fn<(url: URL, init: RequestInit) => Promise<Response>>(refuse);

beforeEach(() => {
  // Effects run when the test says so.
  vi.useFakeTimers({ toFake: ["setTimeout", "Date"] });
  send.mockReset().mockImplementation(refuse);
  vi.stubGlobal("fetch", send);
  backend = openTestBackend(STRIPE_ENVIRONMENT);
  on = {
    backend,
    post: async (body, header) => {
      const headers = header === null ? {} : { "stripe-signature": header };
      const response = await backend.t.fetch("/webhooks/stripe", { method: "POST", headers, body });
      return { status: response.status, text: await response.text() };
    },
    append: () => Promise.reject(new Error("nothing is appended here")),
  };
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

type Organization = { orgId: string; owner: Actor };
type Effect = { outboxId: string; kind: string; subject: string; status: string; lastError: string | null };

async function effectsOn({ orgId, paymentId }: OpenPayment): Promise<Effect[]> {
  const found: Effect[] = [];
  for (const status of ["pending", "running", "done", "failed", "unknown"] as const) {
    const rows = await backend.operator.query(outbox.list, { orgId, status });
    found.push(
      ...rows.filter(({ subject }) => subject.startsWith(paymentId)).map((row) => ({ ...row, status })),
    );
  }
  return found;
}

async function effectOn(payment: OpenPayment, kind: string): Promise<Effect & { orgId: string }> {
  const [effect, other] = (await effectsOn(payment)).filter((each) => each.kind === kind);
  if (effect === undefined || other !== undefined) throw new Error(`not one ${kind}`);
  return { ...effect, orgId: payment.orgId };
}

const idsOf = ({ orgId, outboxId }: { orgId: string; outboxId: string }) => ({ orgId, outboxId });

async function typesOf({ owner, paymentId }: OpenPayment): Promise<string[]> {
  const events = (await readLedger(owner.client)).map(
    ({ text }) => JSON.parse(text) as { type: string; stream: string },
  );
  return events.filter(({ stream }) => stream === `payment/${paymentId}`).map(({ type }) => type);
}

async function lastEvent({ owner }: Pick<OpenPayment, "owner">): Promise<unknown> {
  const last = (await readLedger(owner.client)).at(-1);
  return JSON.parse(last?.text ?? "null");
}

async function incidentsOf({ owner }: Pick<OpenPayment, "owner">): Promise<string[]> {
  const { page } = await owner.client.query(api.projections.securityLog.list, {
    paginationOpts: { numItems: 50, cursor: null },
  });
  return page
    .filter(({ outcome }) => outcome === "found")
    .map(({ code, detail }) => `${code} ${detail ?? ""}`);
}

async function requestRefund({ owner, paymentId }: OpenPayment): Promise<string> {
  const args = { paymentId, reason: "requested_by_customer", idempotencyKey: key() } as const;
  return committed(await owner.client.mutation(api.commands.payments.requestRefund, args)).result.refundId;
}

/** A payment that is paid through an account, or through the deployment's own. */
async function paid(organization: Organization, account?: string): Promise<OpenPayment> {
  const payment = await requestPayment(on, organization);
  await created(on, payment);
  await deliver(on, { ...succeeded(payment.intentId), ...(account === undefined ? {} : { account }) });
  expect(await typesOf(payment)).toContain("payment.confirmed");
  return payment;
}

/** Ends an account's link, and lets another organisation have it. */
async function handOver(from: Organization, account: string): Promise<void> {
  const by = byOwner(from, "stripeAccount.unlink");
  const data = { account, reason: "owner_request" } as const;
  await write(
    backend,
    from,
    { stream: `stripeAccount/${from.orgId}`, type: "stripeAccount.unlinked", data },
    by,
  );
  await linkAccount(backend, await foundOrganization(backend, "Studio Red"), account);
}

describe("an account that another organisation holds by now", () => {
  let account: string;
  let organization: Organization;
  beforeEach(async () => {
    account = `acct_${ulid()}`;
    organization = await foundOrganization(backend);
    await linkAccount(backend, organization, account);
  });

  test("gives nothing back: the refund is not submitted, and nothing is sent", async () => {
    const payment = await paid(organization, account);
    await handOver(organization, account);
    const refundId = await requestRefund(payment);
    await backend.t.action(refunds.run, idsOf(await effectOn(payment, "stripe.createRefund")));
    expect(await lastEvent(payment)).toMatchObject({
      type: "payment.refundNotSubmitted",
      data: { refundId, code: "account_not_linked" },
    });
    expect(send).not.toHaveBeenCalled();
  });

  test("gives nothing back at a later attempt either, and what the first one did stays in doubt", async () => {
    const payment = await paid(organization, account);
    await requestRefund(payment);
    const effect = await effectOn(payment, "stripe.createRefund");
    expect(await backend.operator.mutation(refunds.begin, idsOf(effect))).toMatchObject({ step: "create" });
    await handOver(organization, account);
    vi.setSystemTime(Date.now() + LEASE_MS + 1);
    await backend.t.action(refunds.run, idsOf(effect));
    expect((await typesOf(payment)).at(-1)).toBe("payment.refundUnknown");
    // It is not looked for in books that are another organisation's.
    await backend.t.action(refunds.run, idsOf(await effectOn(payment, "stripe.findRefund")));
    expect(await effectOn(payment, "stripe.findRefund")).toMatchObject({ status: "unknown" });
    expect(send).not.toHaveBeenCalled();
  });

  test("takes no payment: it is not created, and nothing is sent", async () => {
    const payment = await requestPayment(on, organization);
    await handOver(organization, account);
    await backend.t.action(payments.run, idsOf(await effectOn(payment, "stripe.createPayment")));
    expect(await lastEvent(payment)).toMatchObject({
      type: "payment.creationFailed",
      data: { code: "account_not_linked" },
    });
    expect(send).not.toHaveBeenCalled();
  });

  test("takes none at a later attempt either, and what the first one did stays in doubt", async () => {
    const payment = await requestPayment(on, organization);
    const effect = await effectOn(payment, "stripe.createPayment");
    await backend.operator.mutation(payments.begin, idsOf(effect));
    await handOver(organization, account);
    vi.setSystemTime(Date.now() + LEASE_MS + 1);
    await backend.t.action(payments.run, idsOf(effect));
    expect((await typesOf(payment)).at(-1)).toBe("payment.creationUnknown");
    await backend.t.action(payments.run, idsOf(await effectOn(payment, "stripe.findPayment")));
    expect(await effectOn(payment, "stripe.findPayment")).toMatchObject({ status: "unknown" });
    expect(send).not.toHaveBeenCalled();
  });

  test("is not asked to call a payment off, and owners hear of it", async () => {
    const payment = await requestPayment(on, organization);
    await created(on, payment);
    await handOver(organization, account);
    const { paymentId } = payment;
    committed(
      await payment.owner.client.mutation(api.commands.payments.cancel, { paymentId, idempotencyKey: key() }),
    );
    await backend.t.action(payments.run, idsOf(await effectOn(payment, "stripe.cancelPayment")));
    expect(await effectOn(payment, "stripe.cancelPayment")).toMatchObject({ status: "failed" });
    expect(await incidentsOf(payment)).toEqual([`CANCEL_FAILED ${paymentId}`]);
    expect(send).not.toHaveBeenCalled();
  });
});

describe("a second attempt", () => {
  /** Takes the first attempt, of which nothing is heard any more. */
  async function loseAttempt(
    payment: OpenPayment,
    kind: string,
  ): Promise<{ orgId: string; outboxId: string }> {
    const effect = idsOf(await effectOn(payment, kind));
    const isRefund = kind === "stripe.createRefund";
    await backend.operator.mutation(isRefund ? refunds.begin : payments.begin, effect);
    vi.setSystemTime(Date.now() + LEASE_MS + 1);
    return effect;
  }

  test("to give back that Stripe refuses ends nothing: what the first one did is looked for again", async () => {
    const payment = await paid(await foundOrganization(backend));
    await requestRefund(payment);
    const effect = await loseAttempt(payment, "stripe.createRefund");
    await backend.t.action(refunds.run, effect);
    expect((await typesOf(payment)).at(-1)).toBe("payment.refundRequested");
    expect(await effectOn(payment, "stripe.createRefund")).toMatchObject({ status: "pending" });
    expect(send.mock.calls.map(([, init]) => init.method)).toEqual(["GET"]);
  });

  test("to give back is not made while a refund that Stripe has can't be read: it may be the one", async () => {
    const payment = await paid(await foundOrganization(backend));
    await requestRefund(payment);
    const effect = await loseAttempt(payment, "stripe.createRefund");
    const list = { object: "list", data: [{ object: "refund", amount: "all of it" }], has_more: false };
    send.mockImplementation(() => Promise.resolve(Response.json(list)));
    await backend.t.action(refunds.run, effect);
    expect((await typesOf(payment)).at(-1)).toBe("payment.refundRequested");
    expect(send.mock.calls.map(([, init]) => init.method)).toEqual(["GET"]);
  });

  test("to create that Stripe refuses ends nothing: the payment is looked for", async () => {
    const payment = await requestPayment(on, await foundOrganization(backend));
    const effect = await loseAttempt(payment, "stripe.createPayment");
    await backend.t.action(payments.run, effect);
    expect((await typesOf(payment)).at(-1)).toBe("payment.creationUnknown");
    expect(await effectOn(payment, "stripe.findPayment")).toMatchObject({ status: "pending" });
  });
});

describe("the daily round", () => {
  const DAY_MS = 24 * 60 * 60 * 1000;
  const round = async ({ orgId }: OpenPayment): Promise<void> => {
    await backend.t.action(internal.effects.reconciliation.step, { orgId, at: null });
  };
  const searchesOf = async (payment: OpenPayment): Promise<string[]> =>
    (await effectsOn(payment))
      .filter(({ kind }) => kind.startsWith("stripe.find"))
      .map(({ kind, subject, status }) => `${kind} ${subject} ${status}`);

  /** A refund of which nobody knows, and the search for it that found nothing out. */
  async function doubted(payment: OpenPayment): Promise<string> {
    const { paymentId } = payment;
    const refundId = await requestRefund(payment);
    const submitting = await effectOn(payment, "stripe.createRefund");
    for (const [kind, step] of [
      ["stripe.createRefund", "create"],
      ["stripe.findRefund", "find"],
    ] as const) {
      const effect = idsOf(kind === "stripe.createRefund" ? submitting : await effectOn(payment, kind));
      const attempts = step === "create" ? 1 : 12;
      for (let attempt = 1; attempt <= attempts; attempt += 1) {
        await backend.operator.mutation(refunds.begin, effect);
        const result = { kind: "unknown" } as const;
        const of = { ...effect, paymentId, refundId, attempt, step, createdAt: Date.now() };
        await backend.operator.mutation(refunds.finish, { ...of, result });
        vi.setSystemTime(Date.now() + DAY_MS / 4);
      }
    }
    return refundId;
  }

  test("has a refund in doubt looked for again each day, however old its payment is, until it is known", async () => {
    const payment = await paid(await foundOrganization(backend));
    vi.setSystemTime(Date.now() + 30 * DAY_MS);
    const refundId = await doubted(payment);
    const search = `stripe.findRefund ${payment.paymentId} ${refundId}`;
    expect(await searchesOf(payment)).toEqual([`${search} unknown`]);
    await round(payment);
    await round(payment);
    expect(await searchesOf(payment)).toEqual([`${search} pending`, `${search} unknown`]);
    const { orgId, paymentId } = payment;
    const effect = (await effectsOn(payment)).find(
      ({ kind, status }) => kind === "stripe.findRefund" && status === "pending",
    );
    await backend.operator.mutation(refunds.finish, {
      ...{ orgId, paymentId, refundId, outboxId: effect?.outboxId ?? "", attempt: 1, step: "find" },
      ...{ createdAt: Date.now(), result: { kind: "submitted", providerRefundId: "re_3ABCDEFGH" } },
    });
    vi.setSystemTime(Date.now() + DAY_MS);
    await round(payment);
    expect(await searchesOf(payment)).toEqual([`${search} pending`, `${search} done`]);
    expect((await effectsOn(payment)).filter(({ status }) => status === "unknown")).toEqual([]);
  });
});

describe("an answer of Stripe's", () => {
  const answer = (of: OpenPayment, outboxId: string): Promise<unknown> =>
    backend.operator.mutation(payments.finishCreation, {
      ...{ orgId: of.orgId, paymentId: of.paymentId, outboxId, attempt: 1, step: "create" },
      ...{ createdAt: Date.now(), result: { ...told, paymentIntentId: of.intentId } },
    });
  const told = { kind: "created", livemode: false, secret: null } as const;

  test("to no effect, another payment's, or one of another kind, binds nothing to a payment", async () => {
    const organization = await foundOrganization(backend);
    const [payment, other] = [await requestPayment(on, organization), await requestPayment(on, organization)];
    const foreign = await requestPayment(on, await foundOrganization(backend));
    const refunded = await paid(organization);
    await requestRefund(refunded);
    const before = await readLedger(payment.owner.client);
    for (const [target, outboxId] of [
      [payment, "out_none"],
      [payment, (await effectOn(other, "stripe.createPayment")).outboxId],
      [payment, (await effectOn(foreign, "stripe.createPayment")).outboxId],
      [refunded, (await effectOn(refunded, "stripe.createRefund")).outboxId],
    ] as const) {
      await expect(answer(target, outboxId)).rejects.toThrow("INV-09");
    }
    expect(await readLedger(payment.owner.client)).toEqual(before);
    await answer(payment, (await effectOn(payment, "stripe.createPayment")).outboxId);
    expect((await typesOf(payment)).at(-1)).toBe("payment.created");
  });

  test("to another refund's effect submits nothing", async () => {
    const payment = await paid(await foundOrganization(backend));
    const refundId = await requestRefund(payment);
    const { orgId, paymentId } = payment;
    const finish = (outboxId: string): Promise<unknown> =>
      backend.operator.mutation(refunds.finish, {
        ...{ orgId, paymentId, refundId, outboxId, attempt: 1, step: "create", createdAt: Date.now() },
        result: { kind: "submitted", providerRefundId: "re_3ABCDEFGH" },
      });
    await expect(finish((await effectOn(payment, "stripe.createPayment")).outboxId)).rejects.toThrow(
      "INV-09",
    );
    await finish((await effectOn(payment, "stripe.createRefund")).outboxId);
    expect((await typesOf(payment)).at(-1)).toBe("payment.refundSubmitted");
  });

  test.each([
    { first: { paymentIntentId: "pi_3FIRSTFIRST" }, second: { paymentIntentId: "pi_3SECONDSECOND" } },
    { first: { checkoutSessionId: "cs_FIRSTFIRST" }, second: { checkoutSessionId: "cs_SECONDSECOND" } },
  ])("never gives a payment a second object: the ledger refuses $second", async ({ first, second }) => {
    const organization = await foundOrganization(backend);
    const { paymentId } = await requestPayment(on, organization);
    const event = (ids: object): Parameters<typeof write>[2] => ({
      ...{ stream: `payment/${paymentId}`, type: "payment.created" },
      data: { ...ids, livemode: false },
    });
    await write(backend, organization, event(first), BY_JOB);
    await write(backend, organization, event(first), BY_JOB);
    await expect(write(backend, organization, event(second), BY_JOB)).rejects.toThrow("INV-04");
    await expect(write(backend, organization, event({ ...first, ...second }), BY_JOB)).rejects.toThrow(
      "INV-04",
    );
  });
});

describe("calling a payment off", () => {
  async function cancelled(): Promise<{ payment: OpenPayment; effect: { orgId: string; outboxId: string } }> {
    const payment = await requestPayment(on, await foundOrganization(backend));
    await created(on, payment);
    const { paymentId } = payment;
    committed(
      await payment.owner.client.mutation(api.commands.payments.cancel, { paymentId, idempotencyKey: key() }),
    );
    return { payment, effect: idsOf(await effectOn(payment, "stripe.cancelPayment")) };
  }

  test("has a key for each attempt, so that Stripe carries it out instead of repeating what it said", async () => {
    const { payment, effect } = await cancelled();
    send.mockImplementation(() => Promise.resolve(Response.json({ error: {} }, { status: 429 })));
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      await backend.t.action(payments.run, effect);
      vi.setSystemTime(Date.now() + HOUR_MS);
    }
    expect(await effectOn(payment, "stripe.cancelPayment")).toMatchObject({ status: "pending" });
    const keys = send.mock.calls.map(([, { headers }]) => new Headers(headers).get("idempotency-key"));
    expect(new Set(keys).size).toBe(3);
    expect(await incidentsOf(payment)).toEqual([]);
  });

  test("that Stripe refuses while the payment is open is told", async () => {
    const { payment, effect } = await cancelled();
    await backend.t.action(payments.run, effect);
    expect(await effectOn(payment, "stripe.cancelPayment")).toMatchObject({ status: "failed" });
    expect(await incidentsOf(payment)).toEqual([`CANCEL_FAILED ${payment.paymentId}`]);
  });

  test("that came to nothing at the last attempt is told once", async () => {
    const { payment, effect } = await cancelled();
    const { paymentId } = payment;
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
      expect(await incidentsOf(payment)).toEqual([]);
      await backend.operator.mutation(payments.begin, effect);
      const of = { ...effect, paymentId, attempt, result: { kind: "unknown" } } as const;
      await backend.operator.mutation(payments.finishCancel, of);
      vi.setSystemTime(Date.now() + 6 * HOUR_MS);
    }
    expect(await incidentsOf(payment)).toEqual([`CANCEL_FAILED ${paymentId}`]);
  });
});

describe("the daily comparison of a page of Stripe's", () => {
  const SESSION = "cs_test_0000000000000000";
  test.each([
    ["that was paid without a delivery", { payment_status: "paid", status: "complete" }, ["PAID_AT_STRIPE"]],
    ["that expired", { payment_status: "unpaid", status: "expired" }, ["CANCELLED_AT_STRIPE"]],
    ["over another amount", { amount_total: 1 }, ["DIFFERENT_AMOUNT"]],
    ["of the other mode", { livemode: true }, ["DIFFERENT_AMOUNT"]],
    ["that Stripe does not know", null, ["MISSING_AT_STRIPE"]],
    ["that waits for its payer", {}, []],
  ])("%s", async (_what, differs, drift) => {
    const asked = await requestPayment(on);
    await created(on, { orgId: asked.orgId, paymentId: asked.paymentId, sessionId: SESSION });
    const session = {
      ...{ object: "checkout.session", id: SESSION, amount_total: 5_000, currency: "eur", livemode: false },
      ...{
        status: "open",
        payment_status: "unpaid",
        payment_intent: null,
        created: 1_900_000_000,
        metadata: {},
      },
    };
    const missing = { error: { type: "invalid_request_error", code: "resource_missing" } };
    send.mockImplementation(({ pathname }) => {
      if (!pathname.endsWith(SESSION)) return refuse();
      const answer = differs === null ? missing : { ...session, ...differs };
      return Promise.resolve(Response.json(answer, { status: differs === null ? 404 : 200 }));
    });
    const at = { status: "awaiting_payment", after: "" } as const;
    await backend.t.action(internal.effects.reconciliation.step, { orgId: asked.orgId, at });
    expect(send).toHaveBeenCalledTimes(1);
    expect(await incidentsOf(asked)).toEqual(
      drift.map((each) => `RECONCILIATION_DRIFT ${asked.paymentId} ${each}`),
    );
  });
});

describe("what an account has in our name", () => {
  const names = (job: { name: string }): string => job.name;
  const planned = async (): Promise<string[]> =>
    (await backend.t.run((ctx) => ctx.db.system.query("_scheduled_functions").collect())).map(names);

  /** An unpaid intent that names a payment of the organisation, as its account's owner may make it. */
  const intent = (orgId: string, at: number, paymentId = `pay_${ulid()}`): object => ({
    ...{
      object: "payment_intent",
      id: `pi_${"0".repeat(21)}${at}`,
      amount: 1,
      amount_received: 0,
      currency: "eur",
    },
    ...{ livemode: false, status: "requires_payment_method", created: 1_900_000_000 },
    metadata: { daybook_organisation: orgId, daybook_payment: paymentId },
  });

  test("keeps nobody else's comparison waiting, and raises one alert a day", async () => {
    const { orgId, owner } = await foundOrganization(backend);
    const own = Array.from({ length: 150 }, (_, at) => intent(orgId, 100 + at));
    const data = [intent(orgId, 99, "<any text>"), ...own];
    let plannedAtFirst: string[] | undefined;
    send.mockImplementation(async ({ pathname, searchParams }) => {
      plannedAtFirst ??= await planned();
      if (pathname === "/v1/payment_intents") {
        const isFirst = !searchParams.has("starting_after");
        const page = isFirst ? data.slice(0, 100) : data.slice(100);
        return Response.json({ object: "list", data: page, has_more: isFirst });
      }
      const id = pathname.split("/")[3] ?? "";
      return Response.json({ ...own[Number(id.slice(-3)) - 100], status: "canceled" });
    });
    const last = { status: "paid", after: "pay_7ZZZZZZZZZZZZZZZZZZZZZZZZZ" } as const;
    await backend.t.action(internal.effects.reconciliation.step, { orgId, at: last });
    expect(plannedAtFirst).toContain("workers/reconciliation:next");
    const cancelled = send.mock.calls
      .map(([{ pathname }]) => pathname)
      .filter((path) => path.endsWith("/cancel"));
    expect(cancelled).toHaveLength(100);
    expect(cancelled).not.toContain(`/v1/payment_intents/pi_${"0".repeat(21)}99/cancel`);
    const page = { paginationOpts: { numItems: 100, cursor: null } };
    const alerts = await owner.client.query(api.projections.alerts.list, page);
    expect(alerts.page.map(({ kind }) => kind)).toEqual(["RECONCILIATION_DRIFT"]);
    const log = await owner.client.query(api.projections.securityLog.list, page);
    expect(log.page.filter(({ code }) => code === "RECONCILIATION_DRIFT")).toHaveLength(100);
  });
});
