/**
 * How many calls without a valid token one source may make (R16), and how many requests to HTTP actions that are
 * refused (E25). The source is the address of the connection; only
 * where that is a trusted proxy does `X-Forwarded-For` count, from its right end up to the first address that no
 * trusted proxy has. Callers with a valid token are not counted here: the functions count them.
 */
import type { IncomingMessage } from "node:http";
import { calculateRateLimit } from "@convex-dev/rate-limiter";
import proxyAddress from "proxy-addr";
import { networkOf } from "./connections.ts";
import { HttpProblem } from "./httpExchange.ts";

export type SourceLimits = {
  /** Calls a minute of one source, and as many at once. */
  callsPerMinute: number;
  /** Addresses and CIDR ranges of proxies whose X-Forwarded-For is believed. */
  trustedProxies: readonly string[];
};

const MINUTE_MS = 60_000;
/** Sources that are remembered; the one that was heard of longest ago is forgotten first. */
const SOURCES_MAX = 65_536;
/** A flood is one line in the log now and then. */
const NOTICE_INTERVAL_MS = 10_000;

type Bucket = { value: number; ts: number };

/** Whether these are addresses and ranges as `trustedProxies` wants them. */
export function areProxyRanges(ranges: readonly string[]): boolean {
  try {
    proxyAddress.compile([...ranges]);
    return true;
  } catch {
    return false;
  }
}

/** The buckets of one host. */
export class SourceLimit {
  readonly #limits: SourceLimits;
  readonly #isTrusted: (address: string, distance: number) => boolean;
  readonly #onRefusal: (network: string, refused: number) => void;
  readonly #nowMs: () => number;
  readonly #buckets = new Map<string, Bucket>();
  #noticedAtMs = -Infinity;
  #refused = 0;

  /** `onRefusal` gets a source that is over its limit and the number of all refusals, at most once in ten seconds. */
  constructor(
    limits: SourceLimits,
    onRefusal: (network: string, refused: number) => void = () => undefined,
    nowMs: () => number = () => performance.now(),
  ) {
    this.#limits = limits;
    this.#onRefusal = onRefusal;
    this.#nowMs = nowMs;
    this.#isTrusted =
      limits.trustedProxies.length === 0 ? () => false : proxyAddress.compile([...limits.trustedProxies]);
  }

  get refused(): number {
    return this.#refused;
  }

  /** The network of whoever made a request. */
  sourceOf(request: IncomingMessage): string {
    // A socket that is gone has none.
    if (request.socket.remoteAddress === undefined) return "";
    return networkOf(proxyAddress(request, this.#isTrusted));
  }

  /** Counts one call. Throws HttpProblem 429, which says when the next one is answered. */
  take(source: string): void {
    const { callsPerMinute: rate } = this.#limits;
    const config = { kind: "token bucket" as const, rate, period: MINUTE_MS, capacity: rate };
    const nowMs = this.#nowMs();
    const { value, ts, retryAfter } = calculateRateLimit(this.#buckets.get(source) ?? null, config, nowMs, 1);
    if (retryAfter === undefined) {
      this.#remember(source, { value, ts });
      return;
    }
    this.#refused += 1;
    if (nowMs - this.#noticedAtMs >= NOTICE_INTERVAL_MS) {
      this.#noticedAtMs = nowMs;
      this.#onRefusal(source, this.#refused);
    }
    throw new HttpProblem(429, "TooManyRequests", "too many calls without a valid token; try again later", {
      "retry-after": String(Math.ceil(retryAfter / 1000)),
    });
  }

  /** Puts a call back that was taken, and that does not count after all. */
  giveBack(source: string): void {
    const bucket = this.#buckets.get(source);
    if (bucket === undefined) return;
    this.#buckets.set(source, {
      ...bucket,
      value: Math.min(bucket.value + 1, this.#limits.callsPerMinute),
    });
  }

  #remember(source: string, bucket: Bucket): void {
    this.#buckets.delete(source);
    this.#buckets.set(source, bucket);
    if (this.#buckets.size <= SOURCES_MAX) return;
    const [oldest] = this.#buckets.keys();
    if (oldest !== undefined) this.#buckets.delete(oldest);
  }
}
