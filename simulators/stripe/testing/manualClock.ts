/** A clock that moves only when a test says so. */
import type { SimulatorClock } from "../state/clock.ts";

export interface ManualClock extends SimulatorClock {
  /** Moves time on and runs what became due, in the order of its time. */
  advance(ms: number): void;
}

/** A clock that stands at `startMs` (milliseconds since the epoch) until it is advanced. */
export function createManualClock(startMs: number): ManualClock {
  let nowMs = startMs;
  const timers = new Set<{ dueMs: number; run: () => void }>();
  const nextDue = (untilMs: number) =>
    [...timers].filter(({ dueMs }) => dueMs <= untilMs).sort((a, b) => a.dueMs - b.dueMs)[0];
  return {
    nowMs: () => nowMs,
    schedule(delayMs, run) {
      const timer = { dueMs: nowMs + Math.max(delayMs, 0), run };
      timers.add(timer);
      return () => {
        timers.delete(timer);
      };
    },
    advance(ms) {
      const untilMs = nowMs + ms;
      for (let timer = nextDue(untilMs); timer !== undefined; timer = nextDue(untilMs)) {
        timers.delete(timer);
        nowMs = Math.max(nowMs, timer.dueMs);
        timer.run();
      }
      nowMs = untilMs;
    },
  };
}
