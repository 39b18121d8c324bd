import { createHash, randomBytes } from "node:crypto";
import { readdirSync, truncateSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import path from "node:path";
import { ConvexHttpClient } from "convex/browser";
import { makeFunctionReference } from "convex/server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestHosts } from "./hostForTests.ts";
import type { Host } from "./host.ts";

const FUNCTIONS_DIR = path.resolve(import.meta.dirname, "../fixtures/app/convex");
const APP = { functionsDir: FUNCTIONS_DIR, functionVariables: { GREETING: "hello" } };
const MEBIBYTE = 1 << 20;

const hosts = new TestHosts();
let host: Host;
let dataDir: string;
let client: ConvexHttpClient;

const uploadUrl = makeFunctionReference<"mutation", Record<string, never>, string>("files:uploadUrl");
const remove = makeFunctionReference<"mutation", { id: string }, null>("files:remove");
const url = makeFunctionReference<"query", { id: string }, string | null>("files:url");
const row = makeFunctionReference<"query", { id: string }, unknown>("files:row");

beforeAll(async () => {
  dataDir = hosts.folder();
  host = await hosts.start({ DATA_DIR: dataDir, DAYBOOK_UPLOAD_MIB_MAX: "2" }, APP);
  client = new ConvexHttpClient(host.url, { logger: false });
});

afterAll(async () => {
  await hosts.clean();
});

function sha256(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("base64");
}

function names(): string[] {
  return readdirSync(path.join(dataDir, "files"));
}

async function post(
  body: Uint8Array<ArrayBuffer> | string | ReadableStream,
  headers: Record<string, string> = {},
): Promise<{ status: number; answer: Record<string, unknown> }> {
  const response = await fetch(await client.mutation(uploadUrl, {}), {
    method: "POST",
    headers,
    body,
    ...(body instanceof ReadableStream ? { duplex: "half" } : {}),
  });
  return { status: response.status, answer: (await response.json()) as Record<string, unknown> };
}

async function uploaded(body: Uint8Array<ArrayBuffer> | string, type = "text/plain"): Promise<string> {
  const { status, answer } = await post(body, { "content-type": type });
  expect(status).toBe(200);
  return String(answer["storageId"]);
}

async function linkOf(body: Uint8Array<ArrayBuffer> | string, type?: string): Promise<string> {
  const link = await client.query(url, { id: await uploaded(body, type) });
  if (link === null) throw new Error("no URL");
  return link;
}

describe("a file", () => {
  test("goes up and comes down unchanged, with its type, length and hash", async () => {
    const bytes = new Uint8Array(randomBytes(MEBIBYTE + 17));
    const id = await uploaded(bytes, "image/png");
    expect(await client.query(row, { id })).toMatchObject({
      size: bytes.length,
      sha256: sha256(bytes),
      contentType: "image/png",
    });
    const link = (await client.query(url, { id })) ?? "";
    expect(link.startsWith(`${host.url}/api/storage/`)).toBe(true);
    const response = await fetch(link);
    expect(response.status).toBe(200);
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "image/png",
      "content-length": String(bytes.length),
      "accept-ranges": "bytes",
      "cache-control": "private, max-age=2592000",
      "content-disposition": "inline",
      digest: `sha-256=${sha256(bytes)}`,
      etag: `"${createHash("sha256").update(bytes).digest("hex")}"`,
      "x-content-type-options": "nosniff",
    });
    const head = await fetch(link, { method: "HEAD" });
    expect(await head.text()).toBe("");
    expect(head.headers.get("content-length")).toBe(String(bytes.length));
    expect(head.headers.get("digest")).toBe(`sha-256=${sha256(bytes)}`);
  });

  test("may be empty, of no type, and sent without a length", async () => {
    const empty = await post("", {});
    expect(empty.status).toBe(200);
    const streamed = await post(new Blob(["in pieces"]).stream());
    const id = String(streamed.answer["storageId"]);
    expect(await client.query(row, { id })).toMatchObject({ size: 9, contentType: null });
    const link = (await client.query(url, { id: String(empty.answer["storageId"]) })) ?? "";
    const response = await fetch(link, { headers: { range: "bytes=0-" } });
    expect([response.status, await response.text()]).toEqual([200, ""]);
  });

  test("is gone once deleted, bytes included", async () => {
    const before = names();
    const id = await uploaded("deleted");
    const link = (await client.query(url, { id })) ?? "";
    await client.mutation(remove, { id });
    expect((await fetch(link)).status).toBe(404);
    expect(await client.query(url, { id })).toBeNull();
    while (names().length > before.length) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(names().sort()).toEqual(before.sort());
  });

  test.each([
    ["text/html", "attachment"],
    ["image/svg+xml", "attachment"],
    ["application/pdf", "attachment"],
    ["application/xhtml+xml", "attachment"],
    ["text/plain;charset=utf-8", "inline"],
    ["video/mp4", "inline"],
  ])("of type %s is an %s, without script or origin", async (type, disposition) => {
    const response = await fetch(await linkOf("<script>alert(1)</script>", type));
    expect(response.headers.get("content-type")).toBe(type);
    expect(response.headers.get("content-disposition")).toBe(disposition);
    expect(response.headers.get("content-security-policy")).toMatch(/^default-src 'none';.*; sandbox$/);
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  });
});

describe("a part of a file", () => {
  let link: string;
  const text = "0123456789";

  beforeAll(async () => {
    link = await linkOf(text);
  });

  test.each([
    ["bytes=0-0", "0", "bytes 0-0/10"],
    ["bytes=3-5", "345", "bytes 3-5/10"],
    ["bytes=7-", "789", "bytes 7-9/10"],
    ["bytes=-4", "6789", "bytes 6-9/10"],
    ["bytes=-400", text, "bytes 0-9/10"],
    ["bytes=8-400", "89", "bytes 8-9/10"],
  ])("%s is %s", async (range, expected, contentRange) => {
    const response = await fetch(link, { headers: { range } });
    expect([response.status, await response.text()]).toEqual([206, expected]);
    expect(response.headers.get("content-range")).toBe(contentRange);
    expect(response.headers.get("content-length")).toBe(String(expected.length));
    expect(response.headers.get("digest")).toBeNull();
  });

  test.each(["bytes=0-1,4-5", "lines=1-2", "bytes=a-b", "bytes=5-3", "bytes=-", "nonsense"])(
    "%s is the whole file",
    async (range) => {
      const response = await fetch(link, { headers: { range } });
      expect([response.status, await response.text()]).toEqual([200, text]);
    },
  );

  test.each(["bytes=10-", "bytes=99-100", "bytes=-0"])("%s does not exist", async (range) => {
    const response = await fetch(link, { headers: { range } });
    expect(response.status).toBe(416);
    expect(response.headers.get("content-range")).toBe("bytes */10");
  });

  test("is only given of the file that the caller knows", async () => {
    const etag = (await fetch(link, { method: "HEAD" })).headers.get("etag") ?? "";
    const range = "bytes=0-1";
    expect((await fetch(link, { headers: { range, "if-range": etag } })).status).toBe(206);
    expect((await fetch(link, { headers: { range, "if-range": '"another"' } })).status).toBe(200);
    const known = await fetch(link, { headers: { "if-none-match": `"other", W/${etag}` } });
    expect([known.status, await known.text()]).toEqual([304, ""]);
    expect((await fetch(link, { headers: { "if-none-match": '"other"' } })).status).toBe(200);
  });
});

describe("an upload", () => {
  test("with the hash of its bytes is taken, with another's refused", async () => {
    const right = await post("body", { digest: `sha-256=${sha256("body")}` });
    expect(right.status).toBe(200);
    const before = names();
    const wrong = await post("body", { digest: `sha-256=${sha256("other")}` });
    expect(wrong).toMatchObject({ status: 400, answer: { code: "Sha256Mismatch" } });
    for (const digest of ["md5=abc", "sha-256=", "sha-256=dGVzdA==", "sha-256"]) {
      expect(await post("body", { digest })).toMatchObject({ status: 400, answer: { code: "BadHeader" } });
    }
    expect(names()).toEqual(before);
  });

  test("with a type that is none is refused", async () => {
    for (const type of ["text", "text/plain/x", "a b/c"]) {
      const refused = await post("body", { "content-type": type });
      expect(refused).toMatchObject({ status: 400, answer: { code: "BadHeader" } });
    }
  });

  test("needs a token of this host's", async () => {
    const before = names();
    const good = await client.mutation(uploadUrl, {});
    const statusOf = async (address: string, method = "POST"): Promise<unknown[]> => {
      const response = await fetch(address, { method, ...(method === "POST" ? { body: "x" } : {}) });
      const { code } = (await response.json()) as { code: string };
      return [response.status, code];
    };
    expect(await statusOf(`${good.slice(0, -3)}AAA`)).toEqual([401, "StorageTokenInvalid"]);
    expect(await statusOf(`${host.url}/api/storage/upload?token=x`)).toEqual([401, "StorageTokenInvalid"]);
    expect(await statusOf(`${host.url}/api/storage/upload`)).toEqual([400, "BadRequest"]);
    expect(await statusOf(good, "GET")).toEqual([405, "MethodNotAllowed"]);
    expect(names()).toEqual(before);
  });

  test("beyond the limit is refused, whether it says its length or not, and leaves nothing", async () => {
    const before = names();
    const exact = new Uint8Array(2 * MEBIBYTE);
    const larger = new Uint8Array(2 * MEBIBYTE + 1);
    expect((await post(larger)).status).toBe(413);
    expect((await post(new Blob([larger]).stream())).status).toBe(413);
    expect(names()).toEqual(before);
    expect((await post(exact)).status).toBe(200);
    expect((await post(new Blob([exact]).stream())).status).toBe(200);
  });

  test("that is cut off leaves nothing", async () => {
    const before = names();
    const { hostname, port, pathname, search } = new URL(await client.mutation(uploadUrl, {}));
    const socket = connect(Number(port), hostname);
    socket.write(`POST ${pathname}${search} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n`);
    socket.write(Buffer.alloc(300_000, "x"));
    while (names().length === before.length) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(names().find((name) => !before.includes(name))).toMatch(/\.part$/);
    socket.destroy();
    while (names().length > before.length) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(names()).toEqual(before);
  });
});

describe("a web page", () => {
  async function asked(
    method: string,
    address: string,
    headers: Record<string, string>,
  ): Promise<{ status: number; headers: Record<string, unknown> }> {
    return await new Promise((resolve, reject) => {
      const sent = httpRequest(address, { method, headers }, (response) => {
        response.resume();
        response.on("end", () => {
          resolve({ status: response.statusCode ?? 0, headers: response.headers });
        });
      });
      sent.on("error", reject);
      sent.end(method === "POST" ? "from a page" : undefined);
    });
  }

  test("of an allowed origin uploads and downloads, of another does not", async () => {
    const link = await linkOf("for pages");
    const target = await client.mutation(uploadUrl, {});
    const origin = "http://localhost:5173";
    const preflight = await asked("OPTIONS", target, { origin, "access-control-request-method": "POST" });
    expect(preflight).toMatchObject({ status: 204, headers: { "access-control-allow-origin": origin } });
    expect(preflight.headers["access-control-allow-headers"]).toContain("digest");
    for (const [method, address] of [
      ["POST", target],
      ["GET", link],
    ] as const) {
      const answer = await asked(method, address, { origin });
      expect(answer).toMatchObject({ status: 200, headers: { "access-control-allow-origin": origin } });
      expect((await asked(method, address, { origin: "https://evil.example" })).status).toBe(403);
    }
    const exposed = (await asked("GET", link, { origin })).headers["access-control-expose-headers"];
    expect(exposed).toContain("digest");
  });

  test("without an origin header, as in an image tag, downloads", async () => {
    expect((await asked("GET", await linkOf("image"), {})).status).toBe(200);
  });
});

test("a file whose bytes are damaged on disk is an error that the log explains", async () => {
  const before = names();
  const link = await linkOf("damaged later");
  const name = names().find((one) => !before.includes(one)) ?? "";
  truncateSync(path.join(dataDir, "files", name), 3);
  expect((await fetch(link)).status).toBe(500);
  expect(hosts.log.join("\n")).toContain("a stored file has 3 bytes instead of 13");
});

test("functions give out the public address where one is set", async () => {
  const behind = await hosts.start({ DAYBOOK_API_URL: "https://api.example" }, APP);
  const there = new ConvexHttpClient(behind.url, { logger: false });
  const target = new URL(await there.mutation(uploadUrl, {}));
  expect(target.origin).toBe("https://api.example");
  const response = await fetch(`${behind.url}${target.pathname}${target.search}`, {
    method: "POST",
    body: "x",
  });
  const { storageId } = (await response.json()) as { storageId: string };
  expect(await there.query(url, { id: storageId })).toMatch(/^https:\/\/api\.example\/api\/storage\//);
});

test("addresses that are none of files do not exist", async () => {
  for (const name of ["", "x", "..%2Fdaybook.sqlite", "00000000-0000-4000-8000-000000000000", "a/b"]) {
    const response = await fetch(`${host.url}/api/storage/${name}`);
    expect([name, response.status]).toEqual([name, 404]);
  }
});

test("tokens and keys of files are not in the log", async () => {
  const target = await client.mutation(uploadUrl, {});
  const response = await fetch(target, { method: "POST", body: "logged" });
  const { storageId } = (await response.json()) as { storageId: string };
  const link = (await client.query(url, { id: storageId })) ?? "";
  await fetch(link);
  await fetch(`${link.slice(0, -1)}x`);
  const log = hosts.log.join("\n");
  expect(log).toContain("/api/storage/*");
  expect(log).not.toContain(new URL(target).searchParams.get("token"));
  expect(log).not.toContain(link.split("/").at(-1));
});
