/**
 * What a commit costs while other queries are live. All of them read one group from some row on, to its end, so
 * their ranges overlap in the same part of the same index; the commits write before all of these rows.
 */
import type { Call } from "../../embedded/engine/contract.ts";
import { measureLoops } from "../loops.ts";
import { openBenchEngine } from "./benchEngine.ts";
import * as rows from "./rows.ts";

const GROUP = 1;
const FIRST_LIVE_ROW = 1_000_000;

function callOf(path: string, args: Record<string, unknown>): Call {
  const identity = { kind: "anonymous" as const };
  return { path, componentPath: "", args: JSON.stringify(args), identity, requestId: "bench" };
}

/** Milliseconds of a commit, the median, with so many live queries that it does not touch. */
export async function commitCost(dataDir: string, liveQueries: number, seconds: number): Promise<number> {
  const engine = await openBenchEngine(dataDir);
  let stale = 0;
  const subscription = engine.subscribe(() => {
    stale += 1;
  });
  for (let index = 0; index < liveQueries; index += 1) {
    const call = callOf("rows:page", { group: GROUP, at: FIRST_LIVE_ROW + index });
    subscription.add(index, { call, journal: null });
  }
  await subscription.refresh();
  let at = 0;
  const insert = async (): Promise<void> => {
    at += 1;
    const outcome = await engine.mutation(callOf("rows:insert", { group: GROUP, at, body: rows.BODY }));
    if (!outcome.ok) throw new Error(outcome.message);
  };
  for (let warmUp = 0; warmUp < 200; warmUp += 1) await insert();
  const { p50Ms } = await measureLoops([insert], seconds);
  subscription.close();
  await engine.close();
  if (stale > 0) throw new Error("a commit touched a query that it should not touch");
  return p50Ms;
}
