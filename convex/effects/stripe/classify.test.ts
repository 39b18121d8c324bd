import { describe, expect, test } from "vitest";
import { classifyFailure, providerCode, wasNeverSent, type Failure } from "./classify.ts";

const SENT = { begun: 1, inDoubt: false };
const IN_DOUBT = { begun: 3, inDoubt: true };

const errorOf = (of: Record<string, unknown>): Error => Object.assign(new Error("words of Stripe's"), of);

describe("what an error means", () => {
  type Case = [string, Record<string, unknown>, { begun: number; inDoubt: boolean }, Failure];
  const cases: Case[] = [
    [
      "a declined card",
      { type: "StripeCardError", statusCode: 402, code: "card_declined", rawType: "card_error" },
      SENT,
      { kind: "failed", code: "card_declined" },
    ],
    [
      "a bad parameter",
      { type: "StripeInvalidRequestError", statusCode: 400, code: "amount_too_small" },
      SENT,
      { kind: "failed", code: "amount_too_small" },
    ],
    [
      "an account that is gone",
      { type: "StripePermissionError", statusCode: 403, code: "account_invalid" },
      SENT,
      { kind: "failed", code: "account_invalid" },
    ],
    [
      "a refusal without a code",
      { type: "StripeInvalidRequestError", statusCode: 404, rawType: "invalid_request_error" },
      SENT,
      { kind: "failed", code: "invalid_request_error" },
    ],
    [
      "a code in no due form",
      { type: "StripeInvalidRequestError", statusCode: 400, code: "Ann's card\n", rawType: "<b>" },
      SENT,
      { kind: "failed", code: "provider_refused" },
    ],
    [
      "H07: the same key in flight",
      { type: "StripeInvalidRequestError", statusCode: 409, code: "idempotency_key_in_use" },
      SENT,
      { kind: "retry", reason: "IN_FLIGHT" },
    ],
    [
      "H07: too many calls",
      { type: "StripeRateLimitError", statusCode: 429 },
      SENT,
      { kind: "retry", reason: "RATE_LIMITED" },
    ],
    [
      "H07: an error of Stripe's own",
      { type: "StripeAPIError", statusCode: 500 },
      IN_DOUBT,
      { kind: "unknown" },
    ],
    ["H07: Stripe is not there", { type: "StripeAPIError", statusCode: 503 }, SENT, { kind: "unknown" }],
    [
      "a key that Stripe does not take",
      { type: "StripeAuthenticationError", statusCode: 401 },
      SENT,
      { kind: "retry", reason: "UNAUTHORIZED" },
    ],
    ...([401, 403, 404] as const).map((statusCode): Case => [
      `${statusCode} after a request of which nobody knows: it says nothing of that one`,
      { type: "StripeError", statusCode, code: "account_invalid" },
      IN_DOUBT,
      { kind: "unknown" },
    ]),
    [
      "a declined card after a request of which nobody knows: the same key would have repeated its answer",
      { type: "StripeCardError", statusCode: 402, code: "card_declined" },
      IN_DOUBT,
      { kind: "failed", code: "card_declined" },
    ],
    [
      "H07: too many calls after a request of which nobody knows",
      { type: "StripeRateLimitError", statusCode: 429 },
      IN_DOUBT,
      { kind: "retry", reason: "RATE_LIMITED" },
    ],
    [
      "H05: a key that was used with other parameters is no declined card",
      {
        type: "StripeIdempotencyError",
        statusCode: 400,
        rawType: "idempotency_error",
        code: "card_declined",
      },
      SENT,
      { kind: "unknown" },
    ],
    ["a cut connection", { type: "StripeConnectionError" }, IN_DOUBT, { kind: "unknown" }],
    [
      "nobody to connect to",
      { type: "StripeConnectionError" },
      SENT,
      { kind: "retry", reason: "UNREACHABLE" },
    ],
    [
      "nobody to connect to, after a connection that was cut",
      { type: "StripeConnectionError" },
      { begun: 2, inDoubt: true },
      { kind: "unknown" },
    ],
    ["an answer that is no JSON", { type: "StripeAPIError" }, SENT, { kind: "unknown" }],
    ["an answer that is null", {}, SENT, { kind: "unknown" }],
    ["a redirect", { type: "StripeAPIError", statusCode: 302 }, IN_DOUBT, { kind: "unknown" }],
    ["a status that is none", { statusCode: "402", code: 7 }, SENT, { kind: "unknown" }],
  ];
  test.each(cases)("%s", (_, error, requests, expected) => {
    expect(classifyFailure(errorOf(error), requests)).toEqual(expected);
  });

  test.each([undefined, null, "text", 7, []])("%j that was thrown says nothing", (thrown) => {
    expect(classifyFailure(thrown, SENT)).toEqual({ kind: "unknown" });
  });

  test("what never left is a failure, whatever was thrown", () => {
    expect(classifyFailure(errorOf({ type: "StripeConnectionError" }), { begun: 0, inDoubt: false })).toEqual(
      {
        kind: "failed",
        code: "not_sent",
      },
    );
  });
});

test("a word of the provider's is a short identifier or a constant", () => {
  expect(providerCode(undefined, "lost_card")).toBe("lost_card");
  for (const word of ["", "A", "1a", "a b", "a".repeat(65), "été"]) {
    expect(providerCode(word)).toBe("provider_refused");
  }
  expect(providerCode()).toBe("provider_refused");
});

describe("a request that reached nobody", () => {
  test.each(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"])(
    "ends with %s",
    (code) => {
      expect(wasNeverSent(errorOf({ code }))).toBe(true);
      expect(wasNeverSent(Object.assign(new TypeError("fetch failed"), { cause: errorOf({ code }) }))).toBe(
        true,
      );
    },
  );

  test.each(["ECONNRESET", "EPIPE", "UND_ERR_SOCKET", "ETIMEDOUT", undefined])(
    "does not end with %s",
    (code) => {
      expect(wasNeverSent(errorOf({ code }))).toBe(false);
      expect(wasNeverSent(Object.assign(new TypeError("fetch failed"), { cause: errorOf({ code }) }))).toBe(
        false,
      );
      expect(wasNeverSent("ECONNREFUSED")).toBe(false);
    },
  );
});
