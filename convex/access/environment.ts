/**
 * The variables that the functions read, checked in one place. The host calls `parseEnvironment` before it
 * listens, so that a missing or bad variable stops start-up; the functions call `environment()`.
 */
import { z } from "zod";
import { stripeProblems, stripeVariables } from "./stripeVariables.ts";
import { outboundUrlProblem } from "./outboundUrl.ts";
import { evidenceProblems, evidenceVariables, LEDGER_VARIABLES } from "./evidenceVariables.ts";

const HEX_256_BIT = /^[0-9a-f]{64}$/;

const hexKey = z.string().regex(HEX_256_BIT, "must be 64 lower-case hexadecimal characters (32 bytes)");

/** Keys by id, the current one first. */
const keyRing = z
  .string()
  .regex(
    /^[a-z0-9]{1,16}:[0-9a-f]{64}(,[a-z0-9]{1,16}:[0-9a-f]{64})*$/,
    "must be keyId:64 hexadecimal characters, separated by commas, the current key first",
  )
  .transform((text) =>
    text.split(",").map((entry) => {
      const [keyId = "", key = ""] = entry.split(":");
      return { keyId, key };
    }),
  )
  .refine((keys) => new Set(keys.map(({ keyId }) => keyId)).size === keys.length, "repeats a keyId");

/** RFC 7519 §4.1: hosts check these and pass none of them on as a claim. */
const UNSEEN_CLAIMS: readonly string[] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];

/** The name of a claim; dots lead into objects, as in Clerk's `o.id`. */
const claimName = z
  .string()
  .max(64)
  .regex(
    /^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*$/,
    "must be a claim name: letters, digits and underscores, with dots for claims inside claims",
  )
  .refine((name) => !UNSEEN_CLAIMS.includes(name), "is a registered claim, which functions do not see");

const WEBHOOK_SECRET_BYTES_MIN = 24;
const WEBHOOK_SECRET_BYTES_MAX = 64;

/** Bytes that a text of base64 with padding stands for; null when it is none. */
function base64Bytes(text: string): number | null {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) return null;
  return (text.length / 4) * 3 - (/=*$/.exec(text)?.[0].length ?? 0);
}

/** Standard Webhooks, "Signature scheme": `whsec_` and 24 to 64 bytes in base64. */
const webhookSecret = z.string().refine((text) => {
  const bytes = text.startsWith("whsec_") ? base64Bytes(text.slice("whsec_".length)) : null;
  return bytes !== null && bytes >= WEBHOOK_SECRET_BYTES_MIN && bytes <= WEBHOOK_SECRET_BYTES_MAX;
}, "must be whsec_ and 24 to 64 bytes in base64");

const outboundUrl = z.string().superRefine((text, context) => {
  const problem = outboundUrlProblem(text);
  if (problem !== null) context.addIssue({ code: "custom", message: problem });
});

const variables = z.object({
  /** Keys of invitation tokens by key id; the first one signs, the others still verify. */
  DAYBOOK_INVITATION_KEYS: keyRing,
  /** Key of the payload fingerprints kept with idempotency keys. */
  DAYBOOK_FINGERPRINT_KEY: hexKey,
  /** Keys of what is sealed in the database by key id; the first one seals, the others still open. */
  DAYBOOK_SEALING_KEYS: keyRing,
  /** Token claim that names the active organisation. */
  DAYBOOK_ORG_CLAIM: claimName.default("daybook_org"),
  /** Private claim with the token's time of issue; `daybook_iat` when not declared. */
  DAYBOOK_ISSUED_AT_CLAIM: claimName.optional(),
  /**
   * Private claim with the time of authentication; `daybook_auth_time` when not declared. Declaring it asks recent
   * authentication also of the functions that work without it otherwise.
   */
  DAYBOOK_AUTH_TIME_CLAIM: claimName.optional(),
  /** Scales every rate limit, in percent of the built-in ones. */
  DAYBOOK_RATE_LIMIT_PERCENT: z
    .string()
    .regex(/^[1-9][0-9]{0,5}$/, "must be a whole number of percent, 1 to 999999")
    .default("100")
    .transform(Number),
  ...stripeVariables,
  /** Where alerts are delivered, and the secret that signs them; both or none. */
  DAYBOOK_ALERT_WEBHOOK_URL: outboundUrl.optional(),
  DAYBOOK_ALERT_WEBHOOK_SECRET: webhookSecret.optional(),
  ...evidenceVariables,
});

const environmentSchema = variables.superRefine((given, context) => {
  const pair = ["DAYBOOK_ALERT_WEBHOOK_URL", "DAYBOOK_ALERT_WEBHOOK_SECRET"] as const;
  const missing = pair.filter((name) => given[name] === undefined);
  if (missing.length === 1) context.addIssue({ code: "custom", path: missing, message: "is not set" });
});

export type Environment = z.output<typeof environmentSchema>;

/** The claims that tell a session's times, by declaration or default. */
export function sessionClaims(of: Environment): { issuedAt: string; authenticatedAt: string } {
  return {
    issuedAt: of.DAYBOOK_ISSUED_AT_CLAIM ?? "daybook_iat",
    authenticatedAt: of.DAYBOOK_AUTH_TIME_CLAIM ?? "daybook_auth_time",
  };
}

/** Names of the variables that the functions may read; the host passes these and no others. */
export const ENVIRONMENT_VARIABLES: readonly string[] = [
  ...Object.keys(variables.shape),
  ...LEDGER_VARIABLES,
];

export type EnvironmentProblem = { variable: string; problem: string };

/** Checks raw variables. Never returns or echoes a value of a variable that failed. */
export function parseEnvironment(
  raw: Readonly<Record<string, string | undefined>>,
): { ok: true; environment: Environment } | { ok: false; problems: EnvironmentProblem[] } {
  const parsed = environmentSchema.safeParse(raw);
  const together = [...stripeProblems(raw), ...evidenceProblems(raw)];
  if (parsed.success && together.length === 0) return { ok: true, environment: parsed.data };
  const problems = (parsed.error?.issues ?? []).map((issue) => ({
    variable: String(issue.path[0]),
    problem: raw[String(issue.path[0])] === undefined ? "is not set" : issue.message,
  }));
  return { ok: false, problems: [...problems, ...together] };
}

let cached: Environment | undefined;

/** The functions' own view of the environment. Throws on a deployment that was never checked at start. */
export function environment(): Environment {
  if (cached !== undefined) return cached;
  const parsed = parseEnvironment(process.env);
  if (!parsed.ok) {
    throw new Error(
      `bad environment: ${parsed.problems.map((p) => `${p.variable} ${p.problem}`).join("; ")}`,
    );
  }
  cached = parsed.environment;
  return cached;
}
