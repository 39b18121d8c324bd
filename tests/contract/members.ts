/** Invitations, roles, ranks and the last owner. */
import { expect, test } from "vitest";
import { api } from "../../convex/_generated/api.js";
import type { Role } from "../../ledger/event.ts";
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
} from "../support/scene.ts";

const { commands, projections } = api;

async function invite(
  client: Client,
  role: Role,
): Promise<{ invitationId: string; invitationToken?: string }> {
  return committed(await client.mutation(commands.members.invite, { role, idempotencyKey: key() })).result;
}

export function membersContract(open: () => Promise<Backend>): void {
  test("an invitation is accepted once, with the role that it names", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const { invitationToken = "" } = await invite(owner.client, "freelancer");
    expect(invitationToken).toMatch(/^[A-Za-z0-9_-]{43}$/);
    const guest = await backend.as({ subject: newSubject("guest") });
    const accepted = committed(
      await guest.mutation(commands.members.acceptInvitation, { invitationToken, idempotencyKey: key() }),
    );
    expect(accepted.result).toEqual({ orgId, role: "freelancer" });
    expect((await guest.query(projections.organizations.current, {})).role).toBe("freelancer");
    const second = await backend.as({ subject: newSubject("second") });
    const again = await second.mutation(commands.members.acceptInvitation, {
      invitationToken,
      idempotencyKey: key(),
    });
    expect(codeOf(again)).toBe("INVITATION_UNUSABLE");
  });

  test("B09 an invitation leads into its own organisation with its own role, whatever the token and the call say", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const elsewhere = await foundOrganization(backend, "Clinic Green");
    const { subject } = elsewhere.owner;
    const { invitationToken = "" } = await invite(owner.client, "staff");
    const invitee = await backend.as({ subject, orgId: elsewhere.orgId });
    for (const [field, value] of [
      ["role", "owner"],
      ["orgId", elsewhere.orgId],
    ] as const) {
      const args = { invitationToken, idempotencyKey: key(), [field]: value };
      const refused = await invitee.mutation(commands.members.acceptInvitation, args);
      expect(refused).toMatchObject({ code: "INVALID", field });
    }
    const accepted = committed(
      await invitee.mutation(commands.members.acceptInvitation, { invitationToken, idempotencyKey: key() }),
    );
    expect(accepted.result).toEqual({ orgId, role: "staff" });
    expect(accepted.receipt.orgId).toBe(orgId);
    const roles = (await invitee.query(projections.organizations.mine, { paginationOpts: FIRST_PAGE })).page;
    expect(new Map(roles.map((row) => [row.orgId, row.role]))).toEqual(
      new Map([
        [elsewhere.orgId, "owner"],
        [orgId, "staff"],
      ]),
    );
    expect((await invitee.query(projections.organizations.current, {})).orgId).toBe(elsewhere.orgId);
  });

  test("an unknown invitation token is INVITATION_UNUSABLE, a malformed one INVALID", async () => {
    const backend = await open();
    const guest = await backend.as({ subject: newSubject("guest") });
    const unknown = await guest.mutation(commands.members.acceptInvitation, {
      invitationToken: "B".repeat(43),
      idempotencyKey: key(),
    });
    expect(codeOf(unknown)).toBe("INVITATION_UNUSABLE");
    const malformed = await guest.mutation(commands.members.acceptInvitation, {
      invitationToken: "B",
      idempotencyKey: key(),
    });
    expect(malformed).toMatchObject({ code: "INVALID", field: "invitationToken" });
  });

  test("a replayed invitation derives the same token until it is used", async () => {
    const backend = await open();
    const { owner } = await foundOrganization(backend);
    const args = { role: "staff" as const, idempotencyKey: key() };
    const first = committed(await owner.client.mutation(commands.members.invite, args));
    const replay = committed(await owner.client.mutation(commands.members.invite, args));
    expect(replay).toEqual({ ...first, replayed: true });
    const guest = await backend.as({ subject: newSubject("guest") });
    committed(
      await guest.mutation(commands.members.acceptInvitation, {
        invitationToken: first.result.invitationToken ?? "",
        idempotencyKey: key(),
      }),
    );
    const late = committed(await owner.client.mutation(commands.members.invite, args));
    expect(late.result).toEqual({ invitationId: first.result.invitationId });
    expect(late.receipt).toEqual(first.receipt);
  });

  test("a revoked invitation opens nothing, and is not derived again", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const manager = await join(backend, orgId, owner.client, "manager");
    const args = { role: "staff", idempotencyKey: key() } as const;
    const { invitationId, invitationToken = "" } = committed(
      await owner.client.mutation(commands.members.invite, args),
    ).result;
    const revoke = (client: Client, id = invitationId) =>
      client.mutation(commands.members.revokeInvitation, { invitationId: id, idempotencyKey: key() });
    // The rank rule holds for the role that it gives, not for who made it.
    for (const role of ["manager", "auditor", "owner"] as const) {
      const ofOwner = await invite(await freshly(backend, owner, orgId), role);
      expect([role, codeOf(await revoke(manager.client, ofOwner.invitationId))]).toEqual([role, "FORBIDDEN"]);
    }
    committed(await revoke(manager.client));
    const guest = await backend.as({ subject: newSubject("guest") });
    const refused = await guest.mutation(commands.members.acceptInvitation, {
      invitationToken,
      idempotencyKey: key(),
    });
    expect(codeOf(refused)).toBe("INVITATION_UNUSABLE");
    const replay = committed(await owner.client.mutation(commands.members.invite, args));
    expect([replay.replayed, replay.result]).toEqual([true, { invitationId }]);
    expect(codeOf(await revoke(owner.client))).toBe("INVALID_TRANSITION");
    const other = await foundOrganization(backend);
    expect(codeOf(await revoke(other.owner.client))).toBe("NOT_FOUND");
    const log = await owner.client.query(projections.auditLog.list, { paginationOpts: FIRST_PAGE });
    expect(log.page[0]?.summary).toBe(`Invitation ${invitationId} revoked`);
  });

  test("a member who accepts another invitation is ALREADY_MEMBER and the invitation stays open", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const staff = await join(backend, orgId, owner.client, "staff");
    const { invitationToken = "" } = await invite(owner.client, "manager");
    const accepted = await staff.client.mutation(commands.members.acceptInvitation, {
      invitationToken,
      idempotencyKey: key(),
    });
    expect(codeOf(accepted)).toBe("ALREADY_MEMBER");
    const guest = await backend.as({ subject: newSubject("guest") });
    committed(
      await guest.mutation(commands.members.acceptInvitation, { invitationToken, idempotencyKey: key() }),
    );
  });

  test("D03 a manager grants and touches only ranks below their own", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const manager = await join(backend, orgId, owner.client, "manager");
    const peer = await join(backend, orgId, owner.client, "manager");
    const auditor = await join(backend, orgId, owner.client, "auditor");
    const staff = await join(backend, orgId, owner.client, "staff");
    const { members } = commands;
    for (const role of ["owner", "manager", "auditor"] as const) {
      const invited = await manager.client.mutation(members.invite, { role, idempotencyKey: key() });
      expect([role, codeOf(invited)]).toEqual([role, "FORBIDDEN"]);
      const promoted = await manager.client.mutation(members.changeRole, {
        userId: staff.userId,
        role,
        idempotencyKey: key(),
      });
      expect([role, codeOf(promoted)]).toEqual([role, "FORBIDDEN"]);
    }
    for (const target of [owner, peer, auditor, manager]) {
      const removed = await manager.client.mutation(members.remove, {
        userId: target.userId,
        idempotencyKey: key(),
      });
      expect(codeOf(removed)).toBe("FORBIDDEN");
      const changed = await manager.client.mutation(members.changeRole, {
        userId: target.userId,
        role: "guest",
        idempotencyKey: key(),
      });
      expect(codeOf(changed)).toBe("FORBIDDEN");
    }
    committed(
      await manager.client.mutation(members.changeRole, {
        userId: staff.userId,
        role: "freelancer",
        idempotencyKey: key(),
      }),
    );
    committed(await manager.client.mutation(members.remove, { userId: staff.userId, idempotencyKey: key() }));
  });

  test("an organisation keeps its last owner", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const { members } = commands;
    const demote = (userId: string): Promise<{ status: string; code?: string }> =>
      owner.client.mutation(members.changeRole, { userId, role: "staff", idempotencyKey: key() });
    expect(codeOf(await demote(owner.userId))).toBe("LAST_OWNER");
    const leave = await owner.client.mutation(members.remove, {
      userId: owner.userId,
      idempotencyKey: key(),
    });
    expect(codeOf(leave)).toBe("LAST_OWNER");
    await invite(owner.client, "owner");
    expect(codeOf(await demote(owner.userId))).toBe("LAST_OWNER");
    const second = await join(backend, orgId, owner.client, "owner");
    committed(await demote(owner.userId));
    const alone = await second.client.mutation(members.remove, {
      userId: second.userId,
      idempotencyKey: key(),
    });
    expect(codeOf(alone)).toBe("LAST_OWNER");
  });

  test("a removed member who comes back keeps the user id and the stream's version", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const staff = await join(backend, orgId, owner.client, "staff");
    committed(
      await owner.client.mutation(commands.members.remove, { userId: staff.userId, idempotencyKey: key() }),
    );
    const { invitationToken = "" } = await invite(owner.client, "manager");
    committed(
      await staff.client.mutation(commands.members.acceptInvitation, {
        invitationToken,
        idempotencyKey: key(),
      }),
    );
    const list = await owner.client.query(projections.members.list, { paginationOpts: FIRST_PAGE });
    const row = list.page.find(({ userId }) => userId === staff.userId);
    expect(row).toMatchObject({ role: "manager", status: "active", version: 3 });
    expect((await staff.client.query(projections.organizations.current, {})).role).toBe("manager");
  });

  test("a stale version of a member is a VERSION_CONFLICT", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const staff = await join(backend, orgId, owner.client, "staff");
    const change = (role: Role, expectedVersion: number): Promise<{ status: string; code?: string }> =>
      owner.client.mutation(commands.members.changeRole, {
        userId: staff.userId,
        role,
        expectedVersion,
        idempotencyKey: key(),
      });
    committed(await change("freelancer", 1));
    expect(codeOf(await change("staff", 1))).toBe("VERSION_CONFLICT");
    committed(await change("staff", 2));
  });
}
