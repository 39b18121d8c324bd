/** Members of an organisation, suspended and removed ones included. */
import { paginationResultValidator } from "convex/server";
import { v } from "convex/values";
import { paginationOpts } from "../access/arguments.ts";
import type { DomainEvent } from "../events/catalogue/catalogue.ts";
import { memberStatusValidator, roleValidator } from "../validators.ts";
import { mapPage, provenance } from "./page.ts";
import { defineProjection, foundedBy, keyInStreams, streamId, type Row } from "./projection.ts";
import { projectionQuery } from "./projectionQuery.ts";

/** What an event after joining changes in a member's row. */
function changeOf(event: DomainEvent): Partial<Row<"members">> {
  switch (event.type) {
    case "member.roleChanged":
      return { role: event.data.role };
    case "member.removed":
      return { status: "removed" };
    case "member.suspended":
      return { status: "suspended" };
    case "member.reinstated":
      return { status: "active" };
    case "member.sessionsRevoked":
      return { sessionsValidFrom: event.recordedAt };
    default:
      return {};
  }
}

export const members = defineProjection({
  table: "members",
  key: keyInStreams("member"),
  keyOf: ({ userId }) => userId,
  rows: (tenant) => tenant.rows("members", "by_orgId_and_userId"),
  find: async (tenant, userId) =>
    await tenant.rows("members", "by_orgId_and_userId", (q) => q.eq("userId", userId)).unique(),
  fold: (row, event): Row<"members"> | null => {
    const version = event.streamVersion;
    if (event.type === "member.joined") {
      const joined = { role: event.data.role, status: "active" as const, joinedAt: event.recordedAt };
      return row === null
        ? { userId: streamId(event), ...joined, ...foundedBy(event) }
        : { ...row, ...joined, version };
    }
    return row === null ? null : { ...row, ...changeOf(event), version };
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
      status: memberStatusValidator,
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
