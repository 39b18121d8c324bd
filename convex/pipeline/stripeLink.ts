/**
 * What a link to the organisation's account at Stripe is bound to, and how its code is kept until it is exchanged.
 * The state is derived, never stored: base64url of HMAC-SHA256 over a purpose, the organisation, the user, the link
 * and its end, under a key of its own that is derived from the deployment's sealing key. So whatever comes back to
 * another organisation, another user or another link matches nothing.
 */
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import { environment } from "../access/environment.ts";
import type { StripeSettings } from "../access/stripeSettings.ts";
import { NONCE_BYTES, seal, type Sealed } from "../vault/seal.ts";
import { base64url } from "./invitationToken.ts";

/** Where Stripe asks an owner whether the deployment may act for their account. */
const STRIPE_CONNECT = "https://connect.stripe.com";

/** What a link's state is derived from. */
export type LinkBinding = { orgId: string; userId: string; linkId: string; expiresAt: number };

function stateUnder(key: string, { orgId, userId, linkId, expiresAt }: LinkBinding): string {
  const stateKey = hmac(sha256, hexToBytes(key), utf8ToBytes("daybook-link-state-key-v1"));
  const message = `daybook-link-state-v1\n${orgId}\n${userId}\n${linkId}\n${expiresAt}`;
  return base64url(hmac(sha256, stateKey, utf8ToBytes(message)));
}

/** The state of a link, 43 characters, under the current key. */
export function linkStateOf(binding: LinkBinding): string {
  const [current] = environment().DAYBOOK_SEALING_KEYS;
  if (current === undefined) throw new Error("the environment has no current sealing key");
  return stateUnder(current.key, binding);
}

/** Whether two texts of one length are equal, in a time that does not say where they differ. */
function isSame(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let index = 0; index < a.length; index += 1) difference |= a.charCodeAt(index) ^ b.charCodeAt(index);
  return difference === 0;
}

/** Whether a state is the one of this link, under any key that is configured. */
export function isStateOf(binding: LinkBinding, state: string): boolean {
  return environment().DAYBOOK_SEALING_KEYS.some(({ key }) => isSame(stateUnder(key, binding), state));
}

/** Where the owner goes to agree. */
export function authorizeUrl({ apiUrl, clientId }: StripeSettings, state: string): string | null {
  if (clientId === undefined) return null;
  const url = new URL("/oauth/authorize", apiUrl ?? STRIPE_CONNECT);
  url.search = new URLSearchParams({
    response_type: "code",
    client_id: clientId,
    scope: "read_write",
    state,
  }).toString();
  return url.href;
}

/** Where a link's code stands sealed. */
export function codePlace(orgId: string, linkId: string): { table: string; orgId: string; linkId: string } {
  return { table: "stripeLinks", orgId, linkId };
}

/**
 * Seals the code of a link. A mutation has no secure randomness, so the nonce is derived, under the sealing key, from
 * the place and the code: it repeats only with both.
 */
export function sealCode(orgId: string, linkId: string, code: string): Sealed {
  const keys = environment().DAYBOOK_SEALING_KEYS;
  const [current] = keys;
  if (current === undefined) throw new Error("the environment has no current sealing key");
  const nonceKey = hmac(sha256, hexToBytes(current.key), utf8ToBytes("daybook-link-nonce-key-v1"));
  const nonce = hmac(sha256, nonceKey, utf8ToBytes(`${orgId}\n${linkId}\n${code}`)).slice(0, NONCE_BYTES);
  return seal(keys, codePlace(orgId, linkId), utf8ToBytes(code), nonce);
}
