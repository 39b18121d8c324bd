/**
 * Which query or mutation runs now, and how much time of its own it has used: what it spends in the engine does
 * not count. Kept in shared memory, so that another thread can read it while the function never lets go.
 *
 * The engine's thread is the only writer.
 */
import { LIMITS } from "../limits.ts";

/** A running query or mutation. `args` is the start of its arguments' JSON text, of `argsLength` units in all. */
export type RunningCall = {
  requestId: string;
  component: string;
  path: string;
  args: string;
  argsLength: number;
};

export type Activity = "idle" | "engine" | "function";

const ACTIVITIES: readonly Activity[] = ["idle", "engine", "function"];

/** Places in the shared numbers. */
const ACTIVITY = 0;
const SINCE_MS = 1;
const USED_MS = 2;
const SERIAL = 3;
const CPU_MS = 4;
const HEARTBEAT_MS = 5;
const LABEL_BYTES = 6;
const TURNS = 7;
const WORK_SINCE_MS = 8;
const NUMBERS = 9;

const utf8 = new TextEncoder();

const ARGS_SHOWN = 1_024;
const LABEL_BYTES_MAX = 8 * 1_024;

/** The share of the allowed time that a function must have had a processor before it is called too slow. */
const CPU_SHARE_MIN = 0.8;

/** Milliseconds of a clock that never jumps and is the same for every thread. */
export function steadyMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

export type Reading = {
  activity: Activity;
  /** Counts calls, so that two readings can be known to be of the same one. */
  serial: number;
  /** Changes whenever the running call turns to the engine. */
  turns: number;
  ownMs: number;
  /** Processor time of the engine's thread, as `process.threadCpuUsage` counts it, when this call's work began. */
  cpuMsAtStart: number;
  /** How long this call's work has taken, the engine's part in it too. */
  workMs: number;
  /** When the engine's event loop last turned, by `steadyMs`. */
  heartbeatMs: number;
};

/**
 * True when a call has used up its own time, and a busy machine is not the reason. `cpuMs` is what the thread had of a
 * processor in `workMs`; what the call itself had of it is taken to be the same share of its own time.
 */
export function usedUp({ ownMs, workMs, cpuMs }: { ownMs: number; workMs: number; cpuMs: number }): boolean {
  if (ownMs <= LIMITS.functionTimeMs) return false;
  return ownMs * (cpuMs / workMs) > LIMITS.functionTimeMs * CPU_SHARE_MIN;
}

/** The part of a call's arguments that identifies it here. */
export function shownArguments(args: string): Pick<RunningCall, "args" | "argsLength"> {
  return { args: args.slice(0, ARGS_SHOWN), argsLength: args.length };
}

/** Reads and, in the engine's thread, writes the shared memory. */
export class Stopwatch {
  readonly memory: SharedArrayBuffer;
  private readonly numbers: Float64Array;
  private readonly label: Uint8Array;

  constructor(memory?: SharedArrayBuffer) {
    const offset = NUMBERS * Float64Array.BYTES_PER_ELEMENT;
    this.memory = memory ?? new SharedArrayBuffer(offset + LABEL_BYTES_MAX);
    this.numbers = new Float64Array(this.memory, 0, NUMBERS);
    this.label = new Uint8Array(this.memory, offset);
  }

  begin(call: RunningCall): void {
    const { written } = utf8.encodeInto(JSON.stringify(call), this.label);
    this.set(LABEL_BYTES, written);
    this.set(SERIAL, this.at(SERIAL) + 1);
    this.set(USED_MS, 0);
    this.resume();
  }

  /** The engine begins to work: on one call, or on several that become durable together. */
  startWork(): void {
    this.set(CPU_MS, threadCpuMs());
    this.set(WORK_SINCE_MS, steadyMs());
    this.mark("engine");
  }

  /** Back in the engine. */
  end(): void {
    this.set(USED_MS, 0);
    this.mark("engine");
  }

  /** The function waits for the engine. */
  pause(): void {
    this.set(USED_MS, this.ownMs());
    this.mark("engine");
  }

  resume(): void {
    this.set(SINCE_MS, steadyMs());
    this.set(TURNS, this.at(TURNS) + 1);
    this.set(ACTIVITY, ACTIVITIES.indexOf("function"));
  }

  /** Between functions: whether the engine itself is at work, which nobody interrupts. */
  mark(activity: "idle" | "engine"): void {
    this.set(ACTIVITY, ACTIVITIES.indexOf(activity));
  }

  beat(): void {
    this.set(HEARTBEAT_MS, steadyMs());
  }

  /** Whether the running call is out of time. Only in the engine's thread. */
  isUsedUp(): boolean {
    const ownMs = this.ownMs();
    if (ownMs <= LIMITS.functionTimeMs) return false;
    return usedUp({ ownMs, workMs: this.workMs(), cpuMs: threadCpuMs() - this.at(CPU_MS) });
  }

  read(): Reading {
    return {
      activity: ACTIVITIES[this.at(ACTIVITY)] ?? "idle",
      serial: this.at(SERIAL),
      turns: this.at(TURNS),
      ownMs: this.ownMs(),
      cpuMsAtStart: this.at(CPU_MS),
      workMs: this.workMs(),
      heartbeatMs: this.at(HEARTBEAT_MS),
    };
  }

  /** The call of the last `begin`. */
  running(): RunningCall {
    const bytes = this.label.slice(0, this.at(LABEL_BYTES));
    return JSON.parse(new TextDecoder().decode(bytes)) as RunningCall;
  }

  private workMs(): number {
    return steadyMs() - this.at(WORK_SINCE_MS);
  }

  private ownMs(): number {
    const slice = this.at(ACTIVITY) === ACTIVITIES.indexOf("function") ? steadyMs() - this.at(SINCE_MS) : 0;
    return this.at(USED_MS) + slice;
  }

  private at(place: number): number {
    return this.numbers[place] ?? 0;
  }

  private set(place: number, value: number): void {
    this.numbers[place] = value;
  }
}
