/** What actions do outside themselves: run transactions and other actions, and schedule. */
import { PlatformError, type Failure } from "../errors.ts";
import type { Scheduler } from "../jobs/scheduler.ts";
import { ANONYMOUS, type FunctionCall } from "../runtime/functionCall.ts";
import type { FunctionTarget } from "../runtime/functionHandle.ts";
import type { ActionBridge } from "../runtime/runtime.ts";
import type { Store } from "../storage/store.ts";
import { resolveCommitTs, Transaction } from "../transaction/transaction.ts";
import type { JsonObject } from "../values/json.ts";
import type { Executor } from "./executor.ts";
import type { FunctionRunner, Invocation, Result } from "./functionRunner.ts";

type Parts = { store: Store; executor: Executor; runner: FunctionRunner; scheduler: Scheduler };

/** A failed call as the calling action sees it: plain, or a ConvexError with its data. */
function rethrown({ message, data }: Failure): PlatformError {
  return new PlatformError(message, data === undefined ? {} : { data });
}

function valueOf(result: Result): string {
  if (result.ok) return result.value;
  throw rethrown(result.failure);
}

/** Makes the bridge. */
export function actionBridge({ store, executor, runner, scheduler }: Parts): ActionBridge {
  const invocation = (
    kind: Invocation["kind"],
    target: FunctionTarget,
    value: JsonObject,
    caller: FunctionCall,
  ): Invocation => ({
    kind,
    ...target,
    args: { text: JSON.stringify(value), value },
    identity: target.component === caller.component ? caller.identity : ANONYMOUS,
    request: caller.execution.request,
    fromOutside: false,
  });

  const mutate = (call: Invocation): Promise<string> =>
    executor.transact(async (transaction) => {
      const result = await runner.run(call, transaction);
      if (!result.ok) throw rethrown(result.failure);
      return { commit: true, value: (ts) => resolveCommitTs(result.value, ts) };
    });

  return {
    run: async (kind, target, args, caller) => {
      const call = invocation(kind, target, args, caller);
      if (kind === "mutation") return await mutate(call);
      if (kind === "action") return valueOf(await runner.run(call, null));
      return await executor.read(async () =>
        valueOf(await runner.run(call, new Transaction(store, Date.now()))),
      );
    },
    schedule: (caller, target, args, atMs) =>
      executor.transact((transaction) => {
        const id = scheduler.schedule({ transaction, component: caller.component }, target, args, atMs);
        return { commit: true, value: () => id };
      }),
    cancel: async (caller, id) => {
      await executor.transact((transaction) => {
        scheduler.cancel({ transaction, component: caller.component }, id);
        return { commit: true, value: () => undefined };
      });
    },
    read: (work) =>
      executor.read(async () => await Promise.resolve(work(new Transaction(store, Date.now())))),
    write: (work) =>
      executor.transact((transaction) => {
        const value = work(transaction);
        return { commit: true, value: () => value };
      }),
  };
}
