/** Random command streams on the embedded host, through an official client. */
import { expect, test } from "vitest";
import { openHostBackend } from "../tests/support/hostBackend.ts";
import { REGRESSION_SEEDS } from "./regressionSeeds.ts";
import { planFrom, planOf, runStreams } from "./runStreams.ts";
import type { Bench } from "./session.ts";

/** The host's clock is the machine's: nothing turns it, and the model allows for the time a call takes. */
async function withBench(play: (bench: Bench) => Promise<void>): Promise<void> {
  const host = await openHostBackend();
  try {
    await play({ backend: host, now: () => Date.now() });
  } finally {
    await host.close();
  }
}

const name = "random commands on the embedded host";

for (const kept of REGRESSION_SEEDS) {
  test(`seed ${kept.seed} on the embedded host: ${kept.why}`, async () => {
    await runStreams(name, planOf(kept), withBench);
  });
}

test("random commands of many users keep every invariant on the embedded host", async () => {
  const { commands } = await runStreams(name, planFrom({ runs: 2, commands: 800 }), withBench);
  expect(commands).toBeGreaterThan(0);
});
