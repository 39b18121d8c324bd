/** Watches the engine's thread from outside, and says when a function must be stopped together with it. */
import type { Worker } from "node:worker_threads";
import {
  steadyMs,
  usedUp,
  type Reading,
  type RunningCall,
  type Stopwatch,
} from "../engine/execution/stopwatch.ts";
import { HOST_LIMITS } from "../engine/limits.ts";

/**
 * Why a thread ended: a query or mutation used up its time or the memory, an action kept the thread to itself,
 * or the host's own mistake. `closed` is what was asked for.
 */
export type ThreadEnd =
  | { kind: "timedOut" | "outOfMemory"; call: RunningCall }
  | { kind: "stalled" }
  | { kind: "broken"; error: Error }
  | { kind: "closed" };

const WATCH_EVERY_MS = 50;

/**
 * A function that turns to the engine is stopped there, without the thread. One that has not for so much processor
 * time since it was late does not let go.
 */
const NEVER_TURNING_CPU_MS = 100;

/** From here on a running function's memory is looked at too. */
const MEMORY_WATCHED_FROM_MS = 20;

/** The share of the heap that a function may fill. Beyond its limit V8 ends the process, not the thread. */
const HEAP_SHARE_MAX = 0.75;

const BYTES_PER_MIB = 1024 ** 2;

type Watched = { worker: Worker; stopwatch: Stopwatch; memoryMib: number | undefined };

/** The watch over one thread. It gives at most one verdict. */
export class ThreadWatch {
  readonly #worker: Worker;
  readonly #stopwatch: Stopwatch;
  readonly #heapBytesMax: number;
  readonly #onVerdict: (end: ThreadEnd) => Promise<void>;
  readonly #timer: NodeJS.Timeout;
  #stopped = false;
  #looking = false;
  /** The call that was late at the last look, and the thread's processor time then. */
  #late: { serial: number; turns: number; cpuMs: number } | null = null;

  constructor({ worker, stopwatch, memoryMib }: Watched, onVerdict: (end: ThreadEnd) => Promise<void>) {
    this.#worker = worker;
    this.#stopwatch = stopwatch;
    this.#heapBytesMax = memoryMib === undefined ? Infinity : memoryMib * BYTES_PER_MIB;
    this.#onVerdict = onVerdict;
    this.#timer = setInterval(() => void this.#look(), WATCH_EVERY_MS);
  }

  /** The thread has ended, or is about to. */
  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const verdict = await this.#judge();
      if (verdict === null || this.#hasStopped()) return;
      this.stop();
      await this.#onVerdict(verdict);
    } catch (error) {
      // A thread that ended meanwhile answers no more.
      if (!this.#hasStopped()) throw error;
    } finally {
      this.#looking = false;
    }
  }

  #hasStopped(): boolean {
    return this.#stopped;
  }

  async #judge(): Promise<ThreadEnd | null> {
    const { activity, serial, ownMs, heartbeatMs } = this.#stopwatch.read();
    if (activity === "function" && ownMs > MEMORY_WATCHED_FROM_MS) return await this.#judgeCall(serial);
    const isSilent = steadyMs() - heartbeatMs > HOST_LIMITS.threadSilenceMaxMs;
    return activity === "idle" && isSilent ? await this.#judgeSilence(heartbeatMs) : null;
  }

  /** A call that takes too much. One that the machine gave no processor to is not too slow. */
  async #judgeCall(serial: number): Promise<ThreadEnd | null> {
    const [heap, cpu] = await Promise.all([this.#worker.getHeapStatistics(), this.#worker.cpuUsage()]);
    const now = this.#stopwatch.read();
    if (now.activity !== "function" || now.serial !== serial) return null;
    const cpuMs = (cpu.user + cpu.system) / 1_000;
    const heapBytesMax = Math.min(this.#heapBytesMax, heap.heap_size_limit * HEAP_SHARE_MAX);
    if (heap.used_heap_size > heapBytesMax) return { kind: "outOfMemory", call: this.#stopwatch.running() };
    const isLate = usedUp({ ...now, cpuMs: cpuMs - now.cpuMsAtStart });
    return isLate && this.#neverTurns(now, cpuMs)
      ? { kind: "timedOut", call: this.#stopwatch.running() }
      : null;
  }

  /** Whether a late call has run on without turning to the engine since the look that found it late. */
  #neverTurns({ serial, turns }: Reading, cpuMs: number): boolean {
    const late = this.#late;
    if (late?.serial === serial && late.turns === turns) return cpuMs - late.cpuMs > NEVER_TURNING_CPU_MS;
    this.#late = { serial, turns, cpuMs };
    return false;
  }

  /** A machine that slept finds a thread that was silent; a moment later it is not. */
  async #judgeSilence(heartbeatMs: number): Promise<ThreadEnd | null> {
    await new Promise((resolve) => setTimeout(resolve, 10 * WATCH_EVERY_MS));
    const now = this.#stopwatch.read();
    return now.activity === "idle" && now.heartbeatMs === heartbeatMs ? { kind: "stalled" } : null;
  }
}
