import { accept, refuse, type Aggregate, type Decision, type DecisionContext } from "./decision.ts";

export type OrganizationState = { kind: "none" } | { kind: "existing"; name: string };

export const organization: Aggregate<OrganizationState> = {
  initial: { kind: "none" },
  evolve(state, event) {
    switch (event.type) {
      case "organization.created":
      case "organization.renamed":
        return { kind: "existing", name: event.data.name };
      default:
        return state;
    }
  },
};

/** Founds an organisation; the caller becomes its first owner. */
export function decideCreate(
  command: { name: string; timeZone: string; currency: string },
  context: DecisionContext,
): Decision {
  const { orgId, userId } = context;
  const { name, timeZone, currency } = command;
  const decision = accept(
    [
      { stream: `organization/${orgId}`, type: "organization.created", data: { name, timeZone, currency } },
      { stream: `member/${userId}`, type: "member.joined", data: { userId, role: "owner" } },
    ],
    { orgId },
  );
  return { ...decision, actorRole: "owner" };
}

export function decideRename(
  state: OrganizationState,
  command: { name: string },
  context: DecisionContext,
): Decision {
  if (state.kind === "none") return refuse("NOT_FOUND");
  return accept([
    { stream: `organization/${context.orgId}`, type: "organization.renamed", data: { name: command.name } },
  ]);
}
