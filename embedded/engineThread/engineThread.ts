/**
 * One life of the engine's thread, from the main thread: requests and notices, and a watch that ends the thread
 * when a function never lets go of it. It is not started again here.
 */
import { Worker } from "node:worker_threads";
import { Stopwatch } from "../engine/execution/stopwatch.ts";
import type { EngineOptions, Timestamp } from "../engine/contract.ts";
import type { FromEngine, Method, Opened, Requests, ThreadOptions, ToEngine } from "./messages.ts";
import { MessageBatch } from "./messageBatch.ts";
import { fromPlainError } from "./plainError.ts";
import { ThreadWatch, type ThreadEnd } from "./threadWatch.ts";

/** What requests are refused with once their thread has ended. */
export class ThreadEnded extends Error {
  override readonly name = "ThreadEnded";
  readonly end: ThreadEnd;
  /** Whether nothing that was unanswered has taken effect: no commit was on its way. */
  readonly isUndone: boolean;

  constructor(end: ThreadEnd, isUndone: boolean) {
    super(`the engine's thread ended (${end.kind})`);
    this.end = end;
    this.isUndone = isUndone;
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

/** A thread with an open engine. */
export class EngineThread {
  readonly opened: Opened;
  readonly #worker: Worker;
  readonly #outgoing: MessageBatch<ToEngine>;
  readonly #stopwatch: Stopwatch;
  readonly #listeners: ThreadListeners;
  readonly #waiting = new Map<number, Waiting>();
  readonly #watch: ThreadWatch;
  #nextId = 1;
  #ts: Timestamp;
  #settledTs: Timestamp;
  #end: ThreadEnd | null = null;
  /** Set once the thread is gone. */
  #ended: ThreadEnded | null = null;

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
    this.#listeners = listeners;
    // After what else this turn of the event loop reads from the network.
    this.#outgoing = new MessageBatch((messages) => {
      worker.postMessage(messages);
    }, setImmediate);
    worker.on("message", (messages: readonly FromEngine[]) => {
      for (const message of messages) this.#receive(message);
    });
    worker.on("error", (error: Error & { code?: string }) => {
      this.#end ??= this.#endOf(error);
    });
    worker.on("exit", () => {
      this.#exited();
    });
    this.#watch = new ThreadWatch({ worker, stopwatch, memoryMib: options.memoryMib }, (end) =>
      this.#terminate(end),
    );
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
      if (this.#ended !== null) {
        reject(this.#ended);
        return;
      }
      const id = this.#nextId;
      this.#nextId += 1;
      this.#waiting.set(id, { resolve, reject });
      this.#outgoing.add({ kind: "request", id, method, args });
    });
  }

  notify(message: Exclude<ToEngine, { kind: "request" }>): void {
    if (this.#end === null) this.#outgoing.add(message);
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
    this.#watch.stop();
    this.#end ??= { kind: "broken", error: new Error("the engine's thread ended by itself") };
    // What made the watch end it may be over by the time it ends. But a function that was running at the very end had
    // its commit before it, and what was committed before it began has been answered.
    this.#ended = new ThreadEnded(this.#end, this.#stopwatch.read().activity === "function");
    this.#listeners.onEnd(this.#end);
    for (const { reject } of this.#waiting.values()) reject(this.#ended);
    this.#waiting.clear();
  }

  #endOf(error: Error & { code?: string }): ThreadEnd {
    const inFunction = this.#stopwatch.read().activity === "function";
    if (error.code === "ERR_WORKER_OUT_OF_MEMORY" && inFunction) {
      return { kind: "outOfMemory", call: this.#stopwatch.running() };
    }
    return { kind: "broken", error };
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
    const onMessage = (messages: readonly FromEngine[]): void => {
      for (const message of messages) {
        if (message.kind === "log") log(message.record);
        if (message.kind !== "opened" && message.kind !== "refused") continue;
        settle(() => {
          resolve(message);
        });
      }
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
