/**
 * Results of queries, and who shares them.
 *
 * A `CachedQuery` is one call by callers with the same identity. An `Evaluation` is one run of it: the result, which
 * everyone who asks gets until a commit touches a range that it read. A run that looked neither at its caller nor at
 * the clock would come out the same for every caller, so queries that differ in nothing but the caller share it too.
 * That is decided anew at every run: the next one may look at its caller, and then it is that caller's alone.
 *
 * Evaluated only between commits, by the executor.
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

/** One run of a query. */
class Evaluation {
  readonly result: QueryResult;
  readonly usedClock: boolean;
  readonly atMs = Date.now();
  /** Queries whose result this is. */
  readonly queries = new Set<CachedQuery>();

  constructor(result: QueryResult, usedClock: boolean) {
    this.result = result;
    this.usedClock = usedClock;
  }
}

/** One query of one caller, with its result while that is valid. */
export class CachedQuery {
  readonly key: string;
  /** The same for every caller from outside, and for every admin. */
  readonly callKey: string;
  readonly invocation: Invocation;
  readonly subscribers = new Set<Subscriber>();
  /** Null until evaluated, and again after a commit that touched it. */
  evaluation: Evaluation | null = null;
  journal: string | null;

  constructor(callKey: string, key: string, invocation: Invocation) {
    this.callKey = callKey;
    this.key = key;
    this.invocation = invocation;
    this.journal = invocation.journal ?? null;
  }

  get result(): QueryResult | null {
    return this.evaluation?.result ?? null;
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
  /** Valid evaluations that are the same for every caller, by call. */
  private readonly forEveryone = new Map<string, Evaluation>();
  private readonly reads = new ReadIndex<Evaluation>();

  constructor(store: Store, runner: FunctionRunner, outcomes: OutcomeWriter) {
    this.store = store;
    this.runner = runner;
    this.outcomes = outcomes;
  }

  /** The shared entry of a query, new or known. */
  open(invocation: Invocation): CachedQuery {
    const { component, path, args, identity, journal, fromOutside } = invocation;
    const callKey = [component, path, args.text, fromOutside ? "outside" : "inside", journal ?? ""].join(
      "\0",
    );
    const key = `${callKey}\0${resultIdentityKey(identity)}`;
    let query = this.queries.get(key);
    if (query === undefined) {
      query = new CachedQuery(callKey, key, invocation);
      this.queries.set(key, query);
      this.unsubscribed.add(query);
      this.evict();
    }
    return query;
  }

  subscribe(query: CachedQuery, subscriber: Subscriber): void {
    const { evaluation } = query;
    if (evaluation?.usedClock === true && Date.now() - evaluation.atMs > HOST_LIMITS.clockResultAgeMaxMs) {
      this.discard(evaluation);
    }
    query.subscribers.add(subscriber);
    this.unsubscribed.delete(query);
  }

  unsubscribe(query: CachedQuery, subscriber: Subscriber): void {
    query.subscribers.delete(subscriber);
    if (query.subscribers.size > 0) return;
    if (query.evaluation === null || this.queries.get(query.key) !== query) this.drop(query);
    else this.unsubscribed.add(query);
    this.evict();
  }

  /** The valid result for a single reader, or null: what looked at the clock is computed again. */
  current(query: CachedQuery): QueryResult | null {
    if (query.evaluation?.usedClock === true) return null;
    if (this.unsubscribed.delete(query)) this.unsubscribed.add(query);
    return query.result;
  }

  /** Gives the query a result at the present snapshot. Only between commits. */
  async evaluate(query: CachedQuery): Promise<QueryResult> {
    this.release(query);
    const shared = query.journal === null ? this.forEveryone.get(query.callKey) : undefined;
    const evaluation = shared ?? (await this.run(query));
    query.evaluation = evaluation;
    query.journal = evaluation.result.journal;
    evaluation.queries.add(query);
    return evaluation.result;
  }

  /** The result for a single reader, computed where there is no valid one. Only between commits. */
  async readOnce(query: CachedQuery): Promise<Outcome> {
    const known = this.current(query);
    if (known !== null) return known.outcome;
    // Subscribers' page bounds and clock are theirs; this reader's result must not disturb them.
    const own =
      query.subscribers.size === 0 ? query : new CachedQuery(query.callKey, query.key, query.invocation);
    const { outcome } = await this.evaluate(own);
    if (own !== query) this.release(own);
    return outcome;
  }

  /** Drops what a commit touched and tells the subscribers. */
  afterCommit(touched: Touched): void {
    for (const evaluation of this.reads.touchedBy(touched)) this.discard(evaluation);
  }

  private async run(query: CachedQuery): Promise<Evaluation> {
    const transaction = new Transaction(this.store, Date.now());
    const result = await this.runner.run({ ...query.invocation, journal: query.journal }, transaction);
    const outcome = this.outcomes.write(result);
    const { nextJournal, usedClock, usedIdentity } = result.execution;
    const evaluation = new Evaluation({ outcome, journal: nextJournal, token: tokenOf(outcome) }, usedClock);
    this.reads.set(evaluation, transaction.reads);
    // A page has bounds of its own: those of its first reader.
    const ofNobody = !usedIdentity && !usedClock && query.journal === null && nextJournal === null;
    if (ofNobody) this.forEveryone.set(query.callKey, evaluation);
    return evaluation;
  }

  private discard(evaluation: Evaluation): void {
    for (const query of [...evaluation.queries]) this.invalidate(query);
  }

  private invalidate(query: CachedQuery): void {
    this.release(query);
    // Its page bounds are those of the first reader; a newcomer gets a page of its own.
    if (query.journal !== (query.invocation.journal ?? null)) this.forget(query);
    if (query.subscribers.size === 0) this.drop(query);
    for (const subscriber of query.subscribers) subscriber.stale();
  }

  /** Takes its result from a query; a result that nobody has any more is not watched any longer. */
  private release(query: CachedQuery): void {
    const { evaluation } = query;
    query.evaluation = null;
    if (evaluation === null) return;
    evaluation.queries.delete(query);
    if (evaluation.queries.size > 0) return;
    this.reads.remove(evaluation);
    if (this.forEveryone.get(query.callKey) === evaluation) this.forEveryone.delete(query.callKey);
  }

  private forget(query: CachedQuery): void {
    if (this.queries.get(query.key) === query) this.queries.delete(query.key);
  }

  private drop(query: CachedQuery): void {
    this.forget(query);
    this.unsubscribed.delete(query);
    this.release(query);
  }

  private evict(): void {
    for (const oldest of this.unsubscribed) {
      if (this.unsubscribed.size <= HOST_LIMITS.cachedQueriesMax) return;
      this.drop(oldest);
    }
  }
}
