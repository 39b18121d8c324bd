/** One client's set of live queries, always evaluated at one snapshot. */
import type { LiveQuery, Outcome, QueryResult, Subscription, Timestamp } from "../contract.ts";
import { HOST_LIMITS } from "../limits.ts";
import type { Store } from "../storage/store.ts";
import type { Executor } from "./executor.ts";
import { invocationOf } from "./functionRunner.ts";
import type { OutcomeWriter } from "./outcome.ts";
import type { CachedQuery, QueryCache, Subscriber } from "./queryCache.ts";

/** A query whose call can't even be read has one outcome for good. */
type Live = { query: CachedQuery; subscriber: Subscriber } | { refused: QueryResult };

type Refreshed = { ts: Timestamp; results: ReadonlyMap<number, QueryResult> };

/** The contract's Subscription. */
export class QuerySubscription implements Subscription {
  private readonly live = new Map<number, Live>();
  /** Queries whose newest result has not been handed out. */
  private readonly due = new Set<number>();
  private readonly parts: { store: Store; executor: Executor; cache: QueryCache; outcomes: OutcomeWriter };
  private readonly onStale: () => void;
  /** True from a refresh until the first commit that touches it. */
  private fresh = false;
  private closed = false;

  constructor(parts: QuerySubscription["parts"], onStale: () => void) {
    this.parts = parts;
    this.onStale = onStale;
  }

  add(queryId: number, { call, journal }: LiveQuery): void {
    this.remove(queryId);
    this.due.add(queryId);
    try {
      const query = this.parts.cache.open({ ...invocationOf(call, "query"), journal });
      const subscriber = {
        stale: (): void => {
          this.touched(queryId);
        },
      };
      this.parts.cache.subscribe(query, subscriber);
      this.live.set(queryId, { query, subscriber });
    } catch (error) {
      const outcome: Outcome = this.parts.outcomes.thrown(error);
      this.live.set(queryId, { refused: { outcome, journal: null, token: "refused" } });
    }
  }

  remove(queryId: number): void {
    const live = this.live.get(queryId);
    this.live.delete(queryId);
    this.due.delete(queryId);
    if (live !== undefined && "query" in live) this.parts.cache.unsubscribe(live.query, live.subscriber);
  }

  /**
   * Queries are evaluated for a while, then others get their turn, and with them commits. A commit drops exactly
   * the results that it touched, so once every query has one, all of them hold at the newest snapshot. Where
   * commits come faster than queries are evaluated, the last round goes through without a pause.
   */
  async refresh(): Promise<Refreshed> {
    if (this.due.size === 0) return this.handOut();
    let evaluationsLeft = 2 * this.due.size;
    for (;;) {
      const refreshed = await this.parts.executor.read(async () => {
        const deadlineMs = evaluationsLeft > 0 ? performance.now() + HOST_LIMITS.refreshSliceMs : Infinity;
        const evaluated = await this.evaluateUntil(deadlineMs);
        if (evaluated === "all") return this.handOut();
        evaluationsLeft -= evaluated;
        return null;
      });
      if (refreshed !== null) return refreshed;
      // Reads that are asked for at once may all run before the next commit; this one is asked for after it.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  close(): void {
    this.closed = true;
    this.fresh = false;
    for (const queryId of [...this.live.keys()]) this.remove(queryId);
  }

  /** How many queries it evaluated before time was up, or that none is left. Makes progress in any case. */
  private async evaluateUntil(deadlineMs: number): Promise<number | "all"> {
    let evaluated = 0;
    for (const queryId of this.due) {
      const live = this.live.get(queryId);
      if (live === undefined || "refused" in live || live.query.result !== null) continue;
      if (evaluated > 0 && performance.now() > deadlineMs) return evaluated;
      await this.parts.cache.evaluate(live.query);
      evaluated += 1;
    }
    return "all";
  }

  private handOut(): Refreshed {
    const results = new Map<number, QueryResult>();
    for (const queryId of this.due) {
      const live = this.live.get(queryId);
      const result = live === undefined || "refused" in live ? live?.refused : live.query.result;
      if (result === undefined || result === null) throw new Error("a live query was not evaluated");
      results.set(queryId, result);
    }
    this.due.clear();
    this.fresh = !this.closed;
    return { ts: this.parts.store.latestTs(), results };
  }

  private touched(queryId: number): void {
    this.due.add(queryId);
    if (!this.fresh) return;
    this.fresh = false;
    this.onStale();
  }
}
