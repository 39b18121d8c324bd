/** The backend on the embedded host, through the official HTTP client. */
import { ConvexHttpClient } from "convex/browser";
import type { Backend, Client, Person } from "./backend.ts";
import { HostProcess } from "./hostProcess.ts";

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

/** Starts a host of its own, as `npm start` does, and speaks to it as clients do. */
export async function openHostBackend(environment: Record<string, string> = {}): Promise<HostBackend> {
  const host = await HostProcess.launch(environment);
  return {
    host,
    as: async ({ subject, orgId, authenticatedAgoS }: Person) =>
      client(host, await host.token(subject, orgId, authenticatedAgoS)),
    anonymous: () => client(host),
    operator: operator(host),
    close: () => host.remove(),
  };
}
