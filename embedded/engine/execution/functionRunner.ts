/** From a call to a result: looks the function up, runs it in its transaction, never throws what a function throws. */
import type { Call, Identity } from "../contract.ts";
import { describeFailure, functionTimedOut, type Failure } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { FunctionEntry, FunctionKind } from "../loader/functions.ts";
import { findFunction, functionNotFound } from "../loader/loadApp.ts";
import { FunctionCall, type Execution, type RequestMetadata } from "../runtime/functionCall.ts";
import { LogLines } from "../runtime/logLines.ts";
import type { Arguments, Runtime } from "../runtime/runtime.ts";
import type { Transaction } from "../transaction/transaction.ts";
import { parseArguments } from "../values/arguments.ts";
import type { EngineLog } from "./log.ts";
import { shownArguments, type Stopwatch } from "./stopwatch.ts";

export type Invocation = {
  kind: FunctionKind;
  component: string;
  path: string;
  args: Arguments;
  identity: Identity;
  request: RequestMetadata;
  /** Calls from outside: internal functions answer as if they did not exist. */
  fromOutside: boolean;
  journal?: string | null;
};

export type Result = { logLines: string[]; execution: Execution } & (
  { ok: true; value: string } | { ok: false; failure: Failure }
);

/** Parses an outside call's arguments. Throws a PlatformError for what no function may see. */
export function invocationOf(call: Call, kind: FunctionKind): Invocation {
  const { path, componentPath, identity, requestId } = call;
  if (componentPath !== "" && identity.kind !== "admin") throw functionNotFound(path);
  return {
    kind,
    component: componentPath,
    path,
    args: { text: call.args, value: parseArguments(path, call.args) },
    identity,
    request: { requestId, scheduledFunctionId: null },
    fromOutside: identity.kind !== "admin",
  };
}

/** Within a transaction everything but a forgotten promise settles at once, so a timer that fires means it never will. */
async function withTimeLimit<T>(execution: Execution, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      execution.abandoned = true;
      reject(functionTimedOut());
    }, LIMITS.functionTimeMs);
  });
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

/** Runs top-level functions. */
export class FunctionRunner {
  private readonly runtime: Runtime;
  private readonly log: EngineLog;
  private readonly stopwatch: Stopwatch;

  constructor(runtime: Runtime, log: EngineLog, stopwatch: Stopwatch) {
    this.runtime = runtime;
    this.log = log;
    this.stopwatch = stopwatch;
  }

  /** Runs one top-level function. `transaction` is null for actions. */
  async run(invocation: Invocation, transaction: Transaction | null): Promise<Result> {
    const execution = this.execution(invocation);
    const { logs } = execution;
    try {
      const entry = this.find(invocation);
      const call = new FunctionCall({
        kind: invocation.kind,
        component: invocation.component,
        path: entry.path,
        transaction,
        execution,
        parent: null,
      });
      const value =
        transaction === null
          ? await this.runtime.invoke(call, entry, invocation.args)
          : await this.invokeTimed(call, entry, invocation);
      return { ok: true, value, logLines: logs.lines, execution };
    } catch (error) {
      const failure = describeFailure(error);
      this.log.functionFailure(invocation, failure);
      return { ok: false, failure, logLines: logs.lines, execution };
    }
  }

  /** Runs a query or mutation, which has a second of its own time. */
  private async invokeTimed(
    call: FunctionCall,
    entry: FunctionEntry,
    { component, path, args, request }: Invocation,
  ): Promise<string> {
    const { execution } = call;
    this.stopwatch.begin({ requestId: request.requestId, component, path, ...shownArguments(args.text) });
    try {
      const value = await withTimeLimit(execution, this.runtime.invoke(call, entry, args));
      if (execution.abandoned || this.stopwatch.isUsedUp()) throw functionTimedOut();
      return value;
    } finally {
      this.stopwatch.end();
    }
  }

  execution({
    component,
    path,
    identity,
    request,
    journal,
  }: Omit<Invocation, "args" | "kind" | "fromOutside">): Execution {
    const logs = new LogLines((level, line) => {
      this.log.functionLine(level, line, { function: path, component, requestId: request.requestId });
    });
    return {
      identity,
      request,
      logs,
      usedClock: false,
      usedIdentity: false,
      abandoned: false,
      journal: journal ?? null,
      nextJournal: null,
    };
  }

  /** The function an invocation names, as far as its caller may know. */
  find({
    component,
    path,
    fromOutside,
  }: Pick<Invocation, "component" | "path" | "fromOutside">): FunctionEntry {
    const entry = findFunction(this.runtime.app, component, path);
    if (entry.internal && fromOutside) throw functionNotFound(path);
    return entry;
  }
}
