/**
 * Cron jobs: each run is a scheduled function, and the next time is kept across restarts. Times missed while the host
 * was down are made up for by one run; a time that comes while the last run is still going is skipped.
 */
import { HostError } from "../errors.ts";
import { HOST_LIMITS } from "../limits.ts";
import type { CronJson } from "../loader/functions.ts";
import { findFunction, type App } from "../loader/loadApp.ts";
import type { Executor } from "../execution/executor.ts";
import type { EngineLog } from "../execution/log.ts";
import type { Store } from "../storage/store.ts";
import { cronSchedule, ScheduleProblem, type CronSchedule } from "./cronSchedule.ts";
import type { JobTables } from "./jobTables.ts";
import type { Scheduler } from "./scheduler.ts";

const RETRY_DELAY_MS = 1_000;
const META_NAME = "crons";

/** `dueAt` was computed at `asOf`, by the wall clock of then; older hosts left that out. */
type CronState = { spec: string; dueAt: number; lastJobId: string | null; asOf?: number };

type Cron = { key: string; component: string; spec: CronJson; schedule: CronSchedule; state: CronState };

function invalid(component: string, name: string, problem: string, cause: unknown): HostError {
  const where = component === "" ? "" : ` of component ${component}`;
  return new HostError("FUNCTIONS_INVALID", `Cron job "${name}"${where} ${problem}`, { cause });
}

function checkFunction(app: App, component: string, name: string, spec: CronJson): void {
  try {
    findFunction(app, component, spec.name);
  } catch (error) {
    throw invalid(component, name, `names ${spec.name}, which does not exist`, error);
  }
}

/** One cron with the time that an earlier run left, unless its definition changed. */
function readCron(component: string, name: string, spec: CronJson, known: Record<string, CronState>): Cron {
  const key = `${component}:${name}`;
  const specText = JSON.stringify(spec);
  const nowMs = Date.now();
  try {
    const schedule = cronSchedule(spec.schedule, key);
    // Tried even where the time is known: a schedule that never comes stops the start.
    const firstDueAt = schedule(nowMs, nowMs);
    const before = known[key];
    const state =
      before?.spec === specText
        ? before
        : { spec: specText, dueAt: firstDueAt, lastJobId: null, asOf: nowMs };
    return { key, component, spec, schedule, state };
  } catch (error) {
    if (!(error instanceof ScheduleProblem)) throw error;
    throw invalid(component, name, error.message, error);
  }
}

function readCrons(app: App, store: Store): Cron[] {
  const known = JSON.parse(store.meta(META_NAME) ?? "{}") as Record<string, CronState>;
  const crons: Cron[] = [];
  for (const component of app.values()) {
    for (const [name, spec] of component.crons) {
      checkFunction(app, component.path, name, spec);
      crons.push(readCron(component.path, name, spec, known));
    }
  }
  return crons;
}

/**
 * After the clock was set back: an interval is a duration and counts from now. A time of the calendar that was
 * served is not served again, unless the clock was so far ahead that the schedule would rest for long.
 */
function followClock(cron: Cron, nowMs: number): void {
  const { state, schedule, spec } = cron;
  const setBackMs = (state.asOf ?? 0) - nowMs;
  const keptMs = spec.schedule.type === "interval" ? 0 : HOST_LIMITS.clockSetBackMaxMs;
  if (setBackMs <= keptMs) return;
  cron.state = { ...state, dueAt: Math.min(state.dueAt, schedule(nowMs, nowMs)), asOf: nowMs };
}

/** Starts the runs of crons. */
export class Crons {
  private readonly parts: {
    store: Store;
    executor: Executor;
    scheduler: Scheduler;
    tables: JobTables;
    log: EngineLog;
  };
  private readonly crons: Cron[];
  private timer: NodeJS.Timeout | null = null;
  private stopped = false;

  /** Call inside a write transaction. */
  constructor(app: App, parts: Crons["parts"]) {
    this.parts = parts;
    this.crons = readCrons(app, parts.store);
    const nowMs = Date.now();
    for (const cron of this.crons) followClock(cron, nowMs);
    this.save();
  }

  start(delayMinMs = 1): void {
    if (this.stopped || this.crons.length === 0) return;
    const nowMs = Date.now();
    for (const cron of this.crons) followClock(cron, nowMs);
    const nextMs = Math.min(...this.crons.map((cron) => cron.state.dueAt));
    this.timer = setTimeout(
      () => void this.runDue(),
      Math.min(HOST_LIMITS.timerMaxMs, Math.max(delayMinMs, nextMs - nowMs)),
    );
  }

  stop(): void {
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
  }

  private async runDue(): Promise<void> {
    const nowMs = Date.now();
    try {
      for (const cron of this.crons) if (cron.state.dueAt <= nowMs) await this.runOnce(cron, nowMs);
    } catch (error) {
      this.parts.log.notice("error", "cron jobs could not be started", { error: String(error) });
      this.start(RETRY_DELAY_MS);
      return;
    }
    this.start();
  }

  /** Enqueues one run; skips it while the last one is still going, and never runs missed times twice over. */
  private async runOnce(cron: Cron, nowMs: number): Promise<void> {
    const { executor, scheduler, tables, log } = this.parts;
    const { state } = cron;
    const dueAt = cron.schedule(state.dueAt, nowMs);
    try {
      await executor.transact((transaction) => {
        const last = state.lastJobId === null ? null : tables.jobOf(transaction, state.lastJobId);
        const next = { ...state, dueAt, asOf: nowMs };
        if (last === null || last.phase === "finished") {
          const [args = {}] = cron.spec.args;
          const target = { component: cron.component, path: cron.spec.name };
          next.lastJobId = scheduler.schedule(
            { transaction, component: cron.component },
            target,
            args,
            nowMs,
          );
        } else {
          log.notice("warn", `cron job "${cron.key}" is still running; this run is skipped`);
        }
        return {
          commit: true,
          value: () => undefined,
          beforeCommit: () => {
            cron.state = next;
            this.save();
          },
        };
      });
    } catch (error) {
      // Nothing was stored: the run is still due.
      cron.state = state;
      throw error;
    }
  }

  private save(): void {
    const states = Object.fromEntries(this.crons.map(({ key, state }) => [key, state]));
    this.parts.store.setMeta(META_NAME, JSON.stringify(states));
  }
}
