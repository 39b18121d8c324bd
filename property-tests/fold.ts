/**
 * A second opinion on the projections: one pure fold from an exported ledger to every row that the queries
 * show, written from DESIGN's contracts. Imports nothing of the server.
 */
import { foldAccount, foldPayment, type AccountRow, type PaymentRow } from "./paymentFold.ts";
import type { Role } from "./policyModel.ts";

export type Actor = { kind: string; id: string; role?: Role };

/** An event as far as the rows need it, parsed from its canonical text. */
export type LedgerEvent = {
  orgId: string;
  seq: number;
  eventId: string;
  stream: string;
  streamVersion: number;
  type: string;
  recordedAt: number;
  actor: Actor;
  data: Readonly<Record<string, unknown>>;
};

export type Provenance = { version: number; createdAt: number; createdBy: Actor };

export type OrganizationRow = Provenance & {
  orgId: string;
  name: string;
  timeZone: string;
  currency: string;
  status: "active" | "frozen" | "closed";
};
export type MemberRow = Provenance & {
  userId: string;
  role: Role;
  status: "active" | "suspended" | "removed";
  joinedAt: number;
};
export type ServiceRow = Provenance & {
  serviceId: string;
  name: string;
  durationMinutes: number;
  priceMinor: number;
  currency: string;
  depositMinor?: number;
  status: "active" | "retired";
};
export type BookingStatus = "requested" | "confirmed" | "in_progress" | "completed" | "cancelled" | "no_show";
export type BookingRow = Provenance & {
  bookingId: string;
  serviceId: string;
  serviceName: string;
  startsAt: number;
  endsAt: number;
  status: BookingStatus;
  assigneeId: string | null;
  priceMinor: number;
  currency: string;
  depositMinor?: number;
};
/** No client reads these; the model needs them to know which tokens still work. */
export type InvitationRow = Provenance & {
  invitationId: string;
  role: Role;
  expiresAt: number;
  isEnded: boolean;
};
export type AuditRow = Provenance & {
  seq: number;
  eventId: string;
  at: number;
  actor: Actor;
  category: string;
  type: string;
  stream: string;
};

/** Everything that one organisation's ledger says. */
export type View = {
  organization: OrganizationRow | undefined;
  /** Who froze it last. No row shows it. */
  frozenBy: "owner" | "operator" | undefined;
  /** By member: tokens issued before (milliseconds) are refused. No row shows it. */
  sessionsValidFrom: Map<string, number>;
  members: Map<string, MemberRow>;
  services: Map<string, ServiceRow>;
  bookings: Map<string, BookingRow>;
  payments: Map<string, PaymentRow>;
  /** The account that takes the payments, once an owner began to link one. */
  account: AccountRow | undefined;
  invitations: Map<string, InvitationRow>;
  auditLog: AuditRow[];
  /** Readings of the audit log: whose, and of what. No row shows them. */
  readings: Map<string, { userId: string; fromSeq: number; toSeq: number }>;
  /** Providers' organisations that mean this one. */
  links: Set<string>;
  /** Version of every stream. */
  versions: Map<string, number>;
};

export function emptyView(): View {
  return {
    organization: undefined,
    frozenBy: undefined,
    sessionsValidFrom: new Map(),
    members: new Map(),
    services: new Map(),
    bookings: new Map(),
    payments: new Map(),
    account: undefined,
    invitations: new Map(),
    auditLog: [],
    readings: new Map(),
    links: new Set(),
    versions: new Map(),
  };
}

const CATEGORY_OF_TYPE: Readonly<Record<string, string>> = {
  "organization.created": "organization",
  "organization.renamed": "organization",
  "organization.frozen": "organization",
  "organization.unfrozen": "organization",
  "organization.closed": "organization",
  "organization.providerLinked": "organization",
  "organization.providerUnlinked": "organization",
  "invitation.created": "membership",
  "invitation.accepted": "membership",
  "invitation.revoked": "membership",
  "member.joined": "membership",
  "member.removed": "membership",
  "member.suspended": "membership",
  "member.reinstated": "membership",
  "member.sessionsRevoked": "membership",
  "member.roleChanged": "role",
  "service.defined": "service",
  "service.retired": "service",
  "booking.requested": "booking",
  "booking.rescheduled": "booking",
  "booking.assigned": "assignment",
  "booking.unassigned": "assignment",
  "booking.confirmed": "status",
  "booking.started": "status",
  "booking.completed": "status",
  "booking.noShowMarked": "status",
  "booking.cancelled": "status",
  ...Object.fromEntries(
    "requested created creationUnknown creationFailed cancelRequested cancelled processing failed confirmed"
      .split(" ")
      .map((name) => [`payment.${name}`, "payment"]),
  ),
  ...Object.fromEntries(
    (
      "refundRequested refundApproved refundDeclined refundSubmitted refundUnknown refundNotSubmitted " +
      "refundPending refunded refundFailed"
    )
      .split(" ")
      .map((name) => [`payment.${name}`, "refund"]),
  ),
  ...Object.fromEntries(
    ["Opened", "Updated", "FundsWithdrawn", "FundsReinstated", "Closed"].map((name) => [
      `payment.dispute${name}`,
      "dispute",
    ]),
  ),
  ...Object.fromEntries(
    ["linkBegun", "linkReturned", "linked", "linkFailed", "unlinked"].map((name) => [
      `stripeAccount.${name}`,
      "integration",
    ]),
  ),
  "export.begun": "export",
  "reading.begun": "export",
};

const STATUS_OF_TYPE: Readonly<Record<string, BookingStatus>> = {
  "booking.confirmed": "confirmed",
  "booking.started": "in_progress",
  "booking.completed": "completed",
  "booking.noShowMarked": "no_show",
  "booking.cancelled": "cancelled",
};

function bornWith(event: LedgerEvent): Provenance {
  return { version: event.streamVersion, createdAt: event.recordedAt, createdBy: event.actor };
}

function idOf(event: LedgerEvent): string {
  return event.stream.split("/")[1] ?? "";
}

function existing<Row>(rows: Map<string, Row>, event: LedgerEvent): Row {
  const row = rows.get(idOf(event));
  if (row === undefined) throw new Error(`sequence ${event.seq}: ${event.type} of nothing`);
  return row;
}

function foldOrganization(view: View, event: LedgerEvent): void {
  const data = event.data as { name: string; timeZone: string; currency: string };
  if (event.type === "organization.created") {
    view.organization = { orgId: event.orgId, ...data, status: "active", ...bornWith(event) };
    return;
  }
  const row = view.organization;
  if (row === undefined) throw new Error(`sequence ${event.seq}: ${event.type} of nothing`);
  row.version = event.streamVersion;
  if (event.type === "organization.renamed") row.name = data.name;
  if (event.type === "organization.unfrozen") row.status = "active";
  if (event.type === "organization.closed") row.status = "closed";
  const { providerOrgId = "" } = event.data as { providerOrgId?: string };
  if (event.type === "organization.providerLinked") view.links.add(providerOrgId);
  if (event.type === "organization.providerUnlinked") view.links.delete(providerOrgId);
  if (event.type === "organization.frozen") {
    row.status = "frozen";
    view.frozenBy = event.actor.kind === "operator" ? "operator" : "owner";
  }
}

const STATUS_AFTER: Readonly<Record<string, MemberRow["status"]>> = {
  "member.removed": "removed",
  "member.suspended": "suspended",
};

function foldMember(view: View, event: LedgerEvent): void {
  const data = event.data as { userId: string; role: Role };
  const known = view.members.get(idOf(event));
  if (known === undefined) {
    const { userId, role } = data;
    const joined = { userId, role, status: "active" as const, joinedAt: event.recordedAt };
    view.members.set(userId, { ...joined, ...bornWith(event) });
    return;
  }
  known.version = event.streamVersion;
  if (event.type === "member.sessionsRevoked") {
    view.sessionsValidFrom.set(known.userId, event.recordedAt);
    return;
  }
  known.role = data.role;
  known.status = STATUS_AFTER[event.type] ?? "active";
  if (event.type === "member.joined") known.joinedAt = event.recordedAt;
}

function foldInvitation(view: View, event: LedgerEvent): void {
  if (event.type === "invitation.created") {
    const { role, expiresAt } = event.data as { role: Role; expiresAt: number };
    const invitationId = idOf(event);
    const row = { invitationId, role, expiresAt, isEnded: false, ...bornWith(event) };
    view.invitations.set(invitationId, row);
    return;
  }
  const row = existing(view.invitations, event);
  row.isEnded = true;
  row.version = event.streamVersion;
}

function foldService(view: View, event: LedgerEvent): void {
  if (event.type === "service.defined") {
    const data = event.data as Pick<ServiceRow, "name" | "durationMinutes" | "priceMinor" | "currency">;
    const serviceId = idOf(event);
    view.services.set(serviceId, { serviceId, ...data, status: "active", ...bornWith(event) });
    return;
  }
  const row = existing(view.services, event);
  row.status = "retired";
  row.version = event.streamVersion;
}

function foldBooking(view: View, event: LedgerEvent): void {
  type Requested = Pick<BookingRow, "serviceId" | "startsAt" | "endsAt" | "priceMinor" | "currency">;
  if (event.type === "booking.requested") {
    const { assigneeId = null, ...data } = event.data as Requested & { assigneeId?: string };
    const bookingId = idOf(event);
    const serviceName = view.services.get(data.serviceId)?.name ?? "";
    const row = { bookingId, serviceName, ...data, assigneeId, status: "requested" as const };
    view.bookings.set(bookingId, { ...row, ...bornWith(event) });
    return;
  }
  const row = existing(view.bookings, event);
  row.version = event.streamVersion;
  row.status = STATUS_OF_TYPE[event.type] ?? row.status;
  if (event.type === "booking.rescheduled") {
    const { startsAt, endsAt } = event.data as { startsAt: number; endsAt: number };
    row.startsAt = startsAt;
    row.endsAt = endsAt;
  }
  if (event.type === "booking.assigned") row.assigneeId = (event.data as { assigneeId: string }).assigneeId;
  if (event.type === "booking.unassigned") row.assigneeId = null;
}

function foldReading(view: View, event: LedgerEvent): void {
  const { fromSeq, toSeq } = event.data as { fromSeq: number; toSeq: number };
  view.readings.set(idOf(event), { userId: event.actor.id, fromSeq, toSeq });
}

const FOLD_OF_STREAM: Readonly<Record<string, (view: View, event: LedgerEvent) => void>> = {
  organization: foldOrganization,
  member: foldMember,
  invitation: foldInvitation,
  service: foldService,
  booking: foldBooking,
  reading: foldReading,
  payment: (view, event) => {
    foldPayment(view.payments, event);
  },
  stripeAccount: (view, event) => {
    view.account = foldAccount(view.account, event);
  },
  // Its line in the audit log is all that is left of it.
  export: () => undefined,
};

/** Takes one more event into a view. */
export function foldEvent(view: View, event: LedgerEvent): void {
  const category = CATEGORY_OF_TYPE[event.type];
  const foldStream = FOLD_OF_STREAM[event.stream.split("/")[0] ?? ""];
  if (category === undefined || foldStream === undefined) {
    throw new Error(`sequence ${event.seq}: unknown ${event.type} in ${event.stream}`);
  }
  const { seq, eventId, recordedAt: at, actor, type, stream } = event;
  view.auditLog.push({ seq, eventId, at, actor, category, type, stream, ...bornWith(event) });
  view.versions.set(stream, event.streamVersion);
  foldStream(view, event);
}

/** The view of a whole ledger. */
export function fold(events: readonly LedgerEvent[]): View {
  const view = emptyView();
  for (const event of events) foldEvent(view, event);
  return view;
}
