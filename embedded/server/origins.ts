/**
 * Which web pages may call the API (R93). Tokens are sent by scripts, never by the browser on its own, so no
 * reply allows credentials. A request that names an origin outside the list is refused, not merely unreadable:
 * the API also has functions that need no token.
 */
import type { AllowedOrigins } from "./config.ts";
import { HttpProblem, type Reply } from "./httpExchange.ts";
import { isLoopbackHostname } from "./loopback.ts";

const PREFLIGHT_MAX_AGE_S = 600;

/** `origin` as in the request header; `null` and anything that isn't exactly an origin is not allowed. */
export function isAllowedOrigin(allowed: AllowedOrigins, origin: string): boolean {
  if (allowed.kind === "listed") return allowed.origins.includes(origin);
  const url = URL.parse(origin);
  return url !== null && url.origin === origin && isLoopbackHostname(url.hostname);
}

/** Headers for the reply to a request from `origin`. Throws HttpProblem 403 when it is not allowed. */
export function corsHeaders(allowed: AllowedOrigins, origin: string | undefined): Record<string, string> {
  if (origin === undefined) return { vary: "Origin" };
  if (!isAllowedOrigin(allowed, origin)) {
    throw new HttpProblem(403, "OriginNotAllowed", "this origin is not in DAYBOOK_ALLOWED_ORIGINS");
  }
  return { vary: "Origin", "access-control-allow-origin": origin };
}

/** The answer to a preflight whose origin was allowed. */
export function preflight(methods: readonly string[]): Reply {
  return {
    status: 204,
    headers: {
      "access-control-allow-methods": methods.join(", "),
      "access-control-allow-headers":
        "authorization, content-type, convex-client, digest, range, if-range, if-none-match",
      "access-control-max-age": String(PREFLIGHT_MAX_AGE_S),
    },
    body: "",
  };
}
