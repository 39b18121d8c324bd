/** The fast way to "intact" against the reference: it may only say so when the reference does. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatEntry } from "./bundle.ts";
import type { Sha256 } from "./hash.ts";
import { IdentityCheck, IdentityList, memoryStore } from "./identities.ts";
import { ULID_DIGITS } from "./ids.ts";
import { chainCases } from "./testing/damagedLedgers.ts";
import { findIntactBytes } from "./testing/intactBytes.ts";
import { bundleOf, sampleChain } from "./testing/tampering.ts";
import { chainEvents, endlessDrafts, reseal } from "./testing/sampleLedger.ts";
import { verifyBytes } from "./testing/verifyCase.ts";

const FOLDER = join(import.meta.dirname, "..", "vectors");
const sha256: Sha256 = (bytes) => createHash("sha256").update(bytes).digest();
const sample = sampleChain(sha256);
const encoder = new TextEncoder();

interface ChainVector {
  readonly file: string;
  readonly expectHead?: string;
  readonly earlierHead?: string;
}

function expectAlike(bytes: Uint8Array, heads = {}, linesPerSegment = 7): void {
  const reference = verifyBytes(bytes, sha256, heads);
  const found = findIntactBytes(bytes, sha256, heads, linesPerSegment);
  expect(found).toEqual(reference.result === "intact" ? reference : undefined);
}

describe("found intact exactly where the reference finds it", () => {
  const vectors = JSON.parse(readFileSync(join(FOLDER, "chains.json"), "utf8")) as readonly ChainVector[];

  test.each(vectors)("vector $file", ({ file, expectHead, earlierHead }) => {
    const heads = {
      ...(expectHead === undefined ? {} : { expectHead }),
      ...(earlierHead === undefined ? {} : { earlierHead }),
    };
    for (const lines of [1, 2, 7, 1000]) expectAlike(readFileSync(join(FOLDER, file)), heads, lines);
  });

  test.each(chainCases(sha256))("$name: $what", ({ bundle, expectHead, earlierHead }) => {
    const heads = {
      ...(expectHead === undefined ? {} : { expectHead }),
      ...(earlierHead === undefined ? {} : { earlierHead }),
    };
    expectAlike(encoder.encode(bundle), heads);
  });

  test("two thousand events in segments of any length", () => {
    const entries = Array.from(chainEvents(endlessDrafts().take(2000), sha256), ({ entry }) => entry);
    const bytes = encoder.encode(bundleOf(entries));
    for (const lines of [1, 64, 999, 5000]) {
      expect(findIntactBytes(bytes, sha256, {}, lines)).toMatchObject({ result: "intact", count: 2000 });
    }
  });

  test("one member of one event replaced by another event's, every later hash computed again", () => {
    const members = [
      "seq",
      "eventId",
      "orgId",
      "stream",
      "streamVersion",
      "type",
      "typeVersion",
      "recordedAt",
    ];
    const more = ["actor", "source", "correlationId", "data"];
    const position = fc.nat(sample.events.length - 1);
    fc.assert(
      fc.property(position, position, fc.constantFrom(...members, ...more), (to, from, member) => {
        const value: unknown = Reflect.get(sample.events[from] ?? {}, member);
        const target = sample.events[to];
        if (target === undefined) throw new Error("No sample.");
        const events = sample.events.with(to, { ...target, [member]: value });
        expectAlike(encoder.encode(bundleOf(reseal(events, sha256))));
      }),
      { numRuns: 1000 },
    );
  });

  test("heads that are in the ledger, are not, or have another sequence", () => {
    const bytes = encoder.encode(bundleOf(sample.entries));
    for (const [index, { hash }] of sample.entries.entries()) {
      for (const head of [
        hash,
        `${index + 1}:${hash}`,
        `${index}:${hash}`,
        `${index + 1}:${"ab".repeat(32)}`,
      ]) {
        expectAlike(bytes, { expectHead: head });
        expectAlike(bytes, { earlierHead: head });
      }
    }
  });
});

test("a line moved, dropped or repeated is never found intact, whatever the seams", () => {
  const lines = sample.entries.map(formatEntry);
  const manifest = bundleOf(sample.entries).split("\n")[0] ?? "";
  const position = fc.nat(lines.length - 1);
  fc.assert(
    fc.property(position, position, fc.integer({ min: 1, max: 9 }), (from, to, linesPerSegment) => {
      fc.pre(from !== to);
      const moved = lines.toSpliced(from, 1).toSpliced(to, 0, lines[from] ?? "");
      for (const changed of [moved, lines.toSpliced(from, 1), lines.toSpliced(to, 0, lines[from] ?? "")]) {
        const bytes = encoder.encode([manifest, ...changed, ""].join("\n"));
        expect(findIntactBytes(bytes, sha256, {}, linesPerSegment)).toBeUndefined();
      }
    }),
  );
});

describe("identities", () => {
  const ulid = (number: number) => encoder.encode(number.toString().padStart(26, "0"));
  const check = (records: readonly (readonly [kind: number, ulid: Uint8Array, version: number])[]) => {
    const identities = new IdentityCheck(memoryStore());
    const list = new IdentityList();
    for (const [kind, digits, version] of records) {
      list.clear();
      expect(list.note(kind, digits, 0, version)).toBe(true);
      identities.add(list.words);
    }
    return identities.isSound();
  };

  test("a hundred thousand with their versions in order, more than memory blocks hold", () => {
    const records = Array.from({ length: 100_000 }, (_, n) => [1 + (n % 3), ulid(n % 25_000), 0] as const);
    const versions = new Map<string, number>();
    const counted = records.map(([kind, digits]) => {
      const key = `${kind} ${String(digits)}`;
      const version = (versions.get(key) ?? 0) + 1;
      versions.set(key, version);
      return [kind, digits, version] as const;
    });
    expect(check(counted)).toBe(true);
    expect(check(counted.with(77_777, [3, ulid(2777), 9]))).toBe(false);
    expect(check(counted.toSpliced(10, 1))).toBe(false);
    expect(check([...counted, counted[99_999] ?? [1, ulid(0), 1]])).toBe(false);
  });

  test("an event id may come once, and a stream's kind is part of its identity", () => {
    expect(
      check([
        [0, ulid(1), 1],
        [0, ulid(2), 1],
      ]),
    ).toBe(true);
    expect(
      check([
        [0, ulid(1), 1],
        [0, ulid(1), 1],
      ]),
    ).toBe(false);
    expect(
      check([
        [1, ulid(1), 1],
        [2, ulid(1), 1],
      ]),
    ).toBe(true);
    expect(
      check([
        [1, ulid(1), 1],
        [1, ulid(1), 1],
      ]),
    ).toBe(false);
    expect(check([[1, ulid(1), 2]])).toBe(false);
    expect(
      check([
        [1, ulid(1), 1],
        [1, ulid(1), 3],
      ]),
    ).toBe(false);
    expect(
      check([
        [15, ulid(1), 1],
        [15, ulid(1), 2],
      ]),
    ).toBe(true);
  });

  test("every digit of a ULID counts", () => {
    for (let place = 0; place < 26; place += 1) {
      const values = Array.from(ULID_DIGITS.slice(0, place === 0 ? 8 : 32), (digit) => {
        const digits = ulid(0);
        digits[place] = digit.charCodeAt(0);
        return [0, digits, 1] as const;
      });
      expect(check(values)).toBe(true);
    }
  });

  test("a version or kind that a record can't hold is not noted", () => {
    const list = new IdentityList();
    expect(list.note(1, ulid(1), 0, 2 ** 28)).toBe(false);
    expect(list.note(16, ulid(1), 0, 1)).toBe(false);
    expect(list.words).toHaveLength(0);
    expect(list.note(15, ulid(1), 0, 2 ** 28 - 1)).toBe(true);
  });
});
