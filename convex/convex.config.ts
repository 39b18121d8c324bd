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
    DAYBOOK_DEPLOYMENT: v.string(),
    DAYBOOK_CHECKPOINT_KEYS: v.string(),
    DAYBOOK_CHECKPOINT_INTERVAL_MINUTES: v.optional(v.string()),
    DAYBOOK_CHECKPOINT_EVENTS: v.optional(v.string()),
    DAYBOOK_WITNESSES: v.optional(v.string()),
  },
});
app.use(events, {
  env: {
    DAYBOOK_DEPLOYMENT: app.env.DAYBOOK_DEPLOYMENT,
    DAYBOOK_CHECKPOINT_KEYS: app.env.DAYBOOK_CHECKPOINT_KEYS,
  },
});
app.use(rateLimiter);

export default app;
