/** After a stream: what every organisation's ledger must be (INV-01, INV-02, INV-03, INV-05, INV-11). */
import { createHash } from "node:crypto";
import { CATALOGUE } from "../convex/events/catalogue/catalogue.ts";
import { schemaOf, type EventDefinition } from "../convex/events/catalogue/definition.ts";
import type { EventEnvelope } from "../ledger/event.ts";
import { EVENT_TYPES, isEventType } from "../ledger/eventTypes.ts";
import type { Sha256 } from "../ledger/hash.ts";
import { createVerifier } from "../ledger/verify.ts";
import { PAYMENT_METHODS } from "./argumentModel.ts";
import { WEEK_MS } from "./rules.ts";
import { ask, require, requireEqual, textsIn, type Entry, type Session } from "./session.ts";
import { FRESH_S, ownerOf, type ExpectedEvent, type Organization } from "./world.ts";

const sha256: Sha256 = (bytes) => createHash("sha256").update(bytes).digest();

/** The whole ledger, as an owner exports it. */
export async function exportLedger(session: Session, orgId: string): Promise<Entry[]> {
  return await exportedSince(session, orgId, 0);
}

/** What an owner exports after a sequence. */
export async function exportedSince(session: Session, orgId: string, afterSeq: number): Promise<Entry[]> {
  const subject = ownerOf(session.world, orgId) ?? null;
  const entries: Entry[] = [];
  for (;;) {
    const page = (await ask(session, {
      subject,
      claim: orgId,
      issuedAtS: FRESH_S,
      function: "projections/ledger:events",
      args: { afterSeq: afterSeq + entries.length, limit: 200 },
    })) as { entries: Entry[]; nextAfterSeq: number; isDone: boolean };
    entries.push(...page.entries);
    requireEqual("INV-02", "the export's position", page.nextAfterSeq, afterSeq + entries.length);
    if (page.isDone) return entries;
  }
}

/** Keeps the ledgers as they are now, for a later comparison. */
export async function takeSnapshots(session: Session): Promise<void> {
  for (const orgId of session.world.organizations.keys()) {
    session.snapshots.push({ orgId, entries: await exportLedger(session, orgId) });
  }
}

function requireGrown(session: Session, orgId: string, entries: readonly Entry[]): void {
  for (const snapshot of session.snapshots.filter((taken) => taken.orgId === orgId)) {
    const before = entries.slice(0, snapshot.entries.length);
    requireEqual("INV-01", `the ledger of ${orgId} did not only grow`, before, snapshot.entries);
  }
}

async function requireIntact(session: Session, orgId: string, entries: readonly Entry[]): Promise<void> {
  const subject = ownerOf(session.world, orgId) ?? null;
  const head = (await ask(session, {
    subject,
    claim: orgId,
    issuedAtS: FRESH_S,
    function: "projections/ledger:head",
    args: {},
  })) as { orgId: string; seq: number; hash: string };
  const knownHeads = [{ seq: head.seq, hash: head.hash, isLast: true }];
  const verifier = createVerifier({ orgId, sha256, knownHeads });
  for (const entry of entries) verifier.push(entry);
  const { result, count, damage } = verifier.finish();
  requireEqual(
    "INV-02",
    `the ledger of ${orgId}`,
    { result, count, damage },
    {
      result: "intact",
      count: entries.length,
      damage: undefined,
    },
  );
  requireEqual("INV-02", "the head's organisation", head.orgId, orgId);
}

const JOB = "effects/stripe";
const PROVIDER = "stripe";

/** Which commands, jobs and providers may write which event, by hand. */
const WRITERS: Readonly<Record<string, readonly string[]>> = {
  "organization.created": ["organizations.create"],
  "organization.renamed": ["organizations.rename"],
  "organization.frozen": ["organizations.freeze"],
  "organization.unfrozen": ["organizations.unfreeze"],
  "invitation.created": ["members.invite"],
  "invitation.accepted": ["members.acceptInvitation"],
  "invitation.revoked": ["members.revokeInvitation"],
  "organization.closed": ["organizations.close"],
  "organization.providerLinked": ["organizations.linkProvider"],
  "organization.providerUnlinked": ["organizations.unlinkProvider"],
  "export.begun": ["ledger.beginExport"],
  "reading.begun": ["auditLog.beginReading"],
  "member.joined": ["organizations.create", "members.acceptInvitation"],
  "member.roleChanged": ["members.changeRole"],
  "member.removed": ["members.remove", "members.leave"],
  "member.suspended": ["members.suspend"],
  "member.reinstated": ["members.reinstate"],
  "member.sessionsRevoked": ["members.revokeSessions"],
  "service.defined": ["services.define"],
  "service.retired": ["services.retire"],
  "booking.requested": ["bookings.request"],
  "booking.confirmed": ["bookings.confirm"],
  "booking.rescheduled": ["bookings.reschedule"],
  "booking.assigned": ["bookings.assign"],
  "booking.unassigned": ["bookings.unassign"],
  "booking.started": ["bookings.start"],
  "booking.completed": ["bookings.complete"],
  "booking.noShowMarked": ["bookings.markNoShow"],
  "booking.cancelled": ["bookings.cancel"],
  "payment.requested": ["payments.request"],
  "payment.created": [JOB],
  "payment.creationUnknown": [JOB],
  "payment.creationFailed": [JOB],
  // What turns up at the provider after it was given up is asked for to be cancelled by the job itself.
  "payment.cancelRequested": ["payments.cancel", JOB],
  "payment.cancelled": ["payments.cancel", JOB, PROVIDER],
  "payment.processing": [PROVIDER],
  "payment.failed": [PROVIDER],
  "payment.confirmed": [PROVIDER],
  "payment.refundRequested": ["payments.requestRefund"],
  "payment.refundApproved": ["payments.approveRefund"],
  "payment.refundDeclined": ["payments.declineRefund"],
  "payment.refundSubmitted": [JOB],
  "payment.refundUnknown": [JOB],
  "payment.refundNotSubmitted": [JOB],
  "payment.refundPending": [PROVIDER],
  "payment.refunded": [PROVIDER],
  "payment.refundFailed": [PROVIDER],
  "payment.disputeOpened": [PROVIDER],
  "payment.disputeUpdated": [PROVIDER],
  "payment.disputeFundsWithdrawn": [PROVIDER],
  "payment.disputeFundsReinstated": [PROVIDER],
  "payment.disputeClosed": [PROVIDER],
  "stripeAccount.linkBegun": ["stripeAccount.beginLink"],
  "stripeAccount.linkReturned": ["stripeAccount.completeLink"],
  "stripeAccount.linked": [JOB],
  "stripeAccount.linkFailed": [JOB],
  "stripeAccount.unlinked": ["stripeAccount.unlink", PROVIDER],
};

/** The kind of actor that each kind of source has. */
const ACTOR_OF: Readonly<Record<string, string>> = {
  command: "user",
  operator: "operator",
  job: "system",
  webhook: "provider",
};

function requireInCatalogue(event: EventEnvelope): void {
  const { type, typeVersion, data, source } = event;
  if (!isEventType(type)) throw new Error(`INV-03 unknown type ${type}`);
  const definition: EventDefinition = CATALOGUE[type];
  const parsed = schemaOf(definition, typeVersion)?.safeParse(data);
  require("INV-03", parsed?.success === true, `bad data of ${type} v${typeVersion}`, event);
  const named = source.kind === "webhook" ? `webhook/${source.provider}` : source.kind;
  const isAllowed = EVENT_TYPES[type].sources.some((kind) => kind === named);
  require("INV-03", isAllowed, `${type} from a foreign source`, source);
  require("INV-03", ACTOR_OF[source.kind] === event.actor.kind, "an actor of another kind", event);
  const writer = source.kind === "webhook" ? source.provider : source.name;
  require("INV-03", WRITERS[type]?.includes(writer) ?? false, `${type} from ${writer}`, event);
}

/** The data without what only the server knows: its key's id, and the hour that a token ends at. */
function comparableData({ type, data }: Pick<ExpectedEvent, "type" | "data">): unknown {
  if (type !== "invitation.created") return data;
  const { keyId: _, expiresAt: __, ...rest } = data;
  return rest;
}

/** The events are those of the committed commands and no others, with the right actor and source. */
function requireExpected(organization: Organization, events: readonly EventEnvelope[]): void {
  const found = events.map((event) => {
    const { seq, eventId, stream, streamVersion, type, actor, source } = event;
    const { policy: _, ...told } = source as { kind: string; policy?: string };
    return { seq, eventId, stream, streamVersion, type, actor, source: told, data: comparableData(event) };
  });
  const expected = organization.events.map((event) => {
    const { seq, eventId, stream, streamVersion, type, actor, source } = event;
    return { seq, eventId, stream, streamVersion, type, actor, source, data: comparableData(event) };
  });
  for (const [index, event] of found.entries()) {
    requireEqual("INV-05", "an event is not the one its command records", event, expected[index]);
  }
  requireEqual("INV-05", "number of events", found.length, expected.length);
}

function requireTimes(organization: Organization, events: readonly EventEnvelope[]): void {
  for (const [index, { recordedAt, type, data }] of events.entries()) {
    const { earliest, latest } = organization.events[index] ?? { earliest: 0, latest: 0 };
    require("INV-02", recordedAt >= earliest && recordedAt <= latest, "an event at a time of its own", {
      recordedAt,
      earliest,
      latest,
    });
    if (type === "invitation.created") {
      requireEqual("INV-02", "an invitation's end", data["expiresAt"], recordedAt + WEEK_MS);
    }
  }
}

/** Each receipt is one contiguous group of events with one correlation; no key has two groups. */
function requireGroups(
  organization: Organization,
  entries: readonly Entry[],
  events: readonly EventEnvelope[],
): void {
  const correlations = new Set<string>();
  const keys = new Set<string>();
  for (const { firstSeq, lastSeq, headHash, eventIds } of organization.receipts) {
    const group = events.slice(firstSeq - 1, lastSeq);
    requireEqual(
      "INV-05",
      "a receipt's events",
      group.map(({ eventId }) => eventId),
      eventIds,
    );
    requireEqual("INV-05", "a receipt's head", entries[lastSeq - 1]?.hash, headHash);
    const [first, ...rest] = group;
    const correlationId = first?.correlationId ?? "";
    require("INV-05", !correlations.has(correlationId), "two commands share a correlation", group);
    correlations.add(correlationId);
    const { name, key, policy } = (first?.source ?? {}) as { name: string; key: string; policy: string };
    const keyOfGroup = JSON.stringify([first?.actor.id, name, key]);
    require("INV-05", !keys.has(keyOfGroup), "a key took effect twice", group);
    keys.add(keyOfGroup);
    for (const event of rest) {
      requireEqual("INV-05", "a group's correlation", event.correlationId, correlationId);
      requireEqual("INV-05", "a group's cause", event.causationId, first?.eventId);
      requireEqual("INV-05", "a group's source", event.source, { kind: "command", name, key, policy });
    }
  }
  const policies = new Set(
    events.flatMap(({ source }) => (source.kind === "command" ? [source.policy] : [])),
  );
  requireEqual("INV-03", "number of policy fingerprints", policies.size, 1);
}

/** What an export pins is the head that lay before it. */
function requirePinnedHeads(entries: readonly Entry[], events: readonly EventEnvelope[]): void {
  for (const { type, seq, data } of events) {
    if (type !== "export.begun") continue;
    const pinned = { headSeq: data["headSeq"], headHash: data["headHash"] };
    requireEqual("INV-02", "an export's head", pinned, {
      headSeq: seq - 1,
      headHash: entries[seq - 2]?.hash,
    });
  }
}

const TEXT_LENGTH_MIN = 12;
const ID = /^[a-z]{3}_[0-9A-Z]{26}$/u;

/** Nothing of a refused command, and no secret, is in the ledger. */
function requireNothingSmuggled(
  session: Session,
  entries: readonly Entry[],
  events: readonly EventEnvelope[],
): void {
  const all = entries.map(({ text }) => text).join("\n");
  const { tokens, linkStates, secrets } = session.world;
  for (const secret of [...tokens.keys(), ...linkStates.keys(), ...secrets]) {
    require("INV-11", !all.includes(secret), "a secret is in the ledger", secret);
  }
  const texts = new Set(events.flatMap(textsIn));
  for (const text of session.refusedTexts) {
    // What a command takes where nothing is said is in the ledger without anybody's saying it.
    if (text === PAYMENT_METHODS[0]) continue;
    if (text.length < TEXT_LENGTH_MIN || ID.test(text) || session.committedTexts.has(text)) continue;
    require("INV-11", !texts.has(text) && !texts.has(text.trim()), "a refused text is in the ledger", text);
  }
}

/** Every check of one organisation's ledger; returns its events. */
export async function checkLedger(session: Session, organization: Organization): Promise<EventEnvelope[]> {
  const { orgId } = organization;
  const entries = await exportLedger(session, orgId);
  requireGrown(session, orgId, entries);
  await requireIntact(session, orgId, entries);
  const events = entries.map(({ text }) => JSON.parse(text) as EventEnvelope);
  for (const event of events) requireInCatalogue(event);
  requireExpected(organization, events);
  requireTimes(organization, events);
  requireGroups(organization, entries, events);
  requirePinnedHeads(entries, events);
  requireNothingSmuggled(session, entries, events);
  return events;
}
