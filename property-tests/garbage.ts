/** Values that no argument should be, and the ways to spoil a call with them. */
import naughtyStrings from "./testdata/blns.json" with { type: "json" };
import type { Args } from "./argumentModel.ts";

/** Takes one of a list by the next random number. */
export type Pick = <Value>(list: readonly Value[]) => Value;

export const NAUGHTY: readonly string[] = naughtyStrings;

function nested(depth: number): unknown {
  let value: unknown = "bottom";
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? [value] : { inside: value };
  return value;
}

const WEIRD: readonly unknown[] = [
  null,
  true,
  [],
  {},
  ["org_01ARZ3NDEKTSV4RRFFQ69G5FAV"],
  { toString: "owner" },
  Number.NaN,
  Number.POSITIVE_INFINITY,
  -0,
  -1,
  1.5,
  2 ** 53 + 2,
  1e300,
  7n,
  new ArrayBuffer(8),
  "",
  " ",
  "0",
  "owner ",
  "OWNER",
  "superuser",
  "\ud800",
  "name \udfff tail",
  "two\nlines",
  "nul\u0000byte",
  "x".repeat(201),
  "ß".repeat(101),
  "x".repeat(60_000),
  nested(20),
  "org_01ARZ3NDEKTSV4RRFFQ69G5FAV",
  "bkg_01arz3ndektsv4rrffq69g5fav",
  "svc_01ARZ3NDEKTSV4RRFFQ69G5FAV\n",
  "usr_81ARZ3NDEKTSV4RRFFQ69G5FAV",
  "Europe/Atlantis",
  "+02:00",
  "EURO",
  "eur",
  "XXXX",
];

/** Names that Convex lets through to a function: it refuses an empty one itself. */
const UNKNOWN_KEYS: readonly string[] = [
  "orgId",
  "actor",
  "role",
  "status",
  "amountMinor",
  "priceMinor",
  "now",
  "_id",
  "constructor",
  "hasOwnProperty",
  "__proto__",
  " ",
  "name with spaces",
  "<script>",
  "k".repeat(200),
];

const BAD_KEYS: readonly unknown[] = [
  "",
  "retry-1",
  "01ARZ3NDEKTSV4RRFFQ69G5FA",
  "01arz3ndektsv4rrffq69g5fav",
  "81ARZ3NDEKTSV4RRFFQ69G5FAV",
  "{6ba7b810-9dad-11d1-80b4-00c04fd430c8}",
  "6ba7b8109dad11d180b400c04fd430c8",
  null,
  7,
];

function weirdValue(pick: Pick): unknown {
  return pick([true, false]) ? pick(WEIRD) : pick(NAUGHTY);
}

/** The same arguments with one thing wrong; chance may make the wrong thing valid after all. */
export function spoil(args: Args, pick: Pick): Args {
  const fields = Object.keys(args).filter((field) => field !== "idempotencyKey");
  const field = fields.length > 0 ? pick(fields) : "orgId";
  switch (pick(["replace", "replace", "replace", "add", "add", "drop", "key"] as const)) {
    case "replace":
      return { ...args, [field]: weirdValue(pick) };
    case "add":
      return withOwn(args, pick(UNKNOWN_KEYS), weirdValue(pick));
    case "drop":
      return Object.fromEntries(Object.entries(args).filter(([name]) => name !== field));
    case "key":
      return { ...args, idempotencyKey: pick(BAD_KEYS) };
  }
}

/** Also for `__proto__`, which an object literal would take as the prototype. */
function withOwn(args: Args, field: string, value: unknown): Args {
  const spoilt = { ...args };
  Object.defineProperty(spoilt, field, { value, enumerable: true, configurable: true, writable: true });
  return spoilt;
}
