/**
 * The same random operations here and on convex-test: every read, every page and every failure must agree. A failure
 * is shrunk to the fewest steps that show it and printed with its seed.
 */
import stringify from "fast-json-stable-stringify";
import { convexToJson, type Value } from "convex/values";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import type { Answer, Operation, Selection } from "../fixtures/app/convex/thingOperations.ts";
import { arbitrarySteps, type Step } from "./testing/arbitraryOperations.ts";
import { propertySeed } from "./testing/arbitraryValue.ts";
import {
  engineRunner,
  referenceRunner,
  type Answered,
  type OperationRunner,
  type Page,
} from "./testing/operationRunners.ts";
import { openFixture, removeDataDirs, type TestEngine } from "./testing/testEngine.ts";

const SEQUENCES = 250;
const OPERATIONS_MIN = 10_000;

/** Why a call failed, whatever its words. The first that fits. */
const FAILURES: readonly [kind: string, message: RegExp][] = [
  ["thrown", /asked to throw|that name is forbidden/],
  ["nothing there yet", /there is no document yet/],
  ["schema", /does not match the schema|Validator error/],
  ["wrong table", /expected ID in table/],
  ["no id", /Unable to decode ID|expected ID value/],
  ["missing document", /nonexistent|non-existent/],
  ["not unique", /unique\(\) query returned more than one/],
  [
    "index range",
    /Tried to query index|Already defined|Upper and lower bounds|Incorrect (field|operator) used/,
  ],
  ["filter", /Cannot (add|sub|subtract|mul|multiply|div|divide|mod|negate)|is not a boolean/],
  ["system table", /[Ss]ystem tables?|User tables/],
];

function failureOf(message: string): string {
  const found = FAILURES.find(([, pattern]) => pattern.test(message));
  // Unknown words agree with nothing: a new failure has to be looked at.
  if (found === undefined) throw new Error(`a failure of no known kind: ${message}`);
  return found[0];
}

/** Where convex-test is not the platform. `convex` is the platform's answer, given convex-test's. */
type Deviation = {
  what: string;
  why: string;
  convex: (operation: Operation, there: Answer) => Answer | null;
};

const DEVIATIONS: readonly Deviation[] = [
  {
    what: "the name of a scheduled function lacks `.js`",
    why: "the platform shows paths as module.js:function",
    convex: (operation, there) => {
      if (operation.kind !== "job" || !("value" in there) || there.value === null) return null;
      return { value: { ...(there.value as object), name: "jobs.js:doDeed" } };
    },
  },
  {
    what: "null where the schema wants an object ends in a TypeError",
    why: "the platform says that the document does not match the schema",
    convex: (_operation, there) => {
      const isTypeError = "failed" in there && there.failed === "Cannot convert undefined or null to object";
      return isTypeError ? { failed: "does not match the schema" } : null;
    },
  },
];

/** Deviations that the runners and the steps avoid, because no answer of convex-test could be put right. */
const AVOIDED: readonly { what: string; why: string }[] = [
  {
    what: "filters compare with JavaScript's < and >, coerce in arithmetic, take truthy values and lack `neg`",
    why: "the platform has one order of all values, int64 and float64 apart, and booleans only; the reference evaluates such filters by filterModel.ts",
  },
  {
    what: "equalities of an index range must come first and in the order of the index",
    why: "the platform sorts them; the reference gets them sorted",
  },
  {
    what: "a page that ends with the last row is done",
    why: "the platform has not looked beyond it; its next page is empty and done",
  },
  {
    what: "a page up to an end cursor whose row is gone is done",
    why: "on the platform it is done only if the end cursor was the end",
  },
  {
    what: "a patch that removes a field which the schema lacks is refused",
    why: "the platform looks at the document that comes of it; the reference is not asked to remove such fields",
  },
  {
    what: "a literal validator of an int64 takes nothing",
    why: "it is compared with its JSON form; the schema has none",
  },
  {
    what: "a query that is being iterated does not see the function's own writes",
    why: "the platform reads as it goes (transactions.test.ts)",
  },
  {
    what: "components can paginate, fields may start with an underscore, scheduled functions are not looked up",
    why: "the platform refuses (components.test.ts, limits.test.ts, jobs.test.ts)",
  },
];

const used = new Map<string, number>();
const counted = new Map<string, number>();
/** How the engine's operations ended. */
const ended = new Map<string, number>();

function note(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

function countOperation(operation: Operation): void {
  note(counted, operation.kind === "read" ? `read ${operation.ending.kind}` : operation.kind);
  if (operation.kind === "nested") operation.operations.forEach(countOperation);
}

function text(value: unknown): string {
  return stringify(convexToJson(value as Value));
}

function asConvex(operation: Operation, there: Answer): Answer {
  for (const { what, convex } of DEVIATIONS) {
    const answer = convex(operation, there);
    if (answer === null) continue;
    note(used, what);
    return answer;
  }
  return there;
}

/** An answer with its failures classified, nested ones too. */
function comparable(operation: Operation, answer: Answer, isReference: boolean): unknown {
  const so = isReference ? asConvex(operation, answer) : answer;
  if ("failed" in so) {
    const failed = failureOf(so.failed);
    if (!isReference) note(ended, `failed: ${failed}`);
    return { failed };
  }
  if (!isReference) note(ended, "succeeded");
  if (operation.kind !== "nested") return so;
  const inner = so.value as Answer[];
  return {
    value: operation.operations.map((one, position) =>
      comparable(one, inner[position] ?? { value: null }, isReference),
    ),
  };
}

function showAll(
  operations: readonly Operation[],
  result: Answered<Answer[]>,
  isReference: boolean,
): string[] {
  if (!result.ok) return [`failed: ${failureOf(result.message)}`];
  return operations.map((operation, position) =>
    text(comparable(operation, result.value[position] ?? { value: null }, isReference)),
  );
}

function showOne(result: Answered<unknown>): string {
  return result.ok ? text(result.value) : `failed: ${failureOf(result.message)}`;
}

class Comparison {
  private readonly here: OperationRunner;
  private readonly there: OperationRunner;

  constructor(here: OperationRunner, there: OperationRunner) {
    this.here = here;
    this.there = there;
  }

  async step(step: Step): Promise<void> {
    if (step.kind === "apply") await this.apply(step.operations);
    else if (step.kind === "pages") await this.pages(step);
    else {
      note(counted, `query ${step.ending.kind}`);
      const here = await this.here.query(step.selection, step.ending);
      expect(showOne(here)).toBe(showOne(await this.there.query(step.selection, step.ending)));
    }
  }

  private async apply(operations: readonly Operation[]): Promise<void> {
    operations.forEach(countOperation);
    const here = showAll(operations, await this.here.apply(operations), false);
    expect(here).toEqual(showAll(operations, await this.there.apply(operations), true));
  }

  /** Page after page from each side's own cursors; each is read again up to its end after the data changed. */
  private async pages({
    selection,
    numItems,
    maximumRowsRead,
    between,
  }: Extract<Step, { kind: "pages" }>): Promise<void> {
    const limits = { numItems, ...(maximumRowsRead === undefined ? {} : { maximumRowsRead }) };
    let cursors: [string | null, string | null] = [null, null];
    for (const operations of [...between, []]) {
      const next = await this.page(selection, [
        { ...limits, cursor: cursors[0] },
        { ...limits, cursor: cursors[1] },
      ]);
      if (next === null) return;
      const [here, there] = next;
      if (here.isDone !== there.isDone) {
        await this.expectEndAfter(selection, here);
        return;
      }
      await this.apply(operations);
      await this.page(selection, [
        { numItems, cursor: cursors[0], endCursor: here.continueCursor },
        { numItems, cursor: cursors[1], endCursor: there.continueCursor },
      ]);
      if (here.isDone) return;
      cursors = [here.continueCursor, there.continueCursor];
    }
  }

  private async page(
    selection: Selection,
    options: [Record<string, unknown>, Record<string, unknown>],
  ): Promise<[Page, Page] | null> {
    note(counted, "endCursor" in options[0] ? "page to an end cursor" : "page");
    const here = await this.here.page(selection, options[0]);
    const there = await this.there.page(selection, options[1]);
    const shown = (answer: Answered<Page>): string =>
      showOne(answer.ok ? { ok: true, value: answer.value.page } : answer);
    expect(shown(here)).toBe(shown(there));
    return here.ok && there.ok ? [here.value, there.value] : null;
  }

  /** The one way in which `isDone` may differ: convex-test knows that there is no row after the page. */
  private async expectEndAfter(selection: Selection, here: Page): Promise<void> {
    expect(here.isDone).toBe(false);
    note(used, "a page that ends with the last row is done");
    const next = await this.here.page(selection, { numItems: 1, cursor: here.continueCursor });
    expect(next).toMatchObject({ ok: true, value: { page: [], isDone: true } });
  }
}

function table(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([what, count]) => `${String(count).padStart(6)}  ${what}`)
    .join("\n");
}

async function runSteps(host: TestEngine, steps: readonly Step[]): Promise<void> {
  const comparison = new Comparison(await engineRunner(host), referenceRunner());
  for (const step of steps) await comparison.step(step);
}

afterAll(removeDataDirs);

describe("the engine and convex-test", () => {
  test("agree on random transactions, reads and pages", { timeout: 300_000 }, async () => {
    const seed = propertySeed("differential");
    const host = await openFixture();
    await fc.assert(
      fc.asyncProperty(arbitrarySteps, (steps) => runSteps(host, steps)),
      { seed, numRuns: SEQUENCES },
    );
    await host.engine.close();
    const total = [...counted.values()].reduce((sum, count) => sum + count, 0);
    const tables = `${table(counted)}\nthat ended so\n${table(ended)}\ndeviations met\n${table(used)}`;
    const avoided = AVOIDED.map(({ what, why }) => `${what}: ${why}`).join("\n");
    console.info(`differential: ${total} operations\n${tables}\ndeviations avoided\n${avoided}`);
    expect(total).toBeGreaterThanOrEqual(OPERATIONS_MIN);
    for (const { what } of DEVIATIONS) expect(used.get(what), what).toBeGreaterThan(0);
    for (const [kind] of FAILURES) expect(ended.get(`failed: ${kind}`), kind).toBeGreaterThan(0);
  });
});
