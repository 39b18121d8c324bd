/** What only the in-memory host lets a test do: reach around the corridor, and turn the clock. */
import type { z } from "zod";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api, components, internal } from "../../convex/_generated/api.js";
import { POLICY } from "../../convex/access/policy.ts";
import { CATALOGUE } from "../../convex/events/catalogue/catalogue.ts";
import { FUNCTION_NAMES } from "../contract/access.ts";
import { readLedger } from "../contract/ledger.ts";
import { publicFunctions } from "../support/inventory.ts";
import {
  codeOf,
  committed,
  defineService,
  FIRST_PAGE,
  foundOrganization,
  join,
  key,
  newSubject,
  refusalOf,
} from "../support/scene.ts";
import { openTestBackend, type TestBackend } from "../support/testBackend.ts";

const { commands, projections } = api;

type Exported = { isQuery?: boolean; isMutation?: boolean; isAction?: boolean; isPublic?: boolean };

/** Changes an organisation's status behind the corridor's back, as no product function does yet. */
async function setStatus(backend: TestBackend, orgId: string, status: "frozen" | "closed"): Promise<void> {
  await backend.t.run(async (ctx) => {
    const row = await ctx.db
      .query("organizations")
      .withIndex("by_orgId", (q) => q.eq("orgId", orgId))
      .unique();
    if (row !== null) await ctx.db.patch("organizations", row._id, { status });
  });
}

describe("inventory", () => {
  test("R95 S11 INV-08 the public functions and the policy table name each other exactly", async () => {
    const functions = await publicFunctions();
    expect(functions).toEqual(Object.keys(POLICY).sort());
    expect(functions).toEqual([...FUNCTION_NAMES].sort());
  });
});

test("A13 R26 the same subject of another issuer is another person", async () => {
  const backend = openTestBackend();
  const { orgId, owner } = await foundOrganization(backend);
  for (const issuer of ["https://other.example", `${backend.issuer}/`, backend.issuer.toUpperCase()]) {
    const { subject } = owner;
    const claims = { issuer, subject, tokenIdentifier: `${issuer}|${subject}`, daybook_org: orgId };
    const namesake = backend.t.withIdentity(claims);
    const current = await refusalOf(namesake.query(projections.organizations.current, {}));
    expect([issuer, current.code]).toEqual([issuer, "NO_ACTIVE_ORG"]);
    const page = { paginationOpts: FIRST_PAGE };
    expect((await namesake.query(projections.organizations.mine, page)).page).toEqual([]);
    expect(await namesake.mutation(commands.session.selectOrganization, { orgId })).toMatchObject({
      code: "NOT_FOUND",
    });
  }
});

test("A15 a claim of a megabyte names no organisation", async () => {
  const backend = openTestBackend();
  const { owner } = await foundOrganization(backend);
  const client = await backend.as({ subject: owner.subject, orgId: "x".repeat(1_048_576) });
  expect((await refusalOf(client.query(projections.organizations.current, {}))).code).toBe("NO_ACTIVE_ORG");
});

describe("the ways in", () => {
  const sources = import.meta.glob<string>(
    [
      "../../convex/**/*.ts",
      "!../../convex/**/*.test.ts",
      "!../../convex/_generated/**",
      "!../../convex/events/**",
    ],
    { eager: true, query: "?raw", import: "default" },
  );
  const filesWith = (pattern: RegExp): string[] =>
    Object.entries(sources)
      .filter(([, text]) => pattern.test(text))
      .map(([path]) => path.slice("../../convex/".length))
      .sort();

  test("R06 one file reads the token, and public functions are registered by five wrappers", () => {
    expect(filesWith(/getUserIdentity/)).toEqual(["access/principal.ts"]);
    expect(filesWith(/\b(?:mutation|query|action)\(\{/)).toEqual([
      "pipeline/commandMutation.ts",
      "pipeline/evidenceMutation.ts",
      "pipeline/sessionMutation.ts",
      "pipeline/signedInMutation.ts",
      "projections/projectionQuery.ts",
    ]);
  });

  test("R06 each wrapper begins with getAuthUser, and those of members go on with requireSameOrg and requireRole", () => {
    const wrappers = filesWith(/\b(?:mutation|query|action)\(\{/);
    expect(filesWith(/await getAuthUser\(/)).toEqual(wrappers);
    const ofMembers = [
      "pipeline/commandMutation.ts",
      "pipeline/evidenceMutation.ts",
      "projections/projectionQuery.ts",
    ];
    expect(filesWith(/await requireSameOrg\(/)).toEqual(ofMembers);
    expect(filesWith(/\brequireRole\(spec\.function, member\)/)).toEqual(ofMembers);
  });

  test("D17 P19 the raw database is seen by the files that stand for it", () => {
    expect(filesWith(/\bctx\.db\b/)).toEqual([
      "access/directory.ts",
      "access/tenantDb.ts",
      "vault/rawDeliveries.ts",
      "workers/closing.ts",
      "workers/orphans.ts",
      "workers/outbox.ts",
    ]);
  });
});

describe("lifecycle", () => {
  test("a frozen organisation answers ORG_FROZEN, except to its owners and auditors who read what the policy names", async () => {
    const backend = openTestBackend();
    const { orgId, owner } = await foundOrganization(backend);
    const manager = await join(backend, orgId, owner.client, "manager");
    const auditor = await join(backend, orgId, owner.client, "auditor");
    const rename = { name: "Before", idempotencyKey: key() };
    committed(await owner.client.mutation(commands.organizations.rename, rename));
    await setStatus(backend, orgId, "frozen");
    expect(codeOf(await owner.client.mutation(commands.organizations.rename, rename))).toBe("ORG_FROZEN");
    const page = { paginationOpts: FIRST_PAGE };
    for (const { client } of [owner, auditor]) {
      expect((await client.query(projections.organizations.current, {})).status).toBe("frozen");
      expect((await client.query(projections.ledger.head, {})).seq).toBeGreaterThan(0);
      expect((await client.query(projections.auditLog.list, page)).page.length).toBeGreaterThan(0);
    }
    expect(await refusalOf(owner.client.query(projections.members.list, page))).toMatchObject({
      code: "ORG_FROZEN",
    });
    expect(await refusalOf(manager.client.query(projections.auditLog.list, page))).toMatchObject({
      code: "ORG_FROZEN",
    });
  });

  test("nobody joins a frozen or closed organisation", async () => {
    const backend = openTestBackend();
    for (const [status, code] of [
      ["frozen", "ORG_FROZEN"],
      ["closed", "ORG_CLOSED"],
    ] as const) {
      const { orgId, owner } = await foundOrganization(backend);
      const invited = committed(
        await owner.client.mutation(commands.members.invite, { role: "staff", idempotencyKey: key() }),
      );
      await setStatus(backend, orgId, status);
      const guest = await backend.as({ subject: newSubject("guest") });
      const accepted = await guest.mutation(commands.members.acceptInvitation, {
        invitationToken: invited.result.invitationToken ?? "",
        idempotencyKey: key(),
      });
      expect(codeOf(accepted)).toBe(code);
    }
  });
});

describe("time", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("M05 an invitation can be accepted for seven days, and not at the end of the seventh", async () => {
    const backend = openTestBackend();
    const start = Date.UTC(2030, 0, 1);
    vi.setSystemTime(start);
    const { owner } = await foundOrganization(backend);
    const invite = async (): Promise<{ args: { role: "staff"; idempotencyKey: string }; token: string }> => {
      const args = { role: "staff" as const, idempotencyKey: key() };
      const response = committed(await owner.client.mutation(commands.members.invite, args));
      return { args, token: response.result.invitationToken ?? "" };
    };
    const first = await invite();
    const second = await invite();
    const accept = async (invitationToken: string): Promise<{ status: string; code?: string }> =>
      await (
        await backend.as({ subject: newSubject("guest") })
      ).mutation(commands.members.acceptInvitation, { invitationToken, idempotencyKey: key() });
    vi.setSystemTime(start + 7 * 86_400_000 - 1);
    committed(await accept(first.token));
    vi.setSystemTime(start + 7 * 86_400_000);
    expect(codeOf(await accept(second.token))).toBe("INVITATION_UNUSABLE");
    const replay = committed(await owner.client.mutation(commands.members.invite, second.args));
    expect(replay.result.invitationToken).toBeUndefined();
  });

  test("INV-02 recordedAt never decreases when the clock goes back", async () => {
    const backend = openTestBackend();
    vi.setSystemTime(Date.UTC(2030, 0, 2));
    const { owner } = await foundOrganization(backend);
    vi.setSystemTime(Date.UTC(2030, 0, 1));
    await defineService(owner.client);
    const times = (await readLedger(owner.client)).map(
      ({ text }) => (JSON.parse(text) as { recordedAt: number }).recordedAt,
    );
    expect(times).toEqual(times.map(() => Date.UTC(2030, 0, 2)));
  });

  test("a limit resets after the time that the refusal names", async () => {
    const backend = openTestBackend();
    vi.setSystemTime(Date.UTC(2030, 0, 1));
    const { owner } = await foundOrganization(backend);
    const invite = async (): Promise<{ status: string; code?: string; retryAfterMs?: number }> =>
      await owner.client.mutation(commands.members.invite, { role: "staff", idempotencyKey: key() });
    let refused = await invite();
    for (let call = 0; call < 700 && refused.status === "committed"; call += 1) refused = await invite();
    expect(codeOf(refused)).toBe("RATE_LIMITED");
    const retryAfterMs = refused.retryAfterMs ?? 0;
    expect(retryAfterMs).toBeGreaterThan(0);
    vi.setSystemTime(Date.now() + retryAfterMs - 1);
    expect(codeOf(await invite())).toBe("RATE_LIMITED");
    vi.setSystemTime(Date.now() + 1);
    committed(await invite());
  });

  test("a clock that was hours ahead and is set right again leaves nobody limited", async () => {
    const backend = openTestBackend();
    vi.setSystemTime(Date.UTC(2030, 0, 1, 5));
    const { owner } = await foundOrganization(backend);
    await defineService(owner.client);
    vi.setSystemTime(Date.UTC(2030, 0, 1));
    await defineService(owner.client);
    committed(await owner.client.mutation(commands.members.invite, { role: "staff", idempotencyKey: key() }));
  });
});

describe("the ledger component", () => {
  const orgId = "org_01ARZ3NDEKTSV4RRFFQ69G5FAV";
  const userId = "usr_01ARZ3NDEKTSV4RRFFQ69G5FAV";
  const opening = {
    orgId,
    actor: { kind: "user", id: userId, role: "owner" },
    source: { kind: "command", name: "organizations.create", key: key(), policy: "0".repeat(16) },
    correlationId: "cor_1",
  };
  const created = {
    stream: `organization/${orgId}`,
    expectedStreamVersion: 0,
    type: "organization.created",
    typeVersion: 1,
    data: { name: "A", timeZone: "UTC", currency: "EUR" },
  };
  const joined = {
    stream: `member/${userId}`,
    expectedStreamVersion: 0,
    type: "member.joined",
    typeVersion: 1,
    data: { userId, role: "owner" },
  };

  /** The test library calls component functions, its types do not say so. */
  function component(backend: TestBackend): {
    query(ref: unknown, args: unknown): Promise<unknown>;
    mutation(ref: unknown, args: unknown): Promise<unknown>;
  } {
    return backend.t;
  }

  async function head(backend: TestBackend): Promise<number> {
    const row = await component(backend).query(components.events.read.head, { orgId });
    return (row as { seq: number } | null)?.seq ?? 0;
  }

  test.each<[string, object, RegExp]>([
    ["an unknown type", { type: "organization.sold" }, /INV-03/],
    ["an unknown version", { typeVersion: 2 }, /INV-03/],
    ["a stream of another kind", { stream: `booking/${orgId}` }, /INV-03/],
    ["bad data", { data: { name: "", timeZone: "UTC", currency: "EUR" } }, /INV-03/],
    ["unknown data", { data: { ...created.data, owner: "me" } }, /INV-03/],
    ["a stale stream version", { expectedStreamVersion: 1 }, /INV-02/],
    ["a float", { data: { ...created.data, name: 1.5 } }, /./],
  ])("refuses %s and appends nothing of the batch", async (_what, change, message) => {
    const backend = openTestBackend();
    const events = [joined, { ...created, ...change }];
    const appended = component(backend).mutation(components.events.append.append, { ...opening, events });
    await expect(appended).rejects.toThrow(message);
    expect(await head(backend)).toBe(0);
  });

  test.each([
    [
      "a provider's word",
      { kind: "webhook", provider: "stripe", deliveryId: "evt_1", bodySha256: "0".repeat(64), signedAt: 1 },
    ],
    ["a job", { kind: "job", name: "tidy" }],
    ["an unknown kind", { kind: "rumour" }],
  ])("INV-03 INV-04 refuses a command's event from %s", async (_what, source) => {
    const backend = openTestBackend();
    const appended = component(backend).mutation(components.events.append.append, {
      ...opening,
      source,
      events: [created],
    });
    await expect(appended).rejects.toThrow(/INV-0/);
    expect(await head(backend)).toBe(0);
  });

  test("INV-11 payloads hold ids, codes, times, amounts and the names of organisations, services and providers, nothing else", () => {
    const fields = new Set(
      Object.values(CATALOGUE).flatMap(({ latest }) => Object.keys((latest as z.ZodObject).shape)),
    );
    expect([...fields].sort()).toEqual(
      [
        ...["userId", "serviceId", "invitationId", "assigneeId", "previousAssigneeId"],
        ...["role", "previousRole", "reason", "timeZone", "currency", "keyId", "tokenHash"],
        ...["startsAt", "endsAt", "expiresAt", "durationMinutes", "priceMinor", "name"],
        ...["issuer", "providerOrgId", "headSeq", "headHash", "fromSeq", "toSeq"],
        // Payments: ids of ours and of the provider's, amounts, and codes of closed or the provider's own lists.
        ...["bookingId", "refundId", "linkId", "account", "paymentIntentId", "checkoutSessionId"],
        ...["providerRefundId", "disputeId", "amountMinor", "depositMinor", "purpose", "method"],
        ...["livemode", "needsApproval", "occurredAt", "code", "status", "returnPath"],
      ].sort(),
    );
    const named = Object.entries(CATALOGUE).filter(
      ([, { latest }]) => "name" in (latest as z.ZodObject).shape,
    );
    expect(named.map(([type]) => type)).toEqual([
      "organization.created",
      "organization.renamed",
      "service.defined",
    ]);
  });

  test("INV-01 the component exports one pen for events; every other table has its named pens, and what is signed or witnessed is never changed", () => {
    const modules = import.meta.glob<Record<string, Exported>>(
      ["../../convex/events/*.ts", "!../../convex/events/*.config.ts"],
      { eager: true },
    );
    const mutations = Object.entries(modules).flatMap(([path, exported]) =>
      Object.entries(exported)
        .filter(([, value]) => value.isMutation === true || value.isAction === true)
        .map(([name]) => `${path.split("/").at(-1) ?? ""}:${name}`),
    );
    expect(mutations.sort()).toEqual([
      "append.ts:append",
      "checkpoints.ts:make",
      "cosignatures.ts:keep",
      "deliveries.ts:dismiss",
      "deliveries.ts:receive",
      "deliveries.ts:settle",
      "incidents.ts:record",
      "logOfLogs.ts:extend",
      "receipts.ts:removeOfClosed",
      "rounds.ts:begin",
      "rounds.ts:end",
      "tree.ts:catchUp",
    ]);
    const sources = import.meta.glob<string>("../../convex/events/*.ts", {
      eager: true,
      query: "?raw",
      import: "default",
    });
    const writes = Object.entries(sources).flatMap(([path, text]) =>
      [...text.matchAll(/db\s*\.(insert|patch|replace|delete)\(\s*"(\w+)"/g)].map(
        ([, verb, table]) => `${path.split("/").at(-1) ?? ""} ${verb ?? ""} ${table ?? ""}`,
      ),
    );
    expect(writes.sort()).toEqual([
      "append.ts insert events",
      "append.ts insert heads",
      "append.ts insert receipts",
      "append.ts patch heads",
      "checkpoints.ts insert checkpoints",
      "checkpoints.ts insert unloggedCheckpoints",
      "cosignatures.ts insert cosignatures",
      "deliveries.ts insert deliveries",
      "deliveries.ts patch deliveries",
      "deliveries.ts patch deliveries",
      "deliveries.ts patch deliveries",
      "deliveries.ts replace deliveries",
      "fence.ts delete accountLinks",
      "fence.ts insert accountLinks",
      "fence.ts insert countedFacts",
      "fence.ts replace deliveries",
      "incidents.ts insert treeIncidents",
      "logOfLogs.ts delete unloggedCheckpoints",
      "logOfLogs.ts insert checkpoints",
      "logOfLogs.ts insert logHead",
      "logOfLogs.ts insert logLeaves",
      "logOfLogs.ts patch logHead",
      "places.ts insert providerObjects",
      "receipts.ts delete receipts",
      "rounds.ts insert checkRounds",
      "rounds.ts patch checkRounds",
      "rounds.ts patch checkRounds",
      "tree.ts patch heads",
      "trees.ts insert treeHashes",
    ]);
    const anyWrite = Object.values(sources).flatMap((text) => [
      ...text.matchAll(/db\s*\.(insert|patch|replace|delete)\(/g),
    ]);
    expect(anyWrite).toHaveLength(writes.length);
  });
});

describe("the security log", () => {
  test("a refusal's record holds no argument", async () => {
    const backend = openTestBackend();
    const { orgId, owner } = await foundOrganization(backend);
    const guest = await join(backend, orgId, owner.client, "guest");
    const name = "CANARY-name-1";
    await guest.client.mutation(commands.organizations.rename, { name, idempotencyKey: key() });
    const log = await backend.operator.query(internal.access.securityLogReader.list, {
      orgId,
      paginationOpts: FIRST_PAGE,
    });
    expect(log.page.filter(({ outcome }) => outcome === "refused")).toHaveLength(1);
    expect(JSON.stringify(log.page)).not.toContain("CANARY");
  });
});

describe("rebuild", () => {
  test("INV-06 a damaged read model is put right by a replay, and the digests tell", async () => {
    const backend = openTestBackend();
    const { orgId, owner } = await foundOrganization(backend);
    await defineService(owner.client);
    const { digest } = await backend.operator.query(internal.projections.rebuild.digest, { orgId });
    await backend.t.run(async (ctx) => {
      const [row] = await ctx.db.query("services").take(1);
      if (row !== undefined) await ctx.db.patch("services", row._id, { priceMinor: 1 });
      const [line] = await ctx.db.query("auditLog").take(1);
      if (line !== undefined) await ctx.db.delete("auditLog", line._id);
    });
    const rebuilt = await backend.operator.mutation(internal.projections.rebuild.run, { orgId });
    expect(rebuilt.digestBefore).not.toBe(digest);
    expect(rebuilt.digest).toBe(digest);
    const services = await owner.client.query(projections.services.list, { paginationOpts: FIRST_PAGE });
    expect(services.page[0]?.priceMinor).toBe(5000);
    const after = await backend.operator.query(internal.projections.rebuild.digest, { orgId });
    expect(after.digest).toBe(digest);
  });
});
