import { describe, expect, test } from "vitest";
import { createLog, type LogLevel, type LogOptions, type LogRecord } from "./logging.ts";

const SECRET = "5ec2e7".repeat(8);
const TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl";
const HOSTILE = 'first\nsecond\r\u2028third\u001b[2J\u0085\u202e"}\n{"level":"error"';

function linesOf(
  format: LogOptions["format"],
  records: readonly LogRecord[],
  level: LogLevel = "debug",
): string[] {
  const lines: string[] = [];
  const log = createLog({ level, format, secrets: [SECRET, ""], write: (line) => lines.push(line) });
  for (const record of records) log(record);
  return lines;
}

function lineOf(format: LogOptions["format"], record: LogRecord): string {
  const lines = linesOf(format, [record]);
  expect(lines).toHaveLength(1);
  return lines[0] ?? "";
}

test("production writes JSON with time, level, component, request id and the fields", () => {
  const line = lineOf("json", {
    level: "warn",
    component: "http",
    message: "100%d done",
    requestId: "abc",
    size: 7n,
    error: Object.assign(new Error("no"), { code: "EBAD" }),
  });
  const record = JSON.parse(line) as Record<string, unknown>;
  expect(Object.keys(record)).toEqual([
    "level",
    "time",
    "component",
    "requestId",
    "size",
    "error",
    "message",
  ]);
  expect(record).toMatchObject({
    level: "warn",
    component: "http",
    message: "100%d done",
    requestId: "abc",
    size: "7",
    error: { name: "Error", message: "no", code: "EBAD", stack: expect.stringContaining("at ") as string },
  });
  expect(String(record["time"])).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});

test("development writes what people read", () => {
  const line = lineOf("people", {
    level: "info",
    component: "http",
    message: "a request",
    status: 404,
    route: "/x y",
  });
  expect(line).toMatch(/^\d\d:\d\d:\d\d\.\d{3} info  http: a request status=404 route="\/x y"\n$/);
});

describe.each(["json", "people"] as const)("as %s", (format) => {
  test("a record is one line without control characters, whatever is in it", () => {
    const line = lineOf(format, {
      level: "info",
      component: "functions",
      message: HOSTILE,
      [HOSTILE]: HOSTILE,
      error: new Error(HOSTILE),
    });
    expect(line.endsWith("\n")).toBe(true);
    expect(line.slice(0, -1)).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\u202e]/u);
    if (format === "json")
      expect(JSON.parse(line)).toMatchObject({ level: "info", message: HOSTILE, [HOSTILE]: HOSTILE });
  });

  test("a known secret never appears, wherever it stands", () => {
    const line = lineOf(format, {
      level: "error",
      component: SECRET,
      message: `a ${SECRET}`,
      nested: { list: [`k1:${SECRET}`], [SECRET]: 1 },
      error: new Error(SECRET, { cause: new Error(SECRET) }),
    });
    expect(line).not.toContain(SECRET);
    expect(line).toContain("[redacted]");
  });

  test("no token and no credentials, by their form or by the name of their field", () => {
    const line = lineOf(format, {
      level: "warn",
      component: "http",
      message: `Bearer ${TOKEN}, ${TOKEN} and Convex dev|0123456789abcdef0123`,
      headers: { authorization: "opaque-1", Cookie: "opaque-2", "set-cookie": ["opaque-3"], accept: "kept" },
      deep: { token: "opaque-4", adminKey: "opaque-5" },
    });
    expect(line).not.toMatch(/eyJ|0123456789abcdef|opaque/);
    expect(line).toContain("kept");
  });

  test("what can't be written takes nothing else down", () => {
    const circular: Record<string, unknown> = {};
    circular["self"] = circular;
    expect(lineOf(format, { level: "info", component: "functions", message: "kept", circular })).toContain(
      "kept",
    );
    const long = lineOf(format, { level: "info", component: "functions", message: "x".repeat(1_000_000) });
    expect(long.length).toBeLessThan(20_000);
  });
});

test.each([
  ["debug", 4],
  ["info", 3],
  ["warn", 2],
  ["error", 1],
] as const)("the level %s writes %i of the four", (level, count) => {
  const records = (["debug", "info", "warn", "error"] as const).map((one) => ({
    level: one,
    component: "host",
    message: "m",
  }));
  expect(linesOf("json", records, level)).toHaveLength(count);
});
