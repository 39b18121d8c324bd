import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

/** `rows`: written by `rows:insert` and `rows:fill`, read by the queries beside them. */
export default defineSchema({
  rows: defineTable({ group: v.number(), at: v.number(), body: v.string() }).index("by_group_and_at", [
    "group",
    "at",
  ]),
});
