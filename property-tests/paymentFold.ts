/**
 * Payments and the account that takes them, folded from an exported ledger by the tables of docs/payments.md. Imports
 * nothing of the server.
 */
import type { LedgerEvent, Provenance } from "./fold.ts";

type PaymentStatus =
  | "requested"
  | "creation_unknown"
  | "creation_failed"
  | "awaiting_payment"
  | "processing"
  | "failed"
  | "paid"
  | "cancelled";

export type RefundRequest = {
  refundId: string;
  amountMinor: number;
  requestedBy: string;
  needsApproval: boolean;
  status: string;
  providerRefundId: string | undefined;
};

export type Moved = { amountMinor: number; status: "pending" | "succeeded" | "failed" };

type Word = {
  amountMinor: number;
  currency: string;
  status: string;
  reason: string;
  occurredAt: number;
  isClosed: boolean;
};
type DisputeRow = { word: Word; isWithdrawn: boolean; isReinstated: boolean };

export type PaymentRow = Provenance & {
  paymentId: string;
  bookingId: string;
  purpose: string;
  method: string;
  amountMinor: number;
  currency: string;
  account: string | undefined;
  status: PaymentStatus;
  cancelRequested: boolean;
  paymentIntentId: string | null;
  checkoutSessionId: string | null;
  attemptAt: number;
  requests: RefundRequest[];
  /** What the provider says of refunds, by its own ids. */
  moved: Map<string, Moved>;
  disputes: Map<string, DisputeRow>;
};

export type AccountRow = Provenance & {
  linked: { account: string; linkedAt: number } | undefined;
  pending: { linkId: string; userId: string; isReturned: boolean; expiresAt: number } | undefined;
};

const sum = (amounts: Iterable<number>): number => [...amounts].reduce((total, each) => total + each, 0);

export function isOpenPayment({ status }: Pick<PaymentRow, "status">): boolean {
  return ["requested", "creation_unknown", "awaiting_payment", "processing", "failed"].includes(status);
}

export function movedMinor({ moved }: PaymentRow): number {
  return sum([...moved.values()].filter((each) => each.status !== "failed").map((each) => each.amountMinor));
}

/** What went back, is on its way back or was asked for: a request counts until the provider tells of its refund. */
export function committedMinor(row: PaymentRow): number {
  const held = row.requests.filter(
    ({ status, providerRefundId = "" }) =>
      status !== "declined" && status !== "not_submitted" && !row.moved.has(providerRefundId),
  );
  return movedMinor(row) + sum(held.map(({ amountMinor }) => amountMinor));
}

/** Money in dispute is nobody's to give back, unless the dispute is won or is an inquiry without a withdrawal. */
export function disputedMinor({ disputes }: PaymentRow): number {
  const holding = [...disputes.values()].filter(({ word, isWithdrawn, isReinstated }) => {
    if (word.isClosed && ["won", "warning_closed", "prevented"].includes(word.status)) return false;
    return !word.status.startsWith("warning_") || (isWithdrawn && !isReinstated);
  });
  return sum(holding.map(({ word }) => word.amountMinor));
}

export function refundableMinor(row: PaymentRow): number {
  return (row.status === "paid" ? row.amountMinor : 0) - committedMinor(row) - disputedMinor(row);
}

/** Whether word of an attempt to pay changes anything: the later counts, of two at once the failed one. */
export function isAttemptNews(
  { status, attemptAt }: PaymentRow,
  told: "processing" | "failed",
  occurredAt: number,
): boolean {
  if (status === "paid" || status === "cancelled") return false;
  if (occurredAt !== attemptAt) return occurredAt > attemptAt;
  return told === "failed" && status === "processing";
}

const orderOf = ({ status, reason, currency, amountMinor }: Word): string =>
  `${status} ${reason} ${currency} ${amountMinor}`;

/** A dispute after one more word about it: closed is above all, then the later one, then a fixed order. */
export function afterWord(
  known: DisputeRow | undefined,
  type: string,
  told: Omit<Word, "isClosed">,
): DisputeRow {
  const word = { ...told, isClosed: type === "payment.disputeClosed" };
  const isWithdrawn = known?.isWithdrawn === true || type === "payment.disputeFundsWithdrawn";
  const isReinstated = known?.isReinstated === true || type === "payment.disputeFundsReinstated";
  if (known === undefined) return { word, isWithdrawn, isReinstated };
  const before = known.word;
  const isLater =
    word.isClosed !== before.isClosed
      ? word.isClosed
      : word.occurredAt !== before.occurredAt
        ? word.occurredAt > before.occurredAt
        : orderOf(word) > orderOf(before);
  return { word: isLater ? word : before, isWithdrawn, isReinstated };
}

type Ids = { paymentIntentId?: string; checkoutSessionId?: string };

function learnIds(row: PaymentRow, { paymentIntentId, checkoutSessionId }: Ids): void {
  row.paymentIntentId ??= paymentIntentId ?? null;
  row.checkoutSessionId ??= checkoutSessionId ?? null;
}

function setRequest(row: PaymentRow, event: LedgerEvent, status: string): void {
  const { refundId, providerRefundId } = event.data as { refundId: string; providerRefundId?: string };
  const request = row.requests.find((each) => each.refundId === refundId);
  if (request === undefined) throw new Error(`sequence ${event.seq}: ${event.type} of no refund`);
  request.status = status;
  request.providerRefundId ??= providerRefundId;
}

const REQUEST_STATUS: Readonly<Record<string, string>> = {
  "payment.refundApproved": "submitting",
  "payment.refundDeclined": "declined",
  "payment.refundUnknown": "unknown",
  "payment.refundNotSubmitted": "not_submitted",
  "payment.refundSubmitted": "submitted",
};

const MOVED_STATUS: Readonly<Record<string, Moved["status"]>> = {
  "payment.refundPending": "pending",
  "payment.refunded": "succeeded",
  "payment.refundFailed": "failed",
};
const MOVED_ORDER: readonly Moved["status"][] = ["pending", "succeeded", "failed"];

/** Whether a status of a refund at the provider is further on than what is known of it. */
export function isFurther(known: Moved | undefined, status: Moved["status"]): boolean {
  return known === undefined || MOVED_ORDER.indexOf(status) > MOVED_ORDER.indexOf(known.status);
}

function foldMoneyBack(row: PaymentRow, event: LedgerEvent): void {
  const { type } = event;
  const requestStatus = REQUEST_STATUS[type];
  const movedStatus = MOVED_STATUS[type];
  if (type === "payment.refundRequested") {
    const { refundId, amountMinor, needsApproval } = event.data as RefundRequest;
    const status = needsApproval ? "awaiting_approval" : "submitting";
    const requestedBy = event.actor.id;
    row.requests.push({
      refundId,
      amountMinor,
      requestedBy,
      needsApproval,
      status,
      providerRefundId: undefined,
    });
  } else if (requestStatus !== undefined) setRequest(row, event, requestStatus);
  else if (movedStatus !== undefined) {
    const { providerRefundId, amountMinor } = event.data as { providerRefundId: string; amountMinor: number };
    if (isFurther(row.moved.get(providerRefundId), movedStatus)) {
      row.moved.set(providerRefundId, { amountMinor, status: movedStatus });
    }
  } else {
    const { disputeId, ...told } = event.data as Omit<Word, "isClosed"> & { disputeId: string };
    row.disputes.set(disputeId, afterWord(row.disputes.get(disputeId), type, told));
  }
}

function foldAttempt(row: PaymentRow, event: LedgerEvent): void {
  const data = event.data as Ids & { occurredAt: number };
  learnIds(row, data);
  const told = event.type === "payment.failed" ? "failed" : "processing";
  if (!isAttemptNews(row, told, data.occurredAt)) return;
  row.status = told;
  row.attemptAt = data.occurredAt;
}

const CREATION_STATUS: Readonly<Record<string, PaymentStatus>> = {
  "payment.creationUnknown": "creation_unknown",
  "payment.creationFailed": "creation_failed",
};

function foldKnown(row: PaymentRow, event: LedgerEvent): void {
  const data = event.data as Ids;
  switch (event.type) {
    case "payment.created":
      learnIds(row, data);
      if (["requested", "creation_unknown", "creation_failed"].includes(row.status)) {
        row.status = "awaiting_payment";
      }
      return;
    case "payment.cancelRequested":
      row.cancelRequested = true;
      return;
    case "payment.cancelled":
      learnIds(row, data);
      if (row.status !== "paid") row.status = "cancelled";
      return;
    case "payment.processing":
    case "payment.failed":
      foldAttempt(row, event);
      return;
    case "payment.confirmed":
      learnIds(row, data);
      row.status = "paid";
      return;
    default: {
      const status = CREATION_STATUS[event.type];
      if (status === undefined) foldMoneyBack(row, event);
      else row.status = status;
    }
  }
}

/** The provenance of a row that an event founds. */
function bornWith(event: LedgerEvent): Provenance {
  return { version: event.streamVersion, createdAt: event.recordedAt, createdBy: event.actor };
}

export function foldPayment(payments: Map<string, PaymentRow>, event: LedgerEvent): void {
  const paymentId = event.stream.split("/")[1] ?? "";
  if (event.type === "payment.requested") {
    type Asked = Pick<
      PaymentRow,
      "bookingId" | "purpose" | "method" | "amountMinor" | "currency" | "account"
    >;
    const { bookingId, purpose, method, amountMinor, currency, account } = event.data as Asked;
    payments.set(paymentId, {
      ...{ paymentId, bookingId, purpose, method, amountMinor, currency, account },
      ...{ status: "requested", cancelRequested: false, paymentIntentId: null, checkoutSessionId: null },
      ...{ attemptAt: 0, requests: [], moved: new Map(), disputes: new Map() },
      ...bornWith(event),
    });
    return;
  }
  const row = payments.get(paymentId);
  if (row === undefined) throw new Error(`sequence ${event.seq}: ${event.type} of nothing`);
  row.version = event.streamVersion;
  foldKnown(row, event);
}

const LINK_LIFETIME_MS = 600_000;

/** The organisation's account after one more event. */
export function foldAccount(known: AccountRow | undefined, event: LedgerEvent): AccountRow {
  const { linkId, account } = event.data as { linkId: string; account: string };
  const row = known ?? { linked: undefined, pending: undefined, ...bornWith(event) };
  row.version = event.streamVersion;
  switch (event.type) {
    case "stripeAccount.linkBegun": {
      const expiresAt = event.recordedAt + LINK_LIFETIME_MS;
      row.pending = { linkId, userId: event.actor.id, isReturned: false, expiresAt };
      return row;
    }
    case "stripeAccount.linkReturned":
      if (row.pending !== undefined) row.pending.isReturned = true;
      return row;
    case "stripeAccount.linked":
      row.linked = { account, linkedAt: event.recordedAt };
      row.pending = undefined;
      return row;
    case "stripeAccount.linkFailed":
      row.pending = undefined;
      return row;
    default:
      row.linked = undefined;
      return row;
  }
}

/** A payment as it is listed; staff do not see the provider's ids. */
export function listedPayment(row: PaymentRow, isFull: boolean): object {
  const { paymentId, bookingId, purpose, method, status, cancelRequested, amountMinor, currency } = row;
  const { paymentIntentId, checkoutSessionId, version, createdAt, createdBy } = row;
  const refundedMinor = sum(
    [...row.moved.values()].filter((each) => each.status === "succeeded").map((each) => each.amountMinor),
  );
  const newest = [...row.disputes.values()].sort((a, b) => b.word.occurredAt - a.word.occurredAt);
  const shown = newest.find(({ word }) => !word.isClosed) ?? newest[0];
  return {
    ...{ paymentId, bookingId, purpose, method, status, cancelRequested, amountMinor, currency },
    paidMinor: status === "paid" ? amountMinor : 0,
    refundedMinor,
    refundPendingMinor: committedMinor(row) - refundedMinor,
    disputedMinor: disputedMinor(row),
    disputeStatus: shown?.word.status ?? null,
    refunds: row.requests.map(({ providerRefundId = "", ...request }) => ({
      ...request,
      status: row.moved.get(providerRefundId)?.status ?? request.status,
    })),
    ...(isFull ? { paymentIntentId, checkoutSessionId } : {}),
    ...{ version, createdAt, createdBy },
  };
}
