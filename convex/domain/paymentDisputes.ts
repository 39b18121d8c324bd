/**
 * Disputes of one payment, by the provider's id. Of two deliveries about one dispute the later one by the provider's
 * time counts, and the one that closes it above all others; that its money was withdrawn or came back is never
 * forgotten. Whatever order the deliveries come in, the same is left.
 */
import type { NewEvent } from "../events/catalogue/catalogue.ts";

export type Dispute = {
  disputeId: string;
  amountMinor: number;
  currency: string;
  /** The provider's word: `needs_response`, `won`, `lost`, `warning_closed`. */
  status: string;
  reason: string;
  occurredAt: number;
  closed: boolean;
  fundsWithdrawn: boolean;
  fundsReinstated: boolean;
};

/** The events that tell of a dispute. */
export type DisputeEvent =
  | "payment.disputeOpened"
  | "payment.disputeUpdated"
  | "payment.disputeFundsWithdrawn"
  | "payment.disputeFundsReinstated"
  | "payment.disputeClosed";

/** What a delivery says of a dispute: the data of its event. */
export type DisputeNews = Extract<NewEvent, { type: DisputeEvent }>["data"];

/** Most disputes that the provider may tell of one payment. */
export const DISPUTES_MAX = 100;

/** Ends of a dispute after which the money is the organisation's. */
const ENDED_WELL: readonly string[] = ["won", "warning_closed", "prevented"];

/** Which of two words about one dispute counts: a total order, so that no order of arrival matters. */
function isLater(a: Dispute, b: Dispute): boolean {
  if (a.closed !== b.closed) return a.closed;
  if (a.occurredAt !== b.occurredAt) return a.occurredAt > b.occurredAt;
  return textOf(a) > textOf(b);
}

function textOf({ status, reason, currency, amountMinor }: Dispute): string {
  return `${status} ${reason} ${currency} ${amountMinor}`;
}

function merge(known: Dispute, told: Dispute): Dispute {
  const fundsWithdrawn = known.fundsWithdrawn || told.fundsWithdrawn;
  const fundsReinstated = known.fundsReinstated || told.fundsReinstated;
  if (isLater(told, known)) return { ...told, fundsWithdrawn, fundsReinstated };
  if (fundsWithdrawn === known.fundsWithdrawn && fundsReinstated === known.fundsReinstated) return known;
  return { ...known, fundsWithdrawn, fundsReinstated };
}

/** The disputes after the provider's word about one of them; the same list when nothing is new. */
export function afterDispute(
  disputes: readonly Dispute[],
  type: DisputeEvent,
  news: DisputeNews,
): readonly Dispute[] {
  const told: Dispute = {
    ...news,
    closed: type === "payment.disputeClosed",
    fundsWithdrawn: type === "payment.disputeFundsWithdrawn",
    fundsReinstated: type === "payment.disputeFundsReinstated",
  };
  const known = disputes.find(({ disputeId }) => disputeId === told.disputeId);
  if (known === undefined) return [...disputes, told];
  const merged = merge(known, told);
  return merged === known ? disputes : disputes.map((each) => (each === known ? merged : each));
}

/** Whether a dispute's amount is not the organisation's to give back: it is lost, or may be. An inquiry holds nothing. */
function holdsAmount({ status, closed, fundsWithdrawn, fundsReinstated }: Dispute): boolean {
  if (closed && ENDED_WELL.includes(status)) return false;
  if (status.startsWith("warning_")) return fundsWithdrawn && !fundsReinstated;
  return true;
}

/** What is disputed and not won. */
export function disputedMinor(disputes: readonly Dispute[]): number {
  return disputes.filter(holdsAmount).reduce((total, { amountMinor }) => total + amountMinor, 0);
}
