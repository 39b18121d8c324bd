import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatEntry,
  formatManifest,
  LINE_BYTES_MAX,
  LineCutter,
  parseEntry,
  parseManifest,
} from "./bundle.ts";
import type { Line } from "./bundle.ts";
import { canonicalize } from "./canonicalJson.ts";
import { FingerprintTable } from "./fingerprints.ts";
import { sha256Noble } from "./hash.ts";
import { parseKnownHead } from "./knownHead.ts";
import { anyText } from "./testing/anyText.ts";
import { bundleOf, sampleChain } from "./testing/tampering.ts";
import { SAMPLE_ORG_ID, sampleId } from "./testing/sampleLedger.ts";
import { verifyBytes } from "./testing/verifyCase.ts";

const sample = sampleChain(sha256Noble);
const manifest = { orgId: SAMPLE_ORG_ID, count: 2, headSeq: 2, headHash: "ab".repeat(32), exportedAt: 1 };
const encoder = new TextEncoder();

function cut(bytes: Uint8Array, size: number): Line[] {
  const cutter = new LineCutter();
  const lines: Line[] = [];
  for (let start = 0; start < bytes.length; start += size) {
    lines.push(...cutter.push(bytes.subarray(start, start + size)));
  }
  const rest = cutter.finish();
  return rest === undefined ? lines : [...lines, rest];
}

describe("the manifest", () => {
  test("comes back as it was written", () => {
    expect(parseManifest(formatManifest(manifest))).toEqual({ ok: true, manifest });
  });

  test.each([
    ["nothing", ""],
    ["an entry", '{"event":{},"hash":""}'],
    ["an array", "[]"],
    ["text", "hello"],
    ["a byte order mark before it", `\ufeff${formatManifest(manifest)}`],
    ["another format", formatManifest(manifest).replace("daybook-ledger/1", "other/1")],
  ])("%s is no manifest", (_name, line) => {
    expect(parseManifest(line)).toMatchObject({ ok: false, isBundle: false });
  });

  test.each([
    ["a format of the future", '"daybook-ledger/1"', '"daybook-ledger/2"'],
    ["a space", '"count":2', '"count": 2'],
    ["a member twice", '"count":2', '"count":2,"count":2'],
    ["an unknown member", '"count":2', '"count":2,"algorithm":"none"'],
    ["a fraction", '"headSeq":2', '"headSeq":2.0'],
    ["a negative count", '"count":2', '"count":-2'],
    ["a count that is not the head's sequence", '"count":2', '"count":3'],
    ["a hash in capitals", "ab", "AB"],
    ["no organisation", SAMPLE_ORG_ID, "org_1"],
    ["no time", ',"exportedAt":1', ""],
  ])("%s makes it a damaged one", (_name, from, to) => {
    const line = formatManifest(manifest).replace(from, to);
    expect(line).not.toBe(formatManifest(manifest));
    expect(parseManifest(line)).toMatchObject({ ok: false, isBundle: true });
  });
});

describe("an entry's line", () => {
  test("is the canonical form of the event and its hash, and comes back", () => {
    for (const entry of sample.entries) {
      const line = formatEntry(entry);
      expect(line).toBe(canonicalize({ event: JSON.parse(entry.text) as unknown, hash: entry.hash }));
      expect(parseEntry(line)).toEqual({ ok: true, entry });
    }
  });

  test.each([
    ["nothing", ""],
    ["a short hash", '{"event":{},"hash":"ab"}'],
    ["a hash in capitals", `{"event":{},"hash":"${"AB".repeat(32)}"}`],
    ["members out of order", `{"hash":"${"ab".repeat(32)}","event":{}}`],
    ["a carriage return at the end", `{"event":{},"hash":"${"ab".repeat(32)}"}\r`],
    ["overlapping parts", `{"event":,"hash":"${"ab".repeat(31)}"}`],
  ])("%s is refused", (_name, line) => {
    expect(parseEntry(line)).toMatchObject({ ok: false });
  });

  test("a member beside the event is not canonical", () => {
    const [first] = sample.entries;
    const line = formatEntry({ text: `${first?.text ?? ""},"extra":1`, hash: first?.hash ?? "" });
    const bundle = bundleOf([], sample.head) + line + "\n";
    expect(verifyBytes(bundle, sha256Noble)).toMatchObject({ damage: { kind: "not canonical", seq: 1 } });
  });
});

describe("the line cutter", () => {
  test("cuts at newlines only, wherever the chunks end", () => {
    fc.assert(
      fc.property(fc.array(anyText()), fc.integer({ min: 1, max: 9 }), (texts, size) => {
        const lines = texts.map((text) => `${text.toWellFormed().replaceAll("\n", "")}\u2028\r`);
        const bytes = encoder.encode(lines.map((line) => `${line}\n`).join(""));
        expect(cut(bytes, size)).toEqual(lines.map((text) => ({ kind: "line", text })));
      }),
    );
  });

  test("bytes that are not UTF-8 are never replaced", () => {
    expect(cut(Uint8Array.of(0xff, 0x0a, 0x61, 0x0a), 2)).toMatchObject([
      { kind: "unreadable" },
      { kind: "line", text: "a" },
    ]);
  });

  test("a line that is too long is refused without being kept, and the next one is read", () => {
    const cutter = new LineCutter();
    const chunk = new Uint8Array(LINE_BYTES_MAX / 2 + 1).fill(0x61);
    expect([...cutter.push(chunk), ...cutter.push(chunk), ...cutter.push(chunk)]).toEqual([]);
    expect([...cutter.push(encoder.encode("\nb\n"))]).toMatchObject([
      { kind: "unreadable" },
      { kind: "line", text: "b" },
    ]);
    expect([...cutter.push(chunk), ...cutter.push(chunk)]).toEqual([]);
    expect(cutter.finish()).toEqual({ kind: "unfinished" });
  });

  test("a line of the greatest length is read", () => {
    const longest = "a".repeat(LINE_BYTES_MAX);
    expect(cut(encoder.encode(`${longest}\n`), 50_000)).toEqual([{ kind: "line", text: longest }]);
    expect(cut(encoder.encode(`${longest}a\n`), 5_000_000)).toMatchObject([{ kind: "unreadable" }]);
  });
});

test("an input without bytes is no bundle", () => {
  expect(verifyBytes("", sha256Noble)).toEqual({ result: "not a bundle", reason: "the input is empty" });
  expect(verifyBytes("{", sha256Noble)).toMatchObject({ result: "not a bundle" });
});

test("a known head is HASH or SEQ:HASH and nothing else", () => {
  const hash = "ab".repeat(32);
  expect(parseKnownHead(hash, true)).toEqual({ hash, isLast: true });
  expect(parseKnownHead(`12:${hash}`, false)).toEqual({ hash, seq: 12, isLast: false });
  for (const text of [
    "",
    ":",
    `:${hash}`,
    `01:${hash}`,
    `-1:${hash}`,
    `1.0:${hash}`,
    hash.toUpperCase(),
    `${hash}a`,
  ]) {
    expect(parseKnownHead(text, true)).toBeUndefined();
  }
});

describe("the fingerprint table", () => {
  test("keeps a hundred thousand neighbouring ids apart, through its growth", () => {
    const table = new FingerprintTable({ withCounts: true });
    for (let number = 1; number <= 100_000; number += 1) {
      expect.soft(table.get(sampleId("evt", number))).toBe(0);
      table.set(sampleId("evt", number), number);
    }
    expect(table.size).toBe(100_000);
    for (let number = 1; number <= 100_000; number += 997) {
      expect(table.get(sampleId("evt", number))).toBe(number);
    }
  });

  test("answers as a map does", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string(), fc.integer({ min: 1, max: 2 ** 32 - 1 }))), (entries) => {
        const table = new FingerprintTable({ withCounts: true });
        const map = new Map<string, number>();
        for (const [text, count] of entries) {
          table.set(text, count);
          map.set(text, count);
        }
        expect(table.size).toBe(map.size);
        for (const [text, count] of map) expect(table.get(text)).toBe(count);
      }),
    );
  });

  test("without counts it answers 1 for what it has", () => {
    const table = new FingerprintTable({ withCounts: false });
    table.set("a", 1);
    expect([table.get("a"), table.get("b")]).toEqual([1, 0]);
  });
});
