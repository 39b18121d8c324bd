/** Deliveries as Stripe sends them: events in its shapes, signed with WebCrypto, independently of the code under test. */
import { ulid } from "ulid";
import { WEBHOOK_SECRET } from "./stripeEnvironment.ts";

export const API_VERSION = "2026-10-28.endive";

export const nowSeconds = (): number => Math.floor(Date.now() / 1000);

const encoder = new TextEncoder();

/** HMAC-SHA256 over time, a dot and the bytes, in hex. */
export async function signatureOf(
  body: string | Uint8Array,
  seconds: string,
  secret = WEBHOOK_SECRET,
): Promise<string> {
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  const key = await crypto.subtle.importKey(
    "raw",
    encoder.encode(secret),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign"],
  );
  const message = new Uint8Array([...encoder.encode(`${seconds}.`), ...bytes]);
  const mac = await crypto.subtle.sign("HMAC", key, message);
  return [...new Uint8Array(mac)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A header as Stripe makes it, for a time in seconds. */
export async function headerFor(
  body: string | Uint8Array,
  { seconds = nowSeconds(), secret }: { seconds?: number; secret?: string } = {},
): Promise<string> {
  return `t=${seconds},v1=${await signatureOf(body, String(seconds), secret)},v0=${"0".repeat(64)}`;
}

/** An id of the provider that no other test uses. */
export function providerId(prefix: string): string {
  return `${prefix}_${ulid()}`;
}

export type StripeEvent = {
  id: string;
  object: string;
  api_version: string;
  created: number;
  livemode: boolean;
  pending_webhooks?: number;
  type: string;
  account?: string;
  data: { object: Record<string, unknown> };
};

export function eventOf(
  type: string,
  object: Record<string, unknown>,
  over: Partial<StripeEvent> = {},
): StripeEvent {
  return {
    id: providerId("evt"),
    object: "event",
    api_version: API_VERSION,
    created: nowSeconds(),
    livemode: false,
    type,
    data: { object },
    ...over,
  };
}

export const INTENT = { amount: 5000, currency: "eur", metadata: {} };

export function intent(
  id: string,
  status: string,
  over: Record<string, unknown> = {},
): Record<string, unknown> {
  const amountReceived = status === "succeeded" ? INTENT.amount : 0;
  return { id, object: "payment_intent", ...INTENT, amount_received: amountReceived, status, ...over };
}

export const succeeded = (id: string, over: Record<string, unknown> = {}): StripeEvent =>
  eventOf("payment_intent.succeeded", intent(id, "succeeded", over));

export function refundOf(
  paymentIntent: string,
  status: string,
  over: Record<string, unknown> = {},
): Record<string, unknown> {
  const id = providerId("re");
  return {
    id,
    object: "refund",
    payment_intent: paymentIntent,
    amount: 1000,
    currency: "eur",
    status,
    ...over,
  };
}
