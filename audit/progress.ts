/** Progress on standard error, for a person who waits at a terminal. */
import type { SingleBar } from "cli-progress";

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

export async function createProgress(stream: NodeJS.WriteStream): Promise<Progress> {
  if (!stream.isTTY) return SILENT;
  const cliProgress = await import("cli-progress");
  let bar: SingleBar | undefined;
  return {
    report: (done, total) => {
      if (total < EVENTS_WORTH_A_BAR) return;
      if (bar === undefined) {
        bar = new cliProgress.SingleBar(
          { stream, format: "{bar} {value}/{total} events, {eta_formatted} left", clearOnComplete: true },
          cliProgress.Presets.shades_classic,
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
