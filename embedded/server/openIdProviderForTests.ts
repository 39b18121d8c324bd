/** A real OpenID provider on loopback, with keys that rotate and a network that misbehaves on demand. */
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, type JWK } from "jose";
import Provider from "oidc-provider";
import { z } from "zod";

export const PROVIDER_AUDIENCE = "daybook";

const CLIENT_SECRET = "a-secret-that-only-this-test-has-and-needs";
const tokenAnswer = z.object({ access_token: z.string() });

/** Its tokens carry everything themselves, so there is nothing to store. */
class NothingStored {
  readonly upsert = (): Promise<undefined> => Promise.resolve(undefined);
  readonly find = (): Promise<undefined> => Promise.resolve(undefined);
}

/** How the provider answers whoever asks for its documents; tokens can always be had. */
export type Weather = "fair" | "down" | "silent" | "redirecting" | "oversized" | "not JSON";

/** Its tokens are JWT access tokens (RFC 9068) for the audience `daybook`, whose subject is the client. */
export class OpenIdProvider {
  readonly issuer: string;
  readonly #server: Server;
  #provider: RequestListener = () => undefined;
  weather: Weather = "fair";
  /** Cache-Control of the documents, if any. */
  cacheControl: string | undefined;
  /** Addresses of the documents that were asked for. */
  readonly asked: string[] = [];

  private constructor(server: Server) {
    this.#server = server;
    this.issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("request", ((request, response) => {
      if (request.method === "GET") this.asked.push(request.url ?? "");
      if (request.method !== "GET" || this.weather === "fair") {
        if (this.cacheControl !== undefined) response.setHeader("cache-control", this.cacheControl);
        this.#provider(request, response);
      } else if (this.weather === "down") request.socket.destroy();
      else if (this.weather === "redirecting") {
        response.writeHead(302, { location: `${request.url ?? ""}?again` }).end();
      } else if (this.weather === "oversized") response.end(`{"keys":[],"padding":"${"x".repeat(300_000)}"}`);
      else if (this.weather === "not JSON") response.end("<html>maintenance</html>");
    }) satisfies RequestListener);
  }

  static async start(keyId: string): Promise<OpenIdProvider> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const provider = new OpenIdProvider(server);
    await provider.rotate(keyId);
    return provider;
  }

  /** From here on it signs with a new key, and publishes this one only. */
  async rotate(keyId: string): Promise<void> {
    const { privateKey } = await generateKeyPair("ES256", { extractable: true });
    const key: JWK = { ...(await exportJWK(privateKey)), kid: keyId, alg: "ES256", use: "sig" };
    this.#provider = new Provider(this.issuer, {
      jwks: { keys: [key] },
      adapter: NothingStored,
      clients: ["alice", "bob"].map((client_id) => ({
        client_id,
        client_secret: CLIENT_SECRET,
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
        id_token_signed_response_alg: "ES256",
      })),
      ttl: { ClientCredentials: 600 },
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: (_context: unknown, resource: string) => ({
            scope: "",
            audience: resource === "https://daybook.example" ? PROVIDER_AUDIENCE : resource,
            accessTokenFormat: "jwt",
            jwt: { sign: { alg: "ES256" } },
          }),
        },
      },
    }).callback();
  }

  /** A token as the provider issues it (RFC 6749 §4.4, RFC 8707). */
  async token(client: "alice" | "bob" = "alice", resource = "https://daybook.example"): Promise<string> {
    const response = await fetch(`${this.issuer}/token`, {
      method: "POST",
      headers: { authorization: `Basic ${btoa(`${client}:${CLIENT_SECRET}`)}` },
      body: new URLSearchParams({ grant_type: "client_credentials", resource }),
    });
    return tokenAnswer.parse(await response.json()).access_token;
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }
}
