/** What every public query must answer, from the model's view of the organisation. */
import { refusal, type Answer } from "./answer.ts";
import { badFields } from "./argumentModel.ts";
import { evidenceAnswer } from "./evidenceModel.ts";
import type { BookingRow, OrganizationRow, View } from "./fold.ts";
import { listedPayment, type PaymentRow } from "./paymentFold.ts";
import { isStopped, permissionOf, stopCode, type Permission, type Role } from "./policyModel.ts";
import { isHeldBy, isSignedIn, memberOf, type Member } from "./predict.ts";
import { holdOf, userOf, type Call, type Organization, type World } from "./world.ts";

function maySee(permission: Permission, row: BookingRow, userId: string): boolean {
  if (permission === "yes") return true;
  if (row.assigneeId === userId) return permission !== "no";
  return permission === "assigned or unassigned" && row.assigneeId === null;
}

function visibleBooking(permission: Permission, row: BookingRow): object {
  if (permission !== "assigned, no price") return row;
  const { priceMinor: _, currency: __, depositMinor: ___, ...rest } = row;
  return rest;
}

function visibleBookings(view: View, permission: Permission, userId: string, status: unknown): object[] {
  return [...view.bookings.values()]
    .filter((row) => maySee(permission, row, userId) && (status === undefined || row.status === status))
    .map((row) => visibleBooking(permission, row));
}

function eventsAnswer(total: number, { afterSeq = 0, limit = 50 }: Call["args"]): Answer {
  const left = Math.max(0, total - Number(afterSeq));
  return { kind: "events", count: Math.min(Number(limit), 200, left) };
}

function currentRow(organization: Organization, role: Role): object {
  const hold = holdOf(organization);
  const status = hold === undefined ? "active" : hold === "closed" ? hold : "frozen";
  return { ...organization.view.organization, status, role };
}

function mineRows(world: World, call: Call): object[] {
  const { userId = "" } = userOf(world, call.subject ?? "");
  return [...world.organizations.values()].flatMap((organization) => {
    const member = organization.view.members.get(userId);
    if (member === undefined || !isHeldBy(organization, userId, call)) return [];
    const { timeZone: _, currency: __, ...row } = currentRow(organization, member.role) as OrganizationRow;
    return [row];
  });
}

function bookingAnswer(view: View, permission: Permission, userId: string, bookingId: string): Answer {
  const row = view.bookings.get(bookingId);
  if (row === undefined || !maySee(permission, row, userId)) return refusal("NOT_FOUND");
  return { kind: "row", row: visibleBooking(permission, row) };
}

function readingAnswer(view: View, userId: string, readingId: string): Answer {
  const reading = view.readings.get(readingId);
  if (reading?.userId !== userId) return refusal("NOT_FOUND");
  const rows = view.auditLog.filter(({ seq }) => seq >= reading.fromSeq && seq <= reading.toSeq);
  return { kind: "rows", rows, order: { by: "seq", direction: 1 } };
}

function maySeePayment(view: View, permission: Permission, userId: string, row: PaymentRow): boolean {
  return permission === "yes" || view.bookings.get(row.bookingId)?.assigneeId === userId;
}

function paymentsAnswer(
  view: View,
  permission: Permission,
  userId: string,
  { status, bookingId }: Call["args"],
): Answer {
  if (bookingId !== undefined) {
    const booking = view.bookings.get(bookingId as string);
    if (booking === undefined || !maySee(permission, booking, userId)) return refusal("NOT_FOUND");
  }
  const rows = [...view.payments.values()]
    .filter((row) => maySeePayment(view, permission, userId, row))
    .filter((row) => (status ?? row.status) === row.status && (bookingId ?? row.bookingId) === row.bookingId)
    .map((row) => listedPayment(row, permission === "yes"));
  return { kind: "rows", rows, order: { by: "paymentId", direction: -1 } };
}

/** What the payer pays with is not given to the backend here, so that there never is one. */
function paymentAnswer(
  name: string,
  { view }: Organization,
  permission: Permission,
  { userId, paymentId }: { userId: string; paymentId: string },
): Answer {
  const row = view.payments.get(paymentId);
  if (row === undefined || !maySeePayment(view, permission, userId, row)) return refusal("NOT_FOUND");
  const isSecret = name === "projections/payments:payerSecret";
  return { kind: "row", row: isSecret ? null : listedPayment(row, permission === "yes") };
}

function accountRow({ account }: View): object | null {
  if (account === undefined) return null;
  const { linked, pending: _, ...provenance } = account;
  return {
    status: linked === undefined ? "unlinked" : "linked",
    account: linked?.account ?? null,
    linkedAt: linked?.linkedAt ?? null,
    ...provenance,
  };
}

/** Payments, the account that takes them, and what was delivered; undefined for another query. */
function moneyAnswer(
  name: string,
  { organization, userId }: Member,
  permission: Permission,
  args: Call["args"],
): Answer | undefined {
  const { view } = organization;
  switch (name) {
    case "projections/payments:list":
      return paymentsAnswer(view, permission, userId, args);
    case "projections/payments:get":
    case "projections/payments:payerSecret":
      return paymentAnswer(name, organization, permission, { userId, paymentId: String(args["paymentId"]) });
    case "projections/stripeAccount:current":
      return { kind: "row", row: accountRow(view) };
    case "projections/deliveries:list": {
      const rows = [...organization.deliveries.values()];
      return { kind: "rows", rows, order: { by: "receivedAt", direction: -1 } };
    }
    case "projections/securityLog:list":
    case "projections/alerts:list":
      return { kind: "list", order: { by: "at", direction: -1 } };
    default:
      return undefined;
  }
}

function memberAnswer(name: string, member: Member, permission: Permission, args: Call["args"]): Answer {
  const { view, events } = member.organization;
  switch (name) {
    case "projections/organizations:current":
      return { kind: "row", row: currentRow(member.organization, member.role) };
    case "projections/members:list":
      return { kind: "rows", rows: [...view.members.values()], order: { by: "userId", direction: 1 } };
    case "projections/services:list":
      return { kind: "rows", rows: [...view.services.values()], order: { by: "serviceId", direction: 1 } };
    case "projections/bookings:list": {
      const rows = visibleBookings(view, permission, member.userId, args["status"]);
      return { kind: "rows", rows, order: { by: "startsAt", direction: -1 } };
    }
    case "projections/bookings:get":
      return bookingAnswer(view, permission, member.userId, String(args["bookingId"]));
    case "projections/auditLog:list": {
      const rows = view.auditLog.filter((row) => (args["category"] ?? row.category) === row.category);
      return { kind: "rows", rows, order: { by: "seq", direction: -1 } };
    }
    case "projections/auditLog:range":
      return readingAnswer(view, member.userId, String(args["readingId"]));
    case "projections/ledger:head":
      return { kind: "head", seq: events.length };
    case "projections/ledger:events":
      return eventsAnswer(events.length, args);
    default:
      throw new Error(`no answer for ${name}`);
  }
}

/** The answer of a query, all its pages together. */
export function answerOf(world: World, call: Call): Answer {
  const name = call.function;
  if (name === "projections/organizations:mine") {
    if (!isSignedIn(world, call)) return refusal("UNAUTHENTICATED");
    const wrong = badFields(name, call.args);
    if (wrong.length > 0) return refusal("INVALID", wrong);
    return { kind: "rows", rows: mineRows(world, call), order: { by: "orgId", direction: 1 } };
  }
  const member = memberOf(world, call);
  if (typeof member === "string") return refusal(member);
  const hold = holdOf(member.organization);
  if (isStopped(name, member.role, hold)) return refusal(stopCode(hold));
  const permission = permissionOf(name, member.role);
  if (permission === "no") return refusal("FORBIDDEN");
  const wrong = badFields(name, call.args);
  if (wrong.length > 0) return refusal("INVALID", wrong);
  return (
    evidenceAnswer(world, name, member, permission, call.args) ??
    moneyAnswer(name, member, permission, call.args) ??
    memberAnswer(name, member, permission, call.args)
  );
}
