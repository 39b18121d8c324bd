/** A deployment that declares the claim of authentication's time: what is high asks for recent authentication. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { api } from "../../convex/_generated/api.js";
import type { Role } from "../../ledger/event.ts";
import type { Client } from "../support/backend.ts";
import { openHostBackend, type HostBackend } from "../support/hostBackend.ts";
import { codeOf, committed, foundOrganization, join, key } from "../support/scene.ts";

const { members, organizations } = api.commands;

let backend: HostBackend;

beforeAll(async () => {
  backend = await openHostBackend({
    DAYBOOK_AUTH_TIME_CLAIM: "auth_time",
    DAYBOOK_ISSUED_AT_CLAIM: "issued_at",
    DAYBOOK_ORG_CLAIM: "o.id",
  });
});
afterAll(async () => {
  await backend.close();
});

test("A23 granting and taking the roles of owner and auditor asks for recent authentication, the others do not", async () => {
  const { orgId, owner } = await foundOrganization(backend);
  const staff = await join(backend, orgId, owner.client, "staff");
  const stale = await backend.as({ subject: owner.subject, orgId, authenticatedAgoS: 601 });
  const change = async (client: Client, role: Role): Promise<{ status: string; code?: string }> =>
    await client.mutation(members.changeRole, { userId: staff.userId, role, idempotencyKey: key() });
  expect(codeOf(await change(stale, "auditor"))).toBe("STEP_UP_REQUIRED");
  expect(codeOf(await change(stale, "owner"))).toBe("STEP_UP_REQUIRED");
  committed(await change(stale, "manager"));
  const invited = await stale.mutation(members.invite, { role: "owner", idempotencyKey: key() });
  expect(codeOf(invited)).toBe("STEP_UP_REQUIRED");
  committed(await stale.mutation(members.invite, { role: "staff", idempotencyKey: key() }));
  const recent = await backend.as({ subject: owner.subject, orgId, authenticatedAgoS: 590 });
  committed(await change(recent, "owner"));
  expect(codeOf(await change(stale, "guest"))).toBe("STEP_UP_REQUIRED");
  const removed = await stale.mutation(members.remove, { userId: staff.userId, idempotencyKey: key() });
  expect(codeOf(removed)).toBe("STEP_UP_REQUIRED");
});

test("A23 a token without the declared claim is refused, one with it inside another claim names the organisation", async () => {
  const subject = "ada";
  const plain = await backend.withClaims(subject, {});
  const args = { name: "Studio", timeZone: "UTC", currency: "EUR", idempotencyKey: key() };
  const { orgId } = committed(await plain.mutation(organizations.create, args)).result;
  committed(await plain.mutation(organizations.freeze, { reason: "other", idempotencyKey: key() }));
  expect(codeOf(await plain.mutation(organizations.unfreeze, { idempotencyKey: key() }))).toBe(
    "STEP_UP_REQUIRED",
  );
  const authenticated = await backend.withClaims(subject, {
    o: { id: orgId, rol: "admin" },
    auth_time: Math.floor(Date.now() / 1000),
  });
  committed(await authenticated.mutation(organizations.unfreeze, { idempotencyKey: key() }));
  for (const claims of [{ o: { rol: "admin" } }, { o: orgId }, { o: { id: { id: orgId } } }]) {
    const odd = await backend.withClaims(subject, claims);
    const renamed = await odd.mutation(organizations.rename, { name: "Taken", idempotencyKey: key() });
    expect([claims, codeOf(renamed)]).toEqual([claims, "NO_ACTIVE_ORG"]);
  }
});
