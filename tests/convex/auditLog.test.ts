/** How far the audit log is read without a record, and what is beyond. */
import { expect, test } from "vitest";
import { api } from "../../convex/_generated/api.js";
import { UNRECORDED_MAX } from "../../convex/projections/auditLog.ts";
import type { Client } from "../support/backend.ts";
import { committed, foundOrganization, key } from "../support/scene.ts";
import { openTestBackend, type TestBackend } from "../support/testBackend.ts";

const { commands, projections } = api;

const EXTRA = 250;
/** What founding an organisation writes. */
const FOUNDED = 2;

/** Lines as so many events would have left them; every hundredth is about a role. */
async function fill(backend: TestBackend, orgId: string, upTo: number): Promise<void> {
  const actor = { kind: "system", id: "system/test" } as const;
  await backend.t.run(async ({ db }) => {
    for (let seq = FOUNDED + 1; seq <= upTo; seq += 1) {
      await db.insert("auditLog", {
        ...{
          orgId,
          seq,
          eventId: `evt_${seq}`,
          at: seq,
          actor,
          version: 1,
          createdAt: seq,
          createdBy: actor,
        },
        category: seq % 100 === 0 ? "role" : "booking",
        ...{ type: "t", stream: "s", summary: `line ${seq}` },
      });
    }
  });
}

async function listAll(client: Client, category?: "role"): Promise<{ seqs: number[]; pages: number }> {
  const seqs: number[] = [];
  let cursor: string | null = null;
  for (let pages = 1; ; pages += 1) {
    const paginationOpts = { numItems: 200, cursor };
    const page: { page: { seq: number }[]; isDone: boolean; continueCursor: string } = await client.query(
      projections.auditLog.list,
      { paginationOpts, ...(category === undefined ? {} : { category }) },
    );
    seqs.push(...page.page.map(({ seq }) => seq));
    cursor = page.continueCursor;
    if (page.isDone) return { seqs, pages };
  }
}

test("L11 the list ends at the newest five thousand events, whichever category is asked for", async () => {
  const backend = openTestBackend();
  const { orgId, owner } = await foundOrganization(backend);
  const other = await foundOrganization(backend);
  const newest = UNRECORDED_MAX + EXTRA;
  await fill(backend, orgId, newest);
  expect(UNRECORDED_MAX).toBe(5_000);
  const { seqs, pages } = await listAll(owner.client);
  expect([seqs[0], seqs.at(-1), seqs.length]).toEqual([newest, EXTRA + 1, UNRECORDED_MAX]);
  expect(pages).toBe(UNRECORDED_MAX / 200 + 1);
  const roles = (await listAll(owner.client, "role")).seqs;
  expect([roles[0], roles.at(-1), roles.length]).toEqual([5_200, 300, 50]);
  expect((await listAll(other.owner.client)).seqs).toEqual([2, 1]);
});

test("a cursor from beyond the end gives no older line", async () => {
  const backend = openTestBackend();
  const { orgId, owner } = await foundOrganization(backend);
  await fill(backend, orgId, UNRECORDED_MAX + EXTRA);
  let cursor: string | null = null;
  for (let page = 0; page < UNRECORDED_MAX / 200 + 3; page += 1) {
    const result: { page: { seq: number }[]; continueCursor: string } = await owner.client.query(
      projections.auditLog.list,
      { paginationOpts: { numItems: 200, cursor } },
    );
    expect(result.page.filter(({ seq }) => seq <= EXTRA)).toEqual([]);
    cursor = result.continueCursor;
  }
});

test("an organisation with exactly as many events as are listed is listed whole", async () => {
  const backend = openTestBackend();
  const { orgId, owner } = await foundOrganization(backend);
  await fill(backend, orgId, UNRECORDED_MAX);
  const { seqs } = await listAll(owner.client);
  expect([seqs.at(-1), seqs.length]).toEqual([1, UNRECORDED_MAX]);
});

test("older lines are read once their reading is recorded", async () => {
  const backend = openTestBackend();
  const { orgId, owner } = await foundOrganization(backend);
  const first = committed(
    await owner.client.mutation(commands.auditLog.beginReading, {
      ...{ fromSeq: 1, toSeq: FOUNDED },
      idempotencyKey: key(),
    }),
  );
  // The reading's own line takes the next place.
  await backend.t.run(async ({ db }) => {
    for (const row of await db.query("auditLog").collect()) if (row.seq > FOUNDED) await db.delete(row._id);
  });
  await fill(backend, orgId, UNRECORDED_MAX + EXTRA);
  const { page } = await owner.client.query(projections.auditLog.range, {
    readingId: first.result.readingId,
    paginationOpts: { numItems: 200, cursor: null },
  });
  expect(page.map(({ seq }) => seq)).toEqual([1, 2]);
});
