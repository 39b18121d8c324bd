import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  exportJWK,
  exportSPKI,
  generateKeyPair,
  SignJWT,
  UnsecuredJWT,
  type CryptoKey,
  type JWK,
} from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Authenticator } from "./authentication.ts";
import { trustedProviders } from "./identityProviders.ts";

const ISSUER = "https://issuer.example";
const AUDIENCE = "daybook";
const NOW_S = 1_800_000_000;
const ADMIN_KEY = `daybook|${"c".repeat(64)}`;

type Keys = { privateKey: CryptoKey; publicKey: CryptoKey; jwk: JWK };

async function makeKeys(algorithm: "ES256" | "RS256", kid: string): Promise<Keys> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  return { privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: algorithm } };
}

function dataUrl(...keys: JWK[]): string {
  return `data:application/json;base64,${Buffer.from(JSON.stringify({ keys })).toString("base64")}`;
}

let keys: Keys;
let authenticator: Authenticator;

beforeAll(async () => {
  keys = await makeKeys("ES256", "k1");
  authenticator = await authenticatorFor(keys.jwk);
});

async function authenticatorFor(...jwks: JWK[]): Promise<Authenticator> {
  const providers = await trustedProviders([
    {
      type: "customJwt",
      issuer: ISSUER,
      jwks: dataUrl(...jwks),
      algorithm: "ES256",
      applicationID: AUDIENCE,
    },
  ]);
  return new Authenticator({ providers, adminKey: ADMIN_KEY, nowMs: () => NOW_S * 1000 });
}

const CLAIMS = { iss: ISSUER, aud: AUDIENCE, sub: "alice", iat: NOW_S, exp: NOW_S + 60 };

async function sign(claims: object, header: object = {}, by: Keys = keys): Promise<string> {
  return await new SignJWT({ ...CLAIMS, ...claims })
    .setProtectedHeader({ alg: "ES256", kid: "k1", ...header })
    .sign(by.privateKey);
}

/** Why a token is refused, or its subject. */
async function judge(token: string, by: Authenticator = authenticator): Promise<string> {
  try {
    return `accepted ${(await by.user(token)).attributes.subject}`;
  } catch (error) {
    return error instanceof Error ? error.message : "not an error";
  }
}

function unsignedPart(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

test("a good token gives issuer, subject and token identifier", async () => {
  const identity = await authenticator.user(await sign({ name: "Alice" }));
  expect(identity.attributes).toEqual({
    tokenIdentifier: `${ISSUER}|alice`,
    issuer: ISSUER,
    subject: "alice",
    name: "Alice",
  });
});

describe("A09 times", () => {
  test.each([
    [-6, "the token has expired"],
    [-5, "the token has expired"],
    [-4, "accepted alice"],
    [0, "accepted alice"],
  ])("exp %i s from now: %s", async (offset, verdict) => {
    expect(await judge(await sign({ exp: NOW_S + offset }))).toBe(verdict);
  });

  test.each([
    ["nbf", 5, "accepted alice"],
    ["nbf", 6, 'the token\'s "nbf" claim is not accepted'],
    ["iat", 5, "accepted alice"],
    ["iat", 6, 'the token\'s "iat" claim is not accepted'],
  ])("%s %i s from now: %s", async (claim, offset, verdict) => {
    expect(await judge(await sign({ [claim]: NOW_S + offset }))).toBe(verdict);
  });

  test("exp must be a time", async () => {
    expect(await judge(await sign({ exp: undefined }))).toBe('the token has no "exp" claim');
    expect(await judge(await sign({ exp: -1 }))).toBe("the token has expired");
    expect(await judge(await sign({ exp: 9e15 }))).toBe('the token\'s "exp" claim is not accepted');
    expect(await judge(await signText('{"exp":1e400}'))).toBe('the token\'s "exp" claim is not accepted');
    expect(await judge(await signText('{"exp":"1900000000"}'))).toBe(
      'the token\'s "exp" claim is not accepted',
    );
  });

  test("an identity expires at the first moment at which its token is refused", async () => {
    const token = await sign({ exp: NOW_S + 60 });
    const { expiresAtMs } = await authenticator.user(token);
    const at = async (nowMs: number): Promise<boolean> => {
      const providers = await trustedProviders([
        {
          type: "customJwt",
          issuer: ISSUER,
          jwks: dataUrl(keys.jwk),
          algorithm: "ES256",
          applicationID: AUDIENCE,
        },
      ]);
      const later = new Authenticator({ providers, adminKey: undefined, nowMs: () => nowMs });
      const accepted = (await judge(token, later)) === "accepted alice";
      expect(later.hasExpired({ kind: "user", attributes: { ...NOBODY }, token, expiresAtMs })).toBe(
        !accepted,
      );
      return accepted;
    };
    expect(await at(expiresAtMs - 1)).toBe(true);
    expect(await at(expiresAtMs)).toBe(false);
  });
});

const NOBODY = { tokenIdentifier: "", issuer: "", subject: "" };

/** Signs claims that JavaScript can't hold, by their JSON text. */
async function signText(extra: string): Promise<string> {
  const claims = JSON.stringify({ ...CLAIMS, exp: undefined }).replace(/\}$/, `,${extra.slice(1)}`);
  const input = `${unsignedPart({ alg: "ES256", kid: "k1" })}.${Buffer.from(claims).toString("base64url")}`;
  const algorithm = { name: "ECDSA", hash: "SHA-256" };
  const signature = await crypto.subtle.sign(algorithm, keys.privateKey, Buffer.from(input));
  return `${input}.${Buffer.from(signature).toString("base64url")}`;
}

describe("A07 issuer, audience, subject", () => {
  test.each([
    [{ aud: "other" }, 'the token\'s "aud" claim is not accepted'],
    [{ aud: ["other", AUDIENCE] }, "accepted alice"],
    [{ aud: [] }, 'the token\'s "aud" claim is not accepted'],
    [{ aud: undefined }, 'the token has no "aud" claim'],
    [{ iss: "https://evil.example" }, "the token's issuer is not configured"],
    [{ iss: `${ISSUER}/` }, "the token's issuer is not configured"],
    [{ iss: "http://issuer.example" }, "the token's issuer is not configured"],
    [{ iss: "https://ISSUER.example" }, "the token's issuer is not configured"],
    [{ iss: undefined }, "the token names no issuer"],
    [{ iss: "__proto__" }, "the token's issuer is not configured"],
    [{ sub: undefined }, 'the token has no "sub" claim'],
    [{ sub: "" }, "the token's subject is missing or unusable"],
    [{ sub: "x".repeat(256) }, "the token's subject is missing or unusable"],
    [{ sub: 7 }, "the token's subject is missing or unusable"],
    [{ sub: "a\ud800" }, "the token's claims are not well-formed text"],
    [{ org: { id: 1 }, "org.id": 2 }, "two claims of the token have the same flattened name"],
  ])("%j: %s", async (claims, verdict) => {
    expect(await judge(await sign(claims))).toBe(verdict);
  });
});

describe("keys and algorithms", () => {
  test("an unsigned token is refused", async () => {
    const unsecured = new UnsecuredJWT(CLAIMS).encode();
    expect(await judge(unsecured)).toBe("the token is not a signed JWT");
    const [, payload = ""] = unsecured.split(".");
    const forged = `${unsignedPart({ alg: "none", kid: "k1" })}.${payload}.AAAA`;
    expect(await judge(forged)).toBe("the token's algorithm is not allowed");
  });

  test("A03 HS256 with the public key as secret is refused, whatever form the key has", async () => {
    const secrets = [
      await exportSPKI(keys.publicKey),
      JSON.stringify(keys.jwk),
      JSON.stringify({ keys: [keys.jwk] }),
    ];
    for (const secret of secrets) {
      const input = `${unsignedPart({ alg: "HS256", kid: "k1" })}.${unsignedPart(CLAIMS)}`;
      const mac = createHmac("sha256", secret).update(input).digest("base64url");
      expect(await judge(`${input}.${mac}`)).toBe("the token's algorithm is not allowed");
    }
  });

  test("a provider that signs ES256 is not believed with RS256", async () => {
    const rsa = await makeKeys("RS256", "k1");
    const both = await authenticatorFor(keys.jwk, rsa.jwk);
    const token = await sign({}, { alg: "RS256" }, rsa);
    expect(await judge(token, both)).toBe("the token's algorithm is not allowed");
  });

  test("a key in the header is never used", async () => {
    const attacker = await makeKeys("ES256", "k1");
    const refused = "the token's header is missing a kid or asks for something not allowed";
    expect(await judge(await sign({}, {}, attacker))).toBe("the token's signature does not verify");
    for (const header of [
      { jwk: attacker.jwk },
      { jku: "https://evil.example/keys" },
      { x5u: "https://evil.example/chain" },
      { x5c: ["AAAA"] },
    ]) {
      expect(await judge(await sign({}, header, attacker))).toBe(refused);
    }
    const critical = `${unsignedPart({ alg: "ES256", kid: "k1", crit: ["exp"] })}.${unsignedPart(CLAIMS)}.AAAA`;
    expect(await judge(critical)).toBe(refused);
  });

  test("A05 kid must be present, known and unique", async () => {
    const unknown = await judge(await sign({}, { kid: "../../dev/null" }));
    expect(unknown).toBe("no key of the issuer matches the token");
    const header = "the token's header is missing a kid or asks for something not allowed";
    expect(await judge(await sign({}, { kid: undefined }))).toBe(header);
    expect(await judge(await sign({}, { kid: "k".repeat(10_000) }))).toBe(header);
    const twice = await authenticatorFor(keys.jwk, (await makeKeys("ES256", "k1")).jwk);
    expect(await judge(await sign({}), twice)).toBe("several keys of the issuer match the token");
  });

  test("A11 a token made for another purpose is refused, by its type, its audience or its form", async () => {
    expect(await judge(await sign({}, { typ: "at+jwt" }))).toBe("accepted alice");
    expect(await judge(await sign({}, { typ: "JWT" }))).toBe("accepted alice");
    expect(await judge(await sign({}, { typ: "logout+jwt" }))).toMatch(/^the token's header/);
    expect(await judge(await sign({ aud: "another-client" }))).toBe(
      'the token\'s "aud" claim is not accepted',
    );
    const [secret, invitationToken] = [`whsec_${"a".repeat(32)}`, "B".repeat(43)];
    for (const bearer of [secret, invitationToken]) {
      expect(await judge(bearer)).toBe("the token is not a signed JWT");
    }
  });

  test("a changed byte anywhere is refused", async () => {
    const token = await sign({});
    for (const part of [0, 1, 2]) {
      const parts = token.split(".");
      const text = parts[part] ?? "";
      parts[part] = `${text.slice(0, 8)}${text[8] === "A" ? "B" : "A"}${text.slice(9)}`;
      expect(await judge(parts.join("."))).not.toMatch(/^accepted/);
    }
  });

  test("a token above 16 KiB is refused before anything reads it", async () => {
    expect(await judge(await sign({ padding: "x".repeat(16 * 1024) }))).toBe("the token is too large");
  });

  test("messages hold nothing of the token", async () => {
    const canary = "CANARY7f3a";
    const tokens = [
      await sign({ iss: canary }),
      await sign({ aud: canary }),
      await sign({}, { kid: canary }),
      await sign({}, { alg: "ES256", typ: canary }),
      `${canary}.${canary}.${canary}`,
    ];
    for (const token of tokens) {
      const verdict = await judge(token);
      expect(verdict).not.toMatch(/^accepted/);
      expect(verdict).not.toContain(canary);
    }
  });
});

describe("claims become attributes", () => {
  test("standard claims in camelCase, objects flattened, the rest by name", async () => {
    const token = await sign({
      given_name: "Ada",
      email: "ada@example.org",
      email_verified: true,
      daybook_org: "org_1",
      org: { id: "o1", roles: ["a"], deep: { n: null } },
      tenant: {},
      scope: { a: {} },
    });
    expect((await authenticator.user(token)).attributes).toMatchObject({
      givenName: "Ada",
      email: "ada@example.org",
      emailVerified: true,
      daybook_org: "org_1",
      "org.id": "o1",
      "org.roles": ["a"],
      "org.deep.n": null,
      tenant: {},
      "scope.a": {},
    });
  });

  test("no claim can pose as an attribute of the host or as a verified standard one", async () => {
    const token = await sign({
      tokenIdentifier: "https://evil|root",
      issuer: "evil",
      subject: "root",
      emailVerified: true,
      ["__proto__"]: { polluted: true },
    });
    const { attributes } = await authenticator.user(token);
    expect(attributes).toEqual({ tokenIdentifier: `${ISSUER}|alice`, issuer: ISSUER, subject: "alice" });
    expect(Object.getPrototypeOf(attributes)).toBe(Object.prototype);
    expect({}).not.toHaveProperty("polluted");
  });
});

describe("the Authorization header", () => {
  const actingAs = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64");

  test("none is anonymous, a scheme that is not ours is refused", async () => {
    expect(await authenticator.fromHeader(undefined)).toEqual({ kind: "anonymous" });
    for (const value of ["", "Bearer", "Bearer ", "Basic YTpi", `Bearer x y`, ADMIN_KEY]) {
      await expect(authenticator.fromHeader(value)).rejects.toMatchObject({ code: "Unauthenticated" });
    }
  });

  test("the admin key works whole, and only whole", async () => {
    expect(await authenticator.fromHeader(`Convex ${ADMIN_KEY}`)).toEqual({ kind: "admin", actingAs: null });
    for (const key of [ADMIN_KEY.slice(0, -1), `${ADMIN_KEY}x`, ADMIN_KEY.toUpperCase(), "x"]) {
      await expect(authenticator.fromHeader(`Convex ${key}`)).rejects.toMatchObject({ code: "BadAdminKey" });
    }
  });

  test("without an admin key in the configuration nothing is admin", async () => {
    const none = new Authenticator({ providers: [], adminKey: undefined });
    for (const key of [ADMIN_KEY, "undefined", ":"]) {
      await expect(none.fromHeader(`Convex ${key}`)).rejects.toMatchObject({ code: "BadAdminKey" });
    }
  });

  test("an admin acts in a user's name, whose identifier the host computes", async () => {
    const user = { issuer: ISSUER, subject: "bob", tokenIdentifier: "forged", name: "Bob" };
    expect(await authenticator.fromHeader(`Convex ${ADMIN_KEY}:${actingAs(user)}`)).toEqual({
      kind: "admin",
      actingAs: { ...user, tokenIdentifier: `${ISSUER}|bob` },
    });
    for (const bad of [actingAs({ subject: "bob" }), actingAs([]), "%%%"]) {
      await expect(authenticator.fromHeader(`Convex ${ADMIN_KEY}:${bad}`)).rejects.toMatchObject({
        code: "BadAdminKey",
      });
    }
  });
});

describe("OpenID Connect discovery", () => {
  const requested: string[] = [];
  let documentIssuer = "";
  let jwksUri = "";
  const server = createServer((request, response) => {
    requested.push(request.url ?? "");
    if (request.url === "/redirect") response.writeHead(302, { location: "/keys" }).end();
    else if (request.url === "/keys") response.end(JSON.stringify({ keys: [keys.jwk] }));
    else response.end(JSON.stringify({ issuer: documentIssuer, jwks_uri: jwksUri }));
  });
  let issuer = "";

  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.close();
  });

  async function discovering(named: string, keySet: string): Promise<string> {
    documentIssuer = named;
    jwksUri = keySet;
    const providers = await trustedProviders([{ domain: issuer, applicationID: AUDIENCE }]);
    const discovered = new Authenticator({ providers, adminKey: undefined, nowMs: () => NOW_S * 1000 });
    const verdict = await judge(await sign({ iss: issuer }), discovered);
    expect(await judge(await sign({ iss: issuer }), discovered)).toBe(verdict);
    return verdict;
  }

  test("keys are found once and kept", async () => {
    requested.length = 0;
    expect(await discovering(issuer, `${issuer}/keys`)).toBe("accepted alice");
    expect(requested).toEqual(["/.well-known/openid-configuration", "/keys"]);
  });

  test("a document of another issuer, an insecure key set and a redirect are refused", async () => {
    const refused = "the issuer's keys could not be used";
    expect(await discovering("https://issuer.example", `${issuer}/keys`)).toBe(refused);
    expect(await discovering(issuer, "http://192.0.2.1/keys")).toBe(refused);
    expect(await discovering(issuer, `${issuer}/redirect`)).toBe(refused);
  });
});
