/**
 * An independent fold of a ledger into the rows of every read model: written from what the documents say of them, of
 * the library in `ledger/` and nothing of the server. The audit log has a row for every event and is not kept here:
 * `auditRow` gives its lines one by one.
 */
import { canonicalize } from "../../ledger/canonicalJson.ts";
import { sha256Noble, toHex } from "../../ledger/hash.ts";
import type { Sha256 } from "../../ledger/hash.ts";
import { idOf, kindOf } from "./event.ts";
import type { LedgerEvent } from "./event.ts";
import { foldBooking, foldService } from "./offers.ts";
import type { BookingRow, ServiceRow } from "./offers.ts";
import { foldPayment, foldStripeAccount } from "./payments.ts";
import type { PaymentRow, StripeAccountRow } from "./payments.ts";
import { foldInvitation, foldMember, foldOrganization } from "./people.ts";
import type { InvitationRow, MemberRow, OrganizationRow } from "./people.ts";

/** The rows by key, in the order in which they were founded. */
export interface Rows {
  readonly organizations: Map<string, OrganizationRow>;
  readonly members: Map<string, MemberRow>;
  readonly invitations: Map<string, InvitationRow>;
  readonly services: Map<string, ServiceRow>;
  readonly bookings: Map<string, BookingRow>;
  readonly payments: Map<string, PaymentRow>;
  readonly stripeAccounts: Map<string, StripeAccountRow>;
}

export type StateTable = keyof Rows;
export type TableName = StateTable | "auditLog";

/** In the order in which they are digested; the audit log is the last, so that it can be digested as it is read. */
export const STATE_TABLES: readonly StateTable[] = [
  "organizations",
  "members",
  "invitations",
  "services",
  "bookings",
  "payments",
  "stripeAccounts",
];

/** The keys of rows that an organisation has one of. */
export const ORGANIZATION_KEY = "organization";
export const STRIPE_ACCOUNT_KEY = "stripeAccount";

export function emptyRows(): Rows {
  return {
    organizations: new Map(),
    members: new Map(),
    invitations: new Map(),
    services: new Map(),
    bookings: new Map(),
    payments: new Map(),
    stripeAccounts: new Map(),
  };
}

function advance<Row>(
  rows: Map<string, Row>,
  key: string,
  fold: (row: Row | undefined, event: LedgerEvent) => Row,
  event: LedgerEvent,
): void {
  rows.set(key, fold(rows.get(key), event));
}

/** Takes one more event into the rows: of events of one ledger, in their order. Throws a FoldError. */
export function foldEvent(rows: Rows, event: LedgerEvent): void {
  const id = idOf(event);
  switch (kindOf(event)) {
    case "organization":
      advance(rows.organizations, ORGANIZATION_KEY, foldOrganization, event);
      return;
    case "member":
      advance(rows.members, id, foldMember, event);
      return;
    case "invitation":
      advance(rows.invitations, id, foldInvitation, event);
      return;
    case "service":
      advance(rows.services, id, foldService, event);
      return;
    case "booking":
      advance(rows.bookings, id, foldBooking, event);
      return;
    case "payment":
      advance(rows.payments, id, foldPayment, event);
      return;
    case "stripeAccount":
      advance(rows.stripeAccounts, STRIPE_ACCOUNT_KEY, foldStripeAccount, event);
      return;
    default:
    // An export, or a reading of the audit log, leaves a line there and no row.
  }
}

/** The rows of one table with their keys, in the order of the keys. Ids of one prefix compare as text. */
export function inKeyOrder(rows: Rows, table: StateTable): (readonly [key: string, row: object])[] {
  return [...rows[table].entries()].sort(([left], [right]) => (left < right ? -1 : 1));
}

const encoder = new TextEncoder();

/** SHA-256 (64 hex) of a row's canonical JSON. */
export function rowDigest(row: object, sha256: Sha256 = sha256Noble): string {
  return toHex(sha256(encoder.encode(canonicalize(row))));
}

/**
 * The digest of all read models: SHA-256 over the digest so far, a newline and the next line, which is a table's name
 * or a row's canonical JSON; at first over `daybook-read-models-v1\n`. The server makes the same of its live rows
 * (`projections/rebuild:digest`).
 */
export class ModelsDigest {
  readonly #sha256: Sha256;
  #digest: string;

  constructor(sha256: Sha256 = sha256Noble) {
    this.#sha256 = sha256;
    this.#digest = toHex(sha256(encoder.encode("daybook-read-models-v1\n")));
  }

  /** 64 hexadecimal digits. */
  get hex(): string {
    return this.#digest;
  }

  #addLine(line: string): void {
    this.#digest = toHex(this.#sha256(encoder.encode(`${this.#digest}\n${line}`)));
  }

  addTable(table: TableName): void {
    this.#addLine(table);
  }

  addRow(row: object): void {
    this.#addLine(canonicalize(row));
  }
}
