/** Services that an organisation offers or offered. */
import { paginationResultValidator } from "convex/server";
import { v } from "convex/values";
import { paginationOpts } from "../access/arguments.ts";
import { mapPage, provenance } from "./page.ts";
import { defineProjection, foundedBy, keyInStreams, streamId, type Row } from "./projection.ts";
import { projectionQuery } from "./projectionQuery.ts";

export const services = defineProjection({
  table: "services",
  key: keyInStreams("service"),
  keyOf: ({ serviceId }) => serviceId,
  rows: (tenant) => tenant.rows("services", "by_orgId_and_serviceId"),
  find: async (tenant, serviceId) =>
    await tenant.rows("services", "by_orgId_and_serviceId", (q) => q.eq("serviceId", serviceId)).unique(),
  fold: (row, event): Row<"services"> | null => {
    if (event.type === "service.defined") {
      return { serviceId: streamId(event), ...event.data, status: "active", ...foundedBy(event) };
    }
    if (event.type !== "service.retired" || row === null) return row;
    return { ...row, status: "retired", version: event.streamVersion };
  },
});

/** Services by id, and so by the time they were defined. */
export const list = projectionQuery({
  function: "projections/services:list",
  args: { paginationOpts },
  returns: paginationResultValidator(
    v.object({
      serviceId: v.string(),
      name: v.string(),
      durationMinutes: v.number(),
      priceMinor: v.number(),
      currency: v.string(),
      depositMinor: v.optional(v.number()),
      status: v.union(v.literal("active"), v.literal("retired")),
      ...provenance,
    }),
  ),
  handler: async ({ tenant, args }) => {
    const result = await tenant.rows("services", "by_orgId_and_serviceId").paginate(args.paginationOpts);
    return mapPage(result, ({ _id, _creationTime, orgId, ...row }) => row);
  },
});
