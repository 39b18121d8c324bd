import { accept, refuse, type Aggregate, type Decision, type DecisionContext } from "./decision.ts";
import type { CLOSE_REASONS, FREEZE_REASONS } from "../events/catalogue/organization.ts";

/** Who froze an organisation; only they lift it. */
type Freezer = "owner" | "operator";

/** An organisation of an identity provider that means this one. */
export type ProviderLink = { issuer: string; providerOrgId: string };

export type OrganizationState =
  | { kind: "none" }
  | { kind: "active"; links: readonly ProviderLink[] }
  | { kind: "frozen"; by: Freezer; links: readonly ProviderLink[] }
  | { kind: "closed" };

type Linked = Extract<OrganizationState, { links: readonly ProviderLink[] }>;

function sameLink(a: ProviderLink, b: ProviderLink): boolean {
  return a.issuer === b.issuer && a.providerOrgId === b.providerOrgId;
}

function withLinks(
  state: OrganizationState,
  change: (links: readonly ProviderLink[]) => readonly ProviderLink[],
): OrganizationState {
  return "links" in state ? ({ ...state, links: change(state.links) } satisfies Linked) : state;
}

export const organization: Aggregate<OrganizationState> = {
  initial: { kind: "none" },
  evolve(state, event) {
    const links = "links" in state ? state.links : [];
    switch (event.type) {
      case "organization.created":
        return { kind: "active", links };
      case "organization.frozen":
        return { kind: "frozen", by: event.actor.kind === "operator" ? "operator" : "owner", links };
      case "organization.unfrozen":
        return { kind: "active", links };
      case "organization.closed":
        return { kind: "closed" };
      case "organization.providerLinked":
        return withLinks(state, (known) => [...known, event.data]);
      case "organization.providerUnlinked":
        return withLinks(state, (known) => known.filter((link) => !sameLink(link, event.data)));
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

type Where = Pick<DecisionContext, "orgId">;

export function decideRename(
  state: OrganizationState,
  command: { name: string },
  { orgId }: Where,
): Decision {
  if (state.kind === "none") return refuse("NOT_FOUND");
  return accept([
    { stream: `organization/${orgId}`, type: "organization.renamed", data: { name: command.name } },
  ]);
}

/** Freezes. The operator also takes over what an owner froze, so that no owner lifts it any more. */
export function decideFreeze(
  state: OrganizationState,
  command: { reason: (typeof FREEZE_REASONS)[number] },
  by: Freezer,
  { orgId }: Where,
): Decision {
  if (state.kind === "none") return refuse("NOT_FOUND");
  const isTakenOver = state.kind === "frozen" && state.by === "owner" && by === "operator";
  if (state.kind !== "active" && !isTakenOver) return refuse("INVALID_TRANSITION");
  return accept([
    { stream: `organization/${orgId}`, type: "organization.frozen", data: { reason: command.reason } },
  ]);
}

/** Lifts a freeze: the operator every one that is in the ledger, an owner only an owner's. */
export function decideUnfreeze(state: OrganizationState, by: Freezer, { orgId }: Where): Decision {
  if (state.kind === "none") return refuse("NOT_FOUND");
  if (state.kind !== "frozen") return refuse("INVALID_TRANSITION");
  if (state.by === "operator" && by === "owner") return refuse("ORG_FROZEN");
  return accept([{ stream: `organization/${orgId}`, type: "organization.unfrozen", data: {} }]);
}

/** Closes for good. A frozen organisation is not closed: its freeze is lifted first. */
export function decideClose(
  state: OrganizationState,
  command: { reason: (typeof CLOSE_REASONS)[number] },
  { orgId }: Where,
): Decision {
  if (state.kind === "none") return refuse("NOT_FOUND");
  if (state.kind !== "active") return refuse("INVALID_TRANSITION");
  return accept([
    { stream: `organization/${orgId}`, type: "organization.closed", data: { reason: command.reason } },
  ]);
}

/** Links a provider's organisation. It means one of ours at most: `isTaken` by this one or another is CONFLICT. */
export function decideLinkProvider(
  state: OrganizationState,
  link: ProviderLink,
  facts: { isTaken: boolean },
  { orgId }: Where,
): Decision {
  if (state.kind === "none") return refuse("NOT_FOUND");
  if (state.kind !== "active") return refuse("INVALID_TRANSITION");
  if (facts.isTaken) return refuse("CONFLICT");
  return accept([{ stream: `organization/${orgId}`, type: "organization.providerLinked", data: link }]);
}

export function decideUnlinkProvider(
  state: OrganizationState,
  link: ProviderLink,
  { orgId }: Where,
): Decision {
  // A frozen one too, for the operator: a link that somebody had no right to is not kept by a freeze.
  const isLinked = "links" in state && state.links.some((known) => sameLink(known, link));
  if (!isLinked) return refuse("NOT_FOUND");
  return accept([{ stream: `organization/${orgId}`, type: "organization.providerUnlinked", data: link }]);
}
