/** Payments through the backend: what clients may say, what the server computes, what each role sees. */
import { beforeEach, describe, expect, test } from "vitest";
import { api } from "../../convex/_generated/api.js";
import type { MutationCtx } from "../../convex/_generated/server.js";
import { environment } from "../../convex/access/environment.ts";
import { seal, unseal } from "../../convex/vault/seal.ts";
import type { Client } from "../support/backend.ts";
import {
  committed,
  FIRST_PAGE,
  foundOrganization,
  freshly,
  HOUR_MS,
  join,
  key,
  refusalOf,
} from "../support/scene.ts";
import { openTestBackend, type TestBackend } from "../support/testBackend.ts";

const { commands, projections } = api;

let backend: TestBackend;
beforeEach(() => {
  backend = openTestBackend();
});

type Priced = { priceMinor?: number; depositMinor?: number };

async function book(client: Client, priced: Priced = {}, assigneeId?: string): Promise<string> {
  const service = { name: "Massage", durationMinutes: 30, priceMinor: 5000, ...priced };
  const defined = committed(
    await client.mutation(commands.services.define, { ...service, idempotencyKey: key() }),
  );
  const requested = await client.mutation(commands.bookings.request, {
    serviceId: defined.result.serviceId,
    startsAt: Date.now() + HOUR_MS,
    ...(assigneeId === undefined ? {} : { assigneeId }),
    idempotencyKey: key(),
  });
  return committed(requested).result.bookingId;
}

async function ask(client: Client, bookingId: string, more: object = {}): Promise<{ status: string }> {
  return await client.mutation(commands.payments.request, { bookingId, ...more, idempotencyKey: key() });
}

async function asked(client: Client, bookingId: string): Promise<string> {
  const response = await client.mutation(commands.payments.request, { bookingId, idempotencyKey: key() });
  return committed(response).result.paymentId;
}

async function inApp<T>(run: (ctx: MutationCtx) => Promise<T>): Promise<T> {
  return await backend.t.run(async (ctx) => await run(ctx as unknown as MutationCtx));
}

describe("request", () => {
  test("H01 the amount is the booking's, and every way to send one is INVALID", async () => {
    const { owner } = await foundOrganization(backend);
    const bookingId = await book(owner.client);
    for (const [field, value] of Object.entries({
      amountMinor: 1,
      amount: 1,
      currency: "USD",
      discount: 1,
    })) {
      expect(await ask(owner.client, bookingId, { [field]: value })).toMatchObject({
        code: "INVALID",
        field,
      });
    }
    const paymentId = await asked(owner.client, bookingId);
    expect(await owner.client.query(projections.payments.get, { paymentId })).toMatchObject({
      paymentId,
      bookingId,
      purpose: "full",
      method: "payment_intent",
      status: "requested",
      amountMinor: 5000,
      currency: "EUR",
      paidMinor: 0,
      refundedMinor: 0,
      refundPendingMinor: 0,
      disputedMinor: 0,
      disputeStatus: null,
      refunds: [],
      version: 1,
    });
  });

  test("a deposit is less than the price, and is asked for first", async () => {
    const { owner } = await foundOrganization(backend);
    const service = { name: "Massage", durationMinutes: 30, priceMinor: 5000 };
    for (const depositMinor of [0, 5000, 5001]) {
      const args = { ...service, depositMinor, idempotencyKey: key() };
      expect(await owner.client.mutation(commands.services.define, args)).toMatchObject({
        code: "INVALID",
        field: "depositMinor",
      });
    }
    const bookingId = await book(owner.client, { depositMinor: 4999 });
    const paymentId = await asked(owner.client, bookingId);
    const row = await owner.client.query(projections.payments.get, { paymentId });
    expect(row).toMatchObject({ purpose: "deposit", amountMinor: 4999 });
    const booking = await owner.client.query(projections.bookings.get, { bookingId });
    expect(booking).toMatchObject({ priceMinor: 5000, depositMinor: 4999 });
    const { page } = await owner.client.query(projections.services.list, { paginationOpts: FIRST_PAGE });
    expect(page.map((each) => each.depositMinor)).toEqual([4999]);
  });

  test("rows of services and bookings without a deposit name none", async () => {
    const { owner } = await foundOrganization(backend);
    const bookingId = await book(owner.client);
    const { page } = await owner.client.query(projections.services.list, { paginationOpts: FIRST_PAGE });
    const booking = await owner.client.query(projections.bookings.get, { bookingId });
    expect([...page, booking].some((row) => "depositMinor" in row)).toBe(false);
  });

  test("a second one for the same part is a conflict until the first is cancelled", async () => {
    const { owner } = await foundOrganization(backend);
    const bookingId = await book(owner.client);
    const paymentId = await asked(owner.client, bookingId);
    expect(await ask(owner.client, bookingId)).toMatchObject({ code: "CONFLICT", field: "bookingId" });
    committed(await owner.client.mutation(commands.payments.cancel, { paymentId, idempotencyKey: key() }));
    await asked(owner.client, bookingId);
    const { page } = await owner.client.query(projections.payments.list, {
      paginationOpts: FIRST_PAGE,
      bookingId,
    });
    expect(page.map(({ status }) => status)).toEqual(["requested", "cancelled"]);
  });

  test("of two at once one is taken", async () => {
    const { owner } = await foundOrganization(backend);
    const bookingId = await book(owner.client);
    const answers = await Promise.all(Array.from({ length: 5 }, () => ask(owner.client, bookingId)));
    expect(answers.filter(({ status }) => status === "committed")).toHaveLength(1);
  });

  test("of what costs nothing, or was cancelled, is a conflict", async () => {
    const { owner } = await foundOrganization(backend);
    const free = await book(owner.client, { priceMinor: 0 });
    expect(await ask(owner.client, free)).toMatchObject({ code: "CONFLICT", field: "bookingId" });
    const bookingId = await book(owner.client);
    const cancel = { bookingId, reason: "other", idempotencyKey: key() } as const;
    committed(await owner.client.mutation(commands.bookings.cancel, cancel));
    expect(await ask(owner.client, bookingId)).toMatchObject({ code: "CONFLICT", field: "bookingId" });
  });

  test.each([
    "https://evil.example",
    "//evil.example",
    "javascript:alert(1)",
    "/\\evil.example",
    "/a/../b",
    "/a?next=//evil.example",
    "",
  ])("H13 the way back %j is INVALID", async (returnPath) => {
    const { owner } = await foundOrganization(backend);
    const page = { method: "checkout_session", returnPath };
    const answer = await ask(owner.client, await book(owner.client), page);
    expect(answer).toMatchObject({ code: "INVALID", field: "returnPath" });
  });
});

test("staff's list holds the payments of bookings that are assigned to them, without the provider's ids", async () => {
  const { orgId, owner } = await foundOrganization(backend);
  const staff = await join(backend, orgId, owner.client, "staff");
  const mine = await asked(owner.client, await book(owner.client, {}, staff.userId));
  const nobodys = await asked(owner.client, await book(owner.client));
  const seen = async (client: Client): Promise<unknown> =>
    (await client.query(projections.payments.list, { paginationOpts: FIRST_PAGE })).page.map(
      ({ paymentId }) => paymentId,
    );
  expect(await seen(staff.client)).toEqual([mine]);
  expect(await seen(owner.client)).toEqual([nobodys, mine]);
  const row = await staff.client.query(projections.payments.get, { paymentId: mine });
  expect("paymentIntentId" in row || "checkoutSessionId" in row).toBe(false);
  expect(await refusalOf(staff.client.query(projections.payments.get, { paymentId: nobodys }))).toMatchObject(
    {
      code: "NOT_FOUND",
    },
  );
});

test("what the payer pays with is opened for its own place only, while there is something to pay", async () => {
  const { orgId, owner } = await foundOrganization(backend);
  const paymentId = await asked(owner.client, await book(owner.client));
  const secretOf = async (): Promise<unknown> =>
    await owner.client.query(projections.payments.payerSecret, { paymentId });
  const keys = environment().DAYBOOK_SEALING_KEYS;
  const place = { table: "paymentSecrets", orgId, paymentId, kind: "client_secret" } as const;
  const sealed = seal(keys, place, new TextEncoder().encode("pi_3A_secret_B"), new Uint8Array(24));
  await inApp(async (ctx) => {
    await ctx.db.insert("paymentSecrets", { orgId, paymentId, kind: "client_secret", sealed });
  });
  expect(await secretOf()).toBeNull();
  const setStatus = async (status: "awaiting_payment" | "paid"): Promise<void> => {
    await inApp(async (ctx) => {
      const row = await ctx.db.query("payments").first();
      if (row !== null) await ctx.db.patch("payments", row._id, { status });
    });
  };
  await setStatus("awaiting_payment");
  expect(await secretOf()).toEqual({ kind: "client_secret", value: "pi_3A_secret_B" });
  await setStatus("paid");
  expect(await secretOf()).toBeNull();
});

describe("linking an account", () => {
  const CODE = "ac_CANARYCANARY0123456789";

  test("B11 Q09 the state is the owner's and the organisation's own, and works once", async () => {
    const first = await foundOrganization(backend);
    const second = await foundOrganization(backend);
    const owner = await freshly(backend, first.owner, first.orgId);
    const otherOwner = await freshly(backend, second.owner, second.orgId);
    const begin = async (client: Client): Promise<string> =>
      committed(await client.mutation(commands.stripeAccount.beginLink, { idempotencyKey: key() })).result
        .state ?? "";
    const complete = async (client: Client, state: string): Promise<unknown> =>
      await client.mutation(commands.stripeAccount.completeLink, {
        state,
        code: CODE,
        idempotencyKey: key(),
      });
    const state = await begin(owner);
    const others = await begin(otherOwner);
    const peer = await join(backend, first.orgId, owner, "owner");
    expect(await complete(otherOwner, state)).toMatchObject({ code: "NOT_FOUND" });
    expect(await complete(owner, others)).toMatchObject({ code: "NOT_FOUND" });
    expect(await complete(peer.client, state)).toMatchObject({ code: "NOT_FOUND" });
    expect(await complete(owner, state)).toMatchObject({ status: "committed" });
    expect(await complete(owner, state)).toMatchObject({ code: "CONFLICT", field: "state" });
  });

  test("the code is in no table but sealed in its row, and opens there", async () => {
    const { orgId, owner: founder } = await foundOrganization(backend);
    const owner = await freshly(backend, founder, orgId);
    const begun = committed(
      await owner.mutation(commands.stripeAccount.beginLink, { idempotencyKey: key() }),
    );
    const { linkId, state = "", authorizeUrl = "" } = begun.result;
    expect(new URL(authorizeUrl).searchParams.get("state")).toBe(state);
    committed(
      await owner.mutation(commands.stripeAccount.completeLink, { state, code: CODE, idempotencyKey: key() }),
    );
    const row = await inApp(async (ctx) => await ctx.db.query("stripeLinks").first());
    if (row === null) throw new Error("no code was kept");
    const place = { table: "stripeLinks", orgId, linkId };
    const opened = unseal(environment().DAYBOOK_SEALING_KEYS, place, row.sealedCode);
    expect(new TextDecoder().decode(opened)).toBe(CODE);
    const read = await freshly(backend, founder, orgId);
    const { entries } = await read.query(projections.ledger.events, { afterSeq: 0, limit: 50 });
    expect(JSON.stringify(entries)).not.toContain("CANARY");
  });
});
