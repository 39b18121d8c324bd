/** Random command streams on convex-test. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openTestBackend } from "../tests/support/testBackend.ts";
import { REGRESSION_SEEDS } from "./regressionSeeds.ts";
import { planFrom, planOf, runStreams } from "./runStreams.ts";
import type { Bench, Jobs, Scheduled } from "./session.ts";

/** 2026-06-01 08:00 UTC. */
const FIRST_DAY_MS = 1_780_300_800_000;

beforeEach(() => {
  // What is scheduled does not run by itself: the streams take each step, so that a seed always means the same.
  vi.useFakeTimers({ toFake: ["Date", "setTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
});

async function withBench(play: (bench: Bench) => Promise<void>): Promise<void> {
  vi.setSystemTime(FIRST_DAY_MS);
  const backend = openTestBackend();
  const jobs: Jobs = {
    scheduled: async () => {
      const rows = await backend.t.run(
        async (ctx) => await ctx.db.system.query("_scheduled_functions").collect(),
      );
      return rows.map(({ _id, name: called, args: [args] }) => ({
        id: _id,
        name: called,
        args: args as Scheduled["args"],
      }));
    },
    outbox: async () => await backend.t.run(async (ctx) => await ctx.db.query("outbox").collect()),
  };
  await play({
    backend,
    now: () => Date.now(),
    advance: (byMs) => {
      vi.setSystemTime(Date.now() + byMs);
    },
    post: async (body, header) => {
      const headers = header === null ? {} : { "stripe-signature": header };
      return (await backend.t.fetch("/webhooks/stripe", { method: "POST", headers, body })).status;
    },
    jobs,
  });
  await backend.close();
}

const name = "random commands on convex-test";

for (const kept of REGRESSION_SEEDS) {
  test(`seed ${kept.seed} on convex-test: ${kept.why}`, async () => {
    await runStreams(name, planOf(kept), withBench);
  });
}

test("random commands of many users keep every invariant on convex-test", async () => {
  const { commands } = await runStreams(name, planFrom({ runs: 4, commands: 1_000 }), withBench);
  expect(commands).toBeGreaterThan(0);
});
