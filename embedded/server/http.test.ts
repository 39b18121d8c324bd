import { request as httpRequest } from "node:http";
import { ConvexHttpClient } from "convex/browser";
import { makeFunctionReference } from "convex/server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask as askUrl, parsed, type Answer, type Asked } from "./askForTests.ts";
import { TestHosts, tokenFor } from "./hostForTests.ts";
import type { Host } from "./host.ts";
import { checkpointKey } from "../../tests/support/checkpointKeys.ts";
import { RawClient } from "./rawClientForTests.ts";

const hosts = new TestHosts();
let host: Host;

beforeAll(async () => {
  host = await hosts.start();
});
afterAll(async () => {
  await hosts.clean();
});

const list = makeFunctionReference<"query", Record<string, never>, string[]>("notes:list");
const add = makeFunctionReference<"mutation", { text: string }, string>("notes:add");
const shout = makeFunctionReference<"action", { text: string }, string>("notes:shout");
const refuse = makeFunctionReference<"mutation">("notes:refuse");
const crash = makeFunctionReference<"query">("notes:crash");
const whoami = makeFunctionReference<"query", Record<string, never>, string | null>("notes:whoami");
const values = makeFunctionReference<"query", { bytes: ArrayBuffer }, unknown>("notes:values");

/** As `ask`, of the host of most of these tests. */
async function ask(asked: Asked, url = host.url): Promise<Answer> {
  return await askUrl(asked, url);
}

async function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  return await ask({ path, headers, body: typeof body === "string" ? body : JSON.stringify(body) });
}

describe("the official HTTP client", () => {
  test("queries, mutates and acts", async () => {
    const client = new ConvexHttpClient(host.url, { logger: false });
    await client.mutation(add, { text: "http" });
    expect(await client.query(list, {})).toContain("http");
    expect(await client.action(shout, { text: "loud" })).toBe("LOUD");
    expect(await client.query(list, {})).toContain("LOUD");
  });

  test("gets the data of a ConvexError, and values of every type", async () => {
    const client = new ConvexHttpClient(host.url, { logger: false });
    await expect(client.mutation(refuse, {})).rejects.toMatchObject({ data: { code: "TEAPOT" } });
    const bytes = new Uint8Array([1, 2, 3]).buffer;
    expect(await client.query(values, { bytes })).toEqual({ integer: 7n, bytes, infinite: Infinity });
  });

  test("is who its token says, and refused with a bad one", async () => {
    const client = new ConvexHttpClient(host.url, { logger: false });
    expect(await client.query(whoami, {})).toBeNull();
    client.setAuth(await tokenFor(host, "alice"));
    expect(await client.query(whoami, {})).toBe(`${host.developmentIssuer ?? ""}|alice`);
    client.setAuth("not.a.token");
    await expect(client.query(whoami, {})).rejects.toThrow("Unauthenticated");
  });

  test("reads, for admins only, several queries at one timestamp while commits go on, and refuses one that it can't read", async () => {
    const client = new ConvexHttpClient(host.url, { logger: false });
    const { ts } = parsed(await post("/api/query_ts", {})) as { ts: string };
    const before = await client.query(list, {});
    await client.mutation(add, { text: "newer" });
    const admin = { authorization: `Convex ${host.adminKey ?? ""}` };
    const at = (moment: string, headers: Record<string, string> = admin): ReturnType<typeof post> =>
      post("/api/query_at_ts", { path: "notes:list", args: {}, ts: moment }, headers);
    expect(parsed(await at(ts))).toMatchObject({ status: "success", value: before });
    expect(await client.query(list, {})).not.toEqual(before);
    const toCome = Buffer.alloc(8, 0x7f).toString("base64");
    expect(parsed(await at(toCome))).toMatchObject({ code: "SnapshotNotAvailable" });
    expect(parsed(await at("soon"))).toMatchObject({ code: "BadTimestamp" });
    // INV-12: who was removed meanwhile was a member then.
    const user = { authorization: `Bearer ${await tokenFor(host, "alice")}` };
    for (const headers of [user, {}]) {
      const refused = await at(ts, headers);
      expect([refused.status, parsed(refused)]).toMatchObject([403, { code: "Forbidden" }]);
    }
  });

  test("an admin calls internal functions and acts in a user's name; nobody else does", async () => {
    const call = { path: "notes:hidden", args: {} };
    const admin = { authorization: `Convex ${host.adminKey ?? ""}` };
    expect(parsed(await post("/api/function", call, admin))).toMatchObject({ value: "internal" });
    expect(parsed(await post("/api/function", call))).toMatchObject({ status: "error" });
    expect(parsed(await post("/api/query", call))).toMatchObject({ status: "error" });
    const user = Buffer.from(JSON.stringify({ issuer: "https://i.example", subject: "bob" })).toString(
      "base64",
    );
    const acting = { authorization: `Convex ${host.adminKey ?? ""}:${user}` };
    const answer = await post("/api/query", { path: "notes:whoami", args: {} }, acting);
    expect(parsed(answer)).toMatchObject({ value: "https://i.example|bob" });
    const wrong = await post("/api/function", call, { authorization: `Convex ${"x".repeat(64)}` });
    expect(wrong.status).toBe(401);
    expect(parsed(wrong)).toMatchObject({ code: "BadAdminKey" });
  });
});

describe("the HTTP API", () => {
  test("format json gives plain JSON, convex_encoded_json what clients decode", async () => {
    const call = { path: "notes:values", args: { bytes: { $bytes: "AQID" } } };
    expect(parsed(await post("/api/query", { ...call, format: "json" }))).toMatchObject({
      value: { integer: "7", bytes: "AQID", infinite: "Infinity" },
    });
    const encoded = { value: { integer: { $integer: "BwAAAAAAAAA=" }, bytes: { $bytes: "AQID" } } };
    expect(parsed(await post("/api/query", { ...call, format: "convex_encoded_json" }))).toMatchObject(
      encoded,
    );
    expect(parsed(await post("/api/query", call, { "convex-client": "npm-1.48.0" }))).toMatchObject(encoded);
    expect((await post("/api/query", { ...call, format: "xml" })).status).toBe(400);
  });

  test("every way to call a function reaches the same function", async () => {
    const expected = { status: "success", value: null };
    const [one] = [{ path: "notes:whoami", args: [{}] }];
    expect(parsed(await post("/api/query", one))).toEqual(expected);
    expect(parsed(await post("/api/function", one))).toEqual(expected);
    expect(parsed(await post("/api/run/notes/whoami", { args: {} }))).toEqual(expected);
    const inAddress = await ask({
      method: "GET",
      path: `/api/query?path=notes:whoami&args=${encodeURIComponent("{}")}`,
    });
    expect(parsed(inAddress)).toEqual(expected);
    const batch = await post("/api/query_batch", { queries: [one, { path: "notes:nothing", args: {} }] });
    expect(parsed(batch)).toMatchObject({ results: [expected, { status: "error" }] });
  });

  test.each([
    ["not JSON", "{"],
    ["not an object", "[]"],
    ["no path", "{}"],
    ["path of a wrong type", '{"path":1,"args":{}}'],
    ["arguments that are no object", '{"path":"notes:list","args":[1]}'],
    ["two argument objects", '{"path":"notes:list","args":[{},{}]}'],
  ])("a malformed body (%s) is 400 with code and message", async (_name, body) => {
    const answer = await post("/api/query", body);
    expect(answer.status).toBe(400);
    expect(parsed(answer)).toMatchObject({ code: "BadRequest" });
  });

  test("bytes that are not UTF-8 are 400", async () => {
    const body = Buffer.concat([
      Buffer.from('{"path":"notes:add","args":{"text":"'),
      Buffer.of(0xff),
      Buffer.from('"}}'),
    ]);
    expect((await ask({ path: "/api/mutation", body })).status).toBe(400);
  });

  test("API4 a body above the limit is 413, with and without a length", async () => {
    const body = Buffer.alloc(17 * 1024 * 1024, "x");
    expect((await ask({ path: "/api/mutation", body })).status).toBe(413);
    const chunked = { "transfer-encoding": "chunked" };
    expect((await ask({ path: "/api/mutation", body, headers: chunked })).status).toBe(413);
  });

  test("S09 only declared methods are answered, whatever a header asks for", async () => {
    for (const method of ["PUT", "DELETE", "TRACE", "PATCH", "HEAD"]) {
      const answer = await ask({ method, path: "/api/mutation" });
      expect([method, answer.status, answer.headers.allow]).toEqual([method, 405, "POST"]);
    }
    const override = { "x-http-method-override": "POST", "x-method-override": "POST" };
    expect((await ask({ method: "GET", path: "/api/mutation", headers: override })).status).toBe(405);
    expect((await ask({ method: "GET", path: "/api/nothing" })).status).toBe(404);
  });

  test("health, version and name", async () => {
    expect(await ask({ method: "GET", path: "/healthz" })).toMatchObject({ status: 200, body: "ok" });
    expect((await ask({ method: "GET", path: "/version" })).body).toMatch(/^daybook-\d/);
    expect((await ask({ method: "GET", path: "/instance_name" })).body).toBe("daybook");
  });

  test("naming a component needs the admin key", async () => {
    const answer = await post("/api/query", { path: "lib:read", args: {}, componentPath: "events" });
    expect(answer.status).toBe(403);
  });

  test("S11 a crash shows its detail and log in development, and neither in production, which has no door of development", async () => {
    const call = { path: "notes:crash", args: {} };
    const open = await post("/api/query", call);
    expect(open.body).toMatch(/\[Request ID: [0-9a-f]{16}\] Server Error\\n.*internal detail/);
    expect(open.body).toContain("about to crash");
    const production = await hosts.start({
      DAYBOOK_ENV: "production",
      DAYBOOK_INVITATION_KEYS: `k1:${"a".repeat(64)}`,
      DAYBOOK_FINGERPRINT_KEY: "b".repeat(64),
      DAYBOOK_SEALING_KEYS: `s1:${"c".repeat(64)}`,
      DAYBOOK_DEPLOYMENT: "daybook.test",
      DAYBOOK_CHECKPOINT_KEYS: checkpointKey(1),
      DAYBOOK_AUTH_ISSUER: "https://issuer.example",
      DAYBOOK_AUTH_AUDIENCE: "daybook",
    });
    const action = await ask({ method: "GET", path: "/crash" }, production.siteUrl);
    expect(action.status).toBe(500);
    expect(action.body).not.toContain("internal detail");
    const closed = await ask({ path: "/api/query", body: JSON.stringify(call) }, production.url);
    expect(parsed(closed)).toEqual({
      status: "error",
      errorMessage: expect.stringMatching(/^\[Request ID: [0-9a-f]{16}\] Server Error$/) as string,
    });
    expect(production.adminKey).toBeNull();
    expect(production.developmentIssuer).toBeUndefined();
    expect((await ask({ path: "/dev/token", body: "{}" }, production.url)).status).toBe(404);
    await expect(
      new ConvexHttpClient(production.url, { logger: false }).mutation(refuse, {}),
    ).rejects.toMatchObject({ data: { code: "TEAPOT" } });
    const fromPage = { origin: "http://localhost:5173" };
    expect((await ask({ path: "/api/query", headers: fromPage, body: "{}" }, production.url)).status).toBe(
      403,
    );
  });
});

describe("the headers of a reply", () => {
  test("R67 no cache keeps it, no page shows it, and its type is what it says", async () => {
    const answers = [
      await post("/api/query", { path: "notes:list", args: {} }),
      await post("/api/query", "{"),
      await ask({ method: "GET", path: "/nothing" }),
      await ask({ method: "GET", path: "/version" }),
    ];
    for (const { headers } of answers) {
      expect(headers).toMatchObject({
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
        "referrer-policy": "no-referrer",
      });
      expect(headers["strict-transport-security"]).toBeUndefined();
      expect(headers["x-powered-by"]).toBeUndefined();
      expect(headers["server"]).toBeUndefined();
    }
  });

  test("a port that is reached by https says so for a year", async () => {
    const secure = await hosts.start({ DAYBOOK_API_URL: "https://api.example" });
    const { headers } = await ask({ method: "GET", path: "/version" }, secure.url);
    expect(headers["strict-transport-security"]).toBe("max-age=31536000");
    const site = await ask({ method: "GET", path: "/hello" }, secure.siteUrl);
    expect(site.headers["strict-transport-security"]).toBeUndefined();
  });
});

describe("pages of other origins", () => {
  const call = JSON.stringify({ path: "notes:list", args: {} });

  test.each([
    "https://evil.example",
    "null",
    "http://localhost.evil.example",
    "http://127.0.0.1.evil.example",
    "http://localhost:5173/",
    "HTTP://localhost:5173",
    "file://",
    "",
  ])("S01 %j may not call, nor preflight, nor open a socket", async (origin) => {
    const answer = await ask({ path: "/api/query", headers: { origin }, body: call });
    expect(answer.status).toBe(403);
    expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
    const before = await ask({ method: "OPTIONS", path: "/api/query", headers: { origin } });
    expect(before.status).toBe(403);
    expect(before.headers["access-control-allow-origin"]).toBeUndefined();
    await expect(RawClient.open(host, { headers: { origin } })).rejects.toThrow("403");
  });

  test("S01 loopback origins may in development, without credentials", async () => {
    const origin = "http://localhost:5173";
    const answer = await ask({ path: "/api/query", headers: { origin }, body: call });
    expect(answer.status).toBe(200);
    expect(answer.headers["access-control-allow-origin"]).toBe(origin);
    expect(answer.headers["access-control-allow-credentials"]).toBeUndefined();
    const before = await ask({ method: "OPTIONS", path: "/api/query", headers: { origin } });
    expect(before.status).toBe(204);
    expect(before.headers["access-control-allow-headers"]).toContain("authorization");
  });

  test("S01 the listed origins may, and only those: no sub-domain, no likeness, no other scheme or port", async () => {
    const strict = await hosts.start({ DAYBOOK_ALLOWED_ORIGINS: "https://app.example" });
    const from = async (origin: string): Promise<number> =>
      (await ask({ path: "/api/query", headers: { origin }, body: call }, strict.url)).status;
    expect(await from("https://app.example")).toBe(200);
    const alike = ["http://app.example", "https://app.example:8443", "https://app.example.evil.example"];
    for (const origin of [...alike, "https://evil.app.example", "https://notapp.example", "null"]) {
      expect([origin, await from(origin)]).toEqual([origin, 403]);
      await expect(RawClient.open(strict, { headers: { origin } })).rejects.toThrow("403");
    }
    expect(await from("http://localhost:5173")).toBe(403);
  });
});

describe("HTTP actions", () => {
  test("are served on the site's port and under /http, and nothing else is on the site", async () => {
    for (const url of [`${host.siteUrl}/hello`, `${host.url}/http/hello`]) {
      const response = await fetch(url);
      expect(await response.text()).toBe("hello");
      expect(response.headers.get("x-answer")).toBe("42");
      expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    }
    expect((await fetch(`${host.siteUrl}/nothing`)).status).toBe(404);
    expect((await fetch(`${host.siteUrl}/api/query_ts`, { method: "POST" })).status).toBe(404);
    expect((await fetch(`${host.siteUrl}/dev/token`, { method: "POST" })).status).toBe(404);
  });

  test("HEAD is answered by the GET route, TRACE by nobody", async () => {
    const head = await ask({ method: "HEAD", path: "/hello" }, host.siteUrl);
    expect([head.status, head.body, head.headers["x-answer"]]).toEqual([200, "", "42"]);
    expect((await ask({ method: "TRACE", path: "/hello" }, host.siteUrl)).status).toBe(405);
  });

  test("get the exact bytes, and an address that no Host header can change", async () => {
    const body = Buffer.from([0, 255, 13, 10, 128]);
    const { hostname, port } = new URL(host.siteUrl);
    const echoed = await new Promise<{ bytes: Buffer; url: unknown }>((resolve, reject) => {
      const headers = { host: "evil.example", "x-forwarded-host": "evil.example" };
      const sent = httpRequest({ hostname, port, method: "POST", path: "/echo?a=1", headers }, (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.on("end", () => {
          resolve({ bytes: Buffer.concat(parts), url: response.headers["x-url"] });
        });
      });
      sent.on("error", reject);
      sent.end(body);
    });
    expect(echoed).toEqual({ bytes: body, url: `${host.siteUrl}/echo?a=1` });
  });

  test("know the caller of a good token; another Authorization is theirs to read", async () => {
    const caller = async (authorization: string): Promise<string | null> => {
      const response = await fetch(`${host.siteUrl}/echo`, { method: "POST", headers: { authorization } });
      return response.headers.get("x-caller");
    };
    expect(await caller(`Bearer ${await tokenFor(host, "alice")}`)).toBe("alice");
    expect(await caller("Bearer forged.forged.forged")).toBe("nobody");
    expect(await caller(`Convex ${host.adminKey ?? ""}`)).toBe("nobody");
  });

  test("a body above 20 MiB never reaches the app", async () => {
    const body = Buffer.alloc(20 * 1024 * 1024 + 1);
    expect((await ask({ path: "/echo", body }, host.siteUrl)).status).toBe(413);
  });

  test("a response of 20 MiB is sent, and no larger one", async () => {
    const most = 20 * 1024 * 1024;
    const whole = await fetch(`${host.siteUrl}/large?length=${most}`);
    expect((await whole.arrayBuffer()).byteLength).toBe(most);
    const larger = await fetch(`${host.siteUrl}/large?length=${most + 1}`);
    expect([larger.status, await larger.json()]).toMatchObject([500, { code: "HttpResponseTooLarge" }]);
  });
});

test("the log names the failure in one line, without secrets", async () => {
  const client = new ConvexHttpClient(host.url, { logger: false });
  await expect(client.query(crash, {})).rejects.toThrow();
  await client.mutation(add, { text: host.adminKey ?? "" });
  for (const line of hosts.log) {
    expect(line.indexOf("\n")).toBe(line.length - 1);
    expect(line).not.toContain(host.adminKey?.split("|")[1]);
  }
});
