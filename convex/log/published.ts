/** What the deployment publishes of its logs, to whoever asks: signed heads with cosignatures, and public keys. */
import { v } from "convex/values";
import { components } from "../_generated/api.js";
import { internalQuery } from "../_generated/server.js";

/** The newest checkpoint of a tree as it is published; null when there is none. */
export const checkpoint = internalQuery({
  args: { tree: v.string() },
  returns: v.union(v.null(), v.string()),
  handler: async (ctx, { tree }) =>
    (await ctx.runQuery(components.events.proofs.checkpoint, { tree }))?.note ?? null,
});

/** The public keys, one verifier key a line, the current one first. */
export const keys = internalQuery({
  args: {},
  returns: v.string(),
  handler: async (ctx) => {
    const { keys: lines } = await ctx.runQuery(components.events.proofs.keys, {});
    return lines.map((line) => `${line}\n`).join("");
  },
});
