/**
 * The people and things that the matrix speaks about: one organisation with every kind of member and a booking in
 * every state and hand, and another organisation beside it. Names hold canaries, which no refusal may show.
 */
import { api } from "../../convex/_generated/api.js";
import type { Role } from "../../ledger/event.ts";
import type { Backend, Client } from "../support/backend.ts";
import {
  committed,
  foundOrganization,
  freshly,
  HOUR_MS,
  join,
  key,
  newSubject,
  type Actor,
} from "../support/scene.ts";

const { commands } = api;

/** What each booking costs: more than any role may give back alone. */
export const PRICE_MINOR = 2_000_000;

export const CANARY = "CANARY";

/** How long after its booking is made a booking begins that nobody comes to. */
const BEGINS_AFTER_MS = 2_000;

/** Whose a booking is. */
export const HOLDERS_OF_ALL = ["staff", "freelancer", "nobody"] as const;
export type Holder = (typeof HOLDERS_OF_ALL)[number];

/** `begun`: confirmed, and its time has come. */
const STAGES = ["requested", "confirmed", "begun", "inProgress"] as const;
export type Stage = (typeof STAGES)[number];

const MEMBERS = {
  secondOwner: "owner",
  manager: "manager",
  peer: "manager",
  staff: "staff",
  colleague: "staff",
  freelancer: "freelancer",
  guest: "guest",
  auditor: "auditor",
  secondAuditor: "auditor",
  removed: "staff",
  suspendedOwner: "owner",
  suspendedManager: "manager",
  suspendedStaff: "staff",
  suspendedAuditor: "auditor",
} as const satisfies Record<string, Role>;

export type Name = "owner" | keyof typeof MEMBERS;
export type Person = Pick<Actor, "userId" | "subject">;

/** Who can read the audit log. */
const READERS = ["owner", "manager", "auditor"] as const;
export type Reader = (typeof READERS)[number];

/** An organisation's own things. */
type Things = {
  orgId: string;
  owner: Person;
  serviceId: string;
  bookingId: string;
  openInvitation: string;
  openInvitationId: string;
  readingId: string;
  linkedProviderOrgId: string;
};

export type World = {
  backend: Backend;
  /** Whether cells are judged by their answers alone, without a look at what they did. */
  answersOnly: boolean;
  orgId: string;
  people: Readonly<Record<Name, Person>>;
  serviceId: string;
  bookings: Readonly<Record<Stage, Readonly<Record<Holder, string>>>>;
  /** What was asked for each requested booking; nothing was asked for the others. */
  payments: Readonly<Record<Holder, string>>;
  /** The state of the link that the owner has begun. */
  linkState: string;
  openInvitation: string;
  openInvitationId: string;
  usedInvitation: string;
  /** Open invitations that an owner made, by the role that they give. */
  ownersInvitations: Readonly<Record<"manager" | "auditor", string>>;
  /** A reading of the audit log for each who may begin one. */
  readings: Readonly<Record<Reader, string>>;
  /** A provider's organisation that means this one, and one that means none. */
  linkedProviderOrgId: string;
  unlinkedProviderOrgId: string;
  /** An event of each person's own, by id. */
  ownEvents: Readonly<Record<Name, string>>;
  /** The sizes of two checkpoints, the smaller first. */
  checkpointSizes: readonly [number, number];
  /** The other organisation. It has one owner and nobody else. */
  other: Things;
  /** Somebody without any organisation. */
  stranger: string;
};

async function define(client: Client): Promise<string> {
  const args = {
    name: `${CANARY}-service`,
    durationMinutes: 60,
    priceMinor: PRICE_MINOR,
    idempotencyKey: key(),
  };
  return committed(await client.mutation(commands.services.define, args)).result.serviceId;
}

type Invitation = { invitationId: string; invitationToken: string };

async function invitation(client: Client, role: Role = "staff"): Promise<Invitation> {
  const invited = committed(await client.mutation(commands.members.invite, { role, idempotencyKey: key() }));
  const { invitationId, invitationToken = "" } = invited.result;
  return { invitationId, invitationToken };
}

async function beginReading(client: Client): Promise<string> {
  const args = { fromSeq: 1, toSeq: 2, idempotencyKey: key() };
  return committed(await client.mutation(commands.auditLog.beginReading, args)).result.readingId;
}

async function beginReadings(
  backend: Backend,
  orgId: string,
  people: Readonly<Record<Reader, Person>>,
): Promise<World["readings"]> {
  const begun: [Reader, string][] = [];
  for (const reader of READERS) {
    const client = await backend.as({ subject: people[reader].subject, orgId });
    begun.push([reader, await beginReading(client)]);
  }
  return Object.fromEntries(begun) as World["readings"];
}

async function request(
  client: Client,
  serviceId: string,
  startsAt: number,
  assigneeId: string | undefined,
): Promise<string> {
  const requested = await client.mutation(commands.bookings.request, {
    serviceId,
    startsAt,
    ...(assigneeId === undefined ? {} : { assigneeId }),
    idempotencyKey: key(),
  });
  return committed(requested).result.bookingId;
}

type Hands = Readonly<Record<Holder, string | undefined>>;

/** Bookings in every hand, one stage after another; those of a stage begin at the same hour. */
async function bookEverything(client: Client, serviceId: string, hands: Hands): Promise<World["bookings"]> {
  const { confirm, start } = commands.bookings;
  const now = Date.now();
  const startsAt = {
    requested: now + 24 * HOUR_MS,
    confirmed: now + 48 * HOUR_MS,
    begun: 0,
    inProgress: now + 72 * HOUR_MS,
  };
  const made: [Stage, Record<Holder, string>][] = [];
  for (const stage of STAGES) {
    const ofStage: [Holder, string][] = [];
    for (const holder of HOLDERS_OF_ALL) {
      // What is to begin soon is made late, so that a slow host is not overtaken by its time.
      const at = stage === "begun" ? Date.now() + BEGINS_AFTER_MS : startsAt[stage];
      const bookingId = await request(client, serviceId, at, hands[holder]);
      ofStage.push([holder, bookingId]);
      if (stage === "requested") continue;
      committed(await client.mutation(confirm, { bookingId, idempotencyKey: key() }));
      if (stage !== "inProgress") continue;
      committed(await client.mutation(start, { bookingId, idempotencyKey: key() }));
    }
    made.push([stage, Object.fromEntries(ofStage) as Record<Holder, string>]);
  }
  return Object.fromEntries(made) as World["bookings"];
}

/** Asks for the price of each of these bookings. */
async function askForAll(
  client: Client,
  bookings: Readonly<Record<Holder, string>>,
): Promise<World["payments"]> {
  const asked: [Holder, string][] = [];
  for (const holder of HOLDERS_OF_ALL) {
    const args = { bookingId: bookings[holder], idempotencyKey: key() };
    const { result } = committed(await client.mutation(commands.payments.request, args));
    asked.push([holder, result.paymentId]);
  }
  return Object.fromEntries(asked) as World["payments"];
}

async function beginLink(client: Client): Promise<string> {
  const begun = await client.mutation(commands.stripeAccount.beginLink, { idempotencyKey: key() });
  return committed(begun).result.state ?? "";
}

/** Makes a provider's organisation mean the one that its owner has chosen. */
async function linkProvider(backend: Backend, owner: Actor): Promise<string> {
  const providerOrgId = `org_${newSubject("linked")}`;
  const linking = await freshly(backend, owner, providerOrgId);
  committed(await linking.mutation(commands.organizations.linkProvider, { idempotencyKey: key() }));
  return providerOrgId;
}

async function otherOrganization(backend: Backend): Promise<Things> {
  const { orgId, owner } = await foundOrganization(backend, `${CANARY}-other`);
  const serviceId = await define(owner.client);
  const bookingId = await request(owner.client, serviceId, Date.now() + 24 * HOUR_MS, owner.userId);
  const open = await invitation(owner.client);
  return {
    ...{ orgId, owner, serviceId, bookingId },
    openInvitation: open.invitationToken,
    openInvitationId: open.invitationId,
    readingId: await beginReading(owner.client),
    linkedProviderOrgId: await linkProvider(backend, owner),
  };
}

async function gather(
  backend: Backend,
  orgId: string,
  owner: Client,
): Promise<Record<keyof typeof MEMBERS, Person>> {
  const joined: [string, Person][] = [];
  for (const [name, role] of Object.entries(MEMBERS)) {
    const { userId, subject } = await join(backend, orgId, owner, role);
    joined.push([name, { userId, subject }]);
    const args = { userId, idempotencyKey: key() };
    if (name === "removed") committed(await owner.mutation(commands.members.remove, args));
    if (name.startsWith("suspended")) committed(await owner.mutation(commands.members.suspend, args));
  }
  return Object.fromEntries(joined) as Record<keyof typeof MEMBERS, Person>;
}

async function requestCheckpoint(client: Client): Promise<number> {
  return committed(await client.mutation(commands.ledger.requestCheckpoint, {})).result.size;
}

/** The first event of each person. */
async function eventsOf(client: Client, people: World["people"]): Promise<World["ownEvents"]> {
  type Event = { eventId: string; actor: { id: string } };
  const { entries } = await client.query(api.projections.ledger.events, { afterSeq: 0, limit: 200 });
  const events = entries.map(({ text }) => JSON.parse(text) as Event);
  const own = Object.entries(people).map(([name, { userId }]) => {
    return [name, events.find(({ actor }) => actor.id === userId)?.eventId ?? ""];
  });
  return Object.fromEntries(own) as World["ownEvents"];
}

/** Builds it; `waitUntil` lets the time come (milliseconds UTC), for the bookings that nobody comes to. */
export async function buildWorld(
  backend: Backend,
  waitUntil: (time: number) => Promise<void>,
): Promise<World> {
  const { orgId, owner: founder } = await foundOrganization(backend, `${CANARY}-studio`);
  const owner = await freshly(backend, founder, orgId);
  const people = { owner: founder, ...(await gather(backend, orgId, owner)) };
  const firstSize = await requestCheckpoint(owner);
  const serviceId = await define(owner);
  const open = await invitation(owner);
  const { invitationToken: usedInvitation } = await invitation(owner);
  const newcomer = await backend.as({ subject: newSubject("newcomer") });
  const accepting = { invitationToken: usedInvitation, idempotencyKey: key() };
  committed(await newcomer.mutation(commands.members.acceptInvitation, accepting));
  const linkState = await beginLink(owner);
  const hands = { staff: people.staff.userId, freelancer: people.freelancer.userId, nobody: undefined };
  const bookings = await bookEverything(owner, serviceId, hands);
  const world = {
    backend,
    answersOnly: false,
    linkState,
    orgId,
    people,
    serviceId,
    openInvitation: open.invitationToken,
    openInvitationId: open.invitationId,
    usedInvitation,
    ownersInvitations: {
      manager: (await invitation(owner, "manager")).invitationId,
      auditor: (await invitation(owner, "auditor")).invitationId,
    },
    readings: await beginReadings(backend, orgId, people),
    linkedProviderOrgId: await linkProvider(backend, founder),
    unlinkedProviderOrgId: `org_${newSubject("unlinked")}`,
    other: await otherOrganization(backend),
    stranger: newSubject("stranger"),
    bookings,
    payments: await askForAll(owner, bookings.requested),
    ownEvents: await eventsOf(owner, people),
    checkpointSizes: [firstSize, await requestCheckpoint(owner)] as const,
  };
  await waitUntil(Date.now() + BEGINS_AFTER_MS);
  return world;
}
