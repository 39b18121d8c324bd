import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Identity, QueryResult } from "./contract.ts";
import {
  ANYONE,
  callOf,
  openFixture,
  removeDataDirs,
  user,
  valueOf,
  type TestEngine,
} from "./testing/testEngine.ts";

type Page = { page: string[]; isDone: boolean; continueCursor: string; splitCursor: string | null };

let host: TestEngine;

beforeAll(async () => {
  host = await openFixture();
});

afterAll(async () => {
  await host.engine.close();
  removeDataDirs();
});

async function page(room: string, options: Record<string, unknown>): Promise<Page> {
  return (await host.query("notes:page", { room, paginationOpts: options as never })) as Page;
}

async function cursorOf(functionPath: string, identity: Identity): Promise<string> {
  const paginationOpts = { numItems: 1, cursor: null };
  const first = await host.query(functionPath, { room: "other", paginationOpts }, { identity });
  return (first as Page).continueCursor;
}

async function fill(room: string, count: number): Promise<void> {
  for (let position = 0; position < count; position += 1) {
    await host.mutation("notes:add", { room, text: `${room} ${position}` });
  }
}

describe("pages", () => {
  test("follow one another without overlap or gap", async () => {
    await fill("pages", 7);
    const seen: string[] = [];
    let cursor: string | null = null;
    for (;;) {
      const next: Page = await page("pages", { numItems: 3, cursor });
      seen.push(...next.page);
      cursor = next.continueCursor;
      if (next.isDone) break;
    }
    expect(seen).toEqual(Array.from({ length: 7 }, (_, position) => `pages ${position}`));
    expect(await page("pages", { numItems: 3, cursor })).toMatchObject({ page: [], isDone: true });
  });

  test("with an end cursor hold everything up to it and offer a place to split", async () => {
    await fill("ends", 4);
    const { continueCursor } = await page("ends", { numItems: 4, cursor: null });
    await fill("ends", 4);
    const fixed = await page("ends", { numItems: 1, cursor: null, endCursor: continueCursor });
    expect(fixed.page).toHaveLength(4);
    expect(fixed.continueCursor).toBe(continueCursor);
    const { splitCursor } = fixed;
    const first = await page("ends", { numItems: 1, cursor: null, endCursor: splitCursor });
    const second = await page("ends", { numItems: 1, cursor: splitCursor, endCursor: continueCursor });
    expect([...first.page, ...second.page]).toEqual(fixed.page);
  });

  test("stop at the number of rows that may be read", async () => {
    await fill("rows", 5);
    const first = await page("rows", { numItems: 5, cursor: null, maximumRowsRead: 2 });
    expect(first).toMatchObject({ page: ["rows 0", "rows 1"], isDone: false });
    const rest = await page("rows", { numItems: 5, cursor: first.continueCursor });
    expect(rest.page).toEqual(["rows 2", "rows 3", "rows 4"]);
  });

  test("keep their bounds when a live query runs again, here and after a reconnect", async () => {
    await fill("journal", 2);
    const call = callOf("notes:page", { room: "journal", paginationOpts: { numItems: 2, cursor: null } });
    const subscription = host.engine.subscribe(() => undefined);
    subscription.add(1, { call, journal: null });
    const before = (await subscription.refresh()).results.get(1) as QueryResult;
    const [first] = (await host.query("notes:list", { room: "journal" })) as { _id: string }[];
    await host.mutation("notes:remove", { id: first?._id ?? "" });
    await fill("journal", 2);
    const after = (await subscription.refresh()).results.get(1) as QueryResult;
    expect((valueOf(after.outcome) as Page).page).toEqual(["journal 1"]);
    subscription.add(2, { call, journal: before.journal });
    subscription.add(3, { call, journal: null });
    const { results } = await subscription.refresh();
    expect((valueOf((results.get(2) as QueryResult).outcome) as Page).page).toEqual(["journal 1"]);
    expect((valueOf((results.get(3) as QueryResult).outcome) as Page).page).toEqual([
      "journal 1",
      "journal 0",
    ]);
    subscription.close();
  });
});

describe("cursors", () => {
  test("hide the fields they stand on", async () => {
    await fill("hidden", 2);
    const { continueCursor } = await page("hidden", { numItems: 1, cursor: null });
    expect(Buffer.from(continueCursor, "base64url").toString("latin1")).not.toContain("hidden");
    expect(await page("hidden", { numItems: 1, cursor: null })).toMatchObject({ continueCursor });
  });

  test.each([
    ["of another query", async () => (await page("hidden", { numItems: 1, cursor: null })).continueCursor],
    [
      "that was changed",
      async () => `${(await page("other", { numItems: 1, cursor: null })).continueCursor.slice(0, -2)}AA`,
    ],
    ["of another person", async () => await cursorOf("notes:page", user("somebody else"))],
    ["of another function", async () => await cursorOf("notes:samePage", ANYONE)],
    ["that is none", () => Promise.resolve("nonsense")],
  ])("a cursor %s is refused in the shape that clients know", async (_what, cursor) => {
    await fill("other", 1);
    const paginationOpts = { numItems: 1, cursor: await cursor() };
    const outcome = await host.engine.query(callOf("notes:page", { room: "other", paginationOpts }));
    expect(outcome).toMatchObject({ ok: false, errorData: { paginationError: "InvalidCursor" } });
  });
});
