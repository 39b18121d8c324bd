/**
 * What Stripe answers, as far as it is used here; checked like any input (R53). Open unions stay open: a status that
 * is not known is a text that equals none of the known ones.
 */
import { z } from "zod";
import { isProviderId, type ProviderIdKind } from "./identifiers.ts";

const idOf = (kind: ProviderIdKind): z.ZodType<string> =>
  z.string().refine((text) => isProviderId(kind, text), `not an id of the kind ${kind}`);

const metadata = z.record(z.string(), z.string());
const amount = z.int().nonnegative();
/** Three letters, lower case on the wire and upper case here. */
const currency = z
  .string()
  .regex(/^[a-z]{3}$/)
  .transform((text) => text.toUpperCase());
/** Seconds UTC. */
const created = z.int().positive();

export const paymentIntentAnswer = z.object({
  object: z.literal("payment_intent"),
  id: idOf("paymentIntent"),
  amount,
  amount_received: amount,
  currency,
  livemode: z.boolean(),
  status: z.string(),
  created,
  metadata,
  client_secret: z.string().min(1).max(500).nullish(),
});
export type PaymentIntentAnswer = z.output<typeof paymentIntentAnswer>;

export const checkoutSessionAnswer = z.object({
  object: z.literal("checkout.session"),
  id: idOf("checkoutSession"),
  amount_total: amount,
  currency,
  livemode: z.boolean(),
  status: z.string().nullish(),
  payment_status: z.string(),
  payment_intent: idOf("paymentIntent").nullable(),
  created,
  metadata,
  url: z.string().max(4_000).nullish(),
});
export type CheckoutSessionAnswer = z.output<typeof checkoutSessionAnswer>;

export const refundAnswer = z.object({
  object: z.literal("refund"),
  id: idOf("refund"),
  amount,
  currency,
  status: z.string().nullable(),
  payment_intent: idOf("paymentIntent").nullable(),
  created,
  metadata: metadata.nullable(),
});
export type RefundAnswer = z.output<typeof refundAnswer>;

/** A page of a list. */
export const listAnswer = z.object({
  object: z.literal("list"),
  data: z.array(z.unknown()).max(100),
  has_more: z.boolean(),
});

export const oauthTokenAnswer = z.object({
  stripe_user_id: idOf("account"),
  livemode: z.boolean(),
  scope: z.string(),
});
