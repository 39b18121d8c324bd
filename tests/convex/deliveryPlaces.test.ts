/**
 * Whose a delivery is: linked accounts that change hands, organisations that were closed, removed or are held for
 * damage, and what the operator does with what was parked meanwhile.
 */
import { ulid } from "ulid";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api, components, internal } from "../../convex/_generated/api.js";
import schema from "../../convex/schema.ts";
import { readLedger } from "../contract/ledger.ts";
import {
  created,
  deliver,
  listed,
  openPayment,
  requestPayment,
  statusOf,
  type OpenPayment,
  type PaymentBackend,
} from "../support/payments.ts";
import { committed, eventually, foundOrganization, freshly, key, type Actor } from "../support/scene.ts";
import { eventOf, headerFor, intent, nowSeconds, succeeded, type StripeEvent } from "../support/stripe.ts";
import { BY_JOB, byOwner, linkAccount, write } from "../support/linkedAccounts.ts";
import { STRIPE_ENVIRONMENT } from "../support/stripeEnvironment.ts";
import { inComponent, openTestBackend, type TestBackend } from "../support/testBackend.ts";

const ACCEPTED = { status: 200, text: '{"received":true}' };
const PAGE = { paginationOpts: { numItems: 200, cursor: null } };
const { deliveries: operatorDeliveries, organizations: operatorOrganizations } = internal.operator;

let backend: TestBackend;
let on: PaymentBackend;

beforeEach(() => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("unreachable")));
  backend = openTestBackend(STRIPE_ENVIRONMENT);
  const t = backend.t as unknown as { mutation(ref: unknown, args: unknown): Promise<unknown> };
  on = {
    backend,
    post: async (body, header) => {
      const headers = header === null ? {} : { "stripe-signature": header };
      const response = await backend.t.fetch("/webhooks/stripe", { method: "POST", headers, body });
      return { status: response.status, text: await response.text() };
    },
    append: async (args) => await t.mutation(components.events.append.append, args),
  };
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

type Organization = { orgId: string; owner: Actor };

const newAccount = (): string => `acct_${ulid()}`;

async function link(organization: Organization, account: string): Promise<void> {
  await linkAccount(backend, organization, account);
}

async function unlink({ orgId, owner }: Organization): Promise<void> {
  const client = await freshly(backend, owner, orgId);
  committed(await client.mutation(api.commands.stripeAccount.unlink, { idempotencyKey: key() }));
}

async function close({ orgId, owner }: Organization): Promise<void> {
  const client = await freshly(backend, owner, orgId);
  committed(
    await client.mutation(api.commands.organizations.close, { reason: "other", idempotencyKey: key() }),
  );
}

async function remove({ orgId }: Organization): Promise<void> {
  await backend.operator.mutation(internal.workers.closing.removeNow, { orgId });
  await eventually(
    async () => (await backend.operator.query(operatorOrganizations.status, { orgId })).status === "removed",
  );
}

/** An organisation of its own with a linked account, and a payment that was asked for through it. */
async function payThrough(account: string): Promise<OpenPayment> {
  const organization = await foundOrganization(backend);
  await link(organization, account);
  return await openPayment(on, organization);
}

const resolve = async (deliveryId: string): Promise<unknown> =>
  await backend.operator.mutation(operatorDeliveries.resolve, { deliveryId, operator: "on-call" });

const dismiss = async (deliveryId: string, reason = "not_ours"): Promise<unknown> =>
  await backend.operator.mutation(operatorDeliveries.dismiss, { deliveryId, reason, operator: "on-call" });

const holderOf = async (account: string): Promise<string | null> =>
  await backend.t.run(
    async (ctx) => await ctx.runQuery(components.events.deliveries.accountHolder, { account }),
  );

/** Parked deliveries that are scheduled to be taken up, or were. */
async function scheduledRetakes(): Promise<unknown[]> {
  const rows = await backend.t.run(
    async (ctx) => await ctx.db.system.query("_scheduled_functions").collect(),
  );
  return rows.filter(({ name }) => name === "webhooks/stripe:retake");
}

/** The app's tables that have a row with this text. */
async function tablesWith(text: string): Promise<string[]> {
  const found: string[] = [];
  for (const table of Object.keys(schema.tables)) {
    const rows = await inComponent(backend, "", async (db) => await db.query(table).collect());
    if (rows.some((row) => JSON.stringify(row).includes(text))) found.push(table);
  }
  return found;
}

async function typesOf(orgId: string): Promise<string[]> {
  const rows = await inComponent(backend, "events", async (db) => await db.query("events").collect());
  return rows.filter((row) => row["orgId"] === orgId).map((row) => String(row["type"]));
}

function deauthorized(account: string, created = nowSeconds()): StripeEvent {
  const object = { id: `ca_${"6".repeat(24)}`, object: "application" };
  return eventOf("account.application.deauthorized", object, { account, created });
}

describe("F09 the account that signs", () => {
  test("another organisation's account about this payment is parked here, and is never seen there", async () => {
    const [mine, others] = [newAccount(), newAccount()];
    const target = await payThrough(mine);
    const other = await payThrough(others);
    const event = { ...succeeded(target.intentId), account: others };
    expect(await deliver(on, event)).toEqual(ACCEPTED);
    expect(await listed(target.owner.client, event.id)).toEqual([
      { status: "parked", reason: "WRONG_ACCOUNT" },
    ]);
    expect(await resolve(event.id)).toMatchObject({ outcome: "parked", reason: "WRONG_ACCOUNT" });
    expect(await dismiss(event.id)).toMatchObject({ status: "committed", outcome: "dismissed" });
    expect(await listed(target.owner.client, event.id)).toEqual([
      { status: "dismissed", reason: "WRONG_ACCOUNT" },
    ]);
    expect(await listed(other.owner.client, event.id)).toEqual([]);
    expect(await statusOf(target.owner.client, target.paymentId)).toBe("awaiting_payment");
  });

  test("no account where one is expected is parked", async () => {
    const target = await payThrough(newAccount());
    const event = succeeded(target.intentId);
    await deliver(on, event);
    expect(await listed(target.owner.client, event.id)).toEqual([
      { status: "parked", reason: "WRONG_ACCOUNT" },
    ]);
  });

  test("an account that was unlinked is parked; linked again, it takes effect by itself", async () => {
    const account = newAccount();
    const target = await payThrough(account);
    await unlink(target);
    const event = { ...succeeded(target.intentId), account };
    await deliver(on, event);
    expect(await listed(target.owner.client, event.id)).toEqual([
      { status: "parked", reason: "WRONG_ACCOUNT" },
    ]);
    await link(target, account);
    await eventually(async () => (await statusOf(target.owner.client, target.paymentId)) === "paid");
    expect(await listed(target.owner.client, event.id)).toEqual([{ status: "applied", reason: null }]);
  });

  test("an account that changed hands says nothing to its new organisation about the old one's payment", async () => {
    const account = newAccount();
    const target = await payThrough(account);
    await unlink(target);
    const heir = await foundOrganization(backend);
    await link(heir, account);
    const event = { ...succeeded(target.intentId), account };
    await deliver(on, event);
    const changed = { ...event, data: succeeded(target.intentId, { amount: 1 }).data };
    await deliver(on, changed);
    expect(await resolve(event.id)).toMatchObject({ outcome: "parked", reason: "WRONG_ACCOUNT" });
    expect(await dismiss(event.id)).toMatchObject({ status: "committed" });
    expect((await listed(target.owner.client, event.id)).map(({ reason }) => reason).sort()).toEqual([
      "SAME_ID_OTHER_BODY",
      "WRONG_ACCOUNT",
    ]);
    expect(await listed(heir.owner.client, event.id)).toEqual([]);
    const log = await heir.owner.client.query(api.projections.securityLog.list, PAGE);
    expect(JSON.stringify(log.page)).not.toContain(event.id);
  });
});

describe("what came while nobody had the account", () => {
  test("is not taken up for the organisation that links it next, which never hears of it", async () => {
    const account = newAccount();
    const event = { ...succeeded(`pi_${ulid()}`), account };
    await deliver(on, event);
    const heir = await foundOrganization(backend);
    await link(heir, account);
    expect(await scheduledRetakes()).toEqual([]);
    expect(await listed(heir.owner.client, event.id)).toEqual([]);
  });

  test("about a known payment is taken up when its own organisation links it, more than a page of it", async () => {
    const account = newAccount();
    const target = await payThrough(account);
    await unlink(target);
    // They say nothing new, so that none of them takes up the next ones.
    const events = Array.from({ length: 51 }, () => {
      const object = intent(target.intentId, "requires_action");
      return eventOf("payment_intent.requires_action", object, { account });
    });
    for (const event of events) await deliver(on, event);
    await link(target, account);
    const waiting = async (): Promise<number> => {
      const rows = await Promise.all(events.map(({ id }) => listed(target.owner.client, id)));
      return rows.filter(([row]) => row?.status !== "nothing").length;
    };
    await eventually(async () => (await waiting()) === 0);
  });
});

describe("the end of a link that Stripe tells late", () => {
  test("does not end the next link, another organisation's neither", async () => {
    const account = newAccount();
    const first = await foundOrganization(backend);
    await link(first, account);
    await unlink(first);
    const heir = await foundOrganization(backend);
    await link(heir, account);
    const late = deauthorized(account, nowSeconds() - 3_600);
    expect(await deliver(on, late)).toEqual(ACCEPTED);
    expect(await holderOf(account)).toBe(heir.orgId);
    expect(await listed(heir.owner.client, late.id)).toEqual([]);
    expect(await resolve(late.id)).toMatchObject({ outcome: "parked", reason: "WRONG_ACCOUNT" });
    expect(await holderOf(account)).toBe(heir.orgId);
  });

  test("INV-04 a faulty door can't cite it against the next link", async () => {
    const account = newAccount();
    const heir = await foundOrganization(backend);
    await link(heir, account);
    const late = deauthorized(account, nowSeconds() - 3_600);
    const body = JSON.stringify(late);
    const header = await headerFor(body);
    await on.post(body, header);
    const rows = await inComponent(backend, "events", async (db) => await db.query("deliveries").collect());
    const row = rows.find(({ deliveryId }) => deliveryId === late.id);
    const attempt = on.append({
      orgId: heir.orgId,
      actor: { kind: "provider", id: "stripe" },
      source: {
        ...{ kind: "webhook", provider: "stripe", deliveryId: late.id, account },
        ...{ bodySha256: row?.["bodySha256"], signedAt: row?.["signedAt"] },
      },
      correlationId: "cor_test",
      events: [
        {
          ...{ stream: `stripeAccount/${heir.orgId}`, expectedStreamVersion: 3, typeVersion: 1 },
          ...{ type: "stripeAccount.unlinked", data: { account, reason: "deauthorized" } },
        },
      ],
    });
    await expect(attempt).rejects.toThrow("INV-04");
    expect(await holderOf(account)).toBe(heir.orgId);
  });

  test("told in time it unlinks", async () => {
    const account = newAccount();
    const organization = await foundOrganization(backend);
    await link(organization, account);
    await deliver(on, deauthorized(account, nowSeconds() + 1));
    expect(await holderOf(account)).toBeNull();
  });
});

describe("an unlinking that is still to be told to Stripe", () => {
  test("is dropped when the account is linked again, which it would end", async () => {
    const account = newAccount();
    const organization = await foundOrganization(backend);
    await link(organization, account);
    const { orgId } = organization;
    const stream = `stripeAccount/${orgId}`;
    const data = { account, reason: "owner_request" } as const;
    await write(
      backend,
      organization,
      { stream, type: "stripeAccount.unlinked", data },
      byOwner(organization, "stripeAccount.unlink"),
    );
    const outboxId = `out_${ulid()}`;
    await backend.t.run(async (ctx) => {
      const now = Date.now();
      await ctx.db.insert("outbox", {
        ...{ orgId, outboxId, kind: "stripe.deauthorize", subject: account, idempotencyKey: outboxId },
        ...{ neverRests: false, status: "pending", attempts: 3, notBefore: now - 1, createdAt: now },
        ...{ updatedAt: now, lastError: null },
      });
    });
    const heir = await foundOrganization(backend);
    await link(heir, account);
    const begin = internal.effects.stripeAccounts.begin;
    expect(await backend.operator.mutation(begin, { orgId, outboxId })).toBeNull();
    const row = await backend.t.run(
      async (ctx) =>
        (await ctx.db.query("outbox").collect()).find((effect) => effect.outboxId === outboxId) ?? null,
    );
    expect(row).toMatchObject({ status: "done", lastError: null });
  });
});

describe("an organisation that was closed", () => {
  test("is told what was paid, and nothing is done in the world", async () => {
    const target = await openPayment(on);
    await close(target);
    const event = succeeded(target.intentId);
    expect(await deliver(on, event)).toEqual(ACCEPTED);
    expect(await typesOf(target.orgId)).toContain("payment.confirmed");
    expect(await listed(target.owner.client, event.id)).toEqual([{ status: "applied", reason: null }]);
  });

  test("and removed has its account freed, by an event of its own, for another organisation", async () => {
    const account = newAccount();
    const target = await payThrough(account);
    await close(target);
    expect(await holderOf(account)).toBe(target.orgId);
    await remove(target);
    expect(await holderOf(account)).toBeNull();
    expect((await typesOf(target.orgId)).at(-1)).toBe("stripeAccount.unlinked");
    expect(await tablesWith(target.orgId)).toEqual(["closedOrganizations"]);
    const heir = await foundOrganization(backend);
    await link(heir, account);
    expect(await holderOf(account)).toBe(heir.orgId);
    const event = { ...succeeded(target.intentId), account };
    vi.spyOn(console, "warn").mockImplementation(() => undefined);
    await deliver(on, event);
    expect(await typesOf(target.orgId)).not.toContain("payment.confirmed");
    expect(await listed(heir.owner.client, event.id)).toEqual([]);
    expect(await tablesWith(target.orgId)).toEqual(["closedOrganizations"]);
  });

  test("INV-04 a job frees no account of an organisation that is open, nor as its owner", async () => {
    const account = newAccount();
    const organization = await foundOrganization(backend);
    await link(organization, account);
    const { orgId } = organization;
    for (const reason of ["organization_removed", "owner_request", "deauthorized"]) {
      const attempt = on.append({
        ...{ orgId, ...BY_JOB, correlationId: "cor_test" },
        events: [
          {
            ...{ stream: `stripeAccount/${orgId}`, expectedStreamVersion: 3, typeVersion: 1 },
            ...{ type: "stripeAccount.unlinked", data: { account, reason } },
          },
        ],
      });
      await expect(attempt).rejects.toThrow("INV-04");
    }
    expect(await holderOf(account)).toBe(orgId);
  });

  test("and removed has what was paid in its ledger, and no row anywhere else", async () => {
    const target = await openPayment(on);
    await close(target);
    await remove(target);
    const logged = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    expect(await deliver(on, succeeded(target.intentId))).toEqual(ACCEPTED);
    expect((await typesOf(target.orgId)).at(-1)).toBe("payment.confirmed");
    const over = succeeded(target.intentId, { amount: 1, amount_received: 1 });
    await deliver(on, over);
    expect(await resolve(over.id)).toMatchObject({ outcome: "parked", reason: "AMOUNT_MISMATCH" });
    expect(await dismiss(over.id)).toMatchObject({ outcome: "dismissed" });
    expect(await tablesWith(target.orgId)).toEqual(["closedOrganizations"]);
    expect(logged.mock.calls.map(([line]) => String(line)).join("\n")).toContain("DELIVERY_DISMISSED");
  });

  test("R18 R64 and removed takes the raw bodies along that came before it was concerned", async () => {
    const asked = await requestPayment(on);
    const event = succeeded(asked.intentId);
    await deliver(on, event);
    await deliver(on, { ...event, data: succeeded(asked.intentId, { amount: 1 }).data });
    const bodies = async (): Promise<unknown[]> =>
      (await inComponent(backend, "", async (db) => await db.query("rawDeliveries").collect())).map(
        (row) => row["orgId"],
      );
    expect(await bodies()).toEqual([undefined, undefined]);
    await created(on, asked);
    await eventually(async () => (await statusOf(asked.owner.client, asked.paymentId)) === "paid");
    expect(await bodies()).toEqual([asked.orgId, asked.orgId]);
    await close(asked);
    await remove(asked);
    expect(await bodies()).toEqual([]);
  });

  test("R18 and removed while a call to Stripe was out has the answer in its ledger, and no row", async () => {
    const asked = await requestPayment(on);
    await close(asked);
    await remove(asked);
    const sealed = { keyId: "s1", nonce: new ArrayBuffer(24), ciphertext: new ArrayBuffer(16) };
    const { orgId, paymentId, intentId } = asked;
    await backend.operator.mutation(internal.effects.payments.finishCreation, {
      ...{ orgId, paymentId, outboxId: "out_gone", attempt: 1, step: "create", createdAt: Date.now() },
      result: {
        ...{ kind: "created", livemode: false, paymentIntentId: intentId },
        secret: { kind: "client_secret", sealed },
      },
    });
    expect((await typesOf(asked.orgId)).at(-1)).toBe("payment.created");
    expect(await tablesWith(asked.orgId)).toEqual(["closedOrganizations"]);
    await deliver(on, succeeded(asked.intentId));
    expect((await typesOf(asked.orgId)).at(-1)).toBe("payment.confirmed");
    expect(await tablesWith(asked.orgId)).toEqual(["closedOrganizations"]);
  });
});

test("a ledger that is held for damage takes no delivery; after its recovery it takes what waited, once", async () => {
  const target = await openPayment(on);
  const { orgId, owner } = target;
  await backend.operator.mutation(internal.workers.integrity.report, { orgId, seq: 1, kind: "altered" });
  const before = await typesOf(orgId);
  const event = succeeded(target.intentId);
  expect(await deliver(on, event)).toEqual(ACCEPTED);
  expect(await typesOf(orgId)).toEqual(before);
  expect(await resolve(event.id)).toMatchObject({ outcome: "parked", reason: "LEDGER_FROZEN" });
  committed(await backend.operator.mutation(operatorOrganizations.unfreeze, { orgId }));
  await eventually(async () => (await listed(owner.client, event.id))[0]?.status === "applied");
  expect(await resolve(event.id)).toMatchObject({ code: "NOT_FOUND" });
  expect(await statusOf(owner.client, target.paymentId)).toBe("paid");
  const entries = await readLedger(owner.client);
  expect(entries.filter(({ text }) => text.includes('"payment.confirmed"'))).toHaveLength(1);
});

test("a ledger that is held for damage takes no answer of Stripe's to a call that was out; after its recovery it does", async () => {
  const asked = await requestPayment(on);
  const { orgId, owner } = asked;
  await backend.operator.mutation(internal.workers.integrity.report, { orgId, seq: 1, kind: "altered" });
  const before = await typesOf(orgId);
  await expect(created(on, asked)).rejects.toThrow("is held");
  expect(await typesOf(orgId)).toEqual(before);
  committed(await backend.operator.mutation(operatorOrganizations.unfreeze, { orgId }));
  await created(on, asked);
  expect(await statusOf(owner.client, asked.paymentId)).toBe("awaiting_payment");
});
