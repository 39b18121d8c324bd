/** `/v1/checkout/sessions`, in payment mode on the hosted page. */
import type Stripe from "stripe";
import { z } from "zod";
import { recordEvent } from "../events/recordEvent.ts";
import { newCheckoutSession } from "../objects/checkoutSession.ts";
import { newId } from "../state/ids.ts";
import type { AccountBook } from "../state/simulatorState.ts";
import { later } from "../state/work.ts";
import type { Work } from "../state/work.ts";
import { badParameter, noSuch, StripeApiError } from "../wire/apiError.ts";
import type { Call } from "../wire/call.ts";
import { listPage, pageParameters } from "../wire/listPage.ts";
import { integer, metadata, oneOf, readParameters, text, webUrl } from "../wire/parameters.ts";
import { assertChargeable, parseCurrency } from "./currencies.ts";
import { AMOUNT_MAX, assertChargesEnabled, endIntent, openIntent } from "./paymentIntents.ts";
import { idOf } from "../objects/reference.ts";

const LINE_ITEM = z.strictObject({
  quantity: integer(1, 1_000_000).optional(),
  price_data: z.strictObject({
    currency: text(3),
    unit_amount: integer(0, AMOUNT_MAX),
    product_data: z.strictObject({
      name: text(),
      description: text().optional(),
      metadata: metadata.optional(),
    }),
  }),
});

const CREATE = z.strictObject({
  mode: oneOf(["payment"]),
  success_url: webUrl,
  cancel_url: webUrl.optional(),
  client_reference_id: text(200).optional(),
  customer_email: text(512).optional(),
  expires_at: integer(0).optional(),
  line_items: z.array(LINE_ITEM).min(1).max(100),
  metadata: metadata.optional(),
  payment_intent_data: z
    .strictObject({
      capture_method: oneOf(["automatic", "automatic_async", "manual"]).optional(),
      description: text().optional(),
      metadata: metadata.optional(),
    })
    .optional(),
  payment_method_types: z.array(oneOf(["card"])).optional(),
  submit_type: oneOf(["auto", "book", "donate", "pay"]).optional(),
  ui_mode: oneOf(["hosted_page"]).optional(),
});
type CreateParameters = z.infer<typeof CREATE>;

const MINUTE_S = 60;
const LIFETIME_S = { least: 30 * MINUTE_S, most: 24 * 60 * MINUTE_S };

/** The account's session of this id. @throws StripeApiError (404) */
export function sessionOf(book: AccountBook, id: string): Stripe.Checkout.Session {
  const session = book.sessions.get(id);
  if (session === undefined) throw noSuch("checkout.session", id, "session");
  return session;
}

function total({ line_items: items }: CreateParameters): { amount: number; currency: string } {
  const currencies = new Set(
    items.map(({ price_data: price }, index) =>
      parseCurrency(price.currency, `line_items[${index}][price_data][currency]`),
    ),
  );
  const [currency, other] = currencies;
  if (currency === undefined || other !== undefined) {
    throw badParameter("line_items", "The line items of a session must have one currency.");
  }
  const amount = items.reduce((sum, item) => sum + item.price_data.unit_amount * (item.quantity ?? 1), 0);
  if (amount > AMOUNT_MAX) {
    throw badParameter("line_items", `The total must be at most ${AMOUNT_MAX}.`, "amount_too_large");
  }
  assertChargeable(amount, currency, "line_items");
  return { amount, currency };
}

function expiry(work: Work, asked: number | undefined): number {
  const expiresAt = asked ?? work.nowS + LIFETIME_S.most;
  const lifetime = expiresAt - work.nowS;
  if (lifetime < LIFETIME_S.least || lifetime > LIFETIME_S.most) {
    throw badParameter(
      "expires_at",
      "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation.",
    );
  }
  return expiresAt;
}

/** `POST /v1/checkout/sessions` */
export function createSession({ work, fields }: Call): Stripe.Checkout.Session {
  const parameters = readParameters(CREATE, fields);
  const { amount, currency } = total(parameters);
  assertChargesEnabled(work.book);
  const id = newId(work.ids, "checkoutSession");
  const session = newCheckoutSession({
    id,
    created: work.nowS,
    expiresAt: expiry(work, parameters.expires_at),
    amount,
    currency,
    successUrl: parameters.success_url,
    cancelUrl: parameters.cancel_url ?? null,
    clientReferenceId: parameters.client_reference_id ?? null,
    customerEmail: parameters.customer_email ?? null,
    metadata: parameters.metadata ?? {},
    submitType: parameters.submit_type ?? null,
    url: `${work.settings.url()}/_simulator#${id}`,
  });
  const data = parameters.payment_intent_data;
  work.book.sessions.set(id, session);
  work.book.checkoutIntentData.set(id, {
    captureMethod: data?.capture_method ?? "automatic_async",
    description: data?.description ?? null,
    metadata: data?.metadata ?? {},
  });
  later(work, {
    kind: "expire_session",
    dueMs: session.expires_at * 1000,
    accountId: work.book.account.id,
    id,
  });
  return session;
}

/** The session's PaymentIntent, made at the payer's first attempt. */
export function intentOfSession(work: Work, session: Stripe.Checkout.Session): Stripe.PaymentIntent {
  const existing = work.book.paymentIntents.get(idOf(session.payment_intent));
  if (existing !== undefined) return existing;
  const data = work.book.checkoutIntentData.get(session.id);
  if (session.amount_total === null || session.currency === null || data === undefined) {
    throw new Error(`${session.id} has nothing to pay`);
  }
  const intent = openIntent(work, {
    amount: session.amount_total,
    currency: session.currency,
    captureMethod: data.captureMethod,
    automaticMethods: null,
    description: data.description,
    metadata: data.metadata,
    receiptEmail: null,
    statementDescriptorSuffix: null,
    transferGroup: null,
    setupFutureUsage: null,
  });
  session.payment_intent = intent.id;
  return intent;
}

/** @throws StripeApiError (400) when the session is complete or expired. */
export function assertOpenSession(session: Stripe.Checkout.Session): void {
  if (session.status === "open") return;
  throw new StripeApiError(
    400,
    `Only Checkout Sessions with a status in ["open"] can be changed. This Checkout Session has a status of ${String(session.status)}.`,
    { param: "session" },
  );
}

/** The payer is through: the session is complete, paid or waiting for the payer's bank. */
export function completeSession(work: Work, session: Stripe.Checkout.Session, isPaid: boolean): void {
  session.status = "complete";
  session.payment_status = isPaid ? "paid" : "unpaid";
  session.url = null;
  session.customer_details = {
    address: { city: null, country: "DE", line1: null, line2: null, postal_code: null, state: null },
    business_name: null,
    email: session.customer_email ?? "payer@example.com",
    individual_name: null,
    name: "Jenny Rosen",
    phone: null,
    tax_exempt: "none",
    tax_ids: [],
  };
  recordEvent(work, "checkout.session.completed", session);
}

/** Ends an open session, and the PaymentIntent that it may have. */
export function endSession(work: Work, session: Stripe.Checkout.Session): void {
  assertOpenSession(session);
  session.status = "expired";
  session.url = null;
  const intent = work.book.paymentIntents.get(idOf(session.payment_intent));
  if (intent !== undefined) endIntent(work, intent, "expired");
  recordEvent(work, "checkout.session.expired", session);
}

/** `POST /v1/checkout/sessions/:id/expire` */
export function expireSession({ work, fields, id }: Call): Stripe.Checkout.Session {
  readParameters(z.strictObject({}), fields);
  const session = sessionOf(work.book, id);
  endSession(work, session);
  return session;
}

export const retrieveSession = ({ work, id }: Call): object => sessionOf(work.book, id);

const LIST = z.strictObject({
  ...pageParameters,
  payment_intent: text().optional(),
  status: oneOf(["complete", "expired", "open"]).optional(),
});

/** `GET /v1/checkout/sessions` */
export function listSessions({ work, fields }: Call): object {
  const parameters = readParameters(LIST, fields);
  const { payment_intent: intent = null, status = null } = parameters;
  const sessions = [...work.book.sessions.values()].filter(
    (session) =>
      (intent === null || session.payment_intent === intent) &&
      (status === null || session.status === status),
  );
  return listPage("/v1/checkout/sessions", "checkout.session", sessions, parameters);
}
