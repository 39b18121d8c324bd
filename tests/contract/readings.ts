/** Long reads of the audit log: they are recorded, and open to whoever began them while they may read it. */
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

function begin(client: Client, fromSeq: number, toSeq: number, idempotencyKey = key()) {
  return client.mutation(commands.auditLog.beginReading, { fromSeq, toSeq, idempotencyKey });
}

async function beginSoundly(client: Client, fromSeq: number, toSeq: number): Promise<string> {
  return committed(await begin(client, fromSeq, toSeq)).result.readingId;
}

function read(
  client: Client,
  readingId: string,
  paginationOpts: { numItems: number; cursor: string | null } = FIRST_PAGE,
) {
  return client.query(projections.auditLog.range, { readingId, paginationOpts });
}

async function codeOfRead(client: Client, readingId: string): Promise<string> {
  return (await refusalOf(read(client, readingId))).code;
}

export function readingsContract(open: () => Promise<Backend>): void {
  test("R71 a reading is itself an event and a line of the log, and gives its lines oldest first", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const manager = await join(backend, orgId, owner.client, "manager");
    const idempotencyKey = key();
    const begun = committed(await begin(manager.client, 2, 4, idempotencyKey));
    const { readingId } = begun.result;
    expect(readingId).toMatch(/^rdg_[0-9A-Z]{26}$/);
    const last = JSON.parse((await readLedger(owner.client)).at(-1)?.text ?? "{}") as EventEnvelope;
    expect(last).toMatchObject({
      stream: `reading/${readingId}`,
      type: "reading.begun",
      actor: { kind: "user", id: manager.userId, role: "manager" },
      data: { fromSeq: 2, toSeq: 4 },
    });
    const log = await owner.client.query(projections.auditLog.list, {
      paginationOpts: FIRST_PAGE,
      category: "export",
    });
    expect(log.page.map(({ summary }) => summary)).toEqual(["Audit log read, sequences 2 to 4"]);
    const security = await owner.client.query(projections.securityLog.list, { paginationOpts: FIRST_PAGE });
    expect(security.page[0]).toMatchObject({ code: "reading.begun", userId: manager.userId });

    const whole = await read(manager.client, readingId);
    expect([whole.page.map(({ seq }) => seq), whole.isDone]).toEqual([[2, 3, 4], true]);
    const listed = await owner.client.query(projections.auditLog.list, { paginationOpts: FIRST_PAGE });
    expect(whole.page).toEqual(listed.page.filter(({ seq }) => seq >= 2 && seq <= 4).reverse());
    const first = await read(manager.client, readingId, { numItems: 2, cursor: null });
    expect([first.page.map(({ seq }) => seq), first.isDone]).toEqual([[2, 3], false]);
    const rest = { numItems: 2, cursor: first.continueCursor };
    expect((await read(manager.client, readingId, rest)).page.map(({ seq }) => seq)).toEqual([4]);
    expect(committed(await begin(manager.client, 2, 4, idempotencyKey))).toEqual({
      ...begun,
      replayed: true,
    });
  });

  test("a reading is open to whoever began it only, and in its own organisation only", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const other = await foundOrganization(backend, "Clinic Green");
    const auditor = await join(backend, orgId, owner.client, "auditor");
    const readingId = await beginSoundly(auditor.client, 1, 2);
    expect((await read(auditor.client, readingId)).page).toHaveLength(2);
    expect(await codeOfRead(owner.client, readingId)).toBe("NOT_FOUND");
    expect(await codeOfRead(other.owner.client, readingId)).toBe("NOT_FOUND");
    // An export's id is no reading's, whatever it is called.
    const exported = committed(
      await owner.client.mutation(commands.ledger.beginExport, { idempotencyKey: key() }),
    );
    const misnamed = exported.result.exportId.replace("exp_", "rdg_");
    expect(await codeOfRead(owner.client, misnamed)).toBe("NOT_FOUND");
  });

  test("INV-12 a reading ends with the role that may read the log, and with the membership", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const manager = await join(backend, orgId, owner.client, "manager");
    const readingId = await beginSoundly(manager.client, 1, 2);
    const { changeRole, remove } = commands.members;
    const as = async (role: "staff" | "manager") =>
      committed(
        await owner.client.mutation(changeRole, { userId: manager.userId, role, idempotencyKey: key() }),
      );
    await as("staff");
    expect(await codeOfRead(manager.client, readingId)).toBe("FORBIDDEN");
    await as("manager");
    expect((await read(manager.client, readingId)).page).toHaveLength(2);
    committed(await owner.client.mutation(remove, { userId: manager.userId, idempotencyKey: key() }));
    expect(await codeOfRead(manager.client, readingId)).toBe("NO_ACTIVE_ORG");
  });

  test("lines that are not there can't be begun to be read", async () => {
    const backend = await open();
    const { owner } = await foundOrganization(backend);
    const { seq } = await owner.client.query(projections.ledger.head, {});
    expect(await begin(owner.client, 1, seq + 1)).toMatchObject({ code: "INVALID", field: "toSeq" });
    expect(await begin(owner.client, 2, 1)).toMatchObject({ code: "INVALID", field: "fromSeq" });
    expect(await begin(owner.client, 0, 1)).toMatchObject({ code: "INVALID", field: "fromSeq" });
    committed(await begin(owner.client, 1, seq));
  });

  test("a reading is begun in a frozen organisation, and not where the chain is damaged or closed; one that was goes on", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const manager = await join(backend, orgId, owner.client, "manager");
    const managers = await beginSoundly(manager.client, 1, 2);
    const { organizations: operator } = internal.operator;
    committed(await backend.operator.mutation(operator.freeze, { orgId, reason: "other" }));
    expect(codeOf(await begin(manager.client, 1, 2))).toBe("ORG_FROZEN");
    expect(await codeOfRead(manager.client, managers)).toBe("ORG_FROZEN");
    const readingId = await beginSoundly(owner.client, 1, 2);
    await backend.operator.mutation(internal.workers.integrity.report, { orgId, seq: 1, kind: "altered" });
    expect(codeOf(await begin(owner.client, 1, 2))).toBe("ORG_FROZEN");
    expect((await read(owner.client, readingId)).page).toHaveLength(2);
    committed(await backend.operator.mutation(operator.unfreeze, { orgId }));
    const closing = await freshly(backend, owner, orgId);
    committed(
      await closing.mutation(commands.organizations.close, { reason: "other", idempotencyKey: key() }),
    );
    expect(codeOf(await begin(owner.client, 1, 2))).toBe("ORG_CLOSED");
    expect((await read(owner.client, readingId)).page).toHaveLength(2);
  });

  test("J01 a reading's cursor gives another reading's owner nothing of it", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const auditor = await join(backend, orgId, owner.client, "auditor");
    const mine = await beginSoundly(owner.client, 1, 4);
    const theirs = await beginSoundly(auditor.client, 5, 6);
    const first = await read(owner.client, mine, { numItems: 1, cursor: null });
    const stolen = { numItems: 50, cursor: first.continueCursor };
    const rows = await read(auditor.client, theirs, stolen).then(
      ({ page }) => page.map(({ seq }) => seq),
      () => [],
    );
    expect(rows.filter((seq) => seq < 5 || seq > 6)).toEqual([]);
  });
}
