/**
 * The variables that the functions read, checked in one place. The host calls `parseEnvironment` before it
 * listens, so that a missing or bad variable stops start-up; the functions call `environment()`.
 */
import { z } from "zod";
import { evidenceProblems, evidenceVariables, LEDGER_VARIABLES } from "./evidenceVariables.ts";

const HEX_256_BIT = /^[0-9a-f]{64}$/;

const hexKey = z.string().regex(HEX_256_BIT, "must be 64 lower-case hexadecimal characters (32 bytes)");

const invitationKeys = z
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

const environmentSchema = z.object({
  /** Keys of invitation tokens by key id; the first one signs, the others still verify. */
  DAYBOOK_INVITATION_KEYS: invitationKeys,
  /** Key of the payload fingerprints kept with idempotency keys. */
  DAYBOOK_FINGERPRINT_KEY: hexKey,
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
  ...evidenceVariables,
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
  ...Object.keys(environmentSchema.shape),
  ...LEDGER_VARIABLES,
];

export type EnvironmentProblem = { variable: string; problem: string };

/** Checks raw variables. Never returns or echoes a value of a variable that failed. */
export function parseEnvironment(
  variables: Readonly<Record<string, string | undefined>>,
): { ok: true; environment: Environment } | { ok: false; problems: EnvironmentProblem[] } {
  const parsed = environmentSchema.safeParse(variables);
  const aboutKeys = evidenceProblems(variables);
  if (parsed.success && aboutKeys.length === 0) return { ok: true, environment: parsed.data };
  const problems = (parsed.error?.issues ?? []).map((issue) => ({
    variable: String(issue.path[0]),
    problem: variables[String(issue.path[0])] === undefined ? "is not set" : issue.message,
  }));
  return { ok: false, problems: [...problems, ...aboutKeys] };
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
