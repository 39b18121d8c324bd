/** Whether an organisation is closed, by its own events alone. */
import type { QueryCtx } from "./_generated/server.js";

/** Whether an organisation's last word on itself is that it is closed. */
export async function isClosed(ctx: Pick<QueryCtx, "db">, orgId: string): Promise<boolean> {
  const last = await ctx.db
    .query("events")
    .withIndex("by_orgId_and_stream_and_streamVersion", (q) =>
      q.eq("orgId", orgId).eq("stream", `organization/${orgId}`),
    )
    .order("desc")
    .first();
  return last?.type === "organization.closed";
}
