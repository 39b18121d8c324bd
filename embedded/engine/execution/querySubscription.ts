/** One client's set of live queries, always evaluated at one snapshot. */
import type { LiveQuery, Outcome, QueryResult, Subscription, Timestamp } from "../contract.ts";
import type { Store } from "../storage/store.ts";
import type { Executor } from "./executor.ts";
import { invocationOf } from "./functionRunner.ts";
import type { OutcomeWriter } from "./outcome.ts";
import type { CachedQuery, QueryCache } from "./queryCache.ts";

/** A query whose call can't even be read has one outcome for good. */
type Live = { query: CachedQuery } | { refused: QueryResult };

/** The contract's Subscription. */
export class QuerySubscription implements Subscription {
  private readonly live = new Map<number, Live>();
  private readonly parts: { store: Store; executor: Executor; cache: QueryCache; outcomes: OutcomeWriter };
  private readonly onStale: () => void;
  /** True from a refresh until the first commit that touches it. */
  private fresh = false;
  private closed = false;
  private readonly subscriber = {
    stale: (): void => {
      if (!this.fresh) return;
      this.fresh = false;
      this.onStale();
    },
  };

  constructor(parts: QuerySubscription["parts"], onStale: () => void) {
    this.parts = parts;
    this.onStale = onStale;
  }

  add(queryId: number, { call, journal }: LiveQuery): void {
    this.remove(queryId);
    try {
      const query = this.parts.cache.open({ ...invocationOf(call, "query"), journal });
      this.parts.cache.subscribe(query, this.subscriber);
      this.live.set(queryId, { query });
    } catch (error) {
      const outcome: Outcome = this.parts.outcomes.thrown(error);
      this.live.set(queryId, { refused: { outcome, journal: null, token: "refused" } });
    }
  }

  remove(queryId: number): void {
    const live = this.live.get(queryId);
    this.live.delete(queryId);
    if (live !== undefined && "query" in live) this.release(live.query);
  }

  refresh(): Promise<{ ts: Timestamp; results: ReadonlyMap<number, QueryResult> }> {
    const { executor, store, cache } = this.parts;
    return executor.read(async () => {
      const results = new Map<number, QueryResult>();
      // Evaluation can't be interrupted by a commit, so all of these see the same snapshot.
      for (const [queryId, live] of this.live) {
        if ("refused" in live) results.set(queryId, live.refused);
        else results.set(queryId, live.query.result ?? (await cache.evaluate(live.query)));
      }
      this.fresh = !this.closed;
      return { ts: store.latestTs(), results };
    });
  }

  close(): void {
    this.closed = true;
    this.fresh = false;
    for (const queryId of [...this.live.keys()]) this.remove(queryId);
  }

  /** Two of the client's queries may be the same one. */
  private release(query: CachedQuery): void {
    for (const other of this.live.values()) if ("query" in other && other.query === query) return;
    this.parts.cache.unsubscribe(query, this.subscriber);
  }
}
