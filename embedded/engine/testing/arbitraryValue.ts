/** Convex values of every kind, the awkward ones often. */
import fc from "fast-check";
import type { Value } from "convex/values";
import { anyText } from "../../../ledger/testing/anyText.ts";

const awkwardStrings = fc.constantFrom("", "a", "a\0", "a\0b", "\0", "ÿ", "é", "\u{10FFFF}", "\uFFFF", "b");
const awkwardNumbers = fc.constantFrom(
  0,
  -0,
  NaN,
  Infinity,
  -Infinity,
  1,
  -1,
  5e-324,
  Number.MAX_VALUE,
  2 ** 53,
);
const awkwardIntegers = fc.constantFrom(
  0n,
  -1n,
  127n,
  128n,
  -128n,
  -129n,
  32768n,
  -32769n,
  2n ** 31n,
  -(2n ** 63n),
);

const scalar: fc.Arbitrary<Value> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  awkwardNumbers,
  fc.double(),
  awkwardIntegers,
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  awkwardStrings,
  anyText({ maxLength: 8 }),
  fc.uint8Array({ maxLength: 6 }).map((bytes) => bytes.slice().buffer),
);

const fieldName = fc.oneof(
  fc.constantFrom("a", "b", "aa", "a b"),
  fc.stringMatching(/^[a-zA-Z0-9 -][a-zA-Z0-9 _-]{0,5}$/),
);

/** Any value that a document may hold. */
export const arbitraryValue: fc.Arbitrary<Value> = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    scalar,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(fieldName, tie("value"), { maxKeys: 4, noNullPrototype: true }),
  ),
})).value;

const DEFAULT_SEED = 20_261_121;

/**
 * The same seed in every run, unless DAYBOOK_SEED is another number or `random`. It is printed, so that a failure can
 * be run again: `DAYBOOK_SEED=… npx vitest run …`. Throws for any other DAYBOOK_SEED.
 */
export function propertySeed(name: string): number {
  const wanted = process.env["DAYBOOK_SEED"] ?? String(DEFAULT_SEED);
  const seed = wanted === "random" ? Math.floor(Math.random() * 2 ** 31) : Number(wanted);
  if (!Number.isSafeInteger(seed))
    throw new Error(`DAYBOOK_SEED must be a number or "random", not ${wanted}`);
  console.info(`${name}: seed ${seed}`);
  return seed;
}
