/** The entry: a local stand-in for Stripe, for development and tests. README.md says what it does and what not. */
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { answerAdmin } from "./admin/adminHandler.ts";
import { answerOAuth } from "./connect/oauth.ts";
import { createEngine } from "./engine.ts";
import type { Engine } from "./engine.ts";
import { RETRY_DELAYS_MS } from "./events/deliveryQueue.ts";
import type { WebhookEndpoint } from "./events/deliverySettings.ts";
import { newAccount } from "./objects/account.ts";
import { systemClock } from "./state/clock.ts";
import type { SimulatorClock } from "./state/clock.ts";
import { newId, randomIds } from "./state/ids.ts";
import type { IdSource } from "./state/ids.ts";
import { emptyState } from "./state/simulatorState.ts";
import { createStateWriter, readState } from "./state/stateFile.ts";
import { StripeApiError } from "./wire/apiError.ts";
import { answerApiCall } from "./wire/apiHandler.ts";
import { keyKind, redactedKey } from "./wire/apiKeys.ts";
import { answerWithFaults } from "./wire/faultyAnswer.ts";
import type { WireAnswer } from "./wire/faultyAnswer.ts";
import { isLoopback, jsonAnswer, readRequest, send } from "./wire/http.ts";

/** The version whose shapes the simulator speaks: that of the SDK in package.json. */
export const STRIPE_API_VERSION = "2026-10-28.endive";

export interface StripeSimulatorOptions {
  /**
   * Keys that callers may use: `sk_test_…` (everything), `rk_test_…` (reads), `pk_test_…` (payers: read and confirm an
   * intent whose `client_secret` they know). At least one `sk_test_…`.
   */
  readonly apiKeys: readonly string[];
  /** Where signed events go; `setWebhooks` changes it later. */
  readonly webhooks?: readonly WebhookEndpoint[];
  /** Connect: the application's id, and where its OAuth may lead back to. */
  readonly oauth?: { readonly clientId: string; readonly redirectUris: readonly string[] };
  /** A JSON file that keeps everything over a restart; without it, nothing is kept. Its folder must exist. */
  readonly stateFile?: string;
  readonly clock?: SimulatorClock;
  readonly ids?: IdSource;
  /** Waits after each failed attempt of a delivery, in milliseconds; about three days by default. */
  readonly retryDelaysMs?: readonly number[];
  /** How long an endpoint may take to answer, in milliseconds. */
  readonly deliveryTimeoutMs?: number;
  /** How long cards that settle refunds later, or dispute, take to do so, in milliseconds. */
  readonly settleDelayMs?: number;
  /** Told what goes wrong where nobody waits for an answer, like a full disk; standard error by default. */
  readonly onError?: (error: unknown) => void;
}

export interface StripeSimulator {
  /**
   * Starts to answer, and to send what an earlier run left.
   * @param port 0 lets the system choose.
   * @returns the URL, like `http://127.0.0.1:12111`.
   * @throws when `host` is not this machine, or the port is taken.
   */
  listen(port: number, host?: string): Promise<string>;
  /** Where it listens. @throws before `listen`. */
  url(): string;
  /** The platform's own account, `acct_…`. */
  readonly platformAccountId: string;
  setWebhooks(webhooks: readonly WebhookEndpoint[]): void;
  /** Resolves when no delivery is due or on its way. */
  deliveriesSettled(): Promise<void>;
  /** Stops answering and sending, and keeps the state. */
  close(): Promise<void>;
}

/** A configuration that cannot work, or must not; its message says which. */
export class SimulatorConfigurationError extends Error {}

const SECRET = /^whsec_[A-Za-z0-9+/=_-]{16,}$/;
const CLIENT_ID = "ca_DaybookSimulator0000000000000000";

function assertKeys(keys: readonly string[]): void {
  const bad = keys.find((key) => keyKind(key) === undefined);
  if (bad !== undefined) {
    throw new SimulatorConfigurationError(
      `The simulator takes keys of test mode only (sk_test_, rk_test_, pk_test_), not ${redactedKey(bad)}.`,
    );
  }
  if (keys.some((key) => keyKind(key) === "secret")) return;
  throw new SimulatorConfigurationError("The simulator needs a key that starts with sk_test_.");
}

function assertWebhooks(webhooks: readonly WebhookEndpoint[]): void {
  for (const { url, secrets } of webhooks) {
    if (!URL.canParse(url) || !isLoopback(new URL(url).hostname)) {
      throw new SimulatorConfigurationError(
        `The simulator sends events to this machine only, not to ${url}.`,
      );
    }
    if (secrets.length === 0 || !secrets.every((secret) => SECRET.test(secret))) {
      throw new SimulatorConfigurationError(
        `Each secret of ${url} must be whsec_ and 16 characters or more.`,
      );
    }
  }
}

/** In production the simulator would take nobody's money and say that it did. */
function assertNotProduction(): void {
  if (process.env["DAYBOOK_ENV"] !== "production") return;
  throw new SimulatorConfigurationError("The Stripe simulator does not run with DAYBOOK_ENV=production.");
}

function deliver(response: ServerResponse, { answer, transport }: WireAnswer): void {
  if (transport === "send") {
    send(response, answer);
    return;
  }
  if (transport === "truncate") {
    const bytes = Buffer.from(answer.body);
    response.writeHead(answer.status, { ...answer.headers, "content-length": bytes.length });
    response.write(bytes.subarray(0, Math.floor(bytes.length / 2)), () => response.destroy());
    return;
  }
  response.destroy();
}

async function answer(engine: Engine, message: IncomingMessage): Promise<WireAnswer> {
  try {
    const request = await readRequest(message);
    const { pathname } = request.url;
    if (pathname === "/_simulator" || pathname.startsWith("/_simulator/")) {
      return { answer: await answerAdmin(engine, request), transport: "send" };
    }
    if (pathname.startsWith("/oauth/")) {
      return await answerWithFaults(engine, request.method, pathname, () => answerOAuth(engine, request));
    }
    return await answerApiCall(engine, request);
  } catch (error) {
    const refused =
      error instanceof StripeApiError
        ? error
        : new StripeApiError(500, error instanceof Error ? error.message : String(error), {
            type: "api_error",
          });
    return { answer: jsonAnswer(refused.status, refused.body), transport: "send" };
  }
}

function listenOn(server: Server, port: number, host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      const { port: actual } = server.address() as AddressInfo;
      resolve(`http://${host.includes(":") ? `[${host}]` : host}:${actual}`);
    });
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
    server.closeAllConnections();
  });
}

function webhookMap(webhooks: readonly WebhookEndpoint[]): ReadonlyMap<string, WebhookEndpoint> {
  assertWebhooks(webhooks);
  return new Map(webhooks.map((endpoint) => [endpoint.url, endpoint]));
}

async function openEngine(
  options: StripeSimulatorOptions,
  endpoints: () => ReadonlyMap<string, WebhookEndpoint>,
  url: () => string,
): Promise<Engine> {
  const { clock = systemClock, ids = randomIds, stateFile } = options;
  const nowS = Math.floor(clock.nowMs() / 1000);
  const kept = stateFile === undefined ? undefined : await readState(stateFile);
  const state = kept ?? emptyState(newAccount(newId(ids, "account"), nowS, "Daybook"));
  return createEngine({
    state,
    clock,
    ids,
    writer: createStateWriter(stateFile, state),
    apiKeys: new Set(options.apiKeys),
    oauth: options.oauth ?? { clientId: CLIENT_ID, redirectUris: [] },
    apiVersion: STRIPE_API_VERSION,
    settleDelayMs: options.settleDelayMs ?? 5_000,
    retryDelaysMs: options.retryDelaysMs ?? RETRY_DELAYS_MS,
    deliveryTimeoutMs: options.deliveryTimeoutMs ?? 20_000,
    endpoints,
    url,
    onError: options.onError ?? console.error,
  });
}

/**
 * A simulator that does not listen yet. Keys and secrets are checked by their form, live ones refused.
 * @throws SimulatorConfigurationError with `DAYBOOK_ENV=production`, or for options that cannot work.
 * @throws StateFileError when `stateFile` holds anything else than a state.
 */
export async function createStripeSimulator(options: StripeSimulatorOptions): Promise<StripeSimulator> {
  assertNotProduction();
  assertKeys(options.apiKeys);
  let endpoints = webhookMap(options.webhooks ?? []);
  let listeningUrl: string | undefined;
  const url = () => {
    if (listeningUrl === undefined) throw new Error("The simulator does not listen yet.");
    return listeningUrl;
  };
  const engine = await openEngine(options, () => endpoints, url);
  const server = createServer((message, response) => {
    // A client that went away needs no answer.
    answer(engine, message)
      .then((result) => {
        if (!response.destroyed) deliver(response, result);
      })
      .catch(engine.onError);
  });
  return {
    async listen(port, host = "127.0.0.1") {
      if (!isLoopback(host)) {
        throw new SimulatorConfigurationError(`The simulator listens on this machine only, not on ${host}.`);
      }
      listeningUrl = await listenOn(server, port, host);
      await engine.commit();
      return listeningUrl;
    },
    url,
    platformAccountId: engine.state.platformAccountId,
    setWebhooks(webhooks) {
      endpoints = webhookMap(webhooks);
    },
    deliveriesSettled: () => engine.queue.settled(),
    async close() {
      await closeServer(server);
      await engine.close();
    },
  };
}
