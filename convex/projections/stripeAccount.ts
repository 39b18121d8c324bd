/** The organisation's account at Stripe. */
import { v } from "convex/values";
import { stripeAccount, type StripeAccount } from "../domain/stripeAccount.ts";
import { provenance } from "./page.ts";
import { defineProjection, foundedBy, type Row } from "./projection.ts";
import { projectionQuery } from "./projectionQuery.ts";

function stateOf({ linked, pending }: Row<"stripeAccounts">, orgId: string): StripeAccount {
  return { kind: "known", orgId, linked, pending };
}

/** An organisation has one row about its account. */
const ONLY_ROW = "stripeAccount";

export const stripeAccounts = defineProjection({
  table: "stripeAccounts",
  key: (event) => (event.stream.startsWith("stripeAccount/") ? ONLY_ROW : null),
  keyOf: () => ONLY_ROW,
  rows: (tenant) => tenant.rows("stripeAccounts", "by_orgId"),
  find: async (tenant) => await tenant.rows("stripeAccounts", "by_orgId").unique(),
  fold: (row, event): Row<"stripeAccounts"> | null => {
    const before = row === null ? stripeAccount.initial : stateOf(row, event.orgId);
    const state = stripeAccount.evolve(before, event);
    if (state.kind === "none") return null;
    const { linked, pending } = state;
    const { createdAt, createdBy } = row ?? foundedBy(event);
    return { linked, pending, version: event.streamVersion, createdAt, createdBy };
  },
});

/** Whether an account is linked, which and since when. Null until an owner first began to link one. */
export const current = projectionQuery({
  function: "projections/stripeAccount:current",
  args: {},
  returns: v.union(
    v.object({
      status: v.union(v.literal("unlinked"), v.literal("linked")),
      account: v.union(v.string(), v.null()),
      /** Milliseconds UTC. */
      linkedAt: v.union(v.number(), v.null()),
      ...provenance,
    }),
    v.null(),
  ),
  handler: async ({ tenant }) => {
    const row = await tenant.rows("stripeAccounts", "by_orgId").unique();
    if (row === null) return null;
    const { linked, version, createdAt, createdBy } = row;
    return {
      status: linked === null ? ("unlinked" as const) : ("linked" as const),
      account: linked?.account ?? null,
      linkedAt: linked?.linkedAt ?? null,
      ...{ version, createdAt, createdBy },
    };
  },
});
