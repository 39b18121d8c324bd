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

describe("queries and mutations can't use", () => {
  test.each([
    ["fetch", "fetch()"],
    ["setTimeout", "setTimeout"],
    ["setInterval", "setInterval"],
    ["getRandomValues", "crypto.getRandomValues()"],
    ["randomUUID", "crypto.randomUUID()"],
    ["subtle", "crypto.subtle"],
  ])("%s", async (what, feature) => {
    expect(messageOf(await host.engine.query(callOf("forbidden:attempt", { what })))).toContain(
      `Can't use ${feature} in queries and mutations. Please consider using an action.`,
    );
  });

  test("code made from strings", async () => {
    expect(messageOf(await host.engine.query(callOf("forbidden:attempt", { what: "eval" })))).toContain(
      "EvalError",
    );
  });

  test("a wait that stops the thread of all functions", async () => {
    expect(messageOf(await host.engine.query(callOf("forbidden:attempt", { what: "wait" })))).toContain(
      "Atomics.wait cannot be called in this context",
    );
  });
});

describe("what actions forget", () => {
  test("is logged and ends nothing", async () => {
    expect(await host.action("forbidden:allowed")).toMatchObject({ fired: "fired", random: 4 });
    const errors = host.logged.filter(({ level }) => level === "error").map(({ message }) => message);
    expect(errors.some((message) => message.includes("thrown where nobody waits"))).toBe(true);
    expect(errors.some((message) => message.includes("rejected where nobody waits"))).toBe(true);
  });

  test("binary values of the platform are Convex values", async () => {
    const { digest } = (await host.action("forbidden:allowed")) as { digest: ArrayBuffer };
    expect(Buffer.from(digest).toString("hex")).toMatch(/^ba7816bf/);
  });
});

describe("time and randomness", () => {
  test("the clock stands still in a mutation", async () => {
    const times = (await host.mutation("calls:clocks")) as number[];
    expect(new Set(times).size).toBe(1);
    expect(Math.abs(Date.now() - (times[0] ?? 0))).toBeLessThan(60_000);
  });

  test("every execution has numbers of its own, nested ones included", async () => {
    const seen: number[] = [];
    for (let count = 0; count < 50; count += 1) {
      const { own, nested } = (await host.mutation("calls:dice")) as { own: number[]; nested: number[] };
      seen.push(...own, ...nested);
    }
    expect(new Set(seen).size).toBe(200);
    expect(seen.every((number) => number >= 0 && number < 1)).toBe(true);
  });
});
