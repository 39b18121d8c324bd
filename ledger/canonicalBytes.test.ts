/** The single pass against the reference: parse, write again, compare (`parseCanonical`), and narrow. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { skipObject, skipValue } from "./canonicalBytes.ts";
import { assertLedgerValue, canonicalize, LEDGER_DEPTH_MAX, parseCanonical } from "./canonicalJson.ts";
import { anyText } from "./testing/anyText.ts";

const FOLDER = join(import.meta.dirname, "..", "vectors");
const encoder = new TextEncoder();

interface TextCase {
  readonly name: string;
  readonly text?: string;
  readonly canonical?: string;
}

function readCases(path: string): (readonly [name: string, text: string])[] {
  const cases = JSON.parse(readFileSync(join(FOLDER, path), "utf8")) as readonly TextCase[];
  return cases.map(({ name, text, canonical }) => [name, text ?? canonical ?? ""]);
}

function isAcceptedByReference(bytes: Uint8Array): boolean {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    const parsed = parseCanonical(text);
    if (parsed.ok) assertLedgerValue(parsed.value);
    return parsed.ok;
  } catch {
    return false;
  }
}

function isAccepted(bytes: Uint8Array): boolean {
  const line = new Uint8Array(bytes.length + 1).fill(0x0a);
  line.set(bytes);
  return skipValue(line, 0, 0) === bytes.length;
}

function expectAlike(bytes: Uint8Array): boolean {
  const expected = isAcceptedByReference(bytes);
  expect({ bytes: new TextDecoder().decode(bytes), isAccepted: isAccepted(bytes) }).toEqual({
    bytes: new TextDecoder().decode(bytes),
    isAccepted: expected,
  });
  return expected;
}

/** Characters at which order, escapes and encodings change, and a few that are plain. */
const CHARACTERS = Array.from(
  'aB09_/:\u0000\u0007\b\t\n\u000b\f\r\u000e\u001f\u007f"\\\u0080\u07ff\u0800\u2028\u2029\ud7ff\ue000\ufb33\ufeff\uffff',
);
const character = fc.constantFrom(...CHARACTERS, "\u{10000}", "\u{1f600}", "\u{10ffff}");
const text = fc.oneof(fc.string({ unit: character, maxLength: 6 }), anyText({ maxLength: 6 }));
const integer = fc.oneof(
  fc.integer({ min: -20, max: 20 }),
  fc.maxSafeInteger(),
  fc.constantFrom(Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER),
);
const name = fc.oneof(text, fc.constantFrom("__proto__", "constructor", "toJSON", "10", "9", "v", "event"));
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    integer,
    text,
    fc.boolean(),
    fc.constant(null),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.array(fc.tuple(name, tie("value")), { maxLength: 5 }).map((members) => Object.fromEntries(members)),
  ),
}));
const canonical = value.map((held) => encoder.encode(canonicalize(held)));

describe("the single pass accepts a text exactly when the reference does", () => {
  test.each([
    ...readCases("canonical.json"),
    ...readCases("not-canonical.json"),
    ...readCases("ledger-values.json"),
  ])("vector: %s", (_name, text) => {
    expectAlike(encoder.encode(text));
  });

  test("whatever a ledger can hold is accepted", () => {
    fc.assert(
      fc.property(canonical, (bytes) => {
        fc.pre(isAcceptedByReference(bytes));
        expect(isAccepted(bytes)).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });

  test("bytes changed, left out, added or repeated", () => {
    let accepted = 0;
    const noise = fc.oneof(
      fc.integer({ min: 0, max: 255 }),
      fc.constantFrom(...encoder.encode('"\\{}[]:,0-1eEu.+ tfn')),
    );
    fc.assert(
      fc.property(
        canonical,
        fc.nat(),
        fc.nat(2),
        fc.array(noise, { maxLength: 3 }),
        (bytes, at, drop, add) => {
          const from = at % (bytes.length + 1);
          const changed = Uint8Array.of(...bytes.subarray(0, from), ...add, ...bytes.subarray(from + drop));
          if (expectAlike(changed)) accepted += 1;
        },
      ),
      { numRuns: 20_000 },
    );
    // Both answers were given, so the two were really compared.
    expect(accepted).toBeGreaterThan(500);
  });

  test("random members in any order", () => {
    fc.assert(
      fc.property(fc.array(name, { maxLength: 4 }), (names) => {
        expectAlike(encoder.encode(`{${names.map((each) => `${JSON.stringify(each)}:0`).join(",")}}`));
      }),
      { numRuns: 10_000 },
    );
  });

  test("every two bytes as a string, every lead byte with every second one", () => {
    const rests = [[], [0x80], [0x80, 0x80], [0xbf, 0xbf], [0x7f, 0x80], [0x80, 0xc0]];
    for (let first = 0; first < 256; first += 1) {
      for (let second = 0; second < 256; second += 1) {
        for (const rest of first < 0xc0 ? [[]] : rests) {
          const bytes = Uint8Array.of(0x22, first, second, ...rest, 0x22);
          if (isAccepted(bytes) !== isAcceptedByReference(bytes)) expectAlike(bytes);
        }
      }
    }
  });

  test("every escape of one character, and every control character as \\u", () => {
    for (let code = 0; code < 256; code += 1) {
      expectAlike(Uint8Array.of(0x22, 0x5c, code, 0x22));
      const hex = code.toString(16).padStart(4, "0");
      expectAlike(encoder.encode(`"\\u${hex}"`));
      expectAlike(encoder.encode(`"\\u${hex.toUpperCase()}"`));
    }
  });

  test.each(["0", "-0", "-", "00", "01", "-01", "1e3", "1E3", "1.0", "+1", ".5", "9007199254740991"])(
    "the number %s",
    (number) => {
      expectAlike(encoder.encode(number));
    },
  );

  test.each([
    "9007199254740992",
    "-9007199254740992",
    "9007199254740993",
    "9".repeat(17),
    "1".padEnd(400, "0"),
  ])("the unsafe integer %s is refused", (number) => {
    expect(isAccepted(encoder.encode(number))).toBe(false);
  });

  test("containers nest as deep as a ledger value may, and no deeper", () => {
    for (const [open, close] of [
      ['{"a":', "}"],
      ["[", "]"],
    ] as const) {
      const nested = (depth: number) => encoder.encode(open.repeat(depth) + "0" + close.repeat(depth));
      expect(isAccepted(nested(LEDGER_DEPTH_MAX))).toBe(true);
      expect(isAccepted(nested(LEDGER_DEPTH_MAX + 1))).toBe(false);
      expect(isAccepted(nested(100_000))).toBe(false);
    }
  });
});

test("names are sorted by UTF-16 code units although the bytes sort otherwise", () => {
  const sorted = encoder.encode('{"\u{1f600}":0,"\ufb33":0}\n');
  const byBytes = encoder.encode('{"\ufb33":0,"\u{1f600}":0}\n');
  expect(skipObject(sorted, 0, 0)).toBe(sorted.length - 1);
  expect(skipObject(byBytes, 0, 0)).toBe(-1);
});

test("an escape in a name sorts as the character it stands for", () => {
  const sorted = encoder.encode('{"\\t":0,"\\n":0}\n');
  expect(skipObject(sorted, 0, 0)).toBe(sorted.length - 1);
  const bySpelling = encoder.encode('{"\\n":0,"\\t":0}\n');
  expect(skipObject(bySpelling, 0, 0)).toBe(-1);
});
