import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Identity, Subscription } from "./contract.ts";
import {
  ADMIN,
  callOf,
  openFixture,
  removeDataDirs,
  user,
  valueOf,
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

describe("a live query", () => {
  test("goes stale when its range changes, once until it is refreshed", async () => {
    const watched = await host.watch("notes:texts", { room: "live" });
    await host.mutation("notes:add", { room: "live", text: "one" });
    await host.mutation("notes:add", { room: "live", text: "two" });
    expect(watched.staleCount).toBe(1);
    expect(await watched.refresh()).toEqual(["one", "two"]);
    await host.mutation("notes:add", { room: "live", text: "three" });
    expect(watched.staleCount).toBe(2);
    watched.close();
  });

  test("is not touched by writes outside of the ranges it read", async () => {
    const id = (await host.mutation("notes:add", { room: "quiet", text: "top", likes: 9 })) as string;
    const low = (await host.mutation("notes:add", { room: "quiet", text: "low", likes: 1 })) as string;
    const mostLiked = await host.watch("notes:mostLiked", { room: "quiet" });
    const missing = await host.watch("notes:texts", { room: "empty" });
    await host.mutation("notes:add", { room: "other", text: "x", likes: 10 });
    await host.mutation("notes:add", { room: "quie", text: "x", likes: 10 });
    await host.mutation("notes:add", { room: "quiet\0", text: "x", likes: 10 });
    await host.mutation("notes:setLikes", { id: low, likes: 2 });
    await host.mutation("jobs:plan", { name: "x", delayMs: 3_600_000 });
    expect([mostLiked.staleCount, missing.staleCount]).toEqual([0, 0]);
    await host.mutation("notes:setLikes", { id, likes: 10 });
    expect([mostLiked.staleCount, missing.staleCount]).toEqual([1, 0]);
    await host.mutation("notes:add", { room: "empty", text: "x" });
    expect(missing.staleCount).toBe(1);
    mostLiked.close();
    missing.close();
  });

  test("follows a single document, its deletion included", async () => {
    const id = (await host.mutation("notes:add", { room: "one", text: "x" })) as string;
    const other = (await host.mutation("notes:add", { room: "one", text: "y" })) as string;
    const watched = await host.watch("notes:get", { id });
    await host.mutation("notes:remove", { id: other });
    expect(watched.staleCount).toBe(0);
    await host.mutation("notes:remove", { id });
    expect(watched.staleCount).toBe(1);
    expect(await watched.refresh()).toBeNull();
    watched.close();
  });

  test("that failed is live as well", async () => {
    const watched = host.engine.subscribe(() => undefined);
    watched.add(1, { call: callOf("notes:wrongReturn"), journal: null });
    const first = (await watched.refresh()).results.get(1);
    expect(first?.outcome.ok).toBe(false);
    watched.close();
  });

  test("of another caller is another query", async () => {
    const [ann, bob] = await Promise.all([
      host.watch("notes:whoAmI", {}, user("ann")),
      host.watch("notes:whoAmI", {}, user("bob")),
    ]);
    expect(await ann.refresh()).toMatchObject({ subject: "ann" });
    expect(await bob.refresh()).toMatchObject({ subject: "bob" });
    expect(await host.query("notes:whoAmI")).toBeNull();
    expect(await host.query("notes:whoAmI", {}, { identity: user("ann", { name: "A" }) })).toMatchObject({
      name: "A",
    });
  });
});

describe("a set of live queries", () => {
  test("is evaluated at one snapshot, whatever commits meanwhile", async () => {
    const subscription = host.engine.subscribe(() => undefined);
    subscription.add(1, { call: callOf("notes:texts", { room: "snapshot" }), journal: null });
    subscription.add(2, { call: callOf("notes:list", { room: "snapshot" }), journal: null });
    for (let round = 0; round < 20; round += 1) {
      const commit = host.mutation("notes:append", { room: "snapshot" });
      const { ts, results } = await subscription.refresh();
      const sizes = [...results.values()].map(({ outcome }) => (valueOf(outcome) as unknown[]).length);
      expect(sizes[0]).toBe(sizes[1]);
      expect(ts).toBeLessThanOrEqual(host.engine.latestTs());
      await commit;
    }
    subscription.close();
  });

  test("keeps the token of a result that did not change", async () => {
    const subscription = host.engine.subscribe(() => undefined);
    const likes = (await host.mutation("notes:add", { room: "token", text: "x", likes: 1 })) as string;
    subscription.add(1, { call: callOf("notes:texts", { room: "token" }), journal: null });
    const before = (await subscription.refresh()).results.get(1)?.token;
    await host.mutation("notes:setLikes", { id: likes, likes: 2 });
    expect((await subscription.refresh()).results.get(1)?.token).toBe(before);
    await host.mutation("notes:add", { room: "token", text: "y" });
    expect((await subscription.refresh()).results.get(1)?.token).not.toBe(before);
    subscription.close();
  });

  test("answers no more for a query that was removed, and keeps its twin live", async () => {
    let staleCount = 0;
    const subscription = host.engine.subscribe(() => {
      staleCount += 1;
    });
    for (const queryId of [1, 2]) {
      subscription.add(queryId, { call: callOf("notes:texts", { room: "twins" }), journal: null });
    }
    await subscription.refresh();
    subscription.remove(1);
    await host.mutation("notes:add", { room: "twins", text: "x" });
    expect(staleCount).toBe(1);
    const { results } = await subscription.refresh();
    expect([...results.keys()]).toEqual([2]);
    subscription.close();
  });

  test("goes stale once, however many of its queries were touched", async () => {
    let staleCount = 0;
    const subscription = host.engine.subscribe(() => {
      staleCount += 1;
    });
    for (const [queryId, room] of ["many 0", "many 1"].entries()) {
      subscription.add(queryId, { call: callOf("notes:texts", { room }), journal: null });
    }
    await subscription.refresh();
    await host.mutation("notes:add", { room: "many 0", text: "x" });
    await host.mutation("notes:add", { room: "many 1", text: "x" });
    expect(staleCount).toBe(1);
    subscription.close();
  });

  test("that is closed hears nothing", async () => {
    const watched = await host.watch("notes:texts", { room: "closed" });
    watched.close();
    await host.mutation("notes:add", { room: "closed", text: "x" });
    expect(watched.staleCount).toBe(0);
  });
});

describe("a result that many subscribe to", () => {
  const evaluations = (room: string): number =>
    host.logged.filter(({ message }) => message.includes(`evaluated ${room}`)).length;

  test.each([
    ["of the same caller", (): Identity => user("ann")],
    ["of as many callers, none of whom it looks at", (index: number): Identity => user(`caller ${index}`)],
  ])("is computed once for each commit: subscribers %s", async (room, caller) => {
    const watched = await Promise.all(
      Array.from({ length: 100 }, (_, index) => host.watch("notes:announced", { room }, caller(index))),
    );
    expect(evaluations(room)).toBe(1);
    for (const text of ["one", "two", "three"]) {
      const before = evaluations(room);
      await host.mutation("notes:add", { room, text });
      const seen = await Promise.all(watched.map((each) => each.refresh()));
      expect(seen.every((texts) => (texts as string[]).at(-1) === text)).toBe(true);
      expect(evaluations(room)).toBe(before + 1);
    }
    for (const each of watched) each.close();
  });

  test("is each caller's own again as soon as the query looks at its caller, and stays live", async () => {
    const room = "turning private";
    const callers = ["ann", "bob", "cleo"];
    const watched = await Promise.all(
      callers.map((subject) => host.watch("notes:announced", { room }, user(subject))),
    );
    const privateNote = (await host.mutation("notes:add", { room, text: "private" })) as string;
    expect(watched.map(({ staleCount }) => staleCount)).toEqual([1, 1, 1]);
    expect(await Promise.all(watched.map((each) => each.refresh()))).toEqual(callers);
    expect(await host.query("notes:announced", { room }, { identity: user("dora") })).toBe("dora");
    await host.mutation("notes:remove", { id: privateNote });
    expect(await Promise.all(watched.map((each) => each.refresh()))).toEqual([[], [], []]);
    for (const each of watched) each.close();
  });

  test("is not shown to callers from outside when an admin asked first", async () => {
    expect(await host.query("notes:announced", { room: "inside" }, { identity: ADMIN })).toEqual([]);
    expect(await host.query("notes:announced", { room: "inside" })).toEqual([]);
    expect(evaluations("inside")).toBe(2);
  });
});

describe("a client with very many live queries", () => {
  const COUNT = 2_000;

  function subscribeToMany(room: string): Subscription {
    const subscription = host.engine.subscribe(() => undefined);
    for (let tag = 0; tag < COUNT; tag += 1) {
      subscription.add(tag, { call: callOf("notes:announced", { room, tag }), journal: null });
    }
    return subscription;
  }

  test("gives way to others, and still sees one snapshot", async () => {
    const order: string[] = [];
    const many = subscribeToMany("patient");
    const refreshed = many.refresh().finally(() => order.push("many"));
    await host.query("notes:texts", { room: "impatient" });
    order.push("query");
    await host.mutation("notes:add", { room: "patient", text: "between" });
    order.push("mutation");
    const { results, ts } = await refreshed;
    expect(order).toEqual(["query", "mutation", "many"]);
    expect(ts).toBe(host.engine.latestTs());
    const values = [...results.values()].map(({ outcome }) => valueOf(outcome));
    expect(values).toEqual(Array.from({ length: COUNT }, () => ["between"]));
    many.close();
  });

  test("gets its turn although commits touch its queries without end", async () => {
    const id = (await host.mutation("notes:add", { room: "busy", text: "x" })) as string;
    const many = subscribeToMany("busy");
    const stop = new AbortController();
    const writing = (async (): Promise<void> => {
      for (let likes = 0; !stop.signal.aborted; likes += 1)
        await host.mutation("notes:setLikes", { id, likes });
    })();
    const { results } = await many.refresh();
    stop.abort();
    await writing;
    expect(new Set([...results.values()].map(({ token }) => token)).size).toBe(1);
    many.close();
  });

  test("is told only what was evaluated anew", async () => {
    const rooms = ["told 0", "told 1", "told 2"];
    const subscription = host.engine.subscribe(() => undefined);
    for (const [queryId, room] of rooms.entries()) {
      subscription.add(queryId, { call: callOf("notes:announced", { room }), journal: null });
    }
    expect([...(await subscription.refresh()).results.keys()]).toEqual([0, 1, 2]);
    await host.mutation("notes:add", { room: "told 1", text: "x" });
    expect([...(await subscription.refresh()).results.keys()]).toEqual([1]);
    expect([...(await subscription.refresh()).results.keys()]).toEqual([]);
    subscription.close();
  });
});

describe("a single read", () => {
  test("sees every commit that was acknowledged before it", async () => {
    for (let count = 1; count <= 20; count += 1) {
      const { ts } = await host.engine.mutation(callOf("notes:append", { room: "reads" }));
      const outcome = await host.engine.query(callOf("notes:texts", { room: "reads" }));
      expect(outcome.ts).toBeGreaterThanOrEqual(ts);
      expect(valueOf(outcome)).toHaveLength(count);
    }
  });

  test("M07 of the clock is not answered from an earlier result", async () => {
    const first = (await host.query("notes:time")) as number;
    while (Date.now() <= first) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(await host.query("notes:time")).toBeGreaterThan(first);
  });
});
