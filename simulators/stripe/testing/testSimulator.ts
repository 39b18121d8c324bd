/** A simulator for tests: the official SDK against it, a webhook endpoint, a clock and ids that repeat. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import Stripe from "stripe";
import { createStripeSimulator, STRIPE_API_VERSION } from "../simulator.ts";
import type { StripeSimulator, StripeSimulatorOptions } from "../simulator.ts";
import { seededIds } from "../state/ids.ts";
import { createManualClock } from "./manualClock.ts";
import type { ManualClock } from "./manualClock.ts";

export const SECRET_KEY = "sk_test_daybookTests0000000000";
export const READING_KEY = "rk_test_daybookTests0000000000";
export const PAYER_KEY = "pk_test_daybookTests0000000000";
export const WEBHOOK_SECRET = "whsec_daybookTests000000000000";
export const CLIENT_ID = "ca_daybookTests";
export const REDIRECT_URI = "http://127.0.0.1:9/back";

/** 2026-11-01T12:00:00Z */
export const START_MS = 1_793_534_400_000;

export interface Received {
  readonly body: string;
  readonly signature: string;
  readonly headers: IncomingMessage["headers"];
}

/** An endpoint that keeps what it gets, and answers as told. */
export interface TestEndpoint {
  readonly url: string;
  readonly received: Received[];
  /** Statuses of the next answers; 200 when there are none. */
  readonly statuses: number[];
  close(): Promise<void>;
}

/** An endpoint on a port that the system chooses. */
export async function createTestEndpoint(): Promise<TestEndpoint> {
  const received: Received[] = [];
  const statuses: number[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { headers } = request;
      received.push({
        body: Buffer.concat(chunks).toString("utf8"),
        signature: String(headers["stripe-signature"]),
        headers,
      });
      response.writeHead(statuses.shift() ?? 200).end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks/stripe`,
    received,
    statuses,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

export interface TestSimulator {
  readonly simulator: StripeSimulator;
  readonly url: string;
  readonly stripe: Stripe;
  readonly endpoint: TestEndpoint;
  readonly clock: ManualClock;
  /** The SDK with another key or other settings. */
  sdk(key: string, settings?: Stripe.StripeConfig): Stripe;
  /** Flips a switch; throws with the refusal's words. */
  flip(path: string, input?: object): Promise<Record<string, unknown>>;
  /** The events the endpoint got so far, verified by the SDK, once all due deliveries are through. */
  events(): Promise<Stripe.Event[]>;
  close(): Promise<void>;
}

/** The SDK, unmodified, pointed at a simulator. */
export function sdkFor(url: string, key: string, settings: Stripe.StripeConfig = {}): Stripe {
  const { hostname, port } = new URL(url);
  return new Stripe(key, {
    host: hostname,
    port,
    protocol: "http",
    telemetry: false,
    maxNetworkRetries: 0,
    apiVersion: STRIPE_API_VERSION,
    ...settings,
  });
}

/** Flips a switch of a simulator; throws with the words of a refusal. */
export async function flipSwitch(
  url: string,
  path: string,
  input: object = {},
): Promise<Record<string, unknown>> {
  const response = await fetch(`${url}/_simulator/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(input),
  });
  const answer = (await response.json()) as Record<string, unknown> & { error?: { message: string } };
  if (!response.ok) throw new Error(answer.error?.message ?? "no message");
  return answer;
}

/** A listening simulator; give other options to override those of the tests. */
export async function startTestSimulator(
  options: Partial<StripeSimulatorOptions> = {},
): Promise<TestSimulator> {
  const endpoint = await createTestEndpoint();
  const clock = createManualClock(START_MS);
  const simulator = await createStripeSimulator({
    apiKeys: [SECRET_KEY, READING_KEY, PAYER_KEY],
    webhooks: [{ url: endpoint.url, secrets: [WEBHOOK_SECRET] }],
    oauth: { clientId: CLIENT_ID, redirectUris: [REDIRECT_URI] },
    clock,
    ids: seededIds("tests"),
    ...options,
  });
  const url = await simulator.listen(0);
  const stripe = sdkFor(url, SECRET_KEY);
  return {
    simulator,
    url,
    stripe,
    endpoint,
    clock,
    sdk: (key, settings) => sdkFor(url, key, settings),
    flip: (path, input) => flipSwitch(url, path, input),
    async events() {
      await simulator.deliveriesSettled();
      return endpoint.received.map(({ body, signature }) =>
        stripe.webhooks.constructEvent(body, signature, WEBHOOK_SECRET, 300, undefined, clock.nowMs()),
      );
    },
    async close() {
      await simulator.close();
      await endpoint.close();
    },
  };
}

/** An intent of 20.00 EUR that takes cards only, so that it can be confirmed without a return URL. */
export const CARD_PAYMENT = {
  amount: 2000,
  currency: "eur",
  automatic_payment_methods: { enabled: true, allow_redirects: "never" },
} satisfies Stripe.PaymentIntentCreateParams;
