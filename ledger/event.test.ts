import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseEvent, ROLES, sourceLabel } from "./event.ts";
import { EVENT_TYPES, isEventType, STREAM_ID_PREFIX } from "./eventTypes.ts";
import { sha256Noble } from "./hash.ts";
import { idPattern, isId, parseId } from "./ids.ts";
import { sampleEvents, sampleId } from "./testing/sampleLedger.ts";

const events = sampleEvents(sha256Noble);
const [base] = events;
const user = { kind: "user", id: sampleId("usr", 1), role: "owner" };
const command = { kind: "command", name: "bookings.request", key: "k", policy: "0123456789abcdef" };
const webhook = {
  kind: "webhook",
  provider: "stripe",
  deliveryId: "evt_1",
  bodySha256: "ab".repeat(32),
  signedAt: 1,
};

describe("parseEvent", () => {
  test.each(events.map((event) => [event.type, event] as const))("accepts %s", (_type, event) => {
    expect(parseEvent(event)).toEqual({ ok: true, event });
  });

  test.each([
    ["every role", ROLES.map((role) => ({ actor: { ...user, role } }))],
    [
      "a provider, the system and an operator",
      ["provider", "system", "operator"].map((kind) => ({ actor: { kind, id: "a/b" } })),
    ],
    [
      "a webhook without and with an account",
      [{ source: webhook }, { source: { ...webhook, account: "acct_1" } }],
    ],
    [
      "a job and an operator as the source",
      ["job", "operator"].map((kind) => ({ source: { kind, name: "n" } })),
    ],
    ["a cause", [{ causationId: sampleId("evt", 7) }]],
  ])("accepts %s", (_name, changes) => {
    for (const change of changes) expect(parseEvent({ ...base, ...change })).toMatchObject({ ok: true });
  });

  test.each([
    ["v", [0, 2, "1", 1.5, null, undefined]],
    ["orgId", ["", "org_1", sampleId("usr", 1), null, 1]],
    ["seq", [0, -1, 1.5, "1", 2 ** 53, NaN, -0]],
    ["eventId", ["evt_1", sampleId("org", 1)]],
    [
      "stream",
      ["", "booking", "booking/", `booking/${sampleId("bkg", 1)}/x`, `Booking/${sampleId("bkg", 1)}`],
    ],
    ["streamVersion", [0, 1.5]],
    ["type", ["", "booking", "booking.requested.again", "Booking.requested", "booking.\u0000"]],
    ["typeVersion", [0, "1"]],
    ["recordedAt", [-1, 0.5, "2026-01-01", -0]],
    [
      "actor",
      [null, [], "owner", {}, { ...user, role: "god" }, { ...user, kind: "root" }, { ...user, extra: 1 }],
    ],
    [
      "actor",
      [
        { kind: "user", id: user.id },
        { kind: "provider", id: "" },
        { kind: "toString", id: "x" },
      ],
    ],
    [
      "source",
      [null, {}, { ...command, policy: "xyz" }, { ...command, key: "" }, { ...command, key: "a b" }],
    ],
    [
      "source",
      [
        { ...webhook, bodySha256: "AB".repeat(32) },
        { ...webhook, signedAt: 0.5 },
        { ...webhook, account: 1 },
      ],
    ],
    ["source", [{ kind: "__proto__", name: "x" }, { kind: "job" }, { ...command, name: "a".repeat(257) }]],
    ["correlationId", ["", "a b", "é", 1, null]],
    ["causationId", [null, "", "evt_1", undefined]],
    ["data", [null, [], "x", { a: 0.5 }, { a: undefined }]],
    ["prevHash", ["", "0".repeat(63), "0".repeat(65), "A".repeat(64), `${"0".repeat(64)}\n`]],
    ["algorithm", ["none", "sha256", undefined]],
    ["hash", ["0".repeat(64)]],
  ])("refuses an event whose %s is not as the format says, and names it", (member, values) => {
    for (const value of values) {
      const parsed = parseEvent({ ...base, [member]: value });
      expect(parsed).toMatchObject({ ok: false, reason: expect.stringContaining(member) as string });
    }
  });

  test("refuses an event that lacks any one member", () => {
    for (const member of Object.keys(base ?? {})) {
      const { [member as "v"]: _left, ...rest } = { ...base };
      expect(parseEvent(rest)).toMatchObject({ ok: false, reason: `${member} is missing` });
    }
  });

  test("refuses an own member __proto__", () => {
    const polluted: unknown = JSON.parse(JSON.stringify(base).replace("{", '{"__proto__":{},'));
    expect(parseEvent(polluted)).toEqual({ ok: false, reason: "__proto__ is unknown" });
  });

  test("answers and never throws, whatever it is given", () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true }), (value) => {
        expect(parseEvent(value).ok).toBe(false);
        expect(parseEvent({ ...base, data: value, algorithm: 1 }).ok).toBe(false);
      }),
    );
  });
});

describe("event types and ids", () => {
  test("the table knows its own keys and no inherited ones", () => {
    expect(Object.keys(EVENT_TYPES).every(isEventType)).toBe(true);
    expect(["toString", "__proto__", "constructor", "", "booking"].some(isEventType)).toBe(false);
  });

  test("every type is named after its stream's kind, whose ids have a known prefix", () => {
    for (const [type, rule] of Object.entries(EVENT_TYPES)) {
      expect(type.startsWith(`${rule.stream}.`)).toBe(true);
      expect(STREAM_ID_PREFIX[rule.stream]).toMatch(/^[a-z]{3}$/);
    }
  });

  test("a source's label is its kind, and for a webhook its provider too", () => {
    const labels = events.map(({ source }) => sourceLabel(source));
    expect(new Set(labels)).toEqual(new Set(["command"]));
    expect(sourceLabel({ ...webhook, kind: "webhook" })).toBe("webhook/stripe");
  });

  test("an id of one kind is no id of another", () => {
    const id = sampleId("bkg", 1);
    expect(parseId("bkg", id)).toBe(id);
    expect(parseId("svc", id)).toBeUndefined();
    expect(isId("bkg", { toString: () => id })).toBe(false);
    expect(idPattern("del").test(id.replace("bkg", "del"))).toBe(true);
  });
});
