/** Random command streams on the embedded host, through an official client. */
import { expect, test } from "vitest";
import { openHostBackend } from "../tests/support/hostBackend.ts";
import { STRIPE_ENVIRONMENT } from "../tests/support/stripeEnvironment.ts";
import { REGRESSION_SEEDS } from "./regressionSeeds.ts";
import { planFrom, planOf, runStreams } from "./runStreams.ts";
import type { Bench } from "./session.ts";

/** The host's clock is the machine's: nothing turns it, and the model allows for the time a call takes. */
async function withBench(play: (bench: Bench) => Promise<void>): Promise<void> {
  const host = await openHostBackend({ ...STRIPE_ENVIRONMENT });
  const door = `${host.host.siteUrl}/webhooks/stripe`;
  const post = async (body: string, header: string | null): Promise<number> => {
    const signature = header === null ? {} : { "stripe-signature": header };
    const headers = { "content-type": "application/json", ...signature };
    const response = await fetch(door, { method: "POST", headers, body });
    await response.arrayBuffer();
    return response.status;
  };
  try {
    await play({ backend: host, now: () => Date.now(), post });
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
  const { commands } = await runStreams(name, planFrom({ runs: 1, commands: 250 }), withBench);
  expect(commands).toBeGreaterThan(0);
});
