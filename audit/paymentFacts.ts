/** What a ledger says of money at the provider: the last word of each payment, refund and dispute. */
import { z } from "zod";
import type { EventEnvelope } from "../ledger/event.ts";

export type FactKind = "payment" | "refund" | "dispute";

/** One thing at the provider, as the ledger has it. */
export interface PaymentFact {
  readonly kind: FactKind;
  /** The provider's id: `pi_…`, `re_…`, `dp_…`. */
  readonly id: string;
  /** The payment in the ledger: `pay_…`. */
  readonly paymentId: string;
  /** The event that said it last. */
  readonly seq: number;
  readonly type: string;
  readonly amountMinor: number;
  readonly currency: string;
  /** The provider's words for the states that agree with it. */
  readonly statuses: readonly string[];
  /** The account at the provider that it is in; the platform's own when absent. */
  readonly account?: string;
}

const STREAM_KIND = "payment/";
const money = { amountMinor: z.int(), currency: z.string() };
const confirmed = z.object({ paymentIntentId: z.string(), ...money });
const refund = z.object({ providerRefundId: z.string(), ...money });
const dispute = z.object({ disputeId: z.string(), status: z.string(), ...money });

/** Which states at the provider agree with what a refund's event says. */
const REFUND_STATUSES: Readonly<Record<string, readonly string[]>> = {
  "payment.refundPending": ["pending", "requires_action"],
  "payment.refunded": ["succeeded"],
  "payment.refundFailed": ["failed", "canceled"],
};

function accountOf({ source }: EventEnvelope): { account?: string } {
  return source.kind === "webhook" && source.account !== undefined ? { account: source.account } : {};
}

/** The fact that an event of a signed delivery states, if it is about money. Throws for data of another shape. */
export function factOf(event: EventEnvelope): PaymentFact | undefined {
  const { type, seq, data, stream } = event;
  const place = { seq, type, paymentId: stream.slice(STREAM_KIND.length), ...accountOf(event) };
  if (type === "payment.confirmed") {
    const { paymentIntentId: id, amountMinor, currency } = confirmed.parse(data);
    return { ...place, kind: "payment", id, amountMinor, currency, statuses: ["succeeded"] };
  }
  const statuses = Object.hasOwn(REFUND_STATUSES, type) ? REFUND_STATUSES[type] : undefined;
  if (statuses !== undefined) {
    const { providerRefundId: id, amountMinor, currency } = refund.parse(data);
    return { ...place, kind: "refund", id, amountMinor, currency, statuses };
  }
  if (!type.startsWith("payment.dispute")) return undefined;
  const { disputeId: id, amountMinor, currency, status } = dispute.parse(data);
  return { ...place, kind: "dispute", id, amountMinor, currency, statuses: [status] };
}

/** Everything of a ledger that the provider can be asked about. Grows with the payments, not with the events. */
export class PaymentFacts {
  /** By payment and the provider's id: two payments may cite one object, and one of them wrongly. */
  readonly facts = new Map<string, PaymentFact>();
  /** The provider's ids of all of them. */
  readonly ids = new Set<string>();
  /** The payment intent that confirmed each payment. */
  readonly intents = new Map<string, string>();
  /** Accounts that a delivery named; undefined for the platform's own. */
  readonly accounts = new Set<string | undefined>();
  /** When the first payment was requested, in milliseconds since the epoch. */
  firstAt: number | undefined;

  add(event: EventEnvelope): void {
    if (!event.stream.startsWith(STREAM_KIND)) return;
    this.firstAt ??= event.recordedAt;
    const account = event.data["account"];
    if (event.type === "payment.requested")
      this.accounts.add(typeof account === "string" ? account : undefined);
    const fact = factOf(event);
    if (fact === undefined) return;
    this.accounts.add(fact.account);
    this.ids.add(fact.id);
    this.facts.set(`${fact.paymentId} ${fact.id}`, fact);
    if (fact.kind === "payment") this.intents.set(fact.paymentId, fact.id);
  }
}
