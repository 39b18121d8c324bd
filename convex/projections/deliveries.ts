/** What providers delivered about the organisation, for owners and auditors, newest first. */
import { paginationResultValidator } from "convex/server";
import { v } from "convex/values";
import { paginationOpts } from "../access/arguments.ts";
import { listedDeliveryStatusValidator } from "../validators.ts";
import { mapPage } from "./page.ts";
import { projectionQuery } from "./projectionQuery.ts";

/** Ids, types and reasons; what the bodies held besides is in no list. */
export const list = projectionQuery({
  function: "projections/deliveries:list",
  args: { paginationOpts },
  returns: paginationResultValidator(
    v.object({
      provider: v.string(),
      deliveryId: v.string(),
      type: v.string(),
      /** Seconds UTC, from the signature. */
      signedAt: v.number(),
      receivedAt: v.number(),
      status: listedDeliveryStatusValidator,
      reason: v.union(v.null(), v.string()),
    }),
  ),
  handler: async ({ tenant, args }) => {
    const result = await tenant
      .rows("deliveries", "by_orgId_and_receivedAt")
      .order("desc")
      .paginate(args.paginationOpts);
    return mapPage(result, ({ _id, _creationTime, orgId, bodySha256, ...delivery }) => delivery);
  },
});
