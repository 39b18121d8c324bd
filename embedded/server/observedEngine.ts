/**
 * The engine as the network side uses it: the same answers, each call counted, and each error's request id in
 * the log, so that whoever is shown an id can be told what happened.
 */
import type { Call, Engine, LiveQuery, Outcome, QueryResult, Subscription } from "../engine/contract.ts";
import type { Log } from "./logging.ts";
import type { CallKind, Metrics } from "./metrics.ts";

type Watch = { metrics: Metrics; log: Log };

/** Wraps an engine; closing the wrapper closes the engine. */
export function observedEngine(engine: Engine, watch: Watch): Engine {
  const observe = async <T extends Outcome>(kind: CallKind, call: Call, work: Promise<T>): Promise<T> => {
    const outcome = await timed(watch, kind, work, ({ ok }) => ok);
    if (!outcome.ok) logFailure(watch.log, kind, call);
    countRefusal(watch.metrics, outcome);
    return outcome;
  };
  return {
    query: (call, atTs) => observe("query", call, engine.query(call, atTs)),
    mutation: (call, session) => observe("mutation", call, engine.mutation(call, session)),
    action: (call) => observe("action", call, engine.action(call)),
    run: (call) => observe("run", call, engine.run(call)),
    httpAction: (request, identity, requestId) =>
      timed(
        watch,
        "httpAction",
        engine.httpAction(request, identity, requestId),
        (response) => response === null || response.status < 500,
      ),
    subscribe: (onStale) => new ObservedSubscription(engine.subscribe(onStale), watch),
    latestTs: () => engine.latestTs(),
    authProviders: () => engine.authProviders(),
    inspection: engine.inspection,
    files: engine.files,
    close: () => engine.close(),
  };
}

/** The code of a refusal: of the error that a function threw, or of the answer `{status: "rejected", code}`. */
function countRefusal(metrics: Metrics, outcome: Outcome): void {
  const refusal = outcome.ok ? rejectionIn(outcome.value) : outcome.errorData;
  if (typeof refusal === "object" && refusal !== null && "code" in refusal) metrics.refused(refusal.code);
}

function rejectionIn(value: string): unknown {
  // Most answers are none, and need not be parsed for it.
  if (!value.includes('"rejected"')) return undefined;
  const answer = JSON.parse(value) as unknown;
  const isRejected =
    typeof answer === "object" && answer !== null && "status" in answer && answer.status === "rejected";
  return isRejected ? answer : undefined;
}

async function timed<T>(
  { metrics }: Watch,
  kind: CallKind,
  work: Promise<T>,
  succeeded: (value: T) => boolean,
): Promise<T> {
  const startedAtMs = performance.now();
  let outcome: "success" | "error" = "error";
  try {
    const value = await work;
    outcome = succeeded(value) ? "success" : "error";
    return value;
  } finally {
    metrics.callEnded(kind, outcome, (performance.now() - startedAtMs) / 1000);
  }
}

function logFailure(log: Log, kind: CallKind, { path, requestId }: Call): void {
  log({
    level: "info",
    component: "calls",
    message: "a call ended with an error",
    requestId,
    kind,
    function: path,
  });
}

class ObservedSubscription implements Subscription {
  readonly #inner: Subscription;
  readonly #watch: Watch;
  /** The queries, each with the token of the failure that the log has already. */
  readonly #queries = new Map<number, { call: Call; failureLogged: string | undefined }>();

  constructor(inner: Subscription, watch: Watch) {
    this.#inner = inner;
    this.#watch = watch;
  }

  add(queryId: number, query: LiveQuery): void {
    this.#inner.add(queryId, query);
    if (!this.#queries.has(queryId)) this.#watch.metrics.liveQueriesChanged(1);
    this.#queries.set(queryId, { call: query.call, failureLogged: undefined });
  }

  remove(queryId: number): void {
    this.#inner.remove(queryId);
    if (this.#queries.delete(queryId)) this.#watch.metrics.liveQueriesChanged(-1);
  }

  async refresh(): ReturnType<Subscription["refresh"]> {
    const refreshed = await timed(this.#watch, "liveQueries", this.#inner.refresh(), () => true);
    for (const [queryId, result] of refreshed.results) this.#notice(queryId, result);
    return refreshed;
  }

  close(): void {
    this.#inner.close();
    this.#watch.metrics.liveQueriesChanged(-this.#queries.size);
    this.#queries.clear();
  }

  #notice(queryId: number, { outcome, token }: QueryResult): void {
    const query = this.#queries.get(queryId);
    if (outcome.ok || query === undefined || query.failureLogged === token) return;
    query.failureLogged = token;
    logFailure(this.#watch.log, "query", query.call);
    countRefusal(this.#watch.metrics, outcome);
  }
}
