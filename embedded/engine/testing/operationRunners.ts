/** The operations of `things`, run here and on convex-test; ids are told apart by the order of their making. */
import { convexTest } from "convex-test";
import { defineSchema, makeFunctionReference, type FunctionReference } from "convex/server";
import type { Value } from "convex/values";
import counterSchema from "../../fixtures/app/convex/counter/schema.ts";
import { indexFields } from "./arbitraryOperations.ts";
import type {
  Applied,
  Bound,
  Ending,
  Filter,
  Known,
  Operation,
  Selection,
  TableName,
} from "../../fixtures/app/convex/thingOperations.ts";
import schema from "../../fixtures/app/convex/schema.ts";
import type { TestEngine } from "./testEngine.ts";

type Call = (kind: "query" | "mutation", name: string, args: Record<string, unknown>) => Promise<unknown>;

export type Page = { page: unknown[]; isDone: boolean; continueCursor: string };

export type Answered<T> = { ok: true; value: T } | { ok: false; message: string };

async function answered<T>(call: Promise<unknown>): Promise<Answered<T>> {
  try {
    return { ok: true, value: (await call) as T };
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : String(error) };
  }
}

/** One of the two sides, from empty tables on. */
export class OperationRunner {
  private readonly call: Call;
  /** Convex-test gets what both understand: see the deviations. */
  private readonly isReference: boolean;
  private known: Known = { things: [], typed: [], loose: [], jobs: [] };

  constructor(call: Call, isReference: boolean) {
    this.call = call;
    this.isReference = isReference;
  }

  async apply(operations: readonly Operation[]): Promise<Answered<Applied["answers"]>> {
    const inCode = this.isReference && operations.some(needsModel);
    const list = this.isReference ? operations.map(forReference) : operations;
    const args = { operations: list, known: this.known, inCode };
    const result = await answered<Applied>(this.call("mutation", "things:apply", args));
    if (!result.ok) return result;
    this.known = result.value.known;
    return { ok: true, value: result.value.answers };
  }

  async query(selection: Selection, ending: Ending): Promise<Answered<unknown>> {
    const inCode = this.isReference && filterNeedsModel(selection.filter);
    const wanted = this.isReference ? canonical(selection) : selection;
    return await answered(this.call("query", "things:read", { selection: wanted, ending, inCode }));
  }

  async page(selection: Selection, options: Record<string, unknown>): Promise<Answered<Page>> {
    const wanted = this.isReference ? canonical(selection) : selection;
    return await answered(this.call("query", "things:page", { selection: wanted, options }));
  }
}

/** The engine, its tables emptied. */
export async function engineRunner(host: TestEngine): Promise<OperationRunner> {
  await host.mutation("things:reset");
  return new OperationRunner((kind, name, args) => host[kind](name, args as Value), false);
}

const GENERATED = { "./convex/_generated/server.js": () => Promise.resolve({}) };

/** A new convex-test. */
export function referenceRunner(): OperationRunner {
  const platform = convexTest({
    schema,
    modules: {
      ...GENERATED,
      "./convex/things.ts": () => import("../../fixtures/app/convex/things.ts"),
      "./convex/jobs.ts": () => import("../../fixtures/app/convex/jobs.ts"),
    },
  });
  platform.registerComponent("counter", counterSchema, {
    ...GENERATED,
    "./convex/count.ts": () => import("../../fixtures/app/convex/counter/count.ts"),
  });
  platform.registerComponent("counter/tally", defineSchema({}, { schemaValidation: false }), {
    ...GENERATED,
    "./convex/marks.ts": () => import("../../fixtures/app/convex/counter/tally/marks.ts"),
  });
  return new OperationRunner(async (kind, name, args) => {
    const reference = makeFunctionReference<typeof kind>(name);
    const value: unknown =
      kind === "query"
        ? await platform.query(reference as FunctionReference<"query">, args)
        : await platform.mutation(reference as FunctionReference<"mutation">, args);
    return value;
  }, true);
}

function filterNeedsModel(filter: Filter | undefined): boolean {
  if (filter === undefined) return false;
  switch (filter.op) {
    case "eq":
    case "neq":
      return filter.left.op !== "field" || filter.right.op !== "literal";
    case "and":
    case "or":
      return filter.operands.some(filterNeedsModel);
    case "not":
      return filterNeedsModel(filter.operand);
    default:
      return true;
  }
}

function needsModel(operation: Operation): boolean {
  if (operation.kind === "nested") return operation.operations.some(needsModel);
  return "selection" in operation && filterNeedsModel(operation.selection.filter);
}

/** Convex takes equalities wherever they stand; convex-test wants them first and in the order of the index. */
function canonical(selection: Selection): Selection {
  const fields = indexFields(selection.index ?? "");
  const rank = (bound: Bound): number => {
    const at = fields.indexOf(bound.field);
    return bound.type === "eq" && at >= 0 ? at : fields.length;
  };
  return { ...selection, range: selection.range.toSorted((a, b) => rank(a) - rank(b)) };
}

/** Convex-test takes a field that is patched away for one that the schema lacks. */
const UNSETTABLE: Partial<Record<TableName, readonly string[]>> = {
  things: ["b", "n", "o"],
  typed: ["count"],
};

function forReference(operation: Operation): Operation {
  if (operation.kind === "nested")
    return { ...operation, operations: operation.operations.map(forReference) };
  if (operation.kind === "patch") {
    const known = UNSETTABLE[operation.table] ?? operation.unset;
    const value = Object.entries(operation.value).filter(([name]) => !operation.unset.includes(name));
    const unset = operation.unset.filter((name) => known.includes(name));
    return { ...operation, value: Object.fromEntries(value), unset };
  }
  return "selection" in operation ? { ...operation, selection: canonical(operation.selection) } : operation;
}
