/**
 * Connect's OAuth (docs.stripe.com/connect/oauth-reference): the page where an account's owner agrees, and the
 * endpoints that turn a code into the account's id and end the connection. Errors are OAuth's:
 * `{error, error_description}`.
 */
import type { Engine } from "../engine.ts";
import { newId } from "../state/ids.ts";
import type { AccountBook, OAuthCode } from "../state/simulatorState.ts";
import { StripeApiError } from "../wire/apiError.ts";
import { authenticate } from "../wire/apiKeys.ts";
import { header, jsonAnswer } from "../wire/http.ts";
import type { HttpAnswer, HttpRequest } from "../wire/http.ts";
import { parseForm } from "../wire/parameters.ts";
import type { FormFields } from "../wire/parameters.ts";
import { addConnectedAccount, authorizeAccount, connectedBooks, deauthorizeAccount } from "./accounts.ts";
import { consentPage } from "./consentPage.ts";

const CODE_LIFETIME_MS = 5 * 60 * 1000;

const field = (fields: FormFields, name: string): string | undefined => {
  const value = fields[name];
  return typeof value === "string" && value !== "" ? value : undefined;
};

const oauthError = (status: number, error: string, description: string): HttpAnswer =>
  jsonAnswer(status, { error, error_description: description });

export interface AuthorizeRequest {
  readonly redirectUri: string;
  readonly scope: "read_write" | "read_only";
  readonly state: string | undefined;
}

/** What the page was asked for, or why it cannot be; never a redirect to an address that is not registered. */
function authorizeRequest(engine: Engine, fields: FormFields): AuthorizeRequest | HttpAnswer {
  if (field(fields, "client_id") !== engine.oauth.clientId) {
    return oauthError(400, "invalid_client", "No application matches the supplied client identifier");
  }
  if (field(fields, "response_type") !== "code") {
    return oauthError(400, "unsupported_response_type", "Only response_type=code is supported");
  }
  const scope = field(fields, "scope") ?? "read_only";
  if (scope !== "read_write" && scope !== "read_only") {
    return oauthError(400, "invalid_scope", `Invalid scope: ${scope}`);
  }
  const redirectUri = field(fields, "redirect_uri") ?? engine.oauth.redirectUris[0];
  if (redirectUri === undefined || !engine.oauth.redirectUris.includes(redirectUri)) {
    return oauthError(
      400,
      "invalid_redirect_uri",
      "Invalid redirect URI; it is not one of the registered ones",
    );
  }
  return { redirectUri, scope, state: field(fields, "state") };
}

function redirect(request: AuthorizeRequest, parameters: Readonly<Record<string, string>>): HttpAnswer {
  const url = new URL(request.redirectUri);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  if (request.state !== undefined) url.searchParams.set("state", request.state);
  return { status: 303, headers: { location: url.href }, body: "" };
}

function agreedAccount(engine: Engine, fields: FormFields): AccountBook | undefined {
  const wanted = field(fields, "account") ?? "new";
  if (wanted !== "new") return connectedBooks(engine).find(({ account }) => account.id === wanted);
  return engine.state.accounts.get(addConnectedAccount(engine, field(fields, "name") ?? "New account").id);
}

/** The owner's decision: back to the redirect URI with a code, or with `access_denied`. */
export async function decideAuthorization(engine: Engine, fields: FormFields): Promise<HttpAnswer> {
  const asked = authorizeRequest(engine, fields);
  if ("status" in asked) return asked;
  if (field(fields, "decision") !== "allow") {
    return redirect(asked, { error: "access_denied", error_description: "The user denied your request" });
  }
  const book = agreedAccount(engine, fields);
  if (book === undefined) return oauthError(400, "invalid_request", "There is no such account");
  const code = newId(engine.ids, "oauthCode");
  engine.state.oauthCodes.set(code, {
    accountId: book.account.id,
    expiresMs: engine.clock.nowMs() + CODE_LIFETIME_MS,
    scope: asked.scope,
    isUsed: false,
  });
  await engine.commit();
  return redirect(asked, { scope: asked.scope, code });
}

function tokensFor(engine: Engine, accountId: string, scope: string): HttpAnswer {
  const accessToken = newId(engine.ids, "accessToken");
  const refreshToken = newId(engine.ids, "refreshToken");
  engine.state.accessTokens.set(accessToken, accountId);
  engine.state.refreshTokens.set(refreshToken, accountId);
  return jsonAnswer(200, {
    access_token: accessToken,
    livemode: false,
    refresh_token: refreshToken,
    token_type: "bearer",
    stripe_publishable_key: newId(engine.ids, "publishableKey"),
    stripe_user_id: accountId,
    scope,
  });
}

function redeem(engine: Engine, code: string, kept: OAuthCode | undefined): HttpAnswer {
  const book = engine.state.accounts.get(kept?.accountId ?? "");
  if (kept === undefined || book === undefined) {
    return oauthError(400, "invalid_grant", `Authorization code does not exist: ${code}`);
  }
  if (kept.isUsed) {
    return oauthError(400, "invalid_grant", "This authorization code has already been used.");
  }
  if (kept.expiresMs <= engine.clock.nowMs()) {
    return oauthError(400, "invalid_grant", `Authorization code expired: ${code}`);
  }
  kept.isUsed = true;
  authorizeAccount(engine, book);
  return tokensFor(engine, kept.accountId, kept.scope);
}

/** Whether the platform calls, by its key in the header or as `client_secret`. */
function isPlatform(engine: Engine, request: HttpRequest, fields: FormFields): boolean {
  const secret = field(fields, "client_secret");
  const authorization = secret === undefined ? header(request, "authorization") : `Bearer ${secret}`;
  try {
    const caller = authenticate(engine.state, engine.apiKeys, authorization);
    return caller.kind === "secret" && caller.accountId === engine.state.platformAccountId;
  } catch (error) {
    if (error instanceof StripeApiError) return false;
    throw error;
  }
}

function token(engine: Engine, fields: FormFields): HttpAnswer {
  const grant = field(fields, "grant_type");
  if (grant === "authorization_code") {
    const code = field(fields, "code");
    if (code === undefined) return oauthError(400, "invalid_request", "No code was given");
    return redeem(engine, code, engine.state.oauthCodes.get(code));
  }
  if (grant === "refresh_token") {
    const refreshToken = field(fields, "refresh_token") ?? "";
    const accountId = engine.state.refreshTokens.get(refreshToken);
    if (accountId === undefined) return oauthError(400, "invalid_grant", "Refresh token does not exist");
    engine.state.refreshTokens.delete(refreshToken);
    return tokensFor(engine, accountId, field(fields, "scope") ?? "read_write");
  }
  return oauthError(400, "unsupported_grant_type", `Unsupported grant type: ${String(grant)}`);
}

function deauthorize(engine: Engine, fields: FormFields): HttpAnswer {
  if (field(fields, "client_id") !== engine.oauth.clientId) {
    return oauthError(401, "invalid_client", "No application matches the supplied client identifier");
  }
  const accountId = field(fields, "stripe_user_id") ?? "";
  const book = connectedBooks(engine).find(({ account }) => account.id === accountId);
  if (book?.connected !== true) {
    const words = `This application is not connected to stripe account ${accountId}, or that account does not exist.`;
    return oauthError(401, "invalid_client", words);
  }
  deauthorizeAccount(engine, book);
  return jsonAnswer(200, { stripe_user_id: accountId });
}

const isSameOrigin = (request: HttpRequest) => {
  const origin = header(request, "origin");
  return origin === undefined || origin === request.url.origin;
};

async function answerAuthorize(engine: Engine, request: HttpRequest): Promise<HttpAnswer> {
  if (request.method === "POST") {
    if (!isSameOrigin(request)) return oauthError(403, "invalid_request", "Only this page decides");
    return decideAuthorization(engine, parseForm(request.body));
  }
  const fields = parseForm(request.url.search.slice(1));
  const asked = authorizeRequest(engine, fields);
  if ("status" in asked) return asked;
  return consentPage(engine.oauth.clientId, asked, connectedBooks(engine), new URL(asked.redirectUri).origin);
}

/** Answers `/oauth/authorize`, `/oauth/token` and `/oauth/deauthorize`. */
export async function answerOAuth(engine: Engine, request: HttpRequest): Promise<HttpAnswer> {
  const { pathname } = request.url;
  if (pathname === "/oauth/authorize") return answerAuthorize(engine, request);
  if (request.method !== "POST" || (pathname !== "/oauth/token" && pathname !== "/oauth/deauthorize")) {
    return oauthError(404, "invalid_request", `Unrecognized request URL (${request.method}: ${pathname}).`);
  }
  const fields = parseForm(request.body);
  if (!isPlatform(engine, request, fields)) {
    return oauthError(401, "invalid_client", "No such API key, or it is not the platform's secret key");
  }
  const answer = pathname === "/oauth/token" ? token(engine, fields) : deauthorize(engine, fields);
  await engine.commit();
  return answer;
}
