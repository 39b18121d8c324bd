/** Sequences of operations on `things` of the fixture app: few tables, fields and values, so that they meet. */
import type { Value } from "convex/values";
import fc from "fast-check";
import { GARBAGE } from "../../fixtures/app/convex/thingOperations.ts";
import type {
  Bound,
  Ending,
  Filter,
  Operation,
  Selection,
  TableName,
} from "../../fixtures/app/convex/thingOperations.ts";
import { arbitraryValue } from "./arbitraryValue.ts";

/** One call from outside. `pages` reads page after page, with transactions between them. */
export type Step =
  | { kind: "apply"; operations: Operation[] }
  | { kind: "query"; selection: Selection; ending: Ending }
  | {
      kind: "pages";
      selection: Selection;
      numItems: number;
      maximumRowsRead?: number;
      between: Operation[][];
    };

const fewValues = fc.constantFrom<Value[]>(
  ...[null, 0, -0, 1, -1.5, 2, NaN, Infinity, 1n, -3n, 300n, true, false, "", "a", "b", "a\0", "é"],
  ...[[], [1], [1, "x"], { k: 1 }, {}, { k: 1, z: null }, { k: { z: [1n] } }, new Uint8Array([0, 1]).buffer],
);
const value = fc.oneof({ weight: 9, arbitrary: fewValues }, { weight: 1, arbitrary: arbitraryValue });
const few = fc.constantFrom<Value[]>(null, 0, -0, 1, -1.5, 2, 1n, "a");
const small = fc.integer({ min: 0, max: 5 });

const table = fc.constantFrom<TableName[]>("things", "things", "things", "things", "typed", "typed", "loose");

const thing = fc.record(
  { a: few, n: small, b: value, o: fc.record({ x: value }) },
  { requiredKeys: ["a", "n"] },
);
const typed = fc.record(
  {
    text: fc.constantFrom("", "a", "b"),
    count: fc.constantFrom(1n, -3n, 300n),
    ratio: fc.constantFrom(NaN, 0.5, -0),
    flag: fc.boolean(),
    bytes: fc.constant(new Uint8Array([7]).buffer),
    list: fc.constantFrom([], [1, null]),
    kind: fc.constantFrom<Value[]>("a", 2, { x: 1 }),
    inner: fc.constantFrom<Value[]>({ x: 1 }, { x: 1, y: "b" }),
  },
  { requiredKeys: ["text"] },
);
/** A field of another type, one too many, or none of those that are required. */
const misfit = fc.oneof(
  fc
    .tuple(typed, fc.constantFrom("text", "count", "list", "kind", "inner", "bytes", "more"), value)
    .map(([fields, name, odd]): Record<string, unknown> => ({ ...fields, [name]: odd })),
  fc.constantFrom<Record<string, unknown>[]>({}, { text: "a", inner: null }),
);

function documentOf(name: TableName): fc.Arbitrary<Record<string, unknown>> {
  if (name === "things") return fc.oneof({ weight: 20, arbitrary: thing }, { weight: 1, arbitrary: misfit });
  if (name === "typed") return fc.oneof({ weight: 2, arbitrary: typed }, { weight: 1, arbitrary: misfit });
  return fc.dictionary(fc.constantFrom("a", "b", "c"), value, { noNullPrototype: true });
}

const FIELDS: Record<string, readonly string[]> = {
  ab: ["a", "b", "_creationTime"],
  ox: ["o.x", "n", "_creationTime"],
  nab: ["n", "a", "b", "_creationTime"],
  by_count_and_text: ["count", "text", "_creationTime"],
};

/** The fields of an index of the fixture app, those that break ties left out. */
export function indexFields(index: string): readonly string[] {
  return FIELDS[index] ?? [];
}

function boundValue(field: string): fc.Arbitrary<unknown> {
  switch (field) {
    case "a":
      return few;
    case "n":
      return small;
    case "_creationTime":
      return fc.constantFrom(0, 1e15);
    case "count":
      return fc.constantFrom(1n, -3n, 300n);
    case "text":
      return fc.constantFrom("", "a", "b");
    default:
      return value;
  }
}

function bound(type: Bound["type"], field: string): fc.Arbitrary<Bound> {
  return fc.record({
    type: fc.constant(type),
    field: fc.constant(field),
    value: boundValue(field),
    isUndefined: fc.integer({ max: 7, min: 0 }).map((die) => die === 0 && field !== "_creationTime"),
  });
}

/** Equalities on the first fields, then at most one lower and one upper bound on the next. */
function validRange(index: string): fc.Arbitrary<Bound[]> {
  const fields = indexFields(index);
  return fc.integer({ min: 0, max: fields.length - 1 }).chain((equalities) => {
    const parts = fields.slice(0, equalities).map((field) => bound("eq", field).map((one) => [one]));
    const next = fields[equalities];
    if (next !== undefined) {
      const lower = fc.oneof(bound("gt", next), bound("gte", next));
      const upper = fc.oneof(bound("lt", next), bound("lte", next));
      const both = fc.tuple(fc.option(lower), fc.option(upper));
      parts.push(both.map((pair) => pair.filter((one) => one !== null)));
    }
    return fc.tuple(...parts).map((lists) => lists.flat());
  });
}

/** Bounds in any order on any fields: some Convex takes, most it refuses. */
function anyRange(index: string): fc.Arbitrary<Bound[]> {
  const type = fc.constantFrom<Bound["type"][]>("eq", "eq", "eq", "gt", "gte", "lt", "lte");
  const field = fc.constantFrom(...indexFields(index), "missing");
  const one = fc.tuple(type, field).chain(([ofType, onField]) => bound(ofType, onField));
  return fc.array(one, { minLength: 1, maxLength: 4 });
}

function rangeOf(index: string): fc.Arbitrary<Bound[]> {
  return fc.oneof({ weight: 8, arbitrary: validRange(index) }, { weight: 1, arbitrary: anyRange(index) });
}

const field = fc
  .constantFrom("a", "b", "n", "o.x", "o", "missing")
  .map((name): Filter => ({ op: "field", name }));
const literal = fc.oneof(few, value).map((one): Filter => ({ op: "literal", value: one }));
const scalar = fc.oneof(field, literal);

/** Equality only, where convex-test agrees with the platform. */
const plainFilter: fc.Arbitrary<Filter> = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { depthSize: "small", maxDepth: 3 },
    fc.record({ op: fc.constantFrom("eq" as const, "neq" as const), left: field, right: literal }),
    fc.record({
      op: fc.constantFrom("and" as const, "or" as const),
      operands: fc.array(tie("filter"), { maxLength: 3 }),
    }),
    fc.record({ op: fc.constant("not" as const), operand: tie("filter") }),
  ),
})).filter;

const number = fc.letrec<{ number: Filter }>((tie) => ({
  number: fc.oneof(
    { depthSize: "small", maxDepth: 3 },
    fc.constantFrom<Filter[]>(
      { op: "field", name: "n" },
      { op: "literal", value: 2 },
      { op: "literal", value: -0 },
    ),
    fc.record({
      op: fc.constantFrom("add" as const, "sub" as const, "mul" as const, "div" as const, "mod" as const),
      left: tie("number"),
      right: fc.oneof({ weight: 9, arbitrary: tie("number") }, { weight: 1, arbitrary: scalar }),
    }),
    fc.record({ op: fc.constant("neg" as const), operand: tie("number") }),
    fc.constantFrom<Filter[]>(
      { op: "add", left: { op: "literal", value: 2n ** 63n - 1n }, right: { op: "literal", value: 1n } },
      { op: "mod", left: { op: "literal", value: -7n }, right: { op: "literal", value: 3n } },
      { op: "div", left: { op: "literal", value: 7n }, right: { op: "literal", value: 0n } },
    ),
  ),
})).number;

const anyFilter: fc.Arbitrary<Filter> = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { depthSize: "small", maxDepth: 3 },
    fc.record({
      op: fc.constantFrom(...(["eq", "neq", "lt", "lte", "gt", "gte"] as const)),
      left: fc.oneof(field, number),
      right: fc.oneof(scalar, number),
    }),
    fc.record({
      op: fc.constantFrom("and" as const, "or" as const),
      operands: fc.array(tie("filter"), { maxLength: 3 }),
    }),
    fc.record({ op: fc.constant("not" as const), operand: tie("filter") }),
    scalar,
  ),
})).filter;

function selectionOf(filter: fc.Arbitrary<Filter>): fc.Arbitrary<Selection> {
  const index = fc.constantFrom<(string | null)[]>(null, "ab", "ab", "ox", "nab", "by_count_and_text");
  return index.chain((name) => {
    const source = {
      table:
        name === null ? table : fc.constant<TableName>(name === "by_count_and_text" ? "typed" : "things"),
      range: name === null ? fc.constant<Bound[]>([]) : rangeOf(name),
      ...(name === null ? {} : { index: fc.constant(name) }),
    };
    const shape = { order: fc.constantFrom("asc" as const, "desc" as const), filter };
    return fc
      .tuple(fc.record(source), fc.record(shape, { requiredKeys: [] }))
      .map(([from, rest]): Selection => ({ ...from, ...rest }));
  });
}

const selection = fc.oneof(selectionOf(plainFilter), selectionOf(anyFilter));

const ending: fc.Arbitrary<Ending> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom<Ending[]>({ kind: "collect" }, { kind: "first" }, { kind: "unique" }),
  },
  fc.record({ kind: fc.constantFrom("take" as const, "iterate" as const), count: small }),
);

const insert = table.chain((name) =>
  documentOf(name).map((one): Operation => ({ kind: "insert", table: name, value: one })),
);
const target = fc
  .tuple(table, fc.nat({ max: GARBAGE }), fc.option(table, { freq: 12 }))
  .map(([name, handle, of]) => ({ table: name, handle, ...(of === null ? {} : { of }) }));

const patch = target.chain((at) =>
  fc
    .tuple(
      documentOf(at.table),
      fc.array(fc.constantFrom<string[]>("a", "b", "n", "text", "count", "o")),
      fc.subarray(["b", "count", "o", "n"], { maxLength: 2 }),
    )
    .map(([fields, kept, unset]): Operation => {
      const value = Object.fromEntries(Object.entries(fields).filter(([name]) => kept.includes(name)));
      return { kind: "patch", ...at, value, unset };
    }),
);
const replace = target.chain((at) =>
  documentOf(at.table).map((one): Operation => ({ kind: "replace", ...at, value: one })),
);
const remove = target.map((at): Operation => ({ kind: "delete", ...at }));
const get = target.map((at): Operation => ({ kind: "get", ...at }));
const normalizeId = fc
  .tuple(
    target,
    fc.constantFrom("things", "typed", "loose", "_scheduled_functions"),
    fc.option(fc.constantFrom("", "x", "k5", "not an id at all, whatever one thinks"), { freq: 4 }),
  )
  .map(([at, name, garbage]): Operation => ({ kind: "normalizeId", ...at, name, garbage }));
const read: fc.Arbitrary<Operation> = fc.record({ kind: fc.constant("read" as const), selection, ending });

const others: fc.Arbitrary<Operation> = fc.oneof(
  get,
  normalizeId,
  fc.record({ kind: fc.constant("nestedQuery" as const), selection, ending }),
  fc.record({ kind: fc.constant("count" as const), component: fc.constant("counter") }),
  fc.record({
    kind: fc.constant("component" as const),
    component: fc.constant("counter"),
    name: fc.constantFrom("one", "two", "forbidden"),
  }),
  fc.record({
    kind: fc.constant("schedule" as const),
    name: fc.constantFrom("later", "much later"),
    args: fc.dictionary(fc.constantFrom("x", "y"), value, { maxKeys: 2, noNullPrototype: true }),
  }),
  fc.record({ kind: fc.constantFrom("cancel" as const, "job" as const), handle: small }),
  fc.record({
    kind: fc.constant("systemTable" as const),
    how: fc.constantFrom("query" as const, "insert" as const, "systemQuery" as const),
  }),
);

const { operation } = fc.letrec<{ operation: Operation }>((tie) => ({
  operation: fc.oneof(
    { maxDepth: 2 },
    { weight: 28, arbitrary: insert },
    { weight: 12, arbitrary: patch },
    { weight: 8, arbitrary: replace },
    { weight: 9, arbitrary: remove },
    { weight: 14, arbitrary: read },
    { weight: 22, arbitrary: others },
    { weight: 1, arbitrary: fc.constant({ kind: "throw" as const }) },
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant("nested" as const),
        operations: fc.array(tie("operation"), { maxLength: 4 }),
        thenThrow: fc.boolean(),
      }),
    },
  ),
}));

const operations = fc.array(operation, { minLength: 1, maxLength: 12, size: "max" });

/** A sequence that starts on empty tables. */
export const arbitrarySteps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: fc.record({ kind: fc.constant("apply" as const), operations }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("query" as const), selection, ending }) },
    {
      weight: 3,
      arbitrary: fc.record(
        {
          kind: fc.constant("pages" as const),
          selection: selectionOf(plainFilter),
          numItems: fc.integer({ min: 1, max: 4 }),
          maximumRowsRead: fc.integer({ min: 1, max: 4 }),
          between: fc.array(fc.array(operation, { maxLength: 3 }), { maxLength: 4 }),
        },
        { requiredKeys: ["kind", "selection", "numItems", "between"] },
      ),
    },
  ),
  { minLength: 1, maxLength: 30, size: "max" },
);
