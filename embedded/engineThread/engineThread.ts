/**
 * One life of the engine's thread, from the main thread: requests and notices, and a watch that ends the thread
 * when a function never lets go of it. It is not started again here.
 */
import { Worker } from "node:worker_threads";
import { steadyMs, Stopwatch, usedUp, type RunningCall } from "../engine/execution/stopwatch.ts";
import { HOST_LIMITS } from "../engine/limits.ts";
import type { EngineOptions, Timestamp } from "../engine/contract.ts";
import type { FromEngine, Method, Opened, Requests, ThreadOptions, ToEngine } from "./messages.ts";
import { fromPlainError } from "./plainError.ts";

/**
 * Why a thread ended: a query or mutation used up its time or the memory, an action kept the thread to itself,
 * or the host's own mistake. `closed` is what was asked for.
 */
export type ThreadEnd =
  | { kind: "timedOut" | "outOfMemory"; call: RunningCall }
  | { kind: "stalled" }
  | { kind: "broken"; error: Error }
  | { kind: "closed" };

/** What requests are refused with once their thread has ended. */
export class ThreadEnded extends Error {
  override readonly name = "ThreadEnded";
  readonly end: ThreadEnd;

  constructor(end: ThreadEnd) {
    super(`the engine's thread ended (${end.kind})`);
    this.end = end;
  }
}

export type ThreadListeners = {
  log: EngineOptions["log"];
  onStale: (subscription: number) => void;
  onFatal: (failure: Error) => void;
  /** Called once, after the last message and before waiting requests are refused. */
  onEnd: (end: ThreadEnd) => void;
};

type Waiting = { resolve: (answer: never) => void; reject: (error: Error) => void };

const WATCH_EVERY_MS = 50;

/** A function that turns to the engine now and then is stopped there, without the thread. */
const STOPPED_BY_ENGINE_MS = 200;

/** From here on a running function's memory is looked at too. */
const MEMORY_WATCHED_FROM_MS = 20;

/** The share of the heap that a function may fill. Beyond its limit V8 ends the process, not the thread. */
const HEAP_SHARE_MAX = 0.75;

const BYTES_PER_MIB = 1024 ** 2;

/** A thread with an open engine. */
export class EngineThread {
  readonly opened: Opened;
  readonly #worker: Worker;
  readonly #stopwatch: Stopwatch;
  readonly #listeners: ThreadListeners;
  readonly #waiting = new Map<number, Waiting>();
  readonly #watch: NodeJS.Timeout;
  readonly #heapBytesMax: number;
  #nextId = 1;
  #ts: Timestamp;
  #settledTs: Timestamp;
  #judging = false;
  #gone = false;
  #end: ThreadEnd | null = null;

  private constructor(
    { worker, stopwatch, options }: { worker: Worker; stopwatch: Stopwatch; options: ThreadOptions },
    first: Extract<FromEngine, { kind: "opened" }>,
    listeners: ThreadListeners,
  ) {
    this.opened = first.opened;
    this.#ts = first.ts;
    this.#settledTs = first.ts;
    this.#worker = worker;
    this.#stopwatch = stopwatch;
    this.#heapBytesMax = options.memoryMib === undefined ? Infinity : options.memoryMib * BYTES_PER_MIB;
    this.#listeners = listeners;
    worker.on("message", (message: FromEngine) => {
      this.#receive(message);
    });
    worker.on("error", (error: Error & { code?: string }) => {
      this.#end ??= this.#endOf(error);
    });
    worker.on("exit", () => {
      this.#exited();
    });
    this.#watch = setInterval(() => void this.#look(), WATCH_EVERY_MS);
  }

  /** Starts a thread and opens the engine in it. Rejects with the engine's own HostError. */
  static async open(options: ThreadOptions, listeners: ThreadListeners): Promise<EngineThread> {
    const stopwatch = new Stopwatch();
    const workerData: ThreadOptions = { ...options, watch: stopwatch.memory };
    const worker = new Worker(new URL("engineWorker.ts", import.meta.url), { workerData, name: "engine" });
    const first = await firstMessage(worker, listeners.log);
    if (first.kind === "opened") return new EngineThread({ worker, stopwatch, options }, first, listeners);
    await worker.terminate();
    throw fromPlainError(first.error);
  }

  /** Timestamp of the newest commit that any message told of. */
  latestTs(): Timestamp {
    return this.#ts;
  }

  /** Timestamp up to which every subscription that a commit touched has heard of it. */
  settledTs(): Timestamp {
    return this.#settledTs;
  }

  request<M extends Method>(method: M, args: Requests[M]["args"]): Promise<Requests[M]["answer"]> {
    return new Promise((resolve, reject) => {
      // Until it is gone, its end is still to come: whoever asks again at once would find the same thread.
      if (this.#end !== null && this.#gone) {
        reject(new ThreadEnded(this.#end));
        return;
      }
      const id = this.#nextId;
      this.#nextId += 1;
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ kind: "request", id, method, args });
    });
  }

  notify(message: Exclude<ToEngine, { kind: "request" }>): void {
    if (this.#end === null) this.#worker.postMessage(message);
  }

  /** Ends the thread once the engine has drained, or after the grace where something in it does not end. */
  async close(graceMs: number): Promise<void> {
    const grace = new Promise<void>((resolve) => setTimeout(resolve, graceMs).unref());
    await Promise.race([this.request("close", []).catch(() => undefined), grace]);
    await this.#terminate({ kind: "closed" });
  }

  async #terminate(end: ThreadEnd): Promise<void> {
    this.#end ??= end;
    await this.#worker.terminate();
  }

  #receive(message: FromEngine): void {
    if ("ts" in message) this.#noteTs(message);
    switch (message.kind) {
      case "log":
        this.#listeners.log(message.record);
        break;
      case "fatal":
        this.#listeners.onFatal(fromPlainError(message.error));
        break;
      case "stale":
        this.#listeners.onStale(message.subscription);
        break;
      case "answer":
        this.#take(message.id)?.resolve(message.answer as never);
        break;
      case "failure":
        this.#take(message.id)?.reject(fromPlainError(message.error));
        break;
      case "opened":
      case "refused":
        break;
    }
  }

  #noteTs({ kind, ts }: Extract<FromEngine, { ts: Timestamp }>): void {
    if (ts > this.#ts) this.#ts = ts;
    // The engine tells all subscriptions of a commit before it answers anyone.
    if (kind !== "stale") this.#settledTs = this.#ts;
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  #exited(): void {
    clearInterval(this.#watch);
    this.#gone = true;
    this.#end ??= { kind: "broken", error: new Error("the engine's thread ended by itself") };
    this.#listeners.onEnd(this.#end);
    for (const { reject } of this.#waiting.values()) reject(new ThreadEnded(this.#end));
    this.#waiting.clear();
  }

  #endOf(error: Error & { code?: string }): ThreadEnd {
    const inFunction = this.#stopwatch.read().activity === "function";
    if (error.code === "ERR_WORKER_OUT_OF_MEMORY" && inFunction) {
      return { kind: "outOfMemory", call: this.#stopwatch.running() };
    }
    return { kind: "broken", error };
  }

  /** Ends the thread when a function has had it for too long. */
  async #look(): Promise<void> {
    if (this.#judging || this.#end !== null) return;
    this.#judging = true;
    try {
      const { activity, ownMs, heartbeatMs } = this.#stopwatch.read();
      if (activity === "function" && ownMs > MEMORY_WATCHED_FROM_MS) await this.#judgeCall();
      else if (activity === "idle" && steadyMs() - heartbeatMs > HOST_LIMITS.threadSilenceMaxMs) {
        await this.#judgeSilence(heartbeatMs);
      }
    } catch (error) {
      if (!this.#hasEnded()) throw error;
    } finally {
      this.#judging = false;
    }
  }

  #hasEnded(): boolean {
    return this.#end !== null;
  }

  /** Ends a call that takes too much. One that the machine gave no processor to is not too slow. */
  async #judgeCall(): Promise<void> {
    const { serial } = this.#stopwatch.read();
    const [heap, cpu] = await Promise.all([this.#worker.getHeapStatistics(), this.#worker.cpuUsage()]);
    const now = this.#stopwatch.read();
    if (now.activity !== "function" || now.serial !== serial) return;
    const call = this.#stopwatch.running();
    const cpuMs = (cpu.user + cpu.system) / 1_000 - now.cpuMsAtStart;
    if (heap.used_heap_size > Math.min(this.#heapBytesMax, heap.heap_size_limit * HEAP_SHARE_MAX)) {
      await this.#terminate({ kind: "outOfMemory", call });
    } else if (usedUp(now.ownMs - STOPPED_BY_ENGINE_MS, cpuMs)) {
      await this.#terminate({ kind: "timedOut", call });
    }
  }

  /** A machine that slept finds a thread that was silent; a moment later it is not. */
  async #judgeSilence(heartbeatMs: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 10 * WATCH_EVERY_MS));
    const now = this.#stopwatch.read();
    if (now.activity !== "idle" || now.heartbeatMs !== heartbeatMs) return;
    await this.#terminate({ kind: "stalled" });
  }
}

type FirstMessage = Extract<FromEngine, { kind: "opened" | "refused" }>;

/** Resolves with the engine's first word about itself; its log lines go on meanwhile. */
function firstMessage(worker: Worker, log: EngineOptions["log"]): Promise<FirstMessage> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      worker.off("message", onMessage).off("error", onError).off("exit", onExit);
      act();
    };
    const onMessage = (message: FromEngine): void => {
      if (message.kind === "log") log(message.record);
      if (message.kind !== "opened" && message.kind !== "refused") return;
      settle(() => {
        resolve(message);
      });
    };
    const onError = (error: Error): void => {
      settle(() => {
        reject(error);
      });
    };
    const onExit = (): void => {
      onError(new Error("the engine's thread ended while it opened"));
    };
    worker.on("message", onMessage).on("error", onError).on("exit", onExit);
  });
}
