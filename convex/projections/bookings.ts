/** Bookings, filtered by role: by row (whose they are) and by field (prices). */
import { paginationResultValidator, type PaginationResult } from "convex/server";
import { v } from "convex/values";
import { z } from "zod";
import type { Doc } from "../_generated/dataModel.js";
import { paginationOpts } from "../access/arguments.ts";
import { Refusal } from "../access/errors.ts";
import { requireRelation, type Condition } from "../access/policy.ts";
import type { TenantReader } from "../access/tenantDb.ts";
import { holdsSlot, statusAfter, type BookingStatus } from "../domain/booking.ts";
import { bookingId } from "../access/fields.ts";
import { bookingStatusValidator } from "../validators.ts";
import { cutPage, provenance } from "./page.ts";
import { defineProjection, foundedBy, keyInStreams, streamId, type Row } from "./projection.ts";
import { projectionQuery, type MemberView } from "./projectionQuery.ts";
import { filteredPageOptions, unassignedOr } from "./unassignedOr.ts";

export const bookings = defineProjection({
  table: "bookings",
  key: keyInStreams("booking"),
  keyOf: ({ bookingId }) => bookingId,
  rows: (tenant) => tenant.rows("bookings", "by_orgId_and_bookingId"),
  find: async (tenant, id) =>
    await tenant.rows("bookings", "by_orgId_and_bookingId", (q) => q.eq("bookingId", id)).unique(),
  fold: (row, event): Row<"bookings"> | null => {
    if (event.type === "booking.requested") {
      const { assigneeId = null, ...data } = event.data;
      const founded = { bookingId: streamId(event), ...data, assigneeId, ...foundedBy(event) };
      return { ...founded, status: "requested", holdsSlot: true };
    }
    if (row === null) return null;
    const moved = { ...row, version: event.streamVersion };
    switch (event.type) {
      case "booking.rescheduled":
        return { ...moved, startsAt: event.data.startsAt, endsAt: event.data.endsAt };
      case "booking.assigned":
        return { ...moved, assigneeId: event.data.assigneeId };
      case "booking.unassigned":
        return { ...moved, assigneeId: null };
      default: {
        const status = statusAfter(event.type) ?? row.status;
        return { ...moved, status, holdsSlot: holdsSlot(status) };
      }
    }
  },
});

const bookingRow = v.object({
  bookingId: v.string(),
  serviceId: v.string(),
  serviceName: v.string(),
  startsAt: v.number(),
  endsAt: v.number(),
  status: bookingStatusValidator,
  assigneeId: v.union(v.string(), v.null()),
  priceMinor: v.optional(v.number()),
  currency: v.optional(v.string()),
  depositMinor: v.optional(v.number()),
  ...provenance,
});

type PublicRow = typeof bookingRow.type;

/** The fields that a role may see; prices are left out where the policy says so. */
function publicRow(row: Doc<"bookings">, serviceName: string, condition: Condition): PublicRow {
  const { serviceId, startsAt, endsAt, status, assigneeId, version, createdAt, createdBy } = row;
  const times = { bookingId: row.bookingId, serviceId, serviceName, startsAt, endsAt };
  const visible = { ...times, status, assigneeId, version, createdAt, createdBy };
  if (condition === "assignedWithoutPrice") return visible;
  const { priceMinor, currency, depositMinor } = row;
  const priced = { ...visible, priceMinor, currency };
  return depositMinor === undefined ? priced : { ...priced, depositMinor };
}

async function serviceNames(
  tenant: TenantReader,
  rows: readonly Doc<"bookings">[],
): Promise<ReadonlyMap<string, string>> {
  const ids = [...new Set(rows.map(({ serviceId }) => serviceId))];
  const names = await Promise.all(
    ids.map(async (serviceId): Promise<[string, string]> => {
      const service = await tenant
        .rows("services", "by_orgId_and_serviceId", (q) => q.eq("serviceId", serviceId))
        .unique();
      return [serviceId, service?.name ?? ""];
    }),
  );
  return new Map(names);
}

type ListArgs = { status: z.ZodOptional<z.ZodEnum>; paginationOpts: typeof paginationOpts };

/** One page of the bookings that the policy's condition shows to the member, latest start first. */
async function visiblePage({
  tenant,
  member,
  condition,
  args,
}: MemberView<ListArgs>): Promise<PaginationResult<Doc<"bookings">>> {
  const status = args.status as BookingStatus | undefined;
  const onlyMine = condition === "assigned" || condition === "assignedWithoutPrice";
  if (onlyMine) {
    const assigneeId = member.userId;
    const mine =
      status === undefined
        ? tenant.rows("bookings", "by_orgId_and_assigneeId_and_startsAt", (q) =>
            q.eq("assigneeId", assigneeId),
          )
        : tenant.rows("bookings", "by_orgId_and_assigneeId_and_status_and_startsAt", (q) =>
            q.eq("assigneeId", assigneeId).eq("status", status),
          );
    return await mine.order("desc").paginate(args.paginationOpts);
  }
  const all =
    status === undefined
      ? tenant.rows("bookings", "by_orgId_and_startsAt")
      : tenant.rows("bookings", "by_orgId_and_status_and_startsAt", (q) => q.eq("status", status));
  const ordered = all.order("desc");
  if (condition !== "assignedOrUnassigned") return await ordered.paginate(args.paginationOpts);
  const options = filteredPageOptions(args.paginationOpts);
  return await unassignedOr(ordered, member.userId).paginate(options);
}

/** Bookings that the caller may see, latest start first; `status` narrows them. */
export const list = projectionQuery({
  function: "projections/bookings:list",
  args: {
    paginationOpts,
    status: z.enum(["requested", "confirmed", "in_progress", "completed", "cancelled", "no_show"]).optional(),
  },
  returns: paginationResultValidator(bookingRow),
  handler: async (view) => {
    const result = cutPage(await visiblePage(view));
    const names = await serviceNames(view.tenant, result.page);
    return {
      ...result,
      page: result.page.map((row) => publicRow(row, names.get(row.serviceId) ?? "", view.condition)),
    };
  },
});

/** One booking. A foreign one and one that the caller may not see answer like one that does not exist. */
export const get = projectionQuery({
  function: "projections/bookings:get",
  args: { bookingId },
  returns: bookingRow,
  handler: async ({ tenant, member, condition, args }) => {
    const row = await tenant
      .rows("bookings", "by_orgId_and_bookingId", (q) => q.eq("bookingId", args.bookingId))
      .unique();
    if (row === null) throw new Refusal("NOT_FOUND");
    requireRelation(condition, member, row);
    const names = await serviceNames(tenant, [row]);
    return publicRow(row, names.get(row.serviceId) ?? "", condition);
  },
});
