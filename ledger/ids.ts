/** Ids: a prefix that names the kind, an underscore and a ULID. Branded, so that one kind is never passed for another. */

declare const kind: unique symbol;

interface Branded<Kind extends string> {
  readonly [kind]: Kind;
}

export type OrgId = string & Branded<"organisation">;
export type UserId = string & Branded<"user">;
export type EventId = string & Branded<"event">;
export type InvitationId = string & Branded<"invitation">;
export type ServiceId = string & Branded<"service">;
export type BookingId = string & Branded<"booking">;
export type PaymentId = string & Branded<"payment">;
export type RefundId = string & Branded<"refund">;
export type LinkId = string & Branded<"link">;
export type ExportId = string & Branded<"export">;
export type ReadingId = string & Branded<"reading">;

export interface IdByPrefix {
  readonly org: OrgId;
  readonly usr: UserId;
  readonly evt: EventId;
  readonly inv: InvitationId;
  readonly svc: ServiceId;
  readonly bkg: BookingId;
  readonly pay: PaymentId;
  readonly rfd: RefundId;
  readonly lnk: LinkId;
  readonly exp: ExportId;
  readonly rdg: ReadingId;
}

export type IdPrefix = keyof IdByPrefix;

/** Crockford's base 32, by value. */
export const ULID_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/**
 * 26 digits of Crockford's base 32, upper case. They hold 130 bits and a ULID has 128, so the first digit
 * is at most 7.
 */
export const ULID_SOURCE = "[0-7][0-9A-HJKMNP-TV-Z]{25}";

const PATTERNS: Readonly<Record<IdPrefix, RegExp>> = {
  org: idPattern("org"),
  usr: idPattern("usr"),
  evt: idPattern("evt"),
  inv: idPattern("inv"),
  svc: idPattern("svc"),
  bkg: idPattern("bkg"),
  pay: idPattern("pay"),
  rfd: idPattern("rfd"),
  lnk: idPattern("lnk"),
  exp: idPattern("exp"),
  rdg: idPattern("rdg"),
};

/** The pattern of an id with this prefix. The whole text must match. */
export function idPattern(prefix: string): RegExp {
  return new RegExp(`^${prefix}_${ULID_SOURCE}$`);
}

/** Whether a value is an id of this kind. Says nothing of whether such a thing exists. */
export function isId<Prefix extends IdPrefix>(prefix: Prefix, value: unknown): value is IdByPrefix[Prefix] {
  return typeof value === "string" && PATTERNS[prefix].test(value);
}

/** The value as an id of this kind, or undefined. */
export function parseId<Prefix extends IdPrefix>(
  prefix: Prefix,
  value: unknown,
): IdByPrefix[Prefix] | undefined {
  return isId(prefix, value) ? value : undefined;
}
