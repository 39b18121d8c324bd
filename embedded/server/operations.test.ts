import { createConnection, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { HostConfig } from "./config.ts";
import { Connections, networkOf } from "./connections.ts";
import { answerUnready } from "./health.ts";
import { TestHosts, tokenFor } from "./hostForTests.ts";
import type { Host } from "./host.ts";
import { Listener } from "./listener.ts";
import { RawClient } from "./rawClientForTests.ts";

const hosts = new TestHosts();
let host: Host;

beforeAll(async () => {
  host = await hosts.start({ LOG_LEVEL: "debug", DAYBOOK_SITE_URL: "https://site.example" });
});
afterAll(async () => {
  await hosts.clean();
});

/** A connection that sends bytes when it is told to, and what came back. */
class RawConnection {
  readonly #socket: Socket;
  received = "";
  readonly closed: Promise<string>;
  #watchers: (() => void)[] = [];

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.#socket = createConnection({ host: hostname, port: Number(port) });
    this.#socket.on("data", (part: Buffer) => {
      this.received += part.toString();
      for (const check of this.#watchers) check();
    });
    this.#socket.on("error", () => undefined);
    this.closed = new Promise((resolve) => {
      this.#socket.on("close", () => {
        resolve(this.received);
      });
    });
  }

  async send(text: string): Promise<void> {
    await new Promise<void>((resolve) =>
      this.#socket.write(text, () => {
        resolve();
      }),
    );
  }

  async until(text: string): Promise<void> {
    await new Promise<void>((resolve) => {
      const check = (): void => {
        if (this.received.includes(text)) resolve();
      };
      this.#watchers.push(check);
      check();
    });
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

const GET = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n`;

async function metricsOf(of: Host, headers: Record<string, string> = {}): Promise<Response> {
  return await fetch(`${of.url}/metrics`, { headers });
}

async function figure(of: Host, name: string): Promise<number> {
  const text = await (await metricsOf(of)).text();
  const line = text.split("\n").find((one) => one.startsWith(`${name} `) || one.startsWith(`${name}{`));
  return Number(line?.split(" ").at(-1));
}

describe("health", () => {
  test("a serving host is alive and ready", async () => {
    const answer = await fetch(`${host.url}/readyz`);
    expect([answer.status, await answer.json()]).toEqual([
      200,
      { status: "ready", version: expect.stringMatching(/^daybook-\d/) as string },
    ]);
    expect((await fetch(`${host.url}/healthz`)).status).toBe(200);
    expect((await fetch(`${host.siteUrl}/readyz`)).status).toBe(404);
  });

  test("a port that nothing serves yet is alive and not ready", async () => {
    const routes: string[] = [];
    const at = { host: "127.0.0.1", port: 0, variable: "PORT" } as const;
    const listener = await Listener.open(at, () => undefined, {
      onAnswered: ({ route, status }) => routes.push(`${route} ${status}`),
    });
    const url = `http://127.0.0.1:${listener.address.port}`;
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    listener.serve({ answer: answerUnready("starting") });
    const answer = await fetch(`${url}/readyz`);
    expect([answer.status, await answer.json()]).toEqual([503, { status: "starting" }]);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect((await fetch(`${url}/api/query`)).status).toBe(503);
    await listener.close(0);
    expect(routes).toEqual(["unknown 503", "/readyz 503", "/healthz 200", "unknown 503"]);
  });
});

describe("a host that is told to stop", () => {
  test("answers what is under way, is not ready, takes no new connection, and ends open sockets with 1012", async () => {
    const stopping = await hosts.start();
    const [underWay, asking] = [new RawConnection(stopping.url), new RawConnection(stopping.url)];
    const body = JSON.stringify({ path: "notes:add", args: { text: "under way" }, format: "json" });
    await underWay.send(
      `POST /api/mutation HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: ${body.length}\r\n\r\n`,
    );
    await underWay.until("100 Continue");
    await asking.send(`${GET("/healthz")}\r\n${GET("/readyz")}`);
    await asking.until("200 OK");
    const client = await RawClient.connect(stopping);

    const stopped = stopping.stop();
    await expect(fetch(`${stopping.url}/healthz`)).rejects.toThrow();
    await asking.send("\r\n");
    expect(await asking.closed).toMatch(/HTTP\/1\.1 503 .*\{"status":"stopping"\}$/s);
    expect(await client.closed).toMatchObject({ code: 1012 });
    await underWay.send(body);
    expect(await underWay.closed).toMatch(/HTTP\/1\.1 200 .*connection: close.*"status":"success"/is);
    await stopped;
  });
});

describe("the metrics", () => {
  test("count requests, calls, sockets, live queries and transitions", async () => {
    const watched = await hosts.start();
    const client = await RawClient.connect(watched);
    client.subscribe(0, 1, "notes:list", {});
    await client.nextOf("Transition");
    client.mutate(0, "notes:add", { text: "counted" });
    await client.nextOf("MutationResponse");
    await client.nextOf("Transition");
    client.mutate(1, "notes:refuse", {});
    await client.nextOf("MutationResponse");
    await fetch(`${watched.url}/no/such/address`);
    await fetch(`${watched.url}/api/run/notes/list`, { method: "POST", body: "{}" });
    await fetch(`${watched.siteUrl}/hello`);

    const call = (kind: string, outcome: string): string =>
      `daybook_function_call_duration_seconds_count{kind="${kind}",outcome="${outcome}"}`;
    const expected = {
      daybook_open_sockets: 1,
      daybook_live_queries: 1,
      daybook_mutations_queued: 0,
      daybook_connections_refused_total: 0,
      [call("mutation", "success")]: 1,
      [call("mutation", "error")]: 1,
      [call("run", "success")]: 1,
      [call("httpAction", "success")]: 1,
      'daybook_http_requests_total{route="unknown",status="404"}': 1,
      'daybook_http_requests_total{route="/api/run/*",status="200"}': 1,
      'daybook_http_requests_total{route="HTTP action",status="200"}': 1,
    };
    for (const [name, value] of Object.entries(expected))
      expect([name, await figure(watched, name)]).toEqual([name, value]);
    for (const name of [
      "process_resident_memory_bytes",
      "nodejs_eventloop_lag_seconds",
      "daybook_connections_open",
    ]) {
      expect(await figure(watched, name)).toBeGreaterThan(0);
    }
    const sent = await figure(watched, "daybook_transitions_sent_total");
    expect(sent).toBeGreaterThanOrEqual(2);
    const received = (): number => client.received.filter(({ type }) => type === "Transition").length;
    await expect.poll(received).toBe(sent);

    client.socket.close();
    await client.closed;
    await expect.poll(() => figure(watched, "daybook_open_sockets")).toBe(0);
    expect(await figure(watched, "daybook_live_queries")).toBe(0);
  });

  test("name no caller, no function and no address", async () => {
    const client = await RawClient.connect(host);
    client.send({
      type: "Authenticate",
      baseVersion: 0,
      tokenType: "User",
      value: await tokenFor(host, "carol", "org_7"),
    });
    client.mutate(0, "notes:add", { text: "secret text" });
    await client.nextOf("MutationResponse");
    await fetch(`${host.url}/carol/org_7`);
    const text = await (await metricsOf(host)).text();
    expect(text).toContain("daybook_function_call_duration_seconds_bucket");
    expect(text).not.toMatch(/carol|org_7|notes|127\.0\.0\.1/);
    client.socket.close();
  });

  test("are for this machine and the admin key, and a proxy's requests are not this machine's", async () => {
    expect((await metricsOf(host)).status).toBe(200);
    const port = new URL(host.url).port;
    const strangers = [
      "x-forwarded-for: 192.0.2.1",
      "forwarded: for=192.0.2.1",
      "via: 1.1 proxy",
      `origin: ${host.url}`,
    ];
    for (const header of strangers) {
      const asked = new RawConnection(host.url);
      await asked.send(`${GET("/metrics")}${header}\r\nconnection: close\r\n\r\n`);
      expect([header, await asked.closed]).toEqual([
        header,
        expect.stringMatching(/^HTTP\/1\.1 403 /) as string,
      ]);
    }
    const named = new RawConnection(host.url);
    await named.send(`GET /metrics HTTP/1.1\r\nhost: metrics.example:${port}\r\nconnection: close\r\n\r\n`);
    expect(await named.closed).toMatch(/^HTTP\/1\.1 403 /);

    const far = { "x-forwarded-for": "192.0.2.1" };
    expect((await metricsOf(host, { ...far, authorization: `Convex ${host.adminKey ?? ""}` })).status).toBe(
      200,
    );
    expect((await metricsOf(host, { authorization: `Convex ${"x".repeat(64)}` })).status).toBe(401);
    expect((await metricsOf(host, { authorization: `Bearer ${await tokenFor(host, "carol")}` })).status).toBe(
      403,
    );
  });
});

describe("the request id of an error", () => {
  const logged = (requestId: string): string[] => hosts.log.filter((line) => line.includes(requestId));

  test.each([
    ["an unknown address", "/no/such/address", "GET", undefined],
    ["a malformed body", "/api/query", "POST", "{"],
    ["a bad token", "/api/query", "POST", '{"path":"notes:list"}'],
  ])("for %s is in the body, the header and the log", async (_name, path, method, body) => {
    const answer = await fetch(host.url + path, {
      method,
      headers: { authorization: "Bearer forged.forged.forged" },
      ...(body === undefined ? {} : { body }),
    });
    const { requestId } = (await answer.json()) as { requestId: string };
    expect(requestId).toMatch(/^[0-9a-f]{16}$/);
    expect(answer.headers.get("x-request-id")).toBe(requestId);
    await expect
      .poll(() => logged(requestId))
      .toContainEqual(expect.stringContaining(`status=${answer.status}`));
  });

  test.each(["notes:crash", "notes:nothing", "notes:add"])(
    "for a call of %s that fails is in the log",
    async (path) => {
      const answer = await fetch(`${host.url}/api/function`, {
        method: "POST",
        body: JSON.stringify({ path, args: {} }),
      });
      const { errorMessage } = (await answer.json()) as { errorMessage: string };
      const requestId = /\[Request ID: ([0-9a-f]{16})\]/.exec(errorMessage)?.[1] ?? "none";
      expect(logged(requestId).join("")).toContain(`function=${path}`);
    },
  );

  test("over a WebSocket is in the log, for mutations and for live queries", async () => {
    const client = await RawClient.connect(host);
    client.mutate(0, "notes:nothing", {});
    client.subscribe(0, 1, "notes:nothing", {});
    const ids: string[] = [];
    while (ids.length < 2) {
      const text = JSON.stringify(await client.next());
      ids.push(...[...text.matchAll(/\[Request ID: ([0-9a-f]{16})\]/g)].map(([, id]) => id ?? ""));
    }
    for (const id of ids) expect(logged(id).join("")).toContain("a call ended with an error");
    client.socket.close();
  });
});

test("the log holds no token, key or cookie, even at its most talkative", async () => {
  const token = await tokenFor(host, "dave");
  const secrets = [token, host.adminKey ?? "", "sessioncookie=1234"];
  for (const authorization of [
    `Bearer ${token}`,
    `Bearer ${token}x`,
    `Convex ${host.adminKey ?? ""}`,
    "Convex wrong-wrong-wrong",
  ]) {
    await fetch(`${host.url}/api/mutation?key=${encodeURIComponent(token)}`, {
      method: "POST",
      headers: { authorization, cookie: "sessioncookie=1234" },
      body: JSON.stringify({ path: "notes:crash", args: {} }),
    });
  }
  expect(hosts.log.length).toBeGreaterThan(4);
  for (const line of hosts.log) {
    for (const secret of secrets) expect(line).not.toContain(secret);
    expect(line).toMatch(/^\d\d:\d\d:\d\d\.\d{3} (debug|info |warn |error) [a-z]+: [^\n]*\n$/);
  }
});

describe("connections", () => {
  const limited = async (connections: HostConfig["connections"]): Promise<Host> =>
    await hosts.start({}, { connections });

  test.each([
    ["in total", { most: 2, mostPerAddress: 100 }],
    ["from one address", { most: 100, mostPerAddress: 2 }],
  ])("beyond the limit %s are closed unread, and others again when one ends", async (_name, limits) => {
    const full = await limited(limits);
    const held = [new RawConnection(full.url), new RawConnection(full.siteUrl)];
    for (const one of held) await one.send(`${GET("/healthz")}\r\n`);
    for (const one of held) await one.until("HTTP/1.1");
    const refused = new RawConnection(full.url);
    expect(await refused.closed).toBe("");
    expect(hosts.log.at(-1)).toMatch(/warn +http: connections are refused.* refused=1 /);
    held[0]?.destroy();
    await expect
      .poll(async () => {
        const next = new RawConnection(full.url);
        await next.send(`${GET("/healthz")}connection: close\r\n\r\n`);
        return await next.closed;
      })
      .toMatch(/^HTTP\/1\.1 200 /);
  });

  test("one address does not use up what others may", () => {
    const connections = new Connections({ most: 3, mostPerAddress: 2 });
    const ends: (() => void)[] = [];
    const from = (remoteAddress: string): boolean =>
      connections.admit({
        remoteAddress,
        once: (_event, listener) => ends.push(listener),
      });
    expect([from("192.0.2.1"), from("::ffff:192.0.2.1"), from("192.0.2.1")]).toEqual([true, true, false]);
    expect([from("192.0.2.2"), from("192.0.2.3")]).toEqual([true, false]);
    expect([connections.open, connections.refused]).toEqual([3, 2]);
    for (const end of ends) end();
    expect([connections.open, from("192.0.2.1")]).toEqual([0, true]);
  });

  test.each([
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["2001:db8:0:1::5", "2001:db8:0:1::/64"],
    ["2001:db8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:1::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["", ""],
  ])("%s counts as %s", (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});

test("HTTP actions see the address that the proxy is reached at", async () => {
  const direct = await fetch(`${host.siteUrl}/echo?a=b`, { method: "POST" });
  expect(direct.headers.get("x-url")).toBe("https://site.example/echo?a=b");
  const prefixed = await fetch(`${host.url}/http/echo`, { method: "POST" });
  expect(prefixed.headers.get("x-url")).toBe("https://site.example/echo");
});
