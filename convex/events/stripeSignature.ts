/**
 * Stripe's signature of a delivery: HMAC-SHA256 over `t`, a dot and the exact raw bytes, in a header
 * `t=<seconds>,v1=<64 hex>,…`. Stricter than the official SDK, which lets a time that is no number, or lies in the
 * future, through (R30–R32). Pure: secrets and time are arguments.
 */
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";

/** Room for several signatures while a secret is rotated, and for nothing that would be work to read. */
export const HEADER_CHARACTERS_MAX = 2_048;
const SIGNATURES_MAX = 16;

/** `name=value`, visible ASCII. */
const ELEMENT = /^([A-Za-z0-9_]{1,32})=([\x21-\x2b\x2d-\x7e]*)$/;
const SECONDS = /^[0-9]{10}$/;
const SIGNATURE = /^[0-9a-f]{64}$/;

export type SignatureCheck =
  /** `signedAt`: seconds since the epoch, as signed. */
  { ok: true; signedAt: number } | { ok: false; reason: "HEADER" | "SIGNATURE" | "STALE" };

type ParsedHeader = { seconds: string; signatures: string[] };

/** The values by name, in their order; null when an element is not `name=value`. */
function elementsOf(header: string): Map<string, string[]> | null {
  const values = new Map<string, string[]>();
  for (const element of header.split(",")) {
    const [, name, value = ""] = ELEMENT.exec(element) ?? [];
    if (name === undefined) return null;
    values.set(name, [...(values.get(name) ?? []), value]);
  }
  return values;
}

/** The header's time and its `v1` signatures; null when it has another form. Other schemes are passed over. */
export function parseSignatureHeader(header: string): ParsedHeader | null {
  const values = header.length > HEADER_CHARACTERS_MAX ? null : elementsOf(header);
  const [seconds = "", ...repeated] = values?.get("t") ?? [];
  const signatures = values?.get("v1") ?? [];
  if (!SECONDS.test(seconds) || repeated.length > 0) return null;
  return signatures.length === 0 || signatures.length > SIGNATURES_MAX ? null : { seconds, signatures };
}

/** Compares texts of one length in a time that does not depend on where they differ. */
function isSame(left: string, right: string): boolean {
  let difference = 0;
  for (let index = 0; index < left.length; index += 1) {
    difference |= left.charCodeAt(index) ^ right.charCodeAt(index);
  }
  return difference === 0;
}

/** The signature (64 hex) of a body under a secret at a time in seconds. */
export function stripeSignature(secret: string, seconds: string, body: Uint8Array): string {
  const mac = hmac.create(sha256, utf8ToBytes(secret));
  return bytesToHex(
    mac
      .update(utf8ToBytes(`${seconds}.`))
      .update(body)
      .digest(),
  );
}

/**
 * Checks header and body against every secret. Genuine when any `v1` is right under any of them and the signed time is
 * at most `toleranceSeconds` before or after now. Without a secret nothing is genuine. Not verified here: that the body
 * is anything that makes sense.
 */
export function checkSignature(
  { header, body }: { header: string; body: Uint8Array },
  {
    secrets,
    toleranceSeconds,
    nowSeconds,
  }: { secrets: readonly string[]; toleranceSeconds: number; nowSeconds: number },
): SignatureCheck {
  const parsed = parseSignatureHeader(header);
  if (parsed === null) return { ok: false, reason: "HEADER" };
  const candidates = parsed.signatures.filter((signature) => SIGNATURE.test(signature));
  let isGenuine = false;
  for (const secret of secrets) {
    const expected = stripeSignature(secret, parsed.seconds, body);
    for (const candidate of candidates) isGenuine = isSame(candidate, expected) || isGenuine;
  }
  if (!isGenuine) return { ok: false, reason: "SIGNATURE" };
  const signedAt = Number(parsed.seconds);
  // Written so that a tolerance or a clock that is no number refuses.
  if (!(Math.abs(nowSeconds - signedAt) <= toleranceSeconds)) return { ok: false, reason: "STALE" };
  return { ok: true, signedAt };
}
