/**
 * Where the keys of an identity provider come from, and how long they are believed. Only the configuration
 * decides where: an address found in a token is never followed (R22).
 *
 * A fetched key set is fresh for as long as its provider says, within bounds. Once it isn't, the next token
 * fetches it anew, and while that fails the old set is used for a bounded time, so that an outage of the provider
 * does not sign everyone out. A token that names an unknown key fetches too: that is how a rotation is noticed.
 * No fetch follows another that failed or found nothing new within the cooldown, whatever tokens arrive.
 */
import { createLocalJWKSet, errors, type JWTVerifyGetKey } from "jose";
import { z } from "zod";
import { fetchDocument } from "./boundedFetch.ts";
import { isLoopbackHostname } from "./loopback.ts";

/** How long a key set is used without asking again: what the provider says, within these bounds. */
export const FRESH_MS = { least: 60_000, default: 600_000, most: 3_600_000 } as const;

/** How long a set that can't be fetched anew is still used, counted from when it was fetched. */
export const USABLE_MS = 4 * 3_600_000;

/** The least time from a fetch that failed or found nothing new to the next one. */
export const COOLDOWN_MS = 10_000;

const KEYS_MAX = 100;

const discoveryDocument = z.object({ issuer: z.string(), jwks_uri: z.string() });
const keySetDocument = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(KEYS_MAX) });

/** http is for providers on this machine; anywhere else it would let the network choose the keys. */
export function isTrustworthyUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null) return false;
  return url.protocol === "https:" || (url.protocol === "http:" && isLoopbackHostname(url.hostname));
}

export type KeySourceOptions = {
  nowMs?: () => number;
  /** How long one document of the provider may take. */
  deadlineMs?: number;
  /** Told about every fetch that fails. */
  onFailure?: (error: unknown) => void;
};

type FetchedKeys = { find: JWTVerifyGetKey; freshMs: number };

/** Keys in a key set document (RFC 7517 §5). Throws when it is none. */
export function keysIn(document: unknown): JWTVerifyGetKey {
  return createLocalJWKSet(keySetDocument.parse(document));
}

/** Keys at a configured address, which may be a `data:` URL. Throws when a `data:` URL holds no key set. */
export async function keysAt(jwksUrl: string, options: KeySourceOptions = {}): Promise<JWTVerifyGetKey> {
  if (!jwksUrl.startsWith("data:")) {
    const remote = new RemoteKeys(() => fetchKeys(jwksUrl, options), options);
    return (header, token) => remote.find(header, token);
  }
  const document: unknown = await (await fetch(jwksUrl)).json();
  return keysIn(document);
}

/** Keys found by OpenID Connect Discovery 1.0 §4, at the first token that needs them. */
export function discoveredKeys(issuer: string, options: KeySourceOptions = {}): JWTVerifyGetKey {
  const remote = new RemoteKeys(() => discover(issuer, options), options);
  return (header, token) => remote.find(header, token);
}

async function discover(issuer: string, options: KeySourceOptions): Promise<FetchedKeys> {
  const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const { document } = await fetchDocument(url, options);
  const { issuer: named, jwks_uri: jwksUrl } = discoveryDocument.parse(document);
  // §4.3: otherwise one provider could publish keys in the name of another.
  if (named !== issuer) throw new Error("the discovery document names another issuer");
  if (!isTrustworthyUrl(jwksUrl)) throw new Error("the discovery document names an insecure key set");
  return await fetchKeys(jwksUrl, options);
}

async function fetchKeys(url: string, options: KeySourceOptions): Promise<FetchedKeys> {
  const { document, maxAgeS } = await fetchDocument(url, options);
  const askedMs = maxAgeS === undefined ? FRESH_MS.default : maxAgeS * 1000;
  return { find: keysIn(document), freshMs: Math.min(Math.max(askedMs, FRESH_MS.least), FRESH_MS.most) };
}

/** One provider's key set, fetched when a token needs it. */
class RemoteKeys {
  readonly #fetch: () => Promise<FetchedKeys>;
  readonly #nowMs: () => number;
  readonly #onFailure: (error: unknown) => void;
  #known: (FetchedKeys & { fetchedAtMs: number }) | undefined;
  #failure: unknown;
  #pending: Promise<void> | undefined;
  #restUntilMs = Number.NEGATIVE_INFINITY;

  constructor(fetchSet: () => Promise<FetchedKeys>, options: KeySourceOptions) {
    this.#fetch = fetchSet;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#onFailure = options.onFailure ?? (() => undefined);
  }

  find: JWTVerifyGetKey = async (header, token) => {
    if (!this.#isYoungerThan(this.#known?.freshMs ?? 0)) await this.#refresh();
    const first = this.#usable();
    try {
      return await first(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      await this.#refresh();
    }
    try {
      return await this.#usable()(header, token);
    } catch (error) {
      // Whoever makes tokens up can't make keys appear, so this and not every fetch starts the cooldown.
      if (error instanceof errors.JWKSNoMatchingKey) this.#rest();
      throw error;
    }
  };

  #isYoungerThan(ageMs: number): boolean {
    return this.#known !== undefined && this.#nowMs() - this.#known.fetchedAtMs < ageMs;
  }

  #usable(): JWTVerifyGetKey {
    if (this.#known === undefined || !this.#isYoungerThan(USABLE_MS)) {
      throw new Error("the provider's keys are not known", { cause: this.#failure });
    }
    return this.#known.find;
  }

  #rest(): void {
    if (this.#nowMs() >= this.#restUntilMs) this.#restUntilMs = this.#nowMs() + COOLDOWN_MS;
  }

  /** Fetches once for all who wait; does nothing during the cooldown. */
  async #refresh(): Promise<void> {
    if (this.#pending === undefined && this.#nowMs() < this.#restUntilMs) return;
    this.#pending ??= this.#fetchOnce().finally(() => (this.#pending = undefined));
    await this.#pending;
  }

  async #fetchOnce(): Promise<void> {
    try {
      this.#known = { ...(await this.#fetch()), fetchedAtMs: this.#nowMs() };
    } catch (error) {
      this.#failure = error;
      this.#rest();
      this.#onFailure(error);
    }
  }
}
