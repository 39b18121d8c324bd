/** Two, as while one is being rotated; the first is the newer one. They guard nothing. */
export const WEBHOOK_SECRET = `whsec_${"4".repeat(32)}`;
export const OLD_WEBHOOK_SECRET = `whsec_${"5".repeat(32)}`;

/**
 * Variables of a Stripe that takes payments and links accounts, with its API where nobody listens: what it would say
 * is delivered by the tests themselves.
 */
export const STRIPE_ENVIRONMENT: Readonly<Record<string, string>> = {
  DAYBOOK_STRIPE_MODE: "test",
  DAYBOOK_STRIPE_WEBHOOK_SECRETS: `${WEBHOOK_SECRET},${OLD_WEBHOOK_SECRET}`,
  DAYBOOK_STRIPE_SECRET_KEY: `sk_test_${"5".repeat(24)}`,
  DAYBOOK_STRIPE_CLIENT_ID: `ca_${"6".repeat(24)}`,
  DAYBOOK_STRIPE_API_URL: "http://127.0.0.1:9",
  DAYBOOK_STRIPE_UNLINKED: "platform",
  DAYBOOK_RETURN_ORIGINS: "https://app.example",
};
