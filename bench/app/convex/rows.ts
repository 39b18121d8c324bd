/** The functions that the benchmark measures, on the embedded host and on convex-test. */
import {
  mutationGeneric,
  queryGeneric,
  type DataModelFromSchemaDefinition,
  type MutationBuilder,
  type QueryBuilder,
} from "convex/server";
import { v } from "convex/values";
import type schema from "./schema.ts";

type DataModel = DataModelFromSchemaDefinition<typeof schema>;

const query: QueryBuilder<DataModel, "public"> = queryGeneric;
const mutation: MutationBuilder<DataModel, "public"> = mutationGeneric;

const PAGE_LENGTH = 20;
const position = { group: v.number(), at: v.number() };

export const insert = mutation({
  args: { ...position, body: v.string() },
  returns: v.id("rows"),
  handler: async (ctx, row) => await ctx.db.insert("rows", row),
});

/** `count` rows of one group, from `at` on. */
export const fill = mutation({
  args: { ...position, count: v.number(), body: v.string() },
  returns: v.null(),
  handler: async (ctx, { group, at, count, body }) => {
    for (let offset = 0; offset < count; offset += 1) {
      await ctx.db.insert("rows", { group, at: at + offset, body });
    }
    return null;
  },
});

/** One row through the index. */
export const read = query({
  args: position,
  returns: v.union(v.string(), v.null()),
  handler: async (ctx, { group, at }) => {
    const row = await ctx.db
      .query("rows")
      .withIndex("by_group_and_at", (range) => range.eq("group", group).eq("at", at))
      .first();
    return row?.body ?? null;
  },
});

/** The newest rows of a group. Its log line counts evaluations. */
export const newest = query({
  args: { group: v.number() },
  returns: v.array(v.number()),
  handler: async (ctx, { group }) => {
    console.log("evaluated");
    const rows = await ctx.db
      .query("rows")
      .withIndex("by_group_and_at", (range) => range.eq("group", group))
      .order("desc")
      .take(PAGE_LENGTH);
    return rows.map(({ at }) => at);
  },
});

/** The rows of a group from `at` on, one page of them. */
export const page = query({
  args: position,
  returns: v.array(v.number()),
  handler: async (ctx, { group, at }) => {
    const rows = await ctx.db
      .query("rows")
      .withIndex("by_group_and_at", (range) => range.eq("group", group).gte("at", at))
      .take(PAGE_LENGTH);
    return rows.map((row) => row.at);
  },
});
