/** Random command streams on the embedded host, through an official client. */
import { createServer } from "node:http";
import { beforeAll, expect, test } from "vitest";
import { openHostBackend } from "../tests/support/hostBackend.ts";
import { STRIPE_ENVIRONMENT } from "../tests/support/stripeEnvironment.ts";
import { REGRESSION_SEEDS } from "./regressionSeeds.ts";
import { planFrom, planOf, runStreams } from "./runStreams.ts";
import type { Bench } from "./session.ts";

/**
 * Where nobody listens: the host's own effects are refused a connection and wait for their next attempt, and what Stripe
 * would say is told by the streams.
 */
let closedUrl = "";
beforeAll(async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address !== null && typeof address === "object") closedUrl = `http://127.0.0.1:${address.port}`;
  await new Promise((resolve) => server.close(resolve));
});

/** The host's clock is the machine's: nothing turns it, and the model allows for the time a call takes. */
async function withBench(play: (bench: Bench) => Promise<void>): Promise<void> {
  const host = await openHostBackend({ ...STRIPE_ENVIRONMENT, DAYBOOK_STRIPE_API_URL: closedUrl });
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
