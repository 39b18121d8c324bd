/** The push API as a client other than the CLI may use it, or abuse it. */
import { brotliCompressSync, constants } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openAnalysisEndpoint, type AnalysisEndpoint } from "./analysisEndpoint.ts";

const ADDRESSES = [
  ["POST", "/api/get_config_hashes"],
  ["POST", "/api/deploy2/start_push"],
  ["POST", "/api/deploy2/evaluate_push"],
  ["POST", "/api/deploy2/evaluate_schema"],
  ["POST", "/api/deploy2/wait_for_schema"],
  ["POST", "/api/deploy2/finish_push"],
  ["POST", "/api/deploy2/report_push_completed"],
  ["POST", "/api/update_environment_variables"],
  ["GET", "/api/stream_function_logs"],
  ["GET", "/api/v1/get_canonical_urls"],
] as const;

const FAST = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } };

let endpoint: AnalysisEndpoint;
const reported: unknown[] = [];

beforeAll(async () => {
  endpoint = await openAnalysisEndpoint({ GREETING: "hello" }, (_message, error) => reported.push(error));
});

afterAll(async () => {
  await endpoint.close();
  expect(reported).toEqual([]);
});

async function send(
  method: string,
  address: string,
  headers: Record<string, string>,
  body?: string | Uint8Array<ArrayBuffer>,
): Promise<Response> {
  const init = { method, headers: { "content-type": "application/json", ...headers } };
  return await fetch(`${endpoint.url}${address}`, body === undefined ? init : { ...init, body });
}

type Source = { path: string; source: string; environment: "isolate" | "node" };

function module(path: string, source: string): Source {
  return { path, source, environment: "isolate" };
}

function pushOf(modules: Source[], more: { schema?: Source } = {}): object {
  const appDefinition = {
    definition: null,
    dependencies: [],
    schema: more.schema ?? null,
    changedModules: modules,
    unchangedModuleHashes: [],
    udfServerVersion: "1.48.0",
  };
  return { adminKey: "unused", dryRun: false, functions: "convex/", appDefinition, componentDefinitions: [] };
}

type Answer = {
  message?: string;
  code?: string;
  analysis?: Record<string, { functions: Record<string, { functions: { name: string }[] }> }>;
};

async function startPush(push: object): Promise<{ status: number; answer: Answer }> {
  const headers = { authorization: `Convex ${endpoint.adminKey}`, "content-encoding": "br" };
  const body = new Uint8Array(brotliCompressSync(JSON.stringify(push)));
  const response = await send("POST", "/api/deploy2/start_push", headers, body);
  return { status: response.status, answer: (await response.json()) as Answer };
}

/** A module whose functions are named by an expression, so that the answer tells its value. */
function telling(expression: string): Source {
  return module(
    "tell.js",
    `const f = { isQuery: true, exportArgs: () => '{"type":"any"}', exportReturns: () => "null" };
     export { f as query };
     throw new Error("told: " + String(${expression}));`,
  );
}

async function told(expression: string): Promise<string> {
  const { status, answer } = await startPush(pushOf([telling(expression)]));
  expect(status).toBe(400);
  return /told: (.*)$/s.exec(answer.message ?? "")?.[1] ?? `not told: ${answer.message ?? ""}`;
}

describe.each(ADDRESSES)("%s %s", (method, address) => {
  test("answers 401 without the admin key, and 403 to another one", async () => {
    expect((await send(method, address, {})).status).toBe(401);
    for (const authorization of ["Convex wrong", "Bearer wrong", "wrong"]) {
      expect((await send(method, address, { authorization })).status).toBe(403);
    }
  });

  test("answers no web page, not even one of this machine, and allows it nothing", async () => {
    const authorization = `Convex ${endpoint.adminKey}`;
    const refused = await send(method, address, { authorization, origin: "http://localhost:3000" });
    const preflight = await send("OPTIONS", address, { origin: "http://localhost:3000" });
    expect([refused.status, preflight.status]).toEqual([403, 405]);
    for (const { headers } of [refused, preflight]) {
      expect(headers.get("access-control-allow-origin")).toBeNull();
    }
  });
});

describe("a pushed module", () => {
  test("is analysed from its own bundle, chunks included", async () => {
    const { status, answer } = await startPush(
      pushOf([
        module("dir/notes.js", 'import { make } from "../_deps/CHUNK.js"; export const list = make();'),
        module(
          "_deps/CHUNK.js",
          `export const make = () => ({ isQuery: true, isPublic: true,
             exportArgs: () => '{"type":"any"}', exportReturns: () => "null" });`,
        ),
      ]),
    );
    expect(status).toBe(200);
    expect(answer.analysis?.[""]).toMatchObject({
      definition: {
        exports: {
          type: "branch",
          branch: [
            [
              "dir",
              {
                branch: [
                  ["notes", { branch: [["list", { leaf: "_reference/function/dir/notes.js:list" }]] }],
                ],
              },
            ],
          ],
        },
      },
      functions: {
        "dir/notes.js": {
          functions: [
            {
              name: "list",
              udfType: "Query",
              visibility: { kind: "public" },
              args: '{"type":"any"}',
              returns: null,
            },
          ],
        },
      },
    });
  });

  test("sees the functions' environment, and nothing of the host's", async () => {
    expect(await told("JSON.stringify(process)")).toBe('{"env":{"GREETING":"hello"}}');
    for (const name of ["Buffer", "global", "WebSocket", "SharedWorker"]) {
      expect([name, await told(`typeof ${name}`)]).toEqual([name, "undefined"]);
    }
    for (const reach of [
      'console.log.constructor("return typeof process.version")()',
      'this?.constructor.constructor("return 1")()',
      'eval("1")',
    ]) {
      expect(
        await told(`(() => { try { return ${reach} } catch (error) { return error.name } })()`),
      ).not.toBe("1");
    }
    expect(await told("fetch('http://127.0.0.1')")).toContain("not told");
  });

  test("reads no file: an import is part of the push, or refused", async () => {
    for (const path of ["node:fs", "/etc/hostname", "../../package.json", "convex/server", "./missing.js"]) {
      const { status, answer } = await startPush(pushOf([module("a.js", `import "${path}"; export {};`)]));
      expect([path, status, answer.code]).toEqual([path, 400, "InvalidModules"]);
      expect(answer.message).toContain("is not part of the push");
    }
  });

  test("that never ends is stopped, and the endpoint goes on", async () => {
    const { status, answer } = await startPush(pushOf([module("loop.js", "for (;;);")]));
    expect([status, answer.message]).toEqual([400, "loading the pushed code took longer than 5 s"]);
    expect((await startPush(pushOf([]))).status).toBe(200);
  });

  test("that takes all memory is stopped, and the endpoint goes on", async () => {
    const greedy = "const kept = []; for (;;) kept.push(new Array(1e6).fill(kept.length));";
    expect((await startPush(pushOf([module("greedy.js", greedy)]))).status).toBe(400);
    expect((await startPush(pushOf([]))).status).toBe(200);
  });
});

describe("a body", () => {
  test("that is no push, or no brotli, is refused", async () => {
    expect((await startPush({ appDefinition: null })).status).toBe(400);
    const headers = { authorization: `Convex ${endpoint.adminKey}`, "content-encoding": "br" };
    expect((await send("POST", "/api/deploy2/start_push", headers, "{}")).status).toBe(400);
  });

  test("that grows beyond bounds when decompressed is refused", async () => {
    const headers = { authorization: `Convex ${endpoint.adminKey}`, "content-encoding": "br" };
    const bomb = new Uint8Array(brotliCompressSync(Buffer.alloc(129 * 1024 * 1024, 0x20), FAST));
    expect(bomb.byteLength).toBeLessThan(100_000);
    const refused = await send("POST", "/api/deploy2/start_push", headers, bomb);
    expect(refused.status).toBe(400);
    expect(((await refused.json()) as Answer).message).toContain("too large");
  });
});
