/** One unit of work on one account: what a request, a switch or a scheduled step may touch. */
import type { IdSource } from "./ids.ts";
import type { AccountBook, ScheduledStep, SimulatorState } from "./simulatorState.ts";
import type { DeliverySettings } from "../events/deliverySettings.ts";

export interface Work {
  readonly state: SimulatorState;
  readonly book: AccountBook;
  readonly ids: IdSource;
  readonly nowMs: number;
  /** Seconds since the epoch, as Stripe tells time. */
  readonly nowS: number;
  /** Who caused it, as events tell; both null when nobody called. */
  readonly request: { readonly id: string | null; readonly idempotencyKey: string | null };
  readonly settings: WorkSettings;
}

export interface WorkSettings extends DeliverySettings {
  readonly apiVersion: string;
  /** Where the simulator listens, for links to its page. */
  url(): string;
  /** How long magic cards take to settle a refund or to dispute. */
  readonly settleDelayMs: number;
}

/** Has something happen later, after the answer. */
export function later(work: Work, step: ScheduledStep): void {
  work.state.steps.push(step);
}
