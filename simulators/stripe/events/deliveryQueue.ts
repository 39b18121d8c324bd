/**
 * Sends signed events. Each endpoint has a lane: one delivery at a time, in the order in which events happened. What
 * fails is tried again later, signed anew with the time of that attempt, while the lane goes on.
 */
import type Stripe from "stripe";
import type { SimulatorClock } from "../state/clock.ts";
import type { Delivery, SimulatorState } from "../state/simulatorState.ts";
import { alteredBody, tamperedBody } from "./alterations.ts";
import type { WebhookEndpoint } from "./deliverySettings.ts";
import { signatureHeader } from "./signature.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Waits after the first, second … failed attempt: about three days in all, as Stripe retries. */
export const RETRY_DELAYS_MS: readonly number[] = [
  5_000,
  MINUTE_MS,
  5 * MINUTE_MS,
  30 * MINUTE_MS,
  2 * HOUR_MS,
  5 * HOUR_MS,
  10 * HOUR_MS,
  14 * HOUR_MS,
  20 * HOUR_MS,
  20 * HOUR_MS,
];

const FINISHED_KEPT = 2000;

export interface DeliveryQueueOptions {
  readonly state: SimulatorState;
  readonly clock: SimulatorClock;
  readonly retryDelaysMs: readonly number[];
  /** How long an endpoint may take, in milliseconds. */
  readonly timeoutMs: number;
  endpoints(): ReadonlyMap<string, WebhookEndpoint>;
  save(): Promise<void>;
  /** Told when the state could not be kept; the delivery counts as sent. */
  readonly onError: (error: unknown) => void;
}

export interface DeliveryQueue {
  /** Looks for what is due; call it after every change. */
  kick(): void;
  /** Resolves when nothing is being sent and nothing is due. */
  settled(): Promise<void>;
  /** Makes every pending delivery due; gives how many there are. */
  retryNow(): number;
  /** Sends an event again to its endpoints, once more and as it was; gives how many deliveries that makes. */
  resend(eventId: string): number;
  /** Stops sending and waits for what is on its way. */
  close(): Promise<void>;
}

/** The text and header of an attempt. */
function signedRequest(
  event: Stripe.Event,
  delivery: Delivery,
  endpoint: WebhookEndpoint,
  nowMs: number,
  pending: number,
): { body: string; header: string } {
  const body = alteredBody({ ...event, pending_webhooks: pending }, delivery.alterations);
  const isForged = delivery.alterations.some(({ kind }) => kind === "wrong_secret");
  const secrets = isForged ? ["whsec_ofSomebodyElse0000000000000000"] : endpoint.secrets;
  const secondsAgo = delivery.alterations.reduce(
    (sum, alteration) => sum + (alteration.kind === "signed_ago" ? alteration.seconds : 0),
    0,
  );
  const timeS = Math.floor(nowMs / 1000) - secondsAgo;
  return { body: tamperedBody(body, delivery.alterations), header: signatureHeader(body, secrets, timeS) };
}

async function post(
  url: string,
  { body, header }: { body: string; header: string },
  timeoutMs: number,
): Promise<number | string> {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/json; charset=utf-8",
        "user-agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        "stripe-signature": header,
      },
      body,
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
    });
    await response.body?.cancel();
    return response.status;
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return cause instanceof Error ? cause.message : "no answer";
  }
}

const isSuccess = (outcome: number | string) =>
  typeof outcome === "number" && outcome >= 200 && outcome < 300;

function prune(state: SimulatorState): void {
  const isOpen = ({ status }: Delivery) => status === "pending" || status === "held";
  const surplus = state.deliveries.filter((delivery) => !isOpen(delivery)).length - FINISHED_KEPT;
  if (surplus <= 0) return;
  let removed = 0;
  state.deliveries = state.deliveries.filter((delivery) => isOpen(delivery) || (removed += 1) > surplus);
}

const pendingEndpoints = (state: SimulatorState, eventId: string): number =>
  new Set(
    state.deliveries
      .filter(({ status }) => status === "pending" || status === "held")
      .filter((delivery) => delivery.eventId === eventId)
      .map(({ endpointId }) => endpointId),
  ).size;

/** Sends a delivery once, and decides what becomes of it. */
async function attempt(options: DeliveryQueueOptions, delivery: Delivery): Promise<void> {
  const { state, clock } = options;
  const atMs = clock.nowMs();
  const event = state.accounts.get(delivery.accountId)?.events.get(delivery.eventId);
  const endpoint = options.endpoints().get(delivery.endpointId);
  if (event === undefined || endpoint === undefined) {
    delivery.status = "failed";
    delivery.attempts.push({ atMs, outcome: "the endpoint or the event is gone" });
    return;
  }
  let outcome: number | string;
  try {
    const signed = signedRequest(event, delivery, endpoint, atMs, pendingEndpoints(state, event.id));
    outcome = await post(endpoint.url, signed, options.timeoutMs);
  } catch (error) {
    outcome = error instanceof Error ? error.message : String(error);
  }
  delivery.attempts.push({ atMs, outcome });
  const waitMs = options.retryDelaysMs[delivery.attempts.length - 1];
  if (isSuccess(outcome)) delivery.status = "succeeded";
  else if (waitMs === undefined) delivery.status = "failed";
  else delivery.nextAttemptMs = clock.nowMs() + waitMs;
}

const pendingDeliveries = (state: SimulatorState) =>
  state.deliveries.filter(({ status }) => status === "pending");

/** Makes the newest delivery of an event to each of its endpoints pending again, without its alterations. */
function makePending(state: SimulatorState, eventId: string, nowMs: number): number {
  const sent = state.deliveries.filter((delivery) => delivery.eventId === eventId);
  const last = new Map(sent.map((delivery) => [delivery.endpointId, delivery]));
  for (const delivery of last.values()) {
    delivery.status = "pending";
    delivery.alterations.length = 0;
    delivery.nextAttemptMs = nowMs;
  }
  return last.size;
}

/** Starts with what the state holds, so that a restart goes on where the run before it stopped. */
export function createDeliveryQueue(options: DeliveryQueueOptions): DeliveryQueue {
  const { state, clock } = options;
  const lanes = new Map<string, Promise<void>>();
  let cancelTimer = () => {};
  let isClosed = false;

  const due = (endpointId: string) =>
    pendingDeliveries(state).find(
      (delivery) => delivery.endpointId === endpointId && delivery.nextAttemptMs <= clock.nowMs(),
    );

  async function runLane(endpointId: string): Promise<void> {
    for (let next = due(endpointId); next !== undefined && !isClosed; next = due(endpointId)) {
      await attempt(options, next);
      prune(state);
      await options.save();
    }
  }

  function kick(): void {
    if (isClosed) return;
    const waiting = pendingDeliveries(state);
    for (const endpointId of new Set(waiting.map((delivery) => delivery.endpointId))) {
      if (lanes.has(endpointId) || due(endpointId) === undefined) continue;
      const lane = runLane(endpointId)
        .catch(options.onError)
        .finally(() => {
          lanes.delete(endpointId);
          kick();
        });
      lanes.set(endpointId, lane);
    }
    cancelTimer();
    const nowMs = clock.nowMs();
    const next = Math.min(...waiting.map(({ nextAttemptMs }) => nextAttemptMs).filter((at) => at > nowMs));
    if (next !== Infinity) cancelTimer = clock.schedule(next - nowMs, kick);
  }

  return {
    kick,
    async settled() {
      while (lanes.size > 0) await Promise.all(lanes.values());
    },
    retryNow() {
      const waiting = pendingDeliveries(state);
      for (const delivery of waiting) delivery.nextAttemptMs = clock.nowMs();
      kick();
      return waiting.length;
    },
    resend(eventId) {
      const made = makePending(state, eventId, clock.nowMs());
      kick();
      return made;
    },
    async close() {
      isClosed = true;
      cancelTimer();
      await Promise.all(lanes.values());
    },
  };
}
