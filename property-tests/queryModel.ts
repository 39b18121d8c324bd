/** What every public query must answer, from the model's view of the organisation. */
import { badFields } from "./argumentModel.ts";
import type { BookingRow, OrganizationRow, View } from "./fold.ts";
import { isStopped, permissionOf, type Permission, type Role } from "./policyModel.ts";
import { isHeldBy, isSignedIn, memberOf, type Member } from "./predict.ts";
import { holdOf, userOf, type Call, type Organization, type World } from "./world.ts";

/** A list that is read page by page, one row, or a refusal. */
export type Answer =
  | { kind: "refused"; code: string; fields: readonly string[] }
  | { kind: "rows"; rows: readonly object[]; order?: { by: string; direction: 1 | -1 } }
  | { kind: "row"; row: object }
  | { kind: "head"; seq: number }
  | { kind: "events"; count: number };

function refusal(code: string, fields: readonly string[] = []): Answer {
  return { kind: "refused", code, fields };
}

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
  const status = holdOf(organization) === undefined ? "active" : "frozen";
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
    case "projections/bookings:get": {
      const row = view.bookings.get(String(args["bookingId"]));
      if (row === undefined || !maySee(permission, row, member.userId)) return refusal("NOT_FOUND");
      return { kind: "row", row: visibleBooking(permission, row) };
    }
    case "projections/auditLog:list": {
      const rows = view.auditLog.filter((row) => (args["category"] ?? row.category) === row.category);
      return { kind: "rows", rows, order: { by: "seq", direction: -1 } };
    }
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
  if (isStopped(name, member.role, holdOf(member.organization))) return refusal("ORG_FROZEN");
  const permission = permissionOf(name, member.role);
  if (permission === "no") return refusal("FORBIDDEN");
  const wrong = badFields(name, call.args);
  if (wrong.length > 0) return refusal("INVALID", wrong);
  return memberAnswer(name, member, permission, call.args);
}
