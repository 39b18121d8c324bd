/** Idempotency, arguments, the ledger and what is derived from it. */
import { expect, test } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import { parseEvent } from "../../ledger/event.ts";
import { genesisHash, hashCanonicalEvent, sha256Noble } from "../../ledger/hash.ts";
import type { Backend, Client } from "../support/backend.ts";
import {
  codeOf,
  committed,
  defineService,
  FIRST_PAGE,
  foundOrganization,
  HOUR_MS,
  join,
  key,
  newSubject,
  refusalOf,
  requestBooking,
} from "../support/scene.ts";

const { commands, projections } = api;

type Entry = { text: string; hash: string };

/** Every entry of the caller's ledger, in pages of `limit`. */
export async function readLedger(client: Client, limit = 200): Promise<Entry[]> {
  const entries: Entry[] = [];
  let afterSeq = 0;
  for (;;) {
    const page = await client.query(projections.ledger.events, { afterSeq, limit });
    entries.push(...page.entries);
    afterSeq = page.nextAfterSeq;
    if (page.isDone) return entries;
  }
}

async function busyOrganization(backend: Backend): Promise<{ orgId: string; owner: Client }> {
  const { orgId, owner } = await foundOrganization(backend);
  const staff = await join(backend, orgId, owner.client, "staff");
  const serviceId = await defineService(owner.client);
  const bookingId = await requestBooking(owner.client, serviceId, 2, staff.userId);
  committed(await owner.client.mutation(commands.bookings.confirm, { bookingId, idempotencyKey: key() }));
  committed(await staff.client.mutation(commands.bookings.start, { bookingId, idempotencyKey: key() }));
  committed(
    await owner.client.mutation(commands.members.changeRole, {
      userId: staff.userId,
      role: "manager",
      idempotencyKey: key(),
    }),
  );
  return { orgId, owner: owner.client };
}

export function ledgerContract(open: () => Promise<Backend>): void {
  test("I01 a repeated key returns the first receipt and appends nothing", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const serviceId = await defineService(owner.client);
    const args = { serviceId, startsAt: Date.now() + HOUR_MS, idempotencyKey: key() };
    const first = committed(await owner.client.mutation(commands.bookings.request, args));
    expect(first.replayed).toBe(false);
    expect(first.receipt).toMatchObject({ orgId, firstSeq: 4, lastSeq: 4 });
    const head = await owner.client.query(projections.ledger.head, {});
    expect(head).toEqual({ orgId, seq: 4, hash: first.receipt.headHash });
    const replay = committed(await owner.client.mutation(commands.bookings.request, args));
    expect(replay).toEqual({ ...first, replayed: true });
    expect(await owner.client.query(projections.ledger.head, {})).toEqual(head);
  });

  test("I03 I05 the same key with another payload is refused, for another user or command it is another key", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const manager = await join(backend, orgId, owner.client, "manager");
    const idempotencyKey = key();
    const define = { name: "Cut", durationMinutes: 30, priceMinor: 2000, idempotencyKey };
    const first = committed(await owner.client.mutation(commands.services.define, define));
    const other = await owner.client.mutation(commands.services.define, { ...define, priceMinor: 1 });
    expect(codeOf(other)).toBe("IDEMPOTENCY_KEY_REUSED");
    const others = committed(await manager.client.mutation(commands.services.define, define));
    expect(others.replayed).toBe(false);
    expect(others.result.serviceId).not.toBe(first.result.serviceId);
    const renamed = committed(
      await owner.client.mutation(commands.organizations.rename, { name: "New", idempotencyKey }),
    );
    expect(renamed.replayed).toBe(false);
  });

  test("creating an organisation twice under one key founds one", async () => {
    const backend = await open();
    const { owner } = await foundOrganization(backend);
    const args = { name: "Second", timeZone: "UTC", currency: "EUR", idempotencyKey: key() };
    const first = committed(await owner.client.mutation(commands.organizations.create, args));
    const replay = committed(await owner.client.mutation(commands.organizations.create, args));
    expect(replay).toEqual({ ...first, replayed: true });
    const reused = await owner.client.mutation(commands.organizations.create, { ...args, name: "Third" });
    expect(codeOf(reused)).toBe("IDEMPOTENCY_KEY_REUSED");
    const mine = await owner.client.query(projections.organizations.mine, { paginationOpts: FIRST_PAGE });
    expect(mine.page).toHaveLength(2);
  });

  test("I01 a new user who founds many times at once under one key founds one organisation", async () => {
    const backend = await open();
    const newcomer = await backend.as({ subject: newSubject("newcomer") });
    const args = { name: "Only", timeZone: "UTC", currency: "EUR", idempotencyKey: key() };
    const responses = await Promise.all(
      Array.from({ length: 20 }, () => newcomer.mutation(commands.organizations.create, args)),
    );
    const results = responses.map(committed);
    expect(new Set(results.map(({ result }) => result.orgId)).size).toBe(1);
    expect(results.filter(({ replayed }) => !replayed)).toHaveLength(1);
    const mine = await newcomer.query(projections.organizations.mine, { paginationOpts: FIRST_PAGE });
    expect(mine.page).toHaveLength(1);
  });

  test("I01 fifty calls at once under one key append one event and get one receipt", async () => {
    const backend = await open();
    const { owner } = await foundOrganization(backend);
    const args = { name: "Cut", durationMinutes: 30, priceMinor: 2000, idempotencyKey: key() };
    const { seq } = await owner.client.query(projections.ledger.head, {});
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => owner.client.mutation(commands.services.define, args)),
    );
    const responses = answers.map(committed);
    expect(new Set(responses.map(({ receipt }) => JSON.stringify(receipt))).size).toBe(1);
    expect(responses.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect((await owner.client.query(projections.ledger.head, {})).seq).toBe(seq + 1);
  });

  test("P21 a hundred commands at once make one chain, each taking effect once or not at all", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const manager = await join(backend, orgId, owner.client, "manager");
    const serviceId = await defineService(owner.client);
    const before = await readLedger(owner.client);
    const define = { name: "Cut", durationMinutes: 30, priceMinor: 2000 };
    const defining = Array.from({ length: 50 }, async (_, index) => {
      const { client } = index % 2 === 0 ? owner : manager;
      return await client.mutation(commands.services.define, { ...define, idempotencyKey: key() });
    });
    // All of them of one version of the same service.
    const retiring = Array.from({ length: 50 }, async () => {
      const args = { serviceId, expectedVersion: 1, idempotencyKey: key() };
      return await owner.client.mutation(commands.services.retire, args);
    });
    for (const answer of await Promise.all(defining)) committed(answer);
    const late = (await Promise.all(retiring)).filter(({ status }) => status === "rejected");
    expect(late.map(codeOf)).toEqual(Array.from({ length: 49 }, () => "VERSION_CONFLICT"));
    const after = await readLedger(owner.client);
    expect(after.slice(0, before.length)).toEqual(before);
    expect(after).toHaveLength(before.length + 51);
    const parsed = after.map(({ text }) => JSON.parse(text) as { seq: number; prevHash: string });
    expect(parsed.map(({ seq }) => seq)).toEqual(after.map((_, index) => index + 1));
    expect(parsed.slice(1).map(({ prevHash }) => prevHash)).toEqual(
      after.slice(0, -1).map(({ hash }) => hash),
    );
  });

  test("C13 organisations count for themselves, and their ids tell nothing of one another", async () => {
    const backend = await open();
    const [a, b] = [await foundOrganization(backend, "A"), await foundOrganization(backend, "B")];
    const ids: string[] = [];
    for (let count = 0; count < 4; count += 1) {
      for (const { owner } of [a, b, b]) ids.push(await defineService(owner.client));
    }
    const heads = [
      await a.owner.client.query(projections.ledger.head, {}),
      await b.owner.client.query(projections.ledger.head, {}),
    ];
    expect(heads.map(({ seq }) => seq)).toEqual([2 + 4, 2 + 8]);
    // 80 random bits behind the time: no two share them, nor does one follow from another.
    const random = ids.map((id) => id.slice(-16));
    expect(new Set(random.map((text) => text.slice(0, 12))).size).toBe(ids.length);
  });

  test("a replay is authorised again", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const manager = await join(backend, orgId, owner.client, "manager");
    const define = { name: "Cut", durationMinutes: 30, priceMinor: 2000, idempotencyKey: key() };
    committed(await manager.client.mutation(commands.services.define, define));
    const role = "staff" as const;
    committed(
      await owner.client.mutation(commands.members.changeRole, {
        userId: manager.userId,
        role,
        idempotencyKey: key(),
      }),
    );
    expect(codeOf(await manager.client.mutation(commands.services.define, define))).toBe("FORBIDDEN");
  });

  test("I09 J09 M01 bad arguments are INVALID, name the field and leave nothing behind", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const serviceId = await defineService(owner.client);
    const before = await backend.operator.query(internal.projections.rebuild.digest, { orgId });
    const create = { name: "A", timeZone: "UTC", currency: "EUR" };
    const define = { name: "A", durationMinutes: 30, priceMinor: 1 };
    const request = { serviceId, startsAt: Date.now() + HOUR_MS };
    const { organizations, services, bookings, members } = commands;
    const cases: [string, Parameters<Client["mutation"]>[0], Record<string, unknown>][] = [
      ["name", organizations.create, { ...create, name: "" }],
      ["name", organizations.create, { ...create, name: "x".repeat(201) }],
      ["name", organizations.create, { ...create, name: "é".repeat(101) }],
      ["name", organizations.create, { ...create, name: "a\nb" }],
      ["name", organizations.create, { ...create, name: 7 }],
      ["timeZone", organizations.create, { ...create, timeZone: "Mars/Olympus" }],
      ["timeZone", organizations.create, { ...create, timeZone: "+01:00" }],
      ["timeZone", organizations.create, { ...create, timeZone: "europe/berlin" }],
      ["currency", organizations.create, { ...create, currency: "EURO" }],
      ["currency", organizations.create, { ...create, currency: "ZZZ" }],
      ["orgId", organizations.create, { ...create, orgId }],
      ["orgId", organizations.rename, { name: "B", orgId }],
      ["durationMinutes", services.define, { ...define, durationMinutes: 0 }],
      ["durationMinutes", services.define, { ...define, durationMinutes: 1.5 }],
      ["durationMinutes", services.define, { ...define, durationMinutes: "30" }],
      ["priceMinor", services.define, { ...define, priceMinor: -1 }],
      ["priceMinor", services.define, { ...define, priceMinor: -0 }],
      ["priceMinor", services.define, { ...define, priceMinor: NaN }],
      ["priceMinor", services.define, { ...define, priceMinor: 2 ** 53 }],
      ["priceMinor", services.define, { ...define, priceMinor: 10n }],
      ["serviceId", bookings.request, { ...request, serviceId: "svc_1" }],
      ["serviceId", bookings.request, { ...request, serviceId: `bkg_${serviceId.slice(4)}` }],
      ["startsAt", bookings.request, { ...request, startsAt: "tomorrow" }],
      ["startsAt", bookings.request, { ...request, startsAt: 8.64e15 }],
      ["actor", bookings.request, { ...request, actor: "usr_1" }],
      ["createdAt", bookings.request, { ...request, createdAt: 1 }],
      ["occurredAt", bookings.request, { ...request, occurredAt: 1 }],
      ["now", bookings.request, { ...request, now: 1 }],
      ["role", members.invite, { role: "god" }],
      ["role", members.invite, {}],
      ["reason", bookings.cancel, { bookingId: `bkg_${serviceId.slice(4)}`, reason: "because" }],
      ["expectedVersion", services.retire, { serviceId, expectedVersion: -1 }],
    ];
    for (const [field, ref, args] of cases) {
      const response: unknown = await owner.client.mutation(ref, { ...args, idempotencyKey: key() });
      expect([args, response]).toMatchObject([args, { status: "rejected", code: "INVALID", field }]);
    }
    const keys = [undefined, "", "x", "a".repeat(256), "__proto__", 5, " ".repeat(26)];
    const unprintable = [
      `${"a".repeat(20)}\u0000`,
      "\u{1f600}".repeat(20),
      "é".repeat(20),
      "a".repeat(100_000),
    ];
    for (const idempotencyKey of [...keys, ...unprintable]) {
      const args = { ...define, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) };
      const response: unknown = await owner.client.mutation(services.define, args as never);
      expect(response).toMatchObject({ code: "INVALID", field: "idempotencyKey" });
    }
    const query = await refusalOf(
      owner.client.query(projections.bookings.list, { paginationOpts: FIRST_PAGE, sort: "price" } as never),
    );
    expect(query).toMatchObject({ code: "INVALID", field: "sort" });
    for (const status of ["price", "$gt", "^(a+)+$", { gt: "" }, ["requested"], "__proto__"]) {
      const args = { paginationOpts: FIRST_PAGE, status } as never;
      const filtered = await refusalOf(owner.client.query(projections.bookings.list, args));
      expect([status, filtered]).toMatchObject([status, { code: "INVALID", field: "status" }]);
    }
    const after = await backend.operator.query(internal.projections.rebuild.digest, { orgId });
    expect(after).toEqual(before);
    const mine = await owner.client.query(projections.organizations.mine, { paginationOpts: FIRST_PAGE });
    expect(mine.page).toHaveLength(1);
  });

  test("the ledger is one chain from the organisation's genesis to its head", async () => {
    const backend = await open();
    const { orgId, owner } = await busyOrganization(backend);
    const entries = await readLedger(owner, 3);
    let prevHash = genesisHash(orgId, sha256Noble);
    let recordedAt = 0;
    entries.forEach(({ text, hash }, index) => {
      const parsed = parseEvent(JSON.parse(text));
      if (!parsed.ok) throw new Error(parsed.reason);
      expect(parsed.event).toMatchObject({ orgId, seq: index + 1, prevHash });
      expect(parsed.event.recordedAt).toBeGreaterThanOrEqual(recordedAt);
      expect(hashCanonicalEvent(text, sha256Noble)).toBe(hash);
      prevHash = hash;
      ({ recordedAt } = parsed.event);
    });
    const head = await owner.query(projections.ledger.head, {});
    expect(head).toEqual({ orgId, seq: entries.length, hash: prevHash });
  });

  test("the audit log tells every event in words, newest first", async () => {
    const backend = await open();
    const { owner } = await busyOrganization(backend);
    const head = await owner.query(projections.ledger.head, {});
    const all = await owner.query(projections.auditLog.list, {
      paginationOpts: { numItems: 200, cursor: null },
    });
    expect(all.page.map(({ seq }) => seq)).toEqual(
      Array.from({ length: head.seq }, (_, index) => head.seq - index),
    );
    const roles = await owner.query(projections.auditLog.list, {
      paginationOpts: FIRST_PAGE,
      category: "role",
    });
    expect(roles.page).toHaveLength(1);
    expect(roles.page[0]?.summary).toMatch(/^Role of usr_\w{26} changed from staff to manager$/);
    expect(roles.page[0]?.actor).toMatchObject({ kind: "user", role: "owner" });
  });

  test("a rebuild from the ledger gives the same read models", async () => {
    const backend = await open();
    const { orgId, owner } = await busyOrganization(backend);
    const lists = async (): Promise<unknown[]> => [
      await owner.query(projections.organizations.current, {}),
      (await owner.query(projections.members.list, { paginationOpts: FIRST_PAGE })).page,
      (await owner.query(projections.services.list, { paginationOpts: FIRST_PAGE })).page,
      (await owner.query(projections.bookings.list, { paginationOpts: FIRST_PAGE })).page,
      (await owner.query(projections.auditLog.list, { paginationOpts: FIRST_PAGE })).page,
    ];
    const before = await lists();
    const rebuilt = await backend.operator.mutation(internal.projections.rebuild.run, { orgId });
    expect(rebuilt.digest).toBe(rebuilt.digestBefore);
    expect(await lists()).toEqual(before);
  });
}
