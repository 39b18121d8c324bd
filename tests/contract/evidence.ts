/** What owners and auditors see of access itself: recorded exports, the security log, alerts. */
import { expect, test } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import type { EventEnvelope } from "../../ledger/event.ts";
import type { Backend, Client } from "../support/backend.ts";
import {
  codeOf,
  committed,
  FIRST_PAGE,
  foundOrganization,
  freshly,
  join,
  key,
  refusalOf,
} from "../support/scene.ts";
import { readLedger } from "./ledger.ts";

const { commands, projections } = api;
const page = { paginationOpts: FIRST_PAGE };

function beginExport(client: Client, idempotencyKey = key()) {
  return client.mutation(commands.ledger.beginExport, { idempotencyKey });
}

export function evidenceContract(open: () => Promise<Backend>): void {
  test("P25 an export is itself an event, which lies after the head that it pins", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const auditor = await join(backend, orgId, owner.client, "auditor");
    const head = await auditor.client.query(projections.ledger.head, {});
    const idempotencyKey = key();
    const begun = committed(await beginExport(auditor.client, idempotencyKey));
    expect(begun.result.headHash).toBe(head.hash);
    expect(begun.receipt).toMatchObject({ orgId, firstSeq: head.seq + 1, lastSeq: head.seq + 1 });
    const last = JSON.parse((await readLedger(owner.client)).at(-1)?.text ?? "{}") as EventEnvelope;
    expect(last).toMatchObject({
      seq: head.seq + 1,
      stream: `export/${begun.result.exportId}`,
      type: "export.begun",
      actor: { kind: "user", id: auditor.userId, role: "auditor" },
      data: { headSeq: head.seq, headHash: head.hash },
    });
    const log = await owner.client.query(projections.auditLog.list, { ...page, category: "export" });
    expect(log.page.map(({ summary }) => summary)).toEqual([`Export begun, up to sequence ${head.seq}`]);
    const again = committed(await beginExport(auditor.client, idempotencyKey));
    expect(again).toEqual({ ...begun, replayed: true });
  });

  test("an export is recorded in a frozen organisation, and not where the chain is damaged or closed", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const manager = await join(backend, orgId, owner.client, "manager");
    expect(codeOf(await beginExport(manager.client))).toBe("FORBIDDEN");
    const { organizations: operator } = internal.operator;
    committed(await backend.operator.mutation(operator.freeze, { orgId, reason: "other" }));
    expect(codeOf(await beginExport(manager.client))).toBe("ORG_FROZEN");
    committed(await beginExport(owner.client));
    await backend.operator.mutation(internal.workers.integrity.report, { orgId, seq: 1, kind: "altered" });
    expect(codeOf(await beginExport(owner.client))).toBe("ORG_FROZEN");
    committed(await backend.operator.mutation(operator.unfreeze, { orgId }));
    const closing = { reason: "other" as const, idempotencyKey: key() };
    committed(await (await freshly(backend, owner, orgId)).mutation(commands.organizations.close, closing));
    expect(codeOf(await beginExport(owner.client))).toBe("ORG_CLOSED");
    expect((await readLedger(owner.client)).length).toBeGreaterThan(0);
  });

  test("R70 R71 the security log tells who did what, when, with which outcome, and leads to the host's log", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const staff = await join(backend, orgId, owner.client, "staff");
    const before = Date.now() - 1_000;
    const rename = { name: "CANARY-name", idempotencyKey: key() };
    expect(codeOf(await staff.client.mutation(commands.organizations.rename, rename))).toBe("FORBIDDEN");
    committed(
      await owner.client.mutation(commands.members.changeRole, {
        userId: staff.userId,
        role: "freelancer",
        idempotencyKey: key(),
      }),
    );
    const auditor = await join(backend, orgId, owner.client, "auditor");
    const read = async (client: Client) => (await client.query(projections.securityLog.list, page)).page;
    const lines = await read(owner.client);
    expect(await read(auditor.client)).toEqual(lines);
    const told = lines.map(({ outcome, function: name, code, userId, role, count }) => {
      return { outcome, name, code, userId, role, count };
    });
    const byOwner = { userId: owner.userId, role: "owner", count: 1 };
    expect(told).toContainEqual({
      ...{ outcome: "refused", name: "commands/organizations:rename", code: "FORBIDDEN" },
      ...{ userId: staff.userId, role: "staff", count: 1 },
    });
    expect(told).toContainEqual({
      ...{ outcome: "changed", name: "members.changeRole", code: "member.roleChanged" },
      ...byOwner,
    });
    for (const { at, requestId } of lines) {
      expect(at).toBeGreaterThan(before - 60_000);
      expect(requestId ?? "").not.toBe("");
    }
    expect(JSON.stringify(lines)).not.toContain("CANARY");
  });

  test("the security log and the alerts are for the organisation's owners and auditors, a page at a time", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const other = await foundOrganization(backend, "Clinic Green");
    const manager = await join(backend, orgId, owner.client, "manager");
    await manager.client.mutation(commands.organizations.rename, { name: "B", idempotencyKey: key() });
    for (const list of [projections.securityLog.list, projections.alerts.list]) {
      expect((await refusalOf(manager.client.query(list, page))).code).toBe("FORBIDDEN");
    }
    const foreign = await other.owner.client.query(projections.securityLog.list, page);
    expect(foreign.page.map(({ userId }) => userId)).toEqual([other.owner.userId]);
    const first = await owner.client.query(projections.securityLog.list, {
      paginationOpts: { numItems: 1, cursor: null },
    });
    expect([first.page.length, first.isDone]).toEqual([1, false]);
    const greedy = { paginationOpts: { numItems: 100_000, cursor: first.continueCursor } };
    const rest = await owner.client.query(projections.securityLog.list, greedy);
    expect(rest.page.length).toBeGreaterThan(0);
    // J01 a cursor of another organisation gives its own rows or an error.
    const stolen = await other.owner.client.query(projections.securityLog.list, greedy).then(
      ({ page: found }) => found,
      () => [],
    );
    expect(stolen.filter(({ userId }) => userId !== other.owner.userId)).toEqual([]);
  });

  test("damage that was found is an alert, once", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const damage = { orgId, seq: 2, kind: "altered" };
    await backend.operator.mutation(internal.workers.integrity.report, damage);
    await backend.operator.mutation(internal.workers.integrity.report, damage);
    const alerts = await owner.client.query(projections.alerts.list, page);
    expect(alerts.page.map(({ kind, detail, deliveredAt }) => [kind, detail, deliveredAt])).toEqual([
      ["LEDGER_DAMAGED", "sequence 2: altered", null],
    ]);
  });
}
