/** Members of an organisation, removed ones included. */
import { paginationResultValidator } from "convex/server";
import { v } from "convex/values";
import { paginationOpts } from "../access/arguments.ts";
import { roleValidator } from "../schema.ts";
import { mapPage, provenance } from "./page.ts";
import { defineProjection, foundedBy, keyInStreams, streamId, type Row } from "./projection.ts";
import { projectionQuery } from "./projectionQuery.ts";

export const members = defineProjection({
  table: "members",
  key: keyInStreams("member"),
  keyOf: ({ userId }) => userId,
  rows: (tenant) => tenant.rows("members", "by_orgId_and_userId"),
  find: async (tenant, userId) =>
    await tenant.rows("members", "by_orgId_and_userId", (q) => q.eq("userId", userId)).unique(),
  fold: (row, event): Row<"members"> | null => {
    const version = event.streamVersion;
    switch (event.type) {
      case "member.joined": {
        const joined = { role: event.data.role, status: "active" as const, joinedAt: event.recordedAt };
        return row === null
          ? { userId: streamId(event), ...joined, ...foundedBy(event) }
          : { ...row, ...joined, version };
      }
      case "member.roleChanged":
        return row === null ? null : { ...row, role: event.data.role, version };
      case "member.removed":
        return row === null ? null : { ...row, status: "removed", version };
      default:
        return row;
    }
  },
});

/** Members by user id. */
export const list = projectionQuery({
  function: "projections/members:list",
  args: { paginationOpts },
  returns: paginationResultValidator(
    v.object({
      userId: v.string(),
      role: roleValidator,
      status: v.union(v.literal("active"), v.literal("removed")),
      joinedAt: v.number(),
      ...provenance,
    }),
  ),
  handler: async ({ tenant, args }) => {
    const result = await tenant.rows("members", "by_orgId_and_userId").paginate(args.paginationOpts);
    return mapPage(result, ({ userId, role, status, joinedAt, version, createdAt, createdBy }) => {
      return { userId, role, status, joinedAt, version, createdAt, createdBy };
    });
  },
});
