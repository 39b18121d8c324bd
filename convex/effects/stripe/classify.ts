/**
 * What a call to Stripe came to, when it did not come to an answer. Pure. Two things are kept apart that an error
 * message mixes up: that nothing happened, and that nobody knows. Only the former may be tried again or given up;
 * the latter is looked up at the provider.
 */
import { z } from "zod";

/**
 * - `failed`: Stripe refused, definitely; `code` is its word.
 * - `retry`: the same call may be made again, with the same key; what it may have done, its answer tells then.
 * - `unknown`: it may have been done.
 */
export type Failure =
  | { kind: "failed"; code: string }
  | { kind: "retry"; reason: "RATE_LIMITED" | "IN_FLIGHT" | "UNREACHABLE" | "UNAUTHORIZED" }
  | { kind: "unknown" };

/** What is known of the requests that one call of the SDK made, its own repetitions included. */
export type Requests = {
  /** How many left for the network. */
  begun: number;
  /** Whether one of them ended so that nobody knows whether it was carried out. */
  inDoubt: boolean;
};

/** How the SDK's errors look; every one of them, and what the runtime throws. */
const sdkError = z.object({
  type: z.string().optional().catch(undefined),
  statusCode: z.int().optional().catch(undefined),
  code: z.string().optional().catch(undefined),
  rawType: z.string().optional().catch(undefined),
});

const PROVIDER_CODE = /^[a-z][a-z0-9_]{0,63}$/;
export const REFUSED_CODE = "provider_refused";
/** The call was not one that could be made. */
export const NOT_SENT_CODE = "not_sent";

/** A word of the provider's as the ledger takes it; a constant one for everything else. */
export function providerCode(...words: readonly (string | undefined)[]): string {
  return words.find((word) => word !== undefined && PROVIDER_CODE.test(word)) ?? REFUSED_CODE;
}

/**
 * Refusals of what a request asks for: with the same parameters every repetition meets them, or the first answer under
 * the key is repeated. Others are about who asks, or when, and say nothing of a request before them.
 */
const ABOUT_THE_CALL: ReadonlySet<number> = new Set([400, 402]);

const RETRIED = { 401: "UNAUTHORIZED", 409: "IN_FLIGHT", 429: "RATE_LIMITED" } as const;

function classifyStatus(status: number, code: string, { inDoubt }: Requests): Failure {
  if (status === 409 || status === 429) return { kind: "retry", reason: RETRIED[status] };
  if (inDoubt && !ABOUT_THE_CALL.has(status)) return { kind: "unknown" };
  if (status === 401) return { kind: "retry", reason: RETRIED[status] };
  return status >= 400 && status < 500 ? { kind: "failed", code } : { kind: "unknown" };
}

/** Says what an error of the SDK means. */
export function classifyFailure(error: unknown, requests: Requests): Failure {
  if (requests.begun === 0) return { kind: "failed", code: NOT_SENT_CODE };
  const parsed = sdkError.safeParse(error);
  if (!parsed.success) return { kind: "unknown" };
  const { type, statusCode, code, rawType } = parsed.data;
  // The key was used for another call: which one, and what came of it, only the provider can say.
  if (rawType === "idempotency_error") return { kind: "unknown" };
  if (statusCode !== undefined) return classifyStatus(statusCode, providerCode(code, rawType), requests);
  const wasNotSent = type === "StripeConnectionError" && !requests.inDoubt;
  return wasNotSent ? { kind: "retry", reason: "UNREACHABLE" } : { kind: "unknown" };
}

/** Codes of a runtime that found nobody to send anything to. */
const NOT_CONNECTED = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"]);

const networkError = z.object({
  code: z.string().optional().catch(undefined),
  cause: z.unknown().optional(),
});

/** Whether a failed fetch shows that the request never reached anybody; every doubt is a no. */
export function wasNeverSent(error: unknown): boolean {
  const parsed = networkError.safeParse(error);
  if (!parsed.success) return false;
  if (parsed.data.code !== undefined && NOT_CONNECTED.has(parsed.data.code)) return true;
  const cause = networkError.safeParse(parsed.data.cause);
  return cause.success && cause.data.code !== undefined && NOT_CONNECTED.has(cause.data.code);
}
