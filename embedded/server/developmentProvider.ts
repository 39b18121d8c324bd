/**
 * The identity provider of development: signs whoever one asks for. It exists only while DAYBOOK_ENV is
 * development and the host listens on loopback, and it defends itself against web pages open in the same
 * browser: no CORS header ever, no foreign Origin, no Host other than a loopback name (DNS rebinding), and a
 * content type that a form can't send.
 */
import { createLocalJWKSet, SignJWT, type JWK } from "jose";
import { z } from "zod";
import type { TrustedProvider } from "./authentication.ts";
import type { DevelopmentSecrets } from "./developmentSecrets.ts";
import { HttpProblem, json, readJson, type Exchange, type Methods, type Reply } from "./httpExchange.ts";

export const DEVELOPMENT_AUDIENCE = "daybook-development";

const BASE_PATH = "/dev";
const KEY_ID = "development";
const TOKEN_LIFETIME_S = 60 * 60;
const BODY_BYTES_MAX = 4 * 1024;

/** The claim is put into the token as it is asked for: what a wrong one may do is for the functions to refuse. */
const tokenRequest = z.strictObject({
  user: z.string().regex(/^[!-~]{1,128}$/),
  orgId: z.string().max(200).optional(),
  /** How long ago the user proved who they are, in seconds. */
  authenticatedAgoS: z.int().min(0).max(31_536_000).default(0),
});

/** Names of the claims that tell a session's times (convex/access/sessions.ts). */
export type SessionClaims = { issuedAt: string; authenticatedAt: string };

/** Answers under `/dev` of the API's port. */
export class DevelopmentProvider {
  readonly issuer: string;
  readonly #names: readonly string[];
  readonly #orgClaim: string;
  readonly #sessionClaims: SessionClaims;
  readonly #privateKey: JWK;
  readonly #publicKey: JWK;

  /** `url` is the API's, without a path. */
  constructor(options: {
    url: string;
    orgClaim: string;
    sessionClaims: SessionClaims;
    signingKey: DevelopmentSecrets["signingKey"];
  }) {
    const { kty, crv, x, y } = options.signingKey;
    const { host, port } = new URL(options.url);
    this.issuer = `${options.url}${BASE_PATH}`;
    this.#names = [host, ...["127.0.0.1", "localhost", "[::1]"].map((name) => `${name}:${port}`)];
    this.#orgClaim = options.orgClaim;
    this.#sessionClaims = options.sessionClaims;
    this.#privateKey = options.signingKey;
    this.#publicKey = { kty, crv, x, y, kid: KEY_ID, alg: "ES256", use: "sig" };
  }

  /** What the authenticator needs; the keys never travel over the network. */
  asTrustedProvider(): TrustedProvider {
    return {
      issuer: this.issuer,
      audience: DEVELOPMENT_AUDIENCE,
      algorithms: ["ES256"],
      keys: createLocalJWKSet({ keys: [this.#publicKey] }),
    };
  }

  /** Address → what it answers; undefined for an address that is not the provider's. */
  routes(pathname: string): Methods | undefined {
    switch (pathname) {
      case `${BASE_PATH}/token`:
        return { POST: (exchange) => this.#answerToken(exchange) };
      case `${BASE_PATH}/.well-known/openid-configuration`:
        return { GET: (exchange) => this.#answerDocument(exchange, this.#configuration()) };
      case `${BASE_PATH}/.well-known/jwks.json`:
        return { GET: (exchange) => this.#answerDocument(exchange, { keys: [this.#publicKey] }) };
      default:
        return undefined;
    }
  }

  #configuration(): Record<string, unknown> {
    return {
      issuer: this.issuer,
      jwks_uri: `${this.issuer}/.well-known/jwks.json`,
      token_endpoint: `${this.issuer}/token`,
      id_token_signing_alg_values_supported: ["ES256"],
      response_types_supported: ["id_token"],
      subject_types_supported: ["public"],
    };
  }

  #answerDocument(exchange: Exchange, document: Record<string, unknown>): Reply {
    this.#refuseStrangers(exchange);
    return json(200, document);
  }

  async #answerToken(exchange: Exchange): Promise<Reply> {
    this.#refuseStrangers(exchange);
    const contentType = exchange.request.headers["content-type"] ?? "";
    if (!/^application\/json(; *charset=utf-8)?$/i.test(contentType)) {
      throw new HttpProblem(415, "UnsupportedMediaType", "the content type must be application/json");
    }
    const { user, orgId, authenticatedAgoS } = await readJson(exchange, tokenRequest, BODY_BYTES_MAX);
    const issuedAtS = Math.floor(Date.now() / 1000);
    const claims = {
      [this.#sessionClaims.issuedAt]: issuedAtS,
      [this.#sessionClaims.authenticatedAt]: issuedAtS - authenticatedAgoS,
      ...(orgId === undefined ? {} : { [this.#orgClaim]: orgId }),
    };
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: "ES256", kid: KEY_ID, typ: "JWT" })
      .setIssuer(this.issuer)
      .setSubject(user)
      .setAudience(DEVELOPMENT_AUDIENCE)
      .setIssuedAt(issuedAtS)
      .setExpirationTime(issuedAtS + TOKEN_LIFETIME_S)
      .sign(this.#privateKey);
    return json(200, { token });
  }

  #refuseStrangers({ request }: Exchange): void {
    const { host, origin } = request.headers;
    if (host === undefined || !this.#names.includes(host.toLowerCase())) {
      throw new HttpProblem(
        403,
        "Forbidden",
        "the Host header must be this machine's loopback name and port",
      );
    }
    if (origin !== undefined && origin !== `http://${host}`) {
      throw new HttpProblem(403, "Forbidden", "other origins may not ask for development tokens");
    }
  }
}
