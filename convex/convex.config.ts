import rateLimiter from "@convex-dev/rate-limiter/convex.config";
import { defineApp } from "convex/server";
import { v } from "convex/values";
import events from "./events/convex.config.ts";

const app = defineApp({
  env: {
    DAYBOOK_INVITATION_KEYS: v.string(),
    DAYBOOK_FINGERPRINT_KEY: v.string(),
    DAYBOOK_ORG_CLAIM: v.optional(v.string()),
    DAYBOOK_ISSUED_AT_CLAIM: v.optional(v.string()),
    DAYBOOK_AUTH_TIME_CLAIM: v.optional(v.string()),
    DAYBOOK_RATE_LIMIT_PERCENT: v.optional(v.string()),
    DAYBOOK_STRIPE_SECRET_KEY: v.optional(v.string()),
    DAYBOOK_STRIPE_MODE: v.optional(v.string()),
    DAYBOOK_STRIPE_CLIENT_ID: v.optional(v.string()),
    DAYBOOK_STRIPE_API_URL: v.optional(v.string()),
    DAYBOOK_STRIPE_UNLINKED: v.optional(v.string()),
    DAYBOOK_RETURN_ORIGINS: v.optional(v.string()),
  },
});
app.use(events);
app.use(rateLimiter);

export default app;
