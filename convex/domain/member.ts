import type { Role } from "../../ledger/event.ts";
import { accept, refuse, type Aggregate, type Decision, type DecisionContext } from "./decision.ts";

export type MemberState =
  | { kind: "none" }
  | { kind: "active"; role: Role }
  | { kind: "suspended"; role: Role }
  | { kind: "removed"; role: Role };

export const member: Aggregate<MemberState> = {
  initial: { kind: "none" },
  evolve(state, event) {
    switch (event.type) {
      case "member.joined":
      case "member.roleChanged":
      case "member.reinstated":
        return { kind: "active", role: event.data.role };
      case "member.suspended":
        return { kind: "suspended", role: event.data.role };
      case "member.removed":
        return { kind: "removed", role: event.data.role };
      default:
        return state;
    }
  },
};

type MemberFacts = {
  /** Whether somebody else is an active owner. */
  anotherOwner: boolean;
};

type Target = { userId: string };

/** Whether the organisation would be left without an active owner if this member stopped being one. */
function isLastOwner(state: MemberState, facts: MemberFacts): boolean {
  return state.kind === "active" && state.role === "owner" && !facts.anotherOwner;
}

/** Changes a role. Whoever changes their own acts, in the ledger, in the role that they have afterwards. */
export function decideChangeRole(
  state: MemberState,
  command: { userId: string; role: Role },
  facts: MemberFacts,
  context: Pick<DecisionContext, "userId">,
): Decision {
  if (state.kind === "suspended") return refuse("INVALID_TRANSITION");
  if (state.kind !== "active") return refuse("NOT_FOUND");
  if (state.role === command.role) return refuse("CONFLICT", "role");
  if (isLastOwner(state, facts)) return refuse("LAST_OWNER");
  const decision = accept([
    {
      stream: `member/${command.userId}`,
      type: "member.roleChanged",
      data: { role: command.role, previousRole: state.role },
    },
  ]);
  return command.userId === context.userId ? { ...decision, actorRole: command.role } : decision;
}

/** Ends a membership, a suspended one too. */
export function decideRemove(state: MemberState, { userId }: Target, facts: MemberFacts): Decision {
  if (state.kind !== "active" && state.kind !== "suspended") return refuse("NOT_FOUND");
  if (isLastOwner(state, facts)) return refuse("LAST_OWNER");
  return accept([{ stream: `member/${userId}`, type: "member.removed", data: { role: state.role } }]);
}

/** Takes a membership's effect away until it is reinstated. Whoever wants to go leaves: nobody suspends themselves. */
export function decideSuspend(
  state: MemberState,
  { userId }: Target,
  facts: MemberFacts,
  context: Pick<DecisionContext, "userId">,
): Decision {
  if (state.kind === "suspended") return refuse("INVALID_TRANSITION");
  if (state.kind !== "active") return refuse("NOT_FOUND");
  if (isLastOwner(state, facts)) return refuse("LAST_OWNER");
  if (userId === context.userId) return refuse("CONFLICT", "userId");
  return accept([{ stream: `member/${userId}`, type: "member.suspended", data: { role: state.role } }]);
}

/** Gives a suspended member their membership back, in the role that they had. */
export function decideReinstate(state: MemberState, { userId }: Target): Decision {
  if (state.kind === "active") return refuse("INVALID_TRANSITION");
  if (state.kind !== "suspended") return refuse("NOT_FOUND");
  return accept([{ stream: `member/${userId}`, type: "member.reinstated", data: { role: state.role } }]);
}

/** Ends what a member's tokens can do that were issued before now. */
export function decideRevokeSessions(state: MemberState, { userId }: Target): Decision {
  if (state.kind !== "active" && state.kind !== "suspended") return refuse("NOT_FOUND");
  return accept([{ stream: `member/${userId}`, type: "member.sessionsRevoked", data: {} }]);
}
