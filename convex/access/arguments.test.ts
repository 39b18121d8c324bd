import { describe, expect, test } from "vitest";
import { z } from "zod";
import { pageLimit, paginationOpts, parseArguments } from "./arguments.ts";
import { Refusal, type Rejection } from "./errors.ts";

const schema = z.strictObject({
  name: z.string().max(5),
  count: z.int(),
  inner: z.strictObject({ flag: z.boolean() }).optional(),
});
const GOOD = { name: "a", count: 1 };

function rejectionOf(args: unknown): Rejection {
  try {
    parseArguments(schema, args);
  } catch (error) {
    if (error instanceof Refusal) return error.rejection;
    throw error;
  }
  throw new Error("the arguments were accepted");
}

class Smuggler {
  name = "a";
  count = 1;
}

describe("arguments", () => {
  test("that fit come back", () => {
    expect(parseArguments(schema, { ...GOOD, inner: { flag: true } })).toEqual({
      ...GOOD,
      inner: { flag: true },
    });
  });

  test.each([
    ["a wrong type", { ...GOOD, name: 7 }, "name"],
    ["a missing one", { name: "a" }, "count"],
    ["an unknown one", { ...GOOD, orgId: "org_1" }, "orgId"],
    ["an unknown one of a prototype's name", { ...GOOD, constructor: "x" }, "constructor"],
    ["a wrong one inside", { ...GOOD, inner: { flag: 1 } }, "inner.flag"],
    ["an unknown one inside", { ...GOOD, inner: { flag: true, more: 1 } }, "inner.more"],
    ["a name that is no field's name", { ...GOOD, "<script>": 1 }, "arguments"],
    ["a very long name", { ...GOOD, ["k".repeat(65)]: 1 }, "arguments"],
    ["bytes", { ...GOOD, name: new ArrayBuffer(4) }, "name"],
    ["an object of a class inside", { ...GOOD, inner: new Smuggler() }, "inner"],
    ["an array of such", { ...GOOD, inner: [new Smuggler()] }, "inner"],
    ["nothing", undefined, "arguments"],
    ["null", null, "arguments"],
    ["an array", [], "arguments"],
    ["an object of a class", new Smuggler(), "arguments"],
  ])("with %s are INVALID and say where", (_name, args, field) => {
    expect(rejectionOf(args)).toMatchObject({ code: "INVALID", field });
  });

  test("with an own __proto__ are INVALID", () => {
    expect(rejectionOf(JSON.parse('{"name":"a","count":1,"__proto__":{"x":1}}'))).toMatchObject({
      code: "INVALID",
    });
  });

  test("are never echoed", () => {
    const secret = "a-long-secret-value";
    expect(JSON.stringify(rejectionOf({ ...GOOD, name: secret }))).not.toContain(secret);
    expect(JSON.stringify(rejectionOf({ ...GOOD, count: secret }))).not.toContain(secret);
    expect(JSON.stringify(rejectionOf({ ...GOOD, [`${secret}!`]: 1 }))).not.toContain(secret);
  });
});

describe("a page", () => {
  const parse = (value: unknown): unknown => parseArguments(z.strictObject({ paginationOpts }), value);

  test("has 50 rows from the start unless the client says otherwise", () => {
    const expected = { paginationOpts: { numItems: 50, cursor: null, maximumRowsRead: 200 } };
    expect(parse({})).toEqual(expected);
    expect(parse({ paginationOpts: {} })).toEqual(expected);
  });

  test("has at most 200 rows, and the client's scan limits count for nothing", () => {
    const asked = { numItems: 201, cursor: "c", maximumRowsRead: 1e9, maximumBytesRead: 1e9, id: 3 };
    expect(parse({ paginationOpts: asked })).toEqual({
      paginationOpts: { numItems: 200, cursor: "c", maximumRowsRead: 200 },
    });
  });

  test.each([
    { numItems: 0 },
    { numItems: -1 },
    { numItems: 1.5 },
    { numItems: "5" },
    { numItems: Number.NaN },
  ])("of %j is refused", (options) => {
    expect(() => parse({ paginationOpts: { ...options, cursor: null } })).toThrow(Refusal);
  });

  test("a cursor is text of at most 8192 characters", () => {
    const withCursor = (cursor: unknown) => () => parse({ paginationOpts: { numItems: 1, cursor } });
    expect(withCursor("c".repeat(8192))).not.toThrow();
    expect(withCursor("c".repeat(8193))).toThrow(Refusal);
    expect(withCursor(7)).toThrow(Refusal);
  });

  test("by sequence holds 50 entries, at most 200", () => {
    expect(pageLimit.parse(undefined)).toBe(50);
    expect(pageLimit.parse(200)).toBe(200);
    expect(pageLimit.parse(10_000)).toBe(200);
    expect(pageLimit.safeParse(0).success).toBe(false);
  });
});
