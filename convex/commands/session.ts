import { selectOrganization as storeSelection } from "../access/directory.ts";
import { Refusal } from "../access/errors.ts";
import { membershipOf } from "../access/principal.ts";
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
    if (membership?.status !== "active") throw new Refusal("NOT_FOUND");
    await storeSelection(ctx, caller, args.orgId);
  },
});
