import { v } from "convex/values";
import type { Role } from "../../ledger/event.ts";
import type { Doc } from "../_generated/dataModel.js";
import type { MutationCtx } from "../_generated/server.js";
import { organizationOfInvitation } from "../access/directory.ts";
import { Refusal } from "../access/errors.ts";
import type { Relation } from "../access/policy.ts";
import { membershipOf } from "../access/principal.ts";
import { outranks } from "../access/roles.ts";
import { tenantReader, type TenantReader } from "../access/tenantDb.ts";
import { decideAccept, decideInvite, decideRevokeInvitation, invitation } from "../domain/invitation.ts";
import {
  decideChangeRole,
  decideReinstate,
  decideRemove,
  decideRevokeSessions,
  decideSuspend,
  member,
  type MemberState,
} from "../domain/member.ts";
import { commandMutation, noFacts } from "../pipeline/commandMutation.ts";
import {
  expectedVersion,
  invitationId as invitationIdField,
  invitationToken as invitationTokenField,
  role,
  userId,
} from "../access/fields.ts";
import { invitationToken, invitationTokenHash, sealInvitation } from "../pipeline/invitationToken.ts";
import { loadAggregate } from "../pipeline/ledger.ts";
import { signedInMutation } from "../pipeline/signedInMutation.ts";

/** What the rank rule weighs: the roles granted, and the role of the member concerned while they are one. */
function rolesConcerned(state: MemberState, granted: readonly Role[]): Relation {
  const isMember = state.kind === "active" || state.kind === "suspended";
  return { rolesConcerned: isMember ? [...granted, state.role] : granted };
}

async function anotherOwner(tenant: TenantReader, memberId: string): Promise<boolean> {
  const owners = await tenant
    .rows("members", "by_orgId_and_status_and_role", (q) => q.eq("status", "active").eq("role", "owner"))
    .take(2);
  return owners.some((owner) => owner.userId !== memberId);
}

/** Whether whoever made an invitation is still an active member whose role may grant its role. */
async function inviterMayGrant(
  ctx: MutationCtx,
  { orgId, createdBy, role: granted }: Doc<"invitations">,
): Promise<boolean> {
  if (createdBy.kind !== "user") return false;
  const inviter = await membershipOf(ctx, orgId, createdBy.id);
  return inviter?.status === "active" && outranks(inviter.role, granted);
}

/**
 * Invites somebody with a role. The answer holds the token while it can still be used: a replay derives it
 * again, and leaves it out once the invitation was accepted or revoked or has expired.
 */
export const invite = commandMutation({
  function: "commands/members:invite",
  args: { role },
  result: { invitationId: v.string(), invitationToken: v.optional(v.string()) },
  aggregate: invitation,
  relation: (_state, args) => ({ rolesConcerned: [args.role] }),
  facts: noFacts,
  decide: ({ args, context }) =>
    decideInvite(args, (invitationId) => sealInvitation(context.orgId, invitationId), context),
  reveal: async ({ tenant, ids, now }) => {
    const invitationId = ids["invitationId"] ?? "";
    const row = await tenant
      .rows("invitations", "by_orgId_and_invitationId", (q) => q.eq("invitationId", invitationId))
      .unique();
    if (row?.status !== "open" || now >= row.expiresAt) return ids;
    const token = invitationToken(tenant.orgId, invitationId, row.keyId);
    return token === null ? ids : { ...ids, invitationToken: token };
  },
});

/** Takes an invitation back: its token opens nothing from then on. */
export const revokeInvitation = commandMutation({
  function: "commands/members:revokeInvitation",
  args: { invitationId: invitationIdField, expectedVersion },
  result: {},
  aggregate: invitation,
  stream: (args) => `invitation/${args.invitationId}`,
  relation: (state) => ({ rolesConcerned: state.kind === "none" ? [] : [state.role] }),
  facts: noFacts,
  decide: ({ state, args }) => decideRevokeInvitation(state, args),
});

/** Joins the organisation of an invitation with the role that it names. */
export const acceptInvitation = signedInMutation({
  function: "commands/members:acceptInvitation",
  args: { invitationToken: invitationTokenField },
  result: { orgId: v.string(), role: v.string() },
  organization: async (ctx, args) => {
    const orgId = await organizationOfInvitation(ctx, invitationTokenHash(args.invitationToken));
    if (orgId === null) throw new Refusal("INVITATION_UNUSABLE");
    return { orgId, isNew: false };
  },
  facts: async ({ ctx, orgId, userId: callerId, args }) => {
    const tokenHash = invitationTokenHash(args.invitationToken);
    const row = await tenantReader(ctx, orgId)
      .rows("invitations", "by_orgId_and_tokenHash", (q) => q.eq("tokenHash", tokenHash))
      .unique();
    if (row === null) throw new Error("INV-06 a directory entry without its invitation");
    const { invitationId } = row;
    const invitationStream = `invitation/${invitationId}`;
    const memberStream = `member/${callerId}`;
    const loaded = await loadAggregate(ctx, orgId, invitationStream, invitation);
    const { version } = await loadAggregate(ctx, orgId, memberStream, member);
    const status = (await membershipOf(ctx, orgId, callerId))?.status;
    // A suspension is not got around by another invitation.
    const isMember = status === "active" || status === "suspended";
    return {
      facts: {
        state: loaded.state,
        invitationId,
        inviterMayGrant: await inviterMayGrant(ctx, row),
        isMember,
      },
      versions: new Map([
        [invitationStream, loaded.version],
        [memberStream, version],
      ]),
    };
  },
  decide: ({ facts: { state, ...facts }, context }) => decideAccept(state, facts, context),
});

export const changeRole = commandMutation({
  function: "commands/members:changeRole",
  args: { userId, role, expectedVersion },
  result: {},
  aggregate: member,
  stream: (args) => `member/${args.userId}`,
  relation: (state, args) => rolesConcerned(state, [args.role]),
  facts: async ({ tenant, args }) => ({ anotherOwner: await anotherOwner(tenant, args.userId) }),
  decide: ({ state, args, facts, context }) => decideChangeRole(state, args, facts, context),
});

export const remove = commandMutation({
  function: "commands/members:remove",
  args: { userId, expectedVersion },
  result: {},
  aggregate: member,
  stream: (args) => `member/${args.userId}`,
  relation: (state) => rolesConcerned(state, []),
  facts: async ({ tenant, args }) => ({ anotherOwner: await anotherOwner(tenant, args.userId) }),
  decide: ({ state, args, facts }) => decideRemove(state, args, facts),
});

/** Takes the effect of a membership away, at once and until it is reinstated. */
export const suspend = commandMutation({
  function: "commands/members:suspend",
  args: { userId, expectedVersion },
  result: {},
  aggregate: member,
  stream: (args) => `member/${args.userId}`,
  relation: (state) => rolesConcerned(state, []),
  facts: async ({ tenant, args }) => ({ anotherOwner: await anotherOwner(tenant, args.userId) }),
  decide: ({ state, args, facts, context }) => decideSuspend(state, args, facts, context),
});

export const reinstate = commandMutation({
  function: "commands/members:reinstate",
  args: { userId, expectedVersion },
  result: {},
  aggregate: member,
  stream: (args) => `member/${args.userId}`,
  relation: (state) => rolesConcerned(state, []),
  facts: noFacts,
  decide: ({ state, args }) => decideReinstate(state, args),
});

/** Ends the caller's own membership. */
export const leave = commandMutation({
  function: "commands/members:leave",
  args: { expectedVersion },
  result: {},
  aggregate: member,
  stream: (_args, caller) => `member/${caller.userId}`,
  facts: async ({ tenant, member: { userId: callerId } }) => ({
    anotherOwner: await anotherOwner(tenant, callerId),
  }),
  decide: ({ state, facts, context }) => decideRemove(state, context, facts),
});

/** Refuses, in this organisation, the member's tokens that were issued before now. */
export const revokeSessions = commandMutation({
  function: "commands/members:revokeSessions",
  args: { userId, expectedVersion },
  result: {},
  aggregate: member,
  stream: (args) => `member/${args.userId}`,
  relation: (state) => rolesConcerned(state, []),
  facts: noFacts,
  decide: ({ state, args }) => decideRevokeSessions(state, args),
});
