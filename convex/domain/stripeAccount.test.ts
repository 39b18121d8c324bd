import { describe, expect, test } from "vitest";
import type { DomainEvent } from "../events/catalogue/catalogue.ts";
import type { Decision } from "./decision.ts";
import {
  decideAccountFact,
  decideBeginLink,
  decideCompleteLink,
  decideLinked,
  decideLinkFailed,
  decideUnlink,
  LINK_LIFETIME_MS,
  stripeAccount,
  type StripeAccountState,
} from "./stripeAccount.ts";

const NOW = 1_780_300_800_000;
const STREAM = "stripeAccount/org_1";
const context = {
  orgId: "org_1",
  userId: "usr_1",
  now: NOW,
  newId: (prefix: string): string => `${prefix}_2`,
};
const ACCOUNT = { linkId: "lnk_1", account: "acct_1ABCDEFGH", livemode: false };

function given(...events: { type: string; data: object }[]): StripeAccountState {
  return events.reduce<StripeAccountState>((state, event) => {
    const envelope = { ...event, orgId: "org_1", recordedAt: NOW, actor: { kind: "user", id: "usr_1" } };
    return stripeAccount.evolve(state, envelope as unknown as DomainEvent);
  }, stripeAccount.initial);
}

const BEGUN = { type: "stripeAccount.linkBegun", data: { linkId: "lnk_1" } };
const RETURNED = { type: "stripeAccount.linkReturned", data: { linkId: "lnk_1" } };
const LINKED = { type: "stripeAccount.linked", data: ACCOUNT };
const FAILED = { type: "stripeAccount.linkFailed", data: { linkId: "lnk_1", reason: "denied" } };
const UNLINKED = {
  type: "stripeAccount.unlinked",
  data: { account: ACCOUNT.account, reason: "owner_request" },
};

const STATES: Readonly<Record<string, StripeAccountState>> = {
  none: given(),
  begun: given(BEGUN),
  returned: given(BEGUN, RETURNED),
  failed: given(BEGUN, RETURNED, FAILED),
  linked: given(BEGUN, RETURNED, LINKED),
  unlinked: given(BEGUN, RETURNED, LINKED, UNLINKED),
};

function outcome(decision: Decision | ReturnType<typeof decideAccountFact>): string {
  if (decision.kind === "rejected") return decision.code;
  if (decision.kind === "accepted" || decision.kind === "events")
    return decision.events[0].type.split(".")[1] ?? "";
  return decision.kind === "park" ? decision.reason : "-";
}

describe("S15 what each state of the account allows", () => {
  test.each([
    ["none", "linkBegun", "NOT_FOUND", "CONFLICT", "-", "-", "-"],
    ["begun", "linkBegun", "linkReturned", "CONFLICT", "-", "-", "-"],
    ["returned", "CONFLICT", "CONFLICT", "CONFLICT", "linked", "linkFailed", "-"],
    ["failed", "linkBegun", "NOT_FOUND", "CONFLICT", "-", "-", "-"],
    ["linked", "CONFLICT", "NOT_FOUND", "unlinked", "-", "-", "unlinked"],
    ["unlinked", "linkBegun", "NOT_FOUND", "CONFLICT", "-", "-", "-"],
  ])("%s", (name, begin, complete, unlink, linked, failed, deauthorized) => {
    const state = STATES[name] ?? stripeAccount.initial;
    const fact = {
      kind: "account",
      account: ACCOUNT.account,
      change: "deauthorized",
      occurredAt: 1,
    } as const;
    expect([
      outcome(decideBeginLink(state, { isOffered: true }, context)),
      outcome(decideCompleteLink(state, { isItsState: true }, context)),
      outcome(decideUnlink(state)),
      outcome(decideLinked(state, ACCOUNT)),
      outcome(decideLinkFailed(state, { linkId: "lnk_1", reason: "denied" })),
      outcome(decideAccountFact(state, fact)),
    ]).toEqual([begin, complete, unlink, linked, failed, deauthorized]);
  });
});

test("a deployment without a client id links nothing", () => {
  expect(decideBeginLink(given(), { isOffered: false }, context)).toEqual({
    kind: "rejected",
    code: "CONFLICT",
  });
});

describe("completing a link", () => {
  const complete = (
    state: StripeAccountState,
    isItsState: boolean,
    more: Partial<typeof context> = {},
  ): Decision => decideCompleteLink(state, { isItsState }, { ...context, ...more });
  const notFound = { kind: "rejected", code: "NOT_FOUND", field: "state" };

  test("B11 Q09 with another's state, or by another user, is NOT_FOUND", () => {
    expect(complete(given(BEGUN), false)).toEqual(notFound);
    expect(complete(given(BEGUN), true, { userId: "usr_2" })).toEqual(notFound);
  });

  test("works before the end, not at it", () => {
    expect(complete(given(BEGUN), true, { now: NOW + LINK_LIFETIME_MS - 1 }).kind).toBe("accepted");
    expect(complete(given(BEGUN), true, { now: NOW + LINK_LIFETIME_MS })).toMatchObject({ code: "CONFLICT" });
    expect(LINK_LIFETIME_MS).toBe(600_000);
  });

  test("Q09 works once", () => {
    expect(complete(given(BEGUN, RETURNED), true)).toMatchObject({ code: "CONFLICT", field: "state" });
  });

  test("an outcome of another link is nothing", () => {
    expect(decideLinked(given(BEGUN, RETURNED), { ...ACCOUNT, linkId: "lnk_2" })).toEqual({
      kind: "nothing",
    });
  });
});

test("only the end of the account that is linked is news", () => {
  const linked = STATES["linked"] ?? stripeAccount.initial;
  const other = {
    kind: "account",
    account: "acct_1OTHEROTHER",
    change: "deauthorized",
    occurredAt: 1,
  } as const;
  const updated = { kind: "account", account: ACCOUNT.account, change: "updated", occurredAt: 1 } as const;
  expect(decideAccountFact(linked, other)).toEqual({ kind: "nothing" });
  expect(decideAccountFact(linked, updated)).toEqual({ kind: "nothing" });
});

test("begins anew, and stays linked to what it was, in its own stream", () => {
  expect(decideBeginLink(given(BEGUN), { isOffered: true }, context)).toMatchObject({
    events: [{ stream: STREAM, data: { linkId: "lnk_2" } }],
    result: { linkId: "lnk_2" },
  });
});
