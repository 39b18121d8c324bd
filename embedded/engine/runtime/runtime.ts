/** Runs functions: validates, enters the realm, answers syscalls, validates again. Knows nothing of queues. */
import { AsyncLocalStorage } from "node:async_hooks";
import { describeFailure, functionTimedOut, notSupported, PlatformError } from "../errors.ts";
import type { Stopwatch } from "../execution/stopwatch.ts";
import { functionNotFound, findFunction, type App, type Component } from "../loader/loadApp.ts";
import type { FunctionEntry, HttpEndpoint } from "../loader/functions.ts";
import type { FunctionFiles } from "../files/functionFiles.ts";
import type { Store } from "../storage/store.ts";
import type { CursorCodec } from "../transaction/cursor.ts";
import type { Transaction } from "../transaction/transaction.ts";
import type { Json, JsonObject } from "../values/json.ts";
import { checkReturnValue } from "../values/returnValue.ts";
import { validatorProblem } from "../validation/validator.ts";
import type { FunctionCall } from "./functionCall.ts";
import { parseFunctionHandle, visiblePath, type FunctionTarget } from "./functionHandle.ts";
import { formatLogLine } from "./logLines.ts";
import { RandomStream } from "./randomness.ts";
import type { LogLevel, RealmHooks, SyscallAnswer } from "./realm.ts";
import { JS_SYSCALLS } from "./syscalls/files.ts";
import { ASYNC_SYSCALLS, SYNC_SYSCALLS } from "./syscalls/table.ts";

/** Parsed arguments and the text they were parsed from. */
export type Arguments = { text: string; value: JsonObject };

/** How actions reach transactions and other actions; the executor's side of the runtime. */
export type ActionBridge = {
  run: (
    kind: "query" | "mutation" | "action",
    target: FunctionTarget,
    args: JsonObject,
    caller: FunctionCall,
  ) => Promise<string>;
  schedule: (caller: FunctionCall, target: FunctionTarget, args: JsonObject, atMs: number) => Promise<string>;
  cancel: (caller: FunctionCall, id: string) => Promise<void>;
  /** Runs engine code in a transaction of its own that only reads, or that commits. */
  read: <T>(work: (transaction: Transaction) => T) => Promise<T>;
  write: <T>(work: (transaction: Transaction) => T) => Promise<T>;
};

/** The scheduler's side that runs inside a transaction. */
export type JobWriter = {
  schedule: (
    call: { transaction: FunctionCall["transaction"]; component: string },
    target: FunctionTarget,
    args: JsonObject,
    atMs: number,
  ) => string;
  cancel: (call: { transaction: FunctionCall["transaction"]; component: string }, id: string) => void;
};

/** What running functions use of the engine around them. */
export type Bridges = { actions: ActionBridge; jobs: JobWriter; files: FunctionFiles };

const CODE_TO_RUN_OUTSIDE = "Convex functions can only be used while one of them is running";

/** Convex's words, for what would make a transaction depend on something it can't replay. */
function refusalOf(call: FunctionCall | undefined, feature: string): string | null {
  if (call === undefined) return `${feature} unsupported at import time`;
  if (call.kind === "action") return null;
  return (
    `Can't use ${feature} in queries and mutations. Please consider using an action. ` +
    "See https://docs.convex.dev/functions/actions for more details."
  );
}

/** Joins the app, the store and the engine's services for running functions. */
export class Runtime {
  readonly store: Store;
  readonly cursors: CursorCodec;
  private readonly stopwatch: Stopwatch;
  private readonly running = new AsyncLocalStorage<FunctionCall>();
  private readonly importRandom = new RandomStream(null);
  private readonly onImportLog: (level: LogLevel, line: string) => void;
  private loaded: App | null = null;
  private bridges: Bridges | null = null;

  constructor(parts: {
    store: Store;
    cursors: CursorCodec;
    stopwatch: Stopwatch;
    onImportLog: (level: LogLevel, line: string) => void;
  }) {
    this.store = parts.store;
    this.cursors = parts.cursors;
    this.stopwatch = parts.stopwatch;
    this.onImportLog = parts.onImportLog;
  }

  /** Completes the runtime; realms are made with its hooks before there is an app. */
  attach(app: App, bridges: Bridges): void {
    this.loaded = app;
    this.bridges = bridges;
  }

  get app(): App {
    if (this.loaded === null) throw new Error(CODE_TO_RUN_OUTSIDE);
    return this.loaded;
  }

  get actions(): ActionBridge {
    if (this.bridges === null) throw new Error(CODE_TO_RUN_OUTSIDE);
    return this.bridges.actions;
  }

  get jobs(): JobWriter {
    if (this.bridges === null) throw new Error(CODE_TO_RUN_OUTSIDE);
    return this.bridges.jobs;
  }

  get files(): FunctionFiles {
    if (this.bridges === null) throw new Error(CODE_TO_RUN_OUTSIDE);
    return this.bridges.files;
  }

  hooks(): RealmHooks {
    return {
      syscall: (operation, args) => this.syscall(operation, args),
      asyncSyscall: (operation, args) => this.asyncSyscall(operation, args),
      jsSyscall: (operation, args) => this.jsSyscall(operation, args),
      now: () => this.now(),
      random: () => (this.running.getStore()?.random ?? this.importRandom).next(),
      refusal: (feature) => refusalOf(this.running.getStore(), feature),
      log: (level, values) => {
        const call = this.running.getStore();
        if (call === undefined) this.onImportLog(level, formatLogLine(level, values));
        else call.execution.logs.add(level, values);
      },
    };
  }

  component(path: string): Component {
    const component = this.app.get(path);
    if (component === undefined) throw new PlatformError(`Component "${path}" not found.`);
    return component;
  }

  /** Runs a function to its Convex JSON result. Throws what it throws, or a PlatformError. */
  async invoke(call: FunctionCall, entry: FunctionEntry, args: Arguments): Promise<string> {
    if (entry.kind !== call.kind) {
      throw new PlatformError(
        `Trying to execute ${call.path} as ${capitalized(call.kind)}, but it is defined as ${capitalized(entry.kind)}.`,
        { visible: true },
      );
    }
    this.validate(call, entry.args, args.value, "ArgumentValidationError");
    call.args = args.value;
    const invoke = this.load(call, entry.open);
    const result = await this.running.run(call, () => this.settle(call, invoke(`[${args.text}]`)));
    const value = JSON.parse(result) as Json;
    checkReturnValue(visiblePath(call.path), value);
    if (entry.returns !== null) this.validate(call, entry.returns, value, "ReturnsValidationError");
    return result;
  }

  /** Runs an HTTP action. It may go on after this resolves, for as long as its response streams. */
  async invokeHttp(call: FunctionCall, endpoint: HttpEndpoint, request: Request): Promise<Response> {
    const response = await this.running.run(call, () => endpoint.invokeHttpAction(request));
    if (response instanceof Response) return response;
    throw new PlatformError("An HTTP action must return a Response");
  }

  /** Makes a function ready outside of any call, as when its module is imported; no part of the call's own time. */
  private load<T>(call: FunctionCall, open: () => T): T {
    return this.offTheClock(call, () => this.running.exit(open));
  }

  /** Resolves an address of a syscall for a calling component. Components offer their public functions only. */
  resolve(caller: string, address: Address): FunctionTarget {
    if (typeof address.functionHandle === "string") return parseFunctionHandle(address.functionHandle);
    if (typeof address.name === "string") return { component: caller, path: address.name };
    const reference = typeof address.reference === "string" ? address.reference : "";
    const [, kind, ...parts] = reference.split("/");
    if (kind === "function") return { component: caller, path: parts.join("/") };
    if (kind !== "childComponent") throw notSupported(`The reference ${JSON.stringify(reference)}`);
    const [name = "", ...rest] = parts;
    const component = this.component(caller).children.get(name);
    if (component === undefined) throw new PlatformError(`Component "${name}" is not installed here.`);
    const path = `${rest.slice(0, -1).join("/")}:${rest.at(-1) ?? ""}`;
    if (findFunction(this.app, component, path).internal) throw functionNotFound(path);
    return { component, path };
  }

  private async settle<T>(call: FunctionCall, result: Promise<T>): Promise<T> {
    try {
      return await result;
    } finally {
      call.end();
      await call.drain();
    }
  }

  private validate(call: FunctionCall, validator: FunctionEntry["args"], value: Json, label: string): void {
    if (validator.type === "any") return;
    const tableNameOf = (id: string): string | null => this.store.catalog.tableNameOf(call.component, id);
    const problem = validatorProblem(validator, value, tableNameOf);
    if (problem === null) return;
    throw new PlatformError(`${label}: ${problem}`, { visible: label === "ArgumentValidationError" });
  }

  private now(): number {
    const call = this.running.getStore();
    if (call === undefined || call.isAction) return Date.now();
    call.execution.usedClock = true;
    return call.nowMs;
  }

  private current(): FunctionCall {
    const call = this.running.getStore();
    if (call === undefined) throw new PlatformError(CODE_TO_RUN_OUTSIDE);
    call.requireRunning();
    return call;
  }

  /** Runs what the engine does for a function: not the function's own time, which must not be used up already. */
  private offTheClock<T>(call: FunctionCall, run: () => T): T {
    if (call.isAction) return run();
    if (this.stopwatch.isUsedUp()) {
      call.execution.abandoned = true;
      throw functionTimedOut();
    }
    this.stopwatch.pause();
    try {
      return run();
    } finally {
      this.stopwatch.resume();
    }
  }

  private syscall(operation: string, args: string): SyscallAnswer {
    try {
      const handler = SYNC_SYSCALLS.get(operation);
      if (handler === undefined) throw new PlatformError(`Unknown operation ${operation}`);
      const call = this.current();
      const run = (): string => handler(this, call, JSON.parse(args) as JsonObject);
      return { ok: true, value: this.offTheClock(call, run) };
    } catch (error) {
      return { ok: false, message: describeFailure(error).message };
    }
  }

  private async asyncSyscall(operation: string, args: string): Promise<string> {
    try {
      const handler = ASYNC_SYSCALLS.get(operation);
      if (handler === undefined) throw new PlatformError(`Unknown async operation ${operation}`);
      const call = this.current();
      const runsFunction = operation === "1.0/runUdf";
      const handle = (): string | Promise<string> => handler(this, call, JSON.parse(args) as JsonObject);
      const run = runsFunction ? handle : (): string | Promise<string> => this.offTheClock(call, handle);
      return await call.inOrder(runsFunction, run);
    } catch (error) {
      throw toSyscallError(error);
    }
  }

  private async jsSyscall(operation: string, args: Readonly<Record<string, unknown>>): Promise<unknown> {
    try {
      const handler = JS_SYSCALLS.get(operation);
      if (handler === undefined) throw notSupported(operation);
      return await handler(this, this.current(), args);
    } catch (error) {
      throw toSyscallError(error);
    }
  }
}

export type Address = { name?: Json; reference?: Json; functionHandle?: Json };

function capitalized(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

/** `data` is Convex JSON; the client library turns it into a ConvexError of the caller's realm. */
function toSyscallError(error: unknown): Error {
  const { message, data } = describeFailure(error);
  return Object.assign(new Error(message), data === undefined ? {} : { data });
}
