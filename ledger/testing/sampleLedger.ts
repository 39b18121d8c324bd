/** A made-up studio's ledger, the same on every run: the vectors, the tests and the benchmark are built from it. */
import { canonicalize } from "../canonicalJson.ts";
import type { LedgerObject } from "../canonicalJson.ts";
import type { Actor, EventEnvelope, Source } from "../event.ts";
import type { EventType } from "../eventTypes.ts";
import { genesisHash, hashCanonicalEvent } from "../hash.ts";
import type { Sha256 } from "../hash.ts";
import { isId } from "../ids.ts";
import type { IdByPrefix, IdPrefix } from "../ids.ts";
import type { LedgerEntry } from "../verify.ts";

const BASE_32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const NUMBER_DIGITS = 16;
/** 2026-01-05 08:00 UTC. */
const FIRST_RECORDED_AT_MS = 1_767_600_000_000;
const STEP_MS = 60_000;

/** An id that is the same for the same number. */
export function sampleId<Prefix extends IdPrefix>(prefix: Prefix, number: number): IdByPrefix[Prefix] {
  let digits = "";
  for (let rest = number; digits.length < NUMBER_DIGITS; rest = Math.floor(rest / 32)) {
    digits = BASE_32.charAt(rest % 32) + digits;
  }
  const id = `${prefix}_01KE6S9G00${digits}`;
  if (!isId(prefix, id)) throw new Error(`Not an id: ${id}`);
  return id;
}

export const SAMPLE_ORG_ID = sampleId("org", 1);
const OWNER = sampleId("usr", 1);
const STAFF = sampleId("usr", 2);
const SERVICE = sampleId("svc", 1);
const INVITATION = sampleId("inv", 1);

/** What an event adds to the chain; sequence, ids, times and links follow from its place. */
export interface Draft {
  readonly type: EventType;
  readonly stream: string;
  readonly data: LedgerObject;
  readonly actor?: Actor;
  /** Absent for a command, which most are. */
  readonly source?: Source;
  /** How many events before this one the event stands that caused it. */
  readonly causedBack?: number;
}

const BY_STAFF: Actor = { kind: "user", id: STAFF, role: "manager" };
const PRICE = { priceMinor: 4500, currency: "EUR" };
const ASSIGNEE = { assigneeId: STAFF };
const STARTS_AT = FIRST_RECORDED_AT_MS + 86_400_000;
const SLOT = { startsAt: STARTS_AT, endsAt: STARTS_AT + 3_600_000 };

const ON_ORGANIZATION = `organization/${SAMPLE_ORG_ID}`;
const ON_INVITATION = `invitation/${INVITATION}`;
const ON_STAFF = `member/${STAFF}`;
const ON_SERVICE = `service/${SERVICE}`;

function opening(): Draft[] {
  return [
    {
      type: "organization.created",
      stream: ON_ORGANIZATION,
      data: { name: "Studio Nord", timeZone: "Europe/Copenhagen", currency: "EUR" },
    },
    {
      type: "member.joined",
      stream: `member/${OWNER}`,
      data: { userId: OWNER, role: "owner" },
      causedBack: 1,
    },
    {
      // U+2028 is a line end to many readers, and stands unescaped in RFC 8785.
      type: "organization.renamed",
      stream: ON_ORGANIZATION,
      data: { name: 'Studio "Ærø"\u2028 – 静 🧘\t\u0001' },
    },
    {
      type: "invitation.created",
      stream: ON_INVITATION,
      data: {
        role: "staff",
        tokenHash: "5f".repeat(32),
        keyId: "k1",
        expiresAt: FIRST_RECORDED_AT_MS + 604_800_000,
      },
    },
    { type: "invitation.accepted", stream: ON_INVITATION, data: { userId: STAFF }, actor: BY_STAFF },
    {
      type: "member.joined",
      stream: ON_STAFF,
      data: { userId: STAFF, role: "staff", invitationId: INVITATION },
      actor: BY_STAFF,
      causedBack: 1,
    },
    { type: "member.roleChanged", stream: ON_STAFF, data: { role: "manager", previousRole: "staff" } },
    {
      type: "service.defined",
      stream: ON_SERVICE,
      data: { name: "Yoga, 60 min", durationMinutes: 60, ...PRICE },
    },
  ];
}

function requested(booking: number): Draft {
  return {
    type: "booking.requested",
    stream: `booking/${sampleId("bkg", booking)}`,
    data: { serviceId: SERVICE, ...SLOT, ...PRICE },
    actor: BY_STAFF,
  };
}

function onBooking(booking: number, type: EventType, data: LedgerObject = {}): Draft {
  return { type, stream: `booking/${sampleId("bkg", booking)}`, data, actor: BY_STAFF };
}

/** Every event type of bookings, services and invitations, and of an organisation and its members the first ones. */
export function sampleDrafts(): Draft[] {
  return [
    ...opening(),
    requested(1),
    onBooking(1, "booking.confirmed"),
    onBooking(1, "booking.rescheduled", { startsAt: SLOT.startsAt + 1, endsAt: SLOT.endsAt + 1 }),
    onBooking(1, "booking.assigned", ASSIGNEE),
    onBooking(1, "booking.unassigned", { previousAssigneeId: STAFF }),
    onBooking(1, "booking.assigned", ASSIGNEE),
    onBooking(1, "booking.started"),
    onBooking(1, "booking.completed"),
    requested(2),
    onBooking(2, "booking.confirmed"),
    onBooking(2, "booking.noShowMarked"),
    requested(3),
    onBooking(3, "booking.cancelled", { reason: "customer_request" }),
    { type: "service.retired", stream: ON_SERVICE, data: {} },
    { type: "member.removed", stream: ON_STAFF, data: { role: "manager" } },
  ];
}

const BY_OPERATOR: Pick<Draft, "actor" | "source"> = {
  actor: { kind: "operator", id: "on-call" },
  source: { kind: "operator", name: "organizations.freeze" },
};

/** An organisation's life and a member's sessions: the types that the first sample does not hold. */
export function lifecycleDrafts(): Draft[] {
  const provider = { issuer: "https://identity.test", providerOrgId: "org_2aBcD" };
  return [
    ...opening(),
    { type: "member.sessionsRevoked", stream: ON_STAFF, data: {} },
    { type: "member.suspended", stream: ON_STAFF, data: { role: "manager" } },
    { type: "member.reinstated", stream: ON_STAFF, data: { role: "manager" } },
    { type: "organization.providerLinked", stream: ON_ORGANIZATION, data: provider },
    { type: "organization.frozen", stream: ON_ORGANIZATION, data: { reason: "owner_request" } },
    {
      type: "organization.frozen",
      stream: ON_ORGANIZATION,
      data: { reason: "security_incident" },
      ...BY_OPERATOR,
    },
    { type: "organization.unfrozen", stream: ON_ORGANIZATION, data: {}, ...BY_OPERATOR },
    { type: "organization.providerUnlinked", stream: ON_ORGANIZATION, data: provider },
    { type: "organization.closed", stream: ON_ORGANIZATION, data: { reason: "moved_elsewhere" } },
  ];
}

/** An organisation whose ledger an auditor exports; the pinned head is not held against the chain. */
function exportDrafts(): Draft[] {
  const data = { headSeq: 5, headHash: "0123456789abcdef".repeat(4) };
  return [...opening(), { type: "export.begun", stream: `export/${sampleId("exp", 1)}`, data }];
}

/** An organisation where an invitation was taken back and the audit log was read. */
function readingDrafts(): Draft[] {
  const invitation = `invitation/${sampleId("inv", 2)}`;
  return [
    ...opening(),
    {
      type: "invitation.created",
      stream: invitation,
      data: {
        role: "guest",
        tokenHash: "6a".repeat(32),
        keyId: "k1",
        expiresAt: FIRST_RECORDED_AT_MS + 604_800_000,
      },
    },
    { type: "invitation.revoked", stream: invitation, data: {} },
    {
      type: "reading.begun",
      stream: `reading/${sampleId("rdg", 1)}`,
      data: { fromSeq: 1, toSeq: 8 },
    },
  ];
}

/** An endless ledger: bookings that are requested, confirmed, assigned, started and completed. */
export function* endlessDrafts(): Generator<Draft, never> {
  yield* opening();
  for (let booking = 1; ; booking += 1) {
    yield requested(booking);
    yield onBooking(booking, "booking.confirmed");
    yield onBooking(booking, "booking.assigned", ASSIGNEE);
    yield onBooking(booking, "booking.started");
    yield onBooking(booking, "booking.completed");
  }
}

/** The canonical text of an event as it stands, and its hash. */
export function seal(event: EventEnvelope, sha256: Sha256): LedgerEntry {
  const text = canonicalize(event);
  return { text, hash: hashCanonicalEvent(text, sha256) };
}

function commandSource(draft: Draft, seq: number): Source {
  const [aggregate = "", verb = ""] = draft.type.split(".");
  return {
    kind: "command",
    name: `${aggregate}s.${verb}`,
    key: sampleId("evt", seq).slice(4),
    policy: "0123456789abcdef",
  };
}

/** Gives drafts their places in a chain, one after another. */
export function* chainEvents(
  drafts: Iterable<Draft>,
  sha256: Sha256,
): Generator<{ readonly event: EventEnvelope; readonly entry: LedgerEntry }, void> {
  const versions = new Map<string, number>();
  let prevHash = genesisHash(SAMPLE_ORG_ID, sha256);
  let seq = 0;
  for (const draft of drafts) {
    seq += 1;
    const streamVersion = (versions.get(draft.stream) ?? 0) + 1;
    versions.set(draft.stream, streamVersion);
    const event: EventEnvelope = {
      v: 1,
      orgId: SAMPLE_ORG_ID,
      seq,
      eventId: sampleId("evt", seq),
      stream: draft.stream,
      streamVersion,
      type: draft.type,
      typeVersion: 1,
      recordedAt: FIRST_RECORDED_AT_MS + seq * STEP_MS,
      actor: draft.actor ?? { kind: "user", id: OWNER, role: "owner" },
      source: draft.source ?? commandSource(draft, seq),
      correlationId: `cor-${seq - (draft.causedBack ?? 0)}`,
      ...(draft.causedBack === undefined ? {} : { causationId: sampleId("evt", seq - draft.causedBack) }),
      data: draft.data,
      prevHash,
    };
    const entry = seal(event, sha256);
    prevHash = entry.hash;
    yield { event, entry };
  }
}

/** The events of the short sample chain. */
export function sampleEvents(sha256: Sha256): EventEnvelope[] {
  return Array.from(chainEvents(sampleDrafts(), sha256), ({ event }) => event);
}

/** The events of the sample chain of an organisation that was frozen and closed. */
export function lifecycleEvents(sha256: Sha256): EventEnvelope[] {
  return Array.from(chainEvents(lifecycleDrafts(), sha256), ({ event }) => event);
}

/** The events of the sample chain of an organisation whose ledger was exported. */
export function exportEvents(sha256: Sha256): EventEnvelope[] {
  return Array.from(chainEvents(exportDrafts(), sha256), ({ event }) => event);
}

/** The events of the sample chain of an organisation whose audit log was read. */
export function readingEvents(sha256: Sha256): EventEnvelope[] {
  return Array.from(chainEvents(readingDrafts(), sha256), ({ event }) => event);
}

/** Links and hashes events as they stand in the array, as someone would who rewrites a ledger. */
export function reseal(events: readonly EventEnvelope[], sha256: Sha256): LedgerEntry[] {
  let prevHash = genesisHash(events[0]?.orgId ?? SAMPLE_ORG_ID, sha256);
  return events.map((event) => {
    const entry = seal({ ...event, prevHash }, sha256);
    prevHash = entry.hash;
    return entry;
  });
}
