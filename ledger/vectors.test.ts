/** The library against the published vectors, read from their files as another language would. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { assertLedgerValue, canonicalize, parseCanonical } from "./canonicalJson.ts";
import { parseEvent } from "./event.ts";
import { genesisHash, hashCanonicalEvent, sha256Noble } from "./hash.ts";
import type { Sha256 } from "./hash.ts";
import { idPattern } from "./ids.ts";
import { verifyBytes } from "./testing/verifyCase.ts";

const FOLDER = join(import.meta.dirname, "..", "vectors");
const sha256Node: Sha256 = (bytes) => createHash("sha256").update(bytes).digest();
const HASHES = [
  ["noble", sha256Noble],
  ["node", sha256Node],
] as const;

function readText(path: string): string {
  return readFileSync(join(FOLDER, path), "utf8");
}

function readCases(path: string): unknown {
  return JSON.parse(readText(path));
}

describe("RFC 8785", () => {
  test.each(["arrays", "french", "structures", "unicode", "values", "weird"])(
    "official document %s",
    (name) => {
      const text = canonicalize(JSON.parse(readText(`jcs/input/${name}.json`)));
      expect(text).toBe(readText(`jcs/output/${name}.json`));
      const hex = readText(`jcs/outhex/${name}.txt`).replace(/\s/g, "");
      expect(Buffer.from(text, "utf8").toString("hex")).toBe(hex);
      expect(parseCanonical(text)).toMatchObject({ ok: true });
    },
  );

  test("ten thousand official numbers", () => {
    const lines = readText("jcs/es6-numbers-10000.txt").trimEnd().split("\n");
    expect(lines).toHaveLength(10_000);
    const bytes = new DataView(new ArrayBuffer(8));
    for (const line of lines) {
      const [hex = "", expected = ""] = line.split(",");
      bytes.setBigUint64(0, BigInt(`0x${hex}`));
      expect(canonicalize(bytes.getFloat64(0))).toBe(expected);
    }
  });
});

test.each(
  readCases("canonical.json") as readonly {
    name: string;
    json: string;
    canonical: string;
    canonicalHex: string;
  }[],
)("canonical: $name", ({ json, canonical, canonicalHex }) => {
  expect(canonicalize(JSON.parse(json))).toBe(canonical);
  expect(Buffer.from(canonical, "utf8").toString("hex")).toBe(canonicalHex);
  expect(parseCanonical(canonical)).toMatchObject({ ok: true });
});

test.each(readCases("not-canonical.json") as readonly { name: string; text: string }[])(
  "not canonical: $name",
  ({ text }) => {
    expect(parseCanonical(text)).toMatchObject({ ok: false });
  },
);

test.each(readCases("ledger-values.json") as readonly { name: string; text: string; allowed: boolean }[])(
  "ledger value: $name",
  ({ text, allowed }) => {
    const [first] = readCases("events.json") as readonly { event: object }[];
    expect(parseCanonical(text)).toMatchObject({ ok: true });
    const data: unknown = JSON.parse(text);
    expect(parseEvent({ ...first?.event, data }).ok).toBe(allowed);
    if (allowed) assertLedgerValue(data);
  },
);

test.each(readCases("ids.json") as readonly { text: string; prefix: string; valid: boolean }[])(
  "id: $text as $prefix",
  ({ text, prefix, valid }) => {
    expect(idPattern(prefix).test(text)).toBe(valid);
  },
);

describe.each(HASHES)("with the SHA-256 of %s", (_name, sha256) => {
  test("genesis hashes", () => {
    for (const { orgId, hash } of readCases("genesis.json") as readonly { orgId: string; hash: string }[]) {
      expect(genesisHash(orgId, sha256)).toBe(hash);
    }
  });

  test("events, their canonical texts and hashes", () => {
    const cases = readCases("events.json") as readonly { event: unknown; canonical: string; hash: string }[];
    expect(cases.length).toBeGreaterThan(25);
    for (const { event, canonical, hash } of cases) {
      expect(canonicalize(event)).toBe(canonical);
      expect(parseEvent(event)).toMatchObject({ ok: true });
      expect(hashCanonicalEvent(canonical, sha256)).toBe(hash);
    }
  });

  test("chains", () => {
    interface ChainVector {
      readonly file: string;
      readonly verdict: { readonly result: string; readonly seq?: number; readonly kind?: string };
      readonly expectHead?: string;
      readonly earlierHead?: string;
    }
    for (const { file, verdict, ...heads } of readCases("chains.json") as readonly ChainVector[]) {
      const found = verifyBytes(readFileSync(join(FOLDER, file)), sha256, heads);
      const { seq, kind } = ("damage" in found ? found.damage : undefined) ?? {};
      expect({ file, result: found.result, seq, kind }).toEqual({
        file,
        seq: undefined,
        kind: undefined,
        ...verdict,
      });
    }
  });
});

test("a text with a lone surrogate has no hash", () => {
  expect(() => hashCanonicalEvent('"\ud800"', sha256Noble)).toThrow(RangeError);
});

test("bytes that move from one member to the next change the hash", () => {
  const left = canonicalize({ a: "xy", b: "z" });
  const right = canonicalize({ a: "x", b: "yz" });
  expect(hashCanonicalEvent(left, sha256Noble)).not.toBe(hashCanonicalEvent(right, sha256Noble));
});
