/** The providers of `auth.config.ts`, checked at start-up: one that could let strangers in stops it. */
import type { AuthProvider } from "../engine/contract.ts";
import { HostError } from "../engine/errors.ts";
import type { TrustedProvider } from "./authentication.ts";
import { discoveredKeys, isTrustworthyUrl, keysAt, type KeySourceOptions } from "./verificationKeys.ts";

export type ProviderOptions = Omit<KeySourceOptions, "onFailure"> & {
  /** Told when a provider's keys can't be fetched. */
  onKeyFailure?: (issuer: string, error: unknown) => void;
};

/** Throws HostError that names the provider. Remote keys are not fetched yet: that waits for a token. */
export async function trustedProviders(
  providers: readonly AuthProvider[],
  options: ProviderOptions = {},
): Promise<TrustedProvider[]> {
  const trusted: TrustedProvider[] = [];
  for (const provider of providers) {
    const next = "type" in provider ? await customJwt(provider, options) : openIdConnect(provider, options);
    if (trusted.some(({ issuer }) => issuer === next.issuer)) refuse(next.issuer, "is listed twice");
    trusted.push(next);
  }
  return trusted;
}

function keySource(issuer: string, { onKeyFailure, ...options }: ProviderOptions): KeySourceOptions {
  return { ...options, onFailure: (error) => onKeyFailure?.(issuer, error) };
}

function openIdConnect(
  { domain, applicationID }: Extract<AuthProvider, { domain: string }>,
  options: ProviderOptions,
): TrustedProvider {
  // Convex's form without a scheme means https.
  const issuer = domain.includes("://") ? domain : `https://${domain}`;
  if (!isTrustworthyUrl(issuer)) refuse(issuer, "must be an https URL");
  return {
    issuer,
    audience: requireAudience(issuer, applicationID),
    algorithms: ["RS256", "ES256"],
    keys: discoveredKeys(issuer, keySource(issuer, options)),
  };
}

async function customJwt(
  provider: Extract<AuthProvider, { type: "customJwt" }>,
  options: ProviderOptions,
): Promise<TrustedProvider> {
  const { issuer, jwks, algorithm, applicationID } = provider;
  const audience = requireAudience(issuer, applicationID);
  if (!jwks.startsWith("data:") && !isTrustworthyUrl(jwks))
    refuse(issuer, "must have an https URL as its jwks");
  try {
    return {
      issuer,
      audience,
      algorithms: [algorithm],
      keys: await keysAt(jwks, keySource(issuer, options)),
    };
  } catch (cause) {
    return refuse(issuer, "has a jwks that holds no key set", cause);
  }
}

/** Without an audience every token of the issuer would be accepted, whichever application it is for (R25). */
function requireAudience(issuer: string, applicationID: string | undefined): string {
  if (applicationID === undefined || applicationID === "")
    return refuse(issuer, "must have an applicationID");
  return applicationID;
}

function refuse(issuer: string, problem: string, cause?: unknown): never {
  throw new HostError("FUNCTIONS_INVALID", `auth.config.ts: the provider ${issuer} ${problem}.`, { cause });
}
