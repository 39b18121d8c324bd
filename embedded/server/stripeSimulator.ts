/**
 * Development without a key of Stripe's: the host runs the local stand-in for Stripe beside itself and tells the
 * functions about it as if it were Stripe. Its books are kept in the data folder, and it ends with the host.
 */
import path from "node:path";
import { HostError } from "../engine/errors.ts";
import type { HostConfig } from "./config.ts";
import type { DevelopmentSecrets } from "./developmentSecrets.ts";

const STATE_FILE = "stripe-simulator.json";
const CLIENT_ID = "ca_DaybookSimulator0000000000000000";
/** Where Connect leads back to: a page of the application's. */
const LINKED_PATH = "/stripe/linked";

export type Simulator = {
  /** The page with its objects and switches. */
  pageUrl: string;
  /** What the functions are told. */
  variables: Readonly<Record<string, string>>;
  close(): Promise<void>;
};

/**
 * Starts the simulator where the configuration wants one; its deliveries go to the HTTP actions under `siteUrl`. Throws
 * HostError when its port can't be opened or its books can't be read.
 */
export async function startSimulator(
  { stripe, dataDir, functionVariables }: HostConfig,
  siteUrl: string,
  secrets: DevelopmentSecrets | undefined,
): Promise<Simulator | undefined> {
  if (stripe.kind !== "simulator" || secrets === undefined) return undefined;
  const returnOrigins = functionVariables["DAYBOOK_RETURN_ORIGINS"] ?? siteUrl;
  const [firstOrigin = siteUrl] = returnOrigins.split(",");
  try {
    // Only development has it.
    const { createStripeSimulator } = await import("../../simulators/stripe/simulator.ts");
    const simulator = await createStripeSimulator({
      apiKeys: [secrets.simulatorKey],
      webhooks: [
        {
          url: `${siteUrl}/webhooks/stripe`,
          secrets: secrets.DAYBOOK_STRIPE_WEBHOOK_SECRETS.split(","),
        },
      ],
      oauth: { clientId: CLIENT_ID, redirectUris: [`${firstOrigin}${LINKED_PATH}`] },
      stateFile: path.join(dataDir, STATE_FILE),
    });
    const url = await simulator.listen(stripe.port);
    return {
      pageUrl: `${url}/_simulator`,
      variables: {
        DAYBOOK_STRIPE_SECRET_KEY: secrets.simulatorKey,
        DAYBOOK_STRIPE_API_URL: url,
        DAYBOOK_STRIPE_CLIENT_ID: CLIENT_ID,
        DAYBOOK_RETURN_ORIGINS: returnOrigins,
      },
      close: () => simulator.close(),
    };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    const message =
      `The simulator of Stripe can't start: ${detail}. Set DAYBOOK_SIMULATOR_PORT to a free port, or to off to do ` +
      "without payments.";
    throw new HostError("ENVIRONMENT_INVALID", message, { cause: error });
  }
}
