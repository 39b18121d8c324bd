import { describe, expect, test } from "vitest";
import type { DomainEvent } from "../events/catalogue/catalogue.ts";
import type { DecisionContext } from "./decision.ts";
import {
  decideAccept,
  decideInvite,
  decideRevokeInvitation,
  invitation,
  INVITATION_LIFETIME_MS,
  type InvitationState,
} from "./invitation.ts";

const NOW = 1_780_300_800_000;
const SEVEN_DAYS_MS = 604_800_000;

const context: DecisionContext = {
  now: NOW,
  orgId: "org_1",
  userId: "usr_1",
  newId: (prefix) => `${prefix}_new`,
};

function given(...events: { type: string; data: object }[]): InvitationState {
  return events.reduce<InvitationState>(
    (state, event) => invitation.evolve(state, event as unknown as DomainEvent),
    invitation.initial,
  );
}

const CREATED = {
  type: "invitation.created",
  data: { role: "staff", tokenHash: "ab", keyId: "k1", expiresAt: NOW + 10 },
};
const ACCEPTED = { type: "invitation.accepted", data: { userId: "usr_2" } };
const REVOKED = { type: "invitation.revoked", data: {} };
const facts = { invitationId: "inv_1", inviterMayGrant: true, isMember: false };

describe("invite", () => {
  test("records the role, the sealed token and an end in seven days", () => {
    const seal = (id: string): { tokenHash: string; keyId: string } => ({
      tokenHash: `hash of ${id}`,
      keyId: "k7",
    });
    expect(decideInvite({ role: "auditor" }, seal, context)).toEqual({
      kind: "accepted",
      events: [
        {
          stream: "invitation/inv_new",
          type: "invitation.created",
          data: {
            role: "auditor",
            tokenHash: "hash of inv_new",
            keyId: "k7",
            expiresAt: NOW + SEVEN_DAYS_MS,
          },
        },
      ],
      result: { invitationId: "inv_new" },
    });
    expect(INVITATION_LIFETIME_MS).toBe(SEVEN_DAYS_MS);
  });
});

describe("accept", () => {
  test("uses the invitation up and joins with its role", () => {
    expect(decideAccept(given(CREATED), facts, context)).toEqual({
      kind: "accepted",
      actorRole: "staff",
      events: [
        { stream: "invitation/inv_1", type: "invitation.accepted", data: { userId: "usr_1" } },
        {
          stream: "member/usr_1",
          type: "member.joined",
          data: { userId: "usr_1", role: "staff", invitationId: "inv_1" },
        },
      ],
      result: { orgId: "org_1", role: "staff" },
    });
  });

  test("works until the end, not at it", () => {
    const at = (now: number): string => {
      const decision = decideAccept(given(CREATED), facts, { ...context, now });
      return decision.kind === "rejected" ? decision.code : decision.kind;
    };
    expect(at(NOW + 9)).toBe("accepted");
    expect(at(NOW + 10)).toBe("INVITATION_UNUSABLE");
    expect(at(NOW + 11)).toBe("INVITATION_UNUSABLE");
  });

  test.each([
    ["that was never made", given()],
    ["that was used", given(CREATED, ACCEPTED)],
    ["that was revoked", given(CREATED, REVOKED)],
  ])("an invitation %s is unusable", (_name, state) => {
    expect(decideAccept(state, facts, context)).toEqual({ kind: "rejected", code: "INVITATION_UNUSABLE" });
  });

  test("an invitation whose maker could not make it any more is unusable", () => {
    const decision = decideAccept(given(CREATED), { ...facts, inviterMayGrant: false }, context);
    expect(decision).toEqual({ kind: "rejected", code: "INVITATION_UNUSABLE" });
  });

  test("a member does not join twice", () => {
    const decision = decideAccept(given(CREATED), { ...facts, isMember: true }, context);
    expect(decision).toEqual({ kind: "rejected", code: "ALREADY_MEMBER" });
  });

  test("an unusable invitation tells a member nothing more", () => {
    const decision = decideAccept(given(CREATED, ACCEPTED), { ...facts, isMember: true }, context);
    expect(decision).toEqual({ kind: "rejected", code: "INVITATION_UNUSABLE" });
  });
});

describe("revoke", () => {
  const revoke = (state: InvitationState): ReturnType<typeof decideRevokeInvitation> =>
    decideRevokeInvitation(state, { invitationId: "inv_1" });

  test("takes an open invitation back", () => {
    expect(revoke(given(CREATED))).toEqual({
      kind: "accepted",
      events: [{ stream: "invitation/inv_1", type: "invitation.revoked", data: {} }],
      result: {},
    });
  });

  test.each([
    ["NOT_FOUND", "that was never made", given()],
    ["INVALID_TRANSITION", "that was used", given(CREATED, ACCEPTED)],
    ["INVALID_TRANSITION", "that was revoked", given(CREATED, REVOKED)],
  ])("answers %s for an invitation %s", (code, _name, state) => {
    expect(revoke(state)).toEqual({ kind: "rejected", code });
  });
});

test("the state of an invitation follows its events and no others", () => {
  expect(given(CREATED)).toEqual({ kind: "open", role: "staff", expiresAt: NOW + 10 });
  expect(given(CREATED, ACCEPTED)).toEqual({ kind: "ended", role: "staff" });
  expect(given(CREATED, REVOKED)).toEqual({ kind: "ended", role: "staff" });
  expect(given({ type: "member.joined", data: {} })).toEqual({ kind: "none" });
});
