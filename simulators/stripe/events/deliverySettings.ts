/** What deliveries need to know of the endpoints and of the switches that are set. */
import type { DeliverySwitches } from "./deliverySwitches.ts";

/** Where signed events go. */
export interface WebhookEndpoint {
  /** A loopback URL. */
  readonly url: string;
  /** `whsec_…`; several while the secret rotates: each signs. */
  readonly secrets: readonly string[];
  /**
   * Whose events: the platform's own (`account`), those of connected accounts (`connect`), or `all` (default).
   * Stripe has the first two; `all` is for deployments with one URL and one secret.
   */
  readonly scope?: "account" | "connect" | "all";
  /** Types to send; all when absent. */
  readonly events?: readonly string[];
}

export interface DeliverySettings {
  endpoints(): ReadonlyMap<string, WebhookEndpoint>;
  readonly switches: DeliverySwitches;
}
