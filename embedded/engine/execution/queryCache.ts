/**
 * Results of queries, shared by every subscriber with the same call and identity, and dropped by the first commit
 * that touches a range they read. Evaluated only between commits, by the executor.
 */
import { createHash } from "node:crypto";
import type { Outcome, QueryResult } from "../contract.ts";
import { HOST_LIMITS } from "../limits.ts";
import type { Store, Touched } from "../storage/store.ts";
import { Transaction } from "../transaction/transaction.ts";
import type { FunctionRunner, Invocation } from "./functionRunner.ts";
import { resultIdentityKey } from "./identityKey.ts";
import type { OutcomeWriter } from "./outcome.ts";
import { ReadIndex } from "./readIndex.ts";

export type Subscriber = { stale: () => void };

/** One query of one caller, with its result while that is valid. */
export class CachedQuery {
  readonly key: string;
  readonly invocation: Invocation;
  readonly subscribers = new Set<Subscriber>();
  /** Null until evaluated, and again after a commit that touched it. */
  result: QueryResult | null = null;
  journal: string | null;
  usedClock = false;
  evaluatedAtMs = 0;

  constructor(key: string, invocation: Invocation) {
    this.key = key;
    this.invocation = invocation;
    this.journal = invocation.journal ?? null;
  }
}

function tokenOf(outcome: Outcome): string {
  const content = outcome.ok ? outcome.value : JSON.stringify([outcome.message, outcome.errorData ?? null]);
  return createHash("sha256")
    .update(outcome.ok ? "1" : "0")
    .update(content)
    .update("\0")
    .update(outcome.logLines.join("\n"))
    .digest("base64");
}

/** All cached queries. */
export class QueryCache {
  private readonly store: Store;
  private readonly runner: FunctionRunner;
  private readonly outcomes: OutcomeWriter;
  private readonly queries = new Map<string, CachedQuery>();
  /** Without subscribers, in the order of last use. */
  private readonly unsubscribed = new Set<CachedQuery>();
  private readonly reads = new ReadIndex<CachedQuery>();

  constructor(store: Store, runner: FunctionRunner, outcomes: OutcomeWriter) {
    this.store = store;
    this.runner = runner;
    this.outcomes = outcomes;
  }

  /** The shared entry of a query, new or known. */
  open(invocation: Invocation): CachedQuery {
    const { component, path, args, identity, journal, fromOutside } = invocation;
    const caller = `${fromOutside ? "outside" : "inside"} ${resultIdentityKey(identity)}`;
    const key = [component, path, args.text, caller, journal ?? ""].join("\0");
    let query = this.queries.get(key);
    if (query === undefined) {
      query = new CachedQuery(key, invocation);
      this.queries.set(key, query);
      this.unsubscribed.add(query);
      this.evict();
    }
    return query;
  }

  subscribe(query: CachedQuery, subscriber: Subscriber): void {
    const tooOld = Date.now() - query.evaluatedAtMs > HOST_LIMITS.clockResultAgeMaxMs;
    if (query.result !== null && query.usedClock && tooOld) this.invalidate(query);
    query.subscribers.add(subscriber);
    this.unsubscribed.delete(query);
  }

  unsubscribe(query: CachedQuery, subscriber: Subscriber): void {
    query.subscribers.delete(subscriber);
    if (query.subscribers.size > 0) return;
    if (query.result === null || this.queries.get(query.key) !== query) this.drop(query);
    else this.unsubscribed.add(query);
    this.evict();
  }

  /** The valid result for a single reader, or null: what looked at the clock is computed again. */
  current(query: CachedQuery): QueryResult | null {
    if (query.usedClock) return null;
    if (this.unsubscribed.delete(query)) this.unsubscribed.add(query);
    return query.result;
  }

  /** Computes the result at the present snapshot. Only between commits. */
  async evaluate(query: CachedQuery): Promise<QueryResult> {
    const transaction = new Transaction(this.store, Date.now());
    const result = await this.runner.run({ ...query.invocation, journal: query.journal }, transaction);
    const outcome = this.outcomes.write(result);
    query.journal = result.execution.nextJournal;
    query.usedClock = result.execution.usedClock;
    query.evaluatedAtMs = Date.now();
    query.result = { outcome, journal: query.journal, token: tokenOf(outcome) };
    this.reads.set(query, transaction.reads);
    return query.result;
  }

  /** The result for a single reader, computed where there is no valid one. Only between commits. */
  async readOnce(query: CachedQuery): Promise<Outcome> {
    const known = this.current(query);
    if (known !== null) return known.outcome;
    // Subscribers' page bounds and clock are theirs; this reader's result must not disturb them.
    const own = query.subscribers.size === 0 ? query : new CachedQuery(query.key, query.invocation);
    const { outcome } = await this.evaluate(own);
    if (own !== query) this.reads.remove(own);
    return outcome;
  }

  /** Drops what a commit touched and tells the subscribers. */
  afterCommit(touched: Touched): void {
    for (const query of this.reads.touchedBy(touched)) this.invalidate(query);
  }

  private invalidate(query: CachedQuery): void {
    query.result = null;
    this.reads.remove(query);
    // Its page bounds are those of the first reader; a newcomer gets a page of its own.
    if (query.journal !== (query.invocation.journal ?? null)) this.forget(query);
    if (query.subscribers.size === 0) this.drop(query);
    for (const subscriber of query.subscribers) subscriber.stale();
  }

  private forget(query: CachedQuery): void {
    if (this.queries.get(query.key) === query) this.queries.delete(query.key);
  }

  private drop(query: CachedQuery): void {
    this.forget(query);
    this.unsubscribed.delete(query);
    this.reads.remove(query);
  }

  private evict(): void {
    for (const oldest of this.unsubscribed) {
      if (this.unsubscribed.size <= HOST_LIMITS.cachedQueriesMax) return;
      this.drop(oldest);
    }
  }
}
