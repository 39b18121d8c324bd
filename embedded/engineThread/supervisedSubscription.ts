/** A client's set of live queries, carried over from one engine thread to the next. */
import type { Call, LiveQuery, QueryResult, Subscription } from "../engine/contract.ts";
import { ThreadEnded, type EngineThread } from "./engineThread.ts";
import type { Refreshed } from "./messages.ts";

type Thread = Pick<EngineThread, "request" | "notify" | "settledTs">;

export type SubscriptionHost = {
  /** The present thread, or the next one when it is being started. */
  thread: () => Promise<Thread>;
  /** Whether any call was stopped and is not run for now. */
  anyStopped: () => boolean;
  /** The result of a call that was stopped and is not run for now, or null. */
  stoppedResult: (call: Call) => QueryResult | null;
};

/** The contract's Subscription, over threads. */
export class SupervisedSubscription implements Subscription {
  readonly #number: number;
  readonly #host: SubscriptionHost;
  readonly #onStale: () => void;
  readonly #onClose: () => void;
  readonly #live = new Map<number, LiveQuery>();
  /** Queries that the present thread knows. */
  readonly #known = new Set<number>();
  #thread: Thread | null = null;
  /** True from a refresh until the first commit that touches it, or the next query. */
  #fresh = false;
  /** A commit touched it while a refresh was on its way. */
  #touchedMeanwhile = false;
  #closed = false;

  constructor(
    number: number,
    host: SubscriptionHost,
    listeners: { onStale: () => void; onClose: () => void },
  ) {
    this.#number = number;
    this.#host = host;
    this.#onStale = listeners.onStale;
    this.#onClose = listeners.onClose;
  }

  add(queryId: number, query: LiveQuery): void {
    this.remove(queryId);
    this.#live.set(queryId, query);
  }

  remove(queryId: number): void {
    this.#live.delete(queryId);
    this.#forget(queryId);
  }

  async refresh(): Promise<Refreshed> {
    for (;;) {
      const thread = await this.#host.thread();
      const stopped = this.#bringUp(thread);
      // Nothing that it watches has changed, as far as any call could have been answered.
      if (this.#fresh) return { ts: thread.settledTs(), results: stopped };
      this.#touchedMeanwhile = false;
      try {
        const { ts, results } = await thread.request("refresh", [this.#number]);
        this.#refreshed(results);
        return { ts, results: stopped.size === 0 ? results : new Map([...results, ...stopped]) };
      } catch (error) {
        if (!(error instanceof ThreadEnded) || error.end.kind === "closed") throw error;
      }
    }
  }

  /** Safe to call twice: a session ends, and then its socket does. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#fresh = false;
    this.#live.clear();
    this.#known.clear();
    this.#thread?.notify({ kind: "unsubscribe", subscription: this.#number });
    this.#onClose();
  }

  /** The engine says that the last refresh is out of date. */
  stale(): void {
    this.#touchedMeanwhile = true;
    if (!this.#fresh) return;
    this.#fresh = false;
    this.#onStale();
  }

  /** The thread is gone, and with it whatever it would have told. */
  threadEnded(): void {
    this.#thread = null;
    this.#known.clear();
    this.stale();
  }

  /** Tells the thread of every query that it does not know, and returns the results of those it is spared. */
  #bringUp(thread: Thread): Map<number, QueryResult> {
    if (this.#thread !== thread) {
      this.#thread = thread;
      this.#fresh = false;
      this.#known.clear();
      thread.notify({ kind: "subscribe", subscription: this.#number });
    }
    const stopped = new Map<number, QueryResult>();
    if (this.#known.size === this.#live.size && !this.#host.anyStopped()) return stopped;
    for (const [queryId, query] of this.#live) {
      const result = this.#host.stoppedResult(query.call);
      if (result !== null) {
        stopped.set(queryId, result);
        this.#forget(queryId);
      } else if (!this.#known.has(queryId)) {
        this.#known.add(queryId);
        this.#fresh = false;
        thread.notify({ kind: "add", subscription: this.#number, queryId, query });
      }
    }
    return stopped;
  }

  #forget(queryId: number): void {
    if (!this.#known.delete(queryId)) return;
    this.#thread?.notify({ kind: "remove", subscription: this.#number, queryId });
  }

  #refreshed(results: Refreshed["results"]): void {
    // A page keeps its bounds when another thread goes on with it.
    for (const [queryId, { journal }] of results) {
      const query = this.#live.get(queryId);
      if (query !== undefined) this.#live.set(queryId, { ...query, journal });
    }
    this.#fresh = !this.#closed;
    // The commit may have come after what this answer shows.
    if (this.#touchedMeanwhile) this.stale();
  }
}
