import { defineComponent } from "convex/server";
import { v } from "convex/values";

export default defineComponent("events", {
  env: {
    DAYBOOK_DEPLOYMENT: v.string(),
    DAYBOOK_CHECKPOINT_KEYS: v.string(),
  },
});
