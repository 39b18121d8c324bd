import { compareValues as convexCompare, convexToJson, type Value } from "convex/values";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { arbitraryValue, propertySeed } from "../testing/arbitraryValue.ts";
import { afterPrefix, sortKey, successor, valueAt } from "./sortKey.ts";

function keyOf(...values: Value[]): Buffer {
  return sortKey(values.map((value) => convexToJson(value)));
}

function sign(order: number): number {
  return Math.sign(order) + 0;
}

describe("sort keys", () => {
  const seed = propertySeed("sortKey");

  test("two values compare as in Convex", () => {
    fc.assert(
      fc.property(arbitraryValue, arbitraryValue, (left, right) => {
        expect(sign(Buffer.compare(keyOf(left), keyOf(right)))).toBe(sign(convexCompare(left, right)));
      }),
      { seed, numRuns: 20_000 },
    );
  });

  test("tuples compare field by field", () => {
    const pair = fc.tuple(arbitraryValue, arbitraryValue);
    fc.assert(
      fc.property(pair, pair, (left, right) => {
        const first = convexCompare(left[0], right[0]);
        const expected = first === 0 ? convexCompare(left[1], right[1]) : first;
        expect(sign(Buffer.compare(keyOf(...left), keyOf(...right)))).toBe(sign(expected));
      }),
      { seed, numRuns: 5_000 },
    );
  });

  test("a missing field sorts before every value", () => {
    fc.assert(
      fc.property(arbitraryValue, (value) => {
        expect(Buffer.compare(sortKey([undefined]), keyOf(value))).toBe(-1);
      }),
      { seed },
    );
  });

  test("the range of a prefix holds exactly the tuples that start with it", () => {
    fc.assert(
      fc.property(arbitraryValue, arbitraryValue, arbitraryValue, (prefix, first, second) => {
        const low = keyOf(prefix);
        const key = keyOf(first, second);
        const inside = Buffer.compare(key, low) >= 0 && Buffer.compare(key, afterPrefix(low)) < 0;
        expect(inside).toBe(convexCompare(prefix, first) === 0);
      }),
      { seed, numRuns: 10_000 },
    );
  });

  test("equality with a string leaves out the string that goes on with NUL", () => {
    const low = keyOf("a");
    const key = keyOf("a\0", 1);
    expect(Buffer.compare(key, low) >= 0 && Buffer.compare(key, afterPrefix(low)) < 0).toBe(false);
  });

  test("no key lies between a key and its successor", () => {
    const key = keyOf("x", 1);
    expect(Buffer.compare(key, successor(key))).toBe(-1);
    expect(successor(key).subarray(0, -1)).toEqual(key);
  });
});

describe("values at a path", () => {
  test("a path ends at arrays, scalars and missing fields", () => {
    const document = { a: { b: { c: 1 } }, list: [{ b: 1 }], none: null };
    expect(valueAt(document, ["a", "b", "c"])).toBe(1);
    expect(valueAt(document, ["list", "b"])).toBeUndefined();
    expect(valueAt(document, ["none", "b"])).toBeUndefined();
    expect(valueAt(document, ["toString"])).toBeUndefined();
  });
});
