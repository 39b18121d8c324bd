import type { Role } from "../../ledger/event.ts";
import { accept, refuse, type Aggregate, type Decision, type DecisionContext } from "./decision.ts";

/** How long an invitation can be accepted, from its creation: 7 days. */
export const INVITATION_LIFETIME_MS = 7 * 24 * 60 * 60 * 1000;

export type InvitationState =
  | { kind: "none" }
  | { kind: "open"; role: Role; expiresAt: number }
  /** Accepted or revoked: nobody joins by it any more. */
  | { kind: "ended"; role: Role };

export const invitation: Aggregate<InvitationState> = {
  initial: { kind: "none" },
  evolve(state, event) {
    switch (event.type) {
      case "invitation.created":
        return { kind: "open", role: event.data.role, expiresAt: event.data.expiresAt };
      case "invitation.accepted":
      case "invitation.revoked":
        return state.kind === "none" ? state : { kind: "ended", role: state.role };
      default:
        return state;
    }
  },
};

/** Invites with a role. `seal` derives the token's hash (SHA-256, hex) and key id from the new invitation's id. */
export function decideInvite(
  command: { role: Role },
  seal: (invitationId: string) => { tokenHash: string; keyId: string },
  context: DecisionContext,
): Decision {
  const invitationId = context.newId("inv");
  const { tokenHash, keyId } = seal(invitationId);
  return accept(
    [
      {
        stream: `invitation/${invitationId}`,
        type: "invitation.created",
        data: { role: command.role, tokenHash, keyId, expiresAt: context.now + INVITATION_LIFETIME_MS },
      },
    ],
    { invitationId },
  );
}

/**
 * Accepts an invitation. It is usable before `expiresAt`, not at it, and as long as whoever made it could make it
 * again: nobody comes back, or lets others in, by invitations from before they were removed.
 */
export function decideAccept(
  state: InvitationState,
  facts: { invitationId: string; inviterMayGrant: boolean; isMember: boolean },
  context: DecisionContext,
): Decision {
  const isUsable = state.kind === "open" && context.now < state.expiresAt && facts.inviterMayGrant;
  if (!isUsable) return refuse("INVITATION_UNUSABLE");
  if (facts.isMember) return refuse("ALREADY_MEMBER");
  const { orgId, userId } = context;
  const { role } = state;
  const { invitationId } = facts;
  const decision = accept(
    [
      { stream: `invitation/${invitationId}`, type: "invitation.accepted", data: { userId } },
      { stream: `member/${userId}`, type: "member.joined", data: { userId, role, invitationId } },
    ],
    { orgId, role },
  );
  return { ...decision, actorRole: role };
}

/** Takes an invitation back, one that has expired too. */
export function decideRevokeInvitation(state: InvitationState, command: { invitationId: string }): Decision {
  if (state.kind === "none") return refuse("NOT_FOUND");
  if (state.kind === "ended") return refuse("INVALID_TRANSITION");
  return accept([{ stream: `invitation/${command.invitationId}`, type: "invitation.revoked", data: {} }]);
}
