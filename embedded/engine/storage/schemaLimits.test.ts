import { describe, expect, test } from "vitest";
import type { TableJson } from "../loader/functions.ts";
import { checkSchemaLimits, identifierProblem } from "./schemaLimits.ts";

const anything = { type: "any" } as const;

function tableWith(indexes: TableJson["indexes"], tableName = "rows"): TableJson {
  return { tableName, indexes, documentType: anything };
}

function indexOf(fieldCount: number, name = "by_all"): TableJson["indexes"][number] {
  return { indexDescriptor: name, fields: Array.from({ length: fieldCount }, (_, n) => `f${n}`) };
}

function checking(table: TableJson): () => void {
  return () => {
    checkSchemaLimits("", [table], true);
  };
}

describe("names", () => {
  test.each(["a", "_a", "A9_", "x".repeat(64)])("%s is one", (name) => {
    expect(identifierProblem(name)).toBeNull();
  });

  test.each([
    ["", "Identifier cannot be empty"],
    [
      "9a",
      "Invalid first character '9' in 9a: Identifiers must start with an alphabetic character or underscore",
    ],
    [
      "a-b",
      "Identifier a-b has invalid character '-': Identifiers can only contain alphanumeric characters or underscores",
    ],
    ["x".repeat(65), "Identifier is too long (65 > maximum 64)"],
    ["__", "Identifier __ cannot have exclusively underscores"],
  ])("%j is none", (name, problem) => {
    expect(identifierProblem(name)).toBe(problem);
  });
});

describe("a schema", () => {
  test("has 10,000 tables at most", () => {
    const tables = Array.from({ length: 10_001 }, (_, n) => tableWith([], `t${n}`));
    expect(() => {
      checkSchemaLimits("", tables.slice(1), true);
    }).not.toThrow();
    expect(() => {
      checkSchemaLimits("", tables, true);
    }).toThrow("The schema has 10001 tables (limit: 10000)");
  });

  test("has 32 indexes a table and 16 fields an index at most", () => {
    const indexes = Array.from({ length: 33 }, (_, n) => indexOf(16, `by_${n}`));
    expect(checking(tableWith(indexes.slice(1)))).not.toThrow();
    expect(checking(tableWith(indexes))).toThrow('In table "rows" it has 33 indexes (limit: 32)');
    expect(checking(tableWith([indexOf(17)]))).toThrow('the index "by_all" has 17 fields (limit: 16)');
  });

  test.each([
    [tableWith([], "_rows"), "start with an underscore"],
    [tableWith([], "my rows"), "invalid character ' '"],
    [tableWith([indexOf(1, "_by")]), 'the index name "_by" is reserved'],
    [tableWith([indexOf(1, "by_id")]), 'the index name "by_id" is reserved'],
    [tableWith([indexOf(1, "by-f0")]), "invalid character '-'"],
    [tableWith([indexOf(1), indexOf(2)]), "two of its indexes have the same name"],
    [tableWith([indexOf(0)]), "has no fields"],
    [tableWith([{ indexDescriptor: "twice", fields: ["a", "a"] }]), "names a field twice"],
    [tableWith([{ indexDescriptor: "late", fields: ["a", "_creationTime"] }]), "every index has at its end"],
    [tableWith([{ indexDescriptor: "odd", fields: ["a.b c"] }]), "invalid character ' '"],
  ])("case %#: %s is refused", (table, problem) => {
    expect(checking(table)).toThrow(problem);
  });

  test("indexes only fields that its documents can have", () => {
    const member = {
      fieldType: { type: "object", value: { c: { fieldType: anything, optional: true } } },
      optional: true,
    } as const;
    const documentType = {
      type: "union",
      value: [
        { type: "object", value: { a: { fieldType: { type: "string" }, optional: false } } },
        { type: "object", value: { b: member } },
      ],
    } as const;
    const schema = (field: string): TableJson => ({
      tableName: "rows",
      indexes: [{ indexDescriptor: "by_field", fields: [field] }],
      documentType: { type: "union", value: [...documentType.value] },
    });
    for (const field of ["a", "b", "b.c", "b.c.anything"]) expect(checking(schema(field))).not.toThrow();
    for (const field of ["c", "a.b", "b.d"]) {
      expect(checking(schema(field))).toThrow(
        `In table "rows" the index "by_field" is invalid because it references the field ${field} that does not exist.`,
      );
    }
    expect(() => {
      checkSchemaLimits("", [schema("c")], false);
    }).not.toThrow();
  });
});
