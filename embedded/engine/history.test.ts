/** Earlier moments: a query at a timestamp sees exactly what was committed up to then. */
import fc from "fast-check";
import { afterAll, afterEach, expect, test, vi } from "vitest";
import type { Timestamp } from "./contract.ts";
import { HOST_LIMITS } from "./limits.ts";
import { propertySeed } from "./testing/arbitraryValue.ts";
import {
  callOf,
  messageOf,
  openFixture,
  removeDataDirs,
  valueOf,
  type TestEngine,
} from "./testing/testEngine.ts";

const opened: TestEngine[] = [];

async function open(): Promise<TestEngine> {
  const host = await openFixture();
  opened.push(host);
  return host;
}

afterEach(async () => {
  vi.useRealTimers();
  for (const { engine } of opened.splice(0)) await engine.close();
});
afterAll(removeDataDirs);

const LIST = callOf("notes:list", { room: "r" });
const LIKED = callOf("notes:mostLiked", { room: "r" });

async function seenNow({ engine }: TestEngine): Promise<unknown[]> {
  return [await engine.query(LIST), await engine.query(LIKED)].map(valueOf);
}

async function seenAt({ engine }: TestEngine, ts: Timestamp): Promise<unknown[]> {
  const outcomes = [await engine.query(LIST, ts), await engine.query(LIKED, ts)];
  expect(outcomes.map((outcome) => outcome.ts)).toEqual([ts, ts]);
  return outcomes.map(valueOf);
}

const step = fc.record({
  kind: fc.constantFrom("add", "setLikes", "remove", "nothing"),
  which: fc.nat({ max: 5 }),
  likes: fc.nat({ max: 3 }),
});

test("a query sees the state of every moment as it was then", async () => {
  const seed = propertySeed("history");
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
      const host = await open();
      const moments = new Map<Timestamp, unknown[]>();
      for (const { kind, which, likes } of steps) {
        const ids = ((await host.query("notes:list", { room: "r" })) as { _id: string }[]).map(
          ({ _id }) => _id,
        );
        const id = ids[which % Math.max(1, ids.length)];
        if (kind === "add" || id === undefined)
          await host.mutation("notes:add", { room: "r", text: kind, likes });
        else if (kind === "setLikes") await host.mutation("notes:setLikes", { id, likes });
        else if (kind === "remove") await host.mutation("notes:remove", { id });
        moments.set(host.engine.latestTs(), await seenNow(host));
      }
      for (const [ts, seen] of moments) expect(await seenAt(host, ts)).toEqual(seen);
    }),
    { seed, numRuns: 10 },
  );
});

test("a moment too long ago, from before a restart or to come is refused", async () => {
  const host = await open();
  await host.mutation("notes:add", { room: "r", text: "first" });
  const ts = host.engine.latestTs();
  const refused = async (at: Timestamp, { engine }: TestEngine = host): Promise<string> => {
    const outcome = await engine.query(LIST, at);
    expect(outcome.ts).not.toBe(at);
    return messageOf(outcome);
  };
  expect(await refused(ts + 1n)).toContain("ask for a new timestamp");

  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + HOST_LIMITS.historyKeptMs + 1 });
  await host.mutation("notes:add", { room: "r", text: "second" });
  await host.mutation("notes:add", { room: "r", text: "third" });
  const second = host.engine.latestTs();
  expect(await refused(ts - 1n)).toContain("ask for a new timestamp");

  await host.engine.close();
  const again = await openFixture("app", { dataDir: host.dataDir });
  opened.splice(0, 1, again);
  expect(await refused(second - 1n, again)).toContain("ask for a new timestamp");
});
