/** Rate limits and the bounds of the security log, under a clock that the test turns. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api } from "../../convex/_generated/api.js";
import { FULL_PER_MINUTE, MORE_REFUSALS } from "../../convex/access/securityLog.ts";
import eventsSchema from "../../convex/events/schema.ts";
import schema from "../../convex/schema.ts";
import { everyFunction } from "../contract/access.ts";
import type { Client } from "../support/backend.ts";
import {
  codeOf,
  committed,
  defineService,
  FIRST_PAGE,
  foundOrganization,
  freshly,
  join,
  key,
  newSubject,
} from "../support/scene.ts";
import { inComponent, openTestBackend, type TestBackend } from "../support/testBackend.ts";

const { commands, projections } = api;

/** 180 calls a minute of a user, 900 of an organisation, 120 of a command, 72 of a status, 18 of an invitation. */
process.env["DAYBOOK_RATE_LIMIT_PERCENT"] = "3";
const USER = 180;
const COMMAND = 120;

const NOWHERE = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

type Answer = { status: string; code?: string; retryAfterMs?: number };
type Run = () => Promise<Answer>;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.setSystemTime(Date.UTC(2030, 0, 1));
});
afterEach(() => {
  vi.useRealTimers();
});

function rename(client: Client): Run {
  return async () =>
    await client.mutation(commands.organizations.rename, { name: "A", idempotencyKey: key() });
}

function define(client: Client): Run {
  return async () =>
    await client.mutation(commands.services.define, {
      name: "Cut",
      durationMinutes: 30,
      priceMinor: 1,
      idempotencyKey: key(),
    });
}

function confirm(client: Client, bookingId = `bkg_${NOWHERE}`): Run {
  return async () => await client.mutation(commands.bookings.confirm, { bookingId, idempotencyKey: key() });
}

function start(client: Client): Run {
  return async () =>
    await client.mutation(commands.bookings.start, { bookingId: `bkg_${NOWHERE}`, idempotencyKey: key() });
}

function invite(client: Client): Run {
  return async () => await client.mutation(commands.members.invite, { role: "staff", idempotencyKey: key() });
}

/** Calls until the limit says no; returns what it said and how many went through. */
async function exhaust(run: Run, most: number): Promise<{ refused: Answer; calls: number }> {
  for (let calls = 0; calls <= most; calls += 1) {
    const answer = await run();
    if (answer.code === "RATE_LIMITED") return { refused: answer, calls };
  }
  throw new Error(`no limit within ${most} calls`);
}

/** After pauses of all lengths, each first call goes through exactly when its refusal said. */
async function expectExact(run: Run): Promise<void> {
  for (let round = 0; round < 60; round += 1) {
    vi.setSystemTime(Date.now() + ((round * 37) % 101));
    const { refused } = await exhaust(run, 1);
    const retryAfterMs = refused.retryAfterMs ?? 0;
    expect(retryAfterMs).toBeGreaterThan(0);
    vi.setSystemTime(Date.now() + retryAfterMs - 1);
    expect([round, codeOf(await run())]).toEqual([round, "RATE_LIMITED"]);
    vi.setSystemTime(Date.now() + 1);
    expect([round, (await run()).code]).not.toEqual([round, "RATE_LIMITED"]);
  }
}

async function rowsByTable(backend: TestBackend): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const [component, tables] of [
    ["", Object.keys(schema.tables)],
    ["events", Object.keys(eventsSchema.tables)],
    ["rateLimiter", ["rateLimits", "pendingUpdates"]],
  ] as const) {
    for (const table of tables) {
      const rows = await inComponent(backend, component, async (db) => await db.query(table).collect());
      counts[`${component}/${table}`] = rows.length;
    }
  }
  return counts;
}

describe("a limit resets at the millisecond that its refusal names", () => {
  test.each<[string, (client: Client) => Run, number]>([
    ["of invitations", invite, 18],
    ["of status updates", confirm, 72],
    ["of one command", define, COMMAND],
  ])("%s", async (_what, runOf, most) => {
    const backend = openTestBackend();
    const { owner } = await foundOrganization(backend);
    const run = runOf(owner.client);
    expect((await exhaust(run, most)).calls).toBe(most);
    await expectExact(run);
  });

  test("of a user, whatever they call", async () => {
    const backend = openTestBackend();
    const { owner } = await foundOrganization(backend);
    await exhaust(rename(owner.client), COMMAND);
    await exhaust(define(owner.client), USER);
    await expectExact(start(owner.client));
  });

  test("of two at once, where the one that refuses is not the one that lasts longer", async () => {
    const backend = openTestBackend();
    const { owner } = await foundOrganization(backend);
    await exhaust(define(owner.client), COMMAND);
    await exhaust(rename(owner.client), USER);
    // A third of a second fills the user's limit and not yet the command's.
    vi.setSystemTime(Date.now() + 334);
    await expectExact(define(owner.client));
  });

  test("of an organisation, which reaches it with its members together; another one is not touched", async () => {
    const backend = openTestBackend();
    const { orgId, owner } = await foundOrganization(backend);
    const other = await foundOrganization(backend, "Clinic Green");
    let refused: Answer | undefined;
    for (let member = 0; member < 10 && refused === undefined; member += 1) {
      const { client } = await join(backend, orgId, owner.client, "manager");
      for (let call = 0; call < COMMAND && refused === undefined; call += 1) {
        const answer = await define(client)();
        if (answer.code === "RATE_LIMITED") refused = answer;
      }
    }
    const last = await backend.as({ subject: owner.subject, orgId });
    expect(codeOf(await define(last)())).toBe("RATE_LIMITED");
    await defineService(other.owner.client);
    await expectExact(define(last));
  });
});

describe("what counts", () => {
  test("L01 a user's limit holds over all of their organisations", async () => {
    const backend = openTestBackend();
    const a = await foundOrganization(backend);
    const subject = a.owner.subject;
    const created = committed(
      await (
        await backend.as({ subject })
      ).mutation(commands.organizations.create, {
        name: "B",
        timeZone: "UTC",
        currency: "EUR",
        idempotencyKey: key(),
      }),
    );
    const inB = await backend.as({ subject, orgId: created.result.orgId });
    await exhaust(rename(a.owner.client), COMMAND);
    await exhaust(define(a.owner.client), USER);
    expect(codeOf(await start(inB)())).toBe("RATE_LIMITED");
    const stranger = await foundOrganization(backend, "C");
    committed(await rename(stranger.owner.client)());
  });

  test("status updates share one limit, whatever the command", async () => {
    const backend = openTestBackend();
    const { owner } = await foundOrganization(backend);
    await exhaust(confirm(owner.client), 72);
    expect(codeOf(await start(owner.client)())).toBe("RATE_LIMITED");
    committed(await rename(owner.client)());
  });

  test.each<[string, (backend: TestBackend, orgId: string, owner: Client) => Promise<Run>, string]>([
    [
      "by their role",
      async (backend, orgId, owner) => define((await join(backend, orgId, owner, "guest")).client),
      "FORBIDDEN",
    ],
    ["for their arguments", (_backend, _orgId, owner) => Promise.resolve(badArguments(owner)), "INVALID"],
    ["for an id that there is not", (_backend, _orgId, owner) => Promise.resolve(retire(owner)), "NOT_FOUND"],
    [
      "without an organisation",
      async (backend) => define(await backend.as({ subject: newSubject("stranger") })),
      "NO_ACTIVE_ORG",
    ],
    [
      "for an organisation of others",
      async (backend, orgId) => define(await backend.as({ subject: newSubject("stranger"), orgId })),
      "NO_ACTIVE_ORG",
    ],
    [
      "in a frozen organisation",
      async (_backend, _orgId, owner) => {
        committed(
          await owner.mutation(commands.organizations.freeze, { reason: "other", idempotencyKey: key() }),
        );
        return define(owner);
      },
      "ORG_FROZEN",
    ],
  ])("L05 calls that are refused %s", async (_why, callOf, code) => {
    const backend = openTestBackend();
    const { orgId, owner } = await foundOrganization(backend);
    const run = await callOf(backend, orgId, owner.client);
    expect(codeOf(await run())).toBe(code);
    expect((await exhaust(run, COMMAND)).calls).toBe(COMMAND - 1);
  });

  test("K07 over the limit the answer is the same bytes, whether an id, a role or an organisation is one's own", async () => {
    const backend = openTestBackend();
    const { orgId, owner } = await foundOrganization(backend);
    const serviceId = await defineService(owner.client);
    const requested = committed(
      await owner.client.mutation(commands.bookings.request, {
        serviceId,
        startsAt: Date.now() + 3_600_000,
        idempotencyKey: key(),
      }),
    );
    await exhaust(confirm(owner.client), 72);
    const stranger = await backend.as({ subject: owner.subject, orgId: `org_${NOWHERE}` });
    const answers = [
      await confirm(owner.client)(),
      await confirm(owner.client, requested.result.bookingId)(),
      await confirm(stranger)(),
      await confirm(await freshly(backend, owner, orgId))(),
    ].map((answer) => JSON.stringify(answer));
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]).toContain("RATE_LIMITED");
  });
});

function badArguments(client: Client): Run {
  return async () =>
    await client.mutation(commands.services.retire, { serviceId: "", idempotencyKey: key() });
}

function retire(client: Client): Run {
  return async () =>
    await client.mutation(commands.services.retire, { serviceId: `svc_${NOWHERE}`, idempotencyKey: key() });
}

describe("floods", () => {
  test("R16 ten thousand calls without a token write nothing at all", async () => {
    const backend = openTestBackend();
    await foundOrganization(backend);
    const before = await rowsByTable(backend);
    const functions = everyFunction();
    for (let call = 0; call < 10_000; call += 1) {
      expect(await functions[call % functions.length]?.run(backend.anonymous())).toBe("UNAUTHENTICATED");
    }
    expect(await rowsByTable(backend)).toEqual(before);
  });

  test("R71 of a member's refusals in a minute thirty have a row, one tells how many more, and one alert is raised", async () => {
    const backend = openTestBackend();
    const { orgId, owner } = await foundOrganization(backend);
    const guest = await join(backend, orgId, owner.client, "guest");
    const before = await rowsByTable(backend);
    for (let call = 0; call < 500; call += 1) await define(guest.client)();
    const after = await rowsByTable(backend);
    expect((after["/securityLog"] ?? 0) - (before["/securityLog"] ?? 0)).toBe(FULL_PER_MINUTE + 1);
    const { page } = await owner.client.query(projections.securityLog.list, { paginationOpts: FIRST_PAGE });
    const refused = page.filter(({ outcome }) => outcome === "refused" || outcome === "limited");
    expect(refused.reduce((sum, { count }) => sum + count, 0)).toBe(500);
    expect(refused[0]).toMatchObject({
      code: MORE_REFUSALS,
      userId: guest.userId,
      function: "commands/services:define",
      count: 500 - FULL_PER_MINUTE,
      detail: "FORBIDDEN RATE_LIMITED",
    });
    const alerts = await owner.client.query(projections.alerts.list, { paginationOpts: FIRST_PAGE });
    expect(alerts.page.map(({ kind, userId }) => [kind, userId]).sort()).toEqual([
      ["LIMIT_REACHED", guest.userId],
      ["REFUSALS_UNUSUAL", guest.userId],
    ]);

    vi.setSystemTime(Date.now() + 60_000);
    await define(guest.client)();
    const later = await rowsByTable(backend);
    expect((later["/securityLog"] ?? 0) - (after["/securityLog"] ?? 0)).toBe(1);
    expect(later["/alerts"]).toBe(after["/alerts"]);
  });
});
