import { v } from "convex/values";
import { ulid } from "ulid";
import { z } from "zod";
import { Refusal } from "../access/errors.ts";
import { currency, expectedVersion, name, providerOrgId, timeZone } from "../access/fields.ts";
import { isProviderOrganizationId, type Member } from "../access/principal.ts";
import {
  decideClose,
  decideCreate,
  decideFreeze,
  decideLinkProvider,
  decideRename,
  decideUnfreeze,
  decideUnlinkProvider,
  organization,
  type ProviderLink,
} from "../domain/organization.ts";
import { CLOSE_REASONS, FREEZE_REASONS } from "../events/catalogue/organization.ts";
import { commandMutation, noFacts } from "../pipeline/commandMutation.ts";
import { signedInMutation } from "../pipeline/signedInMutation.ts";

/** Founds an organisation; the caller becomes its owner. */
export const create = signedInMutation({
  function: "commands/organizations:create",
  args: { name, timeZone, currency },
  result: { orgId: v.string() },
  organization: () => Promise.resolve({ orgId: `org_${ulid(Date.now(), Math.random)}`, isNew: true }),
  facts: () => Promise.resolve({ facts: null, versions: new Map<string, number>() }),
  decide: ({ args, context }) => decideCreate(args, context),
});

function streamOf(_args: unknown, { orgId }: { orgId: string }): string {
  return `organization/${orgId}`;
}

export const rename = commandMutation({
  function: "commands/organizations:rename",
  args: { name, expectedVersion },
  result: {},
  aggregate: organization,
  stream: streamOf,
  facts: noFacts,
  decide: ({ state, args, context }) => decideRename(state, args, context),
});

/** Freezes the organisation at once: everything answers ORG_FROZEN but what the policy names. */
export const freeze = commandMutation({
  function: "commands/organizations:freeze",
  args: { reason: z.enum(FREEZE_REASONS), expectedVersion },
  result: {},
  aggregate: organization,
  stream: streamOf,
  facts: noFacts,
  decide: ({ state, args, context }) => decideFreeze(state, args, "owner", context),
});

/** Lifts what an owner froze. What the operator or the integrity check froze stays ORG_FROZEN. */
export const unfreeze = commandMutation({
  function: "commands/organizations:unfreeze",
  args: { expectedVersion },
  result: {},
  aggregate: organization,
  stream: streamOf,
  facts: noFacts,
  decide: ({ state, context }) => decideUnfreeze(state, "owner", context),
});

/**
 * Closes the organisation for good. Owners and auditors read and export it for 30 days; then everything but its
 * ledger is removed.
 */
export const close = commandMutation({
  function: "commands/organizations:close",
  args: { reason: z.enum(CLOSE_REASONS), expectedVersion },
  result: {},
  aggregate: organization,
  stream: streamOf,
  facts: noFacts,
  decide: ({ state, args, context }) => decideClose(state, args, context),
});

/** The provider's organisation that the token itself names: nobody links one that they can't sign in to. */
function claimedLink({ issuer, claim }: Member): ProviderLink {
  if (typeof claim !== "string" || !isProviderOrganizationId(claim)) throw new Refusal("CONFLICT");
  return { issuer, providerOrgId: claim };
}

/**
 * Makes the provider's organisation that the caller's token names mean the one that they have chosen with
 * `session:selectOrganization`, and own. CONFLICT when the token names none, or one that is linked already.
 */
export const linkProvider = commandMutation({
  function: "commands/organizations:linkProvider",
  args: { expectedVersion },
  result: {},
  aggregate: organization,
  place: "chosen",
  stream: streamOf,
  facts: ({ member }) =>
    Promise.resolve({ link: claimedLink(member), isTaken: member.claimedOrgId !== null }),
  decide: ({ state, facts, context }) => decideLinkProvider(state, facts.link, facts, context),
});

/** Ends what `linkProvider` began, for a provider's organisation of the issuer that signed the caller's token. */
export const unlinkProvider = commandMutation({
  function: "commands/organizations:unlinkProvider",
  args: { providerOrgId, expectedVersion },
  result: {},
  aggregate: organization,
  stream: streamOf,
  facts: ({ member }) => Promise.resolve({ issuer: member.issuer }),
  decide: ({ state, args, facts, context }) =>
    decideUnlinkProvider(state, { issuer: facts.issuer, providerOrgId: args.providerOrgId }, context),
});
