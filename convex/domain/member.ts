import type { Role } from "../../ledger/event.ts";
import { accept, refuse, type Aggregate, type Decision, type DecisionContext } from "./decision.ts";

export type MemberState = { kind: "none" } | { kind: "active"; role: Role } | { kind: "removed"; role: Role };

export const member: Aggregate<MemberState> = {
  initial: { kind: "none" },
  evolve(state, event) {
    switch (event.type) {
      case "member.joined":
      case "member.roleChanged":
        return { kind: "active", role: event.data.role };
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

/** Changes a role. Whoever changes their own acts, in the ledger, in the role that they have afterwards. */
export function decideChangeRole(
  state: MemberState,
  command: { userId: string; role: Role },
  facts: MemberFacts,
  context: Pick<DecisionContext, "userId">,
): Decision {
  if (state.kind !== "active") return refuse("NOT_FOUND");
  if (state.role === command.role) return refuse("CONFLICT", "role");
  if (state.role === "owner" && !facts.anotherOwner) return refuse("LAST_OWNER");
  const decision = accept([
    {
      stream: `member/${command.userId}`,
      type: "member.roleChanged",
      data: { role: command.role, previousRole: state.role },
    },
  ]);
  return command.userId === context.userId ? { ...decision, actorRole: command.role } : decision;
}

export function decideRemove(state: MemberState, command: { userId: string }, facts: MemberFacts): Decision {
  if (state.kind !== "active") return refuse("NOT_FOUND");
  if (state.role === "owner" && !facts.anotherOwner) return refuse("LAST_OWNER");
  return accept([{ stream: `member/${command.userId}`, type: "member.removed", data: { role: state.role } }]);
}
