/** Reads parked deliveries: what may be taken up again, and the operator's list. */
import { v } from "convex/values";
import type { Doc } from "./_generated/dataModel.js";
import { query, type QueryCtx } from "./_generated/server.js";
import { concernedOrg, recordOf, recordValidator } from "./deliveryRecord.ts";

/** Most rows that one read returns. */
const LIMIT_MAX = 100;

type Page = { rows: Doc<"deliveries">[]; next: number | null };

/** Reads one row more than a page has, so as to know whether there is another page. */
async function pageOf(limit: number, take: (size: number) => Promise<Doc<"deliveries">[]>): Promise<Page> {
  const size = Math.min(Math.max(1, Math.floor(limit)), LIMIT_MAX);
  const found = await take(size + 1);
  const rows = found.slice(0, size);
  const last = rows.at(-1);
  return { rows, next: found.length > size && last !== undefined ? last._creationTime : null };
}

/**
 * Ids of up to `limit` (at most 100) parked deliveries about one object of the provider, or of one organisation and
 * reason, oldest first, after a time of creation; and where the next page begins, null after the last.
 */
export const waiting = query({
  args: {
    of: v.union(v.object({ subjectId: v.string() }), v.object({ orgId: v.string(), reason: v.string() })),
    after: v.number(),
    limit: v.number(),
  },
  returns: v.object({ deliveryIds: v.array(v.string()), next: v.union(v.null(), v.number()) }),
  handler: async (ctx, { of, after, limit }) => {
    const table = ctx.db.query("deliveries");
    const found =
      "subjectId" in of
        ? table.withIndex("by_status_and_subjectId", (q) =>
            q.eq("status", "parked").eq("subjectId", of.subjectId).gt("_creationTime", after),
          )
        : table.withIndex("by_status_and_orgId_and_reason", (q) =>
            q.eq("status", "parked").eq("orgId", of.orgId).eq("reason", of.reason).gt("_creationTime", after),
          );
    const { rows, next } = await pageOf(limit, async (size) => await found.take(size));
    return {
      deliveryIds: rows.filter(({ isConflict }) => !isConflict).map(({ deliveryId }) => deliveryId),
      next,
    };
  },
});

/** Parked rows before a time of creation, the newest first, by what is asked of them. */
function parkedBefore(ctx: QueryCtx, { orgId, reason, before }: Asked) {
  const table = ctx.db.query("deliveries");
  if (orgId !== undefined && reason !== undefined) {
    return table.withIndex("by_status_and_orgId_and_reason", (q) =>
      q.eq("status", "parked").eq("orgId", orgId).eq("reason", reason).lt("_creationTime", before),
    );
  }
  if (orgId !== undefined) {
    return table.withIndex("by_status_and_orgId", (q) =>
      q.eq("status", "parked").eq("orgId", orgId).lt("_creationTime", before),
    );
  }
  if (reason !== undefined) {
    return table.withIndex("by_status_and_reason", (q) =>
      q.eq("status", "parked").eq("reason", reason).lt("_creationTime", before),
    );
  }
  return table.withIndex("by_status", (q) => q.eq("status", "parked").lt("_creationTime", before));
}

type Asked = { orgId?: string; reason?: string; before: number };

/**
 * Parked deliveries, newest first, at most 100: over all organisations, or of one, or for one reason. `before`: a time
 * of creation, null for the newest; `next`: where the next page begins, null after the last.
 */
export const list = query({
  args: {
    orgId: v.optional(v.string()),
    reason: v.optional(v.string()),
    before: v.union(v.null(), v.number()),
    limit: v.number(),
  },
  returns: v.object({ records: v.array(recordValidator), next: v.union(v.null(), v.number()) }),
  handler: async (ctx, { before, limit, ...asked }) => {
    const found = parkedBefore(ctx, { ...asked, before: before ?? Number.MAX_SAFE_INTEGER });
    const { rows, next } = await pageOf(limit, async (size) => await found.order("desc").take(size));
    const records = await Promise.all(rows.map(async (row) => recordOf(row, await concernedOrg(ctx, row))));
    return { records, next };
  },
});
