/** R07 R18: rows without an organisation and references that lead nowhere are found, whichever table they are in. */
import type { FunctionArgs } from "convex/server";
import { beforeEach, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import type { MutationCtx } from "../../convex/_generated/server.js";
import schema from "../../convex/schema.ts";
import {
  committed,
  defineService,
  eventually,
  FIRST_PAGE,
  foundOrganization,
  freshly,
  join,
  key,
  requestBooking,
  type Actor,
} from "../support/scene.ts";
import { inComponent, openTestBackend, type TestBackend } from "../support/testBackend.ts";

const NOWHERE = "org_01ARZ3NDEKTSV4RRFFQ69G5FAV";
const ALERT = { orgId: NOWHERE, alertId: "alr_1", at: 1, kind: "k", dedupeKey: "d", deliveredAt: null };
const EFFECT = {
  orgId: NOWHERE,
  outboxId: "out_1",
  kind: "alert.deliver",
  subject: "alr_1",
  idempotencyKey: "msg_alr_1",
  neverRests: false,
  status: "done",
  attempts: 1,
  notBefore: 1,
  createdAt: 1,
  updatedAt: 1,
  lastError: null,
} as const;
const REFUSAL = {
  orgId: NOWHERE,
  at: 1,
  outcome: "refused",
  function: "f",
  code: "c",
  userId: "u",
  count: 1,
} as const;

const logged = vi.spyOn(console, "error");
beforeEach(() => {
  logged.mockReset().mockImplementation(() => undefined);
});

type Scene = { backend: TestBackend; orgId: string; owner: Actor; staff: Actor; bookingId: string };

async function scene(): Promise<Scene> {
  const backend = openTestBackend();
  const { orgId, owner } = await foundOrganization(backend);
  const staff = await join(backend, orgId, owner.client, "staff");
  const removed = await join(backend, orgId, owner.client, "guest");
  const leaving = { userId: removed.userId, idempotencyKey: key() };
  committed(await owner.client.mutation(api.commands.members.remove, leaving));
  const serviceId = await defineService(owner.client);
  const bookingId = await requestBooking(owner.client, serviceId, 2, staff.userId);
  await requestBooking(owner.client, serviceId, 4);
  committed(await owner.client.mutation(api.commands.payments.request, { bookingId, idempotencyKey: key() }));
  committed(
    await backend.operator.mutation(internal.operator.organizations.linkProvider, {
      orgId,
      issuer: backend.issuer,
      providerOrgId: "org_2aBcD",
    }),
  );
  await staff.client.mutation(api.commands.organizations.rename, { name: "Taken", idempotencyKey: key() });
  await backend.operator.mutation(internal.workers.integrity.step, { orgId, inRound: false });
  return { backend, orgId, owner, staff, bookingId };
}

type Orphan = { orgId: string; id: string; problem: string };

type Step = FunctionArgs<typeof internal.workers.orphans.step>;

/** One whole round, step by step. */
async function round({ operator }: TestBackend): Promise<{ orphans: Orphan[]; steps: number }> {
  const orphans: Orphan[] = [];
  let steps = 0;
  let at: Step["at"];
  do {
    const args: Step = { inRound: false, ...(at === undefined ? {} : { at }) };
    const result = await operator.mutation(internal.workers.orphans.step, args);
    orphans.push(...result.orphans);
    at = result.next ?? undefined;
    steps += 1;
  } while (at !== undefined);
  return { orphans, steps };
}

async function incidents(backend: TestBackend, orgId: string): Promise<string[]> {
  const log = await backend.operator.query(internal.access.securityLogReader.list, {
    orgId,
    paginationOpts: FIRST_PAGE,
  });
  return log.page.filter(({ code }) => code === "ORPHANED_ROWS").map(({ detail }) => detail ?? "");
}

test("a sound database has none, and every table is looked at", async () => {
  const { backend, orgId } = await scene();
  const { orphans, steps } = await round(backend);
  expect(orphans).toEqual([]);
  expect(steps).toBe(Object.keys(schema.tables).length);
  expect(await incidents(backend, orgId)).toEqual([]);
  expect(logged).not.toHaveBeenCalled();
});

const ACTOR = { kind: "system", id: "system/test" } as const;
const PROVENANCE = { version: 1, createdAt: 1, createdBy: ACTOR };

const HOMELESS: readonly [table: string, plant: (ctx: MutationCtx) => Promise<unknown>][] = [
  [
    "users",
    ({ db }) => db.insert("users", { userId: "usr_1", issuer: "i", subject: "s", selectedOrgId: NOWHERE }),
  ],
  ["userOrganizations", ({ db }) => db.insert("userOrganizations", { userId: "usr_1", orgId: NOWHERE })],
  ["invitationTokens", ({ db }) => db.insert("invitationTokens", { tokenHash: "0", orgId: NOWHERE })],
  [
    "commandKeys",
    ({ db }) => db.insert("commandKeys", { userId: "usr_1", command: "c", key: "k", orgId: NOWHERE }),
  ],
  [
    "providerOrganizations",
    ({ db }) => db.insert("providerOrganizations", { issuer: "i", providerOrgId: "p", orgId: NOWHERE }),
  ],
  [
    "members",
    ({ db }) =>
      db.insert("members", {
        orgId: NOWHERE,
        userId: "usr_1",
        role: "owner",
        status: "active",
        joinedAt: 1,
        ...PROVENANCE,
      }),
  ],
  [
    "services",
    ({ db }) =>
      db.insert("services", {
        orgId: NOWHERE,
        serviceId: "svc_1",
        name: "A",
        durationMinutes: 1,
        priceMinor: 1,
        currency: "EUR",
        status: "active",
        ...PROVENANCE,
      }),
  ],
  [
    "integrityFreezes",
    ({ db }) => db.insert("integrityFreezes", { orgId: NOWHERE, at: 1, seq: 1, kind: "k" }),
  ],
  ["verifiedHeads", ({ db }) => db.insert("verifiedHeads", { orgId: NOWHERE, at: 1, seq: 1, hash: "h" })],
  ["securityLog", ({ db }) => db.insert("securityLog", REFUSAL)],
  ["alerts", ({ db }) => db.insert("alerts", ALERT)],
  ["outbox", ({ db }) => db.insert("outbox", EFFECT)],
  [
    "closedOrganizations",
    ({ db }) =>
      db.insert("closedOrganizations", { orgId: NOWHERE, closedAt: 1, removeAfter: 1, removedAt: null }),
  ],
];

test.each(HOMELESS)("a row of %s without an organisation is found", async (table, plant) => {
  const { backend } = await scene();
  const id = await backend.t.run(async (ctx) => await plant(ctx));
  expect((await round(backend)).orphans).toEqual([{ orgId: NOWHERE, id, problem: "no organisation" }]);
  expect(await incidents(backend, NOWHERE)).toEqual([
    `${table}: no organisation, 1 rows, first ${String(id)}`,
  ]);
  expect(logged).toHaveBeenCalledTimes(1);
  // What was recorded is no orphan itself.
  expect((await round(backend)).orphans).toHaveLength(1);
});

type Break = (ctx: MutationCtx, scene: Scene) => Promise<unknown>;

const DANGLING: readonly [problem: string, table: string, breakIt: Break][] = [
  [
    "no service",
    "bookings",
    async ({ db }, { bookingId }) => {
      const row = (await db.query("bookings").collect()).find((each) => each.bookingId === bookingId);
      if (row !== undefined) await db.patch("bookings", row._id, { serviceId: "svc_1" });
    },
  ],
  [
    "no member",
    "bookings",
    async ({ db }, { bookingId }) => {
      const row = (await db.query("bookings").collect()).find((each) => each.bookingId === bookingId);
      if (row !== undefined) await db.patch("bookings", row._id, { assigneeId: "usr_1" });
    },
  ],
  [
    "no member",
    "userOrganizations",
    ({ db }, { orgId }) => db.insert("userOrganizations", { userId: "usr_1", orgId }),
  ],
  [
    "no link",
    "members",
    async ({ db }, { staff }) => {
      const row = (await db.query("userOrganizations").collect()).find(
        (each) => each.userId === staff.userId,
      );
      if (row !== undefined) await db.delete("userOrganizations", row._id);
    },
  ],
  [
    "no invitation",
    "invitationTokens",
    ({ db }, { orgId }) => db.insert("invitationTokens", { tokenHash: "0", orgId }),
  ],
  [
    "no token",
    "invitations",
    async ({ db }) => {
      const [row] = await db.query("invitationTokens").take(1);
      if (row !== undefined) await db.delete("invitationTokens", row._id);
    },
  ],
  [
    "no receipt",
    "commandKeys",
    ({ db }, { orgId }) => db.insert("commandKeys", { userId: "usr_1", command: "c", key: "k", orgId }),
  ],
  ["no effect", "alerts", ({ db }, { orgId }) => db.insert("alerts", { ...ALERT, orgId, outboxId: "out_1" })],
  ["no alert", "outbox", ({ db }, { orgId }) => db.insert("outbox", { ...EFFECT, orgId })],
  [
    "no payment",
    "outbox",
    ({ db }, { orgId }) =>
      db.insert("outbox", { ...EFFECT, orgId, kind: "stripe.createRefund", subject: "pay_1 rfd_1" }),
  ],
  [
    "no event",
    "auditLog",
    async ({ db }, { orgId }) => {
      const row = (await db.query("auditLog").collect()).find((each) => each.orgId === orgId);
      if (row !== undefined) await db.patch("auditLog", row._id, { seq: 1_000 });
    },
  ],
];

test.each(DANGLING)("a reference that leads nowhere is found: %s (%s)", async (problem, table, breakIt) => {
  const all = await scene();
  const other = await foundOrganization(all.backend);
  await all.backend.t.run(async (ctx) => {
    await breakIt(ctx, all);
  });
  const { orphans } = await round(all.backend);
  expect(orphans).toMatchObject([{ orgId: all.orgId, problem }]);
  expect(await incidents(all.backend, all.orgId)).toEqual([
    `${table}: ${problem}, 1 rows, first ${orphans[0]?.id ?? ""}`,
  ]);
  expect(await incidents(all.backend, other.orgId)).toEqual([]);
});

test("an organisation whose ledger is gone is found", async () => {
  const { backend, orgId } = await scene();
  await inComponent(backend, "events", async (db) => {
    for (const row of await db.query("heads").collect()) await db.delete(String(row["_id"]));
  });
  const problems = (await round(backend)).orphans.map((orphan) => [orphan.orgId, orphan.problem]);
  expect(problems).toContainEqual([orgId, "no ledger"]);
});

test("pages are bounded, and many orphans of a kind are one line of the log a page", async () => {
  const { backend } = await scene();
  await backend.t.run(async ({ db }) => {
    for (let row = 0; row < 120; row += 1) {
      await db.insert("verifiedHeads", { orgId: NOWHERE, at: row, seq: 1, hash: "h" });
    }
  });
  const { orphans, steps } = await round(backend);
  expect(orphans).toHaveLength(120);
  expect(steps).toBe(Object.keys(schema.tables).length + 2);
  const lines = await incidents(backend, NOWHERE);
  const counts = lines.map((line) => Number(/, (\d+) rows/.exec(line)?.[1]));
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(120);
  expect(counts).toHaveLength(3);
  expect(Math.max(...counts)).toBe(50);
});

test("the removal of a closed organisation leaves no orphan, at no step of it", async () => {
  const { backend, orgId, owner } = await scene();
  const closing = await freshly(backend, owner, orgId);
  const args = { reason: "other", idempotencyKey: key() } as const;
  committed(await closing.mutation(api.commands.organizations.close, args));
  expect((await round(backend)).orphans).toEqual([]);
  expect(await backend.operator.mutation(internal.workers.closing.removeNow, { orgId })).toBe(true);
  await eventually(async () => {
    expect((await round(backend)).orphans).toEqual([]);
    const { status } = await backend.operator.query(internal.operator.organizations.status, { orgId });
    return status === "removed";
  });
  expect((await round(backend)).orphans).toEqual([]);
});

test("the integrity check's round begins the search, which goes through every table by itself", async () => {
  const { backend } = await scene();
  await backend.t.run(async ({ db }) => {
    // In the last table of all, and so found by the last step.
    await db.insert("outbox", EFFECT);
  });
  await backend.operator.mutation(internal.workers.integrity.next, {});
  await eventually(async () => (await incidents(backend, NOWHERE)).length > 0);
});
