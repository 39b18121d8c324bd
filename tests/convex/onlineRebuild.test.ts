/** A rebuild that goes on in steps while the organisation works. */
import { expect, test } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import {
  committed,
  defineService,
  eventually,
  foundOrganization,
  key,
  requestBooking,
} from "../support/scene.ts";
import { inComponent, openTestBackend, type TestBackend } from "../support/testBackend.ts";

const rebuild = internal.projections.onlineRebuild;

async function ended(backend: TestBackend, orgId: string, phase = "done"): Promise<void> {
  await eventually(async () => (await backend.operator.query(rebuild.progress, { orgId }))?.phase === phase);
}

async function digest(backend: TestBackend, orgId: string): Promise<string> {
  return (await backend.operator.query(internal.projections.rebuild.digest, { orgId })).digest;
}

/** An organisation with more rows than a page has, and what its read models must be. */
async function busy(
  backend: TestBackend,
): Promise<Awaited<ReturnType<typeof foundOrganization>> & { right: string }> {
  const founded = await foundOrganization(backend);
  const serviceId = await defineService(founded.owner.client);
  for (let hours = 1; hours <= 250; hours += 1) await requestBooking(founded.owner.client, serviceId, hours);
  return { ...founded, right: await digest(backend, founded.orgId) };
}

/** Wrong, missing and invented rows. */
async function damageRows(backend: TestBackend, orgId: string): Promise<void> {
  await backend.t.run(async (ctx) => {
    const bookings = await ctx.db.query("bookings").collect();
    const [first, second, third] = bookings.filter((row) => row.orgId === orgId);
    if (first === undefined || second === undefined || third === undefined) throw new Error("no bookings");
    await ctx.db.patch("bookings", first._id, { priceMinor: 1 });
    await ctx.db.delete("bookings", second._id);
    const { _id, _creationTime, ...invented } = third;
    await ctx.db.insert("bookings", { ...invented, bookingId: "bkg_01ARZ3NDEKTSV4RRFFQ69G5FAV" });
  });
}

test("P wrong, missing and invented rows are put right, step by step, and the shadow is gone", async () => {
  const backend = openTestBackend();
  const { orgId, right } = await busy(backend);
  await damageRows(backend, orgId);
  const damaged = await digest(backend, orgId);
  await backend.operator.mutation(rebuild.start, { orgId });
  await expect(backend.operator.mutation(rebuild.start, { orgId })).rejects.toThrow("runs already");
  await ended(backend, orgId);
  expect(await digest(backend, orgId)).toBe(right);
  const progress = await backend.operator.query(rebuild.progress, { orgId });
  expect(progress).toMatchObject({ folded: 253, events: 253, repaired: 3, problem: null });
  expect(progress?.before).toMatchObject({ digest: damaged, fromSeq: 253, toSeq: 253 });
  expect(progress?.after).toMatchObject({ digest: right, fromSeq: 253, toSeq: 253 });
  const shadow = await inComponent(backend, "", async (db) => await db.query("shadowRows").collect());
  expect(shadow).toEqual([]);
});

test("commands go on meanwhile, and the rows are the fold of them too", async () => {
  const backend = openTestBackend();
  const { orgId, owner } = await busy(backend);
  await damageRows(backend, orgId);
  await backend.operator.mutation(rebuild.start, { orgId });
  const serviceId = await defineService(owner.client);
  for (let hours = 300; hours < 340; hours += 1) await requestBooking(owner.client, serviceId, hours);
  await ended(backend, orgId);
  const done = await backend.operator.mutation(internal.projections.rebuild.run, { orgId });
  expect(done.digest).toBe(done.digestBefore);
});

test("a cancelled rebuild ends, its shadow is cleared, and another can be started", async () => {
  const backend = openTestBackend();
  const { orgId, right } = await busy(backend);
  await backend.operator.mutation(rebuild.start, { orgId });
  await eventually(
    async () => (await backend.operator.query(rebuild.progress, { orgId }))?.phase !== "digestBefore",
  );
  expect(await backend.operator.mutation(rebuild.cancel, { orgId })).toBe(true);
  expect(await backend.operator.mutation(rebuild.cancel, { orgId })).toBe(false);
  await eventually(async () => {
    const shadow = await inComponent(backend, "", async (db) => await db.query("shadowRows").collect());
    return shadow.length === 0;
  });
  await backend.operator.mutation(rebuild.start, { orgId });
  await ended(backend, orgId);
  expect(await digest(backend, orgId)).toBe(right);
});

test("a step that is lost is taken up again", async () => {
  const backend = openTestBackend();
  const { orgId, right } = await busy(backend);
  await damageRows(backend, orgId);
  const state = { phase: "fold" as const, table: 0, after: null, seq: 0, repaired: 0, before: null };
  const lost = { ...state, startedAt: 1, updatedAt: 1, afterwards: null, digesting: null, problem: null };
  const { genesisHash, sha256Noble } = await import("../../ledger/hash.ts");
  await backend.t.run(async (ctx) => {
    await ctx.db.insert("rebuilds", { orgId, ...lost, hash: genesisHash(orgId, sha256Noble) });
  });
  await backend.operator.mutation(rebuild.resume, { orgId });
  await ended(backend, orgId);
  expect(await digest(backend, orgId)).toBe(right);
});

test("nothing is rebuilt from a damaged chain, and the rows stay as they are", async () => {
  const backend = openTestBackend();
  const { orgId, owner } = await foundOrganization(backend);
  committed(
    await owner.client.mutation(api.commands.organizations.rename, { name: "B", idempotencyKey: key() }),
  );
  await inComponent(backend, "events", async (db) => {
    const rows = (await db.query("events").collect()) as { _id: string; seq: number; text: string }[];
    const row = rows.find(({ seq }) => seq === 3);
    if (row !== undefined) await db.patch(row._id, { text: row.text.replace('"B"', '"C"') });
  });
  const before = await digest(backend, orgId);
  await backend.operator.mutation(rebuild.start, { orgId });
  await ended(backend, orgId, "failed");
  expect(await backend.operator.query(rebuild.progress, { orgId })).toMatchObject({
    problem: "INV-02 the chain is damaged at sequence 3",
  });
  expect(await digest(backend, orgId)).toBe(before);
});

test("the digest in pages is the digest at once", async () => {
  const backend = openTestBackend();
  const { orgId, right } = await busy(backend);
  let page = await backend.operator.query(internal.projections.rebuild.digestPage, { orgId });
  while (page.next !== null) {
    page = await backend.operator.query(internal.projections.rebuild.digestPage, { orgId, at: page.next });
  }
  expect(page.digest).toBe(right);
});
