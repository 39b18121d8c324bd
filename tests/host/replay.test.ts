/** The auditor's replay against a live host: its rows are the ledger's, and an edited one is named. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import { openHostBackend, type HostBackend } from "../support/hostBackend.ts";
import { run, type Ended } from "../support/hostProcess.ts";
import { committed, defineService, foundOrganization, join, key, requestBooking } from "../support/scene.ts";

let backend: HostBackend;
let folder: string;

beforeAll(async () => {
  backend = await openHostBackend();
  folder = mkdtempSync(path.join(tmpdir(), "daybook-replay-"));
});
afterAll(async () => {
  await backend.close();
  rmSync(folder, { recursive: true, force: true });
});

function audit(...args: string[]): Promise<Ended> {
  return run(["audit/main.ts", ...args]);
}

test("live rows are those of the replay, with one digest, until one is edited in the database", async () => {
  const { host } = backend;
  const { orgId, owner } = await foundOrganization(backend);
  await join(backend, orgId, owner.client, "staff");
  const serviceId = await defineService(owner.client);
  const bookingId = await requestBooking(owner.client, serviceId, 1);
  await requestBooking(owner.client, serviceId, 2);
  committed(await owner.client.mutation(api.commands.bookings.confirm, { bookingId, idempotencyKey: key() }));
  const live = await backend.operator.query(internal.projections.rebuild.digest, { orgId });

  const file = path.join(folder, "ledger.ndjson");
  const server = async () => ["--url", host.url, "--token", await host.token(owner.subject, orgId)];
  expect((await audit("export", ...(await server()), "--out", file)).exit).toBe(0);
  const replayed = await audit("replay", "--bundle", file, "--json");
  expect(JSON.parse(replayed.stdout)).toMatchObject({ seq: live.seq, digest: live.digest });

  // The ledger has gone on since: the export is an event of its own.
  const same = await audit("replay", "--bundle", file, ...(await server()));
  expect(same.stderr).toContain("The live read models are those of the ledger.");
  expect(same.exit).toBe(0);

  await host.kill("SIGTERM");
  const database = new DatabaseSync(path.join(host.dataDir, "daybook.sqlite"));
  const edited = database
    .prepare("UPDATE documents SET value = replace(value, '5000', '4000') WHERE value LIKE ?")
    .run(`%"bookingId":"${bookingId}"%holdsSlot%`);
  database.close();
  expect(edited.changes).toBe(1);
  await host.start();

  const different = await audit("replay", "--bundle", file, ...(await server()), "--json");
  const found = different.stdout
    .trimEnd()
    .split("\n")
    .slice(1)
    .map((line) => JSON.parse(line) as unknown);
  expect(found).toEqual([{ table: "bookings", key: bookingId, kind: "differs" }]);
  expect(different.exit).toBe(1);
});
