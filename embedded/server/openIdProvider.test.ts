import { ConvexHttpClient } from "convex/browser";
import { makeFunctionReference } from "convex/server";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Authenticator } from "./authentication.ts";
import { TestHosts } from "./hostForTests.ts";
import type { Host } from "./host.ts";
import { trustedProviders } from "./identityProviders.ts";
import { OpenIdProvider, PROVIDER_AUDIENCE } from "./openIdProviderForTests.ts";
import { COOLDOWN_MS, FRESH_MS, USABLE_MS } from "./verificationKeys.ts";

const DISCOVERY = "/.well-known/openid-configuration";
const NO_KEYS = "the issuer's keys could not be used";
const NO_MATCH = "no key of the issuer matches the token";

let provider: OpenIdProvider;

beforeAll(async () => {
  provider = await OpenIdProvider.start("k0");
});
afterAll(async () => {
  await provider.stop();
});

/** Verification as the host does it, with a clock of its own for the keys. */
class Verifier {
  passedMs = 0;
  readonly failures: unknown[] = [];
  readonly #authenticator: Promise<Authenticator>;

  constructor(kind: "discovery" | "customJwt") {
    const { issuer } = provider;
    const entry =
      kind === "discovery"
        ? { domain: issuer, applicationID: PROVIDER_AUDIENCE }
        : {
            type: "customJwt" as const,
            issuer,
            jwks: `${issuer}/jwks`,
            algorithm: "ES256" as const,
            applicationID: PROVIDER_AUDIENCE,
          };
    this.#authenticator = trustedProviders([entry], {
      nowMs: () => this.passedMs,
      deadlineMs: 300,
      onKeyFailure: (named, error) => this.failures.push([named, error]),
    }).then((providers) => new Authenticator({ providers, adminKey: undefined }));
  }

  async judge(token: string): Promise<string> {
    try {
      return (await (await this.#authenticator).user(token)).attributes.subject;
    } catch (error) {
      return error instanceof Error ? error.message : "not an error";
    }
  }
}

describe.each([
  ["discovery", [DISCOVERY, "/jwks"]],
  ["customJwt", ["/jwks"]],
] as const)("keys by %s", (kind, documents) => {
  let verifier: Verifier;
  let rotations = 0;

  async function rotate(): Promise<void> {
    rotations += 1;
    await provider.rotate(`${kind}-${rotations}`);
  }

  beforeEach(async () => {
    provider.weather = "fair";
    provider.cacheControl = undefined;
    await rotate();
    provider.asked.length = 0;
    verifier = new Verifier(kind);
  });

  test("are fetched at the first token and kept for all that follow", async () => {
    expect(provider.asked).toEqual([]);
    const tokens = [await provider.token("alice"), await provider.token("bob")];
    expect(await Promise.all(tokens.map((token) => verifier.judge(token)))).toEqual(["alice", "bob"]);
    verifier.passedMs += FRESH_MS.default - 1;
    expect(await verifier.judge(await provider.token())).toBe("alice");
    expect(provider.asked).toEqual(documents);
  });

  test("a token for another audience is refused", async () => {
    expect(await verifier.judge(await provider.token("alice", "https://other.example"))).toBe(
      'the token\'s "aud" claim is not accepted',
    );
  });

  test("a rotation is noticed at the first token of the new key, and the old key is then no longer believed", async () => {
    const old = await provider.token();
    expect(await verifier.judge(old)).toBe("alice");
    await rotate();
    expect(await verifier.judge(await provider.token())).toBe("alice");
    expect(provider.asked).toEqual([...documents, ...documents]);
    expect(await verifier.judge(old)).toBe(NO_MATCH);
  });

  test("unknown keys cause one fetch, and no other within the cooldown", async () => {
    const withdrawn = await provider.token();
    await rotate();
    expect(await verifier.judge(await provider.token())).toBe("alice");
    provider.asked.length = 0;
    const flood = Array.from({ length: 20 }, () => verifier.judge(withdrawn));
    expect(new Set(await Promise.all(flood))).toEqual(new Set([NO_MATCH]));
    expect(await verifier.judge(withdrawn)).toBe(NO_MATCH);
    expect(provider.asked).toEqual(documents);
    verifier.passedMs += COOLDOWN_MS - 1;
    expect(await verifier.judge(withdrawn)).toBe(NO_MATCH);
    expect(provider.asked).toEqual(documents);
    verifier.passedMs += 1;
    expect(await verifier.judge(withdrawn)).toBe(NO_MATCH);
    expect(provider.asked).toEqual([...documents, ...documents]);
  });

  test("a withdrawn key is believed no longer than its set is fresh", async () => {
    const old = await provider.token();
    expect(await verifier.judge(old)).toBe("alice");
    await rotate();
    verifier.passedMs += FRESH_MS.default - 1;
    expect(await verifier.judge(old)).toBe("alice");
    verifier.passedMs += 1;
    expect(await verifier.judge(old)).toBe(NO_MATCH);
  });

  test.each([
    ["public, max-age=1200", 1_200_000],
    ["max-age=1", FRESH_MS.least],
    ["max-age=999999", FRESH_MS.most],
    ["no-store", FRESH_MS.least],
    ["public", FRESH_MS.default],
  ])("Cache-Control %s keeps a set for %i ms", async (cacheControl, freshMs) => {
    provider.cacheControl = cacheControl;
    const token = await provider.token();
    await verifier.judge(token);
    verifier.passedMs += freshMs - 1;
    await verifier.judge(token);
    expect(provider.asked).toEqual(documents);
    verifier.passedMs += 1;
    await verifier.judge(token);
    expect(provider.asked).toEqual([...documents, ...documents]);
  });

  test.each(["down", "silent", "redirecting", "oversized", "not JSON"] as const)(
    "a provider that is %s: no one new, known keys for a bounded time, and all is well when it is back",
    async (weather) => {
      const token = await provider.token();
      provider.weather = weather;
      expect(await verifier.judge(token)).toBe(NO_KEYS);
      expect(await verifier.judge(token)).toBe(NO_KEYS);
      expect(provider.asked).toHaveLength(1);
      expect(verifier.failures).toEqual([[provider.issuer, expect.any(Error)]]);

      provider.weather = "fair";
      verifier.passedMs += COOLDOWN_MS;
      expect(await verifier.judge(token)).toBe("alice");

      provider.weather = weather;
      verifier.passedMs += USABLE_MS - 1;
      expect(await verifier.judge(token)).toBe("alice");
      verifier.passedMs += 1;
      expect(await verifier.judge(token)).toBe(NO_KEYS);
      verifier.passedMs += COOLDOWN_MS;
      provider.weather = "fair";
      expect(await verifier.judge(token)).toBe("alice");
      expect(provider.asked.some((address) => address.includes("again"))).toBe(false);
    },
  );
});

describe("a running host", () => {
  const hosts = new TestHosts();
  const whoami = makeFunctionReference<"query", Record<string, never>, string | null>("notes:whoami");
  let host: Host;

  beforeAll(async () => {
    provider.weather = "fair";
    host = await hosts.start({
      DAYBOOK_AUTH_ISSUER: provider.issuer,
      DAYBOOK_AUTH_AUDIENCE: PROVIDER_AUDIENCE,
    });
  });
  afterAll(async () => {
    await hosts.clean();
  });

  async function callerOf(token: string): Promise<string | null> {
    const client = new ConvexHttpClient(host.url, { logger: false });
    client.setAuth(token);
    return await client.query(whoami, {});
  }

  test("knows the provider's users through a rotation and an outage", async () => {
    const old = await provider.token("alice");
    expect(await callerOf(old)).toBe(`${provider.issuer}|alice`);
    await provider.rotate("while-running");
    const renewed = await provider.token("bob");
    expect(await callerOf(renewed)).toBe(`${provider.issuer}|bob`);
    await expect(callerOf(old)).rejects.toThrow(NO_MATCH);
    provider.weather = "down";
    expect(await callerOf(renewed)).toBe(`${provider.issuer}|bob`);
  });
});
