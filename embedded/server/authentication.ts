/**
 * Who calls: a user's token (RFC 7519, signed RS256 or ES256) or the deployment's admin key.
 *
 * A token passes these gates in order: size, form and header → issuer, which selects the provider → signature →
 * issuer, audience and times → subject and the other claims. Every failure is an AuthenticationError whose
 * message says why and holds nothing of the token.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { JWTVerifyGetKey } from "jose";
import { z } from "zod";
import type { Identity, IdentityAttributes } from "../engine/contract.ts";
import { AuthenticationError } from "./authenticationError.ts";
import { identityAttributes, isWellFormedJson, UnusableClaims, type Claims } from "./identityAttributes.ts";
import { MalformedJson, parseJson } from "./json.ts";
import { unverifiedContent, verifiedContent, type Algorithm } from "./signedToken.ts";
import { checkClaims, claimsOf } from "./tokenClaims.ts";

const actingAsSchema = z.looseObject({ issuer: z.string().min(1), subject: z.string().min(1) });

export type TrustedProvider = {
  issuer: string;
  audience: string;
  algorithms: readonly Algorithm[];
  keys: JWTVerifyGetKey;
};

export type UserIdentity = Extract<Identity, { kind: "user" }>;

/** Tells who calls, for every door of the host. */
export class Authenticator {
  readonly #providers: ReadonlyMap<string, TrustedProvider>;
  readonly #adminKeyDigest: Buffer | undefined;
  readonly #nowMs: () => number;

  /** One provider per issuer. Without an admin key nobody is admin. */
  constructor(options: {
    providers: readonly TrustedProvider[];
    adminKey: string | undefined;
    nowMs?: () => number;
  }) {
    this.#providers = new Map(options.providers.map((provider) => [provider.issuer, provider]));
    this.#adminKeyDigest = options.adminKey === undefined ? undefined : digest(options.adminKey);
    this.#nowMs = options.nowMs ?? Date.now;
  }

  /** `Authorization` header → identity; no header is the anonymous caller. */
  async fromHeader(value: string | undefined): Promise<Identity> {
    if (value === undefined) return { kind: "anonymous" };
    const [, scheme = "", credentials = ""] = /^(\S+) +(\S+)$/.exec(value) ?? [];
    switch (scheme.toLowerCase()) {
      case "bearer":
        return await this.user(credentials);
      case "convex":
        return this.#adminFromHeader(credentials);
      default:
        throw new AuthenticationError("the Authorization header must be `Bearer <token>`");
    }
  }

  /** Verifies a token. `expiresAtMs` is the first moment at which the same token would be refused. */
  async user(token: string): Promise<UserIdentity> {
    const provider = this.#providers.get(issuerOf(claimsIn(unverifiedContent(token))));
    if (provider === undefined) throw new AuthenticationError("the token's issuer is not configured");
    const claims = claimsIn(await verifiedContent(token, provider));
    if (claims["iss"] !== provider.issuer)
      throw new AuthenticationError("the token's issuer is not configured");
    const { subject, expiresAtMs } = checkClaims(claims, {
      audience: provider.audience,
      nowMs: this.#nowMs(),
    });
    return {
      kind: "user",
      attributes: attributesOf(provider.issuer, subject, claims),
      token,
      expiresAtMs,
    };
  }

  /** Checks the admin key. `actingAs` are attributes of a user in whose name the admin calls. */
  admin(key: string, actingAs: unknown): Identity {
    const expected = this.#adminKeyDigest;
    if (expected === undefined || !timingSafeEqual(digest(key), expected)) {
      throw new AuthenticationError("the admin key is not valid", { code: "BadAdminKey" });
    }
    if (actingAs === undefined || actingAs === null) return { kind: "admin", actingAs: null };
    const parsed = actingAsSchema.safeParse(actingAs);
    if (!parsed.success || !isWellFormedJson(parsed.data)) {
      throw new AuthenticationError("the identity to act as is malformed", { code: "BadAdminKey" });
    }
    const { issuer, subject } = parsed.data;
    return {
      kind: "admin",
      actingAs: { ...parsed.data, issuer, subject, tokenIdentifier: `${issuer}|${subject}` },
    };
  }

  /** Whether a token that was verified earlier would be refused by now. */
  hasExpired(identity: Identity): boolean {
    return this.msUntilExpiry(identity) <= 0;
  }

  /** Infinity for a caller without a token. */
  msUntilExpiry(identity: Identity): number {
    return identity.kind === "user" ? identity.expiresAtMs - this.#nowMs() : Infinity;
  }

  #adminFromHeader(credentials: string): Identity {
    const separator = credentials.indexOf(":");
    if (separator === -1) return this.admin(credentials, null);
    let actingAs: unknown;
    try {
      actingAs = parseJson(Buffer.from(credentials.slice(separator + 1), "base64"));
    } catch (cause) {
      if (!(cause instanceof MalformedJson)) throw cause;
      actingAs = "malformed";
    }
    return this.admin(credentials.slice(0, separator), actingAs);
  }
}

/** Digests have one length, so the comparison takes the same time whatever the guess. */
function digest(secret: string): Buffer {
  return createHash("sha256").update(secret, "utf8").digest();
}

function claimsIn(content: Uint8Array): Claims {
  try {
    return claimsOf(parseJson(content));
  } catch (cause) {
    if (!(cause instanceof MalformedJson)) throw cause;
    throw new AuthenticationError("the token is malformed", { cause });
  }
}

function issuerOf({ iss }: Claims): string {
  if (typeof iss !== "string") throw new AuthenticationError("the token names no issuer");
  return iss;
}

function attributesOf(issuer: string, subject: string, claims: Claims): IdentityAttributes {
  if (!isWellFormedJson(claims)) throw new AuthenticationError("the token's claims are not well-formed text");
  try {
    return identityAttributes(issuer, subject, claims);
  } catch (cause) {
    if (cause instanceof UnusableClaims) throw new AuthenticationError(cause.message, { cause });
    throw cause;
  }
}
