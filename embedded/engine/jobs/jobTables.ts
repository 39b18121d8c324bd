/**
 * Rows of scheduled functions. `_scheduled_functions`, in each component, is what functions see; `_pending_jobs`,
 * one for the whole engine, is what the scheduler works from. Both change in the same transactions.
 */
import { PlatformError } from "../errors.ts";
import { HOST_LIMITS } from "../limits.ts";
import type { Table } from "../storage/catalog.ts";
import { syncIndexes } from "../storage/schemaSync.ts";
import type { Store, StoredRow } from "../storage/store.ts";
import { visiblePath, type FunctionTarget } from "../runtime/functionHandle.ts";
import type { Transaction } from "../transaction/transaction.ts";
import { textField, type Json, type JsonObject } from "../values/json.ts";
import { afterPrefix, sortKey } from "../values/sortKey.ts";

const PENDING_TABLE = "_pending_jobs";
const VISIBLE_TABLE = "_scheduled_functions";

/** waiting → running (actions only) → finished, when `dueAt` is the time to forget it. */
export type Phase = "waiting" | "running" | "finished";

export type FinalState = { kind: "success" } | { kind: "failed"; error: string } | { kind: "canceled" };

export type Job = {
  recordId: string;
  phase: Phase;
  dueAt: number;
  /** Id of the visible row, in the component that scheduled it. */
  jobId: string;
  home: string;
  target: FunctionTarget;
};

function parseJob(record: JsonObject): Job {
  return {
    recordId: textField(record, "_id"),
    phase: record["phase"] as Phase,
    dueAt: Number(record["dueAt"]),
    jobId: textField(record, "jobId"),
    home: textField(record, "home"),
    target: { component: textField(record, "component"), path: textField(record, "path") },
  };
}

/** Reads and writes jobs. */
export class JobTables {
  private readonly store: Store;
  private readonly pending: Table;

  /** Call inside a write transaction. */
  constructor(store: Store) {
    this.store = store;
    this.pending = store.catalog.ensure("", PENDING_TABLE);
    syncIndexes(store, this.pending, [
      { indexDescriptor: "by_phase_and_dueAt", fields: ["phase", "dueAt"] },
      { indexDescriptor: "by_jobId", fields: ["jobId"] },
    ]);
  }

  /** Index id by which a commit shows that jobs changed. */
  get watchedIndexId(): number {
    return this.pending.byId.id;
  }

  insert(
    transaction: Transaction,
    home: string,
    target: FunctionTarget,
    args: JsonObject,
    dueAt: number,
  ): string {
    const visible = this.store.catalog.ensure(home, VISIBLE_TABLE);
    const jobId = transaction.insertSystem(visible, {
      name: visiblePath(target.path),
      args: [args],
      scheduledTime: dueAt,
      state: { kind: "pending" },
    });
    transaction.insertSystem(this.pending, {
      phase: "waiting",
      dueAt,
      jobId,
      home,
      component: target.component,
      path: target.path,
    });
    return jobId;
  }

  /** Jobs of a phase in the order they are due, read between commits. */
  inPhase(phase: Phase, limit: number): Job[] {
    return this.rowsOf("by_phase_and_dueAt", phase, limit).map((row) =>
      parseJob(JSON.parse(row.text) as JsonObject),
    );
  }

  /** The job as the transaction sees it. */
  find(transaction: Transaction, recordId: string): Job | null {
    const found = transaction.peekById(recordId);
    return found === null ? null : parseJob(found.before);
  }

  arguments(transaction: Transaction, job: Job): JsonObject {
    const row = transaction.peekById(job.jobId)?.before;
    const args: Json | undefined = row?.["args"];
    return (Array.isArray(args) ? args[0] : {}) as JsonObject;
  }

  start(transaction: Transaction, job: Job): void {
    this.update(transaction, job.recordId, { phase: "running" });
    this.update(transaction, job.jobId, { state: { kind: "inProgress" } });
  }

  finish(transaction: Transaction, job: Job, state: FinalState): void {
    const completedTime = Date.now();
    this.update(transaction, job.recordId, {
      phase: "finished",
      dueAt: completedTime + HOST_LIMITS.finishedJobKeptMs,
    });
    this.update(transaction, job.jobId, { state, completedTime });
  }

  forget(transaction: Transaction, job: Job): void {
    for (const id of [job.jobId, job.recordId]) {
      const found = transaction.peekById(id);
      if (found !== null) transaction.replaceSystem(found.located, found.before, null);
    }
  }

  /** Cancels a job of a component; one that has finished stays as it is. */
  cancel(transaction: Transaction, home: string, jobId: string): void {
    const located = transaction.locate(home, jobId, VISIBLE_TABLE);
    if (located === null || transaction.read(located) === null) {
      throw new PlatformError(`Cancel on nonexistent scheduled function ID ${jobId}`);
    }
    const job = this.jobOf(transaction, jobId);
    if (job !== null && job.phase !== "finished") this.finish(transaction, job, { kind: "canceled" });
  }

  /** The newest phase of a job, by the id functions know; null when it is forgotten. */
  jobOf(transaction: Transaction, jobId: string): Job | null {
    const record = transaction.peekBy(this.pending, "by_jobId", jobId);
    return record === null ? null : parseJob(record);
  }

  private rowsOf(indexName: string, first: Json, limit: number): StoredRow[] {
    const index = this.pending.indexes.get(indexName);
    if (index === undefined) return [];
    const prefix = sortKey([first]);
    return this.store.scan(this.pending, index, { low: prefix, high: afterPrefix(prefix) }, "asc", limit);
  }

  private update(transaction: Transaction, id: string, changes: JsonObject): void {
    const found = transaction.peekById(id);
    if (found === null) return;
    transaction.replaceSystem(found.located, found.before, { ...found.before, ...changes });
  }
}
