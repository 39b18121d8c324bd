/** What a ledger says of money at the provider: the last word of each payment, refund and dispute. */
import { z } from "zod";
import type { EventEnvelope } from "../ledger/event.ts";

export type FactKind = "payment" | "refund" | "dispute";

/** One thing at the provider, as the ledger has it. */
export interface PaymentFact {
  readonly kind: FactKind;
  /** The provider's id: `pi_…`, `re_…`, `dp_…`. */
  readonly id: string;
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
  const { type, seq, data } = event;
  const place = { seq, type, ...accountOf(event) };
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
  readonly facts = new Map<string, PaymentFact>();
  /** Accounts that a delivery named; undefined for the platform's own. */
  readonly accounts = new Set<string | undefined>();
  /** When the first payment was requested, in milliseconds since the epoch. */
  firstAt: number | undefined;

  add(event: EventEnvelope): void {
    if (!event.stream.startsWith("payment/")) return;
    this.firstAt ??= event.recordedAt;
    const account = event.data["account"];
    if (event.type === "payment.requested")
      this.accounts.add(typeof account === "string" ? account : undefined);
    const fact = factOf(event);
    if (fact === undefined) return;
    this.accounts.add(fact.account);
    this.facts.set(fact.id, fact);
  }
}
