/** The auditor's program, run as an auditor runs it, against a live host and its exported file. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import { openHostBackend, type HostBackend } from "../support/hostBackend.ts";
import { run, type Ended } from "../support/hostProcess.ts";
import {
  codeOf,
  committed,
  defineService,
  foundOrganization,
  join,
  key,
  requestBooking,
} from "../support/scene.ts";

let backend: HostBackend;
let folder: string;

beforeAll(async () => {
  backend = await openHostBackend();
  folder = mkdtempSync(path.join(tmpdir(), "daybook-audit-"));
});
afterAll(async () => {
  await backend.close();
  rmSync(folder, { recursive: true, force: true });
});

function audit(...args: string[]): Promise<Ended> {
  return run(["audit/main.ts", ...args]);
}

async function organization(): Promise<{
  orgId: string;
  subject: string;
  auditor: string;
  seq: number;
  hash: string;
}> {
  const { orgId, owner } = await foundOrganization(backend);
  const auditor = await join(backend, orgId, owner.client, "auditor");
  const serviceId = await defineService(owner.client);
  for (let hour = 1; hour <= 5; hour += 1) await requestBooking(owner.client, serviceId, hour);
  const { seq, hash } = await owner.client.query(api.projections.ledger.head, {});
  return { orgId, subject: owner.subject, auditor: auditor.subject, seq, hash };
}

test("an auditor verifies the live ledger with a URL and a token", async () => {
  const { orgId, auditor, seq, hash } = await organization();
  const token = await backend.host.token(auditor, orgId);
  const { exit, stdout } = await audit("verify", "--url", backend.host.url, "--token", token, "--json");
  expect(JSON.parse(stdout)).toMatchObject({
    result: "intact",
    orgId,
    count: seq,
    headSeq: seq,
    headHash: hash,
  });
  expect(exit).toBe(0);
});

test("an exported file verifies offline, against the head that was kept elsewhere", async () => {
  const { orgId, subject, seq, hash } = await organization();
  const token = await backend.host.token(subject, orgId);
  const file = path.join(folder, "ledger.ndjson");
  const server = ["--url", backend.host.url, "--token", token];
  const exported = await audit("export", "--plain", ...server, "--out", file);
  expect(exported.exit).toBe(0);
  expect((await audit("verify", "--bundle", file, "--expect-head", hash)).exit).toBe(0);

  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ format: "daybook-ledger/1", orgId, count: seq });
  const changed = path.join(folder, "changed.ndjson");
  const edited = lines.with(4, (lines[4] ?? "").replace('"role":"auditor"', '"role":"manager"'));
  expect(edited).not.toEqual(lines);
  writeFileSync(changed, `${edited.join("\n")}\n`);
  const verdict = await audit("verify", "--bundle", changed, "--json");
  expect(verdict.exit).toBe(1);
  expect(JSON.parse(verdict.stdout)).toMatchObject({ result: "damaged", firstBadSeq: 4, kind: "altered" });

  const cut = path.join(folder, "cut.ndjson");
  writeFileSync(cut, `${lines.slice(0, -2).join("\n")}\n`);
  const shorter = await audit("verify", "--bundle", cut, "--json");
  expect(shorter.exit).toBe(1);
  expect(JSON.parse(shorter.stdout)).toMatchObject({ firstBadSeq: seq - 1, kind: "truncated" });
});

test("P11 a bundle, its receipt and its report hold against the deployment's key; a damaged one does not", async () => {
  const { orgId, owner } = await foundOrganization(backend);
  await requestBooking(owner.client, await defineService(owner.client), 1);
  const made = committed(await owner.client.mutation(api.commands.ledger.requestCheckpoint, {}));
  const server = ["--url", backend.host.url, "--token", await backend.host.token(owner.subject, orgId)];
  const published = await (await fetch(`${backend.host.siteUrl}/log/keys`)).text();
  const pinned = ["--key", published.split("\n")[0] ?? ""];
  const file = (name: string) => path.join(folder, name);
  expect((await audit("export", ...server, ...pinned, "--out", file("a.bundle"))).exit).toBe(0);
  const kept = ["--save-checkpoint", file("kept")];
  const verified = await audit("verify", "--json", "--bundle", file("a.bundle"), ...pinned, ...kept);
  expect(JSON.parse(verified.stdout)).toMatchObject({ result: "intact", orgId, signedTo: made.result.size });
  const receipt = ["--seq", "1", "--out", file("1.tlog-proof"), ...server, ...pinned];
  expect((await audit("get-receipt", ...receipt)).exit).toBe(0);
  expect((await audit("receipt", file("1.tlog-proof"), ...pinned)).exit).toBe(0);
  const report = [
    "--bundle",
    file("a.bundle"),
    "--since",
    file("kept"),
    "--out",
    file("report.html"),
    ...pinned,
  ];
  expect((await audit("report", ...report)).exit).toBe(0);

  const text = readFileSync(file("a.bundle"), "utf8");
  writeFileSync(file("b.bundle"), text.replace('"role":"owner"', '"role":"staff"'));
  const damaged = await audit("verify", "--json", "--bundle", file("b.bundle"), ...pinned);
  expect(damaged.exit).toBe(1);
  expect(JSON.parse(damaged.stdout)).toMatchObject({ firstBadSeq: 1, kind: "altered" });
});

test("whoever edits the database is found out by the auditor, and the corridor stops there", async () => {
  const { host } = backend;
  const { orgId, owner } = await foundOrganization(backend);
  const serviceId = await defineService(owner.client);
  const bookingId = await requestBooking(owner.client, serviceId, 1);
  await requestBooking(owner.client, serviceId, 2);
  const { seq } = await owner.client.query(api.projections.ledger.head, {});
  await host.kill("SIGTERM");
  const database = new DatabaseSync(path.join(host.dataDir, "daybook.sqlite"));
  const edited = database
    .prepare("UPDATE documents SET value = replace(value, '5000', '4000') WHERE value LIKE ?")
    .run(`%"stream":"booking/${bookingId}"%prevHash%`);
  database.close();
  expect(edited.changes).toBe(1);
  await host.start();

  const token = await host.token(owner.subject, orgId);
  const { exit, stdout } = await audit("verify", "--url", host.url, "--token", token, "--json");
  expect(JSON.parse(stdout)).toMatchObject({ result: "damaged", firstBadSeq: seq - 1, kind: "altered" });
  expect(exit).toBe(1);
  const confirm = owner.client.mutation(api.commands.bookings.confirm, { bookingId, idempotencyKey: key() });
  await expect(confirm).rejects.toThrow("Server Error");
  const rebuild = backend.operator.mutation(internal.projections.rebuild.run, { orgId });
  await expect(rebuild).rejects.toThrow(/INV-02.*altered/s);
  expect((await owner.client.query(api.projections.ledger.head, {})).seq).toBe(seq);

  const checked = await backend.operator.mutation(internal.workers.integrity.step, { orgId, inRound: false });
  expect(checked).toBe("damaged");
  const refused = await owner.client.mutation(api.commands.bookings.confirm, {
    bookingId,
    idempotencyKey: key(),
  });
  expect(codeOf(refused)).toBe("ORG_FROZEN");
  expect((await owner.client.query(api.projections.ledger.head, {})).seq).toBe(seq);
});

test("an audit that may not read, or cannot reach the server, could not run", async () => {
  const { orgId, owner } = await foundOrganization(backend);
  const staff = await join(backend, orgId, owner.client, "staff");
  const token = await backend.host.token(staff.subject, orgId);
  const refused = await audit("verify", "--url", backend.host.url, "--token", token);
  expect(refused.exit).toBe(2);
  expect(refused.stderr).toContain("FORBIDDEN");
  const unreachable = await audit("verify", "--url", "http://127.0.0.1:9", "--token", token);
  expect(unreachable.exit).toBe(2);
  expect((await audit("verify", "--bundle", path.join(folder, "nothing"))).exit).toBe(2);
});
