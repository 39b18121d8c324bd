import { describe, expect, test } from "vitest";
import type { StripeSettings } from "../../access/stripeSettings.ts";
import { boundedFetch, callStripe, originsOf, type Fetch } from "./client.ts";

const SETTINGS: StripeSettings = {
  secretKey: `sk_test_${"x".repeat(24)}`,
  mode: "test",
  livemode: false,
  unlinked: "refuse",
  returnOrigins: [],
};
const INTENT = { object: "payment_intent", id: "pi_3ABCDEFGH" };

type Answer = () => Response | Promise<Response>;
const json = (status: number, body: unknown): Response =>
  new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });
const refused = (): never => {
  throw Object.assign(new TypeError("fetch failed"), { cause: { code: "ECONNREFUSED" } });
};
const cut = (): never => {
  throw Object.assign(new TypeError("fetch failed"), { cause: { code: "UND_ERR_SOCKET" } });
};

/** A network that gives these answers in turn, the last one for ever, and keeps what it was asked. */
function network(...answers: Answer[]): { fetch: Fetch; asked: { url: string; init: RequestInit }[] } {
  const asked: { url: string; init: RequestInit }[] = [];
  const fetch: Fetch = async (input, init = {}) => {
    asked.push({ url: input instanceof Request ? input.url : input.toString(), init });
    const answer = answers[Math.min(asked.length, answers.length) - 1];
    if (answer === undefined) throw new Error("no answer");
    return await answer();
  };
  return { fetch, asked };
}

const create = async (fetchOnce: Fetch): Promise<unknown> =>
  await callStripe(
    SETTINGS,
    (stripe) =>
      stripe.paymentIntents.create(
        { amount: 1, currency: "eur" },
        { idempotencyKey: "the-key", stripeAccount: "acct_1ABCDEFGH" },
      ),
    fetchOnce,
  );

describe("a call", () => {
  test("goes to Stripe with the pinned version, the key of the attempt and the account, and no telemetry", async () => {
    const { fetch, asked } = network(() => json(200, INTENT));
    expect(await create(fetch)).toMatchObject({ kind: "answered", answer: INTENT });
    const headers = new Headers(asked[0]?.init.headers);
    expect(asked).toHaveLength(1);
    expect(asked[0]?.url).toBe("https://api.stripe.com/v1/payment_intents");
    expect(asked[0]?.init.redirect).toBe("manual");
    expect(headers.get("idempotency-key")).toBe("the-key");
    expect(headers.get("stripe-account")).toBe("acct_1ABCDEFGH");
    expect(headers.get("stripe-version")).toBe("2026-10-28.endive");
    expect(headers.get("x-stripe-client-telemetry")).toBeNull();
  });

  test("goes to the stand-in when the settings name one, its OAuth endpoint too", async () => {
    const settings = { ...SETTINGS, apiUrl: "http://127.0.0.1:3212", clientId: `ca_${"x".repeat(20)}` };
    const { fetch, asked } = network(() => json(200, { stripe_user_id: "acct_1ABCDEFGH" }));
    await callStripe(
      settings,
      (stripe) => stripe.oauth.token({ grant_type: "authorization_code", code: "c" }),
      fetch,
    );
    expect(asked[0]?.url).toBe("http://127.0.0.1:3212/oauth/token");
  });

  test("H07: is repeated under the same key while Stripe fails, and is then in doubt", async () => {
    const { fetch, asked } = network(() => json(500, { error: { type: "api_error" } }));
    expect(await create(fetch)).toEqual({ kind: "unknown" });
    expect(asked).toHaveLength(3);
    expect(new Set(asked.map(({ init }) => new Headers(init.headers).get("idempotency-key")))).toEqual(
      new Set(["the-key"]),
    );
  });

  test("that was cut once and answered at the second time is answered", async () => {
    const { fetch } = network(cut, () => json(200, INTENT));
    expect(await create(fetch)).toMatchObject({ kind: "answered" });
  });

  test("that reached nobody was not made; one that was cut may have been", async () => {
    expect(await create(network(refused).fetch)).toEqual({ kind: "retry", reason: "UNREACHABLE" });
    expect(await create(network(cut, refused).fetch)).toEqual({ kind: "unknown" });
    expect(await create(network(cut).fetch)).toEqual({ kind: "unknown" });
  });

  test.each([
    ["is cut off", "{"],
    ["is no JSON", "<html>"],
    ["is null", "null"],
    ["is empty", ""],
  ])("whose answer %s is in doubt", async (_, body) => {
    expect(await create(network(() => new Response(body, { status: 200 })).fetch)).toEqual({
      kind: "unknown",
    });
  });

  test("that was refused is a failure with Stripe's code, and its words go nowhere", async () => {
    const error = { type: "card_error", code: "card_declined", message: "Ann's card 4242" };
    expect(await create(network(() => json(402, { error })).fetch)).toEqual({
      kind: "failed",
      code: "card_declined",
    });
  });

  test("Q05: is not redirected, to a private address or anywhere", async () => {
    const to =
      (location: string): Answer =>
      () =>
        new Response(null, { status: 302, headers: { location } });
    const { fetch, asked } = network(to("http://169.254.169.254/latest/meta-data"));
    expect(await create(fetch)).toEqual({ kind: "unknown" });
    expect(new Set(asked.map(({ url }) => url))).toEqual(
      new Set(["https://api.stripe.com/v1/payment_intents"]),
    );
  });

  test("R52: whose answer is too large, declared or not, is in doubt and not read to its end", async () => {
    const declared = (): Response =>
      new Response("{}", { status: 200, headers: { "content-length": String(3 * 1024 * 1024) } });
    expect(await create(network(declared).fetch)).toEqual({ kind: "unknown" });
    let chunks = 0;
    const endless = (): Response =>
      new Response(
        new ReadableStream({
          pull: (controller) => {
            chunks += 1;
            controller.enqueue(new Uint8Array(256 * 1024));
          },
        }),
      );
    expect(await create(network(endless).fetch)).toEqual({ kind: "unknown" });
    expect(chunks).toBeLessThan(50);
  });
});

describe("Q01 Q03: an address", () => {
  const never: Fetch = () => {
    throw new Error("it was asked");
  };
  const requests = (): { begun: number; inDoubt: boolean } => ({ begun: 0, inDoubt: false });

  test.each([
    "http://api.stripe.com/v1/x",
    "https://api.stripe.com.evil.example/v1/x",
    "https://api.stripe.com@evil.example/v1/x",
    "https://user@api.stripe.com/v1/x",
    "https://api.stripe.com:8443/v1/x",
    "https://127.0.0.1/v1/x",
    "http://[::1]/v1/x",
    "https://169.254.169.254/latest/meta-data",
    "http://0.0.0.0/",
    "https://files.stripe.com/v1/x",
  ])("that is not the provider's gets no request: %s", async (url) => {
    const of = requests();
    await expect(boundedFetch(originsOf(SETTINGS), of, never)(url)).rejects.toThrow(
      "not an address of the provider",
    );
    expect(of.begun).toBe(0);
  });

  test("is Stripe's no more when the settings name a stand-in", async () => {
    const origins = originsOf({ apiUrl: "http://127.0.0.1:3212" });
    await expect(boundedFetch(origins, requests(), never)("https://api.stripe.com/v1/x")).rejects.toThrow();
  });
});
