/**
 * The clients of a measurement, in a process of their own so that they do not compute at the host's expense. Takes
 * a task as JSON in its only argument, and sends the result to its parent.
 */
import { ConvexClient, ConvexHttpClient } from "convex/browser";
import { measureLoops, quantile, type Measured } from "../loops.ts";
import * as rows from "./rows.ts";

const WARM_UP_ROUNDS = 50;
const GROUP = 1;

export type WriteTask = {
  kind: "write";
  url: string;
  client: "WebSocket" | "HTTP";
  clients: number;
  seconds: number;
};
export type FanOutTask = { kind: "fanOut"; url: string; subscribers: number; commits: number };
export type Task = WriteTask | FanOutTask;

/** From the call of the mutation until the first, half and all of the subscribers have its effect. */
export type FanOut = { firstMs: number; halfMs: number; lastMs: number };

let at = 0;

function row(): { group: number; at: number; body: string } {
  at += 1;
  return { group: GROUP, at, body: rows.BODY };
}

async function write({ url, client, clients, seconds }: WriteTask): Promise<Measured> {
  const operations = Array.from({ length: clients }, () => {
    if (client === "HTTP") {
      const http = new ConvexHttpClient(url, { logger: false });
      return () => http.mutation(rows.insert, row());
    }
    const socket = new ConvexClient(url, { logger: false });
    return () => socket.mutation(rows.insert, row());
  });
  for (let round = 0; round < WARM_UP_ROUNDS; round += 1) await Promise.all(operations.map((run) => run()));
  return await measureLoops(operations, seconds);
}

/** Tells when every subscriber has seen a value. */
class Audience {
  readonly #seenAtMs = new Map<number, number[]>();
  readonly #waiting = new Map<number, () => void>();
  readonly #size: number;

  constructor(size: number) {
    this.#size = size;
  }

  saw(newest: number): void {
    const times = this.#seenAtMs.get(newest) ?? [];
    this.#seenAtMs.set(newest, times);
    times.push(performance.now());
    if (times.length === this.#size) this.#waiting.get(newest)?.();
  }

  async all(newest: number): Promise<readonly number[]> {
    const times = (): readonly number[] => this.#seenAtMs.get(newest) ?? [];
    if (times().length < this.#size) await new Promise<void>((resolve) => this.#waiting.set(newest, resolve));
    return times();
  }
}

async function fanOut({ url, subscribers, commits }: FanOutTask): Promise<FanOut> {
  const writer = new ConvexClient(url, { logger: false });
  await writer.mutation(rows.insert, { ...row(), at: 0 });
  at = 0;
  const audience = new Audience(subscribers);
  for (let index = 0; index < subscribers; index += 1) {
    const client = new ConvexClient(url, { logger: false });
    client.onUpdate(rows.newest, { group: GROUP }, ([newest = -1]) => {
      audience.saw(newest);
    });
  }
  await audience.all(0);
  const rounds: FanOut[] = [];
  for (let commit = 0; commit < commits; commit += 1) {
    const begin = performance.now();
    const inserted = row();
    await writer.mutation(rows.insert, inserted);
    const times = await audience.all(inserted.at);
    rounds.push({
      firstMs: quantile(times, 0) - begin,
      halfMs: quantile(times, 0.5) - begin,
      lastMs: quantile(times, 1) - begin,
    });
  }
  const median = (pick: (round: FanOut) => number): number =>
    quantile(
      rounds.map(pick).sort((one, other) => one - other),
      0.5,
    );
  return {
    firstMs: median(({ firstMs }) => firstMs),
    halfMs: median(({ halfMs }) => halfMs),
    lastMs: median(({ lastMs }) => lastMs),
  };
}

const task = JSON.parse(process.argv[2] ?? "") as Task;
const result = task.kind === "write" ? await write(task) : await fanOut(task);
process.send?.(result, () => process.exit(0));
