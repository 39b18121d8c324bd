/** The registered claims of a verified token (RFC 7519 §4.1): for whom it is, from when and until when. */
import { z } from "zod";
import { AuthenticationError } from "./authenticationError.ts";
import type { Claims } from "./identityAttributes.ts";

/** Clocks of issuer and host may differ by this much, for exp, nbf and iat (R23). */
export const CLOCK_SKEW_S = 5;

const SUBJECT_LENGTH_MAX = 255;
/** The last second that a Date can hold; a time beyond it is none (1e400 parses as infinity). */
const NUMERIC_DATE_MAX = 8.64e12;

const claimsSchema = z.record(z.string(), z.unknown());

/** Takes parsed JSON. Throws AuthenticationError when it is not an object. */
export function claimsOf(content: unknown): Claims {
  const parsed = claimsSchema.safeParse(content);
  if (!parsed.success) throw new AuthenticationError("the token is malformed");
  return parsed.data;
}

/**
 * Checks `aud`, `exp`, `nbf`, `iat` and `sub`; the caller has checked `iss`. Throws AuthenticationError whose
 * message names the claim, never its value. `expiresAtMs` is the first moment at which the same claims would be
 * refused.
 */
export function checkClaims(
  claims: Claims,
  { audience, nowMs }: { audience: string; nowMs: number },
): { subject: string; expiresAtMs: number } {
  for (const name of ["exp", "sub", "aud"]) {
    if (claims[name] === undefined) throw new AuthenticationError(`the token has no "${name}" claim`);
  }
  const { aud } = claims;
  if (!(Array.isArray(aud) ? aud : [aud]).includes(audience)) refuse("aud");
  const expiresAtMs = checkTimes(claims, nowMs);
  const { sub: subject } = claims;
  if (typeof subject !== "string" || subject === "" || subject.length > SUBJECT_LENGTH_MAX) {
    throw new AuthenticationError("the token's subject is missing or unusable");
  }
  return { subject, expiresAtMs };
}

function checkTimes({ exp, nbf, iat }: Claims, nowMs: number): number {
  const nowS = Math.floor(nowMs / 1000);
  if (!isNumericDate(exp)) return refuse("exp");
  if (exp <= nowS - CLOCK_SKEW_S) throw new AuthenticationError("the token has expired");
  for (const [name, from] of [
    ["nbf", nbf],
    ["iat", iat],
  ] as const) {
    if (from !== undefined && !(isNumericDate(from) && from <= nowS + CLOCK_SKEW_S)) refuse(name);
  }
  return Math.ceil(exp + CLOCK_SKEW_S) * 1000;
}

function isNumericDate(value: unknown): value is number {
  return typeof value === "number" && Math.abs(value) <= NUMERIC_DATE_MAX;
}

function refuse(claim: string): never {
  throw new AuthenticationError(`the token's "${claim}" claim is not accepted`);
}
