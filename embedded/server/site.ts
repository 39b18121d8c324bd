/**
 * HTTP actions: what the app's `http.ts` answers, on a port of its own and under `/http` of the API's port.
 * Cross-origin rules, signatures and status codes are the app's own matter here.
 */
import type { Engine, Identity } from "../engine/contract.ts";
import type { Authenticator } from "./authentication.ts";
import { AuthenticationError } from "./authenticationError.ts";
import type { Callers } from "./callers.ts";
import { HttpProblem, readBody, text, type Exchange, type Reply } from "./httpExchange.ts";

/** Convex's limit for the body of a request to an HTTP action, and for its response. */
const BODY_BYTES_MAX = 20 * 1024 * 1024;

/** Methods that Convex's HTTP router knows; HEAD is answered by the GET route. */
const METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]);

/** About the connection to the app, not about the reply (RFC 9110 §7.6.1). */
const CONNECTION_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "keep-alive",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

export type SiteParts = {
  engine: Engine;
  authenticator: Authenticator;
  callers: Callers;
  /** Base of the URL that the app sees. Never taken from the request: a Host header can say anything. */
  siteUrl: string;
};

/** Answers one request. `pathname` is the address as the app's routes know it. */
export async function answerSite(parts: SiteParts, exchange: Exchange, pathname: string): Promise<Reply> {
  exchange.route = "HTTP action";
  if (!METHODS.has(exchange.method)) {
    throw new HttpProblem(405, "MethodNotAllowed", "HTTP actions do not answer this method", {
      allow: [...METHODS].join(", "),
    });
  }
  const identity = await callerOf(parts.authenticator, exchange);
  const run = async (): Promise<Reply> => await runAction(parts, exchange, pathname, identity);
  return identity.kind === "anonymous"
    ? await parts.callers.countingRefusals(exchange.request, run)
    : await run();
}

async function runAction(
  parts: SiteParts,
  exchange: Exchange,
  pathname: string,
  identity: Identity,
): Promise<Reply> {
  const body = await readBody(exchange.request, BODY_BYTES_MAX);
  const mayHaveBody = exchange.method !== "GET" && exchange.method !== "HEAD";
  const request = new Request(new URL(`${parts.siteUrl}${pathname}${exchange.url.search}`), {
    method: exchange.method,
    headers: headersOf(exchange),
    ...(mayHaveBody ? { body: new Uint8Array(body) } : {}),
  });
  const response = await parts.engine.httpAction(request, identity, exchange.requestId);
  if (response === null) return text(404, "No matching routes found");
  return await replyOf(response);
}

function headersOf(exchange: Exchange): Headers {
  const headers = new Headers();
  for (const [name, values] of Object.entries(exchange.request.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value);
  }
  return headers;
}

/**
 * A user when the header holds a token that verifies. Anything else is the app's to read (its own scheme, a
 * provider's signature), so it is not refused here. The admin key gives no power on this side.
 */
async function callerOf(authenticator: Authenticator, exchange: Exchange): Promise<Identity> {
  const { authorization } = exchange.request.headers;
  if (authorization === undefined || !/^bearer /i.test(authorization)) return { kind: "anonymous" };
  try {
    return await authenticator.fromHeader(authorization);
  } catch (error) {
    if (error instanceof AuthenticationError) return { kind: "anonymous" };
    throw error;
  }
}

async function replyOf(response: Response): Promise<Reply> {
  const headers = new Map<string, string | string[]>();
  for (const [name, value] of response.headers) {
    if (!CONNECTION_HEADERS.has(name) && name !== "set-cookie") headers.set(name, value);
  }
  const body = new Uint8Array(await response.arrayBuffer());
  if (body.length > BODY_BYTES_MAX) {
    throw new HttpProblem(500, "HttpResponseTooLarge", "HTTP actions support responses up to 20 MiB");
  }
  const cookies = response.headers.getSetCookie();
  if (cookies.length > 0) headers.set("set-cookie", cookies);
  return {
    status: response.status,
    headers: Object.fromEntries(headers),
    body,
  };
}
