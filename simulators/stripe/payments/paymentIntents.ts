/** `/v1/payment_intents` */
import type Stripe from "stripe";
import { z } from "zod";
import { recordEvent } from "../events/recordEvent.ts";
import { newPaymentIntent } from "../objects/paymentIntent.ts";
import type { NewPaymentIntent } from "../objects/paymentIntent.ts";
import { newId } from "../state/ids.ts";
import type { AccountBook, KeptPaymentMethod } from "../state/simulatorState.ts";
import type { Work } from "../state/work.ts";
import { badParameter, noSuch, StripeApiError, unexpectedState } from "../wire/apiError.ts";
import type { Call } from "../wire/call.ts";
import { listPage, pageParameters } from "../wire/listPage.ts";
import {
  boolean,
  integer,
  metadata,
  oneOf,
  orNull,
  readParameters,
  text,
  webUrl,
} from "../wire/parameters.ts";
import {
  afterCapture,
  approve,
  capture,
  declineAttempt,
  payersMethod,
  paymentMethodFor,
  requireAction,
} from "./attempt.ts";
import { assertChargeable, parseCurrency } from "./currencies.ts";
import { assertAllowed } from "./intentStates.ts";
import { idOf } from "../objects/reference.ts";

export const AMOUNT_MAX = 99_999_999;

const CREATE = z.strictObject({
  amount: integer(1, AMOUNT_MAX),
  currency: text(3),
  automatic_payment_methods: z
    .strictObject({ enabled: boolean, allow_redirects: oneOf(["always", "never"]).optional() })
    .optional(),
  capture_method: oneOf(["automatic", "automatic_async", "manual"]).default("automatic_async"),
  confirm: boolean.default(false),
  confirmation_method: oneOf(["automatic"]).optional(),
  description: orNull(text()),
  metadata: metadata.default({}),
  payment_method: text().optional(),
  payment_method_types: z.array(oneOf(["card"])).optional(),
  receipt_email: orNull(text()),
  return_url: orNull(webUrl),
  setup_future_usage: orNull(oneOf(["off_session", "on_session"])),
  statement_descriptor_suffix: orNull(text(22)),
  transfer_group: orNull(text()),
});
type CreateParameters = z.infer<typeof CREATE>;

const UPDATE = z.strictObject({
  amount: integer(1, AMOUNT_MAX).optional(),
  description: text().optional(),
  metadata: metadata.optional(),
  payment_method: text().optional(),
  receipt_email: text().optional(),
});

const CONFIRM = z.strictObject({
  payment_method: text().optional(),
  receipt_email: text().optional(),
  return_url: webUrl.optional(),
});

const CAPTURE = z.strictObject({ amount_to_capture: integer(1).optional(), metadata: metadata.optional() });

const CANCEL = z.strictObject({
  cancellation_reason: oneOf(["abandoned", "duplicate", "fraudulent", "requested_by_customer"]).optional(),
});

/** The account's intent of this id. @throws StripeApiError (404) */
export function intentOf(book: AccountBook, id: string): Stripe.PaymentIntent {
  const intent = book.paymentIntents.get(id);
  if (intent === undefined) throw noSuch("payment_intent", id);
  return intent;
}

const MISSING_METHOD =
  "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the " +
  "PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a payment " +
  "method or ConfirmationToken.";

function automaticMethods({
  automatic_payment_methods: methods,
  payment_method_types: types,
}: CreateParameters) {
  if (types !== undefined && methods?.enabled === true) {
    throw badParameter(
      "payment_method_types",
      "You may only specify one of these parameters: automatic_payment_methods, payment_method_types.",
    );
  }
  if (types !== undefined || methods?.enabled === false) return null;
  return { allowRedirects: methods?.allow_redirects ?? ("always" as const) };
}

function takeMethod(intent: Stripe.PaymentIntent, method: KeptPaymentMethod): void {
  intent.payment_method = method.object.id;
  intent.status = "requires_confirmation";
}

/** Makes an intent and records it, for the API and for Checkout. */
export function openIntent(
  work: Work,
  parts: Omit<NewPaymentIntent, "id" | "clientSecret" | "created">,
  method?: KeptPaymentMethod,
): Stripe.PaymentIntent {
  const id = newId(work.ids, "paymentIntent");
  const clientSecret = `${id}_secret_${work.ids.token(25)}`;
  const intent = newPaymentIntent({ ...parts, id, clientSecret, created: work.nowS });
  if (method !== undefined) takeMethod(intent, method);
  work.book.paymentIntents.set(id, intent);
  recordEvent(work, "payment_intent.created", intent);
  return intent;
}

/** @throws StripeApiError (400 account_invalid) when Stripe stopped the account's payments. */
export function assertChargesEnabled({ account }: AccountBook): void {
  if (account.charges_enabled) return;
  throw new StripeApiError(400, "Your account cannot currently make live charges.", {
    code: "account_invalid",
  });
}

/** What cannot be confirmed is not created either. */
function assertConfirmation(
  { confirm: isConfirmed, return_url: returnUrl }: CreateParameters,
  redirects: AutomaticMethods["allow_redirects"],
  method: KeptPaymentMethod | undefined,
): void {
  if (!isConfirmed) {
    if (returnUrl === null) return;
    throw badParameter("return_url", "You can only pass return_url when confirm is true.");
  }
  if (method === undefined) throw badParameter("payment_method", MISSING_METHOD, "parameter_missing");
  assertReturnUrl(redirects, returnUrl);
}

/** `POST /v1/payment_intents` */
export function createIntent({ work, fields }: Call): Stripe.PaymentIntent {
  const parameters = readParameters(CREATE, fields);
  const currency = parseCurrency(parameters.currency);
  assertChargeable(parameters.amount, currency);
  const methods = automaticMethods(parameters);
  const method =
    parameters.payment_method === undefined ? undefined : paymentMethodFor(work, parameters.payment_method);
  assertConfirmation(parameters, methods?.allowRedirects, method);
  assertChargesEnabled(work.book);
  const intent = openIntent(
    work,
    {
      amount: parameters.amount,
      currency,
      captureMethod: parameters.capture_method,
      automaticMethods: methods,
      description: parameters.description,
      metadata: parameters.metadata,
      receiptEmail: parameters.receipt_email,
      statementDescriptorSuffix: parameters.statement_descriptor_suffix,
      transferGroup: parameters.transfer_group,
      setupFutureUsage: parameters.setup_future_usage,
    },
    method,
  );
  if (parameters.confirm) confirm(work, intent, method, parameters.return_url);
  return intent;
}

/** `POST /v1/payment_intents/:id` */
export function updateIntent({ work, fields, id }: Call): Stripe.PaymentIntent {
  const parameters = readParameters(UPDATE, fields);
  const intent = intentOf(work.book, id);
  if (Object.keys(parameters).some((name) => name !== "metadata" && name !== "description")) {
    assertAllowed(intent, "update");
  }
  if (parameters.amount !== undefined) assertChargeable(parameters.amount, intent.currency);
  const method =
    parameters.payment_method === undefined ? undefined : paymentMethodFor(work, parameters.payment_method);
  intent.amount = parameters.amount ?? intent.amount;
  intent.description = parameters.description ?? intent.description;
  intent.receipt_email = parameters.receipt_email ?? intent.receipt_email;
  intent.metadata = mergedMetadata(intent.metadata, parameters.metadata);
  if (method !== undefined) takeMethod(intent, method);
  return intent;
}

/** Given values replace, empty ones remove. */
export function mergedMetadata(was: Stripe.Metadata, given: Stripe.Metadata | undefined): Stripe.Metadata {
  const merged = Object.entries({ ...was, ...given }).filter(([, value]) => value !== "");
  return Object.fromEntries(merged);
}

type AutomaticMethods = NonNullable<Stripe.PaymentIntent["automatic_payment_methods"]>;

function assertReturnUrl(redirects: AutomaticMethods["allow_redirects"], returnUrl: string | null): void {
  if (redirects !== "always" || returnUrl !== null) return;
  throw badParameter(
    "return_url",
    "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of these " +
      "payment methods might redirect your customer off of your page, you must provide a `return_url`. If you don't " +
      "want to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and " +
      "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents.",
  );
}

function confirm(
  work: Work,
  intent: Stripe.PaymentIntent,
  given: KeptPaymentMethod | undefined,
  returnUrl: string | null,
): void {
  assertAllowed(intent, "confirm");
  if (given === undefined && intent.payment_method === null) {
    throw unexpectedState(MISSING_METHOD, intent);
  }
  assertReturnUrl(intent.automatic_payment_methods?.allow_redirects, returnUrl);
  const method = given ?? payersMethod(work, intent);
  const { onConfirm } = method.behaviour;
  if (onConfirm === "approve") approve(work, intent, method);
  else if (onConfirm === "authenticate") requireAction(work, intent, method, returnUrl);
  else {
    const charge = declineAttempt(work, intent, method, onConfirm);
    throw new StripeApiError(402, onConfirm.message, {
      type: "card_error",
      code: onConfirm.code,
      charge: charge.id,
      payment_intent: structuredClone(intent),
      payment_method: method.object,
      ...(onConfirm.declineCode === null ? {} : { decline_code: onConfirm.declineCode }),
    });
  }
}

/** The intent of an open Checkout Session is the session's affair. */
function assertOutsideCheckout(book: AccountBook, intent: Stripe.PaymentIntent): void {
  const isOpenSession = ({ payment_intent: id, status }: Stripe.Checkout.Session) =>
    id === intent.id && status === "open";
  if (![...book.sessions.values()].some(isOpenSession)) return;
  throw unexpectedState(
    "This PaymentIntent belongs to an open Checkout Session. Pay through the session, or expire it.",
    intent,
  );
}

/** `POST /v1/payment_intents/:id/confirm` */
export function confirmIntent({ work, fields, id }: Call): Stripe.PaymentIntent {
  const parameters = readParameters(CONFIRM, fields);
  const intent = intentOf(work.book, id);
  assertOutsideCheckout(work.book, intent);
  assertAllowed(intent, "confirm");
  const given =
    parameters.payment_method === undefined ? undefined : paymentMethodFor(work, parameters.payment_method);
  intent.receipt_email = parameters.receipt_email ?? intent.receipt_email;
  confirm(work, intent, given, parameters.return_url ?? null);
  return intent;
}

/** `POST /v1/payment_intents/:id/capture` */
export function captureIntent({ work, fields, id }: Call): Stripe.PaymentIntent {
  const parameters = readParameters(CAPTURE, fields);
  const intent = intentOf(work.book, id);
  assertAllowed(intent, "capture");
  const amount = parameters.amount_to_capture ?? intent.amount_capturable;
  if (amount > intent.amount_capturable) {
    throw new StripeApiError(
      400,
      `The amount to be captured (${amount}) is greater than the amount capturable (${intent.amount_capturable}).`,
      { code: "amount_too_large", param: "amount_to_capture", payment_intent: structuredClone(intent) },
    );
  }
  const charge = work.book.charges.get(idOf(intent.latest_charge));
  if (charge === undefined) throw new Error(`${id} waits for its capture and has no charge`);
  intent.metadata = mergedMetadata(intent.metadata, parameters.metadata);
  capture(work, intent, charge, amount);
  recordEvent(work, "charge.captured", charge);
  recordEvent(work, "payment_intent.succeeded", intent);
  afterCapture(work, charge, payersMethod(work, intent));
  return intent;
}

/** Ends an intent; what was authorised and not captured is let go. */
export function endIntent(
  work: Work,
  intent: Stripe.PaymentIntent,
  reason: Stripe.PaymentIntent.CancellationReason | null,
): void {
  const charge = work.book.charges.get(idOf(intent.latest_charge));
  if (intent.status === "requires_capture" && charge !== undefined) {
    charge.amount_refunded = charge.amount;
    charge.refunded = true;
    recordEvent(work, "charge.refunded", charge);
  }
  intent.status = "canceled";
  intent.amount_capturable = 0;
  intent.canceled_at = work.nowS;
  intent.cancellation_reason = reason;
  intent.next_action = null;
  recordEvent(work, "payment_intent.canceled", intent);
}

/** `POST /v1/payment_intents/:id/cancel` */
export function cancelIntent({ work, fields, id }: Call): Stripe.PaymentIntent {
  const parameters = readParameters(CANCEL, fields);
  const intent = intentOf(work.book, id);
  assertOutsideCheckout(work.book, intent);
  assertAllowed(intent, "cancel");
  endIntent(work, intent, parameters.cancellation_reason ?? null);
  return intent;
}

export const retrieveIntent = ({ work, id }: Call): object => intentOf(work.book, id);

const LIST = z.strictObject(pageParameters);

export const listIntents = ({ work, fields }: Call): object =>
  listPage(
    "/v1/payment_intents",
    "payment_intent",
    work.book.paymentIntents.values(),
    readParameters(LIST, fields),
  );
