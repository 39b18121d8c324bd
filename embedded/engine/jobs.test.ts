import { spawn } from "node:child_process";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, describe, expect, test, vi } from "vitest";
import { Store } from "./storage/store.ts";
import { containing, matching } from "./testing/matchers.ts";
import { newDataDir, callOf, openFixture, removeDataDirs, type TestEngine } from "./testing/testEngine.ts";

const HOUR_MS = 3_600_000;

afterAll(removeDataDirs);

async function finished(
  host: TestEngine,
  id: unknown,
): Promise<{ state: { kind: string }; name: string; args: unknown }> {
  const watched = await host.watch("jobs:state", { id: id as string });
  const done = (value: unknown): boolean =>
    ["success", "failed", "canceled"].includes((value as { state: { kind: string } }).state.kind);
  const state = await watched.until(done);
  watched.close();
  return state as never;
}

/** Runs the crashing host until it says that its action runs, and kills it there. */
async function crashDuringAction(dataDir: string): Promise<{ id: string }> {
  const script = path.join(import.meta.dirname, "testing/crashingHost.ts");
  const child = spawn(process.execPath, [script, dataDir], { stdio: ["ignore", "pipe", "inherit"] });
  const started = await new Promise<string>((resolve, reject) => {
    child.stdout.once("data", (chunk: Buffer) => {
      resolve(chunk.toString());
    });
    child.once("exit", () => {
      reject(new Error("the host ended too early"));
    });
  });
  const dead = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await dead;
  return JSON.parse(started) as { id: string };
}

describe("a scheduled mutation", () => {
  test("runs soon after the clock is set to beyond its time, once, also when it is set back then", async () => {
    const host = await openFixture();
    const id = await host.mutation("jobs:plan", { name: "far", delayMs: 2 * HOUR_MS });
    const realNow = Date.now.bind(Date);
    const clock = vi.spyOn(Date, "now").mockImplementation(() => realNow() + 3 * HOUR_MS);
    expect(await finished(host, id)).toMatchObject({ state: { kind: "success" } });
    clock.mockRestore();
    const marker = await host.mutation("jobs:plan", { name: "marker", delayMs: 0 });
    await finished(host, marker);
    expect(await host.query("jobs:deeds")).toEqual(["far", "marker"]);
    await host.engine.close();
  });

  test("runs once, after its time, and shows what became of it", async () => {
    const host = await openFixture();
    const id = await host.mutation("jobs:plan", { name: "soon", delayMs: 20 });
    expect(await finished(host, id)).toEqual({
      name: "jobs.js:doDeed",
      args: [{ name: "soon" }],
      state: { kind: "success" },
    });
    expect(await host.query("jobs:deeds")).toEqual(["soon"]);
    await host.engine.close();
  });

  test("of a transaction that throws is not scheduled", async () => {
    const host = await openFixture();
    await host.engine.mutation(callOf("jobs:plan", { name: "thrown", delayMs: 0, thenThrow: true }));
    const marker = await host.mutation("jobs:plan", { name: "marker", delayMs: 0 });
    await finished(host, marker);
    expect(await host.query("jobs:deeds")).toEqual(["marker"]);
    await host.engine.close();
  });

  test("that fails leaves nothing but its state, and is not repeated", async () => {
    const host = await openFixture();
    const id = await host.mutation("jobs:planFailure", { name: "failing" });
    expect(await finished(host, id)).toMatchObject({
      state: { kind: "failed", error: containing("this deed fails") },
    });
    expect(await host.query("jobs:deeds")).toEqual([]);
    expect(
      host.logged.some(({ level, message }) => level === "error" && message.includes("this deed fails")),
    ).toBe(true);
    await host.engine.close();
  });

  test("that is cancelled in time does not run", async () => {
    const host = await openFixture();
    const id = (await host.mutation("jobs:plan", { name: "cancelled", delayMs: 3_600_000 })) as string;
    await host.mutation("jobs:cancel", { id });
    expect(await finished(host, id)).toMatchObject({ state: { kind: "canceled" } });
    await host.engine.close();
  });

  test("is forgotten a week after it finished", async () => {
    const host = await openFixture();
    const id = (await host.mutation("jobs:plan", { name: "old", delayMs: 0 })) as string;
    await finished(host, id);
    const watched = await host.watch("jobs:state", { id });
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 8 * 24 * 3_600_000 });
    try {
      await host.mutation("jobs:plan", { name: "new", delayMs: 3_600_000 });
      expect(await watched.until((state) => state === null)).toBeNull();
    } finally {
      vi.useRealTimers();
    }
    await host.engine.close();
  });

  test("survives a restart and still runs exactly once", async () => {
    const host = await openFixture();
    const ids: unknown[] = [];
    for (let count = 0; count < 20; count += 1) {
      ids.push(await host.mutation("jobs:plan", { name: `deed ${count}`, delayMs: count * 20 }));
    }
    await host.engine.close();
    const reopened = await openFixture("app", { dataDir: host.dataDir });
    for (const id of ids) expect(await finished(reopened, id)).toMatchObject({ state: { kind: "success" } });
    const deeds = (await reopened.query("jobs:deeds")) as string[];
    expect(deeds.toSorted()).toEqual(ids.map((_, count) => `deed ${count}`).toSorted());
    await reopened.engine.close();
  });
});

describe("a scheduled action", () => {
  test("that a crash cut off has failed, is not repeated, and what it committed stays", async () => {
    const dataDir = newDataDir();
    const { id } = await crashDuringAction(dataDir);
    const host = await openFixture("app", { dataDir });
    expect(await finished(host, id)).toMatchObject({ state: { kind: "failed" } });
    expect(await host.query("notes:texts", { room: "crash" })).toEqual(["acknowledged"]);
    const marker = await host.mutation("jobs:plan", { name: "marker", delayMs: 0 });
    await finished(host, marker);
    expect(await host.query("jobs:deeds")).toEqual(["started once", "marker"]);
    await host.engine.close();
  });
});

describe("actions", () => {
  test("may wait, use secure randomness and call the database's functions", async () => {
    const host = await openFixture();
    const result = await host.action("jobs:quickAction", { name: "quick" });
    expect(result).toMatchObject({ deeds: ["quick"], uuid: matching(/^[0-9a-f-]{36}$/) });
    await host.engine.close();
  });

  test("that run when the host closes finish first, and what they write is kept", async () => {
    const host = await openFixture();
    const running = host.action("jobs:quickAction", { name: "last" });
    await host.engine.close();
    expect(await running).toMatchObject({ deeds: ["last"] });
    await expect(host.query("jobs:deeds")).rejects.toThrow("shutting down");
    const reopened = await openFixture("app", { dataDir: host.dataDir });
    expect(await reopened.query("jobs:deeds")).toEqual(["last"]);
    await reopened.engine.close();
  });
});

/** When the one cron is due next, as stored. */
function storedDueAt(dataDir: string): number {
  const database = new DatabaseSync(path.join(dataDir, "daybook.sqlite"), { readOnly: true });
  const row = database.prepare("SELECT value FROM meta WHERE name = 'crons'").get();
  database.close();
  const [cron] = Object.values(JSON.parse(row?.["value"] as string) as Record<string, { dueAt: number }>);
  return cron?.dueAt ?? NaN;
}

/** Opens a host with a calendar cron at a time, after which its cron has run so many times in all. */
async function runsAt(dataDir: string, now: string, runs: number): Promise<void> {
  vi.useFakeTimers({ toFake: ["Date"], now: new Date(now) });
  try {
    const host = await openFixture("calendarCrons", { dataDir });
    const counted = await host.watch("deeds:count");
    expect(await counted.until((count) => (count as number) >= runs)).toBe(runs);
    await host.engine.close();
  } finally {
    vi.useRealTimers();
  }
  const database = new DatabaseSync(path.join(dataDir, "daybook.sqlite"), { readOnly: true });
  const rows = database
    .prepare("SELECT count(*) AS n FROM documents WHERE value LIKE '%deeds.js:add%'")
    .get();
  database.close();
  expect(rows?.["n"]).toBe(runs);
}

describe("crons", () => {
  test("of the interval kind run, and go on after a restart", async () => {
    const host = await openFixture("cron");
    const counted = await host.watch("deeds:count");
    const before = (await counted.until((count) => (count as number) >= 1)) as number;
    await host.engine.close();
    const reopened = await openFixture("cron", { dataDir: host.dataDir });
    const countedAgain = await reopened.watch("deeds:count");
    expect(await countedAgain.until((count) => (count as number) > before)).toBeGreaterThan(before);
    await reopened.engine.close();
  });

  test("keep their times across a restart", async () => {
    const dataDir = newDataDir();
    const dueAfterOneRun = async (): Promise<number> => {
      const host = await openFixture("cron", { dataDir });
      await host.engine.close();
      return storedDueAt(dataDir);
    };
    const first = await dueAfterOneRun();
    const second = await dueAfterOneRun();
    // The job runs every second; it may have come due in between.
    expect((second - first) % 1000).toBe(0);
  });

  test("of the calendar run at their time, and once for all that the host missed", async () => {
    const dataDir = newDataDir();
    await runsAt(dataDir, "2027-01-01T04:00:00Z", 0);
    await runsAt(dataDir, "2027-01-01T04:29:59Z", 0);
    await runsAt(dataDir, "2027-01-01T04:30:00Z", 1);
    await runsAt(dataDir, "2027-01-01T04:31:00Z", 1);
    await runsAt(dataDir, "2027-01-04T12:00:00Z", 2);
    await runsAt(dataDir, "2027-01-05T04:29:00Z", 2);
    await runsAt(dataDir, "2027-01-05T04:30:00Z", 3);
  });

  test("of the calendar repeat no time when the clock is set back, and start anew when it was far off", async () => {
    const dataDir = newDataDir();
    await runsAt(dataDir, "2027-01-01T04:29:59Z", 0);
    await runsAt(dataDir, "2027-01-01T04:30:00Z", 1);
    expect(storedDueAt(dataDir)).toBe(Date.UTC(2027, 0, 2, 4, 30));
    await runsAt(dataDir, "2027-01-01T04:29:59Z", 1);
    expect(storedDueAt(dataDir)).toBe(Date.UTC(2027, 0, 2, 4, 30));
    await runsAt(dataDir, "2026-06-01T04:29:59Z", 1);
    expect(storedDueAt(dataDir)).toBe(Date.UTC(2026, 5, 1, 4, 30));
    await runsAt(dataDir, "2026-06-01T04:30:00Z", 2);
  });

  test("of the interval kind neither stop nor catch up when the clock jumps forward and back", async () => {
    const host = await openFixture("cron");
    const counted = await host.watch("deeds:count");
    const count = async (): Promise<number> => (await counted.refresh()) as number;
    await counted.until((runs) => (runs as number) >= 1);
    const realNow = Date.now.bind(Date);
    const clock = vi.spyOn(Date, "now");
    for (const offsetMs of [5 * HOUR_MS, -5 * HOUR_MS, 0]) {
      clock.mockImplementation(() => realNow() + offsetMs);
      const startedAtMs = performance.now();
      const before = await count();
      await counted.until((runs) => (runs as number) >= before + 3);
      const seconds = (performance.now() - startedAtMs) / 1000;
      // One run a second, and one at once for all the times that a jump passed over.
      expect(await count()).toBeLessThanOrEqual(before + seconds + 2);
    }
    clock.mockRestore();
    await host.engine.close();
  });

  test("whose start could not be committed start once all the same", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: new Date("2027-01-01T04:29:59Z") });
    try {
      const host = await openFixture("calendarCrons");
      const counted = await host.watch("deeds:count");
      // After the start only crons write there, in the transaction that starts a run.
      vi.spyOn(Store.prototype, "setMeta").mockImplementationOnce(() => {
        throw new Error("disk full");
      });
      vi.setSystemTime(new Date("2027-01-01T04:30:00Z"));
      expect(await counted.until((count) => (count as number) >= 1)).toBe(1);
      expect(host.logged).toContainEqual({
        level: "error",
        message: "cron jobs could not be started",
        error: containing("disk full"),
      });
      await host.engine.close();
    } finally {
      vi.restoreAllMocks();
      vi.useRealTimers();
    }
  });

  test("that never come are refused at start, by name", async () => {
    await expect(openFixture("neverCron")).rejects.toMatchObject({
      code: "FUNCTIONS_INVALID",
      message: matching(/"sweep the floor".*"0 0 31 2 \*", which never comes/),
    });
  });
});
