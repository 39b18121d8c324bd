import { describe, expect, test } from "vitest";
import { z } from "zod";
import { EVENT_TYPES, type EventType } from "../../../ledger/eventTypes.ts";
import { CATALOGUE, catalogueProblem, isEventType, toDomainEvent } from "./catalogue.ts";
import { defineEvent, latestVersion, schemaOf, upcastData, type EventDefinition } from "./definition.ts";

/** Made up: version 1 had one text, version 2 two of them, version 3 counts. */
const renamed = defineEvent(z.strictObject({ first: z.string(), last: z.string(), length: z.int() }), [
  {
    schema: z.strictObject({ name: z.string() }),
    upcast: ({ name }) => {
      const [first = "", last = ""] = String(name).split(" ");
      return { first, last };
    },
  },
  {
    schema: z.strictObject({ first: z.string(), last: z.string() }),
    upcast: (data) => ({ ...data, length: String(data["first"]).length }),
  },
]);

describe("an event type with older versions", () => {
  test("counts its versions from 1", () => {
    expect(latestVersion(renamed)).toBe(3);
    expect(latestVersion(defineEvent(z.strictObject({})))).toBe(1);
  });

  test("has the schema of each version and of no other", () => {
    expect(schemaOf(renamed, 1)?.safeParse({ name: "Ada L" }).success).toBe(true);
    expect(schemaOf(renamed, 2)?.safeParse({ name: "Ada L" }).success).toBe(false);
    expect(schemaOf(renamed, 3)).toBe(renamed.latest);
    for (const version of [0, 4, -1, 1.5]) expect(schemaOf(renamed, version)).toBeUndefined();
  });

  test("raises data of any version to the newest, step by step", () => {
    const newest = { first: "Ada", last: "Lovelace", length: 3 };
    expect(upcastData(renamed, 1, { name: "Ada Lovelace" })).toEqual(newest);
    expect(upcastData(renamed, 2, { first: "Ada", last: "Lovelace" })).toEqual(newest);
    expect(upcastData(renamed, 3, newest)).toBe(newest);
  });

  test("leaves the old data as it was", () => {
    const old = Object.freeze({ name: "Ada Lovelace" });
    upcastData(renamed, 1, old);
    expect(old).toEqual({ name: "Ada Lovelace" });
  });

  test.each([0, 4, 1.5, Number.NaN])("refuses version %d", (version) => {
    expect(() => upcastData(renamed, version, {})).toThrow("unknown event version");
  });
});

const ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
const SLOT = { startsAt: 1, endsAt: 2 };
const PRICE = { priceMinor: 0, currency: "EUR" };

const INTENT = "pi_3ABCDEFGH";
const SESSION = "cs_test_ABCDEFGH";
const REFUND = { providerRefundId: "re_3ABCDEFGH", amountMinor: 1, currency: "EUR", refundId: `rfd_${ULID}` };
const DISPUTE = {
  disputeId: "dp_3ABCDEFGH",
  occurredAt: 1,
  amountMinor: 1,
  currency: "EUR",
  status: "needs_response",
  reason: "fraudulent",
};

/** Valid data of every type, as DESIGN lists it. */
const SAMPLES: Record<EventType, object> = {
  "organization.created": { name: "A", timeZone: "UTC", currency: "EUR" },
  "organization.renamed": { name: "B" },
  "organization.frozen": { reason: "other" },
  "organization.unfrozen": {},
  "organization.closed": { reason: "merged" },
  "organization.providerLinked": { issuer: "https://identity.test", providerOrgId: "org_2aBcD" },
  "organization.providerUnlinked": { issuer: "https://identity.test", providerOrgId: "org_2aBcD" },
  "invitation.created": { role: "staff", tokenHash: "ab".repeat(32), keyId: "k1", expiresAt: 1 },
  "invitation.revoked": {},
  "invitation.accepted": { userId: `usr_${ULID}` },
  "member.joined": { userId: `usr_${ULID}`, role: "staff", invitationId: `inv_${ULID}` },
  "member.roleChanged": { role: "manager", previousRole: "staff" },
  "member.removed": { role: "manager" },
  "member.suspended": { role: "manager" },
  "member.reinstated": { role: "manager" },
  "member.sessionsRevoked": {},
  "service.defined": { name: "A", durationMinutes: 60, ...PRICE },
  "service.retired": {},
  "booking.requested": { serviceId: `svc_${ULID}`, ...SLOT, ...PRICE, assigneeId: `usr_${ULID}` },
  "booking.confirmed": {},
  "booking.rescheduled": SLOT,
  "booking.assigned": { assigneeId: `usr_${ULID}`, previousAssigneeId: `usr_${ULID}` },
  "booking.unassigned": { previousAssigneeId: `usr_${ULID}` },
  "booking.started": {},
  "booking.completed": {},
  "booking.noShowMarked": {},
  "booking.cancelled": { reason: "weather" },
  "stripeAccount.linkBegun": { linkId: `lnk_${ULID}` },
  "stripeAccount.linkReturned": { linkId: `lnk_${ULID}` },
  "stripeAccount.linked": { linkId: `lnk_${ULID}`, account: "acct_1ABCDEFGH", livemode: false },
  "stripeAccount.linkFailed": { linkId: `lnk_${ULID}`, reason: "denied" },
  "stripeAccount.unlinked": { account: "acct_1ABCDEFGH", reason: "owner_request" },
  "payment.requested": {
    bookingId: `bkg_${ULID}`,
    purpose: "full",
    method: "payment_intent",
    amountMinor: 1,
    currency: "EUR",
    account: "acct_1ABCDEFGH",
    returnPath: "/thanks",
  },
  "payment.created": { paymentIntentId: INTENT, checkoutSessionId: SESSION, livemode: false },
  "payment.creationUnknown": {},
  "payment.creationFailed": { code: "card_declined" },
  "payment.cancelRequested": {},
  "payment.cancelled": { reason: "expired", paymentIntentId: INTENT },
  "payment.processing": { paymentIntentId: INTENT, occurredAt: 1 },
  "payment.failed": { paymentIntentId: INTENT, occurredAt: 1, code: "card_declined" },
  "payment.confirmed": {
    paymentIntentId: INTENT,
    checkoutSessionId: SESSION,
    amountMinor: 1,
    currency: "EUR",
  },
  "payment.refundRequested": {
    refundId: `rfd_${ULID}`,
    amountMinor: 1,
    reason: "duplicate",
    needsApproval: false,
  },
  "payment.refundApproved": { refundId: `rfd_${ULID}` },
  "payment.refundDeclined": { refundId: `rfd_${ULID}` },
  "payment.refundSubmitted": { refundId: `rfd_${ULID}`, providerRefundId: "re_3ABCDEFGH" },
  "payment.refundUnknown": { refundId: `rfd_${ULID}` },
  "payment.refundNotSubmitted": { refundId: `rfd_${ULID}`, code: "charge_disputed" },
  "payment.refundPending": REFUND,
  "payment.refunded": REFUND,
  "payment.refundFailed": { ...REFUND, code: "lost_or_stolen_card" },
  "payment.disputeOpened": DISPUTE,
  "payment.disputeUpdated": DISPUTE,
  "payment.disputeFundsWithdrawn": DISPUTE,
  "payment.disputeFundsReinstated": DISPUTE,
  "payment.disputeClosed": DISPUTE,
  "reading.begun": { fromSeq: 1, toSeq: 2 },
  "export.begun": { headSeq: 1, headHash: "0".repeat(64) },
};

/** Fields that may be absent. */
const OPTIONAL: Partial<Record<EventType, readonly string[]>> = {
  "member.joined": ["invitationId"],
  "booking.requested": ["assigneeId"],
  "booking.assigned": ["previousAssigneeId"],
  "payment.requested": ["account", "returnPath"],
  "payment.created": ["paymentIntentId", "checkoutSessionId"],
  "payment.cancelled": ["paymentIntentId"],
  "payment.confirmed": ["checkoutSessionId"],
  "payment.refundPending": ["refundId"],
  "payment.refunded": ["refundId"],
  "payment.refundFailed": ["refundId"],
};

const TYPES = Object.keys(SAMPLES) as EventType[];

function candidate(type: EventType): Parameters<typeof catalogueProblem>[0] {
  const stream = `${EVENT_TYPES[type].stream}/${EVENT_TYPES[type].stream.slice(0, 3)}_${ULID}`;
  const [label = ""] = EVENT_TYPES[type].sources;
  return { type, typeVersion: 1, stream, source: sourceOf(label), data: SAMPLES[type] };
}

function sourceOf(label: string): { kind: string; provider?: string } {
  const [kind = "", provider] = label.split("/");
  return provider === undefined ? { kind } : { kind, provider };
}

const LABELS = ["command", "job", "operator", "webhook/stripe", "webhook/resend", "webhook"];

describe("the catalogue", () => {
  test("covers exactly the event types of the format, with their versions", () => {
    expect(Object.keys(CATALOGUE).sort()).toEqual(Object.keys(EVENT_TYPES).sort());
    for (const type of TYPES) {
      const definition: EventDefinition = CATALOGUE[type];
      const versions = Array.from({ length: latestVersion(definition) }, (_, index) => index + 1);
      expect(versions).toEqual(EVENT_TYPES[type].versions);
    }
  });

  test.each(TYPES)("INV-03 takes %s as DESIGN lists it, and nothing else", (type) => {
    const good = candidate(type);
    expect(catalogueProblem(good)).toBeNull();
    expect(catalogueProblem({ ...good, typeVersion: 2 })).toContain("unknown version");
    expect(catalogueProblem({ ...good, typeVersion: 0 })).toContain("unknown version");
    expect(catalogueProblem({ ...good, stream: `other/oth_${ULID}` })).toContain("foreign stream");
    for (const label of LABELS) {
      const problem = catalogueProblem({ ...good, source: sourceOf(label) });
      if (EVENT_TYPES[type].sources.some((allowed) => allowed === label)) expect(problem).toBeNull();
      else expect(problem).toContain("from source ");
    }
    expect(catalogueProblem({ ...good, data: { ...SAMPLES[type], more: 1 } })).toContain("bad data");
    expect(catalogueProblem({ ...good, data: null })).toContain("bad data");
  });

  test.each(TYPES)("INV-03 every field of %s counts", (type) => {
    const isOptional = (field: string): boolean => OPTIONAL[type]?.includes(field) === true;
    for (const field of Object.keys(SAMPLES[type])) {
      const rest = Object.fromEntries(Object.entries(SAMPLES[type]).filter(([name]) => name !== field));
      const problem = catalogueProblem({ ...candidate(type), data: rest });
      expect(problem === null, field).toBe(isOptional(field));
      for (const value of [-1.5, ""]) {
        const wrong = { ...SAMPLES[type], [field]: value };
        expect(catalogueProblem({ ...candidate(type), data: wrong }), field).toContain("bad data");
      }
    }
  });

  test("INV-03 knows no type by a prototype's name", () => {
    const good = candidate("booking.confirmed");
    for (const type of ["constructor", "__proto__", "booking.erased", ""]) {
      expect(isEventType(type)).toBe(false);
      expect(catalogueProblem({ ...good, type })).toContain("unknown type");
    }
    expect(() => toDomainEvent({ type: "booking.erased", seq: 3 } as never)).toThrow("INV-03");
  });
});
