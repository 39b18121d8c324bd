/** The engine's public operations, on top of the executor, the query cache and the scheduler. */
import type {
  AuthProvider,
  Call,
  Engine,
  Identity,
  Inspection,
  Outcome,
  SessionRequest,
  Subscription,
  Timestamp,
} from "./contract.ts";
import { describeFailure, PlatformError } from "./errors.ts";
import type { Decision, Executor } from "./execution/executor.ts";
import { invocationOf, type FunctionRunner, type Invocation } from "./execution/functionRunner.ts";
import { personKey } from "./execution/identityKey.ts";
import type { EngineLog } from "./execution/log.ts";
import type { OutcomeWriter } from "./execution/outcome.ts";
import type { QueryCache } from "./execution/queryCache.ts";
import { HOST_LIMITS } from "./limits.ts";
import { QuerySubscription } from "./execution/querySubscription.ts";
import { EngineInspection } from "./inspection.ts";
import type { Files } from "./files/contract.ts";
import type { StoredFiles } from "./files/storedFiles.ts";
import type { Crons } from "./jobs/crons.ts";
import type { Scheduler } from "./jobs/scheduler.ts";
import { FunctionCall } from "./runtime/functionCall.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { DiskFull } from "./storage/storageErrors.ts";
import type { Store } from "./storage/store.ts";
import { resolveCommitTs, Transaction } from "./transaction/transaction.ts";

export type EngineParts = {
  store: Store;
  runtime: Runtime;
  executor: Executor;
  runner: FunctionRunner;
  cache: QueryCache;
  outcomes: OutcomeWriter;
  scheduler: Scheduler;
  crons: Crons;
  files: StoredFiles;
  log: EngineLog;
  /** Closes the database and gives the folder free. */
  release: () => void;
};

type Timed = Outcome & { ts: Timestamp };

function snapshotGone(): PlatformError {
  const seconds = HOST_LIMITS.historyKeptMs / 1000;
  return new PlatformError(
    `The embedded host can read the last ${seconds} seconds; ask for a new timestamp`,
    {
      visible: true,
    },
  );
}

/** The contract's Engine. */
export class EmbeddedEngine implements Engine {
  readonly inspection: Inspection;
  readonly files: Files;
  private readonly parts: EngineParts;
  private readonly inFlight = new Set<Promise<unknown>>();
  private closing: Promise<void> | null = null;

  constructor(parts: EngineParts) {
    this.parts = parts;
    this.inspection = new EngineInspection(parts);
    this.files = parts.files;
  }

  query(call: Call, atTs?: Timestamp): Promise<Timed> {
    return this.admit(async () => {
      const read = this.read(call, "query");
      if ("refused" in read) return read.refused;
      return atTs === undefined
        ? await this.runQuery(read.invocation)
        : await this.runQueryAt(read.invocation, atTs);
    });
  }

  mutation(call: Call, session?: SessionRequest): Promise<Timed> {
    return this.admit(async () => {
      const read = this.read(call, "mutation");
      if ("refused" in read) return read.refused;
      try {
        return await this.parts.executor.transact((transaction) =>
          this.mutate(read.invocation, transaction, session),
        );
      } catch (error) {
        if (error instanceof DiskFull) return this.timed(this.parts.outcomes.thrown(error));
        throw error;
      }
    });
  }

  action(call: Call): Promise<Outcome> {
    return this.admit(async () => {
      const read = this.read(call, "action");
      if ("refused" in read) return read.refused;
      return this.parts.outcomes.write(await this.parts.runner.run(read.invocation, null));
    });
  }

  async run(call: Call): Promise<Outcome> {
    const fromOutside = call.identity.kind !== "admin";
    try {
      // Any kind will do to see whether the caller may name the function at all.
      const { component, path } = invocationOf(call, "query");
      const { kind } = this.parts.runner.find({ component, path, fromOutside });
      return await this[kind](call);
    } catch (error) {
      return this.parts.outcomes.thrown(error);
    }
  }

  httpAction(request: Request, identity: Identity, requestId: string): Promise<Response | null> {
    return this.admit(async () => {
      const { runtime, runner, log } = this.parts;
      const route = runtime.component("").router?.lookup(new URL(request.url).pathname, request.method);
      if (route === undefined || route === null) return null;
      const [endpoint, method, path] = route;
      const label = {
        component: "",
        path: `${method} ${path}`,
        identity,
        request: { requestId, scheduledFunctionId: null },
      };
      const call = new FunctionCall({
        kind: "action",
        component: "",
        path: label.path,
        transaction: null,
        execution: runner.execution(label),
        parent: null,
      });
      try {
        const response = await runtime.invokeHttp(call, endpoint, request);
        return request.method === "HEAD" ? new Response(null, response) : response;
      } catch (error) {
        const failure = describeFailure(error);
        log.functionFailure({ ...label, kind: "httpAction" }, failure);
        return this.failedResponse(failure, requestId);
      }
    });
  }

  subscribe(onStale: () => void): Subscription {
    return new QuerySubscription(this.parts, onStale);
  }

  latestTs(): Timestamp {
    return this.parts.store.latestTs();
  }

  authProviders(): readonly AuthProvider[] {
    return this.parts.runtime.component("").authProviders;
  }

  close(): Promise<void> {
    this.closing ??= this.drain();
    return this.closing;
  }

  private async drain(): Promise<void> {
    const { scheduler, crons, files, executor, release } = this.parts;
    crons.stop();
    await scheduler.stop();
    while (this.inFlight.size > 0) await Promise.allSettled(this.inFlight);
    await files.stop();
    await executor.close();
    release();
  }

  private async admit<T>(work: () => Promise<T>): Promise<T> {
    if (this.closing !== null) throw new PlatformError("The host is shutting down", { visible: true });
    const running = work();
    this.inFlight.add(running);
    try {
      return await running;
    } finally {
      this.inFlight.delete(running);
    }
  }

  private read(call: Call, kind: Invocation["kind"]): { invocation: Invocation } | { refused: Timed } {
    try {
      return { invocation: invocationOf(call, kind) };
    } catch (error) {
      return { refused: this.timed(this.parts.outcomes.thrown(error)) };
    }
  }

  private timed(outcome: Outcome, ts = this.parts.store.latestTs()): Timed {
    return { ...outcome, ts };
  }

  private async runQuery(invocation: Invocation): Promise<Timed> {
    const { cache, executor } = this.parts;
    const query = cache.open(invocation);
    const known = cache.current(query);
    if (known !== null) return this.timed(known.outcome);
    return await executor.read(async () => this.timed(await cache.readOnce(query)));
  }

  private runQueryAt(invocation: Invocation, ts: Timestamp): Promise<Timed> {
    const { store, executor, runner, outcomes } = this.parts;
    return executor.read(async () => {
      const transaction = Transaction.at(store, Date.now(), ts);
      if (transaction === null) return this.timed(outcomes.thrown(snapshotGone()));
      return this.timed(outcomes.write(await runner.run(invocation, transaction)), ts);
    });
  }

  private async mutate(
    invocation: Invocation,
    transaction: Transaction,
    session: SessionRequest | undefined,
  ): Promise<Decision<Timed>> {
    const { store, runner, outcomes } = this.parts;
    const repeated = session === undefined ? null : this.recorded(invocation.identity, session);
    if (repeated !== null) return { commit: false, value: repeated };
    const result = await runner.run(invocation, transaction);
    if (!result.ok) {
      return { commit: false, value: this.timed(outcomes.write(result), store.newestTs()) };
    }
    const valueAt = (ts: Timestamp): string => resolveCommitTs(result.value, ts);
    return {
      commit: true,
      value: (ts) => this.timed(outcomes.success(valueAt(ts), result.logLines), ts),
      ...(session === undefined
        ? {}
        : {
            beforeCommit: (ts: Timestamp): void => {
              store.recordRequest(session.sessionId, session.requestId, {
                identity: personKey(invocation.identity),
                commitTs: ts,
                value: valueAt(ts),
                logLines: result.logLines,
              });
            },
          }),
    };
  }

  /** The stored answer of a mutation that took effect before; a refusal for anyone but its caller. */
  private recorded(identity: Identity, { sessionId, requestId }: SessionRequest): Timed | null {
    const { store, outcomes } = this.parts;
    const recorded = store.findRequest(sessionId, requestId);
    if (recorded === null) return null;
    if (recorded.identity !== personKey(identity)) {
      const refusal = new PlatformError("This request was already made by another caller", { visible: true });
      return this.timed(outcomes.thrown(refusal));
    }
    return this.timed(outcomes.success(recorded.value, recorded.logLines), recorded.commitTs);
  }

  private failedResponse(failure: ReturnType<typeof describeFailure>, requestId: string): Response {
    const outcome = this.parts.outcomes.failure(failure, []);
    const message = outcome.ok ? "" : outcome.message;
    return Response.json({ code: "HttpActionFailed", message, requestId }, { status: 500 });
  }
}
