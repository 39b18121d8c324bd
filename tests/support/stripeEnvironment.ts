/** Variables of a Stripe that takes payments and links accounts, and that nobody reaches. Keys that guard nothing. */
export const STRIPE_ENVIRONMENT: Readonly<Record<string, string>> = {
  DAYBOOK_STRIPE_MODE: "test",
  DAYBOOK_STRIPE_WEBHOOK_SECRETS: `whsec_${"4".repeat(32)}`,
  DAYBOOK_STRIPE_SECRET_KEY: `sk_test_${"5".repeat(24)}`,
  DAYBOOK_STRIPE_CLIENT_ID: `ca_${"6".repeat(24)}`,
  DAYBOOK_STRIPE_API_URL: "http://127.0.0.1:9",
  DAYBOOK_STRIPE_UNLINKED: "platform",
  DAYBOOK_RETURN_ORIGINS: "https://app.example",
};
