/** `Stripe-Signature`, as Stripe makes it. */
import { createHmac } from "node:crypto";

/**
 * The header for a body: `t=<seconds>,v1=<hex>[,v1=<hex>…]`, one HMAC-SHA256 of `<seconds>.<body>` for each secret.
 * The whole secret, prefix included, is the key, as UTF-8.
 */
export function signatureHeader(body: string, secrets: readonly string[], timeS: number): string {
  const signed = `${timeS}.${body}`;
  const schemes = secrets.map((secret) => `v1=${createHmac("sha256", secret).update(signed).digest("hex")}`);
  return [`t=${timeS}`, ...schemes].join(",");
}
