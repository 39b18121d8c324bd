/** Linking the organisation's own account at Stripe: OAuth, bound to the organisation and to the owner who began. */
import { v } from "convex/values";
import { authorizationCode, linkState } from "../access/fields.ts";
import { stripeSettings } from "../access/stripeSettings.ts";
import {
  decideBeginLink,
  decideCompleteLink,
  decideUnlink,
  stripeAccount,
  type PendingLink,
  type StripeAccountState,
} from "../domain/stripeAccount.ts";
import { commandMutation, noFacts } from "../pipeline/commandMutation.ts";
import { authorizeUrl, isStateOf, linkStateOf, sealCode } from "../pipeline/stripeLink.ts";

const stream = (_args: object, { orgId }: { orgId: string }): string => `stripeAccount/${orgId}`;

/** Begins a link. The answer says where to go, for as long as the link can be completed. */
export const beginLink = commandMutation({
  function: "commands/stripeAccount:beginLink",
  args: {},
  result: { linkId: v.string(), state: v.optional(v.string()), authorizeUrl: v.optional(v.string()) },
  aggregate: stripeAccount,
  stream,
  facts: () => Promise.resolve({ isOffered: stripeSettings()?.clientId !== undefined }),
  decide: ({ state, facts, context }) => decideBeginLink(state, facts, context),
  reveal: async ({ tenant, ids, now, userId }) => {
    const row = await tenant.rows("stripeAccounts", "by_orgId").unique();
    const link = row?.pending ?? null;
    const settings = stripeSettings();
    if (link === null || settings === null) return ids;
    const isOpen = link.linkId === ids["linkId"] && link.status === "begun" && now < link.expiresAt;
    if (!isOpen) return ids;
    const { linkId, expiresAt } = link;
    const state = linkStateOf({ orgId: tenant.orgId, userId, linkId, expiresAt });
    const url = authorizeUrl(settings, state);
    return url === null ? ids : { ...ids, state, authorizeUrl: url };
  },
});

/** The link that is on its way. */
function pendingOf(state: StripeAccountState): PendingLink | null {
  return state.kind === "none" ? null : state.pending;
}

/** Brings back the code that Stripe gave. It is kept sealed until it is exchanged, and never in the ledger. */
export const completeLink = commandMutation({
  function: "commands/stripeAccount:completeLink",
  args: { state: linkState, code: authorizationCode },
  result: {},
  aggregate: stripeAccount,
  stream,
  facts: ({ args, state, member: { orgId } }) => {
    const link = pendingOf(state);
    return Promise.resolve({ isItsState: link !== null && isStateOf({ orgId, ...link }, args.state) });
  },
  decide: ({ state, facts, context }) => decideCompleteLink(state, facts, context),
  keep: async ({ tenant, args, state }) => {
    const link = pendingOf(state);
    if (link === null) throw new Error("INV-09 a code for no link");
    const { linkId, expiresAt } = link;
    const sealedCode = sealCode(tenant.orgId, linkId, args.code);
    await tenant.insert("stripeLinks", { linkId, sealedCode, expiresAt });
  },
});

/** Ends the link to the account. Payments that were asked for through it stay with it. */
export const unlink = commandMutation({
  function: "commands/stripeAccount:unlink",
  args: {},
  result: {},
  aggregate: stripeAccount,
  stream,
  facts: noFacts,
  decide: ({ state }) => decideUnlink(state),
});
