/**
 * What a verified token says about its session: when it was issued and when its holder last proved who they are.
 * Functions see neither `iat` nor `auth_time` on every host, so both come from private claims of configured names.
 */
import { environment, sessionClaims } from "./environment.ts";
import { Refusal } from "./errors.ts";
import type { StepUp } from "./policy.ts";

/** Milliseconds UTC; undefined when the token does not say, or says it in another form. */
export type Session = { issuedAt: number | undefined; authenticatedAt: number | undefined };

/** The clocks of provider and server may differ by this much. */
const CLOCK_SKEW_MS = 5_000;
/** In the year 5138. A provider that tells milliseconds is beyond it, and its tokens would never be too old. */
const NUMERIC_DATE_MAX = 1e11;
const MINUTE_MS = 60_000;

type Identity = Readonly<Record<string, unknown>>;

/** A NumericDate (RFC 7519 §2, seconds) in milliseconds. */
function numericDate(value: unknown): number | undefined {
  if (typeof value !== "number" || !(value > 0 && value <= NUMERIC_DATE_MAX)) return undefined;
  return Math.floor(value * 1000);
}

function claim(identity: Identity, name: string): unknown {
  return Object.hasOwn(identity, name) ? identity[name] : undefined;
}

/**
 * When the holder authenticated: a NumericDate, or, as Clerk's `fva` has it, a list whose first item is the age of
 * the first factor in whole minutes when the token was issued (-1: never). An age counts as its upper end.
 */
function authenticationTime(value: unknown, issuedAt: number | undefined): number | undefined {
  if (!Array.isArray(value)) return numericDate(value);
  const minutes: unknown = value[0];
  if (issuedAt === undefined || !Number.isSafeInteger(minutes) || Number(minutes) < 0) return undefined;
  return issuedAt - (Number(minutes) + 1) * MINUTE_MS;
}

/** The session of an identity, by the configured claims. */
export function sessionOf(identity: Identity): Session {
  const names = sessionClaims(environment());
  const issuedAt = numericDate(claim(identity, names.issuedAt));
  const authenticated = claim(identity, names.authenticatedAt);
  return { issuedAt, authenticatedAt: authenticationTime(authenticated, issuedAt) };
}

/** Whether sessions were revoked that this token may belong to: it is older, or does not say how old it is. */
export function isRevoked({ issuedAt }: Session, validFrom: number | undefined): boolean {
  return validFrom !== undefined && (issuedAt === undefined || issuedAt < validFrom);
}

/**
 * Holds a policy row's demand for recent authentication. Throws STEP_UP_REQUIRED when the token's is too old, in
 * the future beyond the clocks' skew, or absent.
 */
export function requireStepUp(stepUp: StepUp | undefined, session: Session, now: number): void {
  if (stepUp === undefined) return;
  const isDeclared = environment().DAYBOOK_AUTH_TIME_CLAIM !== undefined;
  if (stepUp.enforced === "whenDeclared" && !isDeclared) return;
  const { authenticatedAt } = session;
  const isRecent =
    authenticatedAt !== undefined &&
    now - authenticatedAt <= stepUp.maxAgeMs &&
    authenticatedAt <= now + CLOCK_SKEW_MS;
  if (!isRecent) throw new Refusal("STEP_UP_REQUIRED");
}
