/** Which arguments are valid, typed by hand: a check per field, and the fields of every function. */
import { ROLES } from "./policyModel.ts";

export type Args = Readonly<Record<string, unknown>>;
type Check = (value: unknown) => boolean;
type Fields = { required?: Readonly<Record<string, Check>>; optional?: Readonly<Record<string, Check>> };

const ULID = "[0-7][0123456789ABCDEFGHJKMNPQRSTVWXYZ]{25}";

const idOf =
  (prefix: string): Check =>
  (value) =>
    typeof value === "string" && new RegExp(`^${prefix}_${ULID}$`, "u").test(value);

const integerBetween =
  (least: number, most: number): Check =>
  (value) =>
    typeof value === "number" &&
    Number.isSafeInteger(value) &&
    value >= least &&
    value <= most &&
    !Object.is(value, -0);

const oneOf =
  (...known: readonly unknown[]): Check =>
  (value) =>
    known.includes(value);

const isKey: Check = (value) =>
  typeof value === "string" &&
  (new RegExp(`^${ULID}$`, "u").test(value) ||
    /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/iu.test(value));

/** [first, last] of the code points that hide, reorder or break a line of text. */
const HIDDEN_RANGES: readonly (readonly [number, number])[] = [
  [0x00, 0x1f],
  [0x7f, 0x9f],
  [0x2028, 0x2029],
  [0x202a, 0x202e],
  [0x2066, 0x2069],
  [0xe0000, 0xe007f],
];

function isHidden(character: string): boolean {
  const point = character.codePointAt(0) ?? 0;
  return HIDDEN_RANGES.some(([first, last]) => point >= first && point <= last);
}

/** One line of well-formed text, 1 to 200 bytes, that shows more than spaces, marks and formatting. */
export const isName: Check = (value) => {
  if (typeof value !== "string") return false;
  const text = value.trim();
  return (
    Buffer.byteLength(text) <= 200 &&
    text.isWellFormed() &&
    !Array.from(text).some(isHidden) &&
    !/^[\p{C}\p{Z}\p{M}]*$/u.test(text)
  );
};

/** Zones and currencies that the streams use; of everything else that they send, nothing is valid. */
export const TIME_ZONES = ["Europe/Berlin", "America/Argentina/Ushuaia", "Asia/Kathmandu", "UTC"] as const;
export const CURRENCIES = ["EUR", "USD", "JPY", "KWD"] as const;
export const CANCEL_REASONS = [
  "customer_request",
  "staff_unavailable",
  "weather",
  "duplicate",
  "other",
] as const;
export const FREEZE_REASONS = [
  "security_incident",
  "suspected_misuse",
  "legal_request",
  "payment_arrears",
  "owner_request",
  "other",
] as const;
const CLOSE_REASONS = ["out_of_business", "moved_elsewhere", "merged", "other"] as const;
export const BOOKING_STATUSES = [
  "requested",
  "confirmed",
  "in_progress",
  "completed",
  "cancelled",
  "no_show",
] as const;
export const CATEGORIES = [
  "organization",
  "membership",
  "role",
  "service",
  "booking",
  "assignment",
  "status",
  "payment",
  "refund",
  "dispute",
  "integration",
  "export",
] as const;
export const REFUND_REASONS = [
  "requested_by_customer",
  "duplicate",
  "service_not_provided",
  "other",
] as const;
export const PAYMENT_METHODS = ["payment_intent", "checkout_session"] as const;
export const PAYMENT_STATUSES = [
  ...["requested", "creation_unknown", "creation_failed", "awaiting_payment", "processing", "failed"],
  ...["paid", "cancelled"],
] as const;
/** The tables that rows are digested of. */
export const TABLES = [
  ...["organizations", "members", "invitations", "services", "bookings", "payments", "stripeAccounts"],
  "auditLog",
] as const;

const isTimeMs = integerBetween(0, 253_402_300_799_999);
const isToken: Check = (value) => typeof value === "string" && /^[A-Za-z0-9_-]{43}$/u.test(value);

const isProviderId: Check = (value) => typeof value === "string" && /^[!-~]{1,128}$/u.test(value);
const isSequence = integerBetween(1, Number.MAX_SAFE_INTEGER);

const isAmount = integerBetween(1, 1_000_000_000_000);
const isCode: Check = (value) => typeof value === "string" && /^ac_[A-Za-z0-9]{8,250}$/u.test(value);

/** A path without query, fragment and escapes, that does not climb. */
const isReturnPath: Check = (value) => {
  if (typeof value !== "string" || value.length > 200 || !value.startsWith("/")) return false;
  const parts = value.slice(1).replace(/\/$/u, "").split("/");
  if (value === "/") return true;
  return parts.every((part) => /^[A-Za-z0-9_~.-]+$/u.test(part) && part !== "." && part !== "..");
};

/** A whole number from 0 on; nothing is stored of it, and -0 is as good as 0. */
const isPosition: Check = (value) => value === 0 || integerBetween(1, Number.MAX_SAFE_INTEGER)(value);
const isStream: Check = (value) => typeof value === "string" && value.length >= 1 && value.length <= 128;

const isPagination: Check = (value) => {
  if (Object.prototype.toString.call(value) !== "[object Object]") return false;
  const {
    numItems = 1,
    cursor = null,
    endCursor = "",
    ...rest
  } = value as { numItems?: unknown; cursor?: unknown; endCursor?: unknown };
  const isSize = integerBetween(1, Number.MAX_SAFE_INTEGER)(numItems);
  const isCursor = cursor === null || typeof cursor === "string";
  const isEnd = endCursor === null || typeof endCursor === "string";
  return isSize && isCursor && isEnd && Object.keys(rest).length === 0;
};

const ROLE = oneOf(...ROLES);
const expectedVersion = integerBetween(0, Number.MAX_SAFE_INTEGER);
const booking = { bookingId: idOf("bkg") };
const payment = { paymentId: idOf("pay") };
const refund = { ...payment, refundId: idOf("rfd") };

function keyed(
  required: Readonly<Record<string, Check>>,
  optional?: Readonly<Record<string, Check>>,
): Fields {
  return {
    required: { ...required, idempotencyKey: isKey },
    ...(optional === undefined ? {} : { optional }),
  };
}

const FIELDS: Readonly<Record<string, Fields>> = {
  "commands/session:selectOrganization": { required: { orgId: idOf("org") } },
  "commands/organizations:create": keyed({
    name: isName,
    timeZone: oneOf(...TIME_ZONES),
    currency: oneOf(...CURRENCIES),
  }),
  "commands/organizations:rename": keyed({ name: isName }, { expectedVersion }),
  "commands/organizations:linkProvider": keyed({}, { expectedVersion }),
  "commands/organizations:unlinkProvider": keyed({ providerOrgId: isProviderId }, { expectedVersion }),
  "commands/ledger:beginExport": keyed({}),
  "commands/auditLog:beginReading": keyed({ fromSeq: isSequence, toSeq: isSequence }),
  "commands/members:revokeInvitation": keyed({ invitationId: idOf("inv") }, { expectedVersion }),
  "commands/members:invite": keyed({ role: ROLE }),
  "commands/members:acceptInvitation": keyed({ invitationToken: isToken }),
  "commands/members:changeRole": keyed({ userId: idOf("usr"), role: ROLE }, { expectedVersion }),
  "commands/members:remove": keyed({ userId: idOf("usr") }, { expectedVersion }),
  "commands/members:suspend": keyed({ userId: idOf("usr") }, { expectedVersion }),
  "commands/members:reinstate": keyed({ userId: idOf("usr") }, { expectedVersion }),
  "commands/members:revokeSessions": keyed({ userId: idOf("usr") }, { expectedVersion }),
  "commands/members:leave": keyed({}, { expectedVersion }),
  "commands/session:revokeOthers": {},
  "commands/organizations:freeze": keyed({ reason: oneOf(...FREEZE_REASONS) }, { expectedVersion }),
  "commands/organizations:unfreeze": keyed({}, { expectedVersion }),
  "commands/organizations:close": keyed({ reason: oneOf(...CLOSE_REASONS) }, { expectedVersion }),
  "commands/services:define": keyed(
    {
      name: isName,
      durationMinutes: integerBetween(1, 1440),
      priceMinor: integerBetween(0, 1_000_000_000_000),
    },
    { depositMinor: integerBetween(1, 1_000_000_000_000) },
  ),
  "commands/services:retire": keyed({ serviceId: idOf("svc") }, { expectedVersion }),
  "commands/bookings:request": keyed(
    { serviceId: idOf("svc"), startsAt: isTimeMs },
    { assigneeId: idOf("usr") },
  ),
  "commands/bookings:confirm": keyed(booking, { expectedVersion }),
  "commands/bookings:start": keyed(booking, { expectedVersion }),
  "commands/bookings:complete": keyed(booking, { expectedVersion }),
  "commands/bookings:markNoShow": keyed(booking, { expectedVersion }),
  "commands/bookings:unassign": keyed(booking, { expectedVersion }),
  "commands/bookings:reschedule": keyed({ ...booking, startsAt: isTimeMs }, { expectedVersion }),
  "commands/bookings:assign": keyed({ ...booking, assigneeId: idOf("usr") }, { expectedVersion }),
  "commands/bookings:cancel": keyed({ ...booking, reason: oneOf(...CANCEL_REASONS) }, { expectedVersion }),
  "commands/payments:request": keyed(booking, {
    method: oneOf(...PAYMENT_METHODS),
    returnPath: isReturnPath,
  }),
  "commands/payments:cancel": keyed(payment, { expectedVersion }),
  "commands/payments:requestRefund": keyed(
    { ...payment, reason: oneOf(...REFUND_REASONS) },
    { amountMinor: isAmount, expectedVersion },
  ),
  "commands/payments:approveRefund": keyed(refund, { expectedVersion }),
  "commands/payments:declineRefund": keyed(refund, { expectedVersion }),
  "commands/stripeAccount:beginLink": keyed({}),
  "commands/stripeAccount:completeLink": keyed({ state: isToken, code: isCode }),
  "commands/stripeAccount:unlink": keyed({}),
  "commands/ledger:requestCheckpoint": {},
  "projections/payments:list": {
    optional: { paginationOpts: isPagination, status: oneOf(...PAYMENT_STATUSES), bookingId: idOf("bkg") },
  },
  "projections/payments:get": { required: payment },
  "projections/payments:payerSecret": { required: payment },
  "projections/stripeAccount:current": {},
  "projections/securityLog:list": { optional: { paginationOpts: isPagination } },
  "projections/alerts:list": { optional: { paginationOpts: isPagination } },
  "projections/deliveries:list": { optional: { paginationOpts: isPagination } },
  "projections/ledger:checkpoint": { optional: { size: isSequence } },
  "projections/ledger:checkpoints": { optional: { afterSize: isPosition, limit: isSequence } },
  "projections/ledger:inclusionProof": {
    optional: { seq: isSequence, eventId: idOf("evt"), size: isSequence },
  },
  "projections/ledger:consistencyProof": { required: { fromSize: isSequence, toSize: isSequence } },
  "projections/ledger:streamAt": { required: { stream: isStream, seq: isSequence } },
  "projections/ledger:rowDigests": {
    required: { table: oneOf(...TABLES) },
    optional: { paginationOpts: isPagination },
  },
  "projections/organizations:mine": { optional: { paginationOpts: isPagination } },
  "projections/organizations:current": {},
  "projections/members:list": { optional: { paginationOpts: isPagination } },
  "projections/services:list": { optional: { paginationOpts: isPagination } },
  "projections/bookings:list": {
    optional: { paginationOpts: isPagination, status: oneOf(...BOOKING_STATUSES) },
  },
  "projections/bookings:get": { required: booking },
  "projections/auditLog:list": {
    optional: { paginationOpts: isPagination, category: oneOf(...CATEGORIES) },
  },
  "projections/auditLog:range": {
    required: { readingId: idOf("rdg") },
    optional: { paginationOpts: isPagination },
  },
  "projections/ledger:head": {},
  "projections/ledger:events": {
    optional: {
      afterSeq: isPosition,
      limit: integerBetween(1, Number.MAX_SAFE_INTEGER),
    },
  },
};

/** Names of the arguments that are missing, wrong or unknown. Nothing is wrong when it is empty. */
export function badFields(name: string, args: Args): string[] {
  const { required = {}, optional = {} } = FIELDS[name] ?? {};
  const wrong = Object.entries(required)
    .filter(([field, check]) => !Object.hasOwn(args, field) || !check(args[field]))
    .map(([field]) => field);
  for (const [field, value] of Object.entries(args)) {
    if (Object.hasOwn(required, field)) continue;
    const check = Object.hasOwn(optional, field) ? optional[field] : undefined;
    if (check?.(value) !== true) wrong.push(field);
  }
  return wrong;
}

/** Whether the server may name a field in its refusal; another name is answered as `arguments`. */
export function isNameable(field: string): boolean {
  return /^[\w$.-]{1,64}$/u.test(field);
}

/** The payload that a key is bound to: arguments without the key, names and what is left out as they are taken. */
export function payloadOf({ function: name, args }: { function: string; args: Args }): string {
  const { idempotencyKey: _, ...given } = args;
  const payload = name === "commands/payments:request" ? { method: PAYMENT_METHODS[0], ...given } : given;
  const entries = Object.entries(payload)
    .filter(([, value]) => value !== undefined)
    .map(([field, value]) => [field, field === "name" ? String(value).trim() : value])
    .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
  return JSON.stringify(entries);
}
