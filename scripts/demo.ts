/**
 * A day in two organisations, through the official client against a running host: `npm run demo`. Starts a host
 * of its own, on its own data, when none answers at DAYBOOK_URL.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import Table from "cli-table3";
import { ConvexClient } from "convex/browser";
import getPort from "get-port";
import pc from "picocolors";
import { ulid } from "ulid";
import { api } from "../convex/_generated/api.js";
import { did, heading, out, requireCommitted, saw, until, type Response } from "./demoOutput.ts";
import { payments, type PaymentPlaces } from "./demoPayments.ts";

const ROOT = path.join(import.meta.dirname, "..");
const DEFAULT_URL = process.env["DAYBOOK_URL"] ?? "http://127.0.0.1:3210";
const START_TIMEOUT_MS = 60_000;
const HOUR_MS = 3_600_000;

const { commands, projections } = api;

async function answers(url: string): Promise<boolean> {
  return await fetch(`${url}/version`).then(
    (response) => response.ok,
    () => false,
  );
}

type RunningHost = PaymentPlaces & { url: string; stop: () => Promise<void> };

/** Where the HTTP actions and the stand-in for Stripe are unless told otherwise. */
const DEFAULT_PLACES: PaymentPlaces = {
  siteUrl: process.env["DAYBOOK_SITE_URL"] ?? "http://127.0.0.1:3211",
  simulatorUrl: process.env["STRIPE_SIMULATOR_URL"] ?? "http://127.0.0.1:3212",
};

/** The host that runs already, or one of our own in a temporary folder. */
async function findHost(): Promise<RunningHost> {
  if (await answers(DEFAULT_URL)) {
    out(pc.dim(`Using the host at ${DEFAULT_URL}.`));
    return { url: DEFAULT_URL, ...DEFAULT_PLACES, stop: () => Promise.resolve() };
  }
  const dataDir = mkdtempSync(path.join(tmpdir(), "daybook-demo-"));
  const [port, sitePort, simulatorPort] = [await getPort(), await getPort(), await getPort()];
  const url = `http://127.0.0.1:${port}`;
  out(pc.dim(`No host at ${DEFAULT_URL}; starting one at ${url}, data in ${dataDir}.`));
  const child = spawn(process.execPath, ["embedded/main.ts", "start"], {
    cwd: ROOT,
    stdio: ["ignore", "ignore", "inherit"],
    env: {
      ...process.env,
      DAYBOOK_ENV: "development",
      PORT: String(port),
      SITE_PORT: String(sitePort),
      DAYBOOK_SIMULATOR_PORT: String(simulatorPort),
      DATA_DIR: dataDir,
      // What the demo has refused on purpose is no news.
      LOG_LEVEL: process.env["LOG_LEVEL"] ?? "error",
    },
  });
  const stop = async (): Promise<void> => {
    await ended(child, "SIGTERM");
    rmSync(dataDir, { recursive: true, force: true });
  };
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await answers(url))) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error("the host did not start");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const loopback = (of: number): string => `http://127.0.0.1:${of}`;
  return { url, siteUrl: loopback(sitePort), simulatorUrl: loopback(simulatorPort), stop };
}

async function ended(child: ChildProcess, signal?: NodeJS.Signals): Promise<number> {
  if (child.exitCode !== null) return child.exitCode;
  const exit = new Promise<number>((resolve) =>
    child.once("exit", (code) => {
      resolve(code ?? 1);
    }),
  );
  if (signal !== undefined) child.kill(signal);
  return await exit;
}

/** A token of the development identity provider. */
async function tokenFor(url: string, user: string, orgId?: string): Promise<string> {
  const response = await fetch(`${url}/dev/token`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(orgId === undefined ? { user } : { user, orgId }),
  });
  if (!response.ok) throw new Error(`no token: ${response.status} ${await response.text()}`);
  return ((await response.json()) as { token: string }).token;
}

const clients: ConvexClient[] = [];

async function signIn(url: string, user: string, orgId?: string): Promise<ConvexClient> {
  const client = new ConvexClient(url, { logger: false });
  const token = await tokenFor(url, user, orgId);
  client.setAuth(() => Promise.resolve(token));
  clients.push(client);
  return client;
}

function showRefusal(who: string, what: string, response: Response): void {
  if (response.status !== "rejected") throw new Error(`${who}: ${what} was not refused`);
  out(`  ${pc.cyan(who.padEnd(10))} ${what} ${pc.red(`→ ${response.code}`)} ${pc.dim(response.message)}`);
}

const FIRST_PAGE = { numItems: 50, cursor: null };

async function found(url: string, user: string, name: string, currency: string) {
  const client = await signIn(url, user);
  const created = requireCommitted(
    await client.mutation(commands.organizations.create, {
      name,
      timeZone: "Europe/Berlin",
      currency,
      idempotencyKey: ulid(),
    }),
  );
  did(user, `founds ${pc.bold(name)} ${pc.dim(created.result.orgId)}`);
  return { orgId: created.result.orgId, client: await signIn(url, user, created.result.orgId) };
}

async function studioDay(
  url: string,
  suffix: string,
): Promise<{ orgId: string; owner: ConvexClient; bookingId: string; serviceId: string }> {
  heading("Morning: a studio opens");
  const [anna, sam] = [`anna-${suffix}`, `sam-${suffix}`];
  const { orgId, client: owner } = await found(url, anna, "Studio Blue", "EUR");
  const invited = requireCommitted(
    await owner.mutation(commands.members.invite, { role: "staff", idempotencyKey: ulid() }),
  );
  did(anna, "invites somebody as staff");
  const staff = await signIn(url, sam);
  requireCommitted(
    await staff.mutation(commands.members.acceptInvitation, {
      invitationToken: invited.result.invitationToken ?? "",
      idempotencyKey: ulid(),
    }),
  );
  did(sam, "accepts");
  const members = await owner.query(projections.members.list, { paginationOpts: FIRST_PAGE });
  const samId = members.page.find((row) => row.role === "staff")?.userId ?? "";

  heading("Noon: a booking, seen live");
  const service = requireCommitted(
    await owner.mutation(commands.services.define, {
      name: "Massage",
      durationMinutes: 60,
      priceMinor: 6500,
      idempotencyKey: ulid(),
    }),
  );
  did(anna, "offers Massage, 60 minutes, 65.00 EUR");
  const booked = until<{ page: { status: string; startsAt: number }[] }>(
    (listen) => staff.onUpdate(projections.bookings.list, { paginationOpts: FIRST_PAGE }, listen),
    (list) => list.page.length === 1,
  );
  const startsAt = Date.now() + 2 * HOUR_MS;
  const { serviceId } = service.result;
  const request = { serviceId, startsAt, assigneeId: samId, idempotencyKey: ulid() };
  const booking = requireCommitted(await owner.mutation(commands.bookings.request, request));
  did(anna, `books it for ${new Date(startsAt).toISOString()}, with ${sam}`);
  saw(sam, `${(await booked).page.length} booking, ${(await booked).page[0]?.status ?? ""}`);
  const replay = requireCommitted(await owner.mutation(commands.bookings.request, request));
  did(
    anna,
    `sends the same command again: replayed ${String(replay.replayed)}, same receipt (event ${replay.receipt.lastSeq})`,
  );
  const { bookingId } = booking.result;
  const confirmed = until<{ status: string }>(
    (listen) => staff.onUpdate(projections.bookings.get, { bookingId }, listen),
    (row) => row.status === "confirmed",
  );
  requireCommitted(await owner.mutation(commands.bookings.confirm, { bookingId, idempotencyKey: ulid() }));
  did(anna, "confirms");
  saw(sam, `booking ${(await confirmed).status}`);
  await refusals({ anna, sam, owner, staff, serviceId, startsAt, samId, bookingId });
  return { orgId, owner, bookingId, serviceId };
}

async function refusals(day: {
  anna: string;
  sam: string;
  owner: ConvexClient;
  staff: ConvexClient;
  serviceId: string;
  startsAt: number;
  samId: string;
  bookingId: string;
}): Promise<void> {
  heading("Afternoon: what is refused");
  const { owner, staff, bookingId } = day;
  const cancel = { bookingId, reason: "weather" as const, idempotencyKey: ulid() };
  showRefusal(day.sam, "cancels the booking", await staff.mutation(commands.bookings.cancel, cancel));
  const double = {
    serviceId: day.serviceId,
    startsAt: day.startsAt + HOUR_MS / 2,
    assigneeId: day.samId,
    idempotencyKey: ulid(),
  };
  showRefusal(day.anna, "books the same hour twice", await owner.mutation(commands.bookings.request, double));
  requireCommitted(await staff.mutation(commands.bookings.start, { bookingId, idempotencyKey: ulid() }));
  requireCommitted(await staff.mutation(commands.bookings.complete, { bookingId, idempotencyKey: ulid() }));
  did(day.sam, "starts and completes the booking");
}

async function clinicDay(url: string, suffix: string, foreignBookingId: string): Promise<ConvexClient> {
  heading("Meanwhile: another organisation");
  const bert = `bert-${suffix}`;
  const { client } = await found(url, bert, "Clinic Green", "CHF");
  const stolen = { bookingId: foreignBookingId, idempotencyKey: ulid() };
  showRefusal(
    bert,
    "confirms the studio's booking",
    await client.mutation(commands.bookings.confirm, stolen),
  );
  const list = await client.query(projections.bookings.list, { paginationOpts: FIRST_PAGE });
  did(bert, `lists the bookings that exist for the clinic: ${list.page.length}`);
  return client;
}

/** Ids by their prefix and last characters; the first ones are the time and all alike here. */
function shorten(text: string): string {
  return text.replaceAll(/_\w{20}(\w{6})/g, "_…$1");
}

async function showAuditLog(owner: ConvexClient): Promise<void> {
  heading("Evening: the studio's audit log");
  const log = await owner.query(projections.auditLog.list, { paginationOpts: FIRST_PAGE });
  const table = new Table({ head: ["seq", "what", "who"], style: { head: [], border: [] } });
  for (const row of [...log.page].reverse()) {
    const who = row.actor.kind === "user" ? `${row.actor.role} ${shorten(row.actor.id)}` : row.actor.kind;
    table.push([row.seq, shorten(row.summary), who]);
  }
  out(table.toString());
}

/** Runs the auditor's program as an auditor would: with a URL and a token. */
async function audit(url: string, user: string, orgId: string): Promise<number> {
  heading("Night: the audit, by a program that runs no server code");
  const token = await tokenFor(url, user, orgId);
  out(pc.dim("  npm run audit -- verify --url URL --token TOKEN"));
  const child = spawn(process.execPath, ["audit/main.ts", "verify", "--url", url], {
    cwd: ROOT,
    stdio: "inherit",
    env: { ...process.env, DAYBOOK_TOKEN: token },
  });
  return await ended(child);
}

async function main(): Promise<number> {
  const host = await findHost();
  try {
    const suffix = ulid().slice(-4).toLowerCase();
    const { orgId, owner, bookingId, serviceId } = await studioDay(host.url, suffix);
    await payments(host, { who: `anna-${suffix}`, owner, bookingId, serviceId });
    await clinicDay(host.url, suffix, bookingId);
    await showAuditLog(owner);
    return await audit(host.url, `anna-${suffix}`, orgId);
  } finally {
    await Promise.all(clients.map((client) => client.close()));
    await host.stop();
  }
}

process.exitCode = await main();
