/** Holds a ledger's payments against the provider's own records: its signature alone proves nothing to a third party. */
import type { PaymentFact, PaymentFacts } from "./paymentFacts.ts";
import type { ProviderReader, ProviderRecord } from "./stripeReader.ts";

export const PAYMENT_OUTCOMES = [
  "agrees",
  "missing at the provider",
  "other amount",
  "other status",
  "of another payment",
  "not in the ledger",
] as const;
export type PaymentOutcome = (typeof PAYMENT_OUTCOMES)[number];

export interface PaymentLine {
  readonly outcome: PaymentOutcome;
  readonly kind: PaymentFact["kind"];
  readonly id: string;
  /** The event, unless the ledger has none. */
  readonly seq?: number;
  readonly ledger: string;
  readonly provider: string;
}

const inWords = (amountMinor: number, currency: string, status: string): string =>
  `${amountMinor} ${currency}, ${status}`;

type Of = { readonly orgId: string; readonly intents: PaymentFacts["intents"] };

/**
 * Whether the provider has it for the payment that cites it. A payment says so itself, in what the deployment wrote
 * beside it; refunds and disputes are of a payment intent.
 */
function isOfPayment(
  { kind, paymentId }: PaymentFact,
  record: ProviderRecord,
  { orgId, intents }: Of,
): boolean {
  if (kind === "payment") return record.orgId === orgId && record.paymentId === paymentId;
  return record.paymentIntentId === intents.get(paymentId);
}

function compare(fact: PaymentFact, record: ProviderRecord | undefined, of: Of): PaymentLine {
  const { kind, id, seq, amountMinor, currency, statuses } = fact;
  const line = { kind, id, seq, ledger: inWords(amountMinor, currency, statuses.join(" or ")) };
  if (record === undefined) return { ...line, outcome: "missing at the provider", provider: "nothing" };
  const provider = inWords(record.amountMinor, record.currency, record.status);
  if (!isOfPayment(fact, record, of)) return { ...line, outcome: "of another payment", provider };
  if (record.amountMinor !== amountMinor || record.currency !== currency) {
    return { ...line, outcome: "other amount", provider };
  }
  return { ...line, outcome: statuses.includes(record.status) ? "agrees" : "other status", provider };
}

/** One line for each fact, then one for each payment that only the provider has. Throws `AuditError`. */
export async function* comparePayments(
  orgId: string,
  { facts, ids, intents, accounts, firstAt }: PaymentFacts,
  reader: ProviderReader,
): AsyncGenerator<PaymentLine, void> {
  for (const fact of facts.values()) {
    yield compare(fact, await reader.read(fact.kind, fact.id, fact.account), { orgId, intents });
  }
  if (firstAt === undefined) return;
  const sinceS = Math.floor(firstAt / 1000);
  for (const account of accounts) {
    for await (const { id, amountMinor, currency, status } of reader.succeeded(orgId, sinceS, account)) {
      if (ids.has(id)) continue;
      const provider = inWords(amountMinor, currency, status);
      yield { outcome: "not in the ledger", kind: "payment", id, ledger: "nothing", provider };
    }
  }
}
