/**
 * Refunds of one payment: what was asked for here, and what the provider says. A refund at the provider is known by
 * the provider's id and counts once, with its latest status: pending, then succeeded, and failed above both, because a
 * refund that succeeded may still come back. Whatever order the deliveries come in, the same is left.
 *
 * A request holds its amount until the provider tells of its refund, or until it ended; from then on the provider's
 * word counts in its place.
 */
import type { NewEvent } from "../events/catalogue/catalogue.ts";
import type { REFUND_REASONS } from "../events/catalogue/payment.ts";

export type RefundReason = (typeof REFUND_REASONS)[number];

/** How a request stands until the provider tells of its refund. */
export type RefundRequestStatus =
  "awaiting_approval" | "submitting" | "unknown" | "submitted" | "declined" | "not_submitted";

export type RefundRequest = {
  refundId: string;
  amountMinor: number;
  reason: RefundReason;
  /** The user who asked for it: never the one who approves it. */
  requestedBy: string;
  needsApproval: boolean;
  status: RefundRequestStatus;
  /** The refund at the provider that came of it. */
  providerRefundId: string | null;
};

export type ProviderRefundOutcome = "pending" | "succeeded" | "failed";

export type ProviderRefund = {
  providerRefundId: string;
  amountMinor: number;
  status: ProviderRefundOutcome;
};

export type Refunds = {
  refundRequests: readonly RefundRequest[];
  providerRefunds: readonly ProviderRefund[];
};

/** Most requests of one payment, ended ones included. */
export const REFUND_REQUESTS_MAX = 100;
/** Most refunds that the provider may tell of one payment. */
export const PROVIDER_REFUNDS_MAX = 500;

const RANK: Record<ProviderRefundOutcome, number> = { pending: 0, succeeded: 1, failed: 2 };

const OUTCOME_OF = {
  "payment.refundPending": "pending",
  "payment.refunded": "succeeded",
  "payment.refundFailed": "failed",
} as const satisfies Partial<Record<NewEvent["type"], ProviderRefundOutcome>>;

/** The events that tell of a refund at the provider. */
export type ProviderRefundEvent = keyof typeof OUTCOME_OF;

export function outcomeOfRefundEvent(type: ProviderRefundEvent): ProviderRefundOutcome {
  return OUTCOME_OF[type];
}

/** The refunds at the provider after its word about one of them; the same list when nothing is new. */
export function afterProviderRefund(
  refunds: readonly ProviderRefund[],
  told: ProviderRefund,
): readonly ProviderRefund[] {
  const known = refunds.find(({ providerRefundId }) => providerRefundId === told.providerRefundId);
  if (known === undefined) return [...refunds, told];
  if (RANK[told.status] <= RANK[known.status]) return refunds;
  return refunds.map((refund) => (refund === known ? { ...refund, status: told.status } : refund));
}

/** The requests after one of them changed. */
export function withRequest(
  requests: readonly RefundRequest[],
  refundId: string,
  change: Partial<Pick<RefundRequest, "status" | "providerRefundId">>,
): readonly RefundRequest[] {
  return requests.map((request) => (request.refundId === refundId ? { ...request, ...change } : request));
}

export function findRequest({ refundRequests }: Refunds, refundId: string): RefundRequest | undefined {
  return refundRequests.find((request) => request.refundId === refundId);
}

/** The refund at the provider that a request led to, once the provider told of it. */
export function providerRefundOf(
  { providerRefunds }: Refunds,
  { providerRefundId }: RefundRequest,
): ProviderRefund | undefined {
  if (providerRefundId === null) return undefined;
  return providerRefunds.find((refund) => refund.providerRefundId === providerRefundId);
}

function holdsAmount(refunds: Refunds, request: RefundRequest): boolean {
  if (request.status === "declined" || request.status === "not_submitted") return false;
  return providerRefundOf(refunds, request) === undefined;
}

function sum(amounts: readonly { amountMinor: number }[]): number {
  return amounts.reduce((total, { amountMinor }) => total + amountMinor, 0);
}

/** What the provider has paid back. */
export function refundedMinor({ providerRefunds }: Refunds): number {
  return sum(providerRefunds.filter(({ status }) => status === "succeeded"));
}

/** What the provider has paid back or is paying back. */
export function providerRefundedMinor({ providerRefunds }: Refunds): number {
  return sum(providerRefunds.filter(({ status }) => status !== "failed"));
}

/** What is being paid back, or has been asked for. */
export function refundPendingMinor(refunds: Refunds): number {
  return committedMinor(refunds) - refundedMinor(refunds);
}

/** What was paid back, is being paid back, or has been asked for. */
export function committedMinor(refunds: Refunds): number {
  const held = refunds.refundRequests.filter((request) => holdsAmount(refunds, request));
  return providerRefundedMinor(refunds) + sum(held);
}
