/** Argument schemas that the public functions share. Text is measured in UTF-8 bytes, time in milliseconds UTC. */
import currencyCodes from "currency-codes";
import { z } from "zod";
import { ROLES } from "../../ledger/event.ts";
import { idPattern } from "../../ledger/ids.ts";
import { isReturnPath } from "./stripeSettings.ts";

const NAME_BYTES_MAX = 200;
const DURATION_MINUTES_MAX = 24 * 60;
const PRICE_MINOR_MAX = 1_000_000_000_000;
/** 9999-12-31T23:59:59.999Z. */
const TIME_MS_MAX = 253_402_300_799_999;

const ULID_OR_UUID =
  /^(?:[0-7][0-9A-HJKMNP-TV-Z]{25}|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})$/;

/** Control characters, line separators, direction overrides and tag characters: a name is one line as it reads. */
const UNPRINTABLE = /[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069\u{E0000}-\u{E007F}]/u;

/** ISO 4217 codes of no country's money: metals, units of account, testing, "no currency". */
const NO_MONEY = new Set([
  "XAG",
  "XAU",
  "XBA",
  "XBB",
  "XBC",
  "XBD",
  "XDR",
  "XPD",
  "XPT",
  "XSU",
  "XTS",
  "XUA",
  "XXX",
]);

const utf8 = new TextEncoder();

function id(prefix: string): z.ZodString {
  return z.string().regex(idPattern(prefix), `Must be an id that starts with ${prefix}_.`);
}

export const idempotencyKey = z.string().regex(ULID_OR_UUID, "Must be a ULID or a UUID.");
export const orgId = id("org");
export const userId = id("usr");
export const serviceId = id("svc");
export const bookingId = id("bkg");
export const paymentId = id("pay");
export const refundId = id("rfd");
export const invitationId = id("inv");
export const readingId = id("rdg");
/** An identity provider's own id of an organisation. */
export const providerOrgId = z.string().regex(/^[!-~]{1,128}$/, "Must be a provider's organisation id.");
export const role = z.enum(ROLES);
export const invitationToken = z.string().regex(/^[A-Za-z0-9_-]{43}$/, "Must be an invitation token.");

/** The state that a link to the organisation's account began with: 32 bytes in base64url. */
export const linkState = z.string().regex(/^[A-Za-z0-9_-]{43}$/, "Must be the state of a link.");
/** What Stripe sends an owner back with. */
export const authorizationCode = z
  .string()
  .regex(/^ac_[A-Za-z0-9]{8,250}$/, "Must be an authorization code.");
/** Where the provider's page sends the payer back to, under the deployment's origins. */
export const returnPath = z.string().refine(isReturnPath, "Must be a path, without query and fragment.");

/** A business name: one line of well-formed text. */
export const name = z
  .string()
  .trim()
  .min(1, "Must not be empty.")
  .refine((text) => utf8.encode(text).length <= NAME_BYTES_MAX, `At most ${NAME_BYTES_MAX} bytes.`)
  .refine((text) => text.isWellFormed() && !UNPRINTABLE.test(text), "Must be one line of text.")
  .refine((text) => /[\p{L}\p{N}\p{P}\p{S}]/u.test(text), "Must have a visible character.");

/** An integer that JSON and the ledger hold exactly; negative zero is refused. */
function integer(min: number, max: number): z.ZodType<number> {
  return z
    .int()
    .min(min)
    .max(max)
    .refine((value) => !Object.is(value, -0), "Must not be negative.");
}

export const durationMinutes = integer(1, DURATION_MINUTES_MAX);
export const priceMinor = integer(0, PRICE_MINOR_MAX);
export const depositMinor = integer(1, PRICE_MINOR_MAX);
/** An amount of money that is not nothing. */
export const amountMinor = integer(1, PRICE_MINOR_MAX);
export const startsAt = integer(0, TIME_MS_MAX);
/** A place in the ledger. */
export const sequence = integer(1, Number.MAX_SAFE_INTEGER);
export const expectedVersion = integer(0, Number.MAX_SAFE_INTEGER).optional();

/** An ISO 4217 code. */
export const currency = z
  .string()
  .refine(
    (code) => /^[A-Z]{3}$/.test(code) && !NO_MONEY.has(code) && currencyCodes.code(code) !== undefined,
    "Must be an ISO 4217 code.",
  );

/** Whether the runtime's time-zone database has this name, in this spelling. Offsets are not zones. */
function isTimeZone(text: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+)*$/.test(text) || text.length > 64) return false;
  try {
    const { timeZone } = new Intl.DateTimeFormat("en", { timeZone: text }).resolvedOptions();
    return timeZone === text || timeZone.toLowerCase() !== text.toLowerCase();
  } catch {
    return false;
  }
}

export const timeZone = z.string().refine(isTimeZone, "Must be an IANA time zone.");
