/** What did not agree with what was signed or witnessed: kept as evidence, and read by the operator. */
import { v } from "convex/values";
import { mutation, query } from "./_generated/server.js";

const LIMIT = 200;

/** Keeps an incident of a tree, once for each kind and detail; answers whether it is new. */
export const record = mutation({
  args: { tree: v.string(), kind: v.string(), detail: v.string() },
  returns: v.boolean(),
  handler: async (ctx, { tree, kind, detail }) => {
    const known = await ctx.db
      .query("treeIncidents")
      .withIndex("by_tree_and_kind_and_detail", (q) =>
        q.eq("tree", tree).eq("kind", kind).eq("detail", detail),
      )
      .first();
    if (known === null) await ctx.db.insert("treeIncidents", { tree, kind, detail, at: Date.now() });
    return known === null;
  },
});

/** The newest 200 incidents, the newest first. */
export const list = query({
  args: {},
  returns: v.array(v.object({ tree: v.string(), kind: v.string(), detail: v.string(), at: v.number() })),
  handler: async (ctx) => {
    const rows = await ctx.db.query("treeIncidents").order("desc").take(LIMIT);
    return rows.map(({ tree, kind, detail, at }) => ({ tree, kind, detail, at }));
  },
});
