import { expect, test } from "vitest";
import { trustedProviders } from "./identityProviders.ts";

const ISSUER = "https://issuer.example";

test.each([
  [
    { type: "customJwt", issuer: ISSUER, jwks: "https://issuer.example/keys", algorithm: "ES256" },
    "applicationID",
  ],
  [{ domain: ISSUER, applicationID: "" }, "applicationID"],
  [{ domain: "http://issuer.example", applicationID: "a" }, "https"],
  [
    { type: "customJwt", issuer: ISSUER, jwks: "http://x.example", algorithm: "ES256", applicationID: "a" },
    "https",
  ],
  [
    { type: "customJwt", issuer: ISSUER, jwks: "data:,nothing", algorithm: "ES256", applicationID: "a" },
    "no key set",
  ],
] as const)("start-up refuses the provider %j", async (provider, words) => {
  await expect(trustedProviders([provider])).rejects.toThrow(words);
});

test("start-up refuses two providers with one issuer", async () => {
  const provider = { domain: "issuer.example", applicationID: "a" };
  await expect(trustedProviders([provider, { ...provider, domain: ISSUER }])).rejects.toThrow("twice");
});
