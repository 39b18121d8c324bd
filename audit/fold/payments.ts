/** Payments and the account at the provider, from their events, as docs/payments.md tells their tables. */
import { bornWith, idOf, numberOf, present, textOf, truthOf } from "./event.ts";
import type { LedgerEvent, Provenance } from "./event.ts";
import { existing } from "./people.ts";

interface RefundRequest {
  readonly refundId: string;
  readonly amountMinor: number;
  readonly reason: string;
  readonly requestedBy: string;
  readonly needsApproval: boolean;
  readonly status: string;
  readonly providerRefundId: string | null;
}

interface ProviderRefund {
  readonly providerRefundId: string;
  readonly amountMinor: number;
  readonly status: "pending" | "succeeded" | "failed";
}

interface Dispute {
  readonly disputeId: string;
  readonly occurredAt: number;
  readonly amountMinor: number;
  readonly currency: string;
  readonly status: string;
  readonly reason: string;
  readonly closed: boolean;
  readonly fundsWithdrawn: boolean;
  readonly fundsReinstated: boolean;
}

export interface PaymentRow extends Provenance {
  readonly paymentId: string;
  readonly bookingId: string;
  readonly purpose: string;
  readonly method: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly account: string | null;
  readonly status: string;
  readonly cancelRequested: boolean;
  readonly paymentIntentId: string | null;
  readonly checkoutSessionId: string | null;
  readonly attemptAt: number;
  readonly refundRequests: readonly RefundRequest[];
  readonly providerRefunds: readonly ProviderRefund[];
  readonly disputes: readonly Dispute[];
}

export interface StripeAccountRow extends Provenance {
  readonly linked: { readonly account: string; readonly livemode: boolean; readonly linkedAt: number } | null;
  readonly pending: {
    readonly linkId: string;
    readonly userId: string;
    readonly status: "begun" | "returned";
    readonly expiresAt: number;
  } | null;
}

/** From the beginning of a link until the owner is back. */
const LINK_LIFETIME_MS = 600_000;

function requested(event: LedgerEvent): PaymentRow {
  return {
    paymentId: idOf(event),
    bookingId: textOf(event, "bookingId"),
    purpose: textOf(event, "purpose"),
    method: textOf(event, "method"),
    amountMinor: numberOf(event, "amountMinor"),
    currency: textOf(event, "currency"),
    account: present(event, "account", textOf).account ?? null,
    status: "requested",
    cancelRequested: false,
    paymentIntentId: null,
    checkoutSessionId: null,
    attemptAt: 0,
    refundRequests: [],
    providerRefunds: [],
    disputes: [],
    ...bornWith(event),
  };
}

/** The provider's ids are learnt once. */
function informed(row: PaymentRow, event: LedgerEvent): PaymentRow {
  const { paymentIntentId = null } = present(event, "paymentIntentId", textOf);
  const { checkoutSessionId = null } = present(event, "checkoutSessionId", textOf);
  return {
    ...row,
    paymentIntentId: row.paymentIntentId ?? paymentIntentId,
    checkoutSessionId: row.checkoutSessionId ?? checkoutSessionId,
  };
}

/** Word of an attempt: by the provider's time, of two at once the failure. What is over stays over. */
function attempted(row: PaymentRow, event: LedgerEvent, status: "processing" | "failed"): PaymentRow {
  const at = numberOf(event, "occurredAt");
  const isOver = row.status === "paid" || row.status === "cancelled";
  const isNewer = at > row.attemptAt;
  const failsAtOnce = at === row.attemptAt && status === "failed" && row.status === "processing";
  return !isOver && (isNewer || failsAtOnce) ? { ...row, status, attemptAt: at } : row;
}

const BEFORE_CREATION = new Set(["requested", "creation_unknown", "creation_failed"]);

function afterStatus(row: PaymentRow, event: LedgerEvent): PaymentRow | undefined {
  switch (event.type) {
    case "payment.created": {
      const known = informed(row, event);
      return BEFORE_CREATION.has(row.status) ? { ...known, status: "awaiting_payment" } : known;
    }
    case "payment.creationUnknown":
      return row.status === "requested" ? { ...row, status: "creation_unknown" } : row;
    case "payment.creationFailed":
      return BEFORE_CREATION.has(row.status) ? { ...row, status: "creation_failed" } : row;
    case "payment.cancelled": {
      const known = informed(row, event);
      return row.status === "paid" ? known : { ...known, status: "cancelled", attemptAt: 0 };
    }
    case "payment.processing":
      return attempted(informed(row, event), event, "processing");
    case "payment.failed":
      return attempted(informed(row, event), event, "failed");
    case "payment.confirmed":
      return { ...informed(row, event), status: "paid", attemptAt: 0 };
    default:
      return undefined;
  }
}

const REQUEST_STATUS: Readonly<Record<string, string>> = {
  "payment.refundApproved": "submitting",
  "payment.refundDeclined": "declined",
  "payment.refundSubmitted": "submitted",
  "payment.refundUnknown": "unknown",
  "payment.refundNotSubmitted": "not_submitted",
};

function afterRequest(requests: PaymentRow["refundRequests"], event: LedgerEvent): readonly RefundRequest[] {
  const refundId = textOf(event, "refundId");
  if (event.type === "payment.refundRequested") {
    const needsApproval = truthOf(event, "needsApproval");
    const request = {
      refundId,
      amountMinor: numberOf(event, "amountMinor"),
      reason: textOf(event, "reason"),
      requestedBy: event.actor.id,
      needsApproval,
      status: needsApproval ? "awaiting_approval" : "submitting",
      providerRefundId: null,
    };
    return [...requests, request];
  }
  const status = REQUEST_STATUS[event.type] ?? "";
  const submitted =
    event.type === "payment.refundSubmitted" ? { providerRefundId: textOf(event, "providerRefundId") } : {};
  return requests.map((each) => (each.refundId === refundId ? { ...each, status, ...submitted } : each));
}

/** From the weakest word of the provider to the strongest. */
const OUTCOMES = ["pending", "succeeded", "failed"] as const;
const OUTCOME_OF: Readonly<Record<string, ProviderRefund["status"]>> = {
  "payment.refundPending": "pending",
  "payment.refunded": "succeeded",
  "payment.refundFailed": "failed",
};

function afterRefund(
  refunds: PaymentRow["providerRefunds"],
  event: LedgerEvent,
  status: ProviderRefund["status"],
): readonly ProviderRefund[] {
  const providerRefundId = textOf(event, "providerRefundId");
  const isKnown = refunds.some((each) => each.providerRefundId === providerRefundId);
  if (!isKnown)
    return [...refunds, { providerRefundId, amountMinor: numberOf(event, "amountMinor"), status }];
  return refunds.map((each) => {
    const isStronger = OUTCOMES.indexOf(status) > OUTCOMES.indexOf(each.status);
    return each.providerRefundId === providerRefundId && isStronger ? { ...each, status } : each;
  });
}

/** Whether the first of two words about one dispute counts: closed, else later, else the greater text. */
function counts(one: Dispute, other: Dispute): boolean {
  const text = ({ status, reason, currency, amountMinor }: Dispute) =>
    [status, reason, currency, amountMinor].join(" ");
  if (one.closed !== other.closed) return one.closed;
  if (one.occurredAt !== other.occurredAt) return one.occurredAt > other.occurredAt;
  return text(one) > text(other);
}

function afterDispute(disputes: PaymentRow["disputes"], event: LedgerEvent): readonly Dispute[] {
  const told: Dispute = {
    disputeId: textOf(event, "disputeId"),
    occurredAt: numberOf(event, "occurredAt"),
    amountMinor: numberOf(event, "amountMinor"),
    currency: textOf(event, "currency"),
    status: textOf(event, "status"),
    reason: textOf(event, "reason"),
    closed: event.type === "payment.disputeClosed",
    fundsWithdrawn: event.type === "payment.disputeFundsWithdrawn",
    fundsReinstated: event.type === "payment.disputeFundsReinstated",
  };
  if (!disputes.some(({ disputeId }) => disputeId === told.disputeId)) return [...disputes, told];
  return disputes.map((known) =>
    known.disputeId === told.disputeId
      ? {
          ...(counts(told, known) ? told : known),
          fundsWithdrawn: known.fundsWithdrawn || told.fundsWithdrawn,
          fundsReinstated: known.fundsReinstated || told.fundsReinstated,
        }
      : known,
  );
}

export function foldPayment(row: PaymentRow | undefined, event: LedgerEvent): PaymentRow {
  if (event.type === "payment.requested") return requested(event);
  const known = { ...existing(row, event), version: event.streamVersion };
  if (event.type === "payment.cancelRequested") return { ...known, cancelRequested: true };
  const moved = afterStatus(known, event);
  if (moved !== undefined) return moved;
  if (event.type.startsWith("payment.dispute")) {
    return { ...known, disputes: afterDispute(known.disputes, event) };
  }
  const outcome = OUTCOME_OF[event.type];
  return outcome === undefined
    ? { ...known, refundRequests: afterRequest(known.refundRequests, event) }
    : { ...known, providerRefunds: afterRefund(known.providerRefunds, event, outcome) };
}

export function foldStripeAccount(row: StripeAccountRow | undefined, event: LedgerEvent): StripeAccountRow {
  if (event.type === "stripeAccount.linkBegun") {
    const pending = {
      linkId: textOf(event, "linkId"),
      userId: event.actor.id,
      status: "begun" as const,
      expiresAt: event.recordedAt + LINK_LIFETIME_MS,
    };
    const founded = row ?? { linked: null, ...bornWith(event) };
    return { ...founded, pending, version: event.streamVersion };
  }
  const known = { ...existing(row, event), version: event.streamVersion };
  switch (event.type) {
    case "stripeAccount.linkReturned":
      return { ...known, pending: known.pending && { ...known.pending, status: "returned" } };
    case "stripeAccount.linked": {
      const linked = {
        account: textOf(event, "account"),
        livemode: truthOf(event, "livemode"),
        linkedAt: event.recordedAt,
      };
      return { ...known, linked, pending: null };
    }
    case "stripeAccount.unlinked":
      return { ...known, linked: null };
    default:
      return { ...known, pending: null };
  }
}
