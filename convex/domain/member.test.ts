import { describe, expect, test } from "vitest";
import type { DomainEvent } from "../events/catalogue/catalogue.ts";
import {
  decideChangeRole,
  decideReinstate,
  decideRemove,
  decideRevokeSessions,
  decideSuspend,
  member,
  type MemberState,
} from "./member.ts";

function given(...events: { type: string; data: object }[]): MemberState {
  return events.reduce<MemberState>(
    (state, event) => member.evolve(state, event as unknown as DomainEvent),
    member.initial,
  );
}

const joined = (role: string): { type: string; data: object } => ({
  type: "member.joined",
  data: { userId: "usr_1", role },
});
const REMOVED = { type: "member.removed", data: { role: "staff" } };
const suspended = (role: string): { type: string; data: object } => ({
  type: "member.suspended",
  data: { role },
});
const REINSTATED = { type: "member.reinstated", data: { role: "staff" } };

const byOther = { userId: "usr_2" };
const alone = { anotherOwner: false };
const withAnother = { anotherOwner: true };

describe("changeRole", () => {
  test("records the new role and the one before", () => {
    expect(
      decideChangeRole(given(joined("staff")), { userId: "usr_1", role: "manager" }, alone, byOther),
    ).toEqual({
      kind: "accepted",
      events: [
        {
          stream: "member/usr_1",
          type: "member.roleChanged",
          data: { role: "manager", previousRole: "staff" },
        },
      ],
      result: {},
    });
  });

  test.each([
    ["nobody", given(), "manager", alone, { code: "NOT_FOUND" }],
    ["a removed member", given(joined("staff"), REMOVED), "manager", alone, { code: "NOT_FOUND" }],
    [
      "a member to the role they have",
      given(joined("staff")),
      "staff",
      alone,
      { code: "CONFLICT", field: "role" },
    ],
    ["the last owner", given(joined("owner")), "manager", alone, { code: "LAST_OWNER" }],
    [
      "a suspended member",
      given(joined("staff"), suspended("staff")),
      "guest",
      alone,
      { code: "INVALID_TRANSITION" },
    ],
  ] as const)("of %s is refused", (_name, state, role, facts, rejection) => {
    const decision = decideChangeRole(state, { userId: "usr_1", role }, facts, byOther);
    expect(decision).toEqual({ kind: "rejected", ...rejection });
  });

  test("of one of two owners is possible", () => {
    const decision = decideChangeRole(
      given(joined("owner")),
      { userId: "usr_1", role: "staff" },
      withAnother,
      byOther,
    );
    expect(decision.kind).toBe("accepted");
  });

  test("of oneself is recorded in the role after the change", () => {
    const decision = decideChangeRole(
      given(joined("owner")),
      { userId: "usr_1", role: "staff" },
      withAnother,
      { userId: "usr_1" },
    );
    expect(decision).toMatchObject({ kind: "accepted", actorRole: "staff" });
  });
});

describe("remove", () => {
  test("records the role that the member had", () => {
    expect(decideRemove(given(joined("auditor")), { userId: "usr_1" }, alone)).toEqual({
      kind: "accepted",
      events: [{ stream: "member/usr_1", type: "member.removed", data: { role: "auditor" } }],
      result: {},
    });
  });

  test.each([
    ["nobody", given(), { code: "NOT_FOUND" }],
    ["a removed member", given(joined("staff"), REMOVED), { code: "NOT_FOUND" }],
    ["the last owner", given(joined("owner")), { code: "LAST_OWNER" }],
  ])("of %s is refused", (_name, state, rejection) => {
    expect(decideRemove(state, { userId: "usr_1" }, alone)).toEqual({ kind: "rejected", ...rejection });
  });

  test("of one of two owners is possible", () => {
    expect(decideRemove(given(joined("owner")), { userId: "usr_1" }, withAnother).kind).toBe("accepted");
  });
});

test("the state of a member follows joining, change, removal and joining again", () => {
  const changed = { type: "member.roleChanged", data: { role: "manager", previousRole: "staff" } };
  expect(given(joined("staff"))).toEqual({ kind: "active", role: "staff" });
  expect(given(joined("staff"), changed)).toEqual({ kind: "active", role: "manager" });
  expect(given(joined("staff"), REMOVED)).toEqual({ kind: "removed", role: "staff" });
  expect(given(joined("staff"), REMOVED, joined("guest"))).toEqual({ kind: "active", role: "guest" });
  expect(given({ type: "service.retired", data: {} })).toEqual({ kind: "none" });
});

test("the state of a member follows suspension and reinstatement", () => {
  expect(given(joined("staff"), suspended("staff"))).toEqual({ kind: "suspended", role: "staff" });
  expect(given(joined("staff"), suspended("staff"), REINSTATED)).toEqual({ kind: "active", role: "staff" });
  expect(given(joined("staff"), suspended("staff"), REMOVED)).toEqual({ kind: "removed", role: "staff" });
  expect(given(joined("staff"), { type: "member.sessionsRevoked", data: {} })).toEqual({
    kind: "active",
    role: "staff",
  });
});

/** The code of a rejection, or the type of the event. */
function outcome(decision: ReturnType<typeof decideReinstate>): string {
  return decision.kind === "rejected" ? decision.code : decision.events[0].type;
}

describe("S15 what each state of a member allows", () => {
  const target = { userId: "usr_1" };
  test.each([
    ["nobody", given(), "NOT_FOUND", "NOT_FOUND", "NOT_FOUND", "NOT_FOUND"],
    [
      "an active member",
      given(joined("staff")),
      "member.suspended",
      "INVALID_TRANSITION",
      "member.removed",
      "member.sessionsRevoked",
    ],
    [
      "a suspended member",
      given(joined("staff"), suspended("staff")),
      "INVALID_TRANSITION",
      "member.reinstated",
      "member.removed",
      "member.sessionsRevoked",
    ],
    ["a removed member", given(joined("staff"), REMOVED), "NOT_FOUND", "NOT_FOUND", "NOT_FOUND", "NOT_FOUND"],
  ])("%s", (_name, state, suspending, reinstating, removing, revoking) => {
    expect(outcome(decideSuspend(state, target, alone, byOther))).toBe(suspending);
    expect(outcome(decideReinstate(state, target))).toBe(reinstating);
    expect(outcome(decideRemove(state, target, alone))).toBe(removing);
    expect(outcome(decideRevokeSessions(state, target))).toBe(revoking);
  });

  test("D05 the last owner is not suspended, one of two is, and nobody suspends themselves", () => {
    const owner = given(joined("owner"));
    expect(outcome(decideSuspend(owner, target, alone, byOther))).toBe("LAST_OWNER");
    expect(outcome(decideSuspend(owner, target, withAnother, byOther))).toBe("member.suspended");
    expect(outcome(decideSuspend(owner, target, withAnother, target))).toBe("CONFLICT");
  });

  test("D07 a suspended owner can be removed: they were none that counted", () => {
    const owner = given(joined("owner"), suspended("owner"));
    expect(outcome(decideRemove(owner, target, alone))).toBe("member.removed");
  });
});
