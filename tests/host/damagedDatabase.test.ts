/**
 * Damage done for real: to the database file under a host, to all of the file at once, and to an exported file. Each
 * ledger is damaged in another way while the host is stopped, and then the auditor's program, the corridor and the
 * host's own check are asked, one after the other.
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import { DATABASE_FILE } from "../../embedded/engine/storage/dataFolder.ts";
import { readLedger } from "../contract/ledger.ts";
import { auditHere, auditProcess, verdictOf, type Verdict } from "../support/auditor.ts";
import { loseLedger } from "../support/besideDamages.ts";
import type { Attempt, Damage, Found, Kept } from "../support/damage.ts";
import { DAMAGES } from "../support/damages.ts";
import { FILE_DAMAGES } from "../support/fileDamages.ts";
import { openHostBackend, type HostBackend } from "../support/hostBackend.ts";
import {
  codeOf,
  committed,
  defineService,
  eventually,
  FIRST_PAGE,
  foundOrganization,
  HOUR_MS,
  key,
  requestBooking,
  type Actor,
} from "../support/scene.ts";
import { StoppedDatabase } from "../support/stoppedDatabase.ts";
import { StoredLedger } from "../support/storedLedger.ts";

const { commands, projections } = api;
const { step, logStep, next } = internal.workers.integrity;

const BYSTANDER = "bystander";
const ROLLED_BACK = "rolled back";
const EDITED_ROW = "edited row";
const HEADLESS = "without a head";

type Organization = {
  orgId: string;
  owner: Actor;
  serviceId: string;
  /** By the sequence that requested it. */
  bookings: ReadonlyMap<number, string>;
  head: string;
  checkpointFile: string;
};

let backend: HostBackend;
let folder: string;
let pinned: string;
const organizations = new Map<string, Organization>();

function named(name: string): Organization {
  const found = organizations.get(name);
  if (found === undefined) throw new Error(`no organisation ${name}`);
  return found;
}

async function headOf({ client }: Actor): Promise<string> {
  const { seq, hash } = await client.query(projections.ledger.head, {});
  return `${seq}:${hash}`;
}

/** An organisation as `support/damages` describes it, and what its auditor keeps. */
async function busy(index: number): Promise<Organization> {
  const { orgId, owner } = await foundOrganization(backend);
  const { client } = owner;
  const serviceId = await defineService(client);
  const bookings = new Map<number, string>();
  for (let seq = 4; seq <= 15; seq += 1) bookings.set(seq, await requestBooking(client, serviceId, seq));
  const first = { bookingId: bookings.get(4) ?? "" };
  committed(await client.mutation(commands.bookings.confirm, { ...first, idempotencyKey: key() }));
  bookings.set(17, await requestBooking(client, serviceId, 17));
  const { result } = committed(await client.mutation(commands.ledger.requestCheckpoint, {}));
  const startsAt = Date.now() + 100 * HOUR_MS;
  committed(
    await client.mutation(commands.bookings.reschedule, { ...first, startsAt, idempotencyKey: key() }),
  );
  bookings.set(19, await requestBooking(client, serviceId, 19));
  const checkpointFile = path.join(folder, `${index}.checkpoint`);
  writeFileSync(checkpointFile, result.checkpoint);
  return { orgId, owner, serviceId, bookings, head: await headOf(owner), checkpointFile };
}

async function isLogged({ owner }: Organization): Promise<boolean> {
  return (await owner.client.query(projections.ledger.checkpoint, {})).anchor !== null;
}

const databaseFile = (): string => path.join(backend.host.dataDir, DATABASE_FILE);
const olderFile = (): string => path.join(folder, "older.sqlite");

/** The database of the running host as it is now. */
function copyDatabase(): void {
  const database = new DatabaseSync(databaseFile(), { readOnly: true });
  database.prepare("VACUUM INTO ?").run(olderFile());
  database.close();
}

/** Everything that is done while the host is stopped, but for the older file. */
function damageAll(database: StoppedDatabase): void {
  const of = (name: string): StoredLedger => new StoredLedger(database, named(name).orgId);
  for (const { name, change } of DAMAGES) change(of(name), of);
  loseLedger(of(HEADLESS));
  const bookingId = named(EDITED_ROW).bookings.get(10);
  const rows = database.app.rows("bookings").filter((row) => row["bookingId"] === bookingId);
  for (const row of rows) database.app.replace("bookings", row, { ...row, priceMinor: 4000 });
  // No round comes by itself while one looks.
  database.restCrons(Date.now() + HOUR_MS);
}

/** Two events and a checkpoint over all 21, which the auditor's program verifies and keeps. */
async function goOn(organization: Organization): Promise<void> {
  const { owner, serviceId, checkpointFile } = organization;
  for (const hour of [20, 21]) await requestBooking(owner.client, serviceId, hour);
  committed(await owner.client.mutation(commands.ledger.requestCheckpoint, {}));
  const keeping = ["--key", pinned, "--save-checkpoint", checkpointFile];
  expect(await verdictOf([...(await server(organization)), ...keeping], auditProcess)).toBe("intact");
  organization.head = await headOf(owner);
}

beforeAll(async () => {
  // Checkpoints are made where a test asks for one.
  backend = await openHostBackend({ DAYBOOK_CHECKPOINT_INTERVAL_MINUTES: "10080" });
  folder = mkdtempSync(path.join(tmpdir(), "daybook-damage-"));
  const published = await (await fetch(`${backend.host.siteUrl}/log/keys`)).text();
  pinned = published.split("\n")[0] ?? "";
  const names = [BYSTANDER, ROLLED_BACK, EDITED_ROW, HEADLESS, ...DAMAGES.map(({ name }) => name)];
  await Promise.all(names.map(async (name, index) => organizations.set(name, await busy(index))));
  for (const organization of organizations.values()) await eventually(() => isLogged(organization));
  copyDatabase();
  await goOn(named(ROLLED_BACK));

  await backend.host.kill("SIGTERM");
  StoppedDatabase.change(backend.host.dataDir, damageAll);
  await backend.host.start();
}, 180_000);
afterAll(async () => {
  await backend.close();
  rmSync(folder, { recursive: true, force: true });
});

async function server({ owner, orgId }: Organization): Promise<string[]> {
  return ["--url", backend.host.url, "--token", await backend.host.token(owner.subject, orgId)];
}

function keptOptions(kept: Kept, { head, checkpointFile }: Organization): string[] {
  if (kept === "key") return ["--key", pinned];
  return kept === "head" ? ["--earlier-head", head] : ["--key", pinned, "--since", checkpointFile];
}

/** The verdict on a live ledger, with something that was kept or without. */
async function live(
  organization: Organization,
  kept?: Kept,
  program: typeof auditHere = auditHere,
): Promise<Verdict> {
  const options = kept === undefined ? [] : keptOptions(kept, organization);
  return await verdictOf([...(await server(organization)), ...options], program);
}

async function expectVerdicts({ name, chain, kept = {} }: Damage): Promise<void> {
  expect(await live(named(name))).toEqual(chain);
  for (const [option, expected] of Object.entries(kept) as [Kept, Verdict][]) {
    expect([option, await live(named(name), option)]).toEqual([option, expected]);
  }
}

async function command(attempt: Attempt, { owner, bookings }: Organization): Promise<string> {
  const again = { idempotencyKey: key() };
  const { client } = owner;
  if (attempt === "rename")
    return codeOf(await client.mutation(commands.organizations.rename, { name: "B", ...again }));
  if (attempt === "define") {
    const service = { name: "Massage", durationMinutes: 60, priceMinor: 5000 };
    return codeOf(await client.mutation(commands.services.define, { ...service, ...again }));
  }
  const bookingId = bookings.get(attempt.cancel) ?? "";
  return codeOf(await client.mutation(commands.bookings.cancel, { bookingId, reason: "other", ...again }));
}

/** A command answers this, and the ledger is afterwards what it was before, byte by byte. */
async function expectNothingWritten(attempt: Attempt, answer: string, of: Organization): Promise<void> {
  const { client } = of.owner;
  const before = await readLedger(client);
  const said = await command(attempt, of).catch((error: unknown) => String(error));
  expect(said).toContain(answer);
  expect(await readLedger(client)).toEqual(before);
}

function withoutKey(detail = ""): string {
  return detail.replace(/of \S+ \([0-9a-f]{8}\)/, "of KEY");
}

async function damageOf({ orgId }: Organization): Promise<{ found: Found | null; status: string }> {
  const { damage, status } = await backend.operator.query(internal.operator.organizations.status, { orgId });
  return { found: damage === null ? null : [damage.seq, withoutKey(damage.kind)], status };
}

/** The organisation stops, its owners are told, and what was found is kept. */
async function expectFrozen(organization: Organization, found: Found): Promise<void> {
  const { client } = organization.owner;
  expect(await damageOf(organization)).toEqual({ found, status: "frozen" });
  const evidence = `LEDGER_DAMAGED sequence ${found[0]}: ${found[1]}`;
  const alerts = await client.query(projections.alerts.list, { paginationOpts: FIRST_PAGE });
  // The round's search for orphans may tell of rows without their events as well.
  expect(alerts.page.map(({ kind, detail }) => `${kind} ${withoutKey(detail)}`)).toContain(evidence);
  const log = await client.query(projections.securityLog.list, { paginationOpts: FIRST_PAGE });
  expect(log.page.map(({ code, detail }) => `${code} ${withoutKey(detail)}`)).toContain(evidence);
  await expectNothingWritten("define", "ORG_FROZEN", organization);
}

/** Nothing is signed over the damage; the operator lets the organisation go again, as if it were mended. */
async function expectNothingSigned(organization: Organization, found: Found): Promise<void> {
  const { orgId, owner } = organization;
  expect(codeOf(await owner.client.mutation(commands.ledger.requestCheckpoint, {}))).toBe("ORG_FROZEN");
  await expectFrozen(organization, found);
  const lifted = { orgId, operator: "test" };
  committed(await backend.operator.mutation(internal.operator.organizations.unfreeze, lifted));
}

test.each(DAMAGES)("$name", async (damage) => {
  const { name, attempt, signing, unread, check } = damage;
  const organization = named(name);
  const { orgId, owner } = organization;
  await expectVerdicts(damage);
  if (attempt !== undefined) await expectNothingWritten(...attempt, organization);
  if (signing !== undefined) await expectNothingSigned(organization, signing);
  if (unread !== undefined) {
    const reading = owner.client.query(projections.ledger.inclusionProof, { seq: unread });
    await expect(reading).rejects.toThrow("Server Error");
  }
  const checked = await backend.operator.mutation(step, { orgId, inRound: false });
  expect(checked).toBe(check === "done" ? "done" : "damaged");
  if (check === "done") expect(await damageOf(organization)).toEqual({ found: null, status: "active" });
  else await expectFrozen(organization, check);
});

test("P03 a checkpoint that is gone is found by the log of logs, of every organisation that lacks one", async () => {
  expect(await backend.operator.mutation(logStep, {})).toBe("damaged");
  for (const { name, log } of DAMAGES) if (log !== undefined) await expectFrozen(named(name), log);
});

test("P01 beside all that, another organisation goes on and is intact", async () => {
  const bystander = named(BYSTANDER);
  const { orgId, owner, serviceId } = bystander;
  await requestBooking(owner.client, serviceId, 20);
  committed(await owner.client.mutation(commands.ledger.requestCheckpoint, {}));
  for (const kept of ["key", "since", "head"] as const) {
    expect(await live(bystander, kept, auditProcess)).toBe("intact");
  }
  expect(await backend.operator.mutation(step, { orgId, inRound: false })).toBe("done");
  expect(await damageOf(bystander)).toEqual({ found: null, status: "active" });
});

test("P03 a round comes to an organisation that has lost its whole ledger but a checkpoint", async () => {
  const headless = named(HEADLESS);
  await backend.operator.mutation(next, {});
  await eventually(async () => (await damageOf(headless)).found !== null);
  await expectFrozen(headless, [1, "no head"]);
});

async function replayed(organization: Organization, file: string): Promise<unknown[]> {
  const args = ["replay", "--json", "--bundle", file, ...(await server(organization))];
  const [, ...lines] = (await auditHere(args)).stdout.trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as unknown);
}

async function exported(organization: Organization): Promise<string> {
  const file = path.join(folder, `${organization.orgId}.bundle`);
  const args = ["export", "--out", file, "--key", pinned, ...(await server(organization))];
  expect((await auditHere(args)).exit).toBe(0);
  return file;
}

// The chain is whole, so neither its verdict nor the check of the ledger says anything of it.
test("P18 a row of a read model without an event is named by the replay, and a rebuild puts it right", async () => {
  const organization = named(EDITED_ROW);
  const { orgId, bookings } = organization;
  expect(await live(organization, "key")).toBe("intact");
  const file = await exported(organization);
  const difference = { table: "bookings", key: bookings.get(10), kind: "differs" };
  expect(await replayed(organization, file)).toEqual([difference]);
  const rebuilt = await backend.operator.mutation(internal.projections.rebuild.run, { orgId });
  expect(rebuilt.digest).not.toBe(rebuilt.digestBefore);
  expect(await replayed(organization, file)).toEqual([]);
});

let bundle: Promise<string> | undefined;

test.each(FILE_DAMAGES)("an exported file: $name", async ({ change, verdict, withKey = verdict }) => {
  bundle ??= exported(named(BYSTANDER));
  const text = readFileSync(await bundle, "utf8");
  const changed = path.join(folder, "changed.bundle");
  writeFileSync(changed, change(text));
  expect(await verdictOf(["--bundle", changed])).toEqual(verdict);
  expect(await verdictOf(["--bundle", changed, "--key", pinned])).toEqual(withKey);
});

// What the host knows went back with the file: nothing in it can tell.
test("P11 an older file in the place of the database is found by whoever kept a checkpoint or a head", async () => {
  const { host } = backend;
  const organization = named(ROLLED_BACK);
  const { orgId, owner, serviceId } = organization;
  await host.kill("SIGTERM");
  for (const suffix of ["-wal", "-shm"]) rmSync(databaseFile() + suffix, { force: true });
  copyFileSync(olderFile(), databaseFile());
  await host.start();
  expect(await live(organization)).toBe("intact");
  expect(await live(organization, "key")).toBe("intact");
  expect(await live(organization, "since", auditProcess)).toEqual([20, "rolled back"]);
  expect(await live(organization, "head", auditProcess)).toEqual([20, "truncated"]);
  expect(await backend.operator.mutation(step, { orgId, inRound: false })).toBe("done");

  // It goes on from there and is signed once more: the two signatures are proof against who made them.
  for (const hour of [20, 21, 22]) await requestBooking(owner.client, serviceId, hour);
  committed(await owner.client.mutation(commands.ledger.requestCheckpoint, {}));
  expect(await live(organization, "key")).toBe("intact");
  expect(await live(organization, "since", auditProcess)).toEqual([18, "split view"]);
  expect(await live(organization, "head", auditProcess)).toEqual([21, "altered"]);
});
