/** `npm run simulator -- start`: a simulator in a process of its own, until it is told to stop. */
import { once } from "node:events";
import { SimulatorCallError } from "./admin/remote.ts";
import { createStripeSimulator, SimulatorConfigurationError } from "./simulator.ts";
import { newId, randomIds } from "./state/ids.ts";
import { StateFileError } from "./state/stateFile.ts";

export interface StartOptions {
  readonly port: number;
  readonly webhookUrl?: string;
  readonly state?: string;
  readonly redirectUri?: string;
  readonly secretKey?: string;
  readonly webhookSecret?: string;
}

const CLIENT_ID = "ca_DaybookSimulator0000000000000000";

async function start(options: StartOptions): Promise<void> {
  const secretKey = options.secretKey ?? `sk_test_${randomIds.token(32)}`;
  const webhookSecret = options.webhookSecret ?? newId(randomIds, "webhookSecret");
  const { webhookUrl, redirectUri, state } = options;
  const simulator = await createStripeSimulator({
    apiKeys: [secretKey],
    webhooks: webhookUrl === undefined ? [] : [{ url: webhookUrl, secrets: [webhookSecret] }],
    oauth: { clientId: CLIENT_ID, redirectUris: redirectUri === undefined ? [] : [redirectUri] },
    ...(state === undefined ? {} : { stateFile: state }),
  });
  const url = await simulator.listen(options.port);
  const lines = [
    `Stripe simulator: ${url}`,
    `Page:             ${url}/_simulator`,
    ...(options.secretKey === undefined ? [`Secret key:       ${secretKey}`] : []),
    ...(webhookUrl === undefined
      ? ["Webhooks:         none; add --webhook-url URL"]
      : [`Webhooks:         ${webhookUrl}`]),
    ...(webhookUrl === undefined || options.webhookSecret !== undefined
      ? []
      : [`Webhook secret:   ${webhookSecret}`]),
    `Connect:          client ${CLIENT_ID}, account ${simulator.platformAccountId}`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
  await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
  await simulator.close();
}

/** Runs until SIGINT or SIGTERM. @throws SimulatorCallError for a configuration that cannot work. */
export async function runStart(options: StartOptions): Promise<void> {
  try {
    await start(options);
  } catch (error) {
    const isKnown =
      error instanceof SimulatorConfigurationError ||
      error instanceof StateFileError ||
      (error instanceof Error && "code" in error && error.code === "EADDRINUSE");
    throw isKnown ? new SimulatorCallError(error.message, { cause: error }) : error;
  }
}
