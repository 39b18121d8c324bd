/** Calls of other functions: nested in the transaction, from actions, and later through the scheduler. */
import { PlatformError } from "../../errors.ts";
import { LIMITS } from "../../limits.ts";
import { findFunction } from "../../loader/loadApp.ts";
import type { FunctionKind } from "../../loader/functions.ts";
import { Transaction } from "../../transaction/transaction.ts";
import { checkArguments } from "../../values/arguments.ts";
import { isPlainObject, textField, type JsonObject } from "../../values/json.ts";
import { FunctionCall } from "../functionCall.ts";
import { writeFunctionHandle, type FunctionTarget } from "../functionHandle.ts";
import type { Runtime } from "../runtime.ts";

function argumentsOf(args: JsonObject): JsonObject {
  return args["args"] as JsonObject;
}

function targetOf(runtime: Runtime, call: FunctionCall, args: JsonObject): FunctionTarget {
  return runtime.resolve(call.component, args);
}

/** A stale-snapshot query sees only what is committed, and its reads are no part of the caller's. */
function transactionFor(runtime: Runtime, call: FunctionCall, udfType: string): Transaction {
  return udfType === "snapshotQuery" ? new Transaction(runtime.store, call.nowMs) : call.transaction;
}

/** `ctx.runQuery` and `ctx.runMutation` inside a transaction: part of it, but undone alone when they fail. */
export async function runUdf(runtime: Runtime, call: FunctionCall, args: JsonObject): Promise<string> {
  if (call.depth > LIMITS.nestedCallDepthMax) {
    throw new PlatformError(
      "Cross component call depth limit exceeded. Do you have an infinite loop in your app?",
    );
  }
  const udfType = textField(args, "udfType");
  if (udfType === "mutation") call.requireMutation();
  const target = targetOf(runtime, call, args);
  const entry = findFunction(runtime.app, target.component, target.path);
  const { overlay } = call.transaction;
  const child = new FunctionCall({
    kind: udfType === "mutation" ? "mutation" : "query",
    component: target.component,
    path: entry.path,
    transaction: transactionFor(runtime, call, udfType),
    execution: call.execution,
    parent: call,
  });
  const savepoint = overlay.savepoint();
  const undoCounting = call.transaction.counters.savepoint();
  const value = argumentsOf(args);
  checkArguments(target.path, value);
  const limits = isPlainObject(args["transactionLimits"]) ? args["transactionLimits"] : {};
  try {
    return await child.transaction.counters.within(limits, () =>
      runtime.invoke(child, entry, { text: JSON.stringify(value), value }),
    );
  } catch (error) {
    overlay.rollbackTo(savepoint);
    undoCounting();
    throw error;
  }
}

/** Makes a handle of a function that the caller can reach. */
export function createFunctionHandle(runtime: Runtime, call: FunctionCall, args: JsonObject): string {
  const target = targetOf(runtime, call, args);
  const { path } = findFunction(runtime.app, target.component, target.path);
  return JSON.stringify(writeFunctionHandle({ component: target.component, path }));
}

function dueAtMs(args: JsonObject): number {
  const seconds = args["ts"];
  if (typeof seconds !== "number")
    throw new PlatformError("The time of a scheduled function must be a number");
  return seconds * 1000;
}

/** `ctx.scheduler.runAfter` and `runAt` of a mutation: scheduled only if it commits. */
export function schedule(runtime: Runtime, call: FunctionCall, args: JsonObject): string {
  call.requireMutation();
  return JSON.stringify(
    runtime.jobs.schedule(call, targetOf(runtime, call, args), argumentsOf(args), dueAtMs(args)),
  );
}

/** `ctx.scheduler.cancel` of a mutation. */
export function cancelJob(runtime: Runtime, call: FunctionCall, args: JsonObject): string {
  call.requireMutation();
  runtime.jobs.cancel(call, textField(args, "id"));
  return "null";
}

type Handler = (runtime: Runtime, call: FunctionCall, args: JsonObject) => Promise<string>;

function requireAction(call: FunctionCall): void {
  if (!call.isAction) throw new PlatformError("This is only available in actions");
}

/** `ctx.runQuery`, `ctx.runMutation` and `ctx.runAction` of an action: each its own transaction. */
export function fromAction(kind: FunctionKind): Handler {
  return async (runtime, call, args) => {
    requireAction(call);
    const target = targetOf(runtime, call, args);
    checkArguments(target.path, argumentsOf(args));
    return await runtime.actions.run(kind, target, argumentsOf(args), call);
  };
}

export const scheduleFromAction: Handler = async (runtime, call, args) => {
  requireAction(call);
  const target = targetOf(runtime, call, args);
  return JSON.stringify(await runtime.actions.schedule(call, target, argumentsOf(args), dueAtMs(args)));
};

export const cancelFromAction: Handler = async (runtime, call, args) => {
  requireAction(call);
  await runtime.actions.cancel(call, textField(args, "id"));
  return "null";
};
