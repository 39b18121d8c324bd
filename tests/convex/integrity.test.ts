/** The integrity check against ledgers that were damaged in the database itself. */
import { ulid } from "ulid";
import { expect, test } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import { canonicalize } from "../../ledger/canonicalJson.ts";
import { hashCanonicalEvent, sha256Noble } from "../../ledger/hash.ts";
import {
  codeOf,
  defineService,
  eventually,
  foundOrganization,
  key,
  requestBooking,
} from "../support/scene.ts";
import { inComponent, openTestBackend, type ComponentDb, type TestBackend } from "../support/testBackend.ts";

const SERVICE_SEQ = 3;
const LAST_SEQ = 8;

type Row = { _id: string; seq: number; text: string; hash: string; streamVersion: number };

async function busy(backend: TestBackend): Promise<string> {
  const { orgId, owner } = await foundOrganization(backend);
  const serviceId = await defineService(owner.client);
  for (let hours = 1; hours <= LAST_SEQ - SERVICE_SEQ; hours += 1) {
    await requestBooking(owner.client, serviceId, hours);
  }
  return orgId;
}

async function check(backend: TestBackend, orgId: string): Promise<string> {
  return await backend.operator.mutation(internal.workers.integrity.step, { orgId, inRound: false });
}

async function damage(
  backend: TestBackend,
  orgId: string,
  seq: number,
  change: (db: ComponentDb, row: Row) => Promise<void>,
): Promise<void> {
  await inComponent(backend, "events", async (db) => {
    const rows = (await db.query("events").collect()) as unknown as (Row & { orgId: string })[];
    const row = rows.find((each) => each.orgId === orgId && each.seq === seq);
    if (row === undefined) throw new Error(`no sequence ${seq}`);
    await change(db, row);
  });
}

test.each<[string, number, string, (db: ComponentDb, row: Row) => Promise<void>]>([
  [
    "a changed text",
    4,
    "altered",
    (db, row) => db.patch(row._id, { text: row.text.replace("5000", "4000") }),
  ],
  ["another hash", 4, "altered", (db, row) => db.patch(row._id, { hash: "0".repeat(64) })],
  ["a text that is no JSON", 4, "altered", (db, row) => db.patch(row._id, { text: "{" })],
  ["a column that disagrees", 4, "altered", (db, row) => db.patch(row._id, { streamVersion: 7 })],
  ["a deleted event", 4, "missing", (db, row) => db.delete(row._id)],
  ["a cut end", LAST_SEQ, "truncated", (db, row) => db.delete(row._id)],
])("P18 %s freezes the organisation at its place", async (_what, seq, kind, change) => {
  const backend = openTestBackend();
  const orgId = await busy(backend);
  const other = await foundOrganization(backend);
  expect(await check(backend, orgId)).toBe("done");
  await damage(backend, orgId, seq, change);
  expect(await check(backend, orgId)).toBe("damaged");
  const status = await backend.operator.query(internal.operator.organizations.status, { orgId });
  expect(status).toMatchObject({ status: "frozen", frozenBy: "integrity", damage: { seq, kind } });
  await defineService(other.owner.client);
});

test("an event that claims another's place in its stream is found, however well it is hashed", async () => {
  const backend = openTestBackend();
  const orgId = await busy(backend);
  await damage(backend, orgId, LAST_SEQ, async (db, row) => {
    const seq = LAST_SEQ + 1;
    const eventId = `evt_${ulid()}`;
    const event = { ...(JSON.parse(row.text) as object), seq, eventId, prevHash: row.hash };
    const text = canonicalize(event);
    const hash = hashCanonicalEvent(text, sha256Noble);
    const columns = Object.fromEntries(Object.entries(row).filter(([name]) => !name.startsWith("_")));
    await db.insert("events", { ...columns, seq, eventId, text, hash });
    const heads = (await db.query("heads").collect()) as unknown as { _id: string; orgId: string }[];
    const head = heads.find((each) => each.orgId === orgId);
    if (head !== undefined) await db.patch(head._id, { seq, hash });
  });
  expect(await check(backend, orgId)).toBe("damaged");
  const status = await backend.operator.query(internal.operator.organizations.status, { orgId });
  expect(status).toMatchObject({ damage: { seq: LAST_SEQ, kind: "inserted" } });
});

test("a chain that was rewritten as a whole is found by the head that was seen before", async () => {
  const backend = openTestBackend();
  const orgId = await busy(backend);
  const other = await busy(backend);
  expect(await check(backend, orgId)).toBe("done");
  // The head of another chain of the same length: as good as any that this chain never had.
  await backend.t.run(async (ctx) => {
    const rows = await ctx.db.query("verifiedHeads").take(10);
    const row = rows.find((each) => each.orgId === orgId);
    if (row !== undefined) await ctx.db.patch("verifiedHeads", row._id, { hash: "1".repeat(64) });
  });
  expect(await check(backend, orgId)).toBe("damaged");
  expect(await check(backend, other)).toBe("done");
});

test("a round visits every organisation, and damage in one does not end it", async () => {
  const backend = openTestBackend();
  const orgIds = [await busy(backend), await busy(backend), await busy(backend)];
  const [, damaged = ""] = [...orgIds].sort();
  await damage(backend, damaged, 5, (db, row) => db.delete(row._id));
  await backend.operator.mutation(internal.workers.integrity.next, {});
  const last = [...orgIds].sort().at(-1) ?? "";
  await eventually(async () => {
    const { verifiedHead } = await backend.operator.query(internal.operator.organizations.status, {
      orgId: last,
    });
    return verifiedHead !== null;
  });
  for (const orgId of orgIds) {
    const status = await backend.operator.query(internal.operator.organizations.status, { orgId });
    expect([orgId, status.status]).toEqual([orgId, orgId === damaged ? "frozen" : "active"]);
    expect(status.verifiedHead?.seq).toBe(orgId === damaged ? undefined : LAST_SEQ);
  }
});

test("where the organisation's own stream is damaged the operator can't lift the freeze", async () => {
  const backend = openTestBackend();
  const { orgId, owner } = await foundOrganization(backend);
  await damage(backend, orgId, 1, (db, row) => db.patch(row._id, { text: row.text.replace("EUR", "USD") }));
  expect(await check(backend, orgId)).toBe("damaged");
  const lift = backend.operator.mutation(internal.operator.organizations.unfreeze, { orgId });
  await expect(lift).rejects.toThrow("INV-02");
  const renamed = await owner.client.mutation(api.commands.organizations.rename, {
    name: "B",
    idempotencyKey: key(),
  });
  expect(codeOf(renamed)).toBe("ORG_FROZEN");
});
