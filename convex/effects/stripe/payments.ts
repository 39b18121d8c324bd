/**
 * Payments at Stripe: create, find again, call off. What an answer says is held against what was asked for before it is
 * believed; none of it says that money moved.
 */
import type { z } from "zod";
import { returnUrl, type StripeSettings } from "../../access/stripeSettings.ts";
import {
  checkoutSessionAnswer,
  listAnswer,
  paymentIntentAnswer,
  type CheckoutSessionAnswer,
  type PaymentIntentAnswer,
} from "./answers.ts";
import type { Failure } from "./classify.ts";
import { callStripe, type Called } from "./client.ts";
import { isProviderId } from "./identifiers.ts";
import {
  checkoutSessionParameters,
  hasSameUnits,
  ORGANISATION_KEY,
  PAYMENT_KEY,
  paymentIntentParameters,
  type PaymentToCreate,
} from "./parameters.ts";

/** How a call is addressed: whose account, and under which key it is the same call. */
export type CallOptions = { account: string | null; idempotencyKey: string };

/** What the payer pays with. */
export type PayerSecret = { kind: "client_secret" | "url"; text: string };

/** A payment as Stripe has it. */
export type CreatedPayment = {
  paymentIntentId?: string;
  checkoutSessionId?: string;
  livemode: boolean;
  secret: PayerSecret | null;
};

export type CreationResult = { kind: "created"; created: CreatedPayment } | Failure | { kind: "missing" };

const UNKNOWN = { kind: "unknown" } as const;

function accountOf(account: string | null): { stripeAccount?: string } {
  return account === null ? {} : { stripeAccount: account };
}

function isOurs(
  answer: { amount: number | null; currency: string; livemode: boolean; metadata: Record<string, string> },
  payment: PaymentToCreate,
  settings: StripeSettings,
): boolean {
  return (
    answer.metadata[ORGANISATION_KEY] === payment.orgId &&
    answer.metadata[PAYMENT_KEY] === payment.paymentId &&
    answer.amount === payment.amountMinor &&
    answer.currency === payment.currency &&
    answer.livemode === settings.livemode
  );
}

function createdIntent(intent: PaymentIntentAnswer): CreatedPayment {
  const { id, livemode, client_secret: text } = intent;
  const secret = text === null || text === undefined ? null : ({ kind: "client_secret", text } as const);
  return { paymentIntentId: id, livemode, secret };
}

function createdSession(session: CheckoutSessionAnswer): CreatedPayment {
  const { id, livemode, url, payment_intent: intent } = session;
  const secret = url === null || url === undefined ? null : ({ kind: "url", text: url } as const);
  return {
    checkoutSessionId: id,
    ...(intent === null ? {} : { paymentIntentId: intent }),
    livemode,
    secret,
  };
}

/** The intent in an answer when it is this payment's, as it was asked for. */
function readIntent(
  answer: unknown,
  payment: PaymentToCreate,
  settings: StripeSettings,
): CreatedPayment | null {
  const parsed = paymentIntentAnswer.safeParse(answer);
  return parsed.success && isOurs(parsed.data, payment, settings) ? createdIntent(parsed.data) : null;
}

function readSession(
  answer: unknown,
  payment: PaymentToCreate,
  settings: StripeSettings,
): CreatedPayment | null {
  const parsed = checkoutSessionAnswer.safeParse(answer);
  if (!parsed.success) return null;
  const isSame = isOurs({ ...parsed.data, amount: parsed.data.amount_total }, payment, settings);
  return isSame ? createdSession(parsed.data) : null;
}

/** An answer that is not what was asked for is one that says nothing. */
function creationOf(
  called: Called<unknown>,
  read: (answer: unknown) => CreatedPayment | null,
): CreationResult {
  if (called.kind !== "answered") return called;
  const created = read(called.answer);
  return created === null ? UNKNOWN : { kind: "created", created };
}

/**
 * Creates a payment. With the same key and the same payment it is the same call: within a day Stripe answers it with
 * what it made the first time.
 */
export async function createPayment(
  settings: StripeSettings,
  payment: PaymentToCreate,
  { account, idempotencyKey, returnPath = "/" }: CallOptions & { returnPath?: string | undefined },
): Promise<CreationResult> {
  if (!hasSameUnits(payment.currency)) return { kind: "failed", code: "currency_not_supported" };
  const options = { idempotencyKey, ...accountOf(account) };
  if (payment.method === "payment_intent") {
    const called = await callStripe(settings, (stripe) =>
      stripe.paymentIntents.create(paymentIntentParameters(payment), options),
    );
    return creationOf(called, (answer) => readIntent(answer, payment, settings));
  }
  const url = returnUrl(settings, { path: returnPath });
  if (url === null) return { kind: "failed", code: "return_url_not_allowed" };
  const called = await callStripe(settings, (stripe) =>
    stripe.checkout.sessions.create(checkoutSessionParameters(payment, { paid: url, left: url }), options),
  );
  return creationOf(called, (answer) => readSession(answer, payment, settings));
}

const PAGE = 100;
/** Pages that one search reads; what lies beyond them is looked for the next time. */
const PAGES_MAX = 20;

/** When something was made at Stripe: seconds UTC, both ends included. */
export type Window = { gte: number; lte: number };

/** Reads a list page by page until an item is the one. Only a list that was read to its end says that there is none. */
export async function findInList<Item>(
  readPage: (after: string | undefined) => Promise<Called<unknown>>,
  read: (item: unknown) => Item | null,
): Promise<{ kind: "found"; item: Item } | { kind: "missing" } | Failure> {
  let after: string | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const called = await readPage(after);
    if (called.kind !== "answered") return called;
    const list = listAnswer.safeParse(called.answer);
    if (!list.success) return UNKNOWN;
    for (const item of list.data.data) {
      const found = read(item);
      if (found !== null) return { kind: "found", item: found };
    }
    const last: unknown = list.data.data.at(-1);
    if (!list.data.has_more) return { kind: "missing" };
    after = idIn(last);
    if (after === undefined) return UNKNOWN;
  }
  return UNKNOWN;
}

function idIn(item: unknown): string | undefined {
  const id: unknown = typeof item === "object" && item !== null && "id" in item ? item.id : undefined;
  return typeof id === "string" && /^[A-Za-z0-9_]{4,255}$/.test(id) ? id : undefined;
}

/** Looks for a payment among those made in a window, by our own ids in what Stripe keeps beside it. Makes nothing. */
export async function findPayment(
  settings: StripeSettings,
  payment: PaymentToCreate,
  { account, window }: { account: string | null; window: Window },
): Promise<CreationResult> {
  const ofAccount = accountOf(account);
  const readPage = async (after: string | undefined): Promise<Called<unknown>> => {
    const query = { limit: PAGE, created: window, ...(after === undefined ? {} : { starting_after: after }) };
    return await callStripe(settings, async (stripe) =>
      payment.method === "payment_intent"
        ? await stripe.paymentIntents.list(query, ofAccount)
        : await stripe.checkout.sessions.list(query, ofAccount),
    );
  };
  const read = payment.method === "payment_intent" ? readIntent : readSession;
  const found = await findInList(readPage, (item) => read(item, payment, settings));
  return found.kind === "found" ? { kind: "created", created: found.item } : found;
}

/** Whether Stripe took the wish, or the payment was over already; what becomes of it, its deliveries tell. */
export type CancelResult = { kind: "asked" } | { kind: "over" } | Failure;

type Ids = { paymentIntentId: string | null; checkoutSessionId: string | null };

/** Whether a payment that Stripe does not call off has ended at Stripe: paid, cancelled, or its page used or expired. */
async function isOver(settings: StripeSettings, ids: Ids, account: string | null): Promise<boolean> {
  const { paymentIntentId: intent, checkoutSessionId: session } = ids;
  if (session !== null) {
    const read = await retrieveSession(settings, session, account);
    return read.kind === "read" && (read.value?.status === "complete" || read.value?.status === "expired");
  }
  const read = await retrieveIntent(settings, intent ?? "", account);
  return read.kind === "read" && (read.value?.status === "succeeded" || read.value?.status === "canceled");
}

/**
 * Asks Stripe to call a payment off. A second wish changes nothing, so that each attempt has a key of its own: under the
 * first one's Stripe would repeat its answer, a failure too, and carry out nothing.
 */
export async function cancelPayment(
  settings: StripeSettings,
  ids: Ids,
  { account, idempotencyKey }: CallOptions,
): Promise<CancelResult> {
  const options = { idempotencyKey, ...accountOf(account) };
  const { paymentIntentId: intent, checkoutSessionId: session } = ids;
  let called: Called<unknown>;
  if (session !== null) {
    if (!isProviderId("checkoutSession", session)) return { kind: "failed", code: "not_sent" };
    called = await callStripe(settings, (stripe) => stripe.checkout.sessions.expire(session, {}, options));
  } else {
    if (!isProviderId("paymentIntent", intent)) return { kind: "failed", code: "not_sent" };
    called = await callStripe(settings, (stripe) => stripe.paymentIntents.cancel(intent, {}, options));
  }
  if (called.kind === "answered") return { kind: "asked" };
  return called.kind === "failed" && (await isOver(settings, ids, account)) ? { kind: "over" } : called;
}

type Read<Answer> = { kind: "read"; value: Answer | null } | Failure;

/** An intent at Stripe; null when there is none under the id. */
export async function retrieveIntent(
  settings: StripeSettings,
  intent: string,
  account: string | null,
): Promise<Read<PaymentIntentAnswer>> {
  if (!isProviderId("paymentIntent", intent)) return { kind: "failed", code: "not_sent" };
  const called = await callStripe(settings, (stripe) =>
    stripe.paymentIntents.retrieve(intent, {}, accountOf(account)),
  );
  return await readAtStripe(called, paymentIntentAnswer);
}

/** A page of Stripe's; null when there is none under the id. */
export async function retrieveSession(
  settings: StripeSettings,
  session: string,
  account: string | null,
): Promise<Read<CheckoutSessionAnswer>> {
  if (!isProviderId("checkoutSession", session)) return { kind: "failed", code: "not_sent" };
  const called = await callStripe(settings, (stripe) =>
    stripe.checkout.sessions.retrieve(session, {}, accountOf(account)),
  );
  return await readAtStripe(called, checkoutSessionAnswer);
}

async function readAtStripe<Schema extends z.ZodType>(
  called: Called<unknown>,
  schema: Schema,
): Promise<Read<z.output<Schema>>> {
  if (called.kind === "failed" && called.code === "resource_missing") return { kind: "read", value: null };
  if (called.kind !== "answered") return called;
  const parsed = await schema.safeParseAsync(called.answer);
  return parsed.success ? { kind: "read", value: parsed.data } : UNKNOWN;
}
