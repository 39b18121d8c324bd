import { expect, test } from "vitest";
import type { DomainEvent } from "../events/catalogue/catalogue.ts";
import type { DecisionContext } from "./decision.ts";
import { decideCreate, decideRename, organization, type OrganizationState } from "./organization.ts";

const context: DecisionContext = {
  now: 1,
  orgId: "org_1",
  userId: "usr_1",
  newId: (prefix) => `${prefix}_1`,
};

function given(...events: { type: string; data: object }[]): OrganizationState {
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
