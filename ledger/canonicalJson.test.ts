import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  assertLedgerValue,
  canonicalize,
  LEDGER_DEPTH_MAX,
  NotCanonicalizableError,
  NotLedgerValueError,
  parseCanonical,
} from "./canonicalJson.ts";
import { anyCharacter } from "./testing/anyText.ts";

function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

function nested(depth: number): unknown {
  let value: unknown = [];
  for (let level = 1; level < depth; level += 1) value = [value];
  return value;
}

const cyclicObject: Record<string, unknown> = { a: 1 };
cyclicObject["self"] = [cyclicObject];
const cyclicArray: unknown[] = [];
cyclicArray.push(cyclicArray);
const sparse: number[] = [];
sparse[2] = 1;
const sparseButNamed = Object.assign([], { length: 1, name: "a" });
class Money {
  amount = 1;
}

const REFUSED_EVERYWHERE: readonly (readonly [name: string, value: unknown, path: string])[] = [
  ["NaN", { a: [1, NaN] }, "$.a[1]"],
  ["Infinity", Infinity, "$"],
  ["-Infinity", [-Infinity], "$[0]"],
  ["undefined", undefined, "$"],
  ["an undefined member", { a: undefined }, "$.a"],
  ["a function", { a: () => 1 }, "$.a"],
  ["a symbol", Symbol("a"), "$"],
  ["a symbol as a key", { [Symbol("a")]: 1 }, "$"],
  ["a bigint", { a: 1n }, "$.a"],
  ["a lone high surrogate", "\ud800", "$"],
  ["a lone low surrogate", ["a\udc00"], "$[0]"],
  ["a lone surrogate in a key", { "\ud800": 1 }, "$"],
  ["a Date", { at: new Date(0) }, "$.at"],
  ["a Map", new Map([["a", 1]]), "$"],
  ["a Set", new Set([1]), "$"],
  ["bytes", new Uint8Array([1]), "$"],
  ["a class's instance", { price: new Money() }, "$.price"],
  ["a boxed number", Object(1), "$"],
  ["a sparse array", sparse, "$"],
  ["a sparse array with as many names as it has items", sparseButNamed, "$"],
  ["an array with a named property", Object.assign([1], { name: "a" }), "$"],
  ["a cyclic object", cyclicObject, "$.self[0]"],
  ["a cyclic array", cyclicArray, "$[0]"],
  ["a toJSON method", { toJSON: () => 1 }, "$"],
  ["an inherited toJSON method", Object.create({ toJSON: () => 1 }), "$"],
  [
    "a getter",
    {
      get a() {
        return 1;
      },
    },
    "$.a",
  ],
];

describe("canonicalize", () => {
  test.each(REFUSED_EVERYWHERE)("refuses %s", (_name, value, path) => {
    const error = thrownBy(() => canonicalize(value));
    expect(error).toBeInstanceOf(NotCanonicalizableError);
    expect(error).toMatchObject({ path });
  });

  test("refuses what is nested too deeply for every machine alike", () => {
    expect(canonicalize(nested(1000))).toBe("[".repeat(1000) + "]".repeat(1000));
    expect(thrownBy(() => canonicalize(nested(1001)))).toBeInstanceOf(NotCanonicalizableError);
  });

  test("writes an object without a prototype, and one that appears twice", () => {
    const shared = Object.assign(Object.create(null) as object, { b: 1, a: -0 });
    expect(canonicalize([shared, shared])).toBe('[{"a":0,"b":1},{"a":0,"b":1}]');
  });

  test("writes an own key __proto__ and leaves prototypes alone", () => {
    const value: unknown = JSON.parse('{"z":1,"__proto__":{"polluted":true}}');
    expect(canonicalize(value)).toBe('{"__proto__":{"polluted":true},"z":1}');
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
  });

  test("any JSON value comes back from its canonical text, and its keys are sorted by code units", () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: anyCharacter }), (value) => {
        const wellFormed: unknown = JSON.parse(JSON.stringify(value).replace(/\\ud[89a-f]../g, "?"));
        const text = canonicalize(wellFormed);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(wellFormed)));
        expect(parseCanonical(text)).toMatchObject({ ok: true });
        expect(canonicalize(JSON.parse(text))).toBe(text);
      }),
    );
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ unit: "grapheme" }), { minLength: 2 }), (keys) => {
        const entries = canonicalize(Object.fromEntries(keys.map((key) => [key, 0])));
        expect(entries).toBe(
          `{${[...keys]
            .sort()
            .map((key) => `${JSON.stringify(key)}:0`)
            .join(",")}}`,
        );
      }),
    );
  });
});

describe("assertLedgerValue", () => {
  test.each(REFUSED_EVERYWHERE)("refuses %s", (_name, value, path) => {
    const error = thrownBy(() => {
      assertLedgerValue(value);
    });
    expect(error).toBeInstanceOf(NotLedgerValueError);
    expect(error).toMatchObject({ path });
  });

  test.each([
    ["a fraction", { a: [0.5] }, "$.a[0]"],
    ["negative zero", { a: -0 }, "$.a"],
    ["2^53", 2 ** 53, "$"],
    ["-2^53", [-(2 ** 53)], "$[0]"],
    ["1e400 as parsed", JSON.parse("[1e400]"), "$[0]"],
    ["too many containers", nested(LEDGER_DEPTH_MAX + 1), `$${"[0]".repeat(LEDGER_DEPTH_MAX)}`],
  ])("refuses %s", (_name, value, path) => {
    const error = thrownBy(() => {
      assertLedgerValue(value);
    });
    expect(error).toBeInstanceOf(NotLedgerValueError);
    expect(error).toMatchObject({ path });
  });

  test.each([
    ["null", null],
    ["zero", 0],
    ["the largest safe integer", Number.MAX_SAFE_INTEGER],
    ["the smallest safe integer", Number.MIN_SAFE_INTEGER],
    ["nested plain values", { a: [true, "é", { b: null }], c: -1 }],
    ["an object without a prototype", Object.create(null)],
    ["as many containers as allowed", nested(LEDGER_DEPTH_MAX)],
  ])("accepts %s", (_name, value) => {
    expect(
      thrownBy(() => {
        assertLedgerValue(value);
      }),
    ).toBeUndefined();
  });
});

describe("parseCanonical", () => {
  test("accepts exactly what canonicalize writes, whatever the order of keys and the white space", () => {
    const indentation = fc.constantFrom(undefined, 1);
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: "grapheme" }), indentation, (value, space) => {
        const text = JSON.stringify(value, undefined, space);
        expect(parseCanonical(text).ok).toBe(text === canonicalize(JSON.parse(text)));
      }),
    );
  });

  test("accepts keys that look like array indexes in the order of texts only", () => {
    expect(parseCanonical('{"10":1,"9":2}').ok).toBe(true);
    expect(parseCanonical('{"9":2,"10":1}').ok).toBe(false);
    expect(parseCanonical('[{"a":{"9":2,"10":1}}]').ok).toBe(false);
  });

  test("refuses nesting that would exhaust the stack", () => {
    const depth = 200_000;
    expect(parseCanonical("[".repeat(depth) + "]".repeat(depth))).toMatchObject({ ok: false });
  });

  test("refuses a lone surrogate that was never escaped", () => {
    expect(parseCanonical('"\ud800"')).toMatchObject({ ok: false });
  });

  test("accepts an escaped backslash before what looks like a surrogate's escape", () => {
    expect(parseCanonical('"\\\\ud800"')).toEqual({ ok: true, value: "\\ud800" });
  });
});
