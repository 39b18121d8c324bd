/** Freezing, closing and what is left: by owners, by the operator, by the integrity check. */
import { expect, test } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import type { EventEnvelope } from "../../ledger/event.ts";
import type { Backend, Client } from "../support/backend.ts";
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
  refusalOf,
  requestBooking,
} from "../support/scene.ts";
import { everyFunction, SIGNED_IN } from "./access.ts";
import { readLedger } from "./ledger.ts";

const { commands, projections } = api;
const { organizations: operator } = internal.operator;

/** What owners and auditors read, whatever the lifecycle. */
const EXPORTED = [
  "projections/organizations:current",
  "projections/auditLog:list",
  "projections/auditLog:range",
  "projections/securityLog:list",
  "projections/alerts:list",
  "projections/deliveries:list",
  "projections/ledger:head",
  "projections/ledger:events",
  "projections/ledger:checkpoint",
  "projections/ledger:checkpoints",
  "projections/ledger:inclusionProof",
  "projections/ledger:consistencyProof",
  "projections/ledger:streamAt",
  "projections/ledger:rowDigests",
];

/** Of these, what everyFunction asks for is nobody's. */
const ASKED_FOR_NOTHING = [
  "projections/auditLog:range",
  "projections/ledger:checkpoint",
  "projections/ledger:inclusionProof",
  "projections/ledger:consistencyProof",
  "projections/ledger:streamAt",
];

type Answer = { status: string; code?: string };

async function freeze(client: Client): Promise<Answer> {
  return await client.mutation(commands.organizations.freeze, {
    reason: "security_incident",
    idempotencyKey: key(),
  });
}

async function unfreeze(client: Client): Promise<Answer> {
  return await client.mutation(commands.organizations.unfreeze, { idempotencyKey: key() });
}

async function close(client: Client): Promise<Answer> {
  return await client.mutation(commands.organizations.close, { reason: "merged", idempotencyKey: key() });
}

async function eventsOf(client: Client): Promise<EventEnvelope[]> {
  return (await readLedger(client)).map(({ text }) => JSON.parse(text) as EventEnvelope);
}

/** What may be written in a frozen organisation, which its own tests tell of. */
const WRITES_WHEN_FROZEN = [
  "commands/organizations:unfreeze",
  "commands/ledger:beginExport",
  "commands/ledger:requestCheckpoint",
  "commands/auditLog:beginReading",
];

/** What each function that needs an organisation answers, except those that write in a frozen one. */
async function answersOf(client: Client): Promise<Map<string, string>> {
  const answers = new Map<string, string>();
  for (const { name, run } of everyFunction()) {
    if (SIGNED_IN.includes(name) || WRITES_WHEN_FROZEN.includes(name)) continue;
    answers.set(name, await run(client));
  }
  return answers;
}

function whenOpen(name: string): string {
  return ASKED_FOR_NOTHING.includes(name) ? "NOT_FOUND" : "answered";
}

/** Everything answers the code, except what is named to be read. */
function expectClosedDoors(
  answers: ReadonlyMap<string, string>,
  code: string,
  open: readonly string[],
): void {
  for (const [name, answer] of answers) {
    expect([name, answer]).toEqual([name, open.includes(name) ? whenOpen(name) : code]);
  }
}

export function lifecycleContract(open: () => Promise<Backend>): void {
  test("B05 I07 in a frozen organisation everything answers ORG_FROZEN, replays too; owner and auditor read and export", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const auditor = await join(backend, orgId, owner.client, "auditor");
    const rename = { name: "Before", idempotencyKey: key() };
    committed(await owner.client.mutation(commands.organizations.rename, rename));
    const others = [
      await join(backend, orgId, owner.client, "manager"),
      await join(backend, orgId, owner.client, "staff"),
      await join(backend, orgId, owner.client, "guest"),
    ];
    committed(await freeze(owner.client));
    const before = await eventsOf(owner.client);
    expect(codeOf(await owner.client.mutation(commands.organizations.rename, rename))).toBe("ORG_FROZEN");
    for (const { client } of [owner, auditor]) {
      expectClosedDoors(await answersOf(client), "ORG_FROZEN", EXPORTED);
      expect((await client.query(projections.organizations.current, {})).status).toBe("frozen");
    }
    for (const { client } of others) {
      expectClosedDoors(await answersOf(client), "ORG_FROZEN", []);
      expect(codeOf(await unfreeze(client))).toBe("ORG_FROZEN");
    }
    expect(await eventsOf(owner.client)).toEqual(before);
  });

  test("an owner lifts what an owner froze, and the ledger says who did either", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const second = await join(backend, orgId, owner.client, "owner");
    expect(codeOf(await unfreeze(owner.client))).toBe("INVALID_TRANSITION");
    committed(await freeze(owner.client));
    expect(codeOf(await freeze(owner.client))).toBe("ORG_FROZEN");
    committed(await unfreeze(second.client));
    const trail = (await eventsOf(owner.client)).filter(({ type }) => /frozen/.test(type));
    expect(trail.map(({ type, actor, data }) => ({ type, actor, data }))).toEqual([
      {
        type: "organization.frozen",
        actor: { kind: "user", id: owner.userId, role: "owner" },
        data: { reason: "security_incident" },
      },
      {
        type: "organization.unfrozen",
        actor: { kind: "user", id: second.userId, role: "owner" },
        data: {},
      },
    ]);
    await defineService(owner.client);
  });

  test("what the operator froze only the operator lifts, also when an owner froze it first", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const other = await foundOrganization(backend);
    committed(await freeze(owner.client));
    const taken = await backend.operator.mutation(operator.freeze, {
      orgId,
      reason: "suspected_misuse",
      operator: "on-call",
    });
    committed(taken);
    expect(await backend.operator.query(operator.status, { orgId })).toMatchObject({
      status: "frozen",
      frozenBy: "operator",
    });
    expect(codeOf(await unfreeze(owner.client))).toBe("ORG_FROZEN");
    const again = await backend.operator.mutation(operator.freeze, { orgId, reason: "other" });
    expect(codeOf(again)).toBe("INVALID_TRANSITION");
    committed(await backend.operator.mutation(operator.unfreeze, { orgId, operator: "on-call" }));
    const [, , , frozen, lifted] = await eventsOf(owner.client);
    expect(frozen).toMatchObject({
      type: "organization.frozen",
      actor: { kind: "operator", id: "on-call" },
      source: { kind: "operator", name: "organizations.freeze" },
      data: { reason: "suspected_misuse" },
    });
    expect(lifted).toMatchObject({ type: "organization.unfrozen", actor: { kind: "operator" } });
    await defineService(owner.client);
    await defineService(other.owner.client);
  });

  test("the operator's functions refuse an organisation that does not exist and a name that could be a person's", async () => {
    const backend = await open();
    const { orgId } = await foundOrganization(backend);
    const nowhere = "org_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    const missing = await backend.operator.mutation(operator.freeze, { orgId: nowhere, reason: "other" });
    expect(codeOf(missing)).toBe("NOT_FOUND");
    const named = await backend.operator.mutation(operator.freeze, {
      orgId,
      reason: "other",
      operator: "Ada Lovelace",
    });
    expect(named).toMatchObject({ code: "INVALID", field: "operator" });
    const status = await backend.operator.query(operator.status, { orgId });
    expect(status).toMatchObject({ status: "active", frozenBy: null, damage: null });
  });

  test("commands that race with a freeze are wholly before or wholly after it", async () => {
    const backend = await open();
    const { owner } = await foundOrganization(backend);
    const serviceId = await defineService(owner.client);
    const request = async (hours: number): Promise<Answer> =>
      await owner.client.mutation(commands.bookings.request, {
        serviceId,
        startsAt: Date.now() + hours * 3_600_000,
        idempotencyKey: key(),
      });
    const race = [...Array(30).keys()].map((index) =>
      index === 15 ? freeze(owner.client) : request(index + 1),
    );
    const answers = await Promise.all(race);
    const refused = answers.filter(({ status }) => status === "rejected");
    expect(new Set(refused.map(({ code }) => code))).toEqual(
      new Set(refused.length === 0 ? [] : ["ORG_FROZEN"]),
    );
    const events = await eventsOf(owner.client);
    expect(events.at(-1)?.type).toBe("organization.frozen");
    const requested = events.filter(({ type }) => type === "booking.requested");
    expect(requested).toHaveLength(answers.length - refused.length - 1);
  });

  test("an integrity freeze writes nothing to the ledger, holds against owners, and the operator lifts it", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const before = await eventsOf(owner.client);
    const damage = { orgId, seq: 2, kind: "altered" };
    await backend.operator.mutation(internal.workers.integrity.report, damage);
    await backend.operator.mutation(internal.workers.integrity.report, damage);
    expectClosedDoors(await answersOf(owner.client), "ORG_FROZEN", EXPORTED);
    expect(codeOf(await unfreeze(owner.client))).toBe("ORG_FROZEN");
    const mine = await owner.client.query(projections.organizations.mine, { paginationOpts: FIRST_PAGE });
    expect(mine.page.map(({ status }) => status)).toEqual(["frozen"]);
    expect(await backend.operator.query(operator.status, { orgId })).toMatchObject({
      status: "frozen",
      frozenBy: "integrity",
      damage: { seq: 2, kind: "altered" },
    });
    expect(await backend.operator.mutation(operator.unfreeze, { orgId })).toEqual({
      status: "committed",
      seq: null,
    });
    expect(await eventsOf(owner.client)).toEqual(before);
    const log = await backend.operator.query(internal.access.securityLogReader.list, {
      orgId,
      paginationOpts: { numItems: 200, cursor: null },
    });
    const incidents = log.page.filter(({ code }) => /^(LEDGER|INTEGRITY)/.test(code));
    expect(incidents.map(({ code, userId, detail }) => [code, userId, detail])).toEqual([
      ["INTEGRITY_FREEZE_LIFTED", "operator/operator", undefined],
      ["LEDGER_DAMAGED", "operator/report", "sequence 2: altered"],
    ]);
    await defineService(owner.client);
  });

  test("lifting an integrity freeze lifts what the operator froze besides", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    committed(await backend.operator.mutation(operator.freeze, { orgId, reason: "other" }));
    await backend.operator.mutation(internal.workers.integrity.report, { orgId, seq: 1, kind: "altered" });
    committed(await backend.operator.mutation(operator.unfreeze, { orgId }));
    await defineService(owner.client);
  });

  test("the integrity check remembers the head of a ledger that it found whole", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const serviceId = await defineService(owner.client);
    for (let hours = 1; hours <= 110; hours += 1) await requestBooking(owner.client, serviceId, hours);
    const checked = await backend.operator.mutation(internal.workers.integrity.step, {
      orgId,
      inRound: false,
    });
    expect(checked).toBe("sound");
    const { seq, hash } = await owner.client.query(projections.ledger.head, {});
    await eventually(
      async () => (await backend.operator.query(operator.status, { orgId })).verifiedHead?.seq === seq,
    );
    const status = await backend.operator.query(operator.status, { orgId });
    expect(status).toMatchObject({ status: "active", damage: null, verifiedHead: { seq, hash } });
  });

  test("a closed organisation answers ORG_CLOSED; owner and auditor read and export it", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const auditor = await join(backend, orgId, owner.client, "auditor");
    const staff = await join(backend, orgId, owner.client, "staff");
    const fresh = await freshly(backend, owner, orgId);
    committed(await freeze(owner.client));
    expect(codeOf(await close(fresh))).toBe("ORG_FROZEN");
    committed(await unfreeze(owner.client));
    committed(await close(fresh));
    for (const { client } of [owner, auditor]) {
      expectClosedDoors(await answersOf(client), "ORG_CLOSED", EXPORTED);
      expect((await client.query(projections.organizations.current, {})).status).toBe("closed");
    }
    expectClosedDoors(await answersOf(staff.client), "ORG_CLOSED", []);
    expect(codeOf(await unfreeze(owner.client))).toBe("ORG_CLOSED");
    const thawed = await backend.operator.mutation(operator.unfreeze, { orgId });
    expect(codeOf(thawed)).toBe("INVALID_TRANSITION");
    expect((await eventsOf(auditor.client)).at(-1)).toMatchObject({
      type: "organization.closed",
      data: { reason: "merged" },
    });
  });

  test("B07 what a closed organisation had is gone, and one of the same name gives its members nothing", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend, "Studio Grey");
    const staff = await join(backend, orgId, owner.client, "staff");
    const invited = committed(
      await owner.client.mutation(commands.members.invite, { role: "staff", idempotencyKey: key() }),
    );
    const invitationToken = invited.result.invitationToken ?? "";
    const { continueCursor: cursor } = await owner.client.query(projections.members.list, {
      paginationOpts: { numItems: 1, cursor: null },
    });
    expect(await backend.operator.mutation(internal.workers.closing.removeNow, { orgId })).toBe(false);
    committed(await close(await freshly(backend, owner, orgId)));
    expect(await backend.operator.mutation(internal.workers.closing.removeNow, { orgId })).toBe(true);
    await eventually(
      async () => (await backend.operator.query(operator.status, { orgId })).status === "removed",
    );

    const page = { paginationOpts: FIRST_PAGE };
    const heir = await foundOrganization(backend, "Studio Grey");
    expect(heir.orgId).not.toBe(orgId);
    for (const { client } of [owner, staff]) {
      expect((await refusalOf(client.query(projections.members.list, page))).code).toBe("NO_ACTIVE_ORG");
      expect((await client.query(projections.organizations.mine, page)).page).toEqual([]);
      const chosen = await client.mutation(commands.session.selectOrganization, { orgId });
      expect(codeOf(chosen)).toBe("NOT_FOUND");
    }
    const guest = await backend.as({ subject: newSubject("guest") });
    const accepted = await guest.mutation(commands.members.acceptInvitation, {
      invitationToken,
      idempotencyKey: key(),
    });
    expect(codeOf(accepted)).toBe("INVITATION_UNUSABLE");
    const withOldCursor = heir.owner.client.query(projections.members.list, {
      paginationOpts: { numItems: 50, cursor },
    });
    const rows = await withOldCursor.then(
      ({ page: found }) => found,
      () => [],
    );
    expect(rows.map(({ userId }) => userId)).not.toContain(staff.userId);
  });
}
