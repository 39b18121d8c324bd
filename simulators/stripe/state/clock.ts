/** Time as the simulator sees it; tests drive it by hand. */

/** Milliseconds since the epoch, and one-shot timers; `schedule` returns what cancels the timer. */
export interface SimulatorClock {
  nowMs(): number;
  schedule(delayMs: number, run: () => void): () => void;
}

/** setTimeout takes 31 bits; whoever asked for more looks again when it rings early. */
const DELAY_MS_MAX = 2 ** 31 - 1;

export const systemClock: SimulatorClock = {
  nowMs: () => Date.now(),
  schedule(delayMs, run) {
    const timer = setTimeout(run, Math.min(Math.max(delayMs, 0), DELAY_MS_MAX));
    timer.unref();
    return () => {
      clearTimeout(timer);
    };
  },
};
