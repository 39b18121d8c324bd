/** Suspension, leaving, and the owners that an organisation keeps. */
import { expect, test } from "vitest";
import { api } from "../../convex/_generated/api.js";
import type { Role } from "../../ledger/event.ts";
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
  requestBooking,
  type Actor,
} from "../support/scene.ts";
import { everyFunction, SIGNED_IN } from "./access.ts";

const { commands, projections } = api;
const { members } = commands;

type Answer = { status: string; code?: string };
type OnMember = "suspend" | "reinstate" | "remove" | "revokeSessions";

async function act(client: Client, verb: OnMember, { userId }: Pick<Actor, "userId">): Promise<Answer> {
  return await client.mutation(members[verb], { userId, idempotencyKey: key() });
}

async function leave(client: Client): Promise<Answer> {
  return await client.mutation(members.leave, { idempotencyKey: key() });
}

async function changeRole(client: Client, { userId }: Pick<Actor, "userId">, role: Role): Promise<Answer> {
  return await client.mutation(members.changeRole, { userId, role, idempotencyKey: key() });
}

async function invite(client: Client, role: Role): Promise<string> {
  const invited = committed(await client.mutation(members.invite, { role, idempotencyKey: key() }));
  return invited.result.invitationToken ?? "";
}

async function accept(client: Client, invitationToken: string): Promise<Answer> {
  return await client.mutation(members.acceptInvitation, { invitationToken, idempotencyKey: key() });
}

export function membershipContract(open: () => Promise<Backend>): void {
  test("D05 the last owner keeps the role on every way out of it", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const manager = await join(backend, orgId, owner.client, "manager");
    const ways = [
      await changeRole(owner.client, owner, "manager"),
      await act(owner.client, "remove", owner),
      await act(owner.client, "suspend", owner),
      await leave(owner.client),
    ];
    expect(ways.map(codeOf)).toEqual(ways.map(() => "LAST_OWNER"));
    const byManager = [
      await changeRole(manager.client, owner, "manager"),
      await act(manager.client, "remove", owner),
      await act(manager.client, "suspend", owner),
    ];
    expect(byManager.map(codeOf)).toEqual(byManager.map(() => "FORBIDDEN"));
  });

  test("D07 an owner who is only invited, suspended or removed does not count", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    await invite(owner.client, "owner");
    expect(codeOf(await leave(owner.client))).toBe("LAST_OWNER");
    const second = await join(backend, orgId, owner.client, "owner");
    committed(await act(owner.client, "suspend", second));
    expect(codeOf(await leave(owner.client))).toBe("LAST_OWNER");
    expect(codeOf(await changeRole(owner.client, owner, "staff"))).toBe("LAST_OWNER");
    committed(await act(owner.client, "remove", second));
    expect(codeOf(await leave(owner.client))).toBe("LAST_OWNER");
    const third = await join(backend, orgId, owner.client, "owner");
    committed(await leave(owner.client));
    expect(codeOf(await leave(third.client))).toBe("LAST_OWNER");
  });

  test("D11 of two owners who go at the same time one stays", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const second = await join(backend, orgId, owner.client, "owner");
    const answers = await Promise.all([
      leave(owner.client),
      leave(second.client),
      act(owner.client, "suspend", second),
      act(second.client, "suspend", owner),
    ]);
    expect(answers.filter(({ status }) => status === "committed")).toHaveLength(1);
    const left = [owner, second].map(async ({ client }) => {
      return await client.query(projections.organizations.mine, { paginationOpts: FIRST_PAGE });
    });
    const holding = (await Promise.all(left)).filter(({ page }) => page.length === 1);
    expect(holding).toHaveLength(1);
  });

  test("R27 a suspended member is active for nothing, whatever the token says, until reinstated", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const staff = await join(backend, orgId, owner.client, "staff");
    const serviceId = await defineService(owner.client);
    const bookingId = await requestBooking(owner.client, serviceId, 2, staff.userId);
    const mine = async (): Promise<number> =>
      (await staff.client.query(projections.organizations.mine, { paginationOpts: FIRST_PAGE })).page.length;
    committed(await act(owner.client, "suspend", staff));
    expect(codeOf(await act(owner.client, "suspend", staff))).toBe("INVALID_TRANSITION");
    expect(codeOf(await changeRole(owner.client, staff, "manager"))).toBe("INVALID_TRANSITION");
    for (const { name, run } of everyFunction().filter((call) => !SIGNED_IN.includes(call.name))) {
      expect([name, await run(staff.client)]).toEqual([name, "NO_ACTIVE_ORG"]);
    }
    expect(await mine()).toBe(0);
    const chosen = await staff.client.mutation(commands.session.selectOrganization, { orgId });
    expect(codeOf(chosen)).toBe("NOT_FOUND");
    expect(codeOf(await accept(staff.client, await invite(owner.client, "owner")))).toBe("ALREADY_MEMBER");
    const assigned = await owner.client.mutation(commands.bookings.request, {
      serviceId,
      startsAt: Date.now() + 10 * 3_600_000,
      assigneeId: staff.userId,
      idempotencyKey: key(),
    });
    expect(assigned).toMatchObject({ code: "NOT_FOUND", field: "assigneeId" });
    const list = await owner.client.query(projections.members.list, { paginationOpts: FIRST_PAGE });
    const row = list.page.find(({ userId }) => userId === staff.userId);
    expect(row).toMatchObject({ role: "staff", status: "suspended" });

    committed(await act(owner.client, "reinstate", staff));
    expect(codeOf(await act(owner.client, "reinstate", staff))).toBe("INVALID_TRANSITION");
    expect(await mine()).toBe(1);
    const booking = await staff.client.query(projections.bookings.get, { bookingId });
    expect(booking.assigneeId).toBe(staff.userId);
  });

  test("an invitation works as long as whoever made it could make it again", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const manager = await join(backend, orgId, owner.client, "manager");
    const [first, second, third] = [
      await invite(manager.client, "staff"),
      await invite(manager.client, "staff"),
      await invite(manager.client, "guest"),
    ];
    const newcomer = async (token: string): Promise<string> => {
      const { status, code } = await accept(await backend.as({ subject: newSubject("newcomer") }), token);
      return code ?? status;
    };
    await act(owner.client, "suspend", manager);
    expect(await newcomer(first)).toBe("INVITATION_UNUSABLE");
    await act(owner.client, "reinstate", manager);
    expect(await newcomer(first)).toBe("committed");
    await changeRole(owner.client, manager, "staff");
    expect(await newcomer(second)).toBe("INVITATION_UNUSABLE");
    expect(await newcomer(third)).toBe("committed");
    await changeRole(owner.client, manager, "manager");
    await act(owner.client, "remove", manager);
    const themselves = await backend.as({ subject: manager.subject });
    expect(codeOf(await accept(themselves, second))).toBe("INVITATION_UNUSABLE");
  });

  test("a suspended member who is removed is NOT_FOUND for reinstatement, and comes back by invitation", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const staff = await join(backend, orgId, owner.client, "staff");
    committed(await act(owner.client, "suspend", staff));
    committed(await act(owner.client, "remove", staff));
    expect(codeOf(await act(owner.client, "reinstate", staff))).toBe("NOT_FOUND");
    committed(await accept(staff.client, await invite(owner.client, "guest")));
    expect((await staff.client.query(projections.organizations.current, {})).role).toBe("guest");
  });

  test("D01 a manager suspends, reinstates and signs out only who is below", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const manager = await join(backend, orgId, owner.client, "manager");
    const staff = await join(backend, orgId, owner.client, "staff");
    const above = [
      owner,
      manager,
      await join(backend, orgId, owner.client, "manager"),
      await join(backend, orgId, owner.client, "auditor"),
    ];
    for (const verb of ["suspend", "reinstate", "revokeSessions"] as const) {
      for (const target of above) {
        expect([verb, codeOf(await act(manager.client, verb, target))]).toEqual([verb, "FORBIDDEN"]);
      }
      committed(await act(manager.client, verb, staff));
    }
    const peer = above[2] ?? owner;
    committed(await act(owner.client, "suspend", peer));
    expect(codeOf(await act(manager.client, "reinstate", peer))).toBe("FORBIDDEN");
    expect(codeOf(await act(manager.client, "remove", peer))).toBe("FORBIDDEN");
  });

  test("whoever leaves is gone at the next call, and the audit log says that they left", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    for (const role of ["owner", "manager", "staff", "freelancer", "guest"] as const) {
      const member = await join(backend, orgId, owner.client, role);
      const args = { idempotencyKey: key() };
      const left = committed(await member.client.mutation(members.leave, args));
      expect(codeOf(await member.client.mutation(members.leave, args))).toBe("NO_ACTIVE_ORG");
      const log = await owner.client.query(projections.auditLog.list, { paginationOpts: FIRST_PAGE });
      const line = log.page.find(({ seq }) => seq === left.receipt.lastSeq);
      expect(line).toMatchObject({
        type: "member.removed",
        category: "membership",
        actor: { kind: "user", id: member.userId, role },
        summary: `${member.userId} left (was ${role})`,
      });
    }
    const auditor = await join(backend, orgId, owner.client, "auditor");
    expect(codeOf(await leave(auditor.client))).toBe("FORBIDDEN");
  });
}
