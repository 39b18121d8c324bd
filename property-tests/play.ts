/**
 * Plays one random stream: a fixed opening (three organisations, people in every role), then the intents, each
 * checked as it is answered, then the checks of the whole.
 */
import { randomUUID } from "node:crypto";
import { checkCommand } from "./commands.ts";
import type { EventEnvelope } from "../ledger/event.ts";
import type { Intent } from "./intents.ts";
import { checkLedger, takeSnapshots } from "./ledgerChecks.ts";
import type { Role } from "./policyModel.ts";
import { checkProjections } from "./projectionChecks.ts";
import { checkCursor, checkQuery } from "./queries.ts";
import { operate } from "./operator.ts";
import { playProvider } from "./provider.ts";
import { resolve, type Resolved } from "./resolve.ts";
import { newSession, requireEqual, type Bench, type Session, type Tally } from "./session.ts";
import { userOf, type Call } from "./world.ts";

type Plan = { founder: string; currency: string; members: readonly (readonly [string, Role])[] };

/** Every role in the first organisation; ada, ben, cleo, dan, eva and finn are in several. */
const PLANS: readonly Plan[] = [
  {
    founder: "ada",
    currency: "EUR",
    members: [
      ["ben", "staff"],
      ["dan", "manager"],
      ["eva", "staff"],
      ["finn", "freelancer"],
      ["gil", "guest"],
      ["hana", "auditor"],
    ],
  },
  {
    founder: "ben",
    currency: "JPY",
    members: [
      ["ada", "manager"],
      ["cleo", "guest"],
      ["eva", "freelancer"],
      ["ivo", "staff"],
      ["finn", "auditor"],
    ],
  },
  {
    founder: "cleo",
    currency: "KWD",
    members: [
      ["dan", "auditor"],
      ["eva", "staff"],
      ["ivo", "manager"],
      ["jun", "owner"],
    ],
  },
];

/** A person with an account and no organisation. */
const STRANGER = "stranger";

async function command(
  session: Session,
  call: Omit<Call, "args"> & { args: Call["args"] },
): Promise<unknown> {
  const args = { ...call.args, idempotencyKey: randomUUID() };
  const answer = JSON.parse((await checkCommand(session, { ...call, args })) ?? "{}") as { result?: unknown };
  return answer.result;
}

async function openOrganization(session: Session, { founder, currency, members }: Plan): Promise<void> {
  const name = `Studio of ${founder}`;
  const founded = await command(session, {
    subject: founder,
    function: "commands/organizations:create",
    args: { name, timeZone: "Europe/Berlin", currency },
  });
  const claim = (founded as { orgId: string }).orgId;
  const asFounder = { subject: founder, claim };
  for (const [subject, role] of members) {
    const invite = { ...asFounder, function: "commands/members:invite", args: { role } };
    const { invitationToken } = (await command(session, invite)) as { invitationToken: string };
    const args = { invitationToken };
    await command(session, { subject, function: "commands/members:acceptInvitation", args });
  }
  for (const service of SERVICES) {
    const args = { name: `${service.durationMinutes} minutes`, ...service };
    const defined = await command(session, { ...asFounder, function: "commands/services:define", args });
    await openPayments(session, asFounder, (defined as { serviceId: string }).serviceId);
  }
}

const SERVICES: readonly { durationMinutes: number; priceMinor: number; depositMinor?: number }[] = [
  { durationMinutes: 30, priceMinor: 3_000 },
  { durationMinutes: 90, priceMinor: 120_000, depositMinor: 60_000 },
];
const HOUR_MS = 3_600_000;

/** Two bookings of a service, each with a payment that waits for the provider. */
async function openPayments(
  session: Session,
  asFounder: Pick<Call, "subject" | "claim">,
  serviceId: string,
): Promise<void> {
  for (const hours of [2, 30]) {
    const args = { serviceId, startsAt: session.bench.now() + hours * HOUR_MS };
    const booked = await command(session, { ...asFounder, function: "commands/bookings:request", args });
    const { bookingId } = booked as { bookingId: string };
    await command(session, { ...asFounder, function: "commands/payments:request", args: { bookingId } });
  }
}

async function send(session: Session, call: Call): Promise<string | undefined> {
  if (call.function.startsWith("commands/")) return await checkCommand(session, call);
  return await checkQuery(session, call, { world: session.world, isExact: false });
}

async function playIntent(session: Session, resolved: Resolved): Promise<void> {
  switch (resolved.kind) {
    case "advance":
      session.bench.advance?.(resolved.byMs);
      return;
    case "operator":
      await operate(session, resolved);
      return;
    case "provider":
      await playProvider(session, resolved.picks);
      return;
    case "call":
      await send(session, resolved.call);
      return;
    case "cursor": {
      const { cursors } = session;
      const seen = cursors[resolved.which % Math.max(1, cursors.length)];
      if (seen !== undefined) await checkCursor(session, resolved.call, seen.cursor);
      return;
    }
    case "twins": {
      const foreign = await send(session, resolved.foreign);
      const nowhere = await send(session, resolved.nowhere);
      requireEqual("INV-07", "a foreign id answers unlike a missing one", foreign, nowhere);
    }
  }
}

async function checkEverything(session: Session): Promise<void> {
  const ledgers = new Map<string, EventEnvelope[]>();
  for (const organization of session.world.organizations.values()) {
    ledgers.set(organization.orgId, await checkLedger(session, organization));
  }
  await checkProjections(session, ledgers);
}

const SNAPSHOT_EVERY = 100;
const JOURNAL_TAIL = 12;

/** Plays a stream and returns what happened. Throws with the invariant's number and the last calls. */
export async function playStream(bench: Bench, intents: readonly Intent[]): Promise<Tally> {
  const session = newSession(bench);
  try {
    for (const plan of PLANS) await openOrganization(session, plan);
    userOf(session.world, STRANGER);
    for (const [index, intent] of intents.entries()) {
      const resolved = resolve(session.world, intent, bench.now());
      if (resolved !== undefined) await playIntent(session, resolved);
      if (index % SNAPSHOT_EVERY === SNAPSHOT_EVERY - 1) await takeSnapshots(session);
    }
    await checkEverything(session);
  } catch (error) {
    const tail = session.journal.slice(-JOURNAL_TAIL).join("\n\n");
    throw new Error(`${String(error)}\n\nthe last commands:\n${tail}`, { cause: error });
  }
  return session.tally;
}
