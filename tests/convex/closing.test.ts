/** What stays of a closed organisation, looked for in every table of the app and of its components. */
import { ulid } from "ulid";
import { expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import eventsSchema from "../../convex/events/schema.ts";
import schema from "../../convex/schema.ts";
import { CASCADE } from "../../convex/workers/cascade.ts";
import { linkAccount } from "../support/linkedAccounts.ts";
import { STRIPE_ENVIRONMENT } from "../support/stripeEnvironment.ts";
import {
  codeOf,
  committed,
  defineService,
  eventually,
  FIRST_PAGE,
  foundOrganization,
  freshly,
  join,
  key,
  newSubject,
  requestBooking,
  type Actor,
} from "../support/scene.ts";
import { inComponent, openTestBackend, type TestBackend } from "../support/testBackend.ts";

const { commands, projections } = api;

/** Somebody receives alerts, so that there are effects; nothing reaches them. Stripe refuses whatever it is asked. */
const RECEIVER = {
  DAYBOOK_ALERT_WEBHOOK_URL: "https://alerts.example/daybook",
  DAYBOOK_ALERT_WEBHOOK_SECRET: `whsec_${btoa("0".repeat(24))}`,
};
vi.stubGlobal("fetch", (url: URL | string) =>
  new URL(url).origin === STRIPE_ENVIRONMENT["DAYBOOK_STRIPE_API_URL"]
    ? Promise.resolve(Response.json({ error: { type: "invalid_request_error" } }, { status: 400 }))
    : Promise.reject(new TypeError("unreachable")),
);

/** Every row that holds the text, by table; the components' tables with their name before them. */
async function tablesWith(backend: TestBackend, text: string): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const [component, tables] of [
    ["", Object.keys(schema.tables)],
    ["events", Object.keys(eventsSchema.tables)],
    ["rateLimiter", ["rateLimits", "pendingUpdates"]],
  ] as const) {
    for (const table of tables) {
      const rows = await inComponent(backend, component, async (db) => await db.query(table).collect());
      const holding = rows.filter((row) => JSON.stringify(row).includes(text)).length;
      if (holding > 0) found.set(component === "" ? table : `${component}/${table}`, holding);
    }
  }
  return found;
}

/** A linked account, a payment that was asked for through it, with what its payer pays with, and a code that waits. */
async function takePayments(
  backend: TestBackend,
  organization: { orgId: string; owner: Actor },
): Promise<void> {
  await linkAccount(backend, organization, `acct_${ulid()}`);
  const {
    orgId,
    owner: { client: owner },
  } = organization;
  const { page } = await owner.query(projections.bookings.list, { paginationOpts: FIRST_PAGE });
  const bookingId = page[0]?.bookingId ?? "";
  const asked = await owner.mutation(commands.payments.request, { bookingId, idempotencyKey: key() });
  const { paymentId } = committed(asked).result;
  // Its creation has ended: what comes of it is in the ledger before anybody counts.
  await eventually(async () => {
    const effects = await backend.t.run(async (ctx) => await ctx.db.query("outbox").collect());
    return effects.find(({ subject }) => subject === paymentId)?.status === "failed";
  });
  await backend.t.run(async (ctx) => {
    const sealed = { keyId: "s1", nonce: new ArrayBuffer(24), ciphertext: new ArrayBuffer(16) };
    await ctx.db.insert("paymentSecrets", { orgId, paymentId, kind: "url", sealed });
    const linkId = `lnk_${"0".repeat(26)}`;
    await ctx.db.insert("stripeLinks", { orgId, linkId, sealedCode: sealed, expiresAt: 0 });
  });
}

/** An organisation that has rows in every table that an organisation can have rows in. */
async function fullOrganization(backend: TestBackend): Promise<{ orgId: string; owner: Actor }> {
  const { orgId, owner } = await foundOrganization(backend);
  const staff = await join(backend, orgId, owner.client, "staff");
  committed(await owner.client.mutation(commands.members.invite, { role: "staff", idempotencyKey: key() }));
  const serviceId = await defineService(owner.client);
  for (let hours = 1; hours <= 130; hours += 1) await requestBooking(owner.client, serviceId, hours);
  await takePayments(backend, { orgId, owner });
  const refused = await staff.client.mutation(commands.organizations.rename, {
    name: "Taken",
    idempotencyKey: key(),
  });
  expect(codeOf(refused)).toBe("FORBIDDEN");
  const linked = await backend.operator.mutation(internal.operator.organizations.linkProvider, {
    orgId,
    issuer: backend.issuer,
    providerOrgId: `org_${newSubject("provider")}`,
  });
  committed(linked);
  await backend.t.run(async (ctx) => {
    const delivered = {
      orgId,
      provider: "stripe",
      deliveryId: "evt_12345678",
      bodySha256: "0".repeat(64),
    } as const;
    const listed = {
      type: "payment_intent.succeeded",
      signedAt: 1,
      status: "applied",
      reason: null,
    } as const;
    await ctx.db.insert("deliveries", { ...delivered, ...listed, receivedAt: 1 });
    const sealed = { keyId: "s1", nonce: new ArrayBuffer(24), ciphertext: new ArrayBuffer(16) };
    await ctx.db.insert("rawDeliveries", { ...delivered, ...sealed, receivedAt: 1 });
  });
  await backend.operator.mutation(internal.workers.integrity.step, { orgId, inRound: false });
  await eventually(async () => (await statusOf(backend, orgId)).verifiedHead !== null);
  await backend.operator.mutation(internal.projections.onlineRebuild.start, { orgId });
  await eventually(async () => {
    const progress = await backend.operator.query(internal.projections.onlineRebuild.progress, { orgId });
    return progress?.phase === "done";
  });
  await backend.t.run(async (ctx) => {
    await ctx.db.insert("shadowRows", { orgId, table: "members", key: "usr_", row: "{}" });
  });
  await backend.operator.mutation(internal.workers.integrity.report, { orgId, seq: 1, kind: "altered" });
  return { orgId, owner };
}

async function statusOf(
  backend: TestBackend,
  orgId: string,
): Promise<{ status: string; removeAfter: number | null; verifiedHead: object | null }> {
  return await backend.operator.query(internal.operator.organizations.status, { orgId });
}

async function removeAll(backend: TestBackend, orgId: string): Promise<void> {
  expect(await backend.operator.mutation(internal.workers.closing.removeNow, { orgId })).toBe(true);
  await eventually(async () => (await statusOf(backend, orgId)).status === "removed");
}

test("R18 of a closed organisation only its ledger and a tombstone stay, of another one everything", async () => {
  const backend = openTestBackend(RECEIVER);
  const { orgId, owner } = await fullOrganization(backend);
  const other = await fullOrganization(backend);
  const ofOther = await tablesWith(backend, other.orgId);

  // A table that the cascade forgets, or a row that this organisation does not have, shows here.
  const named = new Set(CASCADE.flatMap(([what]) => what.split(" and ")));
  const before = await tablesWith(backend, orgId);
  const kept = ["events/events", "events/heads", "events/treeHashes"];
  expect([...before.keys()].filter((table) => !kept.includes(table)).sort()).toEqual([...named].sort());

  await backend.operator.mutation(internal.operator.organizations.unfreeze, { orgId });
  committed(
    await (
      await freshly(backend, owner, orgId)
    ).mutation(commands.organizations.close, { reason: "merged", idempotencyKey: key() }),
  );
  const ledger = await inComponent(backend, "events", async (db) => await db.query("events").collect());
  await removeAll(backend, orgId);

  expect([...(await tablesWith(backend, orgId)).keys()].sort()).toEqual([
    "closedOrganizations",
    "events/events",
    "events/heads",
    "events/treeHashes",
  ]);
  const after = await inComponent(backend, "events", async (db) => await db.query("events").collect());
  expect(after.slice(0, ledger.length)).toEqual(ledger);
  const since = after.slice(ledger.length).map(({ orgId: of, type }) => [of, type]);
  expect(since).toEqual([[orgId, "stripeAccount.unlinked"]]);
  expect(await tablesWith(backend, other.orgId)).toEqual(ofOther);
  await backend.operator.mutation(internal.workers.integrity.report, { orgId, seq: 1, kind: "altered" });
  expect((await tablesWith(backend, orgId)).has("integrityFreezes")).toBe(false);
});

test("the removal waits for thirty days, and nothing is rebuilt after it", async () => {
  const backend = openTestBackend(RECEIVER);
  const { orgId, owner } = await foundOrganization(backend);
  const closing = await freshly(backend, owner, orgId);
  committed(await closing.mutation(commands.organizations.close, { reason: "other", idempotencyKey: key() }));
  const before = await tablesWith(backend, orgId);
  await backend.operator.mutation(internal.workers.closing.next, {});
  expect(await tablesWith(backend, orgId)).toEqual(before);
  const { status, removeAfter } = await statusOf(backend, orgId);
  expect(status).toBe("closed");
  const tombstone = await backend.t.run(async (ctx) => await ctx.db.query("closedOrganizations").first());
  expect(removeAfter).toBe((tombstone?.closedAt ?? 0) + 30 * 86_400_000);
  await removeAll(backend, orgId);
  const again = backend.operator.mutation(internal.projections.rebuild.run, { orgId });
  await expect(again).rejects.toThrow("a closed organisation is not rebuilt");
});

test("R71 which operator brought a removal forward stays with the tombstone, and is in the platform's log", async () => {
  const backend = openTestBackend(RECEIVER);
  const { orgId, owner } = await foundOrganization(backend);
  const { removeNow } = internal.workers.closing;
  expect(await backend.operator.mutation(removeNow, { orgId, operator: "on-call" })).toBe(false);
  const closing = await freshly(backend, owner, orgId);
  committed(await closing.mutation(commands.organizations.close, { reason: "other", idempotencyKey: key() }));
  const misnamed = backend.operator.mutation(removeNow, { orgId, operator: "Jane Doe" });
  await expect(misnamed).rejects.toThrow();
  const logged = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  expect(await backend.operator.mutation(removeNow, { orgId, operator: "on-call" })).toBe(true);
  expect(JSON.parse(String(logged.mock.calls[0]?.[0]))).toEqual({
    security: {
      ...{ outcome: "changed", function: "workers/closing:removeNow", code: "REMOVAL_BROUGHT_FORWARD" },
      ...{ userId: "operator/on-call", orgId },
    },
  });
  logged.mockRestore();
  await eventually(async () => (await statusOf(backend, orgId)).status === "removed");
  const tombstone = await backend.t.run(async (ctx) => await ctx.db.query("closedOrganizations").first());
  expect(tombstone).toMatchObject({
    broughtForward: { operator: "on-call", at: expect.any(Number) as number },
  });
  expect(await backend.operator.mutation(removeNow, { orgId, operator: "later" })).toBe(false);
});

test("an organisation whose closing is damaged is put off, and holds up no other", async () => {
  const backend = openTestBackend(RECEIVER);
  const closed: string[] = [];
  for (let count = 0; count < 2; count += 1) {
    const { orgId, owner } = await foundOrganization(backend);
    const closing = await freshly(backend, owner, orgId);
    committed(
      await closing.mutation(commands.organizations.close, { reason: "other", idempotencyKey: key() }),
    );
    closed.push(orgId);
  }
  const [damaged = "", sound = ""] = closed;
  await inComponent(backend, "events", async (db) => {
    const events = (await db.query("events").collect()) as { _id: string; orgId: string; type: string }[];
    const last = events.find((row) => row.orgId === damaged && row.type === "organization.closed");
    if (last !== undefined) await db.patch(last._id, { type: "organization.renamed" });
  });
  expect(await backend.operator.mutation(internal.workers.closing.removeNow, { orgId: damaged })).toBe(true);
  await removeAll(backend, sound);
  const { status, removeAfter } = await statusOf(backend, damaged);
  expect(status).toBe("closed");
  expect(removeAfter).toBeGreaterThan(Date.now());
});

test("INV-05 receipts of an organisation that is open are out of the removal's reach", async () => {
  const backend = openTestBackend(RECEIVER);
  const { orgId } = await foundOrganization(backend);
  const held = inComponent(backend, "", async () => {
    const { components } = await import("../../convex/_generated/api.js");
    const t = backend.t as unknown as { mutation(ref: unknown, args: unknown): Promise<unknown> };
    return await t.mutation(components.events.receipts.removeOfClosed, { orgId });
  });
  await expect(held).rejects.toThrow("not closed");
});
