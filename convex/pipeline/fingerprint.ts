/** Keyed fingerprint of a command's payload: tells another payload under the same key, reveals nothing of it. */
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import { canonicalize } from "../../ledger/canonicalJson.ts";
import { environment } from "../access/environment.ts";

/** HMAC-SHA256 (64 hex) over the command's name and its canonical arguments without the idempotency key. */
export function payloadFingerprint(command: string, payload: Readonly<Record<string, unknown>>): string {
  const present = Object.fromEntries(Object.entries(payload).filter(([, value]) => value !== undefined));
  const message = utf8ToBytes(`daybook-fingerprint-v1\n${command}\n${canonicalize(present)}`);
  return bytesToHex(hmac(sha256, hexToBytes(environment().DAYBOOK_FINGERPRINT_KEY), message));
}
