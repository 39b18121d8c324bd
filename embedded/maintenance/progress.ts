/** Progress on standard error, for a person who waits at a terminal. */
import { Presets, SingleBar } from "cli-progress";

export type Progress = { report: (doneBytes: number, totalBytes: number) => void; stop: () => void };

const MEBIBYTE = 1 << 20;

export const SILENT: Progress = { report: () => undefined, stop: () => undefined };

/** A bar where the stream is a terminal, else nothing. */
export function createProgress(stream: NodeJS.WriteStream): Progress {
  if (!stream.isTTY) return SILENT;
  const format = "{bar} {value}/{total} MiB, {eta_formatted} left";
  const bar = new SingleBar({ stream, format, clearOnComplete: true }, Presets.shades_classic);
  let started = false;
  return {
    report: (doneBytes, totalBytes) => {
      if (!started) bar.start(Math.ceil(totalBytes / MEBIBYTE), 0);
      started = true;
      bar.update(Math.floor(doneBytes / MEBIBYTE));
    },
    stop: () => {
      bar.stop();
    },
  };
}
