/** Starting, stopping and keeping: what the simulator refuses to be, and what a restart finds. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createStripeSimulator } from "./simulator.ts";
import {
  CARD_PAYMENT,
  createTestEndpoint,
  flipSwitch,
  SECRET_KEY,
  sdkFor,
  startTestSimulator,
  WEBHOOK_SECRET,
} from "./testing/testSimulator.ts";
import type { TestSimulator } from "./testing/testSimulator.ts";

const configured = { apiKeys: [SECRET_KEY] };

describe("Configuration", () => {
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  test("it does not start in production (H09)", async () => {
    vi.stubEnv("DAYBOOK_ENV", "production");
    await expect(createStripeSimulator(configured)).rejects.toThrow("production");
  });

  test.each(["0.0.0.0", "::", "192.168.1.4", "example.com"])("it does not listen on %s", async (host) => {
    const simulator = await createStripeSimulator(configured);
    await expect(simulator.listen(0, host)).rejects.toThrow("this machine only");
    await simulator.close();
  });

  test.each([["sk_live_0123456789abcdef"], ["rk_live_0123456789abcdef"], ["undefined"], [""]])(
    "the key %j is refused and not repeated",
    async (key) => {
      const refused = createStripeSimulator({ apiKeys: [SECRET_KEY, key] });
      await expect(refused).rejects.toThrow("test mode only");
      if (key !== "") await expect(refused).rejects.not.toThrow(key);
    },
  );

  test("it needs a secret key, and endpoints on this machine with real secrets", async () => {
    await expect(createStripeSimulator({ apiKeys: [] })).rejects.toThrow("sk_test_");
    for (const [url, secret, words] of [
      ["https://evil.example/hook", WEBHOOK_SECRET, "this machine only"],
      ["http://127.0.0.1:1/hook", "undefined", "whsec_"],
      ["http://127.0.0.1:1/hook", "whsec_short", "whsec_"],
    ] as const) {
      const refused = createStripeSimulator({ ...configured, webhooks: [{ url, secrets: [secret] }] });
      await expect(refused).rejects.toThrow(words);
    }
  });
});

describe("The switches' door", () => {
  let world: TestSimulator;
  beforeEach(async () => {
    world = await startTestSimulator();
  });
  afterEach(() => world.close());

  const clear = (headers: Record<string, string>, body = "{}") =>
    fetch(`${world.url}/_simulator/clear`, { method: "POST", headers, body });
  const JSON_TYPE = { "content-type": "application/json" };

  test("a page of another origin is refused, this page is not", async () => {
    expect((await clear({ ...JSON_TYPE, origin: "https://evil.example" })).status).toBe(403);
    expect((await clear({ ...JSON_TYPE, origin: "null" })).status).toBe(403);
    expect((await clear({ ...JSON_TYPE, "sec-fetch-site": "cross-site" })).status).toBe(403);
    expect((await clear({ ...JSON_TYPE, origin: world.url, "sec-fetch-site": "same-origin" })).status).toBe(
      200,
    );
    const answer = await clear(JSON_TYPE);
    expect(answer.headers.get("access-control-allow-origin")).toBeNull();
  });

  test("only JSON is read", async () => {
    expect((await clear({ "content-type": "text/plain" })).status).toBe(415);
    expect((await clear({ "content-type": "application/x-www-form-urlencoded" })).status).toBe(415);
    expect((await clear(JSON_TYPE, "not json")).status).toBe(400);
    expect((await clear(JSON_TYPE, '{"surprise":1}')).status).toBe(400);
  });

  test.each(["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "x@127.0.0.1"])(
    "a Host header of %j gets nothing, on every path",
    async (host) => {
      const { hostname, port } = new URL(world.url);
      for (const target of ["/_simulator", "/v1/account", "/oauth/authorize"]) {
        const status = await new Promise((resolve, reject) => {
          request({ hostname, port, path: target, headers: { host } }, (response) => {
            response.resume();
            resolve(response.statusCode);
          })
            .on("error", reject)
            .end();
        });
        expect(status).toBe(403);
      }
    },
  );

  test("an unknown switch, object or method is refused in words", async () => {
    await expect(world.flip("nothing")).rejects.toThrow("There is no switch nothing");
    await expect(world.flip("constructor")).rejects.toThrow("There is no switch constructor");
    await expect(world.flip("payments/succeed", { id: "pi_none" })).rejects.toThrow(
      "No such object: 'pi_none'",
    );
    await expect(
      world.flip("accounts/deauthorize", { id: world.simulator.platformAccountId }),
    ).rejects.toThrow("is not a connected account");
    const put = await fetch(`${world.url}/_simulator/clear`, {
      method: "PUT",
      headers: JSON_TYPE,
      body: "{}",
    });
    expect(put.status).toBe(405);
  });

  test("the page shows objects with their buttons, and nothing of theirs as markup (N01)", async () => {
    const evil = '<img src=x onerror="alert(1)">';
    await world.flip("accounts/create", { name: evil });
    const intent = await world.stripe.paymentIntents.create({
      ...CARD_PAYMENT,
      payment_method: "pm_card_visa",
      confirm: true,
    });
    await world.flip("disputes/open", { id: intent.id, reason: evil });
    const answer = await fetch(`${world.url}/_simulator`);
    const html = await answer.text();
    expect(html).toContain(intent.id);
    expect(html).toContain("disputes/decide");
    expect(html).toContain("&lt;img src=x onerror=&quot;alert(1)&quot;&gt;");
    expect(html).not.toContain("<img");
    expect(answer.headers.get("content-security-policy")).toMatch(
      /^default-src 'none'; .*frame-ancestors 'none'$/,
    );
    expect(html).not.toMatch(/<(?:script|link|img)[^>]+(?:src|href)=/);
  });

  test("every button of the page is a switch that takes its input", async () => {
    const { stripe } = world;
    const account = await world.flip("accounts/create", { name: "Studio" });
    const first = await stripe.paymentIntents.create({
      ...CARD_PAYMENT,
      payment_method: "pm_card_visa",
      confirm: true,
    });
    await stripe.refunds.create({ payment_intent: first.id, amount: 10 });
    await world.flip("disputes/open", { id: first.id });
    await stripe.paymentIntents.create(CARD_PAYMENT);
    await stripe.checkout.sessions.create({
      mode: "payment",
      success_url: "https://studio.example/",
      line_items: [{ price_data: { currency: "eur", unit_amount: 900, product_data: { name: "Yoga" } } }],
    });
    const html = await (await fetch(`${world.url}/_simulator`)).text();
    const buttons = [...html.matchAll(/data-path="([^"]+)" data-input="([^"]+)"/g)];
    const paths = new Set(buttons.map(([, target]) => target));
    expect(paths.size).toBeGreaterThanOrEqual(14);
    for (const [, target = "", input = ""] of buttons) {
      const outcome = await world.flip(target, JSON.parse(input.replaceAll("&quot;", '"')) as object).then(
        () => "done",
        (error: unknown) => (error as Error).message,
      );
      // A button before this one may have changed the object; a button must never be wrong in itself.
      expect(outcome).not.toMatch(/no switch|unrecognized|Invalid|No such/i);
    }
    expect(account["object"]).toBe("account");
  });
});

describe("A restart", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "stripe-simulator-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const start = (stateFile: string, url?: string) =>
    createStripeSimulator({
      ...configured,
      stateFile,
      webhooks: url === undefined ? [] : [{ url, secrets: [WEBHOOK_SECRET] }],
    });

  test("finds objects, saved keys and unsent deliveries in the file", async () => {
    const stateFile = path.join(folder, "stripe.json");
    const endpoint = await createTestEndpoint();
    endpoint.statuses.push(500, 500, 500, 500);
    const first = await start(stateFile, endpoint.url);
    const stripe = sdkFor(await first.listen(0), SECRET_KEY);
    const create = (sdk = stripe) =>
      sdk.paymentIntents.create(
        { ...CARD_PAYMENT, payment_method: "pm_card_visa", confirm: true, metadata: { $map: "[[1,2]]" } },
        { idempotencyKey: "attempt-1" },
      );
    const intent = await create();
    await first.deliveriesSettled();
    await first.close();

    const second = await start(stateFile, endpoint.url);
    const url = await second.listen(0);
    const again = sdkFor(url, SECRET_KEY);
    expect(second.platformAccountId).toBe(first.platformAccountId);
    expect(await again.paymentIntents.retrieve(intent.id)).toEqual(intent);
    expect((await create(again)).lastResponse.headers["idempotent-replayed"]).toBe("true");
    await again.refunds.create({ payment_intent: intent.id });
    await flipSwitch(url, "deliveries/retry");
    await second.deliveriesSettled();
    const types = endpoint.received.slice(4).map(({ body }) => (JSON.parse(body) as { type: string }).type);
    expect([...types].sort()).toEqual([
      "charge.refunded",
      "charge.succeeded",
      "charge.updated",
      "payment_intent.created",
      "payment_intent.succeeded",
      "refund.created",
    ]);
    await second.close();
    await endpoint.close();
    expect(await readdir(folder)).toEqual(["stripe.json"]);
  });

  test("what was answered is in the file before the answer", async () => {
    const stateFile = path.join(folder, "stripe.json");
    const simulator = await start(stateFile);
    const stripe = sdkFor(await simulator.listen(0), SECRET_KEY);
    const made = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const { id } = await stripe.paymentIntents.create(CARD_PAYMENT);
        return (await readFile(stateFile, "utf8")).includes(id);
      }),
    );
    expect(made).toEqual(Array.from({ length: 20 }, () => true));
    await simulator.close();
  });

  test.each(["not json", "{}", '{"format":"daybook-stripe-simulator/1"}', '{"format":"other/1","state":{}}'])(
    "with %s in the file is refused, and the file stays as it was",
    async (content) => {
      const stateFile = path.join(folder, "stripe.json");
      await writeFile(stateFile, content);
      await expect(start(stateFile)).rejects.toThrow("Move it away to start with nothing.");
      expect(await readFile(stateFile, "utf8")).toBe(content);
    },
  );
});
