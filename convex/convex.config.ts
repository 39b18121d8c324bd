import rateLimiter from "@convex-dev/rate-limiter/convex.config";
import { defineApp } from "convex/server";
import { v } from "convex/values";
import events from "./events/convex.config.ts";

const app = defineApp({
  env: {
    DAYBOOK_INVITATION_KEYS: v.string(),
    DAYBOOK_FINGERPRINT_KEY: v.string(),
    DAYBOOK_SEALING_KEYS: v.string(),
    DAYBOOK_ORG_CLAIM: v.optional(v.string()),
    DAYBOOK_ISSUED_AT_CLAIM: v.optional(v.string()),
    DAYBOOK_AUTH_TIME_CLAIM: v.optional(v.string()),
    DAYBOOK_RATE_LIMIT_PERCENT: v.optional(v.string()),
    DAYBOOK_ALERT_WEBHOOK_URL: v.optional(v.string()),
    DAYBOOK_ALERT_WEBHOOK_SECRET: v.optional(v.string()),
    DAYBOOK_STRIPE_SECRET_KEY: v.optional(v.string()),
    DAYBOOK_STRIPE_WEBHOOK_SECRETS: v.optional(v.string()),
    DAYBOOK_STRIPE_TOLERANCE_SECONDS: v.optional(v.string()),
    DAYBOOK_STRIPE_MODE: v.optional(v.string()),
    DAYBOOK_STRIPE_CLIENT_ID: v.optional(v.string()),
    DAYBOOK_STRIPE_API_URL: v.optional(v.string()),
    DAYBOOK_STRIPE_UNLINKED: v.optional(v.string()),
    DAYBOOK_RETURN_ORIGINS: v.optional(v.string()),
    DAYBOOK_DEPLOYMENT: v.string(),
    DAYBOOK_CHECKPOINT_KEYS: v.string(),
    DAYBOOK_CHECKPOINT_INTERVAL_MINUTES: v.optional(v.string()),
    DAYBOOK_CHECKPOINT_EVENTS: v.optional(v.string()),
    DAYBOOK_WITNESSES: v.optional(v.string()),
  },
});
app.use(events, {
  env: {
    DAYBOOK_STRIPE_WEBHOOK_SECRETS: app.env.DAYBOOK_STRIPE_WEBHOOK_SECRETS,
    DAYBOOK_STRIPE_TOLERANCE_SECONDS: app.env.DAYBOOK_STRIPE_TOLERANCE_SECONDS,
    DAYBOOK_STRIPE_MODE: app.env.DAYBOOK_STRIPE_MODE,
    DAYBOOK_DEPLOYMENT: app.env.DAYBOOK_DEPLOYMENT,
    DAYBOOK_CHECKPOINT_KEYS: app.env.DAYBOOK_CHECKPOINT_KEYS,
  },
});
app.use(rateLimiter);

export default app;
