/** The threads that verify ranges beside the main one. They serve one verification after another. */
import { Worker } from "node:worker_threads";
import type { FileRange } from "./rangeReader.ts";
import type { SegmentAnswer, SegmentTask } from "./segmentReader.ts";

/** Ranges that a thread has been given: the next is there when it has done with one. */
const GIVEN_PER_THREAD = 2;

/** What a thread is told to do, and what it says. */
export interface RangeOrder {
  readonly job: number;
  readonly index: number;
  readonly task: SegmentTask;
  readonly range: FileRange;
}
export interface RangeAnswer {
  readonly index: number;
  readonly answer: SegmentAnswer;
}

/** One verification, as the threads see it. */
export interface Job {
  readonly task: SegmentTask;
  readonly ranges: readonly FileRange[];
  /** The next range to be verified, by its index, if one may be given out now. */
  next(): number | undefined;
  put(index: number, answer: SegmentAnswer): void;
}

interface Thread {
  readonly worker: Worker;
  isReady: boolean;
  /** Ranges it has and did not answer yet. */
  given: number;
}

/** Starts its threads at once; `stop` them in the end. */
export class SegmentThreads {
  readonly #threads: readonly Thread[];
  #job: Job | undefined;
  #jobs = 0;
  #wake = Promise.withResolvers<undefined>();
  #failure: { readonly error: unknown } | undefined;

  constructor(count: number) {
    const file = new URL("segmentThread.ts", import.meta.url);
    this.#threads = Array.from({ length: count }, () => this.#listen(new Worker(file)));
  }

  /** How many there are, the main one not counted. */
  get count(): number {
    return this.#threads.length;
  }

  /** Takes up a verification. */
  begin(job: Job): void {
    this.#job = job;
    this.#jobs += 1;
  }

  /** Waits until no thread has a range any more: until then the file must stay open. */
  async end(): Promise<void> {
    while (this.#failure === undefined && this.#threads.some(({ given }) => given > 0)) await this.wait();
    this.#job = undefined;
  }

  /** Gives out what may be given out. Throws what a thread failed with. */
  feed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    for (const thread of this.#threads) {
      while (thread.isReady && thread.given < GIVEN_PER_THREAD) {
        if (!this.#give(thread)) return;
      }
    }
  }

  /** Waits until a thread has something to say. */
  async wait(): Promise<void> {
    await this.#wake.promise;
    this.#wake = Promise.withResolvers();
  }

  /** Waits until every thread has started. Throws what a thread failed with. */
  async whenReady(): Promise<void> {
    while (!this.#threads.every(({ isReady }) => isReady)) {
      await this.wait();
      if (this.#failure !== undefined) throw this.#failure.error;
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }

  #give(thread: Thread): boolean {
    const index = this.#job?.next();
    const range = index === undefined ? undefined : this.#job?.ranges[index];
    if (this.#job === undefined || index === undefined || range === undefined) return false;
    const order: RangeOrder = { job: this.#jobs, index, task: this.#job.task, range };
    thread.worker.postMessage(order);
    thread.given += 1;
    return true;
  }

  #listen(worker: Worker): Thread {
    const thread: Thread = { worker, isReady: false, given: 0 };
    worker.on("message", (message: "ready" | RangeAnswer) => {
      if (message === "ready") thread.isReady = true;
      else {
        thread.given -= 1;
        this.#job?.put(message.index, message.answer);
      }
      this.#wake.resolve(undefined);
    });
    worker.on("error", (error) => {
      this.#failure ??= { error };
      this.#wake.resolve(undefined);
    });
    return thread;
  }
}
