/** The backend on the embedded host, through the official HTTP client. */
import { ConvexHttpClient } from "convex/browser";
import type { Backend, Client, Person } from "./backend.ts";
import { HostProcess } from "./hostProcess.ts";
import { AUDIENCE, openTokenIssuer } from "./tokenIssuer.ts";

export type HostBackend = Backend & { host: HostProcess };

function client(host: HostProcess, token?: string): Client {
  const http = new ConvexHttpClient(host.url, { logger: false });
  if (token !== undefined) http.setAuth(token);
  return http;
}

/** A client with the deployment's key: it reaches internal functions. */
function operator(host: HostProcess): Backend["operator"] {
  const http = new ConvexHttpClient(host.url, { logger: false });
  // The official client has this method for the dashboard; its types leave it out.
  (http as unknown as { setAdminAuth(key: string): void }).setAdminAuth(host.adminKey());
  return http as unknown as Backend["operator"];
}

/**
 * Starts a host of its own, as `npm start` does, and speaks to it as clients do. Besides its development provider
 * it trusts one of the tests' own, which signs any claim.
 */
export async function openHostBackend(environment: Record<string, string> = {}): Promise<HostBackend> {
  const issuer = await openTokenIssuer();
  const host = await HostProcess.launch({
    DAYBOOK_AUTH_ISSUER: issuer.url,
    DAYBOOK_AUTH_AUDIENCE: AUDIENCE,
    ...environment,
  });
  return {
    host,
    issuer: issuer.url,
    as: async ({ subject, orgId, authenticatedAgoS }: Person) =>
      client(host, await host.token(subject, orgId, authenticatedAgoS)),
    withClaims: async (subject, claims) => client(host, await issuer.token(subject, claims)),
    anonymous: () => client(host),
    operator: operator(host),
    close: async () => {
      await host.remove();
      await issuer.close();
    },
  };
}
