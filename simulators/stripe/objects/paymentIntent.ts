import type Stripe from "stripe";

export interface NewPaymentIntent {
  readonly id: string;
  readonly clientSecret: string;
  readonly created: number;
  readonly amount: number;
  readonly currency: string;
  readonly captureMethod: "automatic" | "automatic_async" | "manual";
  readonly automaticMethods: { readonly allowRedirects: "always" | "never" } | null;
  readonly description: string | null;
  readonly metadata: Stripe.Metadata;
  readonly receiptEmail: string | null;
  readonly statementDescriptorSuffix: string | null;
  readonly transferGroup: string | null;
  readonly setupFutureUsage: "off_session" | "on_session" | null;
}

/** A PaymentIntent that nobody tried to pay, in the shape of the pinned API version. */
export function newPaymentIntent(parts: NewPaymentIntent): Stripe.PaymentIntent {
  const { automaticMethods } = parts;
  return {
    id: parts.id,
    object: "payment_intent",
    allowed_payment_method_types: null,
    amount: parts.amount,
    amount_capturable: 0,
    amount_details: { tip: {} },
    amount_received: 0,
    application: null,
    application_fee_amount: null,
    automatic_payment_methods:
      automaticMethods === null ? null : { allow_redirects: automaticMethods.allowRedirects, enabled: true },
    canceled_at: null,
    cancellation_reason: null,
    capture_method: parts.captureMethod,
    client_secret: parts.clientSecret,
    confirmation_method: "automatic",
    created: parts.created,
    currency: parts.currency,
    customer: null,
    customer_account: null,
    description: parts.description,
    excluded_payment_method_types: null,
    last_payment_error: null,
    latest_charge: null,
    livemode: false,
    managed_payments: { enabled: false },
    metadata: parts.metadata,
    next_action: null,
    on_behalf_of: null,
    payment_method: null,
    payment_method_configuration_details: null,
    payment_method_options: {
      card: { installments: null, mandate_options: null, network: null, request_three_d_secure: "automatic" },
    },
    payment_method_types: ["card"],
    payment_record: null,
    processing: null,
    receipt_email: parts.receiptEmail,
    review: null,
    setup_future_usage: parts.setupFutureUsage,
    shipping: null,
    source: null,
    statement_descriptor: null,
    statement_descriptor_suffix: parts.statementDescriptorSuffix,
    status: "requires_payment_method",
    transfer_data: null,
    transfer_group: parts.transferGroup,
  };
}
