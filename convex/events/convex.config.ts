import { defineComponent } from "convex/server";
import { v } from "convex/values";

export default defineComponent("events", {
  env: {
    DAYBOOK_STRIPE_WEBHOOK_SECRETS: v.optional(v.string()),
    DAYBOOK_STRIPE_MODE: v.optional(v.string()),
    DAYBOOK_STRIPE_TOLERANCE_SECONDS: v.optional(v.string()),
    DAYBOOK_DEPLOYMENT: v.string(),
    DAYBOOK_CHECKPOINT_KEYS: v.string(),
  },
});
