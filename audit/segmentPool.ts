/**
 * Verifies the ranges of an export on this thread and on others beside it, and hands the segments on in the file's
 * order. This thread is one of the workers, so that one worker needs no other thread, and a short file is done before
 * a thread has started.
 */
import { setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { SegmentEnds } from "../ledger/chainSegment.ts";
import type { FileRange } from "./rangeReader.ts";
import { createSegmentReader } from "./segmentReader.ts";
import type { SegmentAnswer, SegmentTask } from "./segmentReader.ts";

/** Takes the next segment; false when no further one is wanted. */
export type TakeSegment = (ends: SegmentEnds, identities: Uint32Array) => boolean;

/** Ranges that a thread has been given: the next is there when it has done with one. */
const GIVEN_PER_THREAD = 2;
/** How far the ranges given out are ahead of the oldest that is not done: it bounds what waits in memory. */
const AHEAD_PER_WORKER = 4;

/** What is still to be given out, and what came back before its turn. */
class RangeQueue {
  readonly #length: number;
  readonly #take: TakeSegment;
  readonly #aheadMax: number;
  readonly #early = new Map<number, SegmentAnswer & object>();
  #given = 0;
  #taken = 0;
  #outcome: boolean | undefined;

  constructor(length: number, workers: number, take: TakeSegment) {
    this.#length = length;
    this.#take = take;
    this.#aheadMax = workers * AHEAD_PER_WORKER;
    if (length === 0) this.#outcome = true;
  }

  /** Whether all ranges were sound and wanted, once that is known. */
  get outcome(): boolean | undefined {
    return this.#outcome;
  }

  /** The next range to be verified, by its index, if one may be given out now. */
  next(): number | undefined {
    const isOver = this.#outcome !== undefined || this.#given === this.#length;
    if (isOver || this.#given >= this.#taken + this.#aheadMax) return undefined;
    this.#given += 1;
    return this.#given - 1;
  }

  put(index: number, answer: SegmentAnswer): void {
    if (answer === undefined) this.#outcome = false;
    else this.#early.set(index, answer);
    for (let next = this.#early.get(this.#taken); next !== undefined; next = this.#early.get(this.#taken)) {
      if (this.#outcome !== undefined) return;
      this.#early.delete(this.#taken);
      this.#taken += 1;
      if (!this.#take(next.ends, next.identities)) this.#outcome = false;
      else if (this.#taken === this.#length) this.#outcome = true;
    }
  }
}

interface Thread {
  readonly worker: Worker;
  /** The ranges it has and did not answer yet, by their indexes, oldest first. */
  readonly given: number[];
  isReady: boolean;
}

/** The threads beside this one. */
class Threads {
  readonly #threads: readonly Thread[];
  readonly #ranges: readonly FileRange[];
  readonly #queue: RangeQueue;
  #wake = Promise.withResolvers<undefined>();
  #failure: { readonly error: unknown } | undefined;

  constructor(count: number, task: SegmentTask, ranges: readonly FileRange[], queue: RangeQueue) {
    this.#ranges = ranges;
    this.#queue = queue;
    const file = new URL("segmentThread.ts", import.meta.url);
    this.#threads = Array.from({ length: count }, () => this.#start(new Worker(file, { workerData: task })));
  }

  get areReady(): boolean {
    return this.#threads.every(({ isReady }) => isReady);
  }

  /** Gives out what may be given out. Throws what a thread failed with. */
  feed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    for (const thread of this.#threads) {
      while (thread.isReady && thread.given.length < GIVEN_PER_THREAD) {
        const index = this.#queue.next();
        if (index === undefined) return;
        thread.given.push(index);
        thread.worker.postMessage(this.#ranges[index]);
      }
    }
  }

  /** Waits until a thread has something to say. */
  async wait(): Promise<void> {
    await this.#wake.promise;
    this.#wake = Promise.withResolvers();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }

  #start(worker: Worker): Thread {
    const thread: Thread = { worker, given: [], isReady: false };
    worker.on("message", (message: "ready" | SegmentAnswer) => {
      if (message === "ready") thread.isReady = true;
      else this.#queue.put(thread.given.shift() ?? 0, message);
      this.#wake.resolve(undefined);
    });
    worker.on("error", (error) => {
      this.#failure ??= { error };
      this.#wake.resolve(undefined);
    });
    return thread;
  }
}

export interface PoolOptions {
  /** This thread counted. */
  readonly workers: number;
  /** Begins when every thread has started, so that each takes part, though it takes longer. */
  readonly together?: boolean;
}

/** Whether all ranges were sound and wanted. Throws what reading throws, here or in a thread. */
export async function verifyRanges(
  task: SegmentTask,
  ranges: readonly FileRange[],
  take: TakeSegment,
  { workers, together }: PoolOptions,
): Promise<boolean> {
  const queue = new RangeQueue(ranges.length, workers, take);
  const read = createSegmentReader(task);
  const threads = new Threads(workers - 1, task, ranges, queue);
  try {
    while (together === true && !threads.areReady) {
      await threads.wait();
      threads.feed();
    }
    while (queue.outcome === undefined) {
      threads.feed();
      const index = queue.next();
      const range = index === undefined ? undefined : ranges[index];
      if (index === undefined || range === undefined) await threads.wait();
      else queue.put(index, read(range));
      await setImmediate();
    }
    return queue.outcome;
  } finally {
    await threads.stop();
  }
}
