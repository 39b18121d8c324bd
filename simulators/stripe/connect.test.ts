/** Connect: OAuth through the official SDK, accounts apart from each other, and the end of a connection. */
import Stripe from "stripe";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  CARD_PAYMENT,
  CLIENT_ID,
  READING_KEY,
  REDIRECT_URI,
  startTestSimulator,
} from "./testing/testSimulator.ts";
import type { TestSimulator } from "./testing/testSimulator.ts";

let world: TestSimulator;
let stripe: Stripe;
beforeEach(async () => {
  world = await startTestSimulator();
  stripe = world.stripe;
});
afterEach(() => world.close());

async function refusal(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => "not refused",
    (error: unknown) => error,
  );
}

/** The authorisation URL of the SDK has no port and says https; only its path and query are Stripe's. */
function authorizeUrl(parameters: Stripe.OAuthAuthorizeUrlParams = {}): URL {
  const made = new URL(
    stripe.oauth.authorizeUrl({
      client_id: CLIENT_ID,
      redirect_uri: REDIRECT_URI,
      state: "s1",
      ...parameters,
    }),
  );
  return new URL(made.pathname + made.search, world.url);
}

async function decide(decision: "allow" | "deny", more: Record<string, string> = {}): Promise<URL> {
  const url = authorizeUrl();
  const form = new URLSearchParams([
    ...url.searchParams,
    ...Object.entries({ decision, name: "Studio", ...more }),
  ]);
  const answer = await fetch(`${world.url}/oauth/authorize`, {
    method: "POST",
    body: form,
    redirect: "manual",
  });
  expect(answer.status).toBe(303);
  return new URL(answer.headers.get("location") ?? "");
}

const codeOf = (url: URL) => url.searchParams.get("code") ?? "";
const token = (code: string) => stripe.oauth.token({ grant_type: "authorization_code", code });

test("an owner agrees on the page, and the SDK turns the code into the account", async () => {
  const page = await fetch(authorizeUrl());
  expect(page.status).toBe(200);
  expect(await page.text()).toContain(CLIENT_ID);
  const back = await decide("allow");
  expect(back.href.startsWith(REDIRECT_URI)).toBe(true);
  expect(back.searchParams.get("state")).toBe("s1");
  expect(codeOf(back)).toMatch(/^ac_/);
  const answer = await token(codeOf(back));
  expect(answer).toMatchObject({ token_type: "bearer", livemode: false, scope: "read_write" });
  const account = await stripe.accounts.retrieve(answer.stripe_user_id ?? "");
  expect(account).toMatchObject({ object: "account", charges_enabled: true, type: "standard" });
  const own = world.sdk(answer.access_token ?? "");
  expect((await own.accounts.retrieveCurrent()).id).toBe(answer.stripe_user_id);
  expect((await world.events()).map(({ type }) => type)).toEqual(["account.application.authorized"]);
});

test("an owner who denies leads back with access_denied", async () => {
  const back = await decide("deny");
  expect(Object.fromEntries(back.searchParams)).toMatchObject({ error: "access_denied", state: "s1" });
});

test("a code works once, for five minutes (Q09)", async () => {
  const first = codeOf(await decide("allow"));
  await token(first);
  expect(await refusal(token(first))).toBeInstanceOf(Stripe.errors.StripeInvalidGrantError);
  const second = codeOf(await decide("allow"));
  world.clock.advance(5 * 60 * 1000);
  expect(await refusal(token(second))).toBeInstanceOf(Stripe.errors.StripeInvalidGrantError);
  expect(await refusal(token("ac_none"))).toBeInstanceOf(Stripe.errors.StripeInvalidGrantError);
});

test("a refresh token gives new tokens once", async () => {
  const { refresh_token: refresh = "", stripe_user_id: account } = await token(codeOf(await decide("allow")));
  const again = await stripe.oauth.token({ grant_type: "refresh_token", refresh_token: refresh });
  expect(again.stripe_user_id).toBe(account);
  expect(
    await refusal(stripe.oauth.token({ grant_type: "refresh_token", refresh_token: refresh })),
  ).toBeInstanceOf(Stripe.errors.StripeInvalidGrantError);
});

test("only the platform's secret key gets tokens", async () => {
  const code = codeOf(await decide("allow"));
  const reader = world.sdk(READING_KEY);
  expect(await refusal(reader.oauth.token({ grant_type: "authorization_code", code }))).toBeInstanceOf(
    Stripe.errors.StripeInvalidClientError,
  );
  await token(code);
});

test.each([
  ["another client", { client_id: "ca_other" }, "invalid_client"],
  [
    "a redirect URI that is not registered",
    { redirect_uri: "https://evil.example/" },
    "invalid_redirect_uri",
  ],
  ["another response type", { response_type: "token" as never }, "unsupported_response_type"],
  ["another scope", { scope: "everything" }, "invalid_scope"],
])("the page refuses %s and leads nowhere", async (_name, parameters, error) => {
  const answer = await fetch(authorizeUrl(parameters), { redirect: "manual" });
  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({ error });
});

test("another site cannot decide for the owner", async () => {
  const answer = await fetch(`${world.url}/oauth/authorize`, {
    method: "POST",
    headers: { origin: "https://evil.example" },
    body: new URLSearchParams([...authorizeUrl().searchParams, ["decision", "allow"]]),
    redirect: "manual",
  });
  expect(answer.status).toBe(403);
});

test("an existing account connects again through the switch", async () => {
  const { id } = await world.flip("accounts/create", { name: "Studio" });
  const { location } = await world.flip("oauth/authorize", {
    redirect_uri: REDIRECT_URI,
    state: "x",
    account: id,
  });
  expect((await token(codeOf(new URL(String(location))))).stripe_user_id).toBe(id);
});

test("accounts do not see each other's objects, and keys of one act on no other", async () => {
  const [a, b] = await Promise.all([
    token(codeOf(await decide("allow"))),
    token(codeOf(await decide("allow"))),
  ]);
  const options = { stripeAccount: a.stripe_user_id ?? "" };
  const intent = await stripe.paymentIntents.create(CARD_PAYMENT, options);
  expect(intent.lastResponse.headers["stripe-account"]).toBe(options.stripeAccount);
  expect((await stripe.paymentIntents.retrieve(intent.id, {}, options)).id).toBe(intent.id);
  expect(await refusal(stripe.paymentIntents.retrieve(intent.id))).toMatchObject({ statusCode: 404 });
  const ofB = world.sdk(b.access_token ?? "");
  expect(await refusal(ofB.paymentIntents.retrieve(intent.id))).toMatchObject({ statusCode: 404 });
  expect(await refusal(ofB.paymentIntents.retrieve(intent.id, {}, options))).toMatchObject({
    statusCode: 403,
    code: "account_invalid",
  });
  expect(await refusal(ofB.accounts.retrieve(options.stripeAccount))).toMatchObject({ statusCode: 403 });
});

test("deauthorised by the platform or by the owner, an account and its keys are out of reach", async () => {
  for (const end of [
    (id: string) => stripe.oauth.deauthorize({ client_id: CLIENT_ID, stripe_user_id: id }),
    (id: string) => world.flip("accounts/deauthorize", { id }),
  ]) {
    const { stripe_user_id: id = "", access_token: key = "" } = await token(codeOf(await decide("allow")));
    await end(id);
    expect(await refusal(stripe.paymentIntents.list({}, { stripeAccount: id }))).toMatchObject({
      statusCode: 403,
      code: "account_invalid",
    });
    expect(await refusal(world.sdk(key).paymentIntents.list())).toMatchObject({ statusCode: 401 });
    const last = (await world.events()).at(-1);
    expect(last).toMatchObject({
      type: "account.application.deauthorized",
      account: id,
      data: { object: { object: "application", id: CLIENT_ID } },
    });
    expect(
      await refusal(stripe.oauth.deauthorize({ client_id: CLIENT_ID, stripe_user_id: id })),
    ).toBeInstanceOf(Stripe.errors.StripeInvalidClientError);
  }
});

test("an account whose payments are stopped takes none, and account.updated tells it", async () => {
  const { id } = await world.flip("accounts/create", { name: "Studio" });
  const stripeAccount = String(id);
  await world.flip("accounts/charges", { id, enabled: false });
  expect(await refusal(stripe.paymentIntents.create(CARD_PAYMENT, { stripeAccount }))).toMatchObject({
    statusCode: 400,
  });
  expect((await world.events()).at(-1)).toMatchObject({
    type: "account.updated",
    account: stripeAccount,
    data: { object: { charges_enabled: false }, previous_attributes: { charges_enabled: true } },
  });
  await world.flip("accounts/charges", { id, enabled: true });
  await stripe.paymentIntents.create(CARD_PAYMENT, { stripeAccount });
});

test("faults meet OAuth too: a code that was redeemed in a lost answer is used", async () => {
  const code = codeOf(await decide("allow"));
  await world.flip("faults", { kind: "truncated", path: "/oauth/token" });
  expect(await refusal(token(code))).toBeInstanceOf(Stripe.errors.StripeConnectionError);
  expect(await refusal(token(code))).toBeInstanceOf(Stripe.errors.StripeInvalidGrantError);
  const other = codeOf(await decide("allow"));
  await world.flip("faults", { kind: "error", path: "/oauth/token" });
  expect(await refusal(token(other))).toMatchObject({ statusCode: 500 });
  expect((await token(other)).stripe_user_id).toMatch(/^acct_/);
});
