import type { IncomingMessage } from "node:http";
import { afterAll, describe, expect, test } from "vitest";
import { HttpProblem } from "./httpExchange.ts";
import type { Host } from "./host.ts";
import { TestHosts, tokenFor } from "./hostForTests.ts";
import { RawClient } from "./rawClientForTests.ts";
import { areProxyRanges, SourceLimit } from "./sourceLimit.ts";

const hosts = new TestHosts();

afterAll(async () => {
  await hosts.clean();
});

function request(remoteAddress: string, forwardedFor?: string): IncomingMessage {
  const headers = forwardedFor === undefined ? {} : { "x-forwarded-for": forwardedFor };
  return { headers, socket: { remoteAddress } } as unknown as IncomingMessage;
}

function retryAfterS(limit: SourceLimit, source: string): number {
  try {
    limit.take(source);
    return 0;
  } catch (error) {
    if (!(error instanceof HttpProblem)) throw error;
    expect([error.status, error.code]).toEqual([429, "TooManyRequests"]);
    return Number(error.headers["retry-after"]);
  }
}

describe("a source", () => {
  test("L03 is the connection's address, whatever X-Forwarded-For says", () => {
    const limit = new SourceLimit({ callsPerMinute: 1, trustedProxies: [] });
    expect(limit.sourceOf(request("198.51.100.7", "203.0.113.1"))).toBe("198.51.100.7");
    expect(limit.sourceOf(request("::ffff:198.51.100.7"))).toBe("198.51.100.7");
    expect(limit.sourceOf(request("2001:db8::1"))).toBe(limit.sourceOf(request("2001:db8::2")));
  });

  test("L03 behind trusted proxies is the address that the outermost of them saw", () => {
    const limit = new SourceLimit({ callsPerMinute: 1, trustedProxies: ["10.0.0.0/8", "::1"] });
    expect(limit.sourceOf(request("10.0.0.1", "203.0.113.1"))).toBe("203.0.113.1");
    expect(limit.sourceOf(request("10.0.0.1", "192.0.2.66, 203.0.113.1, 10.2.3.4"))).toBe("203.0.113.1");
    expect(limit.sourceOf(request("198.51.100.7", "203.0.113.1"))).toBe("198.51.100.7");
  });

  test("has its calls back after the seconds that the refusal names, and no other source loses any", () => {
    let nowMs = 1_000;
    const limit = new SourceLimit({ callsPerMinute: 10, trustedProxies: [] }, undefined, () => nowMs);
    for (let call = 0; call < 10; call += 1) expect(retryAfterS(limit, "a")).toBe(0);
    const waitS = retryAfterS(limit, "a");
    expect(waitS).toBe(6);
    expect(retryAfterS(limit, "b")).toBe(0);
    nowMs += waitS * 1_000;
    expect(retryAfterS(limit, "a")).toBe(0);
    expect(retryAfterS(limit, "a")).toBe(6);
    expect(limit.refused).toBe(2);
  });

  test.each([["10.0.0.0/8", "::1"], ["203.0.113.5"]])("proxies are addresses and ranges: %s", (...ranges) => {
    expect(areProxyRanges(ranges)).toBe(true);
  });

  test.each(["", "10.0.0.0/99", "proxy.example", "*"])("and nothing else: %j", (range) => {
    expect(areProxyRanges([range])).toBe(false);
  });
});

async function call(host: Host, headers: Record<string, string> = {}): Promise<Response> {
  return await fetch(`${host.url}/api/query`, {
    method: "POST",
    headers,
    body: JSON.stringify({ path: "notes:whoami", args: {} }),
  });
}

async function statuses(host: Host, calls: number, headers: () => Record<string, string>): Promise<number[]> {
  const found: number[] = [];
  for (let count = 0; count < calls; count += 1) found.push((await call(host, headers())).status);
  return found;
}

describe("a host", () => {
  /** 600 calls a minute by default: 6 here. */
  const SIX = { DAYBOOK_RATE_LIMIT_PERCENT: "1" };

  test("L03 R16 answers 429 to a source without tokens that makes too many calls, and 200 to those with one", async () => {
    const host = await hosts.start(SIX);
    const token = await tokenFor(host, "alice");
    let forged = 0;
    const spoofed = (): Record<string, string> => {
      forged += 1;
      return { "x-forwarded-for": `203.0.113.${forged}`, forwarded: `for=203.0.113.${forged}` };
    };
    expect(await statuses(host, 8, spoofed)).toEqual([200, 200, 200, 200, 200, 200, 429, 429]);
    const refused = await call(host);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await refused.json()).toEqual({
      code: "TooManyRequests",
      message: expect.any(String) as string,
      requestId: refused.headers.get("x-request-id"),
    });
    expect((await call(host, { authorization: `Bearer ${token}` })).status).toBe(200);
    const metrics = await (await fetch(`${host.url}/metrics`)).text();
    expect(metrics).toContain("daybook_source_limited_total 3");
    expect(metrics).not.toContain("203.0.113");
  });

  test("R71 tokens that are refused count, are logged in the shape of the security log, and are in the metrics", async () => {
    const host = await hosts.start(SIX);
    const forged = (): Record<string, string> => ({ authorization: "Bearer CANARY.forged.token" });
    expect(await statuses(host, 8, forged)).toEqual([401, 401, 401, 401, 401, 401, 429, 429]);
    const lines = hosts.log.filter((line) => line.includes("outcome=refused"));
    expect(lines.length).toBeGreaterThanOrEqual(6);
    expect(lines.at(-1)).toMatch(
      /security: refused .*function=authentication code=Unauthenticated .*requestId=/,
    );
    expect(hosts.log.join("")).not.toContain("CANARY");
    const metrics = await (await fetch(`${host.url}/metrics`)).text();
    expect(metrics).toContain('daybook_refusals_total{code="Unauthenticated"} 6');
  });

  test("L03 believes a trusted proxy, each of whose clients has calls of its own", async () => {
    const host = await hosts.start({ ...SIX, DAYBOOK_TRUSTED_PROXIES: "127.0.0.1" });
    const client = (address: string) => (): Record<string, string> => ({ "x-forwarded-for": address });
    expect((await statuses(host, 7, client("203.0.113.1"))).at(-1)).toBe(429);
    expect((await call(host, { "x-forwarded-for": "203.0.113.2" })).status).toBe(200);
    expect((await call(host, { "x-forwarded-for": "203.0.113.2, 203.0.113.1" })).status).toBe(429);
  });

  async function act(host: Host, path: string, headers: Record<string, string> = {}): Promise<Response> {
    return await fetch(`${host.siteUrl}${path}`, { headers });
  }

  test("E25 counts requests to HTTP actions that are refused, and those only", async () => {
    const host = await hosts.start({ ...SIX, DAYBOOK_TRUSTED_PROXIES: "127.0.0.1" });
    const token = await tokenFor(host, "alice");
    const from = (address: string): Record<string, string> => ({ "x-forwarded-for": address });
    const flood = from("203.0.113.1");
    for (let count = 0; count < 20; count += 1) expect((await act(host, "/hello", flood)).status).toBe(200);
    const found: number[] = [];
    for (let count = 0; count < 8; count += 1) found.push((await act(host, "/nothing", flood)).status);
    expect(found).toEqual([404, 404, 404, 404, 404, 404, 429, 429]);
    const refused = await act(host, "/hello", flood);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    // Under /http of the API's port too.
    expect((await fetch(`${host.url}/http/hello`, { headers: flood })).status).toBe(429);
    // A provider has another address, a user a token, and calls of functions their own count.
    expect((await act(host, "/hello", from("203.0.113.2"))).status).toBe(200);
    expect((await act(host, "/hello", { ...flood, authorization: `Bearer ${token}` })).status).toBe(200);
    expect((await call(host, flood)).status).toBe(200);
  });

  test("E25 a flood of refused requests that come at once is bounded, and an action that fails counts nothing", async () => {
    const host = await hosts.start(SIX);
    for (let count = 0; count < 8; count += 1) expect((await act(host, "/crash")).status).toBe(500);
    const flood = await Promise.all(Array.from({ length: 30 }, () => act(host, "/nothing")));
    expect(flood.filter(({ status }) => status === 404)).toHaveLength(6);
    expect(flood.filter(({ status }) => status === 429)).toHaveLength(24);
  });

  test("API4 a request without a valid token has a smaller body", async () => {
    const host = await hosts.start();
    const token = await tokenFor(host, "alice");
    const body = JSON.stringify({ path: "notes:whoami", args: {}, padding: "x".repeat(256 * 1024) });
    const send = async (path: string, headers: Record<string, string> = {}): Promise<number> =>
      (await fetch(`${host.url}${path}`, { method: "POST", headers, body })).status;
    const signedIn = { authorization: `Bearer ${token}` };
    for (const path of ["/api/query", "/api/run/notes/whoami"]) {
      expect([path, await send(path)]).toEqual([path, 413]);
      expect([path, await send(path, signedIn)]).toEqual([path, 200]);
    }
    expect(await send("/api/query_batch")).toBe(413);
  });

  test("R16 closes the socket of an anonymous client that asks too much", async () => {
    const host = await hosts.start(SIX);
    const client = await RawClient.connect(host);
    for (let id = 0; id < 7; id += 1) client.mutate(id, "notes:add", { text: "flood" });
    expect(await client.closed).toMatchObject({ code: 1013 });
    expect(client.received.filter(({ type }) => type === "MutationResponse").length).toBeLessThan(7);
  });
});
