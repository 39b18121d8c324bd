/** `npm run bench -- host`: measures one thing after the other, and prints the tables of `bench/README.md`. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { SingleBar } from "cli-progress";
import Table from "cli-table3";
import type { Measured } from "../loops.ts";
import { bareInserts } from "./bareSqlite.ts";
import { commitCost } from "./liveQueryCost.ts";
import { launchHost, measureFanOut, measureWrites } from "./measureHost.ts";
import { timeByPurpose } from "./profile.ts";
import {
  fillTo,
  measureCosts,
  openOnConvexTest,
  openOnEngine,
  type Costs,
  type Place,
} from "./sameFunctions.ts";

export type HostBenchOptions = {
  /** Length of each measurement under load. */
  seconds: number;
  profile: boolean;
};

const WRITERS = [
  { client: "HTTP", clients: 1 },
  { client: "HTTP", clients: 32 },
  { client: "WebSocket", clients: 1 },
  { client: "WebSocket", clients: 8 },
  { client: "WebSocket", clients: 32 },
] as const;
const TABLE_SIZES = [1_000, 10_000, 50_000] as const;
const SUBSCRIBERS = [100, 1_000] as const;
const LIVE_QUERIES = [100, 10_000] as const;
const ROWS_PER_GROUP_COMMIT = 32;
const CALLS_SECONDS = 1;

const whole = (value: number): string => value.toFixed(0);
const fine = (value: number): string => value.toFixed(2);

/** Shows what is being measured, on a terminal only. */
class Steps {
  readonly #bar = new SingleBar({
    format: "{bar} {value}/{total} {step}",
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: true,
  });

  constructor(total: number) {
    this.#bar.start(total, 0, { step: "" });
  }

  next(step: string): void {
    this.#bar.increment(1, { step });
  }

  end(): void {
    this.#bar.stop();
  }
}

async function inFolder<T>(work: (folder: string) => Promise<T> | T): Promise<T> {
  const folder = mkdtempSync(path.join(tmpdir(), "daybook-bench-"));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function print(title: string, head: readonly string[], rows: readonly (readonly string[])[]): void {
  const table = new Table({ head: [...head], style: { head: [], border: [] } });
  for (const row of rows) table.push([...row]);
  process.stdout.write(`\n${title}\n${table.toString()}\n`);
}

type Written = { name: string; measured: Measured; ratio: number };

/** Before and after each of the host's measurements comes one of the disk, so that a slow moment counts for both. */
async function writes(seconds: number, steps: Steps): Promise<void> {
  const measureBare = async (rowsPerCommit = 1): Promise<number> => {
    steps.next("bare SQLite");
    return await inFolder((folder) => bareInserts(folder, rowsPerCommit, seconds));
  };
  const grouped = await measureBare(ROWS_PER_GROUP_COMMIT);
  const bare = [await measureBare()];
  const written: Written[] = [];
  for (const writer of WRITERS) {
    steps.next(`${writer.clients} ${writer.client}`);
    const host = await launchHost();
    const measured = await measureWrites(host, { ...writer, seconds });
    await host.remove();
    const before = bare.at(-1) ?? Number.NaN;
    const after = await measureBare();
    bare.push(after);
    const name = `host, ${writer.clients} ${writer.client} client${writer.clients === 1 ? "" : "s"}`;
    written.push({ name, measured, ratio: (2 * measured.perSecond) / (before + after) });
  }
  const limit = bare.reduce((sum, value) => sum + value, 0) / bare.length;
  print(
    "Durable single-document inserts; the disk's limit is that of the moments before and after",
    ["", "inserts/s", "× bare SQLite", "p50 ms", "p95 ms", "p99 ms"],
    [
      ["bare SQLite, one row a commit", whole(limit), "1.00", "", "", ""],
      [
        `bare SQLite, ${ROWS_PER_GROUP_COMMIT} rows a commit`,
        whole(grouped),
        fine(grouped / limit),
        "",
        "",
        "",
      ],
      ...written.map(({ name, ratio, measured: { perSecond, p50Ms, p95Ms, p99Ms } }) => [
        name,
        whole(perSecond),
        fine(ratio),
        fine(p50Ms),
        fine(p95Ms),
        fine(p99Ms),
      ]),
    ],
  );
}

async function costs(steps: Steps): Promise<void> {
  const measured: [name: string, costs: Costs[]][] = [];
  const measureOn = async (name: string, place: Place): Promise<void> => {
    const found: Costs[] = [];
    let filled = 0;
    for (const size of TABLE_SIZES) {
      steps.next(`${name}, ${size} rows`);
      await fillTo(place, filled, size);
      filled = size;
      found.push(await measureCosts(place, size, CALLS_SECONDS));
    }
    await place.close();
    measured.push([name, found]);
  };
  await inFolder(async (folder) => {
    await measureOn("engine", await openOnEngine(folder));
  });
  await measureOn("convex-test", openOnConvexTest());
  const row = (name: string, call: string, values: number[]): string[] => {
    const [first = Number.NaN] = values;
    return [
      name,
      call,
      ...values.map((value) => value.toFixed(3)),
      fine((values.at(-1) ?? Number.NaN) / first),
    ];
  };
  print(
    "The same functions, called in one process: milliseconds of a call (median)",
    ["", "call", ...TABLE_SIZES.map((size) => `${size} rows`), "last ÷ first"],
    measured.flatMap(([name, found]) => [
      row(
        name,
        "read one row by index",
        found.map(({ readMs }) => readMs),
      ),
      row(
        name,
        "read a page of 20",
        found.map(({ pageMs }) => pageMs),
      ),
      row(
        name,
        "insert one row",
        found.map(({ insertMs }) => insertMs),
      ),
    ]),
  );
}

async function fanOut(steps: Steps): Promise<void> {
  const rows: string[][] = [];
  for (const subscribers of SUBSCRIBERS) {
    steps.next(`${subscribers} subscribers`);
    const host = await launchHost();
    const { firstMs, halfMs, lastMs, evaluationsPerCommit } = await measureFanOut(host, subscribers);
    await host.remove();
    rows.push([whole(subscribers), fine(evaluationsPerCommit), fine(firstMs), fine(halfMs), fine(lastMs)]);
  }
  print(
    "One query's subscribers, each an official WebSocket client: milliseconds from the call of a mutation (median)",
    ["subscribers", "evaluations/commit", "first has it", "half have it", "all have it"],
    rows,
  );
}

async function liveQueries(seconds: number, steps: Steps): Promise<void> {
  const found: number[] = [];
  for (const count of LIVE_QUERIES) {
    steps.next(`${count} live queries`);
    found.push(await inFolder((folder) => commitCost(folder, count, seconds)));
  }
  const [least = Number.NaN, most = Number.NaN] = found;
  print(
    "A commit beside live queries that it does not touch, in one process: milliseconds (median)",
    [...LIVE_QUERIES.map((count) => `${count} live queries`), "last ÷ first"],
    [[...found.map((ms) => ms.toFixed(3)), fine(most / least)]],
  );
}

async function profile(seconds: number, steps: Steps): Promise<void> {
  steps.next("profile");
  const times = await inFolder(async (folder) => {
    const host = await launchHost({ nodeOptions: ["--cpu-prof", `--cpu-prof-dir=${folder}`] });
    await measureWrites(host, { client: "WebSocket", clients: 32, seconds });
    await host.kill("SIGTERM");
    await host.remove();
    return timeByPurpose(folder);
  });
  const busy = times.filter(([purpose]) => purpose !== "waiting");
  const total = busy.reduce((sum, [, ms]) => sum + ms, 0);
  print(
    "Where the host's time goes under 32 WebSocket clients, its start included",
    ["", "share"],
    busy.map(([purpose, ms]) => [purpose, `${((100 * ms) / total).toFixed(0)} %`]),
  );
}

/** Runs all measurements and prints their tables. */
export async function benchHost(options: HostBenchOptions): Promise<void> {
  const { seconds } = options;
  const total =
    2 * WRITERS.length +
    1 +
    2 * TABLE_SIZES.length +
    SUBSCRIBERS.length +
    LIVE_QUERIES.length +
    Number(options.profile);
  const steps = new Steps(total);
  try {
    await writes(seconds, steps);
    await costs(steps);
    await fanOut(steps);
    await liveQueries(seconds, steps);
    if (options.profile) await profile(seconds, steps);
  } finally {
    steps.end();
  }
}
