/** The headers that sign a message, after Standard Webhooks 1.0: HMAC-SHA256 over id, time and body, `v1`. */
import { Webhook } from "standardwebhooks";

/**
 * `secret` is `whsec_` and base64; `at` counts in whole seconds. A receiver verifies over the very bytes of the body, and
 * refuses messages that are older or newer than five minutes.
 */
export function webhookHeaders(
  secret: string,
  { id, at, body }: { id: string; at: Date; body: string },
): Record<string, string> {
  return {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
    "webhook-signature": new Webhook(secret).sign(id, at, body),
  };
}
