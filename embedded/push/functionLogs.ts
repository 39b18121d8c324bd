/** What functions logged lately, for `convex logs`: a ring in memory, read by long polling. */
import type { EngineOptions } from "../engine/contract.ts";
import { newRequestId } from "../server/httpExchange.ts";

const ENTRIES_MAX = 1000;
/** A client whose proxy cuts silent connections asks again in time. */
const WAIT_MAX_MS = 25_000;
/** Keeps two entries of one moment apart, and is exact in a double. */
const CURSOR_STEP_MS = 2 ** -10;

type UdfType = "Query" | "Mutation" | "Action" | "HttpAction";

type LogRecord = Parameters<EngineOptions["log"]>[0];

type Entry = {
  kind: "Progress" | "Completion";
  udfType: UdfType;
  componentPath: string | null;
  identifier: string;
  /** Seconds. */
  timestamp: number;
  logLines: { messages: string[]; level: string; timestamp: number; isTruncated: boolean }[];
  requestId: string;
  executionId: string;
  /** Seconds; only of completions. */
  executionTime?: number;
  success?: null;
  error?: string;
};

export type LogPage = { entries: readonly Entry[]; newCursor: number };

/** A function as the log names it. */
export type LoggedFunction = { component: string; path: string };

const UDF_TYPES = {
  query: "Query",
  mutation: "Mutation",
  action: "Action",
  httpAction: "HttpAction",
} as const;
const LINE = /^\[(DEBUG|LOG|INFO|WARN|ERROR)\] ([\s\S]*)$/;

export type FunctionKind = keyof typeof UDF_TYPES;

/** Collects entries; `kindOf` tells of which kind the functions that log are. */
export class FunctionLogs {
  readonly #entries: { cursor: number; entry: Entry }[] = [];
  readonly #kindOf: (of: LoggedFunction) => FunctionKind;
  readonly #waiting = new Set<() => void>();
  #lastCursor = 0;
  #closed = false;

  constructor(kindOf: (of: LoggedFunction) => FunctionKind) {
    this.#kindOf = kindOf;
  }

  /** Takes one of the engine's records. Those that are not about a function are left out. */
  take(record: LogRecord): void {
    const { function: path, component, requestId, kind, message } = record;
    if (typeof path !== "string" || typeof component !== "string") return;
    const of = { component, path };
    const base = this.#base(of, this.#kindOf(of), requestId);
    if (typeof kind === "string") {
      this.#add({ ...base, kind: "Completion", logLines: [], executionTime: 0, error: message });
      return;
    }
    const [, level = "LOG", text = message] = LINE.exec(message) ?? [];
    const line = { messages: [text], level, timestamp: base.timestamp * 1000, isTruncated: false };
    this.#add({ ...base, kind: "Progress", logLines: [line] });
  }

  /** Notes that a call ended well. */
  completed(of: LoggedFunction, kind: FunctionKind, requestId: string, durationMs: number): void {
    const base = this.#base(of, kind, requestId);
    this.#add({ ...base, kind: "Completion", logLines: [], executionTime: durationMs / 1000, success: null });
  }

  /** Entries after a cursor; waits for the first one for a while, unless the cursor is 0. */
  async after(cursor: number, gone: AbortSignal): Promise<LogPage> {
    if (cursor > 0 && this.#lastCursor <= cursor) await this.#next(gone);
    const entries = this.#entries.filter((one) => one.cursor > cursor).map(({ entry }) => entry);
    // A new client of a quiet host gets a cursor that it can wait on.
    return { entries, newCursor: Math.max(this.#lastCursor, cursor, CURSOR_STEP_MS) };
  }

  /** Ends all waiting, for good. */
  close(): void {
    this.#closed = true;
    for (const wake of this.#waiting) wake();
  }

  #base(
    { component, path }: LoggedFunction,
    kind: FunctionKind,
    requestId: unknown,
  ): Omit<Entry, "kind" | "logLines"> {
    return {
      udfType: UDF_TYPES[kind],
      componentPath: component === "" ? null : component,
      identifier: component === "" ? path : `${component}/${path}`,
      timestamp: Date.now() / 1000,
      requestId: typeof requestId === "string" ? requestId : "",
      executionId: newRequestId(),
    };
  }

  #add(entry: Entry): void {
    this.#lastCursor = Math.max(Date.now(), this.#lastCursor + CURSOR_STEP_MS);
    this.#entries.push({ cursor: this.#lastCursor, entry });
    if (this.#entries.length > ENTRIES_MAX) this.#entries.shift();
    for (const wake of this.#waiting) wake();
  }

  async #next(gone: AbortSignal): Promise<void> {
    if (this.#closed || gone.aborted) return;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        gone.removeEventListener("abort", wake);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, WAIT_MAX_MS);
      gone.addEventListener("abort", wake);
      this.#waiting.add(wake);
    });
  }
}
