/** Console output of one execution, in Convex's form and bounds. */
import { inspect } from "node:util";
import { LIMITS } from "../limits.ts";
import type { LogLevel } from "./realm.ts";

const OVERFLOW = `[ERROR] Log overflow (maximum ${LIMITS.logLinesMax}). Remaining log lines omitted.`;

function cut(line: string): string {
  if (Buffer.byteLength(line) <= LIMITS.logLineBytesMax) return line;
  const { read } = new TextEncoder().encodeInto(line, new Uint8Array(LIMITS.logLineBytesMax));
  return `${line.slice(0, read)} (truncated due to length)`;
}

/** Writes console arguments as one line: `[LOG] 'text' { a: 1 }`. */
export function formatLogLine(level: LogLevel, values: readonly unknown[]): string {
  return cut(`[${level}] ${values.map((value) => inspect(value, { depth: 6 })).join(" ")}`);
}

/** Collects the lines of one execution. */
export class LogLines {
  readonly lines: string[] = [];
  private readonly sink: (level: LogLevel, line: string) => void;

  /** `sink` sees every line as it is written, the caller gets at most the platform's number of them. */
  constructor(sink: (level: LogLevel, line: string) => void) {
    this.sink = sink;
  }

  add(level: LogLevel, values: readonly unknown[]): void {
    const line = formatLogLine(level, values);
    this.sink(level, line);
    if (this.lines.length < LIMITS.logLinesMax - 1) this.lines.push(line);
    else if (this.lines.length === LIMITS.logLinesMax - 1) this.lines.push(OVERFLOW);
  }
}
