/** The engine's structured log records. */
import type { EngineOptions } from "../contract.ts";
import type { Failure } from "../errors.ts";
import type { LogLevel } from "../runtime/realm.ts";
import type { RequestMetadata } from "../runtime/functionCall.ts";

type Level = Parameters<EngineOptions["log"]>[0]["level"];

const LEVELS: Record<LogLevel, Level> = {
  DEBUG: "debug",
  LOG: "info",
  INFO: "info",
  WARN: "warn",
  ERROR: "error",
};

const FIRST_LINE_LENGTH_MAX = 300;

function firstLine(message: string): string {
  return (message.split("\n", 1)[0] ?? "").slice(0, FIRST_LINE_LENGTH_MAX);
}

/** Writes records to the sink of the options. */
export class EngineLog {
  private readonly sink: EngineOptions["log"];

  constructor(sink: EngineOptions["log"]) {
    this.sink = sink;
  }

  functionLine(level: LogLevel, line: string, context: Record<string, unknown>): void {
    this.sink({ level: LEVELS[level], message: line, ...context });
  }

  /**
   * Refusals that reach the caller are expected, and go on to repeat the caller's own values, which logs have no
   * use for: their first line is enough. Of the rest everything is kept, because callers may see none of it.
   */
  functionFailure(
    call: { component: string; path: string; kind: string; request: RequestMetadata },
    failure: Failure,
  ): void {
    this.sink({
      level: failure.visible ? "info" : "error",
      message: failure.visible ? firstLine(failure.message) : failure.message,
      function: call.path,
      component: call.component,
      kind: call.kind,
      requestId: call.request.requestId,
      ...(failure.stack === null ? {} : { stack: failure.stack }),
    });
  }

  notice(level: Level, message: string, context: Record<string, unknown> = {}): void {
    this.sink({ level, message, ...context });
  }
}
