import { expect, test } from "vitest";
import { sha256Noble } from "../../ledger/hash.ts";
import { formatVerifierKey, signerKey, verifierKey } from "../../ledger/noteKeys.ts";
import { checkpointKey } from "../../tests/support/checkpointKeys.ts";
import { parseConfig, type Variables } from "./config.ts";

const KEY_A = "a".repeat(64);
const KEY_B = "b".repeat(64);
const PRODUCTION: Variables = {
  DAYBOOK_ENV: "production",
  DAYBOOK_INVITATION_KEYS: `k1:${KEY_A}`,
  DAYBOOK_FINGERPRINT_KEY: KEY_B,
  DAYBOOK_SEALING_KEYS: `s1:${"d".repeat(64)}`,
  DAYBOOK_DEPLOYMENT: "daybook.example",
  DAYBOOK_CHECKPOINT_KEYS: checkpointKey(1, "daybook.example"),
  DAYBOOK_AUTH_ISSUER: "https://issuer.example",
  DAYBOOK_AUTH_AUDIENCE: "daybook",
};

function problemsOf(variables: Variables): string[] {
  const parsed = parseConfig(variables);
  return parsed.ok ? [] : parsed.problems.map(({ variable, problem }) => `${variable} ${problem}`);
}

function variablesNamed(variables: Variables): string[] {
  return problemsOf(variables).map((problem) => problem.split(" ")[0] ?? "");
}

test("development needs nothing but its name", () => {
  const parsed = parseConfig({ DAYBOOK_ENV: "development" });
  expect(parsed).toMatchObject({
    ok: true,
    config: { host: "127.0.0.1", port: 3210, sitePort: 3211, allowedOrigins: { kind: "loopback" } },
  });
});

test("DAYBOOK_ENV must be set, and nothing else is reported for that", () => {
  expect(problemsOf({})).toEqual(["DAYBOOK_ENV is not set"]);
  expect(variablesNamed({ DAYBOOK_ENV: "staging" })).toEqual(["DAYBOOK_ENV"]);
});

test("production names every missing variable at once", () => {
  expect(problemsOf({ DAYBOOK_ENV: "production" })).toEqual([
    "DAYBOOK_AUTH_ISSUER is not set",
    "DAYBOOK_AUTH_AUDIENCE is not set",
    "DAYBOOK_INVITATION_KEYS is not set",
    "DAYBOOK_FINGERPRINT_KEY is not set",
    "DAYBOOK_SEALING_KEYS is not set",
    "DAYBOOK_DEPLOYMENT is not set",
    "DAYBOOK_CHECKPOINT_KEYS is not set",
  ]);
});

test("production without an admin key has no admin, and no browser origin by default", () => {
  const parsed = parseConfig(PRODUCTION);
  expect(parsed).toMatchObject({ ok: true, config: { allowedOrigins: { kind: "listed", origins: [] } } });
  expect(parsed.ok && "adminKey" in parsed.config).toBe(false);
});

test.each([
  ["PORT", "70000"],
  ["PORT", "-1"],
  ["PORT", ""],
  ["SITE_PORT", "3210"],
  ["SITE_PORT", "03211"],
  ["HOST", "example.com"],
  ["DATA_DIR", ""],
  ["DAYBOOK_ADMIN_KEY", "short"],
  ["DAYBOOK_ADMIN_KEY", `daybook|${KEY_A}`],
  ["DAYBOOK_FINGERPRINT_KEY", KEY_A],
  ["DAYBOOK_FINGERPRINT_KEY", "undefined"],
  ["DAYBOOK_SEALING_KEYS", `s1:${KEY_A}`],
  ["DAYBOOK_SEALING_KEYS", `s1:${KEY_B}`],
  ["DAYBOOK_SEALING_KEYS", "whsec_"],
  ["DAYBOOK_INVITATION_KEYS", `k1:${KEY_A},k2:${KEY_A}`],
  ["DAYBOOK_INVITATION_KEYS", `${KEY_A}\n`],
  ["DAYBOOK_AUTH_ISSUER", "http://issuer.example"],
  ["DAYBOOK_AUTH_ISSUER", "http://127.0.0.1:8080"],
  ["DAYBOOK_AUTH_ISSUER", "https://issuer.example/?a=b"],
  ["DAYBOOK_AUTH_ISSUER", "https://user@issuer.example"],
  ["DAYBOOK_AUTH_AUDIENCE", ""],
  ["DAYBOOK_ALLOWED_ORIGINS", "*"],
  ["DAYBOOK_ALLOWED_ORIGINS", "https://app.example/"],
  ["DAYBOOK_ALLOWED_ORIGINS", "http://app.example"],
  ["DAYBOOK_ORG_CLAIM", "org..id"],
  ["DAYBOOK_SITE_URL", "https://site.example/"],
  ["DAYBOOK_SITE_URL", "https://site.example/path"],
  ["DAYBOOK_SITE_URL", "https://user@site.example"],
  ["DAYBOOK_SITE_URL", "http://site.example"],
  ["DAYBOOK_SITE_URL", "ftp://site.example"],
  ["DAYBOOK_SITE_URL", "site.example"],
  ["DAYBOOK_API_URL", "https://api.example/path"],
  ["DAYBOOK_API_URL", "http://api.example"],
  ["DAYBOOK_UPLOAD_MIB_MAX", "0"],
  ["DAYBOOK_UPLOAD_MIB_MAX", "1.5"],
  ["DAYBOOK_UPLOAD_MIB_MAX", "-1"],
  ["DAYBOOK_UPLOAD_MIB_MAX", "1GiB"],
  ["DAYBOOK_UPLOAD_MIB_MAX", "1073741825"],
  ["DAYBOOK_DEPLOYMENT", "Daybook"],
  ["DAYBOOK_CHECKPOINT_KEYS", checkpointKey(1, "other.example")],
  ["DAYBOOK_WITNESSES", "key"],
  ["LOG_LEVEL", "verbose"],
  ["LOG_LEVEL", ""],
])("production refuses %s=%s and names it", (variable, value) => {
  expect(variablesNamed({ ...PRODUCTION, [variable]: value })).toEqual([variable]);
});

test.each([
  ["DAYBOOK_SITE_URL", "siteUrl"],
  ["DAYBOOK_API_URL", "apiUrl"],
] as const)(
  "%s may be https anywhere, http on loopback, and is otherwise left to the host",
  (variable, name) => {
    const urlOf = (variables: Variables): unknown => {
      const parsed = parseConfig({ ...PRODUCTION, ...variables });
      return parsed.ok ? parsed.config[name] : parsed.problems;
    };
    expect(urlOf({})).toBeUndefined();
    for (const url of ["https://site.example", "https://site.example:8443", "http://127.0.0.1:3211"]) {
      expect(urlOf({ [variable]: url })).toBe(url);
    }
  },
);

test("a file may have 1 GiB unless another number of MiB is set", () => {
  const bytesMax = (variables: Variables): unknown => {
    const parsed = parseConfig({ ...PRODUCTION, ...variables });
    return parsed.ok ? parsed.config.fileBytesMax : parsed.problems;
  };
  expect(bytesMax({})).toBe(2 ** 30);
  expect(bytesMax({ DAYBOOK_UPLOAD_MIB_MAX: "5" })).toBe(5 * 2 ** 20);
});

test("the log level is info unless it is set", () => {
  expect(parseConfig(PRODUCTION)).toMatchObject({ config: { logLevel: "info" } });
  expect(parseConfig({ ...PRODUCTION, LOG_LEVEL: "error" })).toMatchObject({ config: { logLevel: "error" } });
});

test("a port given for one listener may not be the default of the other", () => {
  expect(variablesNamed({ DAYBOOK_ENV: "development", PORT: "3211" })).toEqual(["SITE_PORT"]);
});

test("a bad variable hides no other problem", () => {
  expect(
    variablesNamed({ DAYBOOK_ENV: "production", PORT: "x", HOST: "y", DAYBOOK_AUTH_ISSUER: "z" }),
  ).toEqual([
    "HOST",
    "PORT",
    "DAYBOOK_AUTH_ISSUER",
    "DAYBOOK_AUTH_AUDIENCE",
    "DAYBOOK_INVITATION_KEYS",
    "DAYBOOK_FINGERPRINT_KEY",
    "DAYBOOK_SEALING_KEYS",
    "DAYBOOK_DEPLOYMENT",
    "DAYBOOK_CHECKPOINT_KEYS",
  ]);
  expect(variablesNamed({ DAYBOOK_ENV: "development", HOST: "0.0.0.0", PORT: "x" })).toEqual([
    "PORT",
    "HOST",
  ]);
});

test("production offers checkpoints to witnesses over https only", () => {
  const { publicKey } = signerKey("a", "note", new Uint8Array(32), sha256Noble);
  const key = formatVerifierKey(verifierKey("witness.example", "cosignature", publicKey, sha256Noble));
  const witnesses = (url: string): string[] =>
    variablesNamed({ ...PRODUCTION, DAYBOOK_WITNESSES: `${key} ${url}` });
  expect(witnesses("https://witness.example")).toEqual([]);
  expect(witnesses("http://127.0.0.1:1")).toEqual(["DAYBOOK_WITNESSES"]);
});

test("another deployment's name in development asks for a key of that name", () => {
  const named = { DAYBOOK_ENV: "development", DAYBOOK_DEPLOYMENT: "try.example" };
  expect(variablesNamed(named)).toEqual(["DAYBOOK_CHECKPOINT_KEYS"]);
  const keys = checkpointKey(1, "try.example");
  expect(problemsOf({ ...named, DAYBOOK_CHECKPOINT_KEYS: keys })).toEqual([]);
});

test("no message holds a value", () => {
  const secret = "not a key but still a secret";
  const variables = Object.fromEntries(
    [...Object.keys(PRODUCTION), "DAYBOOK_ADMIN_KEY", "HOST", "PORT"].map((name) => [name, secret]),
  );
  const problems = problemsOf(variables);
  expect(problems.map((problem) => problem.split(" ")[0]).sort()).toEqual([
    ...["DAYBOOK_ADMIN_KEY", "DAYBOOK_AUTH_ISSUER", "DAYBOOK_DEPLOYMENT", "DAYBOOK_ENV"],
    ...["DAYBOOK_FINGERPRINT_KEY", "DAYBOOK_INVITATION_KEYS", "DAYBOOK_SEALING_KEYS", "HOST", "PORT"],
  ]);
  expect(problems.join()).not.toContain(secret);
});

test("development listens on loopback only, and says why", () => {
  expect(variablesNamed({ DAYBOOK_ENV: "development", HOST: "0.0.0.0" })).toEqual(["HOST"]);
  expect(variablesNamed({ DAYBOOK_ENV: "development", HOST: "::" })).toEqual(["HOST"]);
  expect(problemsOf({ DAYBOOK_ENV: "development", HOST: "::1" })).toEqual([]);
  expect(problemsOf({ DAYBOOK_ENV: "development", HOST: "localhost" })).toEqual([]);
});

test("development allows an http issuer on loopback only, and only together with its audience", () => {
  const issuer = { DAYBOOK_ENV: "development", DAYBOOK_AUTH_ISSUER: "http://127.0.0.1:8080" };
  expect(problemsOf({ ...issuer, DAYBOOK_AUTH_AUDIENCE: "daybook" })).toEqual([]);
  expect(variablesNamed(issuer)).toEqual(["DAYBOOK_AUTH_AUDIENCE"]);
  expect(
    variablesNamed({
      ...issuer,
      DAYBOOK_AUTH_AUDIENCE: "daybook",
      DAYBOOK_AUTH_ISSUER: "http://lan.example",
    }),
  ).toEqual(["DAYBOOK_AUTH_ISSUER"]);
});

test("production delivers alerts to another machine only", () => {
  const secret = `whsec_${btoa("s".repeat(24))}`;
  const at = (url: string): Variables => ({
    DAYBOOK_ALERT_WEBHOOK_URL: url,
    DAYBOOK_ALERT_WEBHOOK_SECRET: secret,
  });
  expect(problemsOf({ ...PRODUCTION, ...at("https://alerts.example/daybook") })).toEqual([]);
  expect(problemsOf({ ...PRODUCTION, ...at("http://127.0.0.1:9000/") })).toEqual([
    "DAYBOOK_ALERT_WEBHOOK_URL must not be a loopback address in production",
  ]);
  expect(problemsOf({ DAYBOOK_ENV: "development", ...at("http://127.0.0.1:9000/") })).toEqual([]);
});

test("functions get the declared variables and no others", () => {
  const parsed = parseConfig({ ...PRODUCTION, PATH: "/bin", DAYBOOK_ADMIN_KEY: `daybook|${"c".repeat(64)}` });
  expect(parsed.ok && Object.keys(parsed.config.functionVariables).sort()).toEqual([
    "DAYBOOK_AUTH_AUDIENCE",
    "DAYBOOK_AUTH_ISSUER",
    "DAYBOOK_CHECKPOINT_KEYS",
    "DAYBOOK_DEPLOYMENT",
    "DAYBOOK_FINGERPRINT_KEY",
    "DAYBOOK_INVITATION_KEYS",
    "DAYBOOK_SEALING_KEYS",
    "DAYBOOK_STRIPE_MODE",
  ]);
});
