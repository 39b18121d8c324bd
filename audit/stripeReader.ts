/** Reads from Stripe with the auditor's own restricted key, through the official SDK. Nothing here writes. */
import Stripe from "stripe";
import { AuditError } from "./auditError.ts";
import type { FactKind } from "./paymentFacts.ts";

/** The metadata with which a deployment marks what it makes at the provider. */
const ORGANISATION_KEY = "daybook_organisation";
const PAYMENT_KEY = "daybook_payment";
const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);
const PAGE_MAX = 100;
const RETRIES = 2;

/** What the provider has, under an id. `currency` in upper case, as ISO 4217 writes it. */
export interface ProviderRecord {
  readonly amountMinor: number;
  readonly currency: string;
  readonly status: string;
  /** What a payment is for, as the deployment wrote beside it. */
  readonly orgId?: string | undefined;
  readonly paymentId?: string | undefined;
  /** What a refund or a dispute is of. */
  readonly paymentIntentId?: string | undefined;
}

export interface ProviderReader {
  read(kind: FactKind, id: string, account: string | undefined): Promise<ProviderRecord | undefined>;
  /** Payments that succeeded and name the organisation, created at or after a time in seconds since the epoch. */
  succeeded(
    orgId: string,
    sinceS: number,
    account: string | undefined,
  ): AsyncIterable<{ id: string } & ProviderRecord>;
}

/** Accepts keys that can only read what their owner allowed. */
function requireReadingKey(key: string): string {
  if (/^rk_(?:live|test)_[A-Za-z0-9_]{8,247}$/.test(key)) return key;
  const next =
    "Make a restricted key in Stripe's dashboard that only reads payments, refunds and disputes (rk_…).";
  throw new AuditError("The key is not a restricted key of Stripe's.", next);
}

function settingsOf(url: string | undefined): Stripe.StripeConfig {
  if (url === undefined) return { maxNetworkRetries: RETRIES, telemetry: false };
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol !== "http:" || !LOOPBACK.has(parsed.hostname)) {
    throw new AuditError(
      `${url} is not a simulator on this machine.`,
      "Leave --stripe-url out to ask Stripe.",
    );
  }
  const { hostname, port } = parsed;
  return { host: hostname, port, protocol: "http", maxNetworkRetries: RETRIES, telemetry: false };
}

/** What went wrong on the way to the provider says nothing of the ledger. */
async function withAdvice<Result>(act: () => Promise<Result>): Promise<Result> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof Stripe.errors.StripeError)) throw error;
    const next =
      error instanceof Stripe.errors.StripePermissionError
        ? "Give the key the right to read payment intents, refunds and disputes."
        : "Check the key and the connection, and try again.";
    throw new AuditError(`Stripe did not answer (${error.type}).`, next, { cause: error });
  }
}

/** Undefined where the provider has nothing under the id. */
async function found<Result>(act: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof Stripe.errors.StripeInvalidRequestError && error.code === "resource_missing")
      return undefined;
    throw error;
  }
}

interface Money {
  readonly amount: number;
  readonly currency: string;
  readonly status: string | null;
  readonly payment_intent?: string | Stripe.PaymentIntent | null;
}

function recordOf({ amount, currency, status, payment_intent: intent }: Money): ProviderRecord {
  const paymentIntentId = typeof intent === "string" ? intent : intent?.id;
  return { amountMinor: amount, currency: currency.toUpperCase(), status: status ?? "none", paymentIntentId };
}

/** A payment's amount is what was received, not what was asked for. */
function paymentRecord(intent: Stripe.PaymentIntent): ProviderRecord {
  const { amount_received: amount, currency, status, metadata } = intent;
  const of = { orgId: metadata[ORGANISATION_KEY], paymentId: metadata[PAYMENT_KEY] };
  return { ...recordOf({ amount, currency, status }), ...of };
}

/** Throws `AuditError` for a key that could write, or an address that is no simulator's. */
export function createStripeReader(key: string, url?: string): ProviderReader {
  const stripe = new Stripe(requireReadingKey(key), settingsOf(url));
  const within = (account: string | undefined) => (account === undefined ? {} : { stripeAccount: account });
  const retrieve = async (
    kind: FactKind,
    id: string,
    account: string | undefined,
  ): Promise<ProviderRecord> => {
    const options = within(account);
    if (kind === "payment") return paymentRecord(await stripe.paymentIntents.retrieve(id, {}, options));
    if (kind === "refund") return recordOf(await stripe.refunds.retrieve(id, {}, options));
    return recordOf(await stripe.disputes.retrieve(id, {}, options));
  };
  return {
    read: (kind, id, account) => withAdvice(() => found(() => retrieve(kind, id, account))),
    async *succeeded(orgId, sinceS, account) {
      const query = { created: { gte: sinceS }, limit: PAGE_MAX };
      let after: string | undefined;
      for (;;) {
        const from = after === undefined ? query : { ...query, starting_after: after };
        const page = await withAdvice(() => stripe.paymentIntents.list(from, within(account)));
        for (const intent of page.data) {
          const record = paymentRecord(intent);
          if (record.orgId === orgId && record.status === "succeeded") yield { id: intent.id, ...record };
        }
        after = page.data.at(-1)?.id;
        if (!page.has_more || after === undefined) return;
      }
    },
  };
}
