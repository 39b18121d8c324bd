/** The identity provider of development: whom it answers, and what it signs. */
import { decodeJwt } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ask as askUrl, parsed, type Answer, type Asked } from "./askForTests.ts";
import { TestHosts, tokenFor } from "./hostForTests.ts";
import type { Host } from "./host.ts";

const hosts = new TestHosts();
let host: Host;

beforeAll(async () => {
  host = await hosts.start();
});
afterAll(async () => {
  await hosts.clean();
});

async function ask(asked: Asked): Promise<Answer> {
  return await askUrl(asked, host.url);
}

const path = "/dev/token";
const headers = { "content-type": "application/json" };
const body = '{"user":"alice"}';
const port = (): string => new URL(host.url).port;

test("signs a token for the user and organisation asked for", async () => {
  const claims = decodeJwt(await tokenFor(host, "alice", "org_01ARZ3NDEKTSV4RRFFQ69G5FAV"));
  expect(claims).toMatchObject({
    iss: `${host.url}/dev`,
    sub: "alice",
    aud: "daybook-development",
    daybook_org: "org_01ARZ3NDEKTSV4RRFFQ69G5FAV",
  });
  expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(3600);
  expect(decodeJwt(await tokenFor(host, "alice"))).not.toHaveProperty("daybook_org");
});

test("writes the organisation to the claim that the functions read", async () => {
  const other = await hosts.start({ DAYBOOK_ORG_CLAIM: "tenant" });
  expect(decodeJwt(await tokenFor(other, "alice", "org_1"))).toMatchObject({ tenant: "org_1" });
});

test("is discoverable, and shows no private key", async () => {
  const found = await ask({ method: "GET", path: "/dev/.well-known/openid-configuration" });
  expect(parsed(found)).toMatchObject({ issuer: `${host.url}/dev` });
  const { jwks_uri: keySet } = parsed(found) as { jwks_uri: string };
  const { keys } = (await (await fetch(keySet)).json()) as { keys: Record<string, unknown>[] };
  expect(keys).toHaveLength(1);
  expect(keys[0]).toMatchObject({ kty: "EC", crv: "P-256", alg: "ES256" });
  expect(keys[0]).not.toHaveProperty("d");
});

test("answers loopback names only (DNS rebinding)", async () => {
  const names = ["127.0.0.1", "localhost", "[::1]", "LOCALHOST"];
  for (const name of names) {
    const answer = await ask({ path, headers: { ...headers, host: `${name}:${port()}` }, body });
    expect([name, answer.status]).toEqual([name, 200]);
  }
  const refused = [
    "evil.example",
    `evil.example:${port()}`,
    "127.0.0.1",
    "localhost:1",
    `127.0.0.1.evil:${port()}`,
  ];
  for (const name of refused) {
    const answer = await ask({ path, headers: { ...headers, host: name }, body });
    expect([name, answer.status]).toEqual([name, 403]);
    const document = { method: "GET", path: "/dev/.well-known/jwks.json", headers: { host: name } };
    expect((await ask(document)).status).toBe(403);
  }
});

test("answers no other origin and no preflight, and never sends CORS headers", async () => {
  for (const origin of [
    "https://evil.example",
    "null",
    "http://localhost:5173",
    `https://127.0.0.1:${port()}`,
  ]) {
    const answer = await ask({ path, headers: { ...headers, origin }, body });
    expect([origin, answer.status]).toEqual([origin, 403]);
    expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
  }
  const same = await ask({ path, headers: { ...headers, origin: host.url }, body });
  expect(same.status).toBe(200);
  expect(same.headers["access-control-allow-origin"]).toBeUndefined();
  const before = await ask({ method: "OPTIONS", path, headers: { origin: host.url } });
  expect(before.status).toBe(405);
  expect(before.headers["access-control-allow-origin"]).toBeUndefined();
});

test("takes JSON only, as a form could not send it", async () => {
  const types = [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "application/jsonp",
  ];
  for (const type of types) {
    expect((await ask({ path, headers: { "content-type": type }, body })).status).toBe(415);
  }
  expect((await ask({ path, body })).status).toBe(415);
  expect((await ask({ method: "GET", path })).status).toBe(405);
});

test.each([
  ['{"user":"alice","role":"owner"}', 400],
  ['{"user":"alice","__proto__":{}}', 400],
  ['{"user":""}', 400],
  ['{"user":"a b"}', 400],
  [`{"user":"${"a".repeat(129)}"}`, 400],
  [`{"user":"alice","orgId":"${"x".repeat(201)}"}`, 400],
  ['{"user":"alice","orgId":null}', 400],
  ["{}", 400],
  ["null", 400],
  [`{"user":"alice"${" ".repeat(4096)}}`, 413],
])("the body %s is answered %i", async (text, status) => {
  expect((await ask({ path, headers, body: text })).status).toBe(status);
});
