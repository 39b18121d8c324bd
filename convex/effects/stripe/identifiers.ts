/** Ids of Stripe's as they go into the address of a call: checked before, because an empty or odd one is another call (H11). */

const PATTERNS = {
  paymentIntent: /^pi_[A-Za-z0-9]{8,250}$/,
  checkoutSession: /^cs_[A-Za-z0-9_]{8,250}$/,
  refund: /^(?:re|pyr)_[A-Za-z0-9]{8,250}$/,
  account: /^acct_[A-Za-z0-9]{8,64}$/,
} as const;

export type ProviderIdKind = keyof typeof PATTERNS;

/** Whether a text is an id of this kind, and nothing besides. */
export function isProviderId(kind: ProviderIdKind, text: unknown): text is string {
  return typeof text === "string" && PATTERNS[kind].test(text);
}

/** The id. Throws before anything is sent when it is none of this kind; the message does not repeat it. */
export function requireProviderId(kind: ProviderIdKind, text: unknown): string {
  if (!isProviderId(kind, text)) throw new Error(`not an id of this kind: ${kind}`);
  return text;
}
