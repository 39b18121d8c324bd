import { selectOrganization as storeSelection, setSessionsValidFrom } from "../access/directory.ts";
import { Refusal } from "../access/errors.ts";
import { isEffective, membershipOf } from "../access/principal.ts";
import { orgId } from "../access/fields.ts";
import { sessionMutation } from "../pipeline/sessionMutation.ts";

/**
 * Stores the organisation that the user works in while their token names none. The one function that takes an
 * organisation id; one that the user does not belong to is NOT_FOUND, like one that does not exist.
 */
export const selectOrganization = sessionMutation({
  function: "commands/session:selectOrganization",
  args: { orgId },
  run: async (ctx, caller, args) => {
    if (caller.user === null) throw new Refusal("NOT_FOUND");
    const membership = await membershipOf(ctx, args.orgId, caller.user.userId);
    if (!isEffective(membership, caller.session)) throw new Refusal("NOT_FOUND");
    await storeSelection(ctx, caller, args.orgId);
  },
});

/**
 * Refuses, in every organisation, each token of the caller that was issued before the one they call with. That one
 * goes on working; it must tell its time of issue, or it is refused with CONFLICT and nothing happens.
 */
export const revokeOthers = sessionMutation({
  function: "commands/session:revokeOthers",
  args: {},
  run: async (ctx, { user, session }) => {
    if (user === null || session.issuedAt === undefined) throw new Refusal("CONFLICT");
    await setSessionsValidFrom(ctx, user, session.issuedAt);
  },
});
