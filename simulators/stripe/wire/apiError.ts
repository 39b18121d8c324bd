/** Stripe's error answers. */

export type ErrorType = "api_error" | "card_error" | "idempotency_error" | "invalid_request_error";

export interface ErrorDetails {
  readonly type?: ErrorType;
  readonly code?: string;
  readonly param?: string;
  readonly decline_code?: string;
  readonly charge?: string;
  readonly payment_intent?: object;
  readonly payment_method?: object;
  /** False when nothing had begun: an idempotency key saves no such answer. */
  readonly isSaved?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An error that is answered as Stripe answers it: HTTP status, and `{error: {type, message, code?, param? …}}`. */
export class StripeApiError extends Error {
  readonly status: number;
  readonly isSaved: boolean;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: { readonly error: Readonly<Record<string, unknown>> };

  constructor(status: number, message: string, details: ErrorDetails = {}) {
    super(message);
    const { type = "invalid_request_error", isSaved = true, headers = {}, ...rest } = details;
    this.status = status;
    this.isSaved = isSaved;
    this.headers = headers;
    const help = rest.code === undefined ? {} : { doc_url: docUrl(rest.code) };
    this.body = { error: { ...rest, ...help, message, type } };
  }
}

const docUrl = (code: string) => `https://stripe.com/docs/error-codes/${code.replaceAll("_", "-")}`;

/** 404 for an id that the account does not have; `kind` as Stripe names it, like `payment_intent`. */
export function noSuch(kind: string, id: string, param = "intent"): StripeApiError {
  return new StripeApiError(404, `No such ${kind}: '${id}'`, { code: "resource_missing", param });
}

/** 400 for an object that is in no state for this. */
export function unexpectedState(message: string, object: object): StripeApiError {
  return new StripeApiError(400, message, {
    code: "payment_intent_unexpected_state",
    payment_intent: object,
  });
}

/** 400 for parameters that were refused before anything began. */
export function badParameter(param: string, message: string, code?: string): StripeApiError {
  return new StripeApiError(400, message, {
    param,
    isSaved: false,
    ...(code === undefined ? {} : { code }),
  });
}
