/** The API's routes. */
import { z } from "zod";
import { closeDispute, listDisputes, retrieveDispute, updateDispute } from "../payments/disputes.ts";
import { createSession, expireSession, listSessions, retrieveSession } from "../payments/checkoutSessions.ts";
import {
  cancelIntent,
  captureIntent,
  confirmIntent,
  createIntent,
  listIntents,
  retrieveIntent,
  updateIntent,
} from "../payments/paymentIntents.ts";
import {
  cancelRefund,
  createRefund,
  listRefunds,
  retrieveCharge,
  retrieveRefund,
} from "../payments/refunds.ts";
import { noSuch, StripeApiError } from "./apiError.ts";
import type { Call, Handler } from "./call.ts";
import { listPage, pageParameters } from "./listPage.ts";
import { boolean, readParameters, text } from "./parameters.ts";

export interface Route {
  readonly method: "GET" | "POST";
  readonly run: Handler;
  /** Open to publishable keys that know the intent's secret. */
  readonly isForPayers?: true;
}

const EVENTS = z.strictObject({
  ...pageParameters,
  type: text().optional(),
  types: z.array(text()).max(20).optional(),
  delivery_success: boolean.optional(),
});

function listEvents({ work, fields }: Call): object {
  const parameters = readParameters(EVENTS, fields);
  const { type, types, delivery_success: success } = parameters;
  const wanted = (name: string): boolean =>
    (type === undefined || (type.endsWith(".*") ? name.startsWith(type.slice(0, -1)) : name === type)) &&
    (types === undefined || types.includes(name));
  const undelivered = new Set(
    work.state.deliveries.filter(({ status }) => status !== "succeeded").map(({ eventId }) => eventId),
  );
  const events = [...work.book.events.values()].filter(
    (event) => wanted(event.type) && (success === undefined || undelivered.has(event.id) !== success),
  );
  return listPage("/v1/events", "event", events, parameters);
}

function retrieveEvent({ work, id }: Call): object {
  const event = work.book.events.get(id);
  if (event === undefined) throw noSuch("event", id, "id");
  return event;
}

function retrieveBalanceTransaction({ work, id }: Call): object {
  const transaction = work.book.balanceTransactions.get(id);
  if (transaction === undefined) throw noSuch("balance transaction", id, "id");
  return transaction;
}

function retrievePaymentMethod({ work, id }: Call): object {
  const kept = work.book.paymentMethods.get(id);
  if (kept === undefined) throw noSuch("PaymentMethod", id, "payment_method");
  return kept.object;
}

function retrieveAccount({ work, id }: Call): object {
  const { book, state } = work;
  const asked = id === "" ? book : state.accounts.get(id);
  const isOwn = asked === book || book.account.id === state.platformAccountId;
  if (asked?.connected === true && isOwn) return asked.account;
  throw new StripeApiError(
    403,
    `The provided key does not have access to account '${id}' (or that account does not exist). Application access ` +
      "may have been revoked.",
    { code: "account_invalid" },
  );
}

const get = (run: Handler): Route => ({ method: "GET", run });
const post = (run: Handler): Route => ({ method: "POST", run });
const forPayers = (route: Route): Route => ({ ...route, isForPayers: true });

const ROUTES: Readonly<Record<string, readonly Route[]>> = {
  "/v1/payment_intents": [get(listIntents), post(createIntent)],
  "/v1/payment_intents/:id": [forPayers(get(retrieveIntent)), post(updateIntent)],
  "/v1/payment_intents/:id/confirm": [forPayers(post(confirmIntent))],
  "/v1/payment_intents/:id/capture": [post(captureIntent)],
  "/v1/payment_intents/:id/cancel": [post(cancelIntent)],
  "/v1/checkout/sessions": [get(listSessions), post(createSession)],
  "/v1/checkout/sessions/:id": [get(retrieveSession)],
  "/v1/checkout/sessions/:id/expire": [post(expireSession)],
  "/v1/charges/:id": [get(retrieveCharge)],
  "/v1/refunds": [get(listRefunds), post(createRefund)],
  "/v1/refunds/:id": [get(retrieveRefund)],
  "/v1/refunds/:id/cancel": [post(cancelRefund)],
  "/v1/disputes": [get(listDisputes)],
  "/v1/disputes/:id": [get(retrieveDispute), post(updateDispute)],
  "/v1/disputes/:id/close": [post(closeDispute)],
  "/v1/balance_transactions/:id": [get(retrieveBalanceTransaction)],
  "/v1/payment_methods/:id": [get(retrievePaymentMethod)],
  "/v1/account": [get(retrieveAccount)],
  "/v1/accounts/:id": [get(retrieveAccount)],
  "/v1/events": [get(listEvents)],
  "/v1/events/:id": [get(retrieveEvent)],
};

const PATTERNS = Object.entries(ROUTES).map(([pattern, routes]) => ({
  form: new RegExp(`^${pattern.replace(":id", "([^/]+)")}/?$`),
  routes,
}));

export interface FoundRoute {
  readonly route: Route;
  readonly id: string;
}

/**
 * The route of a request. An empty id is the list's path, as at Stripe.
 * @throws StripeApiError (404) for everything else, also for what Stripe has and the simulator has not.
 */
export function findRoute(method: string, path: string): FoundRoute {
  for (const { form, routes } of PATTERNS) {
    const match = form.exec(path);
    const route = routes.find((candidate) => candidate.method === method);
    if (match !== null && route !== undefined) return { route, id: decoded(match[1] ?? "") };
  }
  throw new StripeApiError(404, `Unrecognized request URL (${method}: ${path}).`, { isSaved: false });
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
