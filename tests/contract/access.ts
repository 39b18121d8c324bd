/** Who may call what: sign-in, active organisation, roles, isolation, the end of a membership. */
import type { FunctionReference } from "convex/server";
import { expect, test } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import { ROLES, type Role } from "../../ledger/event.ts";
import type { Backend, Client } from "../support/backend.ts";
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
  requestBooking,
} from "../support/scene.ts";

/** The version of no stream. */
const NO_VERSION = 999_999;
const NOWHERE = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

const { commands, projections } = api;

type Call = { name: string; run: (client: Client) => Promise<string> };

async function commandCode(
  client: Client,
  ref: FunctionReference<"mutation">,
  args: Record<string, unknown>,
): Promise<string> {
  const response = (await client.mutation(ref, args)) as { status: string; code?: string };
  return response.status === "committed" ? "committed" : codeOf(response);
}

async function queryCode(
  client: Client,
  ref: FunctionReference<"query">,
  args: Record<string, unknown>,
): Promise<string> {
  const answer = client.query(ref, args);
  return await answer.then(
    () => "answered",
    async () => (await refusalOf(answer)).code,
  );
}

/** Every public function with arguments that are valid in form and name nothing that exists. */
export function everyFunction(): Call[] {
  const command = (
    name: string,
    ref: FunctionReference<"mutation">,
    args: Record<string, unknown>,
  ): Call => ({
    name,
    run: (client) => commandCode(client, ref, { ...args, idempotencyKey: key() }),
  });
  const query = (name: string, ref: FunctionReference<"query">, args: Record<string, unknown>): Call => ({
    name,
    run: (client) => queryCode(client, ref, args),
  });
  const bookingId = `bkg_${NOWHERE}`;
  const userId = `usr_${NOWHERE}`;
  const paymentId = `pay_${NOWHERE}`;
  const refundId = `rfd_${NOWHERE}`;
  const page = { paginationOpts: FIRST_PAGE };
  return [
    command("commands/organizations:create", commands.organizations.create, {
      name: "Atelier",
      timeZone: "Europe/Paris",
      currency: "EUR",
    }),
    command("commands/organizations:rename", commands.organizations.rename, { name: "Atelier" }),
    // A version that no stream has: what would end the caller's own access is refused before it does.
    command("commands/organizations:freeze", commands.organizations.freeze, {
      reason: "other",
      expectedVersion: NO_VERSION,
    }),
    command("commands/organizations:unfreeze", commands.organizations.unfreeze, {}),
    command("commands/organizations:close", commands.organizations.close, {
      reason: "other",
      expectedVersion: NO_VERSION,
    }),
    command("commands/organizations:linkProvider", commands.organizations.linkProvider, {}),
    command("commands/organizations:unlinkProvider", commands.organizations.unlinkProvider, {
      providerOrgId: "org_2aBcD",
    }),
    command("commands/members:invite", commands.members.invite, { role: "guest" }),
    command("commands/members:revokeInvitation", commands.members.revokeInvitation, {
      invitationId: `inv_${NOWHERE}`,
    }),
    command("commands/members:acceptInvitation", commands.members.acceptInvitation, {
      invitationToken: "A".repeat(43),
    }),
    command("commands/members:changeRole", commands.members.changeRole, { userId, role: "guest" }),
    command("commands/members:remove", commands.members.remove, { userId }),
    command("commands/members:suspend", commands.members.suspend, { userId }),
    command("commands/members:reinstate", commands.members.reinstate, { userId }),
    command("commands/members:revokeSessions", commands.members.revokeSessions, { userId }),
    command("commands/members:leave", commands.members.leave, { expectedVersion: NO_VERSION }),
    command("commands/services:define", commands.services.define, {
      name: "Cut",
      durationMinutes: 30,
      priceMinor: 100,
    }),
    command("commands/services:retire", commands.services.retire, { serviceId: `svc_${NOWHERE}` }),
    command("commands/bookings:request", commands.bookings.request, {
      serviceId: `svc_${NOWHERE}`,
      startsAt: Date.now() + 86_400_000,
    }),
    command("commands/bookings:confirm", commands.bookings.confirm, { bookingId }),
    command("commands/bookings:start", commands.bookings.start, { bookingId }),
    command("commands/bookings:complete", commands.bookings.complete, { bookingId }),
    command("commands/bookings:markNoShow", commands.bookings.markNoShow, { bookingId }),
    command("commands/bookings:unassign", commands.bookings.unassign, { bookingId }),
    command("commands/bookings:reschedule", commands.bookings.reschedule, {
      bookingId,
      startsAt: Date.now() + 86_400_000,
    }),
    command("commands/bookings:assign", commands.bookings.assign, { bookingId, assigneeId: userId }),
    command("commands/bookings:cancel", commands.bookings.cancel, { bookingId, reason: "other" }),
    command("commands/payments:request", commands.payments.request, { bookingId }),
    command("commands/payments:cancel", commands.payments.cancel, { paymentId }),
    command("commands/payments:requestRefund", commands.payments.requestRefund, {
      paymentId,
      reason: "other",
    }),
    command("commands/payments:approveRefund", commands.payments.approveRefund, { paymentId, refundId }),
    command("commands/payments:declineRefund", commands.payments.declineRefund, { paymentId, refundId }),
    command("commands/stripeAccount:beginLink", commands.stripeAccount.beginLink, {}),
    command("commands/stripeAccount:completeLink", commands.stripeAccount.completeLink, {
      state: "A".repeat(43),
      code: `ac_${"A".repeat(24)}`,
    }),
    command("commands/stripeAccount:unlink", commands.stripeAccount.unlink, {}),
    {
      name: "commands/session:selectOrganization",
      run: (client) => commandCode(client, commands.session.selectOrganization, { orgId: `org_${NOWHERE}` }),
    },
    {
      name: "commands/session:revokeOthers",
      run: (client) => commandCode(client, commands.session.revokeOthers, {}),
    },
    query("projections/organizations:mine", projections.organizations.mine, page),
    query("projections/organizations:current", projections.organizations.current, {}),
    query("projections/members:list", projections.members.list, page),
    query("projections/services:list", projections.services.list, page),
    query("projections/bookings:list", projections.bookings.list, page),
    query("projections/bookings:get", projections.bookings.get, { bookingId }),
    query("projections/payments:list", projections.payments.list, page),
    query("projections/payments:get", projections.payments.get, { paymentId }),
    query("projections/payments:payerSecret", projections.payments.payerSecret, { paymentId }),
    query("projections/stripeAccount:current", projections.stripeAccount.current, {}),
    query("projections/auditLog:list", projections.auditLog.list, page),
    query("projections/auditLog:range", projections.auditLog.range, {
      readingId: `rdg_${NOWHERE}`,
      ...page,
    }),
    command("commands/auditLog:beginReading", commands.auditLog.beginReading, { fromSeq: 1, toSeq: 1 }),
    command("commands/ledger:beginExport", commands.ledger.beginExport, {}),
    query("projections/securityLog:list", projections.securityLog.list, page),
    query("projections/alerts:list", projections.alerts.list, page),
    query("projections/deliveries:list", projections.deliveries.list, page),
    query("projections/ledger:head", projections.ledger.head, {}),
    query("projections/ledger:events", projections.ledger.events, { afterSeq: 0, limit: 10 }),
    {
      name: "commands/ledger:requestCheckpoint",
      run: (client) => commandCode(client, commands.ledger.requestCheckpoint, {}),
    },
    query("projections/ledger:checkpoint", projections.ledger.checkpoint, { size: 999_999 }),
    query("projections/ledger:checkpoints", projections.ledger.checkpoints, { afterSize: 0, limit: 10 }),
    query("projections/ledger:inclusionProof", projections.ledger.inclusionProof, {
      eventId: `evt_${NOWHERE}`,
    }),
    query("projections/ledger:consistencyProof", projections.ledger.consistencyProof, {
      fromSize: 1,
      toSize: 999_999,
    }),
    query("projections/ledger:streamAt", projections.ledger.streamAt, {
      stream: `booking/${bookingId}`,
      seq: 1,
    }),
    query("projections/ledger:rowDigests", projections.ledger.rowDigests, { table: "members", ...page }),
  ];
}

export const FUNCTION_NAMES: readonly string[] = everyFunction().map(({ name }) => name);

export const SIGNED_IN = [
  "commands/organizations:create",
  "commands/members:acceptInvitation",
  "commands/session:selectOrganization",
  "commands/session:revokeOthers",
  "projections/organizations:mine",
];

/** What only an owner does to the organisation itself. */
const OWNERS = [
  "commands/organizations:rename",
  "commands/organizations:freeze",
  "commands/organizations:unfreeze",
  "commands/organizations:close",
  "commands/organizations:linkProvider",
  "commands/organizations:unlinkProvider",
  "commands/stripeAccount:beginLink",
  "commands/stripeAccount:completeLink",
  "commands/stripeAccount:unlink",
];

/** What owners and auditors do with the evidence. */
const EVIDENCE = [
  "commands/ledger:beginExport",
  "projections/securityLog:list",
  "projections/alerts:list",
  "projections/deliveries:list",
  "projections/ledger:head",
  "projections/ledger:events",
  "commands/ledger:requestCheckpoint",
  "projections/ledger:checkpoint",
  "projections/ledger:checkpoints",
  "projections/ledger:consistencyProof",
  "projections/ledger:streamAt",
  "projections/ledger:rowDigests",
];

/** The audit log, for managers too. */
const AUDIT_LOG = [
  "commands/auditLog:beginReading",
  "projections/auditLog:list",
  "projections/auditLog:range",
];
/** Everybody proves what they did themselves. */
const OWN_PROOF = "projections/ledger:inclusionProof";

/** The functions that each role may not call at all, typed from the design's table. */
const FORBIDDEN: Record<Role, readonly string[]> = {
  owner: [],
  manager: [...OWNERS, ...EVIDENCE],
  staff: [
    ...OWNERS,
    "commands/members:invite",
    "commands/members:changeRole",
    "commands/members:remove",
    "commands/members:suspend",
    "commands/members:reinstate",
    "commands/members:revokeSessions",
    "commands/members:revokeInvitation",
    "commands/services:define",
    "commands/services:retire",
    "commands/bookings:confirm",
    "commands/bookings:assign",
    "commands/bookings:unassign",
    "commands/bookings:cancel",
    "commands/payments:cancel",
    "commands/payments:requestRefund",
    "commands/payments:approveRefund",
    "commands/payments:declineRefund",
    "projections/stripeAccount:current",
    ...AUDIT_LOG,
    ...EVIDENCE,
  ],
  freelancer: FUNCTION_NAMES.filter(
    (name) =>
      !SIGNED_IN.includes(name) &&
      ![
        "commands/members:leave",
        "projections/organizations:current",
        "projections/bookings:list",
        "projections/bookings:get",
        OWN_PROOF,
      ].includes(name),
  ),
  guest: FUNCTION_NAMES.filter(
    (name) =>
      !SIGNED_IN.includes(name) &&
      !["commands/members:leave", "projections/organizations:current", OWN_PROOF].includes(name),
  ),
  auditor: FUNCTION_NAMES.filter(
    (name) =>
      !SIGNED_IN.includes(name) &&
      ![
        "projections/organizations:current",
        "projections/members:list",
        OWN_PROOF,
        ...AUDIT_LOG,
        ...EVIDENCE,
      ].includes(name),
  ),
};

export function accessContract(open: () => Promise<Backend>): void {
  test("A01 without a token every public function answers UNAUTHENTICATED", async () => {
    const backend = await open();
    for (const { name, run } of everyFunction()) {
      expect([name, await run(backend.anonymous())]).toEqual([name, "UNAUTHENTICATED"]);
    }
  });

  test("a user without an organisation gets NO_ACTIVE_ORG wherever one is needed", async () => {
    const backend = await open();
    const stranger = await backend.as({ subject: newSubject("stranger") });
    for (const { name, run } of everyFunction().filter((call) => !SIGNED_IN.includes(call.name))) {
      expect([name, await run(stranger)]).toEqual([name, "NO_ACTIVE_ORG"]);
    }
    const mine = await stranger.query(projections.organizations.mine, { paginationOpts: FIRST_PAGE });
    expect(mine.page).toEqual([]);
  });

  test("D01 D09 each role is refused exactly what the table does not grant", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    for (const role of ROLES) {
      const { client } = role === "owner" ? owner : await join(backend, orgId, owner.client, role);
      const refused: string[] = [];
      for (const { name, run } of everyFunction())
        if ((await run(client)) === "FORBIDDEN") refused.push(name);
      expect([role, refused.sort()]).toEqual([role, [...FORBIDDEN[role]].sort()]);
    }
  });

  test("a claim that is no active membership never falls through to the stored choice", async () => {
    const backend = await open();
    const { owner } = await foundOrganization(backend);
    const other = await foundOrganization(backend, "Clinic Green");
    for (const orgId of [other.orgId, `org_${NOWHERE}`, "", "owner"]) {
      const client = await backend.as({ subject: owner.subject, orgId });
      const refusal = await refusalOf(client.query(projections.organizations.current, {}));
      expect(refusal.code).toBe("NO_ACTIVE_ORG");
      const renamed = await client.mutation(commands.organizations.rename, {
        name: "Taken",
        idempotencyKey: key(),
      });
      expect(codeOf(renamed)).toBe("NO_ACTIVE_ORG");
    }
  });

  test("a user with two organisations works in the one that the token or the stored choice names", async () => {
    const backend = await open();
    const a = await foundOrganization(backend, "A");
    const subject = a.owner.subject;
    const plain = await backend.as({ subject });
    const second = committed(
      await plain.mutation(commands.organizations.create, {
        name: "B",
        timeZone: "UTC",
        currency: "USD",
        idempotencyKey: key(),
      }),
    ).result.orgId;
    expect((await plain.query(projections.organizations.current, {})).orgId).toBe(a.orgId);
    const chosen = await plain.mutation(commands.session.selectOrganization, { orgId: second });
    expect(chosen).toEqual({ status: "committed", result: {} });
    expect((await plain.query(projections.organizations.current, {})).name).toBe("B");
    const claimed = await backend.as({ subject, orgId: a.orgId });
    expect((await claimed.query(projections.organizations.current, {})).name).toBe("A");
    const mine = await plain.query(projections.organizations.mine, { paginationOpts: FIRST_PAGE });
    expect(mine.page.map(({ orgId, role }) => [orgId, role]).sort()).toEqual(
      [
        [a.orgId, "owner"],
        [second, "owner"],
      ].sort(),
    );
  });

  test("C01 K03 selecting a foreign organisation answers like selecting one that does not exist", async () => {
    const backend = await open();
    const { owner } = await foundOrganization(backend);
    const other = await foundOrganization(backend);
    const foreign = await owner.client.mutation(commands.session.selectOrganization, { orgId: other.orgId });
    const missing = await owner.client.mutation(commands.session.selectOrganization, {
      orgId: `org_${NOWHERE}`,
    });
    expect(codeOf(foreign)).toBe("NOT_FOUND");
    expect(JSON.stringify(foreign)).toBe(JSON.stringify(missing));
  });

  test("C01 K01 ids of another organisation answer byte for byte like ids of nothing", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const other = await foundOrganization(backend);
    const foreign = {
      user: other.owner.userId,
      service: await defineService(other.owner.client),
      booking: "",
    };
    foreign.booking = await requestBooking(other.owner.client, foreign.service, 5);
    const nothing = { user: `usr_${NOWHERE}`, service: `svc_${NOWHERE}`, booking: `bkg_${NOWHERE}` };
    const ownService = await defineService(owner.client);
    const ownBooking = await requestBooking(owner.client, ownService, 5);
    const staff = await join(backend, orgId, owner.client, "staff");
    const startsAt = Date.now() + 86_400_000;

    const answersTo = async (client: Client, ids: typeof foreign): Promise<string[]> => {
      const { bookings, members, services } = commands;
      const bookingId = ids.booking;
      const responses: unknown[] = [
        await client.mutation(bookings.confirm, { bookingId, idempotencyKey: key() }),
        await client.mutation(bookings.start, { bookingId, idempotencyKey: key() }),
        await client.mutation(bookings.complete, { bookingId, idempotencyKey: key() }),
        await client.mutation(bookings.markNoShow, { bookingId, idempotencyKey: key() }),
        await client.mutation(bookings.unassign, { bookingId, idempotencyKey: key() }),
        await client.mutation(bookings.cancel, { bookingId, reason: "other", idempotencyKey: key() }),
        await client.mutation(bookings.reschedule, { bookingId, startsAt, idempotencyKey: key() }),
        await client.mutation(bookings.reschedule, {
          bookingId,
          startsAt,
          expectedVersion: 7,
          idempotencyKey: key(),
        }),
        await client.mutation(bookings.assign, { bookingId, assigneeId: ids.user, idempotencyKey: key() }),
        await client.mutation(bookings.assign, {
          bookingId: ownBooking,
          assigneeId: ids.user,
          idempotencyKey: key(),
        }),
        await client.mutation(bookings.request, { serviceId: ids.service, startsAt, idempotencyKey: key() }),
        await client.mutation(bookings.request, {
          serviceId: ownService,
          startsAt,
          assigneeId: ids.user,
          idempotencyKey: key(),
        }),
        await client.mutation(services.retire, { serviceId: ids.service, idempotencyKey: key() }),
        await client.mutation(members.changeRole, { userId: ids.user, role: "staff", idempotencyKey: key() }),
        await client.mutation(members.remove, { userId: ids.user, idempotencyKey: key() }),
        await client.mutation(members.suspend, { userId: ids.user, idempotencyKey: key() }),
        await client.mutation(members.reinstate, { userId: ids.user, idempotencyKey: key() }),
        await client.mutation(members.revokeSessions, { userId: ids.user, idempotencyKey: key() }),
        await refusalOf(client.query(projections.bookings.get, { bookingId })),
      ];
      return responses.map((response) => JSON.stringify(response));
    };
    for (const client of [owner.client, staff.client]) {
      expect(await answersTo(client, foreign)).toEqual(await answersTo(client, nothing));
    }
    const codes = (await answersTo(owner.client, foreign)).map(
      (text) => (JSON.parse(text) as { code: string }).code,
    );
    expect(new Set(codes)).toEqual(new Set(["NOT_FOUND"]));
  });

  test("A19 a removed member is refused at the next call, with the same token", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const staff = await join(backend, orgId, owner.client, "staff");
    expect(await queryCode(staff.client, projections.services.list, { paginationOpts: FIRST_PAGE })).toBe(
      "answered",
    );
    committed(
      await owner.client.mutation(commands.members.remove, { userId: staff.userId, idempotencyKey: key() }),
    );
    for (const { name, run } of everyFunction().filter((call) => !SIGNED_IN.includes(call.name))) {
      expect([name, await run(staff.client)]).toEqual([name, "NO_ACTIVE_ORG"]);
    }
    const mine = await staff.client.query(projections.organizations.mine, { paginationOpts: FIRST_PAGE });
    expect(mine.page).toEqual([]);
  });

  test("refusals are kept in the organisation's security log, ordinary mistakes are not", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const guest = await join(backend, orgId, owner.client, "guest");
    await guest.client.mutation(commands.services.define, {
      name: "Cut",
      durationMinutes: 30,
      priceMinor: 1,
      idempotencyKey: key(),
    });
    await owner.client.mutation(commands.bookings.confirm, {
      bookingId: `bkg_${NOWHERE}`,
      idempotencyKey: key(),
    });
    await owner.client.mutation(commands.services.define, {
      name: "Cut",
      durationMinutes: -1,
      priceMinor: 1,
      idempotencyKey: key(),
    });
    const log = await backend.operator.query(internal.access.securityLogReader.list, {
      orgId,
      paginationOpts: FIRST_PAGE,
    });
    const refused = log.page.filter(({ outcome }) => outcome === "refused");
    const rows = refused.map(({ userId, function: name, code }) => [userId, name, code]).sort();
    expect(rows).toEqual(
      [
        [guest.userId, "commands/services:define", "FORBIDDEN"],
        [owner.userId, "commands/bookings:confirm", "NOT_FOUND"],
      ].sort(),
    );
  });
}
