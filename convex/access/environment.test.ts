import { describe, expect, test } from "vitest";
import { ENVIRONMENT_VARIABLES, parseEnvironment } from "./environment.ts";

const KEY = "ab".repeat(32);
const GOOD = {
  DAYBOOK_INVITATION_KEYS: `k1:${KEY}`,
  DAYBOOK_FINGERPRINT_KEY: "cd".repeat(32),
  DAYBOOK_SEALING_KEYS: `s1:${"ef".repeat(32)}`,
};

describe("a good environment", () => {
  test("has defaults for what is optional", () => {
    expect(parseEnvironment(GOOD)).toEqual({
      ok: true,
      environment: {
        DAYBOOK_INVITATION_KEYS: [{ keyId: "k1", key: KEY }],
        DAYBOOK_FINGERPRINT_KEY: "cd".repeat(32),
        DAYBOOK_SEALING_KEYS: [{ keyId: "s1", key: "ef".repeat(32) }],
        DAYBOOK_ORG_CLAIM: "daybook_org",
        DAYBOOK_RATE_LIMIT_PERCENT: 100,
        DAYBOOK_STRIPE_MODE: "live",
        DAYBOOK_STRIPE_UNLINKED: "refuse",
      },
    });
  });

  test("keeps the invitation keys in their order, the current one first", () => {
    const parsed = parseEnvironment({ ...GOOD, DAYBOOK_INVITATION_KEYS: `k2:${KEY},k1:${KEY}` });
    expect(parsed).toMatchObject({
      environment: { DAYBOOK_INVITATION_KEYS: [{ keyId: "k2" }, { keyId: "k1" }] },
    });
  });

  test("may hold variables that the functions do not read", () => {
    expect(parseEnvironment({ ...GOOD, PATH: "/bin" })).toMatchObject({ ok: true });
    expect(ENVIRONMENT_VARIABLES).not.toContain("PATH");
  });
});

describe("a bad environment", () => {
  test("names every variable that is not set", () => {
    expect(parseEnvironment({})).toEqual({
      ok: false,
      problems: [
        { variable: "DAYBOOK_INVITATION_KEYS", problem: "is not set" },
        { variable: "DAYBOOK_FINGERPRINT_KEY", problem: "is not set" },
        { variable: "DAYBOOK_SEALING_KEYS", problem: "is not set" },
      ],
    });
  });

  test.each([
    ["DAYBOOK_INVITATION_KEYS", ""],
    ["DAYBOOK_INVITATION_KEYS", KEY],
    ["DAYBOOK_INVITATION_KEYS", `K1:${KEY}`],
    ["DAYBOOK_INVITATION_KEYS", `k1:${KEY.slice(1)}`],
    ["DAYBOOK_INVITATION_KEYS", `k1:${KEY},k1:${"ef".repeat(32)}`],
    ["DAYBOOK_INVITATION_KEYS", `k1:${KEY},`],
    ["DAYBOOK_FINGERPRINT_KEY", "secret"],
    ["DAYBOOK_FINGERPRINT_KEY", KEY.toUpperCase()],
    ["DAYBOOK_FINGERPRINT_KEY", `${KEY}\n`],
    ["DAYBOOK_ORG_CLAIM", ""],
    ["DAYBOOK_ORG_CLAIM", "https://claims.example/org"],
    ["DAYBOOK_ORG_CLAIM", "__proto__"],
    ["DAYBOOK_ORG_CLAIM", "a..b"],
    ["DAYBOOK_ORG_CLAIM", ".a"],
    ["DAYBOOK_ORG_CLAIM", "a.__proto__"],
    ["DAYBOOK_ORG_CLAIM", "sub"],
    ["DAYBOOK_ISSUED_AT_CLAIM", "iat"],
    ["DAYBOOK_ISSUED_AT_CLAIM", "issued at"],
    ["DAYBOOK_AUTH_TIME_CLAIM", ""],
    ["DAYBOOK_RATE_LIMIT_PERCENT", "0"],
    ["DAYBOOK_RATE_LIMIT_PERCENT", "1.5"],
    ["DAYBOOK_RATE_LIMIT_PERCENT", "-1"],
    ["DAYBOOK_RATE_LIMIT_PERCENT", "Infinity"],
  ])("%s=%j is named, its value is not", (variable, value) => {
    const parsed = parseEnvironment({ ...GOOD, [variable]: value });
    if (parsed.ok) throw new Error("the environment was accepted");
    expect(parsed.problems.map((problem) => problem.variable)).toEqual([variable]);
    expect(parsed.problems[0]?.problem).not.toBe("is not set");
    if (value.length > 5) expect(JSON.stringify(parsed)).not.toContain(value.trim());
  });
});
