/** The same random operations here and on convex-test: every read, every page and every failure must agree. */
import { convexTest } from "convex-test";
import { makeFunctionReference, type FunctionReference } from "convex/server";
import { convexToJson, type Value } from "convex/values";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import schema from "../fixtures/app/convex/schema.ts";
import type { Bound, Operation, Selection, Thing } from "../fixtures/app/convex/thingOperations.ts";
import { propertySeed } from "./testing/arbitraryValue.ts";
import { openFixture, removeDataDirs } from "./testing/testEngine.ts";

const MUTATIONS = 1_500;
const COMPARED_PAGES = 300;

/** Few values, so that operations meet the same rows, ranges and ties. */
const value: fc.Arbitrary<Value> = fc.constantFrom<Value[]>(
  ...[null, 0, -0, 1, -1.5, 2, NaN, Infinity, 1n, -3n, 300n, true, false, "", "a", "b", "a\0", "é"],
  ...[[], [1], [1, "x"], { k: 1 }, {}, { k: 1, z: null }, new Uint8Array([0, 1]).buffer],
);
const few = fc.constantFrom<Value[]>(null, 0, -0, 1, -1.5, 2);
const small = fc.integer({ min: 0, max: 5 });
const position = fc.integer({ min: 0, max: 49 });

const thing: fc.Arbitrary<Thing> = fc.record(
  { a: few, n: small, b: value, o: fc.record({ x: value }) },
  { requiredKeys: ["a", "n"] },
);

const FIELDS = { ab: ["a", "b"], ox: ["o.x", "n"] } as const;

function bound(type: Bound["type"], field: string): fc.Arbitrary<Bound> {
  return fc.record({
    type: fc.constant(type),
    field: fc.constant(field),
    value: field === "a" ? few : field === "n" ? small : value,
    isUndefined:
      type === "eq" ? fc.boolean().map((coin) => coin && field !== "n" && field !== "a") : fc.constant(false),
  });
}

/** Equalities on the first fields, then at most one lower and one upper bound on the next. */
function range(index: "ab" | "ox"): fc.Arbitrary<Bound[]> {
  const fields = FIELDS[index];
  return fc.integer({ min: 0, max: 2 }).chain((equalities) => {
    const parts = fields.slice(0, equalities).map((field) => bound("eq", field).map((b) => [b]));
    const next = fields[equalities];
    if (next !== undefined) {
      const lower = fc.oneof(bound("gt", next), bound("gte", next));
      const upper = fc.oneof(bound("lt", next), bound("lte", next));
      parts.push(fc.tuple(fc.option(lower), fc.option(upper)).map((pair) => pair.filter((b) => b !== null)));
    }
    return fc.tuple(...parts).map((lists) => lists.flat());
  });
}

const shape = {
  order: fc.constantFrom("asc" as const, "desc" as const),
  take: fc.integer({ min: 1, max: 5 }),
  atLeast: small,
};
const source: fc.Arbitrary<Selection> = fc
  .option(fc.constantFrom("ab" as const, "ox" as const))
  .chain((index) =>
    index === null
      ? fc.constant<Selection>({ range: [] })
      : range(index).map((bounds): Selection => ({ index, range: bounds })),
  );
const selection = fc
  .tuple(source, fc.record(shape, { requiredKeys: [] }))
  .map(([from, rest]): Selection => ({ ...from, ...rest }));

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 30, arbitrary: fc.record({ kind: fc.constant("insert" as const), thing }) },
  {
    weight: 15,
    arbitrary: fc.record({
      kind: fc.constant("patch" as const),
      position,
      unset: fc.boolean(),
      changes: fc.oneof(fc.record({ n: small }), fc.record({ a: few })),
    }),
  },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("replace" as const), position, thing }) },
  { weight: 25, arbitrary: fc.record({ kind: fc.constant("delete" as const), position }) },
  { weight: 17, arbitrary: fc.record({ kind: fc.constant("read" as const), selection }) },
  { weight: 3, arbitrary: fc.constant({ kind: "throw" as const }) },
);
const operations = fc.array(operation, { minLength: 1, maxLength: 6 });

type Runner = (kind: "query" | "mutation", name: string, args: Record<string, unknown>) => Promise<Value>;

/** Text of an answer, comparable between the two; failures compare as failures. */
async function answer(run: Runner, ...call: Parameters<Runner>): Promise<string> {
  try {
    return JSON.stringify(convexToJson(await run(...call)));
  } catch {
    return "failed";
  }
}

async function allPages(run: Runner, wanted: Selection): Promise<string> {
  const rows: Value[] = [];
  let cursor: string | null = null;
  for (;;) {
    const args = { selection: wanted, cursor, numItems: 3 };
    const next = (await run("query", "things:page", args)) as {
      page: Value[];
      isDone: boolean;
      continueCursor: string;
    };
    rows.push(...next.page);
    if (next.isDone) return JSON.stringify(convexToJson(rows));
    cursor = next.continueCursor;
  }
}

function convexTestRunner(): Runner {
  const platform = convexTest({
    schema,
    modules: {
      "./convex/_generated/server.js": () => Promise.resolve({}),
      "./convex/things.ts": () => import("../fixtures/app/convex/things.ts"),
    },
  } as never);
  return (kind, name, args) => {
    const reference = makeFunctionReference<typeof kind>(name);
    return kind === "query"
      ? (platform.query(reference as FunctionReference<"query">, args) as Promise<Value>)
      : (platform.mutation(reference as FunctionReference<"mutation">, args) as Promise<Value>);
  };
}

afterAll(removeDataDirs);

describe("the engine and convex-test", () => {
  test("agree on random transactions, reads and pages", { timeout: 300_000 }, async () => {
    const seed = propertySeed("differential");
    const host = await openFixture();
    const here: Runner = (kind, name, args) => host[kind](name, args as Value);
    const there = convexTestRunner();
    const seen = { failed: 0, rows: 0 };
    const steps = fc.sample(fc.tuple(operations, selection), { numRuns: MUTATIONS, seed });
    for (const [step, [list, wanted]] of steps.entries()) {
      const about = `seed ${seed}, step ${step}: ${JSON.stringify(list, (_key, v: unknown) => (typeof v === "bigint" ? `${v}n` : v))}`;
      const written = await answer(here, "mutation", "things:apply", { operations: list });
      expect(written, about).toBe(await answer(there, "mutation", "things:apply", { operations: list }));
      const read = await answer(here, "query", "things:read", { selection: wanted });
      expect(
        read,
        `${about} then ${JSON.stringify(wanted, (_key, v: unknown) => (typeof v === "bigint" ? `${v}n` : v))}`,
      ).toBe(await answer(there, "query", "things:read", { selection: wanted }));
      seen.failed += written === "failed" ? 1 : 0;
      seen.rows += read === "failed" ? 0 : (JSON.parse(read) as unknown[]).length;
      if (step % (MUTATIONS / COMPARED_PAGES) === 0) {
        const { take: _take, ...pageable } = wanted;
        expect(await allPages(here, pageable), about).toBe(await allPages(there, pageable));
      }
    }
    await host.engine.close();
    console.info(
      `differential: ${MUTATIONS} mutations, ${seen.failed} failed in both, ${seen.rows} rows compared`,
    );
    expect(seen.failed).toBeGreaterThan(50);
    expect(seen.rows).toBeGreaterThan(MUTATIONS);
  });
});
