import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { containing } from "./testing/matchers.ts";
import {
  ADMIN,
  callOf,
  messageOf,
  openFixture,
  removeDataDirs,
  type TestEngine,
} from "./testing/testEngine.ts";

let development: TestEngine;
let production: TestEngine;

beforeAll(async () => {
  development = await openFixture();
  production = await openFixture("app", { redactErrors: true });
});

afterAll(async () => {
  await development.engine.close();
  await production.engine.close();
  removeDataDirs();
});

describe("a failed call", () => {
  test("in production says nothing of a plain error; the log says all", async () => {
    const outcome = await production.engine.mutation(callOf("notes:fail", { how: "s3cret" }));
    expect(outcome).toMatchObject({ ok: false, message: "Server Error", logLines: [] });
    expect(
      JSON.stringify(outcome, (_key, value: unknown) => (typeof value === "bigint" ? "" : value)),
    ).not.toContain("s3cret");
    const record = production.logged.find(({ message }) => message.includes("the secret is s3cret"));
    expect(record).toMatchObject({ level: "error", function: "notes:fail", requestId: "test-request" });
    expect(record?.["stack"]).toEqual(containing("the secret is s3cret"));
  });

  test("in development says what was thrown and what was logged", async () => {
    expect(await development.engine.mutation(callOf("notes:fail", { how: "x" }))).toMatchObject({
      message: "Uncaught Error: the secret is x",
      logLines: ["[LOG] 'about to fail' { how: 'x' }"],
    });
  });

  test("carries a ConvexError's data everywhere", async () => {
    for (const host of [development, production]) {
      expect(await host.engine.mutation(callOf("notes:fail", { how: "convex" }))).toMatchObject({
        ok: false,
        message: containing("Uncaught ConvexError:"),
        errorData: { code: "NOPE", detail: { $integer: "BwAAAAAAAAA=" } },
      });
    }
  });

  test("reaches an action with its message and data", async () => {
    expect(await production.action("calls:fromAction", { how: "convex" })).toMatchObject({
      data: { code: "NOPE", detail: 7n },
    });
    expect(await production.action("calls:fromAction", { how: "x" })).toEqual({
      message: "Uncaught Error: the secret is x",
      data: null,
    });
  });

  test("over its arguments says so, in production too", async () => {
    expect(messageOf(await production.engine.query(callOf("notes:texts", { room: 1 })))).toBe(
      "ArgumentValidationError: Value does not match validator.\nPath: .room\nValue: 1.0\nValidator: v.string()",
    );
  });

  test("over its arguments leaves the caller's values out of the log", async () => {
    await production.engine.query(callOf("notes:texts", { room: { address: "12 Private Lane" } }));
    const logged = JSON.stringify(production.logged);
    expect(logged).toContain("ArgumentValidationError: Value does not match validator.");
    expect(logged).not.toContain("Private Lane");
  });

  test("over its return value is the function's own fault, and hidden in production", async () => {
    expect(messageOf(await development.engine.query(callOf("notes:wrongReturn")))).toContain(
      "ReturnsValidationError",
    );
    expect(messageOf(await production.engine.query(callOf("notes:wrongReturn")))).toBe("Server Error");
  });
});

describe("a call of what callers may not name", () => {
  test("an internal function answers as if it did not exist", async () => {
    const internal = messageOf(await production.engine.mutation(callOf("notes:clear", { room: "x" })));
    const missing = messageOf(await production.engine.mutation(callOf("notes:nothing", { room: "x" })));
    expect(internal).toBe(missing.replace("notes:nothing", "notes:clear"));
    expect(messageOf(await production.engine.run(callOf("notes:clear", { room: "x" })))).toBe(internal);
    expect(await production.mutation("notes:clear", { room: "x" }, { identity: ADMIN })).toBe(0);
  });

  test("a function of another kind is refused", async () => {
    expect(messageOf(await production.engine.query(callOf("notes:add", { room: "x", text: "x" })))).toBe(
      "Trying to execute notes:add as Query, but it is defined as Mutation.",
    );
  });

  test("any kind runs through `run`", async () => {
    const add = await production.engine.run(callOf("notes:add", { room: "run", text: "x" }));
    expect(add.ok).toBe(true);
    const texts = await production.engine.run(callOf("notes.js:texts", { room: "run" }));
    expect(texts).toMatchObject({ ok: true, value: '["x"]' });
  });

  test("files with several dots, unknown modules and prototype names are no functions", async () => {
    for (const path of ["draft.old:broken", "draft:broken", "__proto__:toString", "constructor:name", ""]) {
      expect(messageOf(await production.engine.query(callOf(path)))).toContain(
        "Could not find public function",
      );
    }
  });
});

describe("arguments of a function that takes anything", () => {
  test("reach it untouched", async () => {
    const args = {
      n: 1.5,
      i: 7n,
      list: [null, true],
      bytes: new Uint8Array([1, 2]).buffer,
      o: { constructor: "x" },
    };
    expect(await development.query("notes:echo", args)).toEqual({ args, polluted: false });
  });

  test.each(['{"__proto__":{"polluted":true}}', '{"a":{"__proto__":{}}}', '{"$where":1}', "[]", "1"])(
    "%s does not",
    async (args) => {
      const outcome = await development.engine.query({ ...callOf("notes:echo"), args });
      expect(messageOf(outcome)).toContain("Invalid arguments");
    },
  );
});

describe("what the host leaves out", () => {
  test.each([
    ["query", "unsupported:search", "Full text search"],
    ["action", "unsupported:vectors", "Vector search"],
    ["action", "nodeTask:readFile", '"use node"'],
  ] as const)("%s %s answers that %s is not supported", async (kind, path, feature) => {
    const message = messageOf(await development.engine[kind](callOf(path)));
    expect(message).toContain(feature);
    expect(message).toContain("is not supported by the embedded host");
  });
});

test("imports from outside of the folder are bundled", async () => {
  expect(await development.query("shared:outside")).toBe("bundled from outside of the folder");
});
