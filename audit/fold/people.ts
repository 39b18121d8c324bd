/** The organisation, its members and its invitations, from their events. */
import type { Role } from "../../ledger/event.ts";
import { ROLES } from "../../ledger/event.ts";
import { bornWith, FoldError, idOf, numberOf, textOf } from "./event.ts";
import type { LedgerEvent, Provenance } from "./event.ts";

export interface OrganizationRow extends Provenance {
  readonly name: string;
  readonly timeZone: string;
  readonly currency: string;
  readonly status: "active" | "frozen" | "closed";
  /** Whose freeze holds. */
  readonly frozenBy?: "owner" | "operator";
}

export interface MemberRow extends Provenance {
  readonly userId: string;
  readonly role: Role;
  readonly status: "active" | "suspended" | "removed";
  readonly joinedAt: number;
  /** Tokens that were issued before are refused. */
  readonly sessionsValidFrom?: number;
}

export interface InvitationRow extends Provenance {
  readonly invitationId: string;
  readonly role: Role;
  readonly tokenHash: string;
  readonly keyId: string;
  readonly expiresAt: number;
  readonly status: "open" | "accepted" | "revoked";
}

function roleOf(event: LedgerEvent): Role {
  const text = textOf(event, "role");
  const role = ROLES.find((known) => known === text);
  if (role === undefined) throw new FoldError(event, `${text} is no role`);
  return role;
}

/** The row after the event; an event of nothing is refused. Throws a FoldError. */
export function existing<Row>(row: Row | undefined, event: LedgerEvent): Row {
  if (row === undefined) throw new FoldError(event, "there is nothing that it happened to");
  return row;
}

export function foldOrganization(row: OrganizationRow | undefined, event: LedgerEvent): OrganizationRow {
  if (event.type === "organization.created") {
    const [name, timeZone, currency] = [
      textOf(event, "name"),
      textOf(event, "timeZone"),
      textOf(event, "currency"),
    ];
    return { name, timeZone, currency, status: "active", ...bornWith(event) };
  }
  const known = { ...existing(row, event), version: event.streamVersion };
  const { frozenBy: _, ...free } = known;
  switch (event.type) {
    case "organization.renamed":
      return { ...known, name: textOf(event, "name") };
    case "organization.frozen":
      return { ...free, status: "frozen", frozenBy: event.actor.kind === "operator" ? "operator" : "owner" };
    case "organization.unfrozen":
      return { ...free, status: "active" };
    case "organization.closed":
      return { ...free, status: "closed" };
    default:
      return known;
  }
}

export function foldMember(row: MemberRow | undefined, event: LedgerEvent): MemberRow {
  const version = event.streamVersion;
  if (event.type === "member.joined") {
    const joined = { role: roleOf(event), status: "active" as const, joinedAt: event.recordedAt };
    return row === undefined
      ? { userId: idOf(event), ...joined, ...bornWith(event) }
      : { ...row, ...joined, version };
  }
  const known = { ...existing(row, event), version };
  switch (event.type) {
    case "member.roleChanged":
      return { ...known, role: roleOf(event) };
    case "member.removed":
      return { ...known, status: "removed" };
    case "member.suspended":
      return { ...known, status: "suspended" };
    case "member.reinstated":
      return { ...known, status: "active" };
    case "member.sessionsRevoked":
      return { ...known, sessionsValidFrom: event.recordedAt };
    default:
      return known;
  }
}

export function foldInvitation(row: InvitationRow | undefined, event: LedgerEvent): InvitationRow {
  if (event.type !== "invitation.created") {
    const status = event.type === "invitation.revoked" ? "revoked" : "accepted";
    return { ...existing(row, event), status, version: event.streamVersion };
  }
  return {
    invitationId: idOf(event),
    role: roleOf(event),
    tokenHash: textOf(event, "tokenHash"),
    keyId: textOf(event, "keyId"),
    expiresAt: numberOf(event, "expiresAt"),
    status: "open",
    ...bornWith(event),
  };
}
