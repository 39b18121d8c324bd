/** The replay of an exported ledger, and its comparison with the rows that a server shows. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { sha256Noble } from "../ledger/hash.ts";
import { chainEvents, SAMPLE_ORG_ID, sampleId } from "../ledger/testing/sampleLedger.ts";
import type { Draft } from "../ledger/testing/sampleLedger.ts";
import { bundleOf } from "../ledger/testing/tampering.ts";
import type { LedgerEntry } from "../ledger/verify.ts";
import { runCommandLine } from "./commandLine.ts";
import { auditRow } from "./fold/auditLog.ts";
import { eventOf } from "./fold/event.ts";
import { emptyRows, foldEvent, inKeyOrder, rowDigest, STATE_TABLES } from "./fold/tables.ts";
import { serveLedger, TOKEN } from "./testing/servedLedger.ts";
import type { Served } from "./testing/servedLedger.ts";

const OWNER = sampleId("usr", 1);
const BOOKINGS = [1, 2, 3, 4, 5].map((number) => sampleId("bkg", number));
const PAYMENT = sampleId("pay", 1);
let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "daybook-replay-"));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

const stripe = {
  kind: "webhook",
  provider: "stripe",
  deliveryId: "evt_1",
  bodySha256: "ab".repeat(32),
  signedAt: 1,
} as const;

function drafts(): Draft[] {
  const price = { priceMinor: 4500, currency: "EUR" };
  const service = sampleId("svc", 1);
  const intent = { paymentIntentId: "pi_12345678" };
  return [
    {
      type: "organization.created",
      stream: `organization/${SAMPLE_ORG_ID}`,
      data: { name: "Studio Nord", timeZone: "Europe/Copenhagen", currency: "EUR" },
    },
    { type: "member.joined", stream: `member/${OWNER}`, data: { userId: OWNER, role: "owner" } },
    {
      type: "service.defined",
      stream: `service/${service}`,
      data: { name: "Cut", durationMinutes: 30, ...price },
    },
    ...BOOKINGS.map((booking, at): Draft => ({
      type: "booking.requested",
      stream: `booking/${booking}`,
      data: { serviceId: service, startsAt: at * 1000, endsAt: at * 1000 + 500, ...price },
    })),
    { type: "booking.confirmed", stream: `booking/${BOOKINGS[0] ?? ""}`, data: {} },
    {
      type: "booking.cancelled",
      stream: `booking/${BOOKINGS[2] ?? ""}`,
      data: { reason: "customer_request" },
    },
    {
      type: "payment.requested",
      stream: `payment/${PAYMENT}`,
      data: {
        bookingId: BOOKINGS[0] ?? "",
        purpose: "full",
        method: "payment_intent",
        amountMinor: 4500,
        currency: "EUR",
      },
    },
    {
      type: "payment.created",
      stream: `payment/${PAYMENT}`,
      data: { ...intent, livemode: false },
      source: { kind: "job", name: "x" },
    },
    {
      type: "payment.confirmed",
      stream: `payment/${PAYMENT}`,
      data: { ...intent, amountMinor: 4500, currency: "EUR" },
      source: stripe,
    },
  ];
}

const entriesOf = (all: readonly Draft[]) => Array.from(chainEvents(all, sha256Noble), ({ entry }) => entry);

function bundleFile(name: string, entries: readonly LedgerEntry[]): string {
  const file = join(folder, name);
  writeFileSync(file, bundleOf(entries));
  return file;
}

type Models = Map<string, Map<string, string>>;

/** What a server without a fault has. */
function modelsOf(entries: readonly LedgerEntry[]): Models {
  const rows = emptyRows();
  const events = entries.map(({ text }) => eventOf(text));
  for (const event of events) foldEvent(rows, event);
  const models: Models = new Map();
  for (const table of STATE_TABLES) {
    models.set(table, new Map(inKeyOrder(rows, table).map(([key, row]) => [key, rowDigest(row)])));
  }
  models.set("auditLog", new Map(events.map((event) => [String(event.seq), rowDigest(auditRow(event))])));
  return models;
}

interface Ran {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function audit(...args: string[]): Promise<Ran> {
  let [stdout, stderr] = ["", ""];
  const spies = [
    vi.spyOn(process.stdout, "write").mockImplementation((text) => {
      stdout += String(text);
      return true;
    }),
    vi.spyOn(process.stderr, "write").mockImplementation((text) => {
      stderr += String(text);
      return true;
    }),
  ];
  try {
    return { exit: await runCommandLine(args), stdout, stderr };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

/** Compares a bundle of the first events with a server that has all of them. */
async function compare(
  entries: readonly LedgerEntry[],
  exported: number,
  served: Partial<Served>,
): Promise<Ran> {
  const file = bundleFile("compared.ndjson", entries.slice(0, exported));
  const head = { orgId: SAMPLE_ORG_ID, seq: entries.length, hash: entries.at(-1)?.hash ?? "" };
  const server = await serveLedger({ head, entries, models: modelsOf(entries), ...served });
  try {
    let ran = await audit("replay", "--bundle", file, "--url", server.url, "--token", TOKEN, "--json");
    ran = { ...ran, stdout: ran.stdout.slice(ran.stdout.indexOf("\n") + 1) };
    return ran;
  } finally {
    await server.close();
  }
}

function withChange(models: Models, table: string, change: (rows: Map<string, string>) => void): Models {
  const rows = models.get(table);
  if (rows === undefined) throw new Error(`There is no ${table}.`);
  change(rows);
  return models;
}

test("a replay counts the rows of every read model", async () => {
  const entries = entriesOf(drafts());
  const { exit, stdout } = await audit("replay", "--bundle", bundleFile("a.ndjson", entries), "--json");
  expect(exit).toBe(0);
  const { tables } = JSON.parse(stdout) as { tables: { table: string; rows: number }[] };
  expect(Object.fromEntries(tables.map(({ table, rows }) => [table, rows]))).toEqual({
    organizations: 1,
    members: 1,
    invitations: 0,
    services: 1,
    bookings: 5,
    payments: 1,
    stripeAccounts: 0,
    auditLog: 13,
  });
});

test("as of a sequence, a row is what it was then", async () => {
  const file = bundleFile("b.ndjson", entriesOf(drafts()));
  const at = async (seq: string) => {
    const { stdout } = await audit(
      ...["replay", "--bundle", file, "--as-of", seq, "--stream", `payment/${PAYMENT}`, "--json"],
    );
    return (JSON.parse(stdout) as { row: object }).row;
  };
  expect(await at("11")).toMatchObject({ status: "requested", paymentIntentId: null });
  expect(await at("12")).toMatchObject({ status: "awaiting_payment", paymentIntentId: "pi_12345678" });
  expect(await at("13")).toMatchObject({ status: "paid", version: 3 });
  const table = await audit("replay", "--bundle", file, "--as-of", "8");
  expect(table.stdout).toMatch(/bookings\s+│ 5/);
  expect(table.stdout).toContain("Studio Nord");
  const before = await audit("replay", "--bundle", file, "--as-of", "3", "--stream", `payment/${PAYMENT}`);
  expect(before.exit).toBe(2);
  expect((await audit("replay", "--bundle", file, "--as-of", "14")).exit).toBe(2);
});

test("rows that follow from the ledger are the same, also when it went on after the export", async () => {
  const entries = entriesOf(drafts());
  for (const exported of [3, 9, 13]) {
    const { exit, stdout } = await compare(entries, exported, {});
    expect({ exported, exit, stdout }).toEqual({ exported, exit: 0, stdout: "" });
  }
});

test("a row that differs, is missing or is too many is named with its table", async () => {
  const entries = entriesOf(drafts());
  const [first = "", second = "", , , last = ""] = BOOKINGS;
  const models = modelsOf(entries);
  withChange(models, "bookings", (rows) => {
    rows.set(first, "0".repeat(64));
    rows.delete(second);
    rows.delete(last);
  });
  withChange(models, "services", (rows) => rows.set(sampleId("svc", 9), "1".repeat(64)));
  withChange(models, "auditLog", (rows) => rows.set("12", "2".repeat(64)));
  withChange(models, "payments", (rows) => {
    rows.clear();
  });
  const { exit, stdout, stderr } = await compare(entries, 10, { models });
  expect(exit).toBe(1);
  const found = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);
  expect(found).toEqual([
    { table: "services", key: sampleId("svc", 9), kind: "too many" },
    { table: "bookings", key: first, kind: "differs" },
    { table: "bookings", key: second, kind: "missing" },
    { table: "bookings", key: last, kind: "missing" },
    { table: "payments", key: PAYMENT, kind: "missing" },
    { table: "auditLog", key: "12", kind: "differs" },
  ]);
  expect(stderr).toContain("6 rows are not what the ledger gives.");
});

test("a projection with a fault is named by the rows that it makes", async () => {
  const entries = entriesOf(drafts());
  const rows = emptyRows();
  for (const { text } of entries) foldEvent(rows, eventOf(text));
  const cancelled = rows.bookings.get(BOOKINGS[2] ?? "");
  expect(cancelled).toMatchObject({ status: "cancelled", holdsSlot: false });
  // The fault: a cancelled booking goes on to hold its slot.
  const models = withChange(modelsOf(entries), "bookings", (ofTable) =>
    ofTable.set(BOOKINGS[2] ?? "", rowDigest({ ...cancelled, holdsSlot: true })),
  );
  const { exit, stdout } = await compare(entries, entries.length, { models });
  expect(exit).toBe(1);
  expect(JSON.parse(stdout)).toEqual({ table: "bookings", key: BOOKINGS[2], kind: "differs" });
});

test("a server whose ledger is another, or ends before the export, is told apart", async () => {
  const entries = entriesOf(drafts());
  const forged = drafts().map((draft, at) => (at === 11 ? { ...draft, causedBack: 1 } : draft));
  const other = entriesOf(forged);
  const rewritten = await compare(entries, 13, {
    head: { orgId: SAMPLE_ORG_ID, seq: 13, hash: other.at(-1)?.hash ?? "" },
    entries: other,
  });
  expect([rewritten.exit, rewritten.stderr]).toEqual([
    1,
    "The server's event 13 has another hash than the export's.\n",
  ]);
  const unlinked = await compare(entries, 12, {
    head: { orgId: SAMPLE_ORG_ID, seq: 13, hash: other.at(-1)?.hash ?? "" },
    entries: other,
  });
  expect([unlinked.exit, unlinked.stderr]).toEqual([
    1,
    "The server's event 13 does not go on from the export.\n",
  ]);
  const shorter = await compare(entries, 13, {
    head: { orgId: SAMPLE_ORG_ID, seq: 9, hash: entries[8]?.hash ?? "" },
  });
  expect([shorter.exit, shorter.stderr]).toEqual([1, "The server's ledger ends at 9, the export at 13.\n"]);
  const foreign = await compare(entries, 13, {
    head: { orgId: sampleId("org", 2), seq: 13, hash: entries.at(-1)?.hash ?? "" },
  });
  expect(foreign.exit).toBe(2);
});

test("a damaged ledger is not replayed, and one that tells what can't be is refused with the event", async () => {
  const entries = entriesOf(drafts());
  const file = bundleFile(
    "damaged.ndjson",
    entries.with(4, { ...entries[5], text: "{}", hash: "0".repeat(64) }),
  );
  const damaged = await audit("replay", "--bundle", file);
  expect([damaged.exit, damaged.stderr]).toEqual([
    1,
    "Nothing was replayed: the ledger is damaged at sequence 5: not canonical.\n",
  ]);
  const ghost: Draft = { type: "booking.confirmed", stream: `booking/${sampleId("bkg", 8)}`, data: {} };
  const impossible = bundleFile("ghost.ndjson", entriesOf([...drafts(), ghost]));
  const refused = await audit("replay", "--bundle", impossible);
  expect(refused.exit).toBe(1);
  expect(refused.stderr).toContain(`sequence 14: booking.confirmed in booking/${sampleId("bkg", 8)}`);
});
