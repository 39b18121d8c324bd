/** Organisations: `current` for members, `mine` for the signed-in user. */
import { paginationResultValidator } from "convex/server";
import { v } from "convex/values";
import { paginationOpts } from "../access/arguments.ts";
import { organizationsOf } from "../access/directory.ts";
import { organizationOf } from "../access/lifecycle.ts";
import { isEffective, membershipOf } from "../access/principal.ts";
import { organizationStatusValidator, roleValidator } from "../validators.ts";
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
    const { frozenBy: _, ...unheld } = { ...row, version: event.streamVersion };
    switch (event.type) {
      case "organization.renamed":
        return { ...row, name: event.data.name, version: event.streamVersion };
      case "organization.frozen": {
        const frozenBy = event.actor.kind === "operator" ? "operator" : "owner";
        return { ...unheld, status: "frozen", frozenBy };
      }
      case "organization.unfrozen":
        return { ...unheld, status: "active" };
      case "organization.closed":
        return { ...unheld, status: "closed" };
      default:
        return { ...row, version: event.streamVersion };
    }
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
        if (!isEffective(membership, caller.session) || organization === null) return [];
        const { name, version, createdAt, createdBy } = organization.row;
        const { status } = organization.lifecycle;
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
    const { _id, _creationTime, frozenBy, ...row } = member.organization;
    return Promise.resolve({ ...row, status: member.lifecycle.status, role: member.role });
  },
});
