/**
 * What an event of Stripe says, as a fact. Types are an allow-list; statuses are open lists at the provider, so that a
 * value that is not known here is no fact (R49). Amounts are exact integers. Metadata, `client_reference_id` and
 * whatever else a payer could set are never looked at.
 */
import { z } from "zod";
import type { DisputeChange, IntentOutcome, ParkReason, ProviderFact } from "./providerFact.ts";

export type FactReading =
  /** `subjectId`: the provider's object that tells which organisation and stream this is about. */
  | { kind: "fact"; fact: ProviderFact; subjectId: string }
  | { kind: "park"; reason: ParkReason }
  | { kind: "notListed" };

const id = (prefixes: string): z.ZodString =>
  z.string().regex(new RegExp(`^(?:${prefixes})_[A-Za-z0-9_]{8,250}$`));
const intentId = z.string().regex(/^pi_[A-Za-z0-9]{8,250}$/);
const amount = z.int().nonnegative();
const currency = z
  .string()
  .regex(/^[a-z]{3}$/)
  .transform((code) => code.toUpperCase());
const code = z.string().regex(/^[a-z][a-z0-9_]{0,63}$/);
const status = z.string().min(1).max(64);
/** A reason in the provider's words; what is no code at all is told as `unknown`. */
const failure = code.catch("unknown");

const intent = z.object({
  object: z.literal("payment_intent"),
  id: intentId,
  amount,
  amount_received: amount,
  currency,
  status,
  last_payment_error: z.object({ code: failure.optional() }).nullish().catch(null),
});

const session = z.object({
  object: z.literal("checkout.session"),
  id: id("cs"),
  mode: z.literal("payment"),
  payment_intent: intentId.nullable(),
  payment_status: status,
  amount_total: amount,
  currency,
});

const refund = z.object({
  object: z.literal("refund"),
  id: z.string().regex(/^(?:re|pyr)_[A-Za-z0-9]{8,250}$/),
  payment_intent: intentId,
  amount: amount.positive(),
  currency,
  status,
  failure_reason: failure.nullish(),
});

const dispute = z.object({
  object: z.literal("dispute"),
  id: z.string().regex(/^(?:dp|du)_[A-Za-z0-9]{8,250}$/),
  payment_intent: intentId,
  amount,
  currency,
  status,
  reason: code,
});

const accountObject = z.object({ object: z.literal("account"), id: id("acct") });
const application = z.object({ object: z.literal("application"), id: id("ca") });

/** Statuses of an intent that the provider has published; of any other nothing is known. */
const INTENT_STATUSES = [
  "requires_payment_method",
  "requires_confirmation",
  "requires_action",
  "processing",
  "requires_capture",
  "canceled",
  "succeeded",
];
/** Per type what it says, and the statuses that the intent may have meanwhile. */
const INTENT_OUTCOMES: Readonly<
  Record<string, { outcome: IntentOutcome; statuses: readonly string[] } | undefined>
> = {
  "payment_intent.succeeded": { outcome: "succeeded", statuses: ["succeeded"] },
  "payment_intent.payment_failed": {
    outcome: "failed",
    statuses: [
      "requires_payment_method",
      "requires_confirmation",
      "requires_action",
      "processing",
      "canceled",
    ],
  },
  "payment_intent.processing": { outcome: "processing", statuses: ["processing"] },
  "payment_intent.requires_action": { outcome: "requires_action", statuses: ["requires_action"] },
  "payment_intent.canceled": { outcome: "canceled", statuses: ["canceled"] },
  "payment_intent.amount_capturable_updated": { outcome: "capturable", statuses: ["requires_capture"] },
};

const SESSION_TYPES: readonly string[] = [
  "checkout.session.completed",
  "checkout.session.async_payment_succeeded",
  "checkout.session.async_payment_failed",
  "checkout.session.expired",
];
const SESSION_STATUSES = ["paid", "unpaid", "no_payment_required"];

const REFUND_TYPES: readonly string[] = ["refund.created", "refund.updated", "refund.failed"];
const REFUND_STATUSES = ["pending", "requires_action", "succeeded", "failed", "canceled"] as const;

const DISPUTE_CHANGES: Readonly<Record<string, DisputeChange | undefined>> = {
  "charge.dispute.created": "opened",
  "charge.dispute.updated": "updated",
  "charge.dispute.funds_withdrawn": "fundsWithdrawn",
  "charge.dispute.funds_reinstated": "fundsReinstated",
  "charge.dispute.closed": "closed",
};
const DISPUTE_STATUSES = [
  "warning_needs_response",
  "warning_under_review",
  "warning_closed",
  "needs_response",
  "under_review",
  "prevented",
  "won",
  "lost",
];
const DISPUTE_ENDS = ["warning_closed", "prevented", "won", "lost"];

/** What the event says around its object. `occurredAt`: its own time, milliseconds UTC, which judges no freshness. */
export type Said = { readonly type: string; readonly occurredAt: number; readonly account?: string };

const park = (reason: ParkReason): FactReading => ({ kind: "park", reason });

/** Reads the object by its schema; what has another form is parked. */
function reading<Shape extends z.ZodType>(
  schema: Shape,
  object: unknown,
  read: (value: z.output<Shape>) => FactReading,
): FactReading {
  const parsed = schema.safeParse(object);
  return parsed.success ? read(parsed.data) : park("MALFORMED");
}

function intentFact({ type, occurredAt }: Said, object: unknown): FactReading {
  return reading(intent, object, (value) => {
    const said = INTENT_OUTCOMES[type];
    if (said === undefined || !INTENT_STATUSES.includes(value.status)) return park("UNKNOWN_STATUS");
    if (!said.statuses.includes(value.status)) return park("MALFORMED");
    const { outcome } = said;
    const fact: ProviderFact = {
      kind: "paymentIntent",
      paymentIntentId: value.id,
      outcome,
      occurredAt,
      amountMinor: value.amount,
      amountReceivedMinor: value.amount_received,
      currency: value.currency,
      ...(outcome === "failed" ? { code: value.last_payment_error?.code ?? "unknown" } : {}),
    };
    return { kind: "fact", fact, subjectId: value.id };
  });
}

function sessionOutcome(
  type: string,
  paymentStatus: string,
): Extract<ProviderFact, { kind: "checkoutSession" }>["outcome"] | null {
  if (type === "checkout.session.expired") return "expired";
  if (type === "checkout.session.async_payment_failed") return paymentStatus === "unpaid" ? "failed" : null;
  if (paymentStatus === "paid") return "paid";
  if (type === "checkout.session.async_payment_succeeded") return null;
  return paymentStatus === "unpaid" ? "unpaid" : "free";
}

function sessionFact({ type, occurredAt }: Said, object: unknown): FactReading {
  return reading(session, object, (value) => {
    if (!SESSION_STATUSES.includes(value.payment_status)) return park("UNKNOWN_STATUS");
    const outcome = sessionOutcome(type, value.payment_status);
    if (outcome === null) return park("MALFORMED");
    const fact: ProviderFact = {
      kind: "checkoutSession",
      checkoutSessionId: value.id,
      paymentIntentId: value.payment_intent,
      outcome,
      occurredAt,
      amountMinor: value.amount_total,
      currency: value.currency,
    };
    return { kind: "fact", fact, subjectId: value.id };
  });
}

function refundFact({ type }: Said, object: unknown): FactReading {
  return reading(refund, object, (value) => {
    const known = REFUND_STATUSES.find((status) => status === value.status);
    if (known === undefined) return park("UNKNOWN_STATUS");
    if (type === "refund.failed" && known !== "failed") return park("MALFORMED");
    const hasFailed = known === "failed" || known === "canceled";
    const fact: ProviderFact = {
      kind: "refund",
      providerRefundId: value.id,
      paymentIntentId: value.payment_intent,
      status: known,
      amountMinor: value.amount,
      currency: value.currency,
      ...(hasFailed ? { code: value.failure_reason ?? (known === "canceled" ? "canceled" : "unknown") } : {}),
    };
    return { kind: "fact", fact, subjectId: value.payment_intent };
  });
}

function disputeFact(change: DisputeChange, { occurredAt }: Said, object: unknown): FactReading {
  return reading(dispute, object, (value) => {
    if (!DISPUTE_STATUSES.includes(value.status)) return park("UNKNOWN_STATUS");
    if (change === "closed" && !DISPUTE_ENDS.includes(value.status)) return park("MALFORMED");
    const fact: ProviderFact = {
      kind: "dispute",
      disputeId: value.id,
      paymentIntentId: value.payment_intent,
      change,
      occurredAt,
      amountMinor: value.amount,
      currency: value.currency,
      status: value.status,
      reason: value.reason,
    };
    return { kind: "fact", fact, subjectId: value.payment_intent };
  });
}

function accountFact(
  change: "updated" | "deauthorized",
  { account, occurredAt }: Said,
  object: unknown,
): FactReading {
  if (account === undefined) return park("WRONG_ACCOUNT");
  const fact: ProviderFact = { kind: "account", account, change, occurredAt };
  if (change === "deauthorized") {
    return reading(application, object, () => ({ kind: "fact", fact, subjectId: account }));
  }
  return reading(accountObject, object, ({ id: own }) =>
    own === account ? { kind: "fact", fact, subjectId: account } : park("MALFORMED"),
  );
}

/**
 * The fact that an event of this type states about its object. Pure; says nothing of whether the object, the account
 * or the amount are the expected ones.
 */
export function factOf(said: Said, object: unknown): FactReading {
  const { type } = said;
  if (Object.hasOwn(INTENT_OUTCOMES, type)) return intentFact(said, object);
  if (SESSION_TYPES.includes(type)) return sessionFact(said, object);
  if (REFUND_TYPES.includes(type)) return refundFact(said, object);
  const change = Object.hasOwn(DISPUTE_CHANGES, type) ? DISPUTE_CHANGES[type] : undefined;
  if (change !== undefined) return disputeFact(change, said, object);
  if (type === "account.updated") return accountFact("updated", said, object);
  if (type === "account.application.deauthorized") return accountFact("deauthorized", said, object);
  return { kind: "notListed" };
}
