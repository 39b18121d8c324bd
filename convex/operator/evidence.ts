/** What the operator looks at of the evidence: the log of logs, and what did not agree with it. */
import { v } from "convex/values";
import { components } from "../_generated/api.js";
import { internalQuery } from "../_generated/server.js";

/** The deployment's keys, its newest checkpoint with who cosigned it, and the newest 200 incidents. */
export const status = internalQuery({
  args: {},
  returns: v.object({
    deployment: v.string(),
    keys: v.array(v.string()),
    log: v.union(
      v.null(),
      v.object({ size: v.number(), root: v.string(), at: v.number(), witnesses: v.array(v.string()) }),
    ),
    incidents: v.array(v.object({ tree: v.string(), kind: v.string(), detail: v.string(), at: v.number() })),
  }),
  handler: async (ctx) => {
    const { deployment, keys } = await ctx.runQuery(components.events.proofs.keys, {});
    const newest = await ctx.runQuery(components.events.proofs.checkpoint, { tree: "log" });
    const incidents = await ctx.runQuery(components.events.incidents.list, {});
    const witnesses = (newest?.witnesses ?? []).map(({ name }) => name);
    const log = newest === null ? null : { size: newest.size, root: newest.root, at: newest.at, witnesses };
    return { deployment, keys, log, incidents };
  },
});
