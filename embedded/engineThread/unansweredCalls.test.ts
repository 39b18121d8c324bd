/** What becomes of calls whose thread ended before it answered them, over threads that the test makes. */
import { afterEach, expect, test, vi } from "vitest";
import type { EngineOptions, Outcome } from "../engine/contract.ts";
import { callOf, messageOf } from "../engine/testing/testEngine.ts";
import { shownArguments } from "../engine/execution/stopwatch.ts";
import { EngineThread, ThreadEnded } from "./engineThread.ts";
import { SupervisedEngine } from "./supervisedEngine.ts";
import type { ThreadEnd } from "./threadWatch.ts";

const DONE: Outcome & { ts: bigint } = { ok: true, value: '"done"', logLines: [], ts: 1n };
const STOPPED = callOf("busy:spinInMutation", { name: "stopped" });
const BESIDE = callOf("notes:add", { room: "r", text: "beside" });
const RUNNING = { requestId: "r", component: "", path: STOPPED.path, ...shownArguments(STOPPED.args) };
const TIMED_OUT: ThreadEnd = { kind: "timedOut", call: RUNNING };
const IN_DOUBT = "it may have taken effect";

const OPTIONS: EngineOptions = {
  functionsDir: "/nowhere",
  dataDir: "/nowhere",
  publicUrl: "http://127.0.0.1",
  fileBytesMax: 1,
  environment: {},
  redactErrors: false,
  log: () => undefined,
};

/** An engine whose first thread ends at the first request, and whose second answers. */
async function open(isUndone: boolean): Promise<SupervisedEngine> {
  let threads = 0;
  vi.spyOn(EngineThread, "open").mockImplementation((_options, { onEnd }) => {
    threads += 1;
    const isFirst = threads === 1;
    let ended: ThreadEnded | null = null;
    const request = async (): Promise<unknown> => {
      if (!isFirst) return DONE;
      await new Promise((resolve) => setImmediate(resolve));
      if (ended === null) {
        ended = new ThreadEnded(TIMED_OUT, isUndone);
        onEnd(TIMED_OUT);
      }
      throw ended;
    };
    return Promise.resolve({ request, latestTs: () => 0n } as unknown as EngineThread);
  });
  return await SupervisedEngine.open(OPTIONS);
}

afterEach(() => {
  vi.restoreAllMocks();
});

const session = { sessionId: "00000000-0000-4000-8000-000000000000", requestId: 1 };

test("of a thread that ended in a function: others' mutations are made again, the stopped one has failed", async () => {
  const engine = await open(true);
  const [stopped, beside] = [engine.mutation(STOPPED), engine.mutation(BESIDE)];
  expect(messageOf(await stopped)).toContain("Function execution timed out");
  expect(await beside).toEqual(DONE);
});

test("of a thread that may have committed: a mutation without a session is not made again, and says so", async () => {
  const engine = await open(false);
  const [stopped, beside] = [engine.mutation(STOPPED), engine.mutation(BESIDE)];
  expect(messageOf(await stopped)).toContain(IN_DOUBT);
  expect(messageOf(await beside)).toContain(IN_DOUBT);
});

test("queries, and mutations that the engine would know again, are made again in any case; actions are not", async () => {
  const engine = await open(false);
  const [query, mutation] = [engine.query(BESIDE), engine.mutation(BESIDE, session)];
  const action = engine.action(BESIDE);
  expect(await query).toEqual(DONE);
  expect(await mutation).toEqual(DONE);
  expect(messageOf(await action)).toContain(IN_DOUBT);
});
