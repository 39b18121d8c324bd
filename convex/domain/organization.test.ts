import { describe, expect, test } from "vitest";
import type { DomainEvent } from "../events/catalogue/catalogue.ts";
import type { DecisionContext } from "./decision.ts";
import {
  decideClose,
  decideCreate,
  decideFreeze,
  decideLinkProvider,
  decideRename,
  decideUnfreeze,
  decideUnlinkProvider,
  organization,
  type OrganizationState,
} from "./organization.ts";

const context: DecisionContext = {
  now: 1,
  orgId: "org_1",
  userId: "usr_1",
  newId: (prefix) => `${prefix}_1`,
};

type Given = { type: string; data: object; actor?: { kind: string } };

function given(...events: Given[]): OrganizationState {
  return events.reduce<OrganizationState>(
    (state, event) => organization.evolve(state, event as unknown as DomainEvent),
    organization.initial,
  );
}

const CREATED = { type: "organization.created", data: { name: "A", timeZone: "UTC", currency: "EUR" } };

test("create founds the organisation and makes the caller its owner", () => {
  const command = { name: "Studio", timeZone: "Europe/Berlin", currency: "EUR" };
  expect(decideCreate(command, context)).toEqual({
    kind: "accepted",
    actorRole: "owner",
    events: [
      { stream: "organization/org_1", type: "organization.created", data: command },
      { stream: "member/usr_1", type: "member.joined", data: { userId: "usr_1", role: "owner" } },
    ],
    result: { orgId: "org_1" },
  });
});

test("rename records the new name", () => {
  expect(decideRename(given(CREATED), { name: "B" }, context)).toEqual({
    kind: "accepted",
    events: [{ stream: "organization/org_1", type: "organization.renamed", data: { name: "B" } }],
    result: {},
  });
});

test("rename of nothing is NOT_FOUND", () => {
  expect(decideRename(given(), { name: "B" }, context)).toEqual({ kind: "rejected", code: "NOT_FOUND" });
});
const LINK = { issuer: "https://identity.test", providerOrgId: "org_2aBcD" };
const BY_OWNER = { actor: { kind: "user" } };
const BY_OPERATOR = { actor: { kind: "operator" } };
const FROZEN = { type: "organization.frozen", data: { reason: "other" } };
const UNFROZEN = { type: "organization.unfrozen", data: {} };
const LINKED = { type: "organization.providerLinked", data: LINK };
const CLOSED = { type: "organization.closed", data: { reason: "other" } };

const NONE = given();
const ACTIVE = given(CREATED);
const BY_OWNER_FROZEN = given(CREATED, { ...FROZEN, ...BY_OWNER });
const BY_OPERATOR_FROZEN = given(CREATED, { ...FROZEN, ...BY_OPERATOR });
const GONE = given(CREATED, CLOSED);

test("the state of an organisation follows freezing, lifting, linking and closing", () => {
  expect(NONE).toEqual({ kind: "none" });
  expect(ACTIVE).toEqual({ kind: "active", links: [] });
  expect(given(CREATED, { type: "organization.renamed", data: { name: "B" } })).toEqual(ACTIVE);
  expect(BY_OWNER_FROZEN).toEqual({ kind: "frozen", by: "owner", links: [] });
  expect(BY_OPERATOR_FROZEN).toEqual({ kind: "frozen", by: "operator", links: [] });
  expect(given(CREATED, LINKED, { ...FROZEN, ...BY_OWNER }, UNFROZEN)).toEqual({
    kind: "active",
    links: [LINK],
  });
  const unlinked = { type: "organization.providerUnlinked", data: LINK };
  expect(given(CREATED, LINKED, unlinked)).toEqual(ACTIVE);
  expect(GONE).toEqual({ kind: "closed" });
});

/** The code of a rejection, or the type of the event. */
function outcome(decision: ReturnType<typeof decideClose>): string {
  return decision.kind === "rejected" ? decision.code : decision.events[0].type;
}

const reason = "other" as const;

describe("S15 what each state allows", () => {
  test.each([
    ["none", NONE, "NOT_FOUND", "NOT_FOUND"],
    ["active", ACTIVE, "organization.frozen", "organization.frozen"],
    ["frozen by an owner", BY_OWNER_FROZEN, "INVALID_TRANSITION", "organization.frozen"],
    ["frozen by the operator", BY_OPERATOR_FROZEN, "INVALID_TRANSITION", "INVALID_TRANSITION"],
    ["closed", GONE, "INVALID_TRANSITION", "INVALID_TRANSITION"],
  ])("freezing when %s", (_name, state, byOwner, byOperator) => {
    expect(outcome(decideFreeze(state, { reason }, "owner", context))).toBe(byOwner);
    expect(outcome(decideFreeze(state, { reason }, "operator", context))).toBe(byOperator);
  });

  test.each([
    ["none", NONE, "NOT_FOUND", "NOT_FOUND"],
    ["active", ACTIVE, "INVALID_TRANSITION", "INVALID_TRANSITION"],
    ["frozen by an owner", BY_OWNER_FROZEN, "organization.unfrozen", "organization.unfrozen"],
    ["frozen by the operator", BY_OPERATOR_FROZEN, "ORG_FROZEN", "organization.unfrozen"],
    ["closed", GONE, "INVALID_TRANSITION", "INVALID_TRANSITION"],
  ])("lifting when %s", (_name, state, byOwner, byOperator) => {
    expect(outcome(decideUnfreeze(state, "owner", context))).toBe(byOwner);
    expect(outcome(decideUnfreeze(state, "operator", context))).toBe(byOperator);
  });

  test.each([
    ["none", NONE, "NOT_FOUND", "NOT_FOUND"],
    ["active", ACTIVE, "organization.closed", "organization.providerLinked"],
    ["frozen by an owner", BY_OWNER_FROZEN, "INVALID_TRANSITION", "INVALID_TRANSITION"],
    ["frozen by the operator", BY_OPERATOR_FROZEN, "INVALID_TRANSITION", "INVALID_TRANSITION"],
    ["closed", GONE, "INVALID_TRANSITION", "INVALID_TRANSITION"],
  ])("closing and linking when %s", (_name, state, closing, linking) => {
    expect(outcome(decideClose(state, { reason }, context))).toBe(closing);
    expect(outcome(decideLinkProvider(state, LINK, { isTaken: false }, context))).toBe(linking);
  });
});

test("a provider's organisation that is taken is a CONFLICT, one that is not linked NOT_FOUND", () => {
  expect(outcome(decideLinkProvider(ACTIVE, LINK, { isTaken: true }, context))).toBe("CONFLICT");
  expect(outcome(decideUnlinkProvider(ACTIVE, LINK, context))).toBe("NOT_FOUND");
  const linked = given(CREATED, LINKED);
  expect(outcome(decideUnlinkProvider(linked, LINK, context))).toBe("organization.providerUnlinked");
  const elsewhere = { ...LINK, issuer: "https://other.test" };
  expect(outcome(decideUnlinkProvider(linked, elsewhere, context))).toBe("NOT_FOUND");
});

test("a freeze keeps no link", () => {
  const frozen = { type: "organization.frozen", data: {}, actor: { kind: "user" } };
  const unlinked = decideUnlinkProvider(given(CREATED, LINKED, frozen), LINK, context);
  expect(outcome(unlinked)).toBe("organization.providerUnlinked");
});
