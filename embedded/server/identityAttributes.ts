/**
 * Claims of a verified token → the attributes that functions see from `ctx.auth.getUserIdentity()`.
 *
 * Standard claims get Convex's camelCase names; others keep their name; an object becomes one attribute per
 * leaf with a dotted name. Nothing a token says can change tokenIdentifier, issuer or subject, and a token in
 * which two claims would become one attribute is refused instead of letting one of them win.
 */
import type { IdentityAttributes } from "../engine/contract.ts";

export type Claims = Readonly<Record<string, unknown>>;

/** The claims are validly signed, and still can't be made into attributes. */
export class UnusableClaims extends Error {}

/** OpenID Connect Core §5.1, with the names of Convex's `UserIdentity`. */
const STANDARD_CLAIMS: ReadonlyMap<string, string> = new Map([
  ["name", "name"],
  ["given_name", "givenName"],
  ["family_name", "familyName"],
  ["nickname", "nickname"],
  ["preferred_username", "preferredUsername"],
  ["profile", "profileUrl"],
  ["picture", "pictureUrl"],
  ["email", "email"],
  ["email_verified", "emailVerified"],
  ["gender", "gender"],
  ["birthdate", "birthday"],
  ["zoneinfo", "timezone"],
  ["locale", "language"],
  ["phone_number", "phoneNumber"],
  ["phone_number_verified", "phoneNumberVerified"],
  ["address", "address"],
  ["updated_at", "updatedAt"],
]);

/** Facts about the token, not about the person (RFC 7519 §4.1); issuer and subject have their own attributes. */
const TOKEN_CLAIMS: ReadonlySet<string> = new Set(["iss", "sub", "aud", "exp", "nbf", "iat", "jti"]);

/** A custom claim of one of these names is dropped: it would pose as a standard one. */
const RESERVED_ATTRIBUTES: ReadonlySet<string> = new Set([
  "tokenIdentifier",
  "issuer",
  "subject",
  "__proto__",
  ...STANDARD_CLAIMS.values(),
]);

const DEPTH_MAX = 8;

/** Takes claims that were verified. Throws UnusableClaims, whose message holds no value of the token. */
export function identityAttributes(issuer: string, subject: string, claims: Claims): IdentityAttributes {
  const attributes = new Map<string, unknown>();
  for (const [claim, value] of Object.entries(claims)) {
    if (TOKEN_CLAIMS.has(claim)) continue;
    const standardName = STANDARD_CLAIMS.get(claim);
    if (standardName === undefined && RESERVED_ATTRIBUTES.has(claim)) continue;
    flatten(standardName ?? claim, value, attributes, DEPTH_MAX);
  }
  return {
    ...Object.fromEntries(attributes),
    tokenIdentifier: `${issuer}|${subject}`,
    issuer,
    subject,
  };
}

function flatten(name: string, value: unknown, into: Map<string, unknown>, depthLeft: number): void {
  if (depthLeft === 0) throw new UnusableClaims("the token's claims are nested too deeply");
  // An empty object stays: a claim that is present must not look like one that is absent.
  if (typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length > 0) {
    for (const [key, inner] of Object.entries(value)) flatten(`${name}.${key}`, inner, into, depthLeft - 1);
    return;
  }
  if (into.has(name)) throw new UnusableClaims("two claims of the token have the same flattened name");
  into.set(name, value);
}

/** Lone surrogates have no UTF-8 form, so two different subjects could become one in storage. */
export function isWellFormedJson(value: unknown): boolean {
  if (typeof value === "string") return value.isWellFormed();
  if (Array.isArray(value)) return value.every(isWellFormedJson);
  if (typeof value === "object" && value !== null) {
    return Object.entries(value).every(([key, inner]) => key.isWellFormed() && isWellFormedJson(inner));
  }
  return true;
}
