/** Progress on standard error, for a person who waits at a terminal. */
import { Presets, SingleBar } from "cli-progress";

export interface Progress {
  report(done: number, total: number): void;
  stop(): void;
}

/** Shorter ledgers are done before a bar could be read. */
const EVENTS_WORTH_A_BAR = 20_000;

const SILENT: Progress = {
  report: () => undefined,
  stop: () => undefined,
};

export function createProgress(stream: NodeJS.WriteStream): Progress {
  if (!stream.isTTY) return SILENT;
  let bar: SingleBar | undefined;
  return {
    report: (done, total) => {
      if (total < EVENTS_WORTH_A_BAR) return;
      if (bar === undefined) {
        bar = new SingleBar(
          { stream, format: "{bar} {value}/{total} events, {eta_formatted} left", clearOnComplete: true },
          Presets.shades_classic,
        );
        bar.start(total, 0);
      }
      bar.update(done);
    },
    stop: () => {
      bar?.stop();
    },
  };
}
