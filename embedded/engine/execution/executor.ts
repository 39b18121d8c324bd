/**
 * Runs transactions one at a time, which is what makes them serializable without any retry.
 *
 * A round: mutations that wait are run one after the other inside one SQLite transaction, each on its own overlay
 * that is dropped when it fails, so a failure undoes its own writes only → one commit, one fsync → subscribers
 * learn what changed → callers get their answers. Then reads, which therefore always see a committed state.
 */
import { PlatformError } from "../errors.ts";
import { HOST_LIMITS } from "../limits.ts";
import { DiskFull } from "../storage/storageErrors.ts";
import type { Store, Touched } from "../storage/store.ts";
import { Transaction } from "../transaction/transaction.ts";
import type { Stopwatch } from "./stopwatch.ts";

/** How a transaction ends. `beforeCommit` runs in it, after its writes, and makes even an empty one commit. */
export type Decision<T> =
  | { commit: true; value: (ts: bigint) => T; beforeCommit?: (ts: bigint) => void }
  | { commit: false; value: T };

type Work = {
  /** Runs the transaction; returns what to tell the caller once the group is durable. */
  run: (transaction: Transaction, touched: Touched) => Promise<() => void>;
  fail: (error: unknown) => void;
};

/** The group's own transaction broke: nothing of it may stay. */
class GroupError extends Error {
  override readonly name = "GroupError";
}

export type ExecutorParts = {
  store: Store;
  stopwatch: Stopwatch;
  onCommit: (touched: Touched) => void;
  notices: ExecutorNotices;
};

/** What happens beside the answers; none of these may throw. */
export type ExecutorNotices = {
  /** A commit is durable, and whoever had to take notice of it failed. */
  listenerFailed: (error: unknown) => void;
  /** Commits are refused from now on, until one succeeds again. */
  diskFull: (error: DiskFull) => void;
  diskHasRoom: () => void;
  /** Commits are durable in the log, which grows because it can't be moved into the database file. */
  checkpointFailed: (error: unknown) => void;
};

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Serial transactions with group commit. */
export class Executor {
  private readonly parts: ExecutorParts;
  private readonly store: Store;
  private isDiskFull = false;
  private readonly mutations: Work[] = [];
  private readonly reads: (() => Promise<void>)[] = [];
  private looping = false;
  private closed = false;
  private idleWaiters: (() => void)[] = [];

  constructor(parts: ExecutorParts) {
    this.parts = parts;
    this.store = parts.store;
  }

  /** Runs `work` as one transaction; resolves when it is durable, or not to be. A throw of `work` undoes it. */
  transact<T>(work: (transaction: Transaction) => Promise<Decision<T>> | Decision<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.requireOpen();
      this.mutations.push({
        fail: reject,
        run: async (transaction, touched) => {
          const decision = await work(transaction);
          if (!decision.commit) {
            return () => {
              resolve(decision.value);
            };
          }
          const ts = this.seal(transaction, touched, decision.beforeCommit);
          return () => {
            resolve(decision.value(ts));
          };
        },
      });
      this.kick();
    });
  }

  /** Runs `work` between commits, with no transaction open. */
  read<T>(work: () => Promise<T>): Promise<T> {
    const checked = async (): Promise<T> => {
      const value = await work();
      // A function may have caught the failure of its read and gone on with half of what is stored.
      if (this.store.failure !== null) throw this.store.failure;
      return value;
    };
    return new Promise((resolve, reject) => {
      this.requireOpen();
      this.reads.push(() => checked().then(resolve, reject));
      this.kick();
    });
  }

  /** Resolves when nothing waits or runs; from then on work is refused. */
  async close(): Promise<void> {
    while (this.looping) {
      await new Promise<void>((resolve) => {
        this.idleWaiters.push(resolve);
      });
    }
    this.closed = true;
  }

  private requireOpen(): void {
    if (this.closed) throw new PlatformError("The host is shutting down", { visible: true });
  }

  private seal(transaction: Transaction, touched: Touched, beforeCommit?: (ts: bigint) => void): bigint {
    if (!transaction.hasChanges() && beforeCommit === undefined) return this.store.newestTs();
    try {
      this.store.requireTransaction();
      const ts = this.store.issueTs();
      transaction.applyTo(ts, touched);
      beforeCommit?.(ts);
      return ts;
    } catch (error) {
      throw new GroupError("a transaction could not be written", { cause: error });
    }
  }

  /** Starts in a later turn of the event loop, so that requests that arrive together commit together. */
  private kick(): void {
    if (this.looping) return;
    this.looping = true;
    setImmediate(() => void this.loop());
  }

  private async loop(): Promise<void> {
    const { stopwatch } = this.parts;
    while (this.mutations.length > 0 || this.reads.length > 0) {
      if (this.mutations.length > 0) {
        await this.commitGroup();
        // Callers learn of their commits before any other function runs, and may stop the thread.
        await nextTurn();
        this.checkpoint();
      }
      for (let count = 0; count < HOST_LIMITS.readsBetweenCommitsMax; count += 1) {
        const read = this.reads.shift();
        if (read === undefined) break;
        stopwatch.startWork();
        await read();
        stopwatch.mark("idle");
      }
      await nextTurn();
    }
    this.looping = false;
    const waiters = this.idleWaiters;
    this.idleWaiters = [];
    for (const wake of waiters) wake();
  }

  private async commitGroup(): Promise<void> {
    const taken: Work[] = [];
    const touched: Touched = new Map();
    this.parts.stopwatch.startWork();
    try {
      this.store.begin();
      const answers = await this.runGroup(taken, touched);
      this.store.commit();
      this.afterCommit(answers, touched);
    } catch (error) {
      this.store.rollback();
      const cause = error instanceof GroupError ? error.cause : error;
      this.noticeRefusal(cause);
      for (const work of taken) work.fail(cause);
      // The transaction could not even begin: without a victim the loop would spin on it.
      if (taken.length === 0) this.mutations.shift()?.fail(cause);
    } finally {
      this.parts.stopwatch.mark("idle");
    }
  }

  private noticeRefusal(cause: unknown): void {
    if (this.isDiskFull || !(cause instanceof DiskFull)) return;
    this.isDiskFull = true;
    this.parts.notices.diskFull(cause);
  }

  private checkpoint(): void {
    const { stopwatch, notices } = this.parts;
    if (this.store.failure !== null) return;
    stopwatch.mark("engine");
    try {
      this.store.checkpointIfDue();
    } catch (error) {
      notices.checkpointFailed(error);
    } finally {
      stopwatch.mark("idle");
    }
  }

  /** The commit is durable: a listener's failure is reported, and callers hear of their success all the same. */
  private afterCommit(answers: readonly (() => void)[], touched: Touched): void {
    const { onCommit, notices } = this.parts;
    if (this.isDiskFull && touched.size > 0) {
      this.isDiskFull = false;
      notices.diskHasRoom();
    }
    try {
      onCommit(touched);
    } catch (error) {
      notices.listenerFailed(error);
    }
    for (const answer of answers) answer();
  }

  private async runGroup(taken: Work[], touched: Touched): Promise<(() => void)[]> {
    const answers: (() => void)[] = [];
    const startedMs = Date.now();
    while (taken.length < HOST_LIMITS.mutationsPerCommitMax) {
      if (taken.length > 0 && Date.now() - startedMs > HOST_LIMITS.commitGroupTimeMs) break;
      const work = this.mutations.shift();
      if (work === undefined) break;
      taken.push(work);
      try {
        answers.push(await work.run(new Transaction(this.store, Date.now()), touched));
        this.store.requireTransaction();
      } catch (error) {
        if (error instanceof GroupError || !this.store.inTransaction) throw error;
        answers.push(() => {
          work.fail(error);
        });
      }
    }
    return answers;
  }
}
