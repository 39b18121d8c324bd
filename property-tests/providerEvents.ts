/** Deliveries as the provider writes them, drawn for a payment: what they say, and the body that says it. */
import { createHash } from "node:crypto";
import { API_VERSION, eventOf } from "../tests/support/stripe.ts";
import type { Delivery, Fact, IntentFact, RefundFact, SessionFact } from "./deliveryModel.ts";
import type { Pick } from "./garbage.ts";
import type { PaymentRow } from "./paymentFold.ts";

/** An id of the provider's: letters and digits after a prefix, unlike any of ours. */
export function providerName(prefix: string, pick: Pick): string {
  const digits = Array.from({ length: 4 }, () => pick(Array.from({ length: 10_000 }, (_, n) => n)));
  return `${prefix}_s${digits.map((number) => String(number).padStart(4, "0")).join("")}`;
}

/** The intent that a session makes. */
export function intentOfSession(sessionId: string): string {
  return `pi_${sessionId.slice("cs_".length)}`;
}

const range = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

const INTENT_TYPE: Readonly<Record<IntentFact["outcome"], readonly [string, string]>> = {
  succeeded: ["payment_intent.succeeded", "succeeded"],
  failed: ["payment_intent.payment_failed", "requires_payment_method"],
  processing: ["payment_intent.processing", "processing"],
  canceled: ["payment_intent.canceled", "canceled"],
  requires_action: ["payment_intent.requires_action", "requires_action"],
};

const SESSION_TYPE: Readonly<Record<SessionFact["outcome"], readonly [string, string]>> = {
  paid: ["checkout.session.completed", "paid"],
  unpaid: ["checkout.session.completed", "unpaid"],
  failed: ["checkout.session.async_payment_failed", "unpaid"],
  expired: ["checkout.session.expired", "unpaid"],
  free: ["checkout.session.completed", "no_payment_required"],
};

const DISPUTE_TYPE = {
  Opened: "charge.dispute.created",
  Updated: "charge.dispute.updated",
  FundsWithdrawn: "charge.dispute.funds_withdrawn",
  FundsReinstated: "charge.dispute.funds_reinstated",
  Closed: "charge.dispute.closed",
} as const;

/** Type and object of the event that says this. */
function writtenAs(fact: Fact): [string, Record<string, unknown>] {
  if (fact.kind === "account") {
    return fact.isEnded
      ? ["account.application.deauthorized", { id: "ca_daybook0", object: "application" }]
      : ["account.updated", { id: fact.account, object: "account" }];
  }
  const money = { amount: fact.amountMinor, currency: fact.currency.toLowerCase() };
  switch (fact.kind) {
    case "intent": {
      const [type, status] = INTENT_TYPE[fact.outcome];
      const failure = fact.outcome === "failed" ? { last_payment_error: { code: "card_declined" } } : {};
      const object = { id: fact.intentId, object: "payment_intent", ...money, status, ...failure };
      return [type, { ...object, amount_received: fact.receivedMinor, metadata: { orgId: "nobody's" } }];
    }
    case "session": {
      const [type, paymentStatus] = SESSION_TYPE[fact.outcome];
      const object = { id: fact.sessionId, object: "checkout.session", mode: "payment" };
      const said = { payment_intent: fact.intentId, payment_status: paymentStatus };
      return [type, { ...object, ...said, amount_total: money.amount, currency: money.currency }];
    }
    case "refund": {
      const object = { id: fact.providerRefundId, object: "refund", payment_intent: fact.intentId };
      return [
        fact.status === "failed" ? "refund.failed" : "refund.updated",
        { ...object, ...money, status: fact.status },
      ];
    }
    case "dispute": {
      const { disputeId: id, intentId, status, reason } = fact;
      const object = { id, object: "dispute", payment_intent: intentId, ...money, status, reason };
      return [DISPUTE_TYPE[fact.change], object];
    }
  }
}

/** Mostly right; now and then what was not asked for. */
function pickMoney(pick: Pick, row: PaymentRow): { amountMinor: number; currency: string } {
  const { amountMinor, currency } = row;
  const right = { amountMinor, currency };
  return pick([
    ...range(12).map(() => right),
    { amountMinor: amountMinor + 1, currency },
    { amountMinor, currency: currency === "USD" ? "EUR" : "USD" },
  ]);
}

function intentFact(pick: Pick, row: PaymentRow, intentId: string, occurredAt: number): Fact {
  const money = pickMoney(pick, row);
  const outcome = pick([
    ...range(6).map(() => "succeeded" as const),
    ...(["failed", "failed", "processing", "processing", "canceled", "requires_action"] as const),
  ]);
  const isWhole = pick([true, true, true, true, true, true, true, false]);
  const receivedMinor = outcome === "succeeded" && isWhole ? money.amountMinor : 0;
  return { kind: "intent", intentId, outcome, occurredAt, receivedMinor, ...money };
}

function sessionFact(pick: Pick, row: PaymentRow, sessionId: string, occurredAt: number): Fact {
  const outcome = pick(["paid", "paid", "paid", "paid", "unpaid", "failed", "expired", "free"] as const);
  const intentId = intentOfSession(sessionId);
  return { kind: "session", sessionId, intentId, outcome, occurredAt, ...pickMoney(pick, row) };
}

/** Of a refund that was asked for here, of one that is known, or of one that was made at the provider. */
function refundFact(pick: Pick, row: PaymentRow, intentId: string): Fact {
  const asked = row.requests.flatMap(({ providerRefundId, amountMinor }) =>
    providerRefundId === undefined ? [] : [[providerRefundId, amountMinor] as const],
  );
  const known = [...row.moved].map(([id, { amountMinor }]) => [id, amountMinor] as const);
  const part = pick([1, Math.ceil(row.amountMinor / 3), row.amountMinor]);
  const made = [providerName("re", pick), part] as const;
  const [providerRefundId, amount] = pick([...asked, ...asked, ...asked, ...known, ...known, made]);
  const status = pick<RefundFact["status"]>([
    ...(["succeeded", "succeeded", "succeeded", "pending", "failed"] as const),
    ...(["requires_action", "canceled"] as const),
  ]);
  const amountMinor = pick([...range(8).map(() => amount), amount + 1]);
  const currency = pick([...range(12).map(() => row.currency), "USD"]);
  return { kind: "refund", providerRefundId, intentId, status, amountMinor, currency };
}

function disputeFact(pick: Pick, row: PaymentRow, intentId: string, occurredAt: number): Fact {
  const known = [...row.disputes.keys()];
  const disputeId = pick([...known, ...known, ...known, providerName("dp", pick)]);
  const change = pick([
    "Opened",
    "Opened",
    "Updated",
    "FundsWithdrawn",
    "FundsReinstated",
    "Closed",
  ] as const);
  const status =
    change === "Closed"
      ? pick(["won", "lost", "warning_closed"])
      : pick(["needs_response", "under_review", "warning_needs_response"]);
  const amountMinor = pick([row.amountMinor, Math.ceil(row.amountMinor / 2)]);
  const { currency } = row;
  const reason = pick(["fraudulent", "duplicate"]);
  return { kind: "dispute", disputeId, intentId, change, occurredAt, amountMinor, currency, status, reason };
}

/** Something that the provider may say of a payment, with the ids that it has or will have. */
export function pickFact(
  pick: Pick,
  row: PaymentRow,
  ids: { intentId: string; sessionId?: string },
  now: number,
): Fact {
  const occurredAt = (Math.floor(now / 1000) - pick(range(900))) * 1000;
  const { intentId, sessionId } = ids;
  const isPaid = row.status === "paid";
  const kind = pick(
    isPaid
      ? (["intent", "refund", "refund", "refund", "dispute", "dispute"] as const)
      : (["intent", "intent", "intent", "intent", "intent", "intent", "refund", "dispute"] as const),
  );
  if (kind === "refund") return refundFact(pick, row, intentId);
  if (kind === "dispute") return disputeFact(pick, row, intentId, occurredAt);
  const isSession = sessionId !== undefined && pick([true, true, false]);
  return isSession
    ? sessionFact(pick, row, sessionId, occurredAt)
    : intentFact(pick, row, intentId, occurredAt);
}

export const hashOf = (body: string): string => createHash("sha256").update(body).digest("hex");

/** The delivery that says it; now and then of the other mode, of a release that nobody reads here, or of no listed type. */
export function deliveryOf(
  pick: Pick,
  fact: Fact,
  { account, now }: { account: string | undefined; now: number },
): Delivery {
  const [type, object] = writtenAs(fact);
  const odd = pick([...range(28).map(() => "none"), "mode", "release", "type"]);
  const created = "occurredAt" in fact ? fact.occurredAt / 1000 : Math.floor(now / 1000);
  const readable = eventOf(odd === "type" ? "customer.updated" : type, object, {
    id: providerName("evt", pick),
    created,
    livemode: odd === "mode",
    api_version: API_VERSION,
    ...(account === undefined ? {} : { account }),
  });
  const written = odd === "release" ? { ...readable, api_version: "2026-09-30.dahlia" } : readable;
  const body = JSON.stringify(written);
  const says = ((): Delivery["says"] => {
    if (odd === "type") return { kind: "notListed" };
    if (odd === "mode") return { kind: "unreadable", reason: "WRONG_MODE" };
    if (odd === "release") {
      const again = { body: JSON.stringify(readable), fact };
      return { kind: "unreadable", reason: "WRONG_API_VERSION", readable: again };
    }
    return { kind: "fact", fact };
  })();
  const signedAt = Math.floor(now / 1000);
  return {
    ...{ deliveryId: written.id, type: written.type, account, body, says, signedAt },
    bodySha256: hashOf(body),
  };
}
