/**
 * What becomes of a genuine delivery of the provider, by the tables of docs/payments.md: an event, nothing, or parked
 * with a reason. Imports nothing of the server.
 */
import {
  afterWord,
  isAttemptNews,
  isFurther,
  movedMinor,
  type Moved,
  type PaymentRow,
} from "./paymentFold.ts";
import type { Draft, Organization, World } from "./world.ts";

export type IntentFact = {
  kind: "intent";
  intentId: string;
  outcome: "succeeded" | "failed" | "processing" | "canceled" | "requires_action";
  occurredAt: number;
  amountMinor: number;
  receivedMinor: number;
  currency: string;
};
export type SessionFact = {
  kind: "session";
  sessionId: string;
  intentId: string;
  outcome: "paid" | "unpaid" | "failed" | "expired" | "free";
  occurredAt: number;
  amountMinor: number;
  currency: string;
};
export type RefundFact = {
  kind: "refund";
  providerRefundId: string;
  intentId: string;
  status: "pending" | "requires_action" | "succeeded" | "failed" | "canceled";
  amountMinor: number;
  currency: string;
};
type DisputeFact = {
  kind: "dispute";
  disputeId: string;
  intentId: string;
  change: "Opened" | "Updated" | "FundsWithdrawn" | "FundsReinstated" | "Closed";
  occurredAt: number;
  amountMinor: number;
  currency: string;
  status: string;
  reason: string;
};
type AccountFact = { kind: "account"; account: string; isEnded: boolean };
export type Fact = IntentFact | SessionFact | RefundFact | DisputeFact | AccountFact;

export type Delivery = {
  deliveryId: string;
  type: string;
  account: string | undefined;
  bodySha256: string;
  /** Seconds. */
  signedAt: number;
  body: string;
  says:
    | { kind: "fact"; fact: Fact }
    /** `readable`: the same event in the release that is read here. */
    | { kind: "unreadable"; reason: string; readable?: { body: string; fact: Fact } }
    | { kind: "notListed" };
};

export type KnownDelivery = Delivery & {
  /** Whether another body counts under its id: the first, or the first that could be read. */
  isConflict: boolean;
  status: "applied" | "nothing" | "parked";
  reason: string | null;
  /** The organisation that the record itself names. */
  orgId: string | undefined;
};

/** A delivery as owners and auditors list it. */
export type ListedDelivery = Pick<KnownDelivery, "deliveryId" | "type" | "signedAt" | "status" | "reason"> & {
  provider: "stripe";
};

export type Outcome =
  | { status: "applied"; orgId: string; draft: Draft }
  | { status: "nothing"; orgId: string | undefined; reason: string | null; isRecorded: boolean }
  | { status: "parked"; orgId: string | undefined; reason: string };

type Decision = { type: string; data: Record<string, unknown> } | "nothing" | { reason: string };

/** The organisation that an account is linked to. */
export function holderOf(world: World, account: string | undefined): string | undefined {
  if (account === undefined) return undefined;
  return [...world.organizations.values()].find(({ view }) => view.account?.linked?.account === account)
    ?.orgId;
}

/** The object of the provider that tells what a fact is about. */
export function subjectOf(fact: Fact): string {
  if (fact.kind === "session") return fact.sessionId;
  return fact.kind === "account" ? fact.account : fact.intentId;
}

function mismatch(
  row: PaymentRow,
  fact: { amountMinor: number; currency: string },
): { reason: string } | null {
  if (fact.currency !== row.currency) return { reason: "CURRENCY_MISMATCH" };
  return fact.amountMinor === row.amountMinor ? null : { reason: "AMOUNT_MISMATCH" };
}

function afterAttempt(
  row: PaymentRow,
  told: "processing" | "failed",
  { intentId, occurredAt, code }: { intentId: string; occurredAt: number; code: string },
): Decision {
  const isNews = isAttemptNews(row, told, occurredAt) || row.paymentIntentId === null;
  if (!isNews) return "nothing";
  const data = { paymentIntentId: intentId, occurredAt };
  return told === "failed"
    ? { type: "payment.failed", data: { ...data, code } }
    : { type: "payment.processing", data };
}

function afterCancelling(row: PaymentRow, data: { reason: string; paymentIntentId: string }): Decision {
  const isOver = row.status === "paid" || row.status === "cancelled";
  return isOver && row.paymentIntentId !== null ? "nothing" : { type: "payment.cancelled", data };
}

function afterSuccess(
  row: PaymentRow,
  told: { amountMinor: number; currency: string },
  data: object,
): Decision {
  const problem = mismatch(row, told);
  if (problem !== null) return problem;
  return row.status === "paid" ? "nothing" : { type: "payment.confirmed", data: { ...data } };
}

function ofIntent(row: PaymentRow, fact: IntentFact): Decision {
  const { intentId: paymentIntentId, amountMinor, currency } = fact;
  switch (fact.outcome) {
    case "succeeded": {
      const isWhole = mismatch(row, fact) !== null || fact.receivedMinor === row.amountMinor;
      if (!isWhole) return { reason: "AMOUNT_MISMATCH" };
      return afterSuccess(row, fact, { paymentIntentId, amountMinor, currency });
    }
    case "failed":
      return afterAttempt(row, "failed", { ...fact, code: "card_declined" });
    case "processing":
      return afterAttempt(row, "processing", { ...fact, code: "" });
    case "canceled":
      return afterCancelling(row, { reason: "provider", paymentIntentId });
    case "requires_action":
      return "nothing";
  }
}

function ofSession(row: PaymentRow, fact: SessionFact): Decision {
  const { intentId: paymentIntentId, sessionId: checkoutSessionId, amountMinor, currency } = fact;
  switch (fact.outcome) {
    case "free":
      return { reason: "NOTHING_PAID" };
    case "expired":
      return afterCancelling(row, { reason: "expired", paymentIntentId });
    case "failed":
      return afterAttempt(row, "failed", { ...fact, code: "async_payment_failed" });
    case "unpaid":
      return afterAttempt(row, "processing", { ...fact, code: "" });
    case "paid":
      return afterSuccess(row, fact, { paymentIntentId, amountMinor, currency, checkoutSessionId });
  }
}

const REFUND_TOLD: Readonly<Record<RefundFact["status"], [string, Moved["status"]]>> = {
  pending: ["payment.refundPending", "pending"],
  requires_action: ["payment.refundPending", "pending"],
  succeeded: ["payment.refunded", "succeeded"],
  failed: ["payment.refundFailed", "failed"],
  canceled: ["payment.refundFailed", "failed"],
};

function ofRefund(row: PaymentRow, fact: RefundFact): Decision {
  const { providerRefundId, amountMinor, currency } = fact;
  if (row.status !== "paid") return { reason: "NOT_PAID_YET" };
  if (currency !== row.currency) return { reason: "CURRENCY_MISMATCH" };
  const known = row.moved.get(providerRefundId);
  if (known !== undefined && known.amountMinor !== amountMinor) return { reason: "AMOUNT_MISMATCH" };
  const [type, status] = REFUND_TOLD[fact.status];
  if (!isFurther(known, status)) return "nothing";
  const moved = new Map(row.moved).set(providerRefundId, { amountMinor, status });
  if (movedMinor({ ...row, moved }) > row.amountMinor) return { reason: "REFUND_EXCEEDS_PAYMENT" };
  const request = row.requests.find((each) => each.providerRefundId === providerRefundId);
  const code = fact.status === "canceled" ? "canceled" : "unknown";
  const data = {
    ...{ providerRefundId, amountMinor, currency },
    ...(request === undefined ? {} : { refundId: request.refundId }),
    ...(status === "failed" ? { code } : {}),
  };
  return { type, data };
}

function ofDispute(row: PaymentRow, { kind: _, intentId: __, change, ...told }: DisputeFact): Decision {
  if (row.status !== "paid") return { reason: "NOT_PAID_YET" };
  if (told.currency !== row.currency) return { reason: "CURRENCY_MISMATCH" };
  const { disputeId, ...word } = told;
  const type = `payment.dispute${change}`;
  const known = row.disputes.get(disputeId);
  const after = afterWord(known, type, word);
  const isNews =
    known === undefined ||
    after.word !== known.word ||
    after.isWithdrawn !== known.isWithdrawn ||
    after.isReinstated !== known.isReinstated;
  return isNews ? { type, data: told } : "nothing";
}

function decide(row: PaymentRow, fact: Exclude<Fact, AccountFact>): Decision {
  if (fact.kind === "session") return ofSession(row, fact);
  if (row.paymentIntentId !== fact.intentId) return { reason: "UNKNOWN_OBJECT" };
  if (fact.kind === "intent") return ofIntent(row, fact);
  return fact.kind === "refund" ? ofRefund(row, fact) : ofDispute(row, fact);
}

function ofAccount(world: World, { account, isEnded }: AccountFact): Outcome {
  const orgId = holderOf(world, account);
  if (orgId === undefined) return { status: "parked", orgId, reason: "WRONG_ACCOUNT" };
  if (world.organizations.get(orgId)?.isHeld === true) {
    return { status: "parked", orgId, reason: "LEDGER_FROZEN" };
  }
  if (!isEnded) return { status: "nothing", orgId, reason: null, isRecorded: true };
  const data = { account, reason: "deauthorized" };
  return {
    status: "applied",
    orgId,
    draft: { stream: `stripeAccount/${orgId}`, type: "stripeAccount.unlinked", data },
  };
}

/** What a fact of the payment's own account comes to. */
function ofOwn(organization: Organization, row: PaymentRow, fact: Exclude<Fact, AccountFact>): Outcome {
  const { orgId } = organization;
  // A chain that may be damaged takes no event, also when the organisation is closed.
  if (organization.isHeld) return { status: "parked", orgId, reason: "LEDGER_FROZEN" };
  const decision = decide(row, fact);
  if (decision === "nothing") return { status: "nothing", orgId, reason: null, isRecorded: true };
  if ("reason" in decision) return { status: "parked", orgId, reason: decision.reason };
  return { status: "applied", orgId, draft: { stream: `payment/${row.paymentId}`, ...decision } };
}

/** Where a fact belongs, and what it comes to there. */
function ofPayment(world: World, fact: Exclude<Fact, AccountFact>, account: string | undefined): Outcome {
  const holder = holderOf(world, account);
  const place = world.objects.get(subjectOf(fact));
  if (place === undefined) {
    const isForeign = account !== undefined && holder === undefined;
    return { status: "parked", orgId: holder, reason: isForeign ? "WRONG_ACCOUNT" : "UNKNOWN_OBJECT" };
  }
  const { orgId, paymentId } = place;
  const organization = world.organizations.get(orgId);
  const row = organization?.view.payments.get(paymentId);
  if (organization === undefined || row === undefined) throw new Error(`${paymentId} is in no ledger`);
  const isOwn = place.account === account && (account === undefined || holder === orgId);
  if (!isOwn) return { status: "parked", orgId, reason: "WRONG_ACCOUNT" };
  return ofOwn(organization, row, fact);
}

/** What a genuine delivery comes to as things stand. */
export function outcomeOf(world: World, { account, says }: Delivery): Outcome {
  const holder = holderOf(world, account);
  if (says.kind === "notListed") {
    return { status: "nothing", orgId: holder, reason: "TYPE_NOT_LISTED", isRecorded: false };
  }
  if (says.kind === "unreadable") return { status: "parked", orgId: holder, reason: says.reason };
  const { fact } = says;
  return fact.kind === "account" ? ofAccount(world, fact) : ofPayment(world, fact, account);
}

/** Reasons that may pass when more is known. */
const PASSING: readonly string[] = [
  "UNKNOWN_OBJECT",
  "NOT_PAID_YET",
  "LEDGER_FROZEN",
  "REFUND_EXCEEDS_PAYMENT",
];

/** Whether a delivery may be decided otherwise later; of the wrong account only when that is the payment's own. */
export function isWaiting(world: World, { account, says }: Delivery, outcome: Outcome): boolean {
  if (outcome.status !== "parked") return false;
  if (outcome.reason !== "WRONG_ACCOUNT") return PASSING.includes(outcome.reason);
  const place = says.kind === "fact" ? world.objects.get(subjectOf(says.fact)) : undefined;
  return place !== undefined && place.account === account;
}
