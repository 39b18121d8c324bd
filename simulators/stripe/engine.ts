/** The running simulator without its HTTP: state, time, deliveries, and the steps that come by themselves. */
import { createDeliveryQueue } from "./events/deliveryQueue.ts";
import type { DeliveryQueue } from "./events/deliveryQueue.ts";
import type { WebhookEndpoint } from "./events/deliverySettings.ts";
import { createDeliverySwitches } from "./events/deliverySwitches.ts";
import type { SimulatorClock } from "./state/clock.ts";
import type { IdSource } from "./state/ids.ts";
import type { AccountBook, SimulatorState } from "./state/simulatorState.ts";
import type { StateWriter } from "./state/stateFile.ts";
import { runStep } from "./state/steps.ts";
import type { Work, WorkSettings } from "./state/work.ts";
import { createFaults } from "./wire/faults.ts";
import type { Faults } from "./wire/faults.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
/** Stripe's API gives events of the last 30 days. */
const EVENTS_KEPT_MS = 30 * DAY_MS;

export interface EngineOptions {
  readonly state: SimulatorState;
  readonly clock: SimulatorClock;
  readonly ids: IdSource;
  readonly writer: StateWriter;
  readonly apiKeys: ReadonlySet<string>;
  readonly oauth: { readonly clientId: string; readonly redirectUris: readonly string[] };
  readonly apiVersion: string;
  readonly settleDelayMs: number;
  readonly retryDelaysMs: readonly number[];
  readonly deliveryTimeoutMs: number;
  endpoints(): ReadonlyMap<string, WebhookEndpoint>;
  url(): string;
  /** Told what went wrong where nobody waits for an answer. */
  readonly onError: (error: unknown) => void;
}

export interface Engine extends Omit<EngineOptions, "writer"> {
  /** Idempotency keys whose first request is not answered yet. */
  readonly runningKeys: Set<string>;
  readonly faults: Faults;
  readonly settings: WorkSettings;
  readonly queue: DeliveryQueue;
  /** A unit of work on an account that exists; `request` when an API call causes it. */
  work(accountId: string, request?: Work["request"]): Work;
  /** Keeps what was done, then sends what it made due. */
  commit(): Promise<void>;
  /** Resolves when what was committed before is kept: what a read shows outlives a crash. */
  settled(): Promise<void>;
  /** Stops time and deliveries, and keeps the state. */
  close(): Promise<void>;
}

function pruneEvents(book: AccountBook, nowMs: number): void {
  for (const [id, { created }] of book.events) {
    if (created * 1000 + EVENTS_KEPT_MS > nowMs) return;
    book.events.delete(id);
  }
}

/** Goes on with what the state holds; nothing is sent before the first commit. */
export function createEngine({ writer, ...options }: EngineOptions): Engine {
  const { state, clock, ids } = options;
  const switches = createDeliverySwitches();
  const settings: WorkSettings = { ...options, switches };
  const queue = createDeliveryQueue({
    state,
    clock,
    retryDelaysMs: options.retryDelaysMs,
    timeoutMs: options.deliveryTimeoutMs,
    endpoints: () => options.endpoints(),
    save: () => writer.save(),
    onError: options.onError,
  });
  let cancelTimer = () => {};
  let isClosed = false;

  function work(accountId: string, request: Work["request"] = { id: null, idempotencyKey: null }): Work {
    const book = state.accounts.get(accountId);
    if (book === undefined) throw new Error(`There is no account ${accountId}.`);
    const nowMs = clock.nowMs();
    return { state, book, ids, nowMs, nowS: Math.floor(nowMs / 1000), request, settings };
  }

  function runDueSteps(): void {
    const nowMs = clock.nowMs();
    const due = state.steps.filter(({ dueMs }) => dueMs <= nowMs);
    state.steps = state.steps.filter(({ dueMs }) => dueMs > nowMs);
    for (const step of due.sort((a, b) => a.dueMs - b.dueMs)) runStep(work(step.accountId), step);
  }

  async function commit(): Promise<void> {
    if (isClosed) return;
    runDueSteps();
    for (const book of state.accounts.values()) pruneEvents(book, clock.nowMs());
    cancelTimer();
    const next = Math.min(...state.steps.map(({ dueMs }) => dueMs));
    if (next !== Infinity) {
      cancelTimer = clock.schedule(next - clock.nowMs(), () => {
        commit().catch(options.onError);
      });
    }
    await writer.save();
    queue.kick();
  }

  return {
    ...options,
    runningKeys: new Set(),
    faults: createFaults(),
    settings,
    queue,
    work,
    commit,
    settled: () => writer.settled(),
    async close() {
      isClosed = true;
      cancelTimer();
      await queue.close();
      await writer.save();
    },
  };
}
