import { describe, expect, test } from "vitest";
import { FunctionLogs } from "./functionLogs.ts";

const NEVER = new AbortController().signal;

function logs(): FunctionLogs {
  return new FunctionLogs(({ path }) => (path.startsWith("GET") ? "httpAction" : "mutation"));
}

function line(text: string, path = "notes:add"): Parameters<FunctionLogs["take"]>[0] {
  return { level: "info", message: text, function: path, component: "", requestId: "r1" };
}

async function textsAfter(of: FunctionLogs, cursor: number): Promise<(string | undefined)[]> {
  return (await of.after(cursor, NEVER)).entries.map(({ logLines }) => logLines[0]?.messages[0]);
}

describe("the function logs", () => {
  test("keep the newest entries, each read once by a reader that follows the cursor", async () => {
    const kept = logs();
    for (let n = 0; n < 1_200; n += 1) kept.take(line(`[LOG] ${n}`));
    const first = await kept.after(0, NEVER);
    expect(first.entries).toHaveLength(1_000);
    expect(first.entries[0]?.logLines[0]?.messages).toEqual(["200"]);
    kept.take(line("[WARN] more"));
    const next = await kept.after(first.newCursor, NEVER);
    expect(next.entries).toMatchObject([{ logLines: [{ level: "WARN", messages: ["more"] }] }]);
  });

  test("make a reader that is up to date wait for the next entry", async () => {
    const waiting = logs();
    const { newCursor } = await waiting.after(0, NEVER);
    const next = textsAfter(waiting, newCursor);
    waiting.take(line("[LOG] at last"));
    expect(await next).toEqual(["at last"]);
  });

  test("let every reader go when they close, and one that is gone", async () => {
    const closing = logs();
    const { newCursor } = await closing.after(0, NEVER);
    const gone = new AbortController();
    const left = closing.after(newCursor, gone.signal);
    const waiting = closing.after(newCursor, NEVER);
    gone.abort();
    expect((await left).entries).toEqual([]);
    closing.close();
    expect((await waiting).entries).toEqual([]);
    expect((await closing.after(newCursor, NEVER)).entries).toEqual([]);
  });

  test("tell failures, successes and HTTP actions apart, and leave out the engine's own records", async () => {
    const mixed = logs();
    mixed.take({ level: "info", message: "the engine is open" });
    mixed.take({ ...line("Uncaught Error: no"), kind: "mutation" });
    mixed.take(line("[LOG] pong", "GET /ping"));
    mixed.completed({ component: "tally", path: "marks:make" }, "mutation", "r2", 1_500);
    expect((await mixed.after(0, NEVER)).entries).toMatchObject([
      { kind: "Completion", udfType: "Mutation", identifier: "notes:add", error: "Uncaught Error: no" },
      { kind: "Progress", udfType: "HttpAction", identifier: "GET /ping" },
      { kind: "Completion", identifier: "tally/marks:make", componentPath: "tally", executionTime: 1.5 },
    ]);
  });
});
