/**
 * Calls that were stopped because they used up their time or the memory. For a while the same call is refused
 * without being run: it would stop the engine again.
 */
import type { Call } from "../engine/contract.ts";
import { functionTimedOut, PlatformError } from "../engine/errors.ts";
import { shownArguments, type RunningCall } from "../engine/execution/stopwatch.ts";
import { HOST_LIMITS } from "../engine/limits.ts";
import type { ThreadEnd } from "./threadWatch.ts";

function keyOf({ component, path, args, argsLength }: Omit<RunningCall, "requestId">): string {
  return [component, path, argsLength, args].join("\0");
}

type Stopped = { error: PlatformError; untilMs: number };

/** The refused calls. */
export class StoppedCalls {
  readonly #stopped = new Map<string, Stopped>();

  add(end: Extract<ThreadEnd, { call: RunningCall }>): PlatformError {
    const error =
      end.kind === "timedOut"
        ? functionTimedOut()
        : new PlatformError("JavaScript execution ran out of memory");
    this.#forgetOld();
    this.#stopped.set(keyOf(end.call), { error, untilMs: Date.now() + HOST_LIMITS.stoppedCallRefusedMs });
    return error;
  }

  get isEmpty(): boolean {
    return this.#stopped.size === 0;
  }

  /** What to refuse a call with, or null. */
  errorFor({ componentPath, path, args }: Call): PlatformError | null {
    if (this.#stopped.size === 0) return null;
    this.#forgetOld();
    return (
      this.#stopped.get(keyOf({ component: componentPath, path, ...shownArguments(args) }))?.error ?? null
    );
  }

  #forgetOld(): void {
    const nowMs = Date.now();
    for (const [key, { untilMs }] of this.#stopped) if (untilMs <= nowMs) this.#stopped.delete(key);
  }
}
