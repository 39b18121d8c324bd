import { convexToJson, v, type GenericValidator, type Value } from "convex/values";
import { describe, expect, test } from "vitest";
import { validatorProblem, type ValidatorJson } from "./validator.ts";

const TABLES: Record<string, string> = { user1: "users", note1: "notes" };

function problem(validator: GenericValidator, value: Value): string | null {
  const { json } = validator as unknown as { json: ValidatorJson };
  return validatorProblem(json, convexToJson(value), (id) => TABLES[id] ?? null);
}

describe("validators accept", () => {
  test.each<[string, GenericValidator, Value]>([
    ["any", v.any(), { a: [1] }],
    ["null", v.null(), null],
    ["number", v.number(), 1.5],
    ["NaN as a number", v.number(), NaN],
    ["int64", v.int64(), 5n],
    ["bytes", v.bytes(), new ArrayBuffer(2)],
    ["literal", v.literal("x"), "x"],
    ["bigint literal", v.literal(3n), 3n],
    ["id", v.id("users"), "user1"],
    ["array", v.array(v.string()), ["a"]],
    ["record", v.record(v.string(), v.number()), { a: 1 }],
    ["union", v.union(v.null(), v.string()), null],
    ["optional field left out", v.object({ a: v.optional(v.string()) }), {}],
    ["nested object", v.object({ a: v.object({ b: v.boolean() }) }), { a: { b: true } }],
  ])("%s", (_name, validator, value) => {
    expect(problem(validator, value)).toBeNull();
  });
});

describe("validators refuse in Convex's words", () => {
  test("a wrong type names path, value and validator", () => {
    expect(problem(v.object({ a: v.array(v.string()) }), { a: ["x", 1] })).toBe(
      "Value does not match validator.\nPath: .a[1]\nValue: 1.0\nValidator: v.string()",
    );
  });

  test("a missing field", () => {
    expect(problem(v.object({ a: v.string() }), {})).toBe(
      "Object is missing the required field `a`. Consider wrapping the field validator in `v.optional(...)` if this is expected." +
        "\n\nObject: {}\nValidator: v.object({a: v.string()})",
    );
  });

  test("an extra field", () => {
    expect(problem(v.object({}), { b: 2n })).toBe(
      "Object contains extra field `b` that is not in the validator.\n\nObject: {b: 2n}\nValidator: v.object({})",
    );
  });

  test("an inherited name is an extra field like any other", () => {
    expect(problem(v.object({}), { toString: 1 })).toContain("extra field `toString`");
    expect(problem(v.object({ toString: v.string() }), {})).toContain(
      "missing the required field `toString`",
    );
  });

  test("an id of another table", () => {
    expect(problem(v.id("users"), "note1")).toBe(
      'Found ID "note1" from table `notes`, which does not match the table name in validator `v.id("users")`.',
    );
  });

  test.each<[string, GenericValidator, Value]>([
    ["a number for an int64", v.int64(), 5],
    ["an int64 for a number", v.number(), 5n],
    ["a list for an object", v.object({}), []],
    ["an int64 for an object", v.object({}), 5n],
    ["bytes for a record", v.record(v.string(), v.any()), new ArrayBuffer(1)],
    ["a text that is no id", v.id("users"), "nobody"],
    ["none of a union", v.union(v.literal("a"), v.literal("b")), "c"],
    ["another literal", v.literal(1), 2],
    ["a record's value", v.record(v.string(), v.number()), { a: "x" }],
  ])("%s", (_name, validator, value) => {
    expect(problem(validator, value)).toContain("Value does not match validator.");
  });
});
