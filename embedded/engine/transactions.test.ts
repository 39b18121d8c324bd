import type { Value } from "convex/values";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callOf, messageOf, openFixture, removeDataDirs, type TestEngine } from "./testing/testEngine.ts";

let host: TestEngine;

beforeAll(async () => {
  host = await openFixture();
});

afterAll(async () => {
  await host.engine.close();
  removeDataDirs();
});

describe("a transaction", () => {
  test("that throws leaves nothing behind", async () => {
    const outcome = await host.engine.mutation(callOf("notes:fail", { how: "plain" }));
    expect(messageOf(outcome)).toBe("Uncaught Error: the secret is plain");
    expect(await host.query("notes:texts", { room: "failed" })).toEqual([]);
  });

  test("undoes a nested call that fails, and only that", async () => {
    expect(await host.mutation("calls:survive", { room: "survive" })).toEqual({
      caught: "Uncaught Error: the secret is nested",
      room: ["before", "after"],
      failed: [],
    });
    expect(await host.query("notes:texts", { room: "survive" })).toEqual(["before", "after"]);
  });

  test("takes nested calls that start together one after the other", async () => {
    expect(await host.mutation("calls:both", { room: "both" })).toEqual(["0", "1"]);
  });

  test("ends with its function: what was not awaited in time writes nothing", async () => {
    await host.mutation("calls:careless", { room: "careless" });
    await host.mutation("notes:add", { room: "elsewhere", text: "a later transaction" });
    expect(await host.query("notes:texts", { room: "careless" })).toEqual(["one"]);
  });

  test("that waits for ever is ended, and those behind it go on", async () => {
    const stuck = host.engine.mutation(callOf("calls:forever"));
    const next = host.mutation("notes:add", { room: "behind", text: "x" });
    expect(messageOf(await stuck)).toContain("timed out");
    await next;
    expect(await host.query("jobs:deeds")).not.toContain("never");
  });

  test("iterating sees its own writes ahead of it and none behind it", async () => {
    for (const [text, likes] of [
      ["first", 1],
      ["second", 2],
      ["third", 3],
    ] as const) {
      await host.mutation("notes:add", { room: "iterate", text, likes });
    }
    expect(await host.mutation("notes:rewriteWhileReading", { room: "iterate" })).toEqual([
      "first",
      "third",
      "inserted ahead",
    ]);
    expect(await host.query("notes:texts", { room: "iterate" })).toEqual([
      "first",
      "third",
      "inserted ahead",
      "inserted behind",
    ]);
  });
});

describe("transactions that arrive together", () => {
  test("are as if one ran after the other: no update is lost", async () => {
    await Promise.all(Array.from({ length: 200 }, () => host.mutation("notes:append", { room: "serial" })));
    expect(await host.query("notes:texts", { room: "serial" })).toEqual(
      Array.from({ length: 200 }, (_, position) => String(position)),
    );
  });

  test("fail on their own: the group they commit with stays", async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, position) =>
        position % 2 === 0
          ? host.engine.mutation(callOf("notes:add", { room: "group", text: String(position) }))
          : host.engine.mutation(callOf("notes:fail", { how: "group" })),
      ),
    );
    expect(outcomes.map((outcome) => outcome.ok)).toEqual(outcomes.map((_, position) => position % 2 === 0));
    expect(await host.query("notes:texts", { room: "group" })).toHaveLength(10);
    expect(await host.query("notes:texts", { room: "failed" })).toEqual([]);
  });

  test("have strictly increasing timestamps and creation times", async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, () => host.engine.mutation(callOf("notes:append", { room: "times" }))),
    );
    const stamps = outcomes.map((outcome) => outcome.ts);
    expect(new Set(stamps).size).toBe(50);
    expect(stamps.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(stamps);
    const rows = (await host.query("notes:list", { room: "times" })) as { _creationTime: number }[];
    const times = rows.map((row) => row._creationTime);
    expect(new Set(times).size).toBe(50);
    expect(times.toSorted((a, b) => a - b)).toEqual(times);
  });
});

describe("documents", () => {
  test("are held to the schema", async () => {
    const id = (await host.mutation("notes:add", { room: "schema", text: "x", likes: 1 })) as string;
    await host.mutation("notes:setLikes", { id });
    expect(await host.query("notes:get", { id })).not.toHaveProperty("likes");
  });

  test("can be read by ranges of their ids, in both directions", async () => {
    const ids: string[] = [];
    for (let count = 0; count < 5; count += 1) {
      ids.push((await host.mutation("notes:add", { room: "ids", text: "x" })) as string);
    }
    const all = (await host.query("notes:idRange", { from: "", order: "asc" })) as string[];
    expect(all).toEqual(all.toSorted());
    expect(all).toEqual(expect.arrayContaining(ids));
    const from = all[3] ?? "";
    expect(await host.query("notes:idRange", { from, order: "asc" })).toEqual(all.slice(3));
    expect(await host.query("notes:idRange", { from: `${from}0`, order: "desc" })).toEqual(
      all.slice(4).reverse(),
    );
    expect(await host.query("notes:idRange", { from: "zzzz", order: "asc" })).toEqual([]);
  });

  test("carry the timestamp of their own commit where they ask for it", async () => {
    const { ts, ...outcome } = await host.engine.mutation(callOf("jobs:stamp"));
    expect(outcome.ok).toBe(true);
    const stamps = (await host.query("jobs:stamps")) as Value[];
    expect(stamps.at(-1)).toBe(ts);
  });
});

describe("limits", () => {
  test("16 MiB read in one transaction is refused", async () => {
    const text = "x".repeat(900_000);
    for (let count = 0; count < 20; count += 1) await host.mutation("notes:add", { room: "heavy", text });
    const outcome = await host.engine.query(callOf("notes:texts", { room: "heavy" }));
    expect(messageOf(outcome)).toContain(
      "Too many bytes read in a single function execution (limit: 16777216 bytes)",
    );
  });

  test("a nested call keeps to what its caller allows it", async () => {
    for (let count = 0; count < 3; count += 1) await host.mutation("notes:append", { room: "bounded" });
    expect(await host.query("calls:bounded", { room: "bounded", documentsRead: 3 })).toHaveLength(3);
    const outcome = await host.engine.query(callOf("calls:bounded", { room: "bounded", documentsRead: 2 }));
    expect(messageOf(outcome)).toContain("Too many documents read in a single function execution (limit: 2)");
  });
});
