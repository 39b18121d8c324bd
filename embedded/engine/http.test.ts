import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ANYONE, openFixture, removeDataDirs, user, type TestEngine } from "./testing/testEngine.ts";

let host: TestEngine;

beforeAll(async () => {
  host = await openFixture("app", { redactErrors: true });
});

afterAll(async () => {
  await host.engine.close();
  removeDataDirs();
});

function send(method: string, path: string, body?: unknown, identity = ANYONE): Promise<Response | null> {
  const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
  return host.engine.httpAction(new Request(`http://host.example${path}`, init), identity, "request-1");
}

describe("HTTP actions", () => {
  test.each([
    ["/exact", "exact"],
    ["/exact?query=1", "exact"],
    ["/files/exact", "exact before prefix"],
    ["/files/images/a.png", "long prefix"],
    ["/files/a.txt", "short prefix"],
  ])("GET %s is answered by the %s route", async (path, text) => {
    expect(await (await send("GET", path))?.text()).toBe(text);
  });

  test.each([
    ["GET", "/nowhere"],
    ["POST", "/exact"],
    ["GET", "/exact/"],
    ["GET", "/files"],
  ])("%s %s has no route", async (method, path) => {
    expect(await send(method, path)).toBeNull();
  });

  test("HEAD is answered by GET, without its body", async () => {
    const response = await send("HEAD", "/exact");
    expect(response?.headers.get("x-route")).toBe("exact");
    expect(await response?.text()).toBe("");
  });

  test("read the body, run mutations and know the caller", async () => {
    const response = await send("POST", "/notes", { text: "posted" }, user("ann"));
    expect(response?.status).toBe(201);
    expect(await response?.json()).toMatchObject({ caller: "ann" });
    expect(await host.query("notes:texts", { room: "http" })).toEqual(["posted"]);
  });

  test("that throw answer 500 and say nothing in production", async () => {
    const response = await send("GET", "/crash");
    expect(response?.status).toBe(500);
    expect(await response?.json()).toEqual({
      code: "HttpActionFailed",
      message: "Server Error",
      requestId: "request-1",
    });
  });
});

test("identity providers are read with the functions' environment", () => {
  expect(host.engine.authProviders()).toEqual([
    { domain: "https://hello.example", applicationID: "fixture" },
  ]);
});
