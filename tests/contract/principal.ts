/** What a token can and cannot say: odd claims, a provider's own organisations, sessions, recent authentication. */
import { expect, test } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import type { Backend, Client } from "../support/backend.ts";
import {
  codeOf,
  committed,
  FIRST_PAGE,
  foundOrganization,
  freshly,
  join,
  key,
  newSubject,
  refusalOf,
} from "../support/scene.ts";

const { commands, projections } = api;
const { organizations } = commands;

type Answer = { status: string; code?: string };

function nowS(): number {
  return Math.floor(Date.now() / 1000);
}

/** The claims of somebody who proved who they are just now. */
function fresh(): Record<string, number> {
  return { daybook_iat: nowS(), daybook_auth_time: nowS() };
}

async function found(client: Client, name = "Studio Blue"): Promise<string> {
  const args = { name, timeZone: "UTC", currency: "EUR", idempotencyKey: key() };
  return committed(await client.mutation(organizations.create, args)).result.orgId;
}

async function currentCode(client: Client): Promise<string> {
  const answer = client.query(projections.organizations.current, {});
  return await answer.then(
    ({ orgId }) => orgId,
    async () => (await refusalOf(answer)).code,
  );
}

async function link(client: Client): Promise<Answer> {
  return await client.mutation(organizations.linkProvider, { idempotencyKey: key() });
}

/** After the end of a whole second: the time of issue that tokens tell is a whole one. */
async function nextSecond(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 1_000 - (Date.now() % 1_000) + 5));
}

function claimTests(open: () => Promise<Backend>): void {
  test("A15 a claim of an odd type, or one that looks like an organisation, never yields one", async () => {
    const backend = await open();
    const subject = newSubject("odd");
    const plain = await backend.withClaims(subject, {});
    const orgId = await found(plain);
    expect(await currentCode(plain)).toBe(orgId);
    const odd: unknown[] = [
      [orgId],
      { orgId },
      { [orgId]: true },
      {},
      [],
      7,
      true,
      null,
      "",
      "null",
      "__proto__",
      "constructor",
      ` ${orgId} `,
      `${orgId}\u0000`,
      `${orgId} `,
      orgId.toLowerCase(),
      orgId.replace("org_", "ORG_"),
      orgId.replace("org_", "оrg_"),
      `${orgId},${orgId}`,
      // What a request can carry of a megabyte; the host refuses larger headers before any function runs.
      "x".repeat(8_000),
    ];
    for (const claim of odd) {
      const client = await backend.withClaims(subject, { daybook_org: claim });
      expect([claim, await currentCode(client)]).toEqual([claim, "NO_ACTIVE_ORG"]);
      const renamed = await client.mutation(organizations.rename, { name: "Taken", idempotencyKey: key() });
      expect([claim, codeOf(renamed)]).toEqual([claim, "NO_ACTIVE_ORG"]);
    }
  });

  test("A15 claims that collide when they are flattened never yield an organisation", async () => {
    const backend = await open();
    const subject = newSubject("dotted");
    const orgId = await found(await backend.withClaims(subject, {}));
    const colliding: Record<string, unknown>[] = [
      { daybook_org: orgId, "daybook_org.id": orgId },
      { daybook_org: { id: orgId }, "daybook_org.id": orgId },
      { daybook_org: { daybook_org: orgId } },
      { "daybook_org.id": orgId },
    ];
    for (const claims of colliding) {
      const client = await backend.withClaims(subject, claims);
      // A host may refuse the token as a whole; no host hands out the organisation.
      const answer = await client.query(projections.organizations.current, {}).then(
        () => "answered",
        () => "refused",
      );
      expect([claims, answer]).toEqual([claims, "refused"]);
    }
  });
}

function editableClaimTests(open: () => Promise<Backend>): void {
  test("A17 what users can edit of their own claims gives no organisation and no role", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const guest = await join(backend, orgId, owner.client, "guest");
    const claims = { orgId, org_id: orgId, role: "owner", orgRole: "owner", daybook_role: "owner" };
    const edited = { ...claims, unsafe_metadata: claims, public_metadata: claims, user: claims };
    const stranger = await backend.withClaims(newSubject("stranger"), edited);
    expect(await currentCode(stranger)).toBe("NO_ACTIVE_ORG");
    const asGuest = await backend.withClaims(newSubject("guest"), { ...edited, daybook_org: orgId });
    expect(await currentCode(asGuest)).toBe("NO_ACTIVE_ORG");
    const invited = committed(
      await owner.client.mutation(commands.members.invite, { role: "guest", idempotencyKey: key() }),
    );
    const invitationToken = invited.result.invitationToken ?? "";
    committed(
      await asGuest.mutation(commands.members.acceptInvitation, { invitationToken, idempotencyKey: key() }),
    );
    expect((await asGuest.query(projections.organizations.current, {})).role).toBe("guest");
    const { userId } = guest;
    for (const answer of [
      await asGuest.mutation(organizations.rename, { name: "Taken", idempotencyKey: key() }),
      await asGuest.mutation(commands.members.remove, { userId, idempotencyKey: key() }),
    ]) {
      expect(codeOf(answer)).toBe("FORBIDDEN");
    }
  });
}

function providerTests(open: () => Promise<Backend>): void {
  test("a provider's own organisation means ours after an owner has linked it, and never before", async () => {
    const backend = await open();
    const subject = newSubject("clerk");
    const providerOrgId = `org_${newSubject("p")}`;
    const plain = await backend.withClaims(subject, {});
    const orgId = await found(plain);
    const claiming = await backend.withClaims(subject, { ...fresh(), daybook_org: providerOrgId });
    expect(await currentCode(claiming)).toBe("NO_ACTIVE_ORG");
    committed(await link(claiming));
    expect(await currentCode(claiming)).toBe(orgId);
    expect(codeOf(await link(claiming))).toBe("CONFLICT");

    const stranger = await backend.withClaims(newSubject("stranger"), { daybook_org: providerOrgId });
    expect(await currentCode(stranger)).toBe("NO_ACTIVE_ORG");
    const log = await plain.query(projections.auditLog.list, { paginationOpts: FIRST_PAGE });
    expect(log.page[0]).toMatchObject({
      type: "organization.providerLinked",
      category: "organization",
      summary: `Organisation ${providerOrgId} of ${backend.issuer} linked`,
    });

    const unlink = await claiming.mutation(organizations.unlinkProvider, {
      providerOrgId,
      idempotencyKey: key(),
    });
    committed(unlink);
    expect(await currentCode(claiming)).toBe("NO_ACTIVE_ORG");
  });

  test("B11 a provider's organisation that means one of ours is not taken by another", async () => {
    const backend = await open();
    const providerOrgId = `org_${newSubject("p")}`;
    const claims = { ...fresh(), daybook_org: providerOrgId };
    const [first, second] = [newSubject("first"), newSubject("second")];
    const orgId = await found(await backend.withClaims(first, {}));
    const otherId = await found(await backend.withClaims(second, {}));
    const asFirst = await backend.withClaims(first, claims);
    const asSecond = await backend.withClaims(second, claims);
    committed(await link(asFirst));
    expect(codeOf(await link(asSecond))).toBe("CONFLICT");
    const byOperator = await backend.operator.mutation(internal.operator.organizations.linkProvider, {
      orgId: otherId,
      issuer: backend.issuer,
      providerOrgId,
    });
    expect(codeOf(byOperator)).toBe("CONFLICT");
    expect(await currentCode(asFirst)).toBe(orgId);
    expect(await currentCode(asSecond)).toBe("NO_ACTIVE_ORG");
  });

  test("only an owner links, with a token that names a provider's organisation", async () => {
    const backend = await open();
    const subject = newSubject("owner");
    const orgId = await found(await backend.withClaims(subject, {}));
    const withoutClaim = await backend.withClaims(subject, fresh());
    expect(codeOf(await link(withoutClaim))).toBe("CONFLICT");
    const withOurs = await backend.withClaims(subject, { ...fresh(), daybook_org: orgId });
    expect(codeOf(await link(withOurs))).toBe("CONFLICT");
    const invited = committed(
      await withoutClaim.mutation(commands.members.invite, { role: "manager", idempotencyKey: key() }),
    );
    const manager = newSubject("manager");
    committed(
      await (
        await backend.withClaims(manager, {})
      ).mutation(commands.members.acceptInvitation, {
        invitationToken: invited.result.invitationToken ?? "",
        idempotencyKey: key(),
      }),
    );
    const claiming = await backend.withClaims(manager, {
      ...fresh(),
      daybook_org: `org_${newSubject("p")}`,
    });
    expect(codeOf(await link(claiming))).toBe("FORBIDDEN");
  });

  test("the operator's link follows the issuer: the same id of another one means nothing", async () => {
    const backend = await open();
    const subject = newSubject("owner");
    const orgId = await found(await backend.withClaims(subject, {}));
    const providerOrgId = `org_${newSubject("p")}`;
    const elsewhere = { orgId, issuer: "https://other.example", providerOrgId };
    const { linkProvider, unlinkProvider } = internal.operator.organizations;
    for (const bad of [elsewhere.orgId, "", "two words", "x".repeat(129)]) {
      const refused = await backend.operator.mutation(linkProvider, { ...elsewhere, providerOrgId: bad });
      expect(refused).toMatchObject({ code: "INVALID", field: "providerOrgId" });
    }
    committed(await backend.operator.mutation(linkProvider, elsewhere));
    const claiming = await backend.withClaims(subject, { daybook_org: providerOrgId });
    expect(await currentCode(claiming)).toBe("NO_ACTIVE_ORG");
    committed(await backend.operator.mutation(unlinkProvider, elsewhere));
    committed(await backend.operator.mutation(linkProvider, { ...elsewhere, issuer: backend.issuer }));
    expect(await currentCode(claiming)).toBe(orgId);
  });
}

function sessionTests(open: () => Promise<Backend>): void {
  test("tokens issued before a member's sessions were revoked are UNAUTHENTICATED here, newer ones are not", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const staff = await join(backend, orgId, owner.client, "staff");
    const { userId, subject } = staff;
    const own = await found(await backend.as({ subject, authenticatedAgoS: 0 }), "My own");
    const old = await backend.as({ subject, orgId, authenticatedAgoS: 0 });
    const elsewhere = await backend.as({ subject, orgId: own, authenticatedAgoS: 0 });
    expect(await currentCode(old)).toBe(orgId);
    committed(
      await owner.client.mutation(commands.members.revokeSessions, { userId, idempotencyKey: key() }),
    );
    expect(await currentCode(old)).toBe("UNAUTHENTICATED");
    const leaving = await old.mutation(commands.members.leave, { idempotencyKey: key() });
    expect(codeOf(leaving)).toBe("UNAUTHENTICATED");
    const mine = await old.query(projections.organizations.mine, { paginationOpts: FIRST_PAGE });
    expect(mine.page.map((row) => row.orgId)).toEqual([own]);
    expect(codeOf(await old.mutation(commands.session.selectOrganization, { orgId }))).toBe("NOT_FOUND");
    expect(await currentCode(elsewhere)).toBe(own);
    await nextSecond();
    const renewed = await backend.as({ subject, orgId, authenticatedAgoS: 0 });
    expect(await currentCode(renewed)).toBe(orgId);
  });

  test("a token that does not tell its time of issue is refused once sessions were revoked", async () => {
    const backend = await open();
    const subject = newSubject("plain");
    const plain = await backend.withClaims(subject, {});
    const orgId = await found(plain);
    const { createdBy } = await plain.query(projections.organizations.current, {});
    expect(await currentCode(plain)).toBe(orgId);
    const revoked = await plain.mutation(commands.members.revokeSessions, {
      userId: createdBy.id,
      idempotencyKey: key(),
    });
    committed(revoked);
    expect(await currentCode(plain)).toBe("UNAUTHENTICATED");
    await nextSecond();
    expect(await currentCode(await backend.withClaims(subject, { daybook_iat: nowS() }))).toBe(orgId);
    expect(await currentCode(await backend.withClaims(subject, { daybook_iat: String(nowS()) }))).toBe(
      "UNAUTHENTICATED",
    );
  });

  test("revokeOthers refuses every older token in every organisation, and keeps the one that calls", async () => {
    const backend = await open();
    const subject = newSubject("two");
    const issued = (agoS: number): Record<string, number> => ({ daybook_iat: nowS() - agoS });
    const older = await backend.withClaims(subject, issued(60));
    const newer = await backend.withClaims(subject, issued(0));
    const plain = await backend.withClaims(subject, {});
    await found(older);
    expect(codeOf(await plain.mutation(commands.session.revokeOthers, {}))).toBe("CONFLICT");
    expect(await currentCode(older)).toMatch(/^org_/);
    expect(await newer.mutation(commands.session.revokeOthers, {})).toEqual({
      status: "committed",
      result: {},
    });
    expect(await currentCode(newer)).toMatch(/^org_/);
    for (const client of [older, plain]) {
      expect(await currentCode(client)).toBe("UNAUTHENTICATED");
      const page = { paginationOpts: FIRST_PAGE };
      const mine = await refusalOf(client.query(projections.organizations.mine, page));
      expect(mine.code).toBe("UNAUTHENTICATED");
      expect(codeOf(await client.mutation(commands.session.revokeOthers, {}))).toBe("UNAUTHENTICATED");
    }
  });

  test("A23 closing and linking want recent authentication; without it nothing happens", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const { subject } = owner;
    const { seq } = await owner.client.query(projections.ledger.head, {});
    const stale = await backend.as({ subject, orgId, authenticatedAgoS: 3_600 });
    const close = { reason: "other" as const, idempotencyKey: key() };
    expect(codeOf(await stale.mutation(organizations.close, close))).toBe("STEP_UP_REQUIRED");
    expect(codeOf(await link(stale))).toBe("STEP_UP_REQUIRED");
    const unlinking = { providerOrgId: "org_2aBcD", idempotencyKey: key() };
    expect(codeOf(await stale.mutation(organizations.unlinkProvider, unlinking))).toBe("STEP_UP_REQUIRED");
    expect((await owner.client.query(projections.ledger.head, {})).seq).toBe(seq);
    const log = await backend.operator.query(internal.access.securityLogReader.list, {
      orgId,
      paginationOpts: FIRST_PAGE,
    });
    const refused = log.page.filter(({ outcome }) => outcome === "refused");
    expect(refused.map(({ code }) => code)).toEqual(refused.map(() => "STEP_UP_REQUIRED"));
    expect(refused).toHaveLength(3);
    committed(await (await freshly(backend, owner, orgId)).mutation(organizations.close, close));
  });

  test("A23 what the first version does works with a token that says nothing of authentication", async () => {
    const backend = await open();
    const client = await backend.withClaims(newSubject("plain"), {});
    await found(client);
    for (const role of ["owner", "auditor"] as const) {
      committed(await client.mutation(commands.members.invite, { role, idempotencyKey: key() }));
    }
    committed(
      await client.mutation(organizations.freeze, { reason: "owner_request", idempotencyKey: key() }),
    );
    committed(await client.mutation(organizations.unfreeze, { idempotencyKey: key() }));
  });
}

function switchingTests(open: () => Promise<Backend>): void {
  test("L01 B03 a user of two organisations is in one of them at a time, and switching takes nothing along", async () => {
    const backend = await open();
    const a = await foundOrganization(backend, "A");
    const b = await foundOrganization(backend, "B");
    const { subject, userId } = await join(backend, a.orgId, a.owner.client, "manager");
    const invited = committed(
      await b.owner.client.mutation(commands.members.invite, { role: "staff", idempotencyKey: key() }),
    );
    const plain = await backend.as({ subject });
    committed(
      await plain.mutation(commands.members.acceptInvitation, {
        invitationToken: invited.result.invitationToken ?? "",
        idempotencyKey: key(),
      }),
    );
    const rename = { name: "Service", durationMinutes: 30, priceMinor: 1, idempotencyKey: key() };
    const inA = committed(await plain.mutation(commands.services.define, rename));
    expect(inA.receipt.orgId).toBe(a.orgId);
    committed(await plain.mutation(commands.session.selectOrganization, { orgId: b.orgId }));
    // The same key in the other organisation is another key: no receipt, and the other role decides.
    expect(codeOf(await plain.mutation(commands.services.define, rename))).toBe("FORBIDDEN");
    expect(await plain.query(projections.organizations.current, {})).toMatchObject({
      orgId: b.orgId,
      role: "staff",
    });
    const inAByClaim = await backend.as({ subject, orgId: a.orgId });
    const replay = committed(await inAByClaim.mutation(commands.services.define, rename));
    expect(replay).toEqual({ ...inA, replayed: true });
    committed(await a.owner.client.mutation(commands.members.suspend, { userId, idempotencyKey: key() }));
    expect(await currentCode(inAByClaim)).toBe("NO_ACTIVE_ORG");
    expect(await currentCode(plain)).toBe(b.orgId);
    committed(await b.owner.client.mutation(commands.members.remove, { userId, idempotencyKey: key() }));
    expect(await currentCode(plain)).toBe("NO_ACTIVE_ORG");
    const mine = await plain.query(projections.organizations.mine, { paginationOpts: FIRST_PAGE });
    expect(mine.page).toEqual([]);
  });
}

export function principalContract(open: () => Promise<Backend>): void {
  claimTests(open);
  editableClaimTests(open);
  providerTests(open);
  sessionTests(open);
  switchingTests(open);
}
