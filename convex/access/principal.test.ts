import { describe, expect, test } from "vitest";
import { claimOf } from "./principal.ts";

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
});
