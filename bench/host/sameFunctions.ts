/** The benchmark's functions over tables of different sizes, in this process: on the engine and on convex-test. */
import { convexTest } from "convex-test";
import type { FunctionArgs, FunctionReference, FunctionReturnType } from "convex/server";
import { getFunctionName } from "convex/server";
import { convexToJson, jsonToConvex, type JSONValue } from "convex/values";
import type { Outcome } from "../../embedded/engine/contract.ts";
import schema from "../app/convex/schema.ts";
import { measureLoops } from "../loops.ts";
import { openBenchEngine } from "./benchEngine.ts";
import * as rows from "./rows.ts";

const GROUPS = 10;
const ROWS_PER_FILL = 1_000;
/** Shares no factor with a table's size, so that the engine never has a result already. */
const STEP = 7_919;

type Ref<Kind extends "query" | "mutation"> = FunctionReference<Kind>;

/** Where the functions run. */
export type Place = {
  query: <F extends Ref<"query">>(name: F, args: FunctionArgs<F>) => Promise<FunctionReturnType<F>>;
  mutation: <F extends Ref<"mutation">>(name: F, args: FunctionArgs<F>) => Promise<FunctionReturnType<F>>;
  close: () => Promise<void>;
};

/** Milliseconds of one call, the median. */
export type Costs = { insertMs: number; readMs: number; pageMs: number };

function valueOf(outcome: Outcome): unknown {
  if (!outcome.ok) throw new Error(outcome.message);
  return jsonToConvex(JSON.parse(outcome.value) as JSONValue);
}

/** The engine of the embedded host, on disk. */
export async function openOnEngine(dataDir: string): Promise<Place> {
  const engine = await openBenchEngine(dataDir);
  const callOf = (name: Ref<"query" | "mutation">, args: Record<string, unknown>) => ({
    path: getFunctionName(name),
    componentPath: "",
    args: JSON.stringify(convexToJson(args as never)),
    identity: { kind: "anonymous" as const },
    requestId: "bench",
  });
  return {
    query: async (name, args) => valueOf(await engine.query(callOf(name, args))),
    mutation: async (name, args) => valueOf(await engine.mutation(callOf(name, args))),
    close: () => engine.close(),
  };
}

/** Convex's test library, in memory. */
export function openOnConvexTest(): Place {
  const t = convexTest(schema, {
    "../app/convex/_generated/api.ts": () => Promise.resolve({}),
    "../app/convex/rows.ts": () => import("../app/convex/rows.ts"),
  });
  return {
    query: (name, args) => t.query(name, ...([args] as never)),
    mutation: (name, args) => t.mutation(name, ...([args] as never)),
    close: () => Promise.resolve(),
  };
}

/** Adds rows until the table has `count` of them, spread over the groups. */
export async function fillTo(place: Place, from: number, count: number): Promise<void> {
  for (let filled = from; filled < count; filled += ROWS_PER_FILL) {
    const position = { group: Math.floor(filled / ROWS_PER_FILL) % GROUPS, at: filled };
    await place.mutation(rows.fill, { ...position, count: ROWS_PER_FILL, body: rows.BODY });
  }
}

/** Another row each time, all over the table. */
function positionOf(turn: number, count: number): { group: number; at: number } {
  const at = (turn * STEP) % count;
  return { group: Math.floor(at / ROWS_PER_FILL) % GROUPS, at };
}

/** Measures the functions on a table that has `count` rows. */
export async function measureCosts(place: Place, count: number, seconds: number): Promise<Costs> {
  let turn = 0;
  const measure = async (run: (turn: number) => Promise<unknown>): Promise<number> => {
    const operation = (): Promise<unknown> => run((turn += 1));
    for (let warmUp = 0; warmUp < 10; warmUp += 1) await operation();
    return (await measureLoops([operation], seconds)).p50Ms;
  };
  const readMs = await measure(async (index) => {
    const found = await place.query(rows.read, positionOf(index, count));
    if (found !== rows.BODY) throw new Error("a row was not found");
  });
  const pageMs = await measure((index) => place.query(rows.page, positionOf(index, count)));
  const insertMs = await measure((index) =>
    place.mutation(rows.insert, { group: GROUPS + 2, at: index, body: rows.BODY }),
  );
  return { insertMs, readMs, pageMs };
}
