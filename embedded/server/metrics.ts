/**
 * What the host counts, in Prometheus' text format. Labels are routes, kinds and outcomes out of closed lists:
 * no organisation, user, function or address ever becomes one.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Authenticator } from "./authentication.ts";
import { HttpProblem, type Exchange, type Reply } from "./httpExchange.ts";
import { isLoopbackAddress, isLoopbackHostname } from "./loopback.ts";

export type CallKind = "query" | "mutation" | "action" | "run" | "httpAction" | "liveQueries";

/** Read at the moment someone asks for the metrics. */
export type LiveFigures = {
  openSockets: () => number;
  mutationsQueued: () => number;
  openConnections: () => number;
  refusedConnections: () => number;
  limitedCalls: () => number;
};

/** Functions answer with codes of a closed set, in capitals; the host's own are two words of letters. */
const REFUSAL_CODE = /^([A-Z][A-Z_]{2,31}|Unauthenticated|BadAdminKey)$/;

/** Why the door of deliveries refuses one. */
const DELIVERY_REFUSALS: readonly string[] = [
  "TOO_LARGE",
  "HEADER",
  "SIGNATURE",
  "STALE",
  "NOT_JSON",
  "NOT_AN_EVENT",
];
/** The line that a door of deliveries writes into the structured log, in the shape of the security log. */
const REFUSED_DELIVERY =
  /^\[WARN\] '\{"security":\{"outcome":"refused","function":"webhooks\/[a-z]+","code":"([A-Z_]+)"/;

const LATENCY_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** The counters of one host. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #requests = new Counter({
    name: "daybook_http_requests_total",
    help: "Answered HTTP requests by route and status.",
    labelNames: ["route", "status"],
    registers: [this.#registry],
  });
  readonly #calls = new Histogram({
    name: "daybook_function_call_duration_seconds",
    help: "Function calls by kind and outcome; liveQueries is one update of a client's subscriptions.",
    labelNames: ["kind", "outcome"],
    buckets: LATENCY_BUCKETS_S,
    registers: [this.#registry],
  });
  readonly #liveQueries = new Gauge({
    name: "daybook_live_queries",
    help: "Queries that clients are subscribed to.",
    registers: [this.#registry],
  });
  readonly #transitions = new Counter({
    name: "daybook_transitions_sent_total",
    help: "Transitions sent to WebSocket clients.",
    registers: [this.#registry],
  });

  readonly #refusals = new Counter({
    name: "daybook_refusals_total",
    help: "Refused calls by code: those of the functions, and of tokens that never reach one.",
    labelNames: ["code"],
    registers: [this.#registry],
  });

  readonly #refusedDeliveries = new Counter({
    name: "daybook_deliveries_refused_total",
    help: "Deliveries of providers that were refused, by reason.",
    labelNames: ["reason"],
    registers: [this.#registry],
  });

  constructor() {
    // Each reason is there from the start, so that the first refusal is an increase.
    for (const reason of [...DELIVERY_REFUSALS, "other"]) this.#refusedDeliveries.inc({ reason }, 0);
    collectDefaultMetrics({ register: this.#registry });
  }

  requestAnswered(route: string, status: number): void {
    this.#requests.inc({ route, status });
  }

  callEnded(kind: CallKind, outcome: "success" | "error", seconds: number): void {
    this.#calls.observe({ kind, outcome }, seconds);
  }

  /** Counts a refusal by its code; what does not look like a code is counted as `other`. */
  refused(code: unknown): void {
    this.#refusals.inc({ code: typeof code === "string" && REFUSAL_CODE.test(code) ? code : "other" });
  }

  /** Counts the delivery that a line of a function's log says was refused; other lines are none of its business. */
  functionLogged(line: string): void {
    const reason = REFUSED_DELIVERY.exec(line)?.[1];
    if (reason === undefined) return;
    this.#refusedDeliveries.inc({ reason: DELIVERY_REFUSALS.includes(reason) ? reason : "other" });
  }

  liveQueriesChanged(by: number): void {
    this.#liveQueries.inc(by);
  }

  transitionSent(): void {
    this.#transitions.inc();
  }

  /** Adds what others already know, once there is someone to ask. */
  watch(figures: LiveFigures): void {
    this.#ask("daybook_open_sockets", "Open WebSockets.", figures.openSockets);
    this.#ask("daybook_mutations_queued", "Mutations that wait for their turn.", figures.mutationsQueued);
    this.#ask("daybook_connections_open", "Open connections over both ports.", figures.openConnections);
    this.#askTotal(
      "daybook_connections_refused_total",
      "Connections that were closed because there were too many.",
      figures.refusedConnections,
    );
    this.#askTotal(
      "daybook_source_limited_total",
      "Calls without a valid token that were refused because their source made too many.",
      figures.limitedCalls,
    );
  }

  /** Answers `GET /metrics`. Throws HttpProblem 403, or AuthenticationError for a wrong key. */
  async answer(exchange: Exchange, authenticator: Authenticator): Promise<Reply> {
    if (!(await mayRead(exchange, authenticator))) {
      throw new HttpProblem(403, "Forbidden", "metrics are for this machine and for the admin key");
    }
    const headers = { "content-type": this.#registry.contentType, "cache-control": "no-store" };
    return { status: 200, headers, body: await this.#registry.metrics() };
  }

  #askTotal(name: string, help: string, figure: () => number): void {
    let seen = 0;
    new Counter({
      name,
      help,
      registers: [this.#registry],
      collect() {
        const total = figure();
        this.inc(total - seen);
        seen = total;
      },
    });
  }

  #ask(name: string, help: string, figure: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.set(figure());
      },
    });
  }
}

const FORWARDING_HEADERS = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];

/**
 * A proxy on this machine brings everyone's requests from loopback. So the request itself must have been made for
 * a loopback name, too, and show no trace of a proxy or a web page.
 */
async function mayRead({ request }: Exchange, authenticator: Authenticator): Promise<boolean> {
  const { authorization, host, origin } = request.headers;
  if (authorization !== undefined) return (await authenticator.fromHeader(authorization)).kind === "admin";
  const peer = (request.socket.remoteAddress ?? "").replace(/^::ffff:/i, "");
  const askedHost = URL.parse(`http://${host ?? ""}`)?.hostname ?? "";
  return (
    isLoopbackAddress(peer) &&
    isLoopbackHostname(askedHost) &&
    origin === undefined &&
    FORWARDING_HEADERS.every((name) => request.headers[name] === undefined)
  );
}
