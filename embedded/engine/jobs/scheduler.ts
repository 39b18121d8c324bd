/**
 * Runs scheduled functions when they are due. A mutation and the end of its job are one transaction, so it takes
 * effect exactly once. An action's start is durable before it runs, so a crash leaves it failed, never repeated.
 */
import { functionTimedOut, PlatformError } from "../errors.ts";
import { HOST_LIMITS, LIMITS } from "../limits.ts";
import { findFunction } from "../loader/loadApp.ts";
import { ANONYMOUS } from "../runtime/functionCall.ts";
import type { FunctionTarget } from "../runtime/functionHandle.ts";
import type { JobWriter, Runtime } from "../runtime/runtime.ts";
import type { Executor } from "../execution/executor.ts";
import type { FunctionRunner, Invocation, Result } from "../execution/functionRunner.ts";
import type { EngineLog } from "../execution/log.ts";
import type { Touched } from "../storage/store.ts";
import type { Transaction } from "../transaction/transaction.ts";
import { checkArguments } from "../values/arguments.ts";
import { convexSize } from "../values/convexSize.ts";
import type { JsonObject } from "../values/json.ts";
import type { FinalState, Job, JobTables } from "./jobTables.ts";

const RETRY_DELAY_MS = 1_000;
const FORGET_BATCH = 100;

function finalState(result: Result): FinalState {
  return result.ok ? { kind: "success" } : { kind: "failed", error: result.failure.message };
}

/** The scheduler. */
export class Scheduler implements JobWriter {
  private readonly parts: {
    runtime: Runtime;
    executor: Executor;
    runner: FunctionRunner;
    tables: JobTables;
    log: EngineLog;
  };
  private readonly inFlight = new Map<string, Promise<void>>();
  private timer: NodeJS.Timeout | null = null;
  private looking = false;
  private lookAgain = false;
  private stopped = true;

  constructor(parts: Scheduler["parts"]) {
    this.parts = parts;
  }

  schedule(
    { transaction, component }: { transaction: Transaction; component: string },
    target: FunctionTarget,
    args: JsonObject,
    atMs: number,
  ): string {
    const entry = findFunction(this.parts.runtime.app, target.component, target.path);
    if (entry.kind === "query")
      throw new PlatformError(`${target.path} is a query; only mutations and actions can be scheduled`);
    if (Math.abs(atMs - transaction.nowMs) > LIMITS.scheduleDistanceMaxMs) {
      const direction = atMs > transaction.nowMs ? "future" : "past";
      throw new PlatformError(`${atMs / 1000}s is more than 5 years in the ${direction}`);
    }
    checkArguments(target.path, args);
    transaction.counters.countScheduled(convexSize([args]));
    const resolved = { component: target.component, path: entry.path };
    return this.parts.tables.insert(transaction, component, resolved, args, atMs);
  }

  cancel({ transaction, component }: { transaction: Transaction; component: string }, id: string): void {
    this.parts.tables.cancel(transaction, component, id);
  }

  /**
   * Fails the actions that the last shutdown cut off and the mutations that were stopped because they used up
   * their time, by job id; then starts running what is due.
   */
  async start(stoppedJobs: readonly string[] = []): Promise<void> {
    const { executor, tables, log } = this.parts;
    await executor.transact((transaction) => {
      for (const job of tables.inPhase("running", Number.MAX_SAFE_INTEGER)) {
        log.notice("warn", "a scheduled action was cut off by the end of the host and is not repeated", {
          function: job.target.path,
          jobId: job.jobId,
        });
        tables.finish(transaction, job, {
          kind: "failed",
          error: "The host stopped while this action was running",
        });
      }
      for (const jobId of stoppedJobs) {
        const job = tables.jobOf(transaction, jobId);
        if (job?.phase !== "waiting") continue;
        tables.finish(transaction, job, { kind: "failed", error: functionTimedOut().message });
      }
      return { commit: true, value: () => undefined };
    });
    this.stopped = false;
    this.look();
  }

  /** Starts nothing more; resolves when what runs has ended. */
  async stop(): Promise<void> {
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    await Promise.all(this.inFlight.values());
  }

  afterCommit(touched: Touched): void {
    if (touched.has(this.parts.tables.watchedIndexId)) this.look();
  }

  private look(): void {
    if (this.stopped) return;
    if (this.looking) {
      this.lookAgain = true;
      return;
    }
    this.looking = true;
    void this.parts.executor
      .read(() => {
        this.startDue();
        return Promise.resolve();
      })
      .catch((error: unknown) => {
        this.parts.log.notice("error", "could not look for scheduled functions", { error: String(error) });
        this.sleep(RETRY_DELAY_MS);
      })
      .finally(() => {
        this.looking = false;
        if (!this.lookAgain) return;
        this.lookAgain = false;
        this.look();
      });
  }

  private startDue(): void {
    if (this.stopped) return;
    const { tables } = this.parts;
    const nowMs = Date.now();
    const room = HOST_LIMITS.concurrentScheduledJobsMax;
    let nextDueAt = Infinity;
    for (const job of tables.inPhase("waiting", room + this.inFlight.size + 1)) {
      if (job.dueAt > nowMs) {
        nextDueAt = job.dueAt;
        break;
      }
      if (!this.inFlight.has(job.recordId) && this.inFlight.size < room) this.launch(job);
    }
    const [oldest] = tables.inPhase("finished", 1);
    if (oldest !== undefined && oldest.dueAt <= nowMs) this.forgetOld(nowMs);
    nextDueAt = Math.min(nextDueAt, oldest?.dueAt ?? Infinity);
    if (nextDueAt < Infinity) this.sleep(nextDueAt - nowMs);
  }

  private sleep(delayMs: number): void {
    if (this.timer !== null) clearTimeout(this.timer);
    if (this.stopped) return;
    this.timer = setTimeout(
      () => {
        this.look();
      },
      Math.min(HOST_LIMITS.timerMaxMs, Math.max(1, delayMs)),
    );
  }

  private launch(job: Job): void {
    const running = this.run(job)
      .catch((error: unknown) => {
        // The database refused; the job is still waiting there.
        this.parts.log.notice("error", "a scheduled function could not be recorded", {
          function: job.target.path,
          error: String(error),
        });
        this.sleep(RETRY_DELAY_MS);
      })
      .finally(() => {
        this.inFlight.delete(job.recordId);
        this.look();
      });
    this.inFlight.set(job.recordId, running);
  }

  private async run(job: Job): Promise<void> {
    const { runtime, executor, tables } = this.parts;
    let kind;
    try {
      ({ kind } = findFunction(runtime.app, job.target.component, job.target.path));
    } catch {
      await executor.transact((transaction) => {
        tables.finish(transaction, job, {
          kind: "failed",
          error: `${job.target.path} does not exist any more`,
        });
        return { commit: true, value: () => undefined };
      });
      return;
    }
    await (kind === "mutation" ? this.runMutation(job) : this.runAction(job));
  }

  private invocation(job: Job, kind: "mutation" | "action", value: JsonObject): Invocation {
    return {
      kind,
      ...job.target,
      args: { text: JSON.stringify(value), value },
      // The caller's identity is not passed on, as on the platform.
      identity: ANONYMOUS,
      request: { requestId: job.jobId, scheduledFunctionId: job.jobId },
      fromOutside: false,
    };
  }

  private async runMutation(job: Job): Promise<void> {
    const { executor, runner, tables } = this.parts;
    await executor.transact(async (transaction) => {
      if (tables.find(transaction, job.recordId)?.phase !== "waiting")
        return { commit: false, value: undefined };
      const savepoint = transaction.overlay.savepoint();
      const args = tables.arguments(transaction, job);
      const result = await runner.run(this.invocation(job, "mutation", args), transaction);
      if (!result.ok) transaction.overlay.rollbackTo(savepoint);
      // A function that cancelled its own job keeps that state.
      if (tables.find(transaction, job.recordId)?.phase === "waiting") {
        tables.finish(transaction, job, finalState(result));
      }
      return { commit: true, value: () => undefined };
    });
  }

  private async runAction(job: Job): Promise<void> {
    const { executor, runner, tables } = this.parts;
    const args = await executor.transact<JsonObject | null>((transaction) => {
      if (tables.find(transaction, job.recordId)?.phase !== "waiting") return { commit: false, value: null };
      const value = tables.arguments(transaction, job);
      tables.start(transaction, job);
      return { commit: true, value: () => value };
    });
    if (args === null) return;
    const result = await runner.run(this.invocation(job, "action", args), null);
    await executor.transact((transaction) => {
      if (tables.find(transaction, job.recordId)?.phase === "running") {
        tables.finish(transaction, job, finalState(result));
      }
      return { commit: true, value: () => undefined };
    });
  }

  private forgetOld(nowMs: number): void {
    void this.parts.executor
      .transact((transaction) => {
        for (const job of this.parts.tables.inPhase("finished", FORGET_BATCH)) {
          if (job.dueAt <= nowMs) this.parts.tables.forget(transaction, job);
        }
        return { commit: true, value: () => undefined };
      })
      .catch((error: unknown) => {
        this.parts.log.notice("error", "could not forget finished jobs", { error: String(error) });
      });
  }
}
