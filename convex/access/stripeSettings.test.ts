import { describe, expect, test } from "vitest";
import { checkpointKey, TEST_DEPLOYMENT } from "../../tests/support/checkpointKeys.ts";
import { parseEnvironment } from "./environment.ts";
import { isReturnPath, returnUrl, stripeSettingsOf } from "./stripeSettings.ts";

const KEYS = {
  DAYBOOK_INVITATION_KEYS: `k1:${"ab".repeat(32)}`,
  DAYBOOK_FINGERPRINT_KEY: "cd".repeat(32),
  DAYBOOK_SEALING_KEYS: `s1:${"ef".repeat(32)}`,
  DAYBOOK_DEPLOYMENT: TEST_DEPLOYMENT,
  DAYBOOK_CHECKPOINT_KEYS: checkpointKey(1),
};
const TEST_KEY = `rk_test_${"x".repeat(24)}`;

function settingsOf(variables: Record<string, string>): unknown {
  const parsed = parseEnvironment({ ...KEYS, ...variables });
  return parsed.ok ? stripeSettingsOf(parsed.environment) : parsed.problems.map(({ variable }) => variable);
}

describe("settings", () => {
  test("without a key there are none", () => {
    expect(settingsOf({ DAYBOOK_STRIPE_MODE: "test" })).toBeNull();
  });

  test("hold what was set, and refuse the unlinked unless told otherwise", () => {
    const given = { DAYBOOK_STRIPE_SECRET_KEY: TEST_KEY, DAYBOOK_STRIPE_MODE: "test" };
    expect(settingsOf(given)).toEqual({
      secretKey: TEST_KEY,
      mode: "test",
      livemode: false,
      unlinked: "refuse",
      returnOrigins: [],
    });
    expect(
      settingsOf({
        ...given,
        DAYBOOK_STRIPE_UNLINKED: "platform",
        DAYBOOK_STRIPE_API_URL: "http://127.0.0.1:3212",
        DAYBOOK_RETURN_ORIGINS: "https://app.example,http://localhost:3000",
      }),
    ).toMatchObject({
      unlinked: "platform",
      apiUrl: "http://127.0.0.1:3212",
      returnOrigins: ["https://app.example", "http://localhost:3000"],
    });
  });

  test("a deployment that does not say its mode is live, so a test key is refused", () => {
    expect(settingsOf({ DAYBOOK_STRIPE_SECRET_KEY: TEST_KEY })).toEqual(["DAYBOOK_STRIPE_SECRET_KEY"]);
  });

  test.each([
    "https://stripe.example",
    "http://10.0.0.1:3212",
    "http://169.254.169.254:80",
    "http://127.0.0.1@evil.example:80",
    "http://127.0.0.1:3212/v1",
    "http://localhost.evil.example:80",
    "https://127.0.0.1:3212",
  ])("Q01: the API is taken from Stripe or from loopback, never from %s", (url) => {
    const variables = { DAYBOOK_STRIPE_SECRET_KEY: TEST_KEY, DAYBOOK_STRIPE_MODE: "test" };
    expect(settingsOf({ ...variables, DAYBOOK_STRIPE_API_URL: url })).toEqual(["DAYBOOK_STRIPE_API_URL"]);
  });

  test.each(["http://app.example", "https://app.example/", "javascript:alert(1)", "//evil", "", "null", "*"])(
    "H13: %j is no origin to come back to",
    (origin) => {
      const variables = { DAYBOOK_STRIPE_SECRET_KEY: TEST_KEY, DAYBOOK_STRIPE_MODE: "test" };
      expect(settingsOf({ ...variables, DAYBOOK_RETURN_ORIGINS: origin })).toContain(
        "DAYBOOK_RETURN_ORIGINS",
      );
    },
  );
});

describe("H13: the way back", () => {
  const settings = { returnOrigins: ["https://app.example", "https://other.example"] };

  test("is a path under the first allowed origin, or under another allowed one", () => {
    expect(returnUrl(settings, { path: "/paid" })).toBe("https://app.example/paid");
    expect(returnUrl(settings, { path: "/", origin: "https://other.example" })).toBe(
      "https://other.example/",
    );
    expect(returnUrl(settings, { path: "/a/b-c_d/~e.html/" })).toBe("https://app.example/a/b-c_d/~e.html/");
  });

  test("is nowhere without an allowed origin", () => {
    expect(returnUrl({ returnOrigins: [] }, { path: "/paid" })).toBeNull();
    expect(returnUrl(settings, { path: "/paid", origin: "https://evil.example" })).toBeNull();
  });

  test.each([
    "https://evil.example",
    "//evil.example",
    "/\\evil.example",
    "///evil.example",
    "/paid//evil.example",
    "javascript:alert(1)",
    "/%2f%2fevil.example",
    "/paid?next=https://evil.example",
    "/paid#@evil.example",
    "/a\t/b",
    "/a\n",
    "/../admin",
    "/a/../../b",
    "/.",
    "paid",
    "",
    "@evil.example",
    `/${"a".repeat(200)}`,
  ])("is not %j", (path) => {
    expect(isReturnPath(path)).toBe(false);
    expect(returnUrl(settings, { path })).toBeNull();
  });
});
