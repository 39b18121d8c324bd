/** Organisations: `current` for members, `mine` for the signed-in user. */
import { paginationResultValidator } from "convex/server";
import { v } from "convex/values";
import { paginationOpts } from "../access/arguments.ts";
import { organizationsOf } from "../access/directory.ts";
import { membershipOf, organizationOf } from "../access/principal.ts";
import { organizationStatusValidator, roleValidator } from "../schema.ts";
import { provenance } from "./page.ts";
import { defineProjection, foundedBy, type Row } from "./projection.ts";
import { projectionQuery, signedInQuery } from "./projectionQuery.ts";

/** An organisation has one row about itself. */
const ONLY_ROW = "organization";

export const organizations = defineProjection({
  table: "organizations",
  key: (event) => (event.stream.startsWith("organization/") ? ONLY_ROW : null),
  keyOf: () => ONLY_ROW,
  rows: (tenant) => tenant.rows("organizations", "by_orgId"),
  find: async (tenant) => await tenant.rows("organizations", "by_orgId").unique(),
  fold: (row, event): Row<"organizations"> | null => {
    if (event.type === "organization.created") {
      return { ...event.data, status: "active", ...foundedBy(event) };
    }
    if (row === null) return null;
    const version = event.streamVersion;
    return event.type === "organization.renamed"
      ? { ...row, name: event.data.name, version }
      : { ...row, version };
  },
});

const mineRow = v.object({
  orgId: v.string(),
  name: v.string(),
  role: roleValidator,
  status: organizationStatusValidator,
  ...provenance,
});

/** The organisations that the caller is an active member of, by id. */
export const mine = signedInQuery({
  function: "projections/organizations:mine",
  args: { paginationOpts },
  returns: paginationResultValidator(mineRow),
  handler: async ({ ctx, caller, args }) => {
    const { user } = caller;
    if (user === null) return { page: [], isDone: true, continueCursor: "" };
    const links = await organizationsOf(ctx, user.userId, args.paginationOpts);
    const rows = await Promise.all(
      links.page.map(async ({ orgId }) => {
        const membership = await membershipOf(ctx, orgId, user.userId);
        const organization = await organizationOf(ctx, orgId);
        if (membership?.status !== "active" || organization === null) return [];
        const { name, status, version, createdAt, createdBy } = organization;
        return [{ orgId, name, role: membership.role, status, version, createdAt, createdBy }];
      }),
    );
    return { ...links, page: rows.flat() };
  },
});

/** The caller's active organisation and their role in it. */
export const current = projectionQuery({
  function: "projections/organizations:current",
  args: {},
  returns: v.object({ ...mineRow.fields, timeZone: v.string(), currency: v.string() }),
  handler: ({ member }) => {
    const { _id, _creationTime, ...row } = member.organization;
    return Promise.resolve({ ...row, role: member.role });
  },
});
