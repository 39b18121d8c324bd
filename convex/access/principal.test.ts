import { describe, expect, test } from "vitest";
import { claimOf, isProviderOrganizationId } from "./principal.ts";

describe("the organisation claim of a token", () => {
  const who = {
    issuer: "https://identity.test",
    subject: "ada",
    tokenIdentifier: "https://identity.test|ada",
  };

  test("is undefined only when the token has none", () => {
    expect(claimOf(who, "daybook_org")).toBeUndefined();
    expect(claimOf({ ...who, daybook_organisation: "org_1" }, "daybook_org")).toBeUndefined();
  });

  test.each(["org_1", "", 7, null, true, ["org_1"]])("is %j as it stands in the token", (claim) => {
    expect(claimOf({ ...who, daybook_org: claim }, "daybook_org")).toBe(claim);
  });

  test("is present when it was an object, which the platform flattens into dotted names", () => {
    expect(claimOf({ ...who, "daybook_org.orgId": "org_1" }, "daybook_org")).toBeNull();
    expect(claimOf({ ...who, "daybook_org.a.b": "org_1" }, "daybook_org")).toBeNull();
  });

  test("never comes from the prototype", () => {
    expect(claimOf(who, "constructor")).toBeUndefined();
  });

  test("is found under a dotted name, as a claim inside a claim is handed over", () => {
    expect(claimOf({ ...who, "o.id": "org_1", "o.rol": "admin" }, "o.id")).toBe("org_1");
    expect(claimOf(who, "o.id")).toBeUndefined();
  });

  test.each([
    ["a flat claim beside a nested one", { daybook_org: "org_1", "daybook_org.x": 1 }, "daybook_org"],
    ["a dotted claim beside its container", { o: "org_2", "o.id": "org_1" }, "o.id"],
    ["an object where the value should be", { "o.id.x": "org_1" }, "o.id"],
    ["a value and an object", { "o.id": "org_1", "o.id.x": "org_2" }, "o.id"],
    ["a container without the value", { "o.rol": "admin" }, "o.id"],
    ["an empty container", { o: {} }, "o.id"],
    ["a list for a container", { o: [{ id: "org_1" }] }, "o.id"],
  ])("is null, and so no organisation, for %s", (_what, claims, name) => {
    expect(claimOf({ ...who, ...claims }, name)).toBeNull();
  });
});

test("a provider's organisation has an id in visible ASCII that is not in our own form", () => {
  expect(isProviderOrganizationId("org_2aBcDeFgH")).toBe(true);
  expect(isProviderOrganizationId("42")).toBe(true);
  for (const text of [
    "",
    " org_1",
    "org 1",
    "orgé",
    "org_1\n",
    "x".repeat(129),
    "org_01ARZ3NDEKTSV4RRFFQ69G5FAV",
  ]) {
    expect([text, isProviderOrganizationId(text)]).toEqual([text, false]);
  }
});
