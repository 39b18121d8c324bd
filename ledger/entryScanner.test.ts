/** The scanner of lines against the reference: `parseEntry`, `parseCanonical` and `parseEvent`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { LINE_BYTES_MAX, LineCutter, parseEntry } from "./bundle.ts";
import { canonicalize, parseCanonical } from "./canonicalJson.ts";
import { EntryScanner } from "./entryScanner.ts";
import { parseEvent } from "./event.ts";
import type { EventEnvelope } from "./event.ts";
import { anyText } from "./testing/anyText.ts";

const encoder = new TextEncoder();
const HASH = "ab".repeat(32);

const { events } = {
  events: (
    JSON.parse(readFileSync(join(import.meta.dirname, "..", "vectors", "events.json"), "utf8")) as readonly {
      readonly event: EventEnvelope;
    }[]
  ).map(({ event }) => event),
};

/** What the reference reads from a line, its newline included; undefined when it refuses it. */
function readByReference(bytes: Uint8Array): EventEnvelope | undefined {
  const cutter = new LineCutter();
  const [line, ...more] = [...cutter.push(bytes)];
  if (line?.kind !== "line" || more.length > 0 || cutter.finish() !== undefined) return undefined;
  const entry = parseEntry(line.text);
  const canonical = entry.ok ? parseCanonical(entry.entry.text) : entry;
  const parsed = canonical.ok ? parseEvent(canonical.value) : canonical;
  return parsed.ok ? parsed.event : undefined;
}

const line = (event: object, hash = HASH) =>
  encoder.encode(`{"event":${canonicalize(event)},"hash":"${hash}"}\n`);

/** The scanner's reading, put together from its positions; undefined when it refuses the line. */
function scan(bytes: Uint8Array): object | undefined {
  const scanner = new EntryScanner();
  if (scanner.scan(bytes, 0) !== bytes.length) return undefined;
  const text = (from: number, length: number) => Buffer.from(bytes).toString("utf8", from, from + length);
  const { seq, streamVersion, typeVersion, recordedAt, sourceKind } = scanner;
  const event: unknown = JSON.parse(text(scanner.textAt, scanner.textEnd - scanner.textAt));
  return {
    event,
    hash: text(scanner.hashAt, 64),
    orgId: `org_${text(scanner.orgUlidAt, 26)}`,
    eventId: `evt_${text(scanner.eventUlidAt, 26)}`,
    prevHash: text(scanner.prevHashAt, 64),
    stream: text(scanner.streamAt, scanner.streamUlidAt + 26 - scanner.streamAt),
    kind: text(scanner.streamAt, scanner.streamKindEnd - scanner.streamAt),
    type: text(scanner.typeAt, scanner.typeEnd - scanner.typeAt),
    provider:
      sourceKind === "webhook"
        ? (JSON.parse(`"${text(scanner.providerAt, scanner.providerEnd - scanner.providerAt)}"`) as string)
        : undefined,
    ...{ seq, streamVersion, typeVersion, recordedAt, sourceKind },
  };
}

function expected(event: EventEnvelope): object {
  const { orgId, eventId, prevHash, stream, type, seq, streamVersion, typeVersion, recordedAt, source } =
    event;
  const kind = stream.slice(0, stream.indexOf("/"));
  const provider = source.kind === "webhook" ? source.provider : undefined;
  const sourceKind = source.kind;
  return {
    ...{ event, hash: HASH, orgId, eventId, prevHash, stream, kind, type, provider },
    ...{ seq, streamVersion, typeVersion, recordedAt, sourceKind },
  };
}

/** Whether both accept it; fails when they disagree, in the answer or in what they read. */
function expectAlike(bytes: Uint8Array): boolean {
  const event = readByReference(bytes);
  const scanned = scan(bytes);
  const shown = Buffer.from(bytes).toString("utf8");
  expect([shown, scanned !== undefined]).toEqual([shown, event !== undefined]);
  return event !== undefined;
}

const ulid = fc.stringMatching(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/);
const id = (prefix: string) => ulid.map((digits) => `${prefix}_${digits}`);
const token = fc.oneof(
  fc.stringMatching(/^[\x21-\x7e]{1,20}$/),
  fc.constantFrom('"', "\\", '\\"\\', "x".repeat(256), '"'.repeat(256)),
);
const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`));
const from = (min: number) =>
  fc.oneof(
    fc.integer({ min, max: 20 }),
    fc.maxSafeNat().map((n) => Math.max(n, min)),
  );
const role = fc.constantFrom("owner", "manager", "staff", "freelancer", "guest", "auditor");
const event = fc.record(
  {
    v: fc.constant(1),
    orgId: id("org"),
    seq: from(1),
    eventId: id("evt"),
    stream: fc.tuple(fc.stringMatching(/^[a-z][A-Za-z]{0,31}$/), id("abc")).map((parts) => parts.join("/")),
    streamVersion: from(1),
    type: fc.stringMatching(/^[a-z][A-Za-z]{0,31}\.[a-z][A-Za-z]{0,63}$/),
    typeVersion: from(1),
    recordedAt: from(0),
    actor: fc.oneof(
      fc.record({ kind: fc.constant("user"), id: id("usr"), role }),
      fc.record({ kind: fc.constantFrom("provider", "system", "operator"), id: token }),
    ),
    source: fc.oneof(
      fc.record({ kind: fc.constant("command"), name: token, key: token, policy: hex(16) }),
      fc.record(
        {
          kind: fc.constant("webhook"),
          provider: token,
          deliveryId: token,
          bodySha256: hex(64),
          signedAt: from(0),
          account: token,
        },
        { requiredKeys: ["kind", "provider", "deliveryId", "bodySha256", "signedAt"] },
      ),
      fc.record({ kind: fc.constantFrom("job", "operator"), name: token }),
    ),
    correlationId: token,
    causationId: id("evt"),
    data: fc.dictionary(anyText({ maxLength: 5 }), fc.oneof(fc.maxSafeInteger(), fc.boolean()), {
      maxKeys: 4,
      noNullPrototype: true,
    }),
    prevHash: hex(64),
  },
  {
    requiredKeys: [
      ...(["v", "orgId", "seq", "eventId", "stream", "streamVersion", "type", "typeVersion"] as const),
      ...(["recordedAt", "actor", "source", "correlationId", "data", "prevHash"] as const),
    ],
    noNullPrototype: true,
  },
);

test("every event of the vectors is read", () => {
  for (const known of events) expect(scan(line(known))).toEqual(expected(known));
});

test("random events are read as the reference reads them", () => {
  fc.assert(
    fc.property(event, (drawn) => {
      fc.pre(Object.keys(drawn.data).every((key) => key.isWellFormed()));
      const bytes = line(drawn);
      const known = readByReference(bytes);
      if (known === undefined) throw new Error("The reference refuses a valid event.");
      expect(scan(bytes)).toEqual(expected(known));
    }),
    { numRuns: 2000 },
  );
});

test("bytes changed, left out, added or repeated anywhere in a line", () => {
  let accepted = 0;
  const source = fc.oneof(
    fc.constantFrom(...events.map((known) => line(known))),
    event.map((drawn) => line(drawn)),
  );
  const noise = fc.oneof(
    fc.integer({ min: 0, max: 255 }),
    fc.constantFrom(...encoder.encode('"\\{}:,019aAzZ_/.')),
  );
  fc.assert(
    fc.property(source, fc.nat(), fc.nat(2), fc.array(noise, { maxLength: 2 }), (bytes, at, drop, add) => {
      const cut = at % (bytes.length - 1);
      if (expectAlike(Uint8Array.of(...bytes.subarray(0, cut), ...add, ...bytes.subarray(cut + drop))))
        accepted += 1;
    }),
    { numRuns: 20_000 },
  );
  expect(accepted).toBeGreaterThan(1000);
});

test("a member changed, added or left out at any depth of the envelope", () => {
  const replacement = fc.oneof(
    fc.constantFrom(null, true, "", "x", 0, -1, 1.5, 2 ** 53, [], {}, "user", "webhook", "owner", 1),
    token,
    id("evt"),
    id("org"),
  );
  const place = fc.constantFrom<readonly string[]>(
    ...Object.keys(events[0] ?? {}).map((key) => [key]),
    ...["kind", "id", "role", "extra"].map((key) => ["actor", key]),
    ...["kind", "name", "key", "policy", "provider", "account", "signedAt"].map((key) => ["source", key]),
    ["causationId"],
    ["hash"],
  );
  let accepted = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(...events),
      place,
      fc.option(replacement),
      (known, [first = "", second], put) => {
        const changed: Record<string, unknown> = structuredClone({ ...known });
        const holder = second === undefined ? changed : (changed[first] as Record<string, unknown>);
        const key = second ?? first;
        if (put === null) Reflect.deleteProperty(holder, key);
        else holder[key] = put;
        if (expectAlike(line(changed))) accepted += 1;
      },
    ),
    { numRuns: 10_000 },
  );
  expect(accepted).toBeGreaterThan(500);
});

test("a token of 257 characters is refused, one of 256 that are all escaped is not", () => {
  const [known] = events;
  expect(expectAlike(line({ ...known, correlationId: "\\".repeat(256) }))).toBe(true);
  expect(expectAlike(line({ ...known, correlationId: "\\".repeat(257) }))).toBe(false);
  expect(expectAlike(line({ ...known, correlationId: "x".repeat(257) }))).toBe(false);
});

test("a line is accepted at its greatest length and refused a byte above it", () => {
  const [known] = events;
  const empty = line({ ...known, data: { note: "" } }).length - 1;
  const note = "x".repeat(LINE_BYTES_MAX - empty);
  expect(expectAlike(line({ ...known, data: { note } }))).toBe(true);
  expect(expectAlike(line({ ...known, data: { note: `${note}x` } }))).toBe(false);
});

test("a line without a newline, or none at all, is refused without reading past the bytes", () => {
  const [known] = events;
  const whole = line(known ?? {});
  for (let length = 0; length < whole.length; length += 1) {
    expect(new EntryScanner().scan(whole.subarray(0, length), 0)).toBe(-1);
  }
});
