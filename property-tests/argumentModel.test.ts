/** The model of the arguments and the schemas of the backend agree; two writings of one rule drift otherwise. */
import { expect, test } from "vitest";
import { name } from "../convex/access/fields.ts";
import { POLICY } from "../convex/access/policy.ts";
import { isName } from "./argumentModel.ts";
import { FUNCTIONS } from "./policyModel.ts";
import naughtyStrings from "./testdata/blns.json" with { type: "json" };

const LAST_CODE_POINT = 0x10ffff;

function disagreements(texts: Iterable<string>): string[] {
  return [...texts].filter((text) => isName(text) !== name.safeParse(text).success);
}

function* everyCodePoint(): Generator<string> {
  for (let point = 0; point <= LAST_CODE_POINT; point += 1) {
    yield String.fromCodePoint(point);
    yield `a${String.fromCodePoint(point)}b`;
  }
}

test("the model knows every public function, and no other", () => {
  expect([...FUNCTIONS].sort()).toEqual(Object.keys(POLICY).sort());
});

test("a naughty string is a name to both or to neither", () => {
  expect(disagreements(naughtyStrings)).toEqual([]);
});

test("every code point, alone and between letters, is a name to both or to neither", () => {
  expect(disagreements(everyCodePoint())).toEqual([]);
});

test("a name of 200 bytes is one to both, a longer one to neither", () => {
  expect(disagreements(["ä".repeat(100), `${"ä".repeat(100)}a`, "a".repeat(200), "a".repeat(201)])).toEqual(
    [],
  );
  expect(isName("ä".repeat(100))).toBe(true);
});
