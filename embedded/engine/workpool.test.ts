/** `@convex-dev/workpool` as published, with real work on real time. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { containing } from "./testing/matchers.ts";
import { openFixture, removeDataDirs, type TestEngine } from "./testing/testEngine.ts";

type Completion = { name: string; kind: string; outcome: unknown };
type Attempt = { startedAt: number; together: number; ended: boolean };

let host: TestEngine;

beforeAll(async () => {
  host = await openFixture("workpool");
});

afterAll(async () => {
  await host.engine.close();
  removeDataDirs();
});

/** Waits until the pool has told of the end of every piece of work. */
async function completionsOf(engine: TestEngine, names: readonly string[]): Promise<Completion[]> {
  const watched = await engine.watch("work:completions");
  const of = (value: unknown): Completion[] =>
    (value as Completion[]).filter(({ name }) => names.includes(name));
  const value = await watched.until((completions) => of(completions).length >= names.length);
  watched.close();
  return of(value);
}

async function attemptsOf(name: string): Promise<Attempt[]> {
  return (await host.query("work:attempts", { name })) as Attempt[];
}

describe("a work pool", () => {
  test("runs an action and tells of its result", async () => {
    const task = { name: "one", durationMs: 5, failures: 0, retry: false };
    const id = (await host.mutation("work:enqueue", task)) as string;
    expect(await completionsOf(host, ["one"])).toEqual([
      { name: "one", kind: "success", outcome: "one is done" },
    ]);
    expect(await host.query("work:status", { id })).toEqual({ state: "finished" });
  });

  test("runs mutations, and tells of those that fail", async () => {
    await host.mutation("work:enqueueMutation", { name: "recorded" });
    await host.mutation("work:enqueueMutation", { name: "forbidden" });
    const completions = await completionsOf(host, ["recorded", "forbidden"]);
    expect(completions.toSorted((a, b) => a.name.localeCompare(b.name))).toEqual([
      { name: "forbidden", kind: "failed", outcome: containing("that name is forbidden") },
      { name: "recorded", kind: "success", outcome: 8 },
    ]);
    expect(await attemptsOf("forbidden")).toEqual([]);
  });

  test("never has more going on at once than it may", async () => {
    const names = Array.from({ length: 6 }, (_, position) => `crowd ${position}`);
    for (const name of names) {
      await host.mutation("work:enqueue", { name, durationMs: 60, failures: 0, retry: false });
    }
    expect((await completionsOf(host, names)).map(({ kind }) => kind)).toEqual(names.map(() => "success"));
    const together = (await Promise.all(names.map(attemptsOf))).flat().map((attempt) => attempt.together);
    expect(Math.max(...together)).toBe(2);
  });

  test("repeats an action that fails, later each time, and gives up after the last attempt", async () => {
    await host.mutation("work:enqueue", { name: "third time", durationMs: 1, failures: 2, retry: true });
    await host.mutation("work:enqueue", { name: "hopeless", durationMs: 1, failures: 9, retry: true });
    const completions = await completionsOf(host, ["third time", "hopeless"]);
    expect(completions).toContainEqual({
      name: "third time",
      kind: "success",
      outcome: "third time is done",
    });
    expect(completions).toContainEqual({
      name: "hopeless",
      kind: "failed",
      outcome: containing("attempt 3"),
    });
    const [first, second, third, ...more] = (await attemptsOf("third time")).map((one) => one.startedAt);
    expect(more).toEqual([]);
    // Half of the backoff at least: the pool shakes it so that retries do not come together.
    expect((second ?? 0) - (first ?? 0)).toBeGreaterThanOrEqual(100);
    expect((third ?? 0) - (second ?? 0)).toBeGreaterThanOrEqual(200);
    expect(await attemptsOf("hopeless")).toHaveLength(3);
  });

  test("cancels what has not started", async () => {
    const task = { name: "cancelled", durationMs: 1, failures: 0, retry: false, delayMs: 3_600_000 };
    const id = (await host.mutation("work:enqueue", task)) as string;
    expect(await host.query("work:status", { id })).toMatchObject({ state: "pending" });
    await host.mutation("work:cancel", { id });
    expect(await completionsOf(host, ["cancelled"])).toMatchObject([{ kind: "canceled" }]);
    expect(await attemptsOf("cancelled")).toEqual([]);
  });

  test("forgets what a mutation enqueued that then fails", async () => {
    const task = { name: "rolled back", durationMs: 1, failures: 0, retry: false };
    await expect(host.mutation("work:enqueue", { ...task, thenThrow: true })).rejects.toThrow(
      "not after all",
    );
    await host.mutation("work:enqueue", { ...task, name: "after it" });
    await completionsOf(host, ["after it"]);
    expect(await attemptsOf("rolled back")).toEqual([]);
  });
});

test("work that waits when the engine closes is done after it opens again", { timeout: 60_000 }, async () => {
  const before = await openFixture("workpool");
  const names = Array.from({ length: 5 }, (_, position) => `kept ${position}`);
  for (const name of names) {
    await before.mutation("work:enqueue", { name, durationMs: 20, failures: 0, retry: false, delayMs: 500 });
  }
  expect(await before.query("work:completions")).toEqual([]);
  await before.engine.close();
  const after = await openFixture("workpool", { dataDir: before.dataDir });
  const completions = await completionsOf(after, names);
  expect(completions.map(({ name, kind }) => [name, kind]).toSorted()).toEqual(
    names.map((name) => [name, "success"]),
  );
  expect(await after.query("work:attempts", {})).toHaveLength(5);
  await after.engine.close();
});
