/**
 * The official SDK, tied down (R52): one host, no redirect, a deadline and a size for every answer, no telemetry. Each
 * call also tells what became of the requests it made, because the SDK repeats some of them on its own.
 */
import Stripe from "stripe";
import type { StripeSettings } from "../../access/stripeSettings.ts";
import { classifyFailure, wasNeverSent, type Failure, type Requests } from "./classify.ts";

/** One request; with the SDK's two repetitions a call stays well below an effect's lease. */
const REQUEST_TIMEOUT_MS = 8_000;
const REPETITIONS = 2;
const ANSWER_BYTES_MAX = 2 * 1024 * 1024;

/** Stripe's API and its OAuth endpoints. */
const STRIPE_ORIGINS: readonly string[] = ["https://api.stripe.com", "https://connect.stripe.com"];

export type Fetch = typeof globalThis.fetch;

/** The origins that calls may go to. */
export function originsOf({ apiUrl }: Pick<StripeSettings, "apiUrl">): readonly string[] {
  return apiUrl === undefined ? STRIPE_ORIGINS : [apiUrl];
}

function isRedirect({ status, type }: Response): boolean {
  return type === "opaqueredirect" || (status >= 300 && status < 400);
}

/** The body, as long as it stays below its size. */
async function readBounded(response: Response): Promise<ArrayBuffer> {
  const declared = Number(response.headers.get("content-length") ?? "0");
  if (declared > ANSWER_BYTES_MAX) throw new Error("the answer is too large");
  const parts: Uint8Array[] = [];
  let size = 0;
  const reader = response.body?.getReader();
  for (;;) {
    const read = await reader?.read();
    if (read === undefined || read.done) break;
    size += read.value.byteLength;
    if (size > ANSWER_BYTES_MAX) {
      await reader?.cancel();
      throw new Error("the answer is too large");
    }
    parts.push(read.value);
  }
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.byteLength;
  }
  return bytes.buffer;
}

/** A fetch for these origins only. `requests` is kept up to date. */
export function boundedFetch(origins: readonly string[], requests: Requests, fetchOnce: Fetch): Fetch {
  return async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    if (!origins.includes(url.origin) || url.username !== "" || url.password !== "") {
      throw new Error("not an address of the provider");
    }
    requests.begun += 1;
    let response: Response;
    let body: ArrayBuffer;
    try {
      response = await fetchOnce(url, { ...init, redirect: "manual" });
      if (isRedirect(response)) throw new Error("redirects are not followed");
      body = await readBounded(response);
    } catch (error) {
      if (!wasNeverSent(error)) requests.inDoubt = true;
      throw error;
    }
    if (response.status >= 500) requests.inDoubt = true;
    const { status, statusText, headers } = response;
    return new Response(body, { status, statusText, headers });
  };
}

function addressOf({ apiUrl }: StripeSettings): Partial<Stripe.StripeConfig> {
  if (apiUrl === undefined) return {};
  const { hostname, port, protocol } = new URL(apiUrl);
  return { host: hostname, port, protocol: protocol === "http:" ? "http" : "https" };
}

/** What a call came to: its answer, unchecked, or why there is none. */
export type Called<Answer> = { kind: "answered"; answer: Answer } | Failure;

/** Makes one call of the SDK and says what it came to. Throws nothing. */
export async function callStripe<Answer>(
  settings: StripeSettings,
  call: (stripe: Stripe) => Promise<Answer>,
  fetchOnce: Fetch = globalThis.fetch,
): Promise<Called<Answer>> {
  const requests: Requests = { begun: 0, inDoubt: false };
  const stripe = new Stripe(settings.secretKey, {
    httpClient: Stripe.createFetchHttpClient(boundedFetch(originsOf(settings), requests, fetchOnce)),
    telemetry: false,
    timeout: REQUEST_TIMEOUT_MS,
    maxNetworkRetries: REPETITIONS,
    ...addressOf(settings),
  });
  try {
    return { kind: "answered", answer: await call(stripe) };
  } catch (error) {
    return classifyFailure(error, requests);
  }
}
