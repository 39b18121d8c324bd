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
    DAYBOOK_ALERT_WEBHOOK_URL: v.optional(v.string()),
    DAYBOOK_ALERT_WEBHOOK_SECRET: v.optional(v.string()),
  },
});
app.use(events);
app.use(rateLimiter);

export default app;
