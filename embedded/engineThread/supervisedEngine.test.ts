/** The engine in its thread: functions that never let go are stopped, and everybody else goes on. */
import { writeFileSync } from "node:fs";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { admitted, keyIn, sha256 } from "../engine/testing/testFiles.ts";
import {
  callOf,
  messageOf,
  openFixture,
  removeDataDirs,
  valueOf,
  type TestEngine,
  type TestOptions,
} from "../engine/testing/testEngine.ts";
import { SupervisedEngine } from "./supervisedEngine.ts";

const TIMED_OUT = "Function execution timed out (maximum duration: 1s)";
const OUT_OF_MEMORY = "JavaScript execution ran out of memory";

const opened: TestEngine[] = [];

async function open(options: TestOptions = {}): Promise<TestEngine> {
  const host = await openFixture("app", { open: (all) => SupervisedEngine.open(all), ...options });
  opened.push(host);
  return host;
}

afterEach(async () => {
  for (const { engine } of opened.splice(0)) await engine.close();
});
afterAll(removeDataDirs);

test("a subscription that is closed twice does not end the thread", async () => {
  const host = await open();
  const subscription = host.engine.subscribe(() => undefined);
  subscription.add(1, { call: callOf("jobs:deeds"), journal: null });
  await subscription.refresh();
  subscription.close();
  subscription.close();
  expect(await host.query("jobs:deeds")).toEqual([]);
  expect(restarts(host)).toEqual([]);
});

function restarts({ logged }: TestEngine): unknown[] {
  return logged.filter(({ message }) => message.includes("started again")).map((record) => record["why"]);
}

describe("a function that never lets go is stopped", () => {
  test("a query, and the calls beside it are answered", async () => {
    const host = await open();
    await host.mutation("jobs:doDeed", { name: "before" }, { identity: { kind: "admin", actingAs: null } });
    const spinning = host.engine.query(callOf("busy:spinInQuery", { key: "a" }));
    const beside = [
      host.query("jobs:deeds"),
      host.mutation("notes:add", { room: "r", text: "beside" }),
      host.action("jobs:quickAction", { name: "later" }).catch((error: unknown) => String(error)),
    ] as const;
    expect(messageOf(await spinning)).toBe(TIMED_OUT);
    expect(await beside[0]).toEqual(["before"]);
    expect(await host.query("notes:list", { room: "r" })).toHaveLength(1);
    await beside[1];
    await beside[2];
    expect(restarts(host)).toEqual(["timedOut"]);
    expect(host.logged.find((record) => record["why"] === "timedOut")).toMatchObject({
      function: "busy:spinInQuery",
      requestId: "test-request",
    });
  });

  test("a mutation, with nothing of it kept", async () => {
    const host = await open();
    const outcome = await host.engine.mutation(callOf("busy:spinInMutation", { name: "half" }));
    expect(messageOf(outcome)).toBe(TIMED_OUT);
    expect(await host.query("jobs:deeds")).toEqual([]);
  });

  test("one whose regular expression never ends", async () => {
    const host = await open();
    const text = `${"a".repeat(40)}b`;
    expect(messageOf(await host.engine.query(callOf("busy:matchForever", { text })))).toBe(TIMED_OUT);
  });

  test("one that gives the engine its turns, without the thread", async () => {
    const host = await open();
    expect(messageOf(await host.engine.query(callOf("busy:readForever")))).toContain(TIMED_OUT);
    expect(restarts(host)).toEqual([]);
  });

  test("a scheduled mutation fails for good", async () => {
    const host = await open();
    const id = await host.mutation("busy:planSpin", { name: "job" });
    await expect
      .poll(() => host.query("jobs:state", { id }), { timeout: 20_000, interval: 200 })
      .toMatchObject({ state: { kind: "failed", error: TIMED_OUT } });
    expect(restarts(host)).toEqual(["timedOut"]);
  });

  test("an action that lets nobody else run", async () => {
    const host = await open();
    const outcome = await host.engine.action(callOf("busy:spinInAction"));
    expect(messageOf(outcome)).toContain("function thread was restarted");
    expect(await host.query("jobs:deeds")).toEqual([]);
    expect(restarts(host)).toEqual(["an action kept it from answering"]);
  });

  test("one that takes all the memory", async () => {
    // Little enough to be filled long before the second of its processor time is over: a slow machine needs 0.7 s for
    // 160 MiB of such pieces.
    const host = await open({ memoryMib: 64 });
    expect(messageOf(await host.engine.query(callOf("busy:takeMemory")))).toBe(OUT_OF_MEMORY);
    expect(await host.query("jobs:deeds")).toEqual([]);
    expect(restarts(host)).toEqual(["outOfMemory"]);
  });

  test("and the same call is refused for a while without being run", async () => {
    const host = await open();
    const call = callOf("busy:spinInQuery", { key: "again" });
    expect(messageOf(await host.engine.query(call))).toBe(TIMED_OUT);
    expect(messageOf(await host.engine.query(call))).toBe(TIMED_OUT);
    expect(restarts(host)).toHaveLength(1);
    expect(messageOf(await host.engine.query(callOf("busy:spinInQuery", { key: "other" })))).toBe(TIMED_OUT);
    expect(restarts(host)).toHaveLength(2);
  });

  test("in production its caller learns nothing of why", async () => {
    const host = await open({ redactErrors: true });
    expect(messageOf(await host.engine.query(callOf("busy:spinInQuery", { key: "a" })))).toBe("Server Error");
  });
});

describe("what goes on in the next thread", () => {
  test("a live query sees what is committed there", async () => {
    const host = await open();
    const watched = await host.watch("jobs:deeds");
    await host.engine.query(callOf("busy:spinInQuery", { key: "a" }));
    await host.mutation("jobs:stamp");
    expect(await watched.until((value) => Array.isArray(value) && value.length === 1)).toEqual(["stamped"]);
  });

  test("a live query that was stopped says so, and the others of its set go on", async () => {
    const host = await open();
    let wake: () => void = () => undefined;
    const subscription = host.engine.subscribe(() => {
      wake();
    });
    subscription.add(1, { call: callOf("busy:spinOnceDone", { name: "stamped" }), journal: null });
    subscription.add(2, { call: callOf("jobs:deeds"), journal: null });
    const first = await subscription.refresh();
    expect([...first.results.values()].map(({ outcome }) => valueOf(outcome))).toEqual([0, []]);
    const stale = new Promise<void>((resolve) => {
      wake = resolve;
    });
    await host.mutation("jobs:stamp");
    await stale;
    const second = await subscription.refresh();
    const [stopped, deeds] = [second.results.get(1), second.results.get(2)];
    if (stopped === undefined || deeds === undefined) throw new Error("a result is missing");
    expect(messageOf(stopped.outcome)).toBe(TIMED_OUT);
    expect(valueOf(deeds.outcome)).toEqual(["stamped"]);
    expect(second.ts).toBeGreaterThan(first.ts);
    subscription.close();
  });

  test("mutations that waited take effect once", async () => {
    const host = await open();
    const spinning = host.engine.query(callOf("busy:spinInQuery", { key: "a" }));
    const names = Array.from({ length: 50 }, (_, index) => `waiting ${index}`);
    await Promise.all(names.map((text) => host.mutation("notes:add", { room: "r", text })));
    await spinning;
    const notes = (await host.query("notes:list", { room: "r" })) as { text: string }[];
    expect(notes.map(({ text }) => text).sort()).toEqual([...names].sort());
  });
});

describe("closing", () => {
  test("refuses what comes after it", async () => {
    const host = await open();
    await host.engine.close();
    await expect(host.query("jobs:deeds")).rejects.toThrow("shutting down");
  });

  test("does not wait for ever for an action", async () => {
    const host = await open();
    await host.mutation("jobs:planAction", { name: "started" });
    await expect.poll(() => host.query("jobs:deeds")).toEqual(["started"]);
    await host.engine.close();
    const again = await open({ dataDir: host.dataDir });
    expect(await again.query("jobs:deeds")).toEqual(["started"]);
  });
});

describe("contexts", () => {
  test("are shared between calls unless told otherwise, and then nothing is remembered", async () => {
    const shared = await open();
    const fresh = await open({ freshContexts: true });
    const counts = async (host: TestEngine): Promise<unknown[]> => [
      await host.query("busy:remember", { key: 1 }),
      await host.query("busy:remember", { key: 2 }),
    ];
    expect(await counts(shared)).toEqual([1, 2]);
    expect(await counts(fresh)).toEqual([1, 1]);
  });
});

test("an upload that was admitted before the thread was stopped is stored by the next one", async () => {
  const host = await open();
  const upload = await admitted(host, await host.mutation("files:uploadUrl"));
  writeFileSync(upload.path, "half of it");
  expect(messageOf(await host.engine.query(callOf("busy:spinInQuery", { key: "upload" })))).toBe(TIMED_OUT);
  expect(restarts(host)).toEqual(["timedOut"]);
  const content = { size: 10, sha256: sha256("half of it"), contentType: "text/plain" };
  const id = await host.engine.files.commitUpload(upload, content);
  expect(await host.action("files:read", { id })).toMatchObject({ text: "half of it" });
  const key = keyIn(await host.query("files:url", { id }));
  expect(await host.engine.files.find(key)).toMatchObject(content);
});
