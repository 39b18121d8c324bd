import { convexToJson } from "convex/values";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { arbitraryValue, propertySeed } from "../testing/arbitraryValue.ts";
import { parseArguments } from "./arguments.ts";

function nested(depth: number): string {
  return `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
}

describe("arguments at the door", () => {
  test("every object that a client can send passes unchanged", () => {
    const seed = propertySeed("parseArguments");
    fc.assert(
      fc.property(arbitraryValue, (value) => {
        const json = convexToJson({ value });
        expect(parseArguments("notes:echo", JSON.stringify(json))).toEqual(json);
      }),
      { seed, numRuns: 2_000 },
    );
  });

  test.each([
    ["not JSON", "{", /not JSON/],
    ["null", "null", /one object/],
    ["a list", "[{}]", /one object/],
    ["a scalar", '"x"', /one object/],
    ["a special form", '{"$integer":"AAAAAAAAAAA="}', /one object/],
    ["an empty key", '{"a":{"":1}}', /Field name cannot be empty/],
    ["a reserved key", '{"a":{"$set":1}}', /\$set/],
    ["a reserved key beside others", '{"a":{"$integer":"AAAAAAAAAAA=","b":1}}', /\$integer/],
    ["a prototype", '{"__proto__":{"polluted":true}}', /__proto__/],
    ["a nested prototype", '{"a":[{"__proto__":null}]}', /__proto__/],
    ["a key that is not ASCII", '{"é":1}', /ASCII/],
    ["a key with a control character", '{"a\\n":1}', /ASCII/],
    ["a number out of range", '{"a":1e999}', /out of range/],
    ["a short $integer", '{"a":{"$integer":"AAA="}}', /malformed/],
    ["an ordinary number as $float", '{"a":{"$float":"AAAAAAAA8D8="}}', /ordinary/],
    ["bytes that are not base64", '{"a":{"$bytes":"%%"}}', /malformed/],
    ["the server's own forms", '{"a":{"$commitTs":null}}', /not allowed/],
    ["undefined", '{"a":{"$undefined":null}}', /not allowed/],
    ["65 levels", nested(65), /Value is too nested \(nested 65 levels deep > maximum nesting 64\)/],
    ["100,000 levels", `{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`, /nested/],
  ])("%s is refused", (_what, text, problem) => {
    expect(() => parseArguments("notes:echo", text)).toThrow(problem);
  });

  test("64 levels pass", () => {
    expect(() => parseArguments("notes:echo", nested(64))).not.toThrow();
  });
});
