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
] as const;

const isTimeMs = integerBetween(0, 253_402_300_799_999);
const isToken: Check = (value) => typeof value === "string" && /^[A-Za-z0-9_-]{43}$/u.test(value);

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
  "projections/ledger:head": {},
  "projections/ledger:events": {
    optional: {
      // Nothing is stored of it: -0 is as good as 0.
      afterSeq: (value) => value === 0 || integerBetween(1, Number.MAX_SAFE_INTEGER)(value),
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

/** The payload that a key is bound to: arguments without the key, names as they are stored. */
export function payloadOf(args: Args): string {
  const { idempotencyKey: _, ...payload } = args;
  const entries = Object.entries(payload)
    .filter(([, value]) => value !== undefined)
    .map(([field, value]) => [field, field === "name" ? String(value).trim() : value])
    .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
  return JSON.stringify(entries);
}
