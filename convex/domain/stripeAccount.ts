/**
 * The organisation's account at Stripe. An owner begins a link, comes back with a code, which is exchanged, and the
 * account is linked; one link at a time, each used once. An owner or Stripe ends it.
 */
import type { DomainEvent } from "../events/catalogue/catalogue.ts";
import type { LINK_FAILURES } from "../events/catalogue/stripeAccount.ts";
import type { ProviderFact } from "../events/providerFact.ts";
import { accept, refuse, type Aggregate, type Decision, type DecisionContext } from "./decision.ts";
import { park, type FactDecision } from "./paymentFacts.ts";
import type { OutcomeDecision } from "./paymentOutcomes.ts";

/** How long a link may take, from its beginning until the owner is back: 10 minutes. */
export const LINK_LIFETIME_MS = 10 * 60_000;

export type LinkFailure = (typeof LINK_FAILURES)[number];

/** A link on its way: begun, and once the owner is back, being exchanged. */
export type PendingLink = {
  linkId: string;
  /** Who began it, and alone may complete it. */
  userId: string;
  status: "begun" | "returned";
  expiresAt: number;
};

export type StripeAccount = {
  kind: "known";
  orgId: string;
  linked: { account: string; livemode: boolean; linkedAt: number } | null;
  pending: PendingLink | null;
};
export type StripeAccountState = { kind: "none" } | StripeAccount;

function evolveKnown(state: StripeAccount, event: DomainEvent): StripeAccount {
  switch (event.type) {
    case "stripeAccount.linkReturned":
      return { ...state, pending: state.pending && { ...state.pending, status: "returned" } };
    case "stripeAccount.linkFailed":
      return { ...state, pending: null };
    case "stripeAccount.linked": {
      const { account, livemode } = event.data;
      return { ...state, pending: null, linked: { account, livemode, linkedAt: event.recordedAt } };
    }
    case "stripeAccount.unlinked":
      return { ...state, linked: null };
    default:
      return state;
  }
}

export const stripeAccount: Aggregate<StripeAccountState> = {
  initial: { kind: "none" },
  evolve(state, event) {
    if (event.type === "stripeAccount.linkBegun") {
      const { linkId } = event.data;
      const expiresAt = event.recordedAt + LINK_LIFETIME_MS;
      const pending: PendingLink = { linkId, userId: event.actor.id, status: "begun", expiresAt };
      return {
        kind: "known",
        orgId: event.orgId,
        linked: state.kind === "none" ? null : state.linked,
        pending,
      };
    }
    return state.kind === "none" ? state : evolveKnown(state, event);
  },
};

/** Begins a link; one that was begun before can't be completed any more. `isOffered`: the deployment can link at all. */
export function decideBeginLink(
  state: StripeAccountState,
  { isOffered }: { isOffered: boolean },
  { orgId, newId }: Pick<DecisionContext, "orgId" | "newId">,
): Decision {
  if (!isOffered) return refuse("CONFLICT");
  if (state.kind === "known" && (state.linked !== null || state.pending?.status === "returned")) {
    return refuse("CONFLICT");
  }
  const linkId = newId("lnk");
  const stream = `stripeAccount/${orgId}`;
  return accept([{ stream, type: "stripeAccount.linkBegun", data: { linkId } }], { linkId });
}

/**
 * The owner who began a link is back from Stripe. A link works before its end, not at it, and once. `isItsState`: what
 * they brought back is what the link began with.
 */
export function decideCompleteLink(
  state: StripeAccountState,
  { isItsState }: { isItsState: boolean },
  { orgId, userId, now }: Pick<DecisionContext, "orgId" | "userId" | "now">,
): Decision {
  const pending = state.kind === "known" ? state.pending : null;
  if (pending?.userId !== userId || !isItsState) return refuse("NOT_FOUND", "state");
  if (pending.status !== "begun" || now >= pending.expiresAt) return refuse("CONFLICT", "state");
  const { linkId } = pending;
  return accept([{ stream: `stripeAccount/${orgId}`, type: "stripeAccount.linkReturned", data: { linkId } }]);
}

/** Ends the link. What was asked for through the account stays with it. */
export function decideUnlink(state: StripeAccountState): Decision {
  if (state.kind === "none" || state.linked === null) return refuse("CONFLICT");
  const { account } = state.linked;
  const stream = `stripeAccount/${state.orgId}`;
  return accept([{ stream, type: "stripeAccount.unlinked", data: { account, reason: "owner_request" } }]);
}

const NOTHING = { kind: "nothing" } as const;

/** The organisation is removed: its account is free for another one. */
export function decideReleased(state: StripeAccountState): OutcomeDecision {
  if (state.kind === "none" || state.linked === null) return NOTHING;
  const data = { account: state.linked.account, reason: "organization_removed" } as const;
  return {
    kind: "events",
    events: [{ stream: `stripeAccount/${state.orgId}`, type: "stripeAccount.unlinked", data }],
  };
}

function isExchanging(state: StripeAccountState, linkId: string): state is StripeAccount {
  return state.kind === "known" && state.pending?.linkId === linkId && state.pending.status === "returned";
}

/** The exchange gave an account, which no other organisation has. Nothing when the link is no longer on its way. */
export function decideLinked(
  state: StripeAccountState,
  told: { linkId: string; account: string; livemode: boolean },
): OutcomeDecision {
  if (!isExchanging(state, told.linkId)) return NOTHING;
  const stream = `stripeAccount/${state.orgId}`;
  return { kind: "events", events: [{ stream, type: "stripeAccount.linked", data: told }] };
}

/** The exchange came to nothing. */
export function decideLinkFailed(
  state: StripeAccountState,
  told: { linkId: string; reason: LinkFailure },
): OutcomeDecision {
  if (!isExchanging(state, told.linkId)) return NOTHING;
  const stream = `stripeAccount/${state.orgId}`;
  return { kind: "events", events: [{ stream, type: "stripeAccount.linkFailed", data: told }] };
}

/** What a signed delivery means for the organisation's account: only its end is news. */
export function decideAccountFact(state: StripeAccountState, fact: ProviderFact): FactDecision {
  if (fact.kind !== "account") return park("UNKNOWN_OBJECT");
  if (state.kind === "none" || state.linked?.account !== fact.account || fact.change !== "deauthorized") {
    return NOTHING;
  }
  const { account } = fact;
  const stream = `stripeAccount/${state.orgId}`;
  const data = { account, reason: "deauthorized" } as const;
  return { kind: "events", events: [{ stream, type: "stripeAccount.unlinked", data }] };
}
