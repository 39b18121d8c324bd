import { describe, expect, test } from "vitest";
import { sha256Noble } from "../../ledger/hash.ts";
import { formatVerifierKey, signerKey, verifierKey } from "../../ledger/noteKeys.ts";
import { checkpointKey, pinnedKey, TEST_DEPLOYMENT } from "../../tests/support/checkpointKeys.ts";
import { ENVIRONMENT_VARIABLES, parseEnvironment } from "./environment.ts";

const KEY = "ab".repeat(32);
const SIGNER = checkpointKey(7);
const WITNESS = formatVerifierKey(
  verifierKey(
    "witness.example",
    "cosignature",
    signerKey("a", "note", new Uint8Array(32), sha256Noble).publicKey,
    sha256Noble,
  ),
);
const GOOD = {
  DAYBOOK_INVITATION_KEYS: `k1:${KEY}`,
  DAYBOOK_FINGERPRINT_KEY: "cd".repeat(32),
  DAYBOOK_SEALING_KEYS: `s1:${"ef".repeat(32)}`,
  DAYBOOK_DEPLOYMENT: TEST_DEPLOYMENT,
  DAYBOOK_CHECKPOINT_KEYS: SIGNER,
};
const SECRET = `whsec_${btoa("s".repeat(24))}`;

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
        DAYBOOK_DEPLOYMENT: TEST_DEPLOYMENT,
        DAYBOOK_CHECKPOINT_INTERVAL_MINUTES: 15,
        DAYBOOK_CHECKPOINT_EVENTS: 1000,
        DAYBOOK_WITNESSES: [],
      },
    });
  });

  test("gives the functions of the app no signing key", () => {
    expect(JSON.stringify(parseEnvironment(GOOD))).not.toContain("PRIVATE");
    expect(ENVIRONMENT_VARIABLES).toContain("DAYBOOK_CHECKPOINT_KEYS");
  });

  test("takes several signing keys, and witnesses with https URLs or on the machine itself", () => {
    const DAYBOOK_WITNESSES = `${WITNESS} https://witness.example/a/`;
    const keys = `${SIGNER},${checkpointKey(8)}`;
    expect(parseEnvironment({ ...GOOD, DAYBOOK_CHECKPOINT_KEYS: keys, DAYBOOK_WITNESSES })).toMatchObject({
      environment: { DAYBOOK_WITNESSES: [{ key: WITNESS, url: "https://witness.example/a" }] },
    });
    for (const url of ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:2"]) {
      expect(parseEnvironment({ ...GOOD, DAYBOOK_WITNESSES: `${WITNESS} ${url}` })).toMatchObject({
        ok: true,
      });
    }
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

const RECEIVER = {
  DAYBOOK_ALERT_WEBHOOK_URL: "https://alerts.example/daybook",
  DAYBOOK_ALERT_WEBHOOK_SECRET: SECRET,
};

describe("a receiver of alerts", () => {
  test("is a URL and a secret of 24 to 64 bytes", () => {
    for (const bytes of [24, 32, 33, 34, 64]) {
      const secret = `whsec_${btoa("s".repeat(bytes))}`;
      const given = { ...GOOD, ...RECEIVER, DAYBOOK_ALERT_WEBHOOK_SECRET: secret };
      expect(parseEnvironment(given)).toMatchObject({
        ok: true,
        environment: { DAYBOOK_ALERT_WEBHOOK_SECRET: secret },
      });
    }
  });

  test.each([
    ["DAYBOOK_ALERT_WEBHOOK_URL", "DAYBOOK_ALERT_WEBHOOK_SECRET"],
    ["DAYBOOK_ALERT_WEBHOOK_SECRET", "DAYBOOK_ALERT_WEBHOOK_URL"],
  ] as const)("with %s alone lacks %s", (given, missing) => {
    expect(parseEnvironment({ ...GOOD, [given]: RECEIVER[given] })).toEqual({
      ok: false,
      problems: [{ variable: missing, problem: "is not set" }],
    });
  });

  test.each([
    ["DAYBOOK_ALERT_WEBHOOK_URL", "http://alerts.example/daybook"],
    ["DAYBOOK_ALERT_WEBHOOK_URL", "https://169.254.169.254/latest"],
    ["DAYBOOK_ALERT_WEBHOOK_URL", ""],
    ["DAYBOOK_ALERT_WEBHOOK_SECRET", btoa("s".repeat(24))],
    ["DAYBOOK_ALERT_WEBHOOK_SECRET", `whsec_${btoa("s".repeat(23))}`],
    ["DAYBOOK_ALERT_WEBHOOK_SECRET", `whsec_${btoa("s".repeat(65))}`],
    ["DAYBOOK_ALERT_WEBHOOK_SECRET", `${SECRET}\n`],
    ["DAYBOOK_ALERT_WEBHOOK_SECRET", `whsec_${"-".repeat(32)}`],
    ["DAYBOOK_ALERT_WEBHOOK_SECRET", "whsec_"],
  ])("%s=%j is named, its value is not", (variable, value) => {
    const parsed = parseEnvironment({ ...GOOD, ...RECEIVER, [variable]: value });
    if (parsed.ok) throw new Error("the environment was accepted");
    expect(parsed.problems.map((problem) => problem.variable)).toEqual([variable]);
    expect(parsed.problems[0]?.problem).not.toBe("is not set");
    if (value.length > 6) expect(JSON.stringify(parsed)).not.toContain(value.trim());
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
        { variable: "DAYBOOK_DEPLOYMENT", problem: "is not set" },
        { variable: "DAYBOOK_CHECKPOINT_KEYS", problem: "is not set" },
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
    ["DAYBOOK_DEPLOYMENT", "https://daybook.example"],
    ["DAYBOOK_DEPLOYMENT", "Daybook.Example"],
    ["DAYBOOK_DEPLOYMENT", "daybook.example/org"],
    ["DAYBOOK_CHECKPOINT_KEYS", ""],
    ["DAYBOOK_CHECKPOINT_KEYS", pinnedKey(7)],
    ["DAYBOOK_CHECKPOINT_KEYS", `${SIGNER},${SIGNER}`],
    ["DAYBOOK_CHECKPOINT_KEYS", checkpointKey(7, "other.example")],
    ["DAYBOOK_CHECKPOINT_KEYS", `${SIGNER},`],
    ["DAYBOOK_CHECKPOINT_INTERVAL_MINUTES", "0"],
    ["DAYBOOK_CHECKPOINT_INTERVAL_MINUTES", "10081"],
    ["DAYBOOK_CHECKPOINT_EVENTS", "1e3"],
    ["DAYBOOK_WITNESSES", WITNESS],
    ["DAYBOOK_WITNESSES", `${WITNESS} http://witness.example`],
    ["DAYBOOK_WITNESSES", `${WITNESS} https://user@witness.example`],
    ["DAYBOOK_WITNESSES", `${WITNESS} https://a.example,${WITNESS} https://b.example`],
    ["DAYBOOK_WITNESSES", `${pinnedKey(7)} https://a.example`],
  ])("%s=%j is named, its value is not", (variable, value) => {
    const parsed = parseEnvironment({ ...GOOD, [variable]: value });
    if (parsed.ok) throw new Error("the environment was accepted");
    expect(parsed.problems.map((problem) => problem.variable)).toEqual([variable]);
    expect(parsed.problems[0]?.problem).not.toBe("is not set");
    if (value.length > 5) expect(JSON.stringify(parsed)).not.toContain(value.trim());
  });
});
