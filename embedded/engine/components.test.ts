import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  ADMIN,
  callOf,
  messageOf,
  openFixture,
  removeDataDirs,
  user,
  type TestEngine,
} from "./testing/testEngine.ts";

let host: TestEngine;

beforeAll(async () => {
  host = await openFixture();
});

afterAll(async () => {
  await host.engine.close();
  removeDataDirs();
});

describe("a component", () => {
  test("has tables of its own, one set per instance", async () => {
    await host.mutation("notes:add", { room: "app", text: "x" });
    expect(await host.mutation("calls:count", { component: "counter", name: "a" })).toBe(1);
    expect(await host.mutation("calls:count", { component: "counter", name: "a" })).toBe(2);
    expect(await host.mutation("calls:count", { component: "otherCounter", name: "a" })).toBe(1);
    const see = { component: "counter", module: "count", name: "see" };
    expect(await host.query("calls:look", see)).toMatchObject({ counts: ["a=2"], notes: 0 });
  });

  test("sees the variables bound to it and no others, and never the caller", async () => {
    for (const [component, label] of [
      ["counter", "hello"],
      ["otherCounter", "other"],
    ] as const) {
      const seen = await host.query(
        "calls:look",
        { component, module: "count", name: "see" },
        { identity: user("ann") },
      );
      const { environment, caller } = seen as { environment: unknown; caller: unknown };
      expect([environment, caller]).toEqual([{ LABEL: label }, null]);
    }
  });

  test("calls back into the app as nobody", async () => {
    expect(await host.query("calls:calledBack", {}, { identity: user("ann") })).toBeNull();
    expect(await host.query("notes:whoAmI", {}, { identity: user("ann") })).toMatchObject({ subject: "ann" });
  });

  test("can't paginate, as on the platform", async () => {
    const outcome = await host.engine.query(
      callOf("calls:look", { component: "counter", module: "count", name: "page" }),
    );
    expect(messageOf(outcome)).toContain("paginate() is only supported in the app");
  });

  test("offers its public functions to the app and nothing to callers outside", async () => {
    const hidden = callOf("calls:look", { component: "counter", module: "count", name: "hidden" });
    expect(messageOf(await host.engine.query(hidden))).toContain("Could not find public function");
    const direct = callOf("count:see", {}, { componentPath: "counter", identity: user("ann") });
    expect(messageOf(await host.engine.query(direct))).toContain("Could not find public function");
    const options = { componentPath: "counter", identity: ADMIN };
    expect(await host.query("count:see", {}, options)).toMatchObject({ caller: null });
    expect(await host.query("count:hidden", {}, options)).toBe("hidden");
  });

  test("files are no functions of the app", async () => {
    expect(messageOf(await host.engine.query(callOf("counter/count:see")))).toContain("Could not find");
  });

  test("that fails is undone with its own components, and the app's writes stay", async () => {
    const total = () => host.query("marks:total", {}, { componentPath: "counter/tally", identity: ADMIN });
    const before = await total();
    expect(await host.mutation("calls:countForbidden")).toContain("that name is forbidden");
    expect(await total()).toBe(before);
    const see = { component: "counter", module: "count", name: "see" };
    expect(await host.query("calls:look", see)).toMatchObject({ counts: ["a=2"] });
    expect(await host.query("jobs:deeds")).toContain("tried");
  });

  test("ids mean nothing outside of it", async () => {
    const [count] = (await host.query(
      "count:ids",
      {},
      { componentPath: "counter", identity: ADMIN },
    )) as string[];
    expect(await host.query("notes:get", { id: count ?? "" })).toBeNull();
    expect(messageOf(await host.engine.query(callOf("calls:readsForeign", { id: "nonsense" })))).toContain(
      "Unable to decode",
    );
    expect(await host.query("calls:readsForeign", { id: count ?? "" })).toBeNull();
  });

  test("ids of one instance mean nothing to another", async () => {
    const [id = ""] = (await host.query(
      "count:ids",
      {},
      { componentPath: "counter", identity: ADMIN },
    )) as string[];
    const get = (componentPath: string) => callOf("count:get", { id }, { componentPath, identity: ADMIN });
    expect(await host.engine.query(get("counter"))).toMatchObject({ ok: true });
    expect(messageOf(await host.engine.query(get("otherCounter")))).toContain("ArgumentValidationError");
  });

  test("a function handle reaches the function it was made for", async () => {
    await host.mutation("notes:add", { room: "handle", text: "x" });
    expect(await host.query("calls:viaHandle", { room: "handle" })).toMatchObject({ texts: ["x"] });
  });
});

describe("the rate limiter, as it is published", () => {
  test("limits, per key", async () => {
    const answers: unknown[] = [];
    for (let count = 0; count < 4; count += 1)
      answers.push(await host.mutation("limited:send", { key: "ann" }));
    expect(answers).toEqual([true, true, true, false]);
    expect(await host.mutation("limited:send", { key: "bob" })).toBe(true);
  });

  test("takes back what a throwing mutation consumed", async () => {
    for (let count = 0; count < 5; count += 1) {
      await host.engine.mutation(callOf("limited:send", { key: "carl", thenThrow: true }));
    }
    expect(await host.mutation("limited:send", { key: "carl" })).toBe(true);
  });

  test("spreads a limit over shards, and never lets through more than it", async () => {
    let through = 0;
    for (let count = 0; count < 40; count += 1) {
      if ((await host.mutation("limited:sendSharded")) === true) through += 1;
    }
    // Each call looks at two of the shards; one that is left over may stay unseen.
    expect(through).toBeGreaterThanOrEqual(15);
    expect(through).toBeLessThanOrEqual(20);
  });

  test("reserves ahead of time, up to its limit, until it is reset", async () => {
    const waits: unknown[] = [];
    for (let count = 0; count < 6; count += 1) {
      waits.push(await host.mutation("limited:reserve", { key: "ann" }));
    }
    expect(waits.slice(0, 2)).toEqual([0, 0]);
    const [third = 0, fourth = 0, fifth = 0] = waits.slice(2) as number[];
    expect(third).toBeGreaterThan(59_000);
    expect(fourth).toBeGreaterThan(third + 59_000);
    expect(fifth).toBeGreaterThan(fourth + 59_000);
    expect(waits[5]).toBeNull();
    await host.mutation("limited:release", { key: "ann" });
    expect(await host.mutation("limited:reserve", { key: "ann" })).toBe(0);
  });

  test("applies enqueued consumption through its nested worker", async () => {
    for (let count = 0; count < 5; count += 1) {
      expect(await host.mutation("limited:sendBulk", { key: "ann" })).toBe(true);
    }
    expect(await host.mutation("limited:sendBulk", { key: "ann" })).toBe(false);
    const left = await host.watch("limited:bulkLeft", { key: "ann" });
    expect(await left.until((value) => (value as number) < 1)).toBeLessThan(1);
    left.close();
  });
});
