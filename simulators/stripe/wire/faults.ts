/** Faults of API calls, for the next calls that fit: what networks and servers do to callers. */

/**
 * - `drop_before`: the connection is cut and nothing was done; `drop_after`: it was done, and the answer is lost.
 * - `error`: 500 and nothing was done; `error_after`: it was done, answered 500, and the key repeats the 500.
 * - `rate_limited`: 429 with `Retry-After`; `conflict`: 409 lock_timeout. Nothing was done.
 * - `slow`: done at once, answered `delayMs` later; the key is in use meanwhile.
 * - `truncated`: done, the answer breaks off in the middle; `bad_json`: done, the answer is no JSON.
 */
export const FAULT_KINDS = [
  "drop_before",
  "drop_after",
  "error",
  "error_after",
  "rate_limited",
  "conflict",
  "slow",
  "truncated",
  "bad_json",
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Fault {
  readonly kind: FaultKind;
  /** Calls it still meets. */
  times: number;
  /** Meets every method when absent. */
  readonly method?: string;
  /** A path, `*` standing for one part of it: `/v1/disputes/*`. Meets every path when absent. */
  readonly path?: string;
  /** Of `slow`. */
  readonly delayMs?: number;
  /** `Retry-After` of `rate_limited`. */
  readonly retryAfterS?: number;
  /** `Stripe-Should-Retry` of the answers that have a status of their own. */
  readonly shouldRetry?: boolean;
}

export interface Faults {
  add(fault: Fault): void;
  list(): readonly Fault[];
  clear(): void;
  /** The first fault that meets this call, which counts it. */
  take(method: string, path: string): Fault | undefined;
}

function fits(pattern: string | undefined, path: string): boolean {
  if (pattern === undefined) return true;
  const [wanted, given] = [pattern.split("/"), path.split("/")];
  return (
    wanted.length === given.length && wanted.every((part, index) => part === "*" || part === given[index])
  );
}

/** No fault at first; they are not kept over a restart. */
export function createFaults(): Faults {
  let faults: Fault[] = [];
  return {
    add(fault) {
      faults.push(fault);
    },
    list: () => faults,
    clear() {
      faults = [];
    },
    take(method, path) {
      const met = faults.find((fault) => (fault.method ?? method) === method && fits(fault.path, path));
      if (met === undefined) return undefined;
      met.times -= 1;
      faults = faults.filter(({ times }) => times > 0);
      return met;
    },
  };
}
