/**
 * Invitation tokens. A token is derived, never stored: base64url of HMAC-SHA256 under the invitation key, over
 * "daybook-invitation-v1\n" + organisation + "\n" + invitation. The ledger holds its SHA-256 and the key's id.
 */
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import { environment } from "../access/environment.ts";

/** RFC 4648 §5, without padding. */
export function base64url(bytes: Uint8Array): string {
  const base64 = btoa(String.fromCharCode(...bytes));
  return base64.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** SHA-256 (64 hex) of a token's text. */
export function invitationTokenHash(token: string): string {
  return bytesToHex(sha256(utf8ToBytes(token)));
}

/** The token of an invitation under the key it was made with; null when that key is configured no longer. */
export function invitationToken(orgId: string, invitationId: string, keyId: string): string | null {
  const entry = environment().DAYBOOK_INVITATION_KEYS.find((key) => key.keyId === keyId);
  if (entry === undefined) return null;
  const message = utf8ToBytes(`daybook-invitation-v1\n${orgId}\n${invitationId}`);
  return base64url(hmac(sha256, hexToBytes(entry.key), message));
}

/** Hash and key id of a new invitation's token, under the current key. */
export function sealInvitation(orgId: string, invitationId: string): { tokenHash: string; keyId: string } {
  const keyId = environment().DAYBOOK_INVITATION_KEYS[0]?.keyId ?? "";
  const token = invitationToken(orgId, invitationId, keyId);
  if (token === null) throw new Error("the environment has no current invitation key");
  return { tokenHash: invitationTokenHash(token), keyId };
}
