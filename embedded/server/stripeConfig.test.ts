import { expect, test } from "vitest";
import { checkpointKey } from "../../tests/support/checkpointKeys.ts";
import { parseConfig, type HostConfig, type Variables } from "./config.ts";

const KEY_A = "a".repeat(64);
const KEY_B = "b".repeat(64);
const PRODUCTION: Variables = {
  DAYBOOK_ENV: "production",
  DAYBOOK_INVITATION_KEYS: `k1:${KEY_A}`,
  DAYBOOK_FINGERPRINT_KEY: KEY_B,
  DAYBOOK_SEALING_KEYS: `s1:${"5".repeat(64)}`,
  DAYBOOK_DEPLOYMENT: "daybook.example",
  DAYBOOK_CHECKPOINT_KEYS: checkpointKey(1, "daybook.example"),
  DAYBOOK_AUTH_ISSUER: "https://issuer.example",
  DAYBOOK_AUTH_AUDIENCE: "daybook",
};
const TEST_KEY = `sk_test_${"x".repeat(24)}`;
const LIVE_KEY = `sk_live_${"x".repeat(24)}`;
const SECRET = `whsec_${"MfKQ9r8G".repeat(4)}`;
const LIVE: Variables = {
  ...PRODUCTION,
  DAYBOOK_STRIPE_SECRET_KEY: LIVE_KEY,
  DAYBOOK_STRIPE_WEBHOOK_SECRETS: SECRET,
};
const DEVELOPMENT: Variables = {
  DAYBOOK_ENV: "development",
  DAYBOOK_STRIPE_SECRET_KEY: TEST_KEY,
  DAYBOOK_STRIPE_WEBHOOK_SECRETS: SECRET,
};

function problemsOf(variables: Variables): string[] {
  const parsed = parseConfig(variables);
  return parsed.ok ? [] : parsed.problems.map(({ variable, problem }) => `${variable} ${problem}`);
}

function named(variables: Variables): string[] {
  return [...new Set(problemsOf(variables).map((problem) => problem.split(" ")[0] ?? ""))];
}

function configOf(variables: Variables): HostConfig {
  const parsed = parseConfig(variables);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config;
}

test("production takes no payments until both the key and the webhook secrets are there", () => {
  expect(configOf(PRODUCTION).stripe).toEqual({ kind: "off" });
  expect(configOf(LIVE).stripe).toEqual({ kind: "configured" });
  expect(problemsOf({ ...PRODUCTION, DAYBOOK_STRIPE_SECRET_KEY: LIVE_KEY })).toEqual([
    "DAYBOOK_STRIPE_WEBHOOK_SECRETS is not set, and DAYBOOK_STRIPE_SECRET_KEY is",
  ]);
  expect(problemsOf({ ...PRODUCTION, DAYBOOK_STRIPE_WEBHOOK_SECRETS: SECRET })).toEqual([
    "DAYBOOK_STRIPE_SECRET_KEY is not set, and DAYBOOK_STRIPE_WEBHOOK_SECRETS is",
  ]);
});

test("development talks to the simulator, on 3212 unless told otherwise, and to Stripe with a key of its test mode", () => {
  expect(configOf({ DAYBOOK_ENV: "development" }).stripe).toEqual({ kind: "simulator", port: 3212 });
  const withPort = (port: string): unknown =>
    configOf({ DAYBOOK_ENV: "development", DAYBOOK_SIMULATOR_PORT: port }).stripe;
  expect(withPort("0")).toEqual({ kind: "simulator", port: 0 });
  expect(withPort("off")).toEqual({ kind: "off" });
  expect(configOf(DEVELOPMENT).stripe).toEqual({ kind: "configured" });
});

test("the mode is live in production and test in development, and the functions are told", () => {
  expect(configOf(LIVE).functionVariables).toMatchObject({ DAYBOOK_STRIPE_MODE: "live" });
  expect(configOf(LIVE).functionVariables).not.toHaveProperty("DAYBOOK_STRIPE_UNLINKED");
  expect(configOf(DEVELOPMENT).functionVariables).toMatchObject({
    DAYBOOK_STRIPE_MODE: "test",
    DAYBOOK_STRIPE_UNLINKED: "platform",
    DAYBOOK_STRIPE_WEBHOOK_SECRETS: SECRET,
  });
  const staging = { ...LIVE, DAYBOOK_STRIPE_MODE: "test", DAYBOOK_STRIPE_SECRET_KEY: TEST_KEY };
  expect(configOf(staging).functionVariables).toMatchObject({ DAYBOOK_STRIPE_MODE: "test" });
});

test.each([
  ["a live key in development", { ...DEVELOPMENT, DAYBOOK_STRIPE_SECRET_KEY: LIVE_KEY }],
  ["a test key in production", { ...LIVE, DAYBOOK_STRIPE_SECRET_KEY: TEST_KEY }],
  [
    "a restricted test key in production",
    { ...LIVE, DAYBOOK_STRIPE_SECRET_KEY: `rk_test_${"x".repeat(24)}` },
  ],
  ["a live key in a test deployment", { ...LIVE, DAYBOOK_STRIPE_MODE: "test" }],
])("H09: %s is refused and named", (_, variables) => {
  expect(named(variables)).toEqual(["DAYBOOK_STRIPE_SECRET_KEY"]);
});

test("H09: a live key over another host than Stripe's is refused, and so is the simulator in production", () => {
  const api = { DAYBOOK_STRIPE_API_URL: "http://127.0.0.1:3212" };
  expect(named({ ...LIVE, ...api })).toEqual(["DAYBOOK_STRIPE_API_URL"]);
  const staging = { ...LIVE, DAYBOOK_STRIPE_MODE: "test", DAYBOOK_STRIPE_SECRET_KEY: TEST_KEY };
  expect(named({ ...staging, ...api })).toEqual(["DAYBOOK_STRIPE_API_URL"]);
  expect(named({ ...DEVELOPMENT, ...api })).toEqual([]);
  expect(named({ ...PRODUCTION, DAYBOOK_SIMULATOR_PORT: "3212" })).toEqual(["DAYBOOK_SIMULATOR_PORT"]);
  expect(named({ ...DEVELOPMENT, DAYBOOK_SIMULATOR_PORT: "3212" })).toEqual(["DAYBOOK_SIMULATOR_PORT"]);
  expect(named({ ...DEVELOPMENT, DAYBOOK_STRIPE_MODE: "live" })).toContain("DAYBOOK_STRIPE_MODE");
});

test.each([
  ["empty", ""],
  ["blank", " "],
  ["with a newline at its end", `${SECRET}\n`],
  ["the word undefined", "undefined"],
  ["without its prefix", SECRET.slice("whsec_".length)],
  ["with another prefix", SECRET.replace("whsec_", "sk_test_")],
  ["of 23 bytes", `whsec_${"A".repeat(31)}`],
  ["twice", `${SECRET},${SECRET}`],
  ["with an empty neighbour", `${SECRET},`],
  ["with a space after the comma", `${SECRET}, whsec_${"B".repeat(32)}`],
])("E13 G07: a webhook secret that is %s stops the start", (_, secrets) => {
  expect(named({ ...LIVE, DAYBOOK_STRIPE_WEBHOOK_SECRETS: secrets })).toEqual([
    "DAYBOOK_STRIPE_WEBHOOK_SECRETS",
  ]);
});

test("two webhook secrets are taken while they are rotated", () => {
  const both = `${SECRET},whsec_${"B".repeat(32)}`;
  expect(configOf({ ...LIVE, DAYBOOK_STRIPE_WEBHOOK_SECRETS: both }).functionVariables).toMatchObject({
    DAYBOOK_STRIPE_WEBHOOK_SECRETS: both,
  });
});

test.each([
  ["the fingerprint key", { DAYBOOK_STRIPE_WEBHOOK_SECRETS: `whsec_${KEY_B}` }],
  ["an invitation key", { DAYBOOK_STRIPE_WEBHOOK_SECRETS: `whsec_${KEY_A}` }],
  [
    "a part of the admin key",
    {
      DAYBOOK_STRIPE_WEBHOOK_SECRETS: `whsec_${"c".repeat(40)}`,
      DAYBOOK_ADMIN_KEY: `daybook|${"c".repeat(40)}`,
    },
  ],
])("S13: a webhook secret that is also %s is refused", (_, variables) => {
  expect(named({ ...LIVE, ...variables })).toEqual(["DAYBOOK_STRIPE_WEBHOOK_SECRETS"]);
});

test.each(["0", "-1", "NaN", "", "301", "1.5", "300 ", "1e2"])(
  "a tolerance of %j seconds is refused",
  (value) => {
    expect(named({ ...LIVE, DAYBOOK_STRIPE_TOLERANCE_SECONDS: value })).toEqual([
      "DAYBOOK_STRIPE_TOLERANCE_SECONDS",
    ]);
  },
);

test("a tolerance of 1 to 300 seconds is taken", () => {
  for (const value of ["1", "300"])
    expect(named({ ...LIVE, DAYBOOK_STRIPE_TOLERANCE_SECONDS: value })).toEqual([]);
});

test("every problem of a bad configuration is named at once, and no value", () => {
  const problems = problemsOf({
    ...PRODUCTION,
    DAYBOOK_STRIPE_SECRET_KEY: "sk_live_zq1",
    DAYBOOK_STRIPE_WEBHOOK_SECRETS: "whsec_zq2",
    DAYBOOK_STRIPE_TOLERANCE_SECONDS: "0",
    DAYBOOK_STRIPE_CLIENT_ID: "zq3",
    DAYBOOK_STRIPE_API_URL: "http://127.0.0.1:3212",
    DAYBOOK_STRIPE_UNLINKED: "zq4",
    DAYBOOK_RETURN_ORIGINS: "https://zq5.example/path",
  });
  expect(new Set(problems.map((problem) => problem.split(" ")[0]))).toEqual(
    new Set([
      "DAYBOOK_STRIPE_SECRET_KEY",
      "DAYBOOK_STRIPE_WEBHOOK_SECRETS",
      "DAYBOOK_STRIPE_TOLERANCE_SECONDS",
      "DAYBOOK_STRIPE_CLIENT_ID",
      "DAYBOOK_STRIPE_API_URL",
      "DAYBOOK_STRIPE_UNLINKED",
      "DAYBOOK_RETURN_ORIGINS",
    ]),
  );
  expect(problems.join()).not.toMatch(/zq/);
});
