/** The security log for owners and auditors: what was refused, limited, changed or found, newest first. */
import { paginationOpts } from "../access/arguments.ts";
import { securityPage, securityPageValidator } from "../access/securityLogReader.ts";
import { projectionQuery } from "./projectionQuery.ts";

/** Lines, newest first. `count` tells how many refusals a line stands for. */
export const list = projectionQuery({
  function: "projections/securityLog:list",
  args: { paginationOpts },
  returns: securityPageValidator,
  handler: async ({ tenant, args }) => await securityPage(tenant, args.paginationOpts),
});
