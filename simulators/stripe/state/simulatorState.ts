/** Everything the simulator remembers: what it would lose in a restart without a file. */
import type Stripe from "stripe";
import type { CardBehaviour } from "../payments/magicCards.ts";
import type { DeliveryAlteration } from "../events/alterations.ts";

/** A payment method that was used, and how its card behaves. */
export interface KeptPaymentMethod {
  readonly object: Stripe.PaymentMethod;
  readonly behaviour: CardBehaviour;
}

/** What a Checkout Session makes its PaymentIntent of. */
export interface CheckoutIntentData {
  readonly captureMethod: "automatic" | "automatic_async" | "manual";
  readonly description: string | null;
  readonly metadata: Stripe.Metadata;
}

/** One account and all it owns; maps keep the order of creation. */
export interface AccountBook {
  readonly account: Stripe.Account;
  /** The platform itself is connected; a connected account until it is deauthorised. */
  connected: boolean;
  readonly paymentIntents: Map<string, Stripe.PaymentIntent>;
  readonly paymentMethods: Map<string, KeptPaymentMethod>;
  readonly charges: Map<string, Stripe.Charge>;
  readonly refunds: Map<string, Stripe.Refund>;
  readonly disputes: Map<string, Stripe.Dispute>;
  readonly balanceTransactions: Map<string, Stripe.BalanceTransaction>;
  readonly sessions: Map<string, Stripe.Checkout.Session>;
  readonly checkoutIntentData: Map<string, CheckoutIntentData>;
  readonly events: Map<string, Stripe.Event>;
}

/** The saved answer of an idempotent request. */
export interface IdempotentAnswer {
  readonly fingerprint: string;
  readonly endpoint: string;
  readonly startedMs: number;
  readonly requestId: string;
  readonly status: number;
  readonly body: string;
}

export interface DeliveryAttempt {
  readonly atMs: number;
  /** The endpoint's HTTP status, or why there was none. */
  readonly outcome: number | string;
}

/** One event on its way to one endpoint. */
export interface Delivery {
  readonly id: string;
  readonly eventId: string;
  readonly accountId: string;
  readonly endpointId: string;
  /** `held` waits to be released in another order; `dropped` was never sent. */
  status: "pending" | "held" | "succeeded" | "failed" | "dropped";
  readonly alterations: DeliveryAlteration[];
  readonly attempts: DeliveryAttempt[];
  nextAttemptMs: number;
}

/** Something that happens by itself later. */
export type ScheduledStep =
  | {
      readonly dueMs: number;
      readonly accountId: string;
      readonly kind: "expire_session";
      readonly id: string;
    }
  | { readonly dueMs: number; readonly accountId: string; readonly kind: "open_dispute"; readonly id: string }
  | {
      readonly dueMs: number;
      readonly accountId: string;
      readonly kind: "settle_refund";
      readonly id: string;
      readonly outcome: "succeed" | "fail";
    };

export interface OAuthCode {
  readonly accountId: string;
  readonly expiresMs: number;
  readonly scope: "read_write" | "read_only";
  isUsed: boolean;
}

export interface SimulatorState {
  readonly platformAccountId: string;
  readonly accounts: Map<string, AccountBook>;
  /** Access tokens of connected accounts (OAuth), which are secret keys of theirs. */
  readonly accessTokens: Map<string, string>;
  readonly refreshTokens: Map<string, string>;
  readonly oauthCodes: Map<string, OAuthCode>;
  readonly idempotentAnswers: Map<string, IdempotentAnswer>;
  /** In the order of sending. */
  deliveries: Delivery[];
  steps: ScheduledStep[];
}

/** The book of a new account. */
export function emptyBook(account: Stripe.Account): AccountBook {
  return {
    account,
    connected: true,
    paymentIntents: new Map(),
    paymentMethods: new Map(),
    charges: new Map(),
    refunds: new Map(),
    disputes: new Map(),
    balanceTransactions: new Map(),
    sessions: new Map(),
    checkoutIntentData: new Map(),
    events: new Map(),
  };
}

/** The state of a simulator that nobody called yet. */
export function emptyState(platform: Stripe.Account): SimulatorState {
  return {
    platformAccountId: platform.id,
    accounts: new Map([[platform.id, emptyBook(platform)]]),
    accessTokens: new Map(),
    refreshTokens: new Map(),
    oauthCodes: new Map(),
    idempotentAnswers: new Map(),
    deliveries: [],
    steps: [],
  };
}
