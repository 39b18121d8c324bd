/**
 * An identity provider of the tests' own on loopback: it signs whatever claims a test asks for, which the host's
 * development provider rightly refuses to do.
 */
import { createServer } from "node:http";
import { exportJWK, generateKeyPair, SignJWT } from "jose";

export const AUDIENCE = "daybook-tests";

export type TokenIssuer = {
  url: string;
  /** A token of this subject, with these claims besides the registered ones. */
  token: (subject: string, claims: Readonly<Record<string, unknown>>) => Promise<string>;
  close: () => Promise<void>;
};

export async function openTokenIssuer(): Promise<TokenIssuer> {
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  const key = { ...(await exportJWK(publicKey)), kid: "1", alg: "ES256", use: "sig" };
  const documents = new Map<string, unknown>();
  const server = createServer((request, response) => {
    const document = documents.get(request.url ?? "");
    response.writeHead(document === undefined ? 404 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(document ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the issuer does not listen");
  const url = `http://127.0.0.1:${address.port}`;
  documents.set("/.well-known/openid-configuration", { issuer: url, jwks_uri: `${url}/keys` });
  documents.set("/keys", { keys: [key] });
  return {
    url,
    token: async (subject, claims) =>
      await new SignJWT({ ...claims })
        .setProtectedHeader({ alg: "ES256", kid: "1" })
        .setIssuer(url)
        .setAudience(AUDIENCE)
        .setSubject(subject)
        .setIssuedAt()
        .setExpirationTime("1h")
        .sign(privateKey),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
