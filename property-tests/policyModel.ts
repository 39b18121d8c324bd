/**
 * The authorisation table of DESIGN ("Contracts of the first version"), typed again by hand so that a slip in
 * `convex/access/policy` is found by comparison. Imports nothing of the server.
 */
export const ROLES = ["owner", "manager", "staff", "freelancer", "guest", "auditor"] as const;
export type Role = (typeof ROLES)[number];

export type Permission =
  "no" | "yes" | "below own rank" | "assigned" | "assigned or unassigned" | "assigned, no price";

type Columns = readonly [Permission, Permission, Permission, Permission, Permission, Permission];

const OWNERS: Columns = ["yes", "no", "no", "no", "no", "no"];
const RANKED: Columns = ["below own rank", "below own rank", "no", "no", "no", "no"];
const MANAGERS: Columns = ["yes", "yes", "no", "no", "no", "no"];
const OR_ASSIGNED: Columns = ["yes", "yes", "assigned", "no", "no", "no"];
const READERS: Columns = ["yes", "yes", "assigned or unassigned", "assigned, no price", "no", "no"];
const LEDGER_READERS: Columns = ["yes", "no", "no", "no", "no", "yes"];

/** Columns: owner, manager, staff, freelancer, guest, auditor. */
const TABLE: Readonly<Record<string, Columns | "signed in">> = {
  "commands/organizations:create": "signed in",
  "commands/members:acceptInvitation": "signed in",
  "commands/session:selectOrganization": "signed in",
  "commands/session:revokeOthers": "signed in",
  "projections/organizations:mine": "signed in",
  "commands/organizations:rename": OWNERS,
  "commands/organizations:freeze": OWNERS,
  "commands/organizations:unfreeze": OWNERS,
  "commands/organizations:close": OWNERS,
  "commands/members:invite": RANKED,
  "commands/members:changeRole": RANKED,
  "commands/members:remove": RANKED,
  "commands/members:suspend": RANKED,
  "commands/members:reinstate": RANKED,
  "commands/members:revokeSessions": RANKED,
  "commands/members:leave": ["yes", "yes", "yes", "yes", "yes", "no"],
  "commands/services:define": MANAGERS,
  "commands/services:retire": MANAGERS,
  "commands/bookings:request": ["yes", "yes", "yes", "no", "no", "no"],
  "commands/bookings:confirm": MANAGERS,
  "commands/bookings:assign": MANAGERS,
  "commands/bookings:unassign": MANAGERS,
  "commands/bookings:cancel": MANAGERS,
  "commands/bookings:reschedule": OR_ASSIGNED,
  "commands/bookings:start": OR_ASSIGNED,
  "commands/bookings:complete": OR_ASSIGNED,
  "commands/bookings:markNoShow": OR_ASSIGNED,
  "projections/organizations:current": ["yes", "yes", "yes", "yes", "yes", "yes"],
  "projections/members:list": ["yes", "yes", "yes", "no", "no", "yes"],
  "projections/services:list": ["yes", "yes", "yes", "no", "no", "no"],
  "projections/bookings:list": READERS,
  "projections/bookings:get": READERS,
  "projections/auditLog:list": ["yes", "yes", "no", "no", "no", "yes"],
  "projections/ledger:head": LEDGER_READERS,
  "projections/ledger:events": LEDGER_READERS,
};

export const QUERIES: readonly string[] = Object.keys(TABLE).filter((name) =>
  name.startsWith("projections/"),
);

/** Whether a function asks for a signed-in caller only, and for no membership. */
export function needsNoMembership(name: string): boolean {
  return TABLE[name] === "signed in";
}

/** What a role may do with a function; a function without a row is closed to everybody (INV-08). */
export function permissionOf(name: string, role: Role): Permission {
  const row = TABLE[name];
  if (row === undefined || row === "signed in") return "no";
  return row[ROLES.indexOf(role)] ?? "no";
}

/** Who holds an organisation frozen; nobody does when it is active. */
export type Hold = "owner" | "operator" | "integrity check";

/** Owners and auditors read these in a frozen organisation, and an owner lifts what an owner froze. */
const OPEN_WHEN_FROZEN = [
  "projections/organizations:current",
  "projections/auditLog:list",
  "projections/ledger:head",
  "projections/ledger:events",
];

/** Whether a freeze stops a call. */
export function isStopped(name: string, role: Role, hold: Hold | undefined): boolean {
  if (hold === undefined) return false;
  if (OPEN_WHEN_FROZEN.includes(name)) return role !== "owner" && role !== "auditor";
  return !(name === "commands/organizations:unfreeze" && role === "owner" && hold === "owner");
}

/** Whether recent authentication is asked for, which no token of the streams shows. */
export function needsStepUp(name: string): boolean {
  return name === "commands/organizations:close";
}

const RANK: Readonly<Record<Role, number | null>> = {
  owner: 3,
  manager: 2,
  staff: 1,
  freelancer: 0,
  guest: 0,
  auditor: null,
};

/** The rank rule: below the own rank only, owners aside; the auditor's role is an owner's affair. */
export function isBelow(caller: Role, concerned: Role): boolean {
  if (caller === "owner") return true;
  const own = RANK[caller];
  const other = RANK[concerned];
  return own !== null && other !== null && other < own;
}

/** The closed set of codes. */
export const CODES: ReadonlySet<string> = new Set(
  (
    "UNAUTHENTICATED NO_ACTIVE_ORG FORBIDDEN NOT_FOUND INVALID CONFLICT VERSION_CONFLICT " +
    "IDEMPOTENCY_KEY_REUSED RATE_LIMITED ORG_FROZEN ORG_CLOSED STEP_UP_REQUIRED " +
    "LAST_OWNER SLOT_TAKEN INVALID_TRANSITION INVITATION_UNUSABLE ALREADY_MEMBER"
  ).split(" "),
);
