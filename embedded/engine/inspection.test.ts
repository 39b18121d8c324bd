import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openFixture, removeDataDirs, type TestEngine } from "./testing/testEngine.ts";

let host: TestEngine;

beforeAll(async () => {
  host = await openFixture();
  for (let n = 0; n < 5; n += 1) await host.mutation("notes:append", { room: "a" });
});

afterAll(async () => {
  await host.engine.close();
  removeDataDirs();
});

async function idsOf(order: "asc" | "desc", limit: number): Promise<{ ids: string[]; pages: number }> {
  const ids: string[] = [];
  let cursor: string | null = null;
  for (let pages = 1; ; pages += 1) {
    const page = await host.engine.inspection.readTable(
      { componentPath: "", name: "notes" },
      { order, cursor, limit },
    );
    ids.push(...page.rows.map((row) => (JSON.parse(row) as { _id: string })._id));
    if (page.isDone) return { ids, pages };
    ({ cursor } = page);
  }
}

describe("a table", () => {
  test("is read page by page, every document once, in order of creation or against it", async () => {
    const forwards = await idsOf("asc", 2);
    expect(forwards).toMatchObject({ pages: 3 });
    expect(new Set(forwards.ids).size).toBe(5);
    expect(await idsOf("desc", 2)).toEqual({ ids: forwards.ids.toReversed(), pages: 3 });
    expect(await idsOf("asc", 5)).toEqual({ ids: forwards.ids, pages: 1 });
  });

  test("that does not exist, or is the engine's own, has no documents", async () => {
    for (const name of ["nothing", "_pending_jobs"]) {
      const page = await host.engine.inspection.readTable(
        { componentPath: "", name },
        { order: "asc", cursor: null, limit: 10 },
      );
      expect(page).toEqual({ rows: [], cursor: "", isDone: true });
    }
  });
});

describe("the running app", () => {
  test("is described with its components, functions, validators and folders", () => {
    const described = host.engine.inspection.components();
    expect(described.map((component) => component.path)).toEqual([
      "",
      "rateLimiter",
      "rateLimiter/batchWorker",
      "counter",
      "counter/tally",
      "otherCounter",
      "otherCounter/tally",
    ]);
    const [app] = described;
    expect(app?.folder).toBe(path.resolve(import.meta.dirname, "../fixtures/app/convex"));
    expect(app?.functions.find((entry) => entry.path === "notes:append")).toMatchObject({
      kind: "mutation",
      internal: false,
      args: { type: "object" },
    });
    const fingerprints = new Map(described.map((component) => [component.path, component.fingerprint]));
    expect(fingerprints.get("counter")).toBe(fingerprints.get("otherCounter"));
    expect(new Set(fingerprints.values()).size).toBe(5);
  });

  test("lists each component's own tables", () => {
    const { inspection } = host.engine;
    expect(inspection.tables("")).toContain("notes");
    expect(inspection.tables("counter")).not.toContain("notes");
    expect(inspection.tables("nobody")).toBeNull();
  });
});
