/**
 * A delivery of Stripe's webhook, from raw bytes to what it says. In this order: header and signature over the exact
 * bytes, freshness → strict UTF-8 → JSON, once → the event's own form; what fails there was not written by Stripe and
 * is refused. Then allow-list → mode → API version → the fact; what fails there is genuine and not understood, and is
 * parked. Pure: secrets, mode and time are arguments.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import { z } from "zod";
import { canonicalize, NotCanonicalizableError } from "../../ledger/canonicalJson.ts";
import { parseStrictJson, StrictJsonError } from "./strictJson.ts";
import { factOf } from "./stripeFacts.ts";
import { checkSignature } from "./stripeSignature.ts";
import type { ParkReason, ProviderFact } from "./providerFact.ts";

/** The API release whose shapes are read here, and the day of its first version (R40). */
const RELEASE = "endive";
const RELEASE_SINCE = "2026-10-28";
const API_VERSION = /^([0-9]{4}-[0-9]{2}-[0-9]{2})\.([a-z]{1,32})$/;

export type Refusal = "HEADER" | "SIGNATURE" | "STALE" | "NOT_JSON" | "NOT_AN_EVENT";

export type Delivery = {
  deliveryId: string;
  /** SHA-256 of the raw body, 64 hex. */
  bodySha256: string;
  /** SHA-256 of the event whatever bytes it came in, 64 hex: of its canonical JSON without `pending_webhooks`. */
  eventSha256: string;
  /** Seconds since the epoch, from the signature. */
  signedAt: number;
  account?: string;
  livemode: boolean;
  /** Empty when the event names none. */
  apiVersion: string;
  type: string;
  reading:
    | { kind: "fact"; fact: ProviderFact; subjectId: string }
    | { kind: "park"; reason: ParkReason }
    | { kind: "notListed" };
};

export type DeliveryCheck =
  { status: "refused"; reason: Refusal } | { status: "genuine"; delivery: Delivery };

export type DeliverySettings = {
  secrets: readonly string[];
  toleranceSeconds: number;
  livemode: boolean;
  nowSeconds: number;
};

const event = z.object({
  object: z.literal("event"),
  id: z.string().regex(/^evt_[A-Za-z0-9_]{8,250}$/),
  created: z.int().min(0).max(9_999_999_999),
  type: z.string().regex(/^[a-z][a-z0-9_.]{0,127}$/),
  livemode: z.boolean(),
  api_version: z.string().max(64).nullable(),
  account: z.exactOptional(z.string().regex(/^acct_[A-Za-z0-9]{8,64}$/)),
  data: z.object({ object: z.record(z.string(), z.unknown()) }),
});

/** Whether a version has the shapes that are read here: the pinned release or a later month of it. */
export function isReadableVersion(apiVersion: string): boolean {
  const [, day = "", release] = API_VERSION.exec(apiVersion) ?? [];
  return release === RELEASE && day >= RELEASE_SINCE;
}

/** The text that was signed; null when it is not UTF-8. A byte order mark stays, and makes it no JSON. */
function decode(body: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    // Not held against TypeError: a host's decoder may throw that of another realm.
    return null;
  }
}

function readJson(body: Uint8Array): { ok: true; text: string; value: unknown } | { ok: false } {
  const text = decode(body);
  if (text === null) return { ok: false };
  try {
    return { ok: true, text, value: parseStrictJson(text) };
  } catch (error) {
    if (error instanceof StrictJsonError) return { ok: false };
    throw error;
  }
}

/**
 * What stays of an event when it is sent again: `pending_webhooks` counts who has not taken it yet. `text` was read
 * strictly before, so that this reader can't see another document in it. What has no canonical form is known by its
 * body's hash only.
 */
function eventHash(text: string, bodySha256: string): string {
  const { pending_webhooks: _, ...said } = JSON.parse(text) as Record<string, unknown>;
  try {
    return bytesToHex(sha256(utf8ToBytes(canonicalize(said))));
  } catch (error) {
    if (error instanceof NotCanonicalizableError) return bodySha256;
    throw error;
  }
}

/** Reads one delivery. Not verified here: whether it was received before, and whom it is about. */
export function readDelivery(
  { header, body }: { header: string; body: Uint8Array },
  settings: DeliverySettings,
): DeliveryCheck {
  const signature = checkSignature({ header, body }, settings);
  if (!signature.ok) return { status: "refused", reason: signature.reason };
  const json = readJson(body);
  if (!json.ok) return { status: "refused", reason: "NOT_JSON" };
  const parsed = event.safeParse(json.value);
  if (!parsed.success) return { status: "refused", reason: "NOT_AN_EVENT" };
  const { id, type, livemode, api_version: version, account, data } = parsed.data;
  const bodySha256 = bytesToHex(sha256(body));
  const known = {
    deliveryId: id,
    bodySha256,
    eventSha256: eventHash(json.text, bodySha256),
    signedAt: signature.signedAt,
    livemode,
    apiVersion: version ?? "",
    type,
    ...(account === undefined ? {} : { account }),
  };
  const occurredAt = parsed.data.created * 1000;
  return {
    status: "genuine",
    delivery: { ...known, reading: readingOf({ ...known, occurredAt }, data.object, settings) },
  };
}

function readingOf(
  { livemode, apiVersion, ...said }: Omit<Delivery, "reading"> & { occurredAt: number },
  object: unknown,
  settings: DeliverySettings,
): Delivery["reading"] {
  const reading = factOf(said, object);
  if (reading.kind === "notListed") return reading;
  if (livemode !== settings.livemode) return { kind: "park", reason: "WRONG_MODE" };
  if (!isReadableVersion(apiVersion)) return { kind: "park", reason: "WRONG_API_VERSION" };
  return reading;
}
