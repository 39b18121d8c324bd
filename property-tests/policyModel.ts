/**
 * The authorisation table of DESIGN ("Contracts of the first version"), typed again by hand so that a slip in
 * `convex/access/policy` is found by comparison. Imports nothing of the server.
 */
export const ROLES = ["owner", "manager", "staff", "freelancer", "guest", "auditor"] as const;
export type Role = (typeof ROLES)[number];

export type Permission =
  | "no"
  | "yes"
  | "below own rank"
  | "assigned"
  | "assigned or unassigned"
  | "assigned, no price"
  | "not who asked"
  | "own events";

type Columns = readonly [Permission, Permission, Permission, Permission, Permission, Permission];

const OWNERS: Columns = ["yes", "no", "no", "no", "no", "no"];
const RANKED: Columns = ["below own rank", "below own rank", "no", "no", "no", "no"];
const MANAGERS: Columns = ["yes", "yes", "no", "no", "no", "no"];
const OR_ASSIGNED: Columns = ["yes", "yes", "assigned", "no", "no", "no"];
const READERS: Columns = ["yes", "yes", "assigned or unassigned", "assigned, no price", "no", "no"];
const OTHERS: Columns = ["not who asked", "not who asked", "no", "no", "no", "no"];
const PROVERS: Columns = ["yes", "own events", "own events", "own events", "own events", "yes"];
const AUDIT_LOG_READERS: Columns = ["yes", "yes", "no", "no", "no", "yes"];
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
  "commands/organizations:linkProvider": OWNERS,
  "commands/organizations:unlinkProvider": OWNERS,
  "commands/members:invite": RANKED,
  "commands/members:revokeInvitation": RANKED,
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
  "commands/payments:request": OR_ASSIGNED,
  "commands/payments:cancel": MANAGERS,
  "commands/payments:requestRefund": MANAGERS,
  "commands/payments:approveRefund": OTHERS,
  "commands/payments:declineRefund": OTHERS,
  "commands/stripeAccount:beginLink": OWNERS,
  "commands/stripeAccount:completeLink": OWNERS,
  "commands/stripeAccount:unlink": OWNERS,
  "projections/payments:list": OR_ASSIGNED,
  "projections/payments:get": OR_ASSIGNED,
  "projections/payments:payerSecret": OR_ASSIGNED,
  "projections/stripeAccount:current": MANAGERS,
  "commands/ledger:beginExport": LEDGER_READERS,
  "commands/ledger:requestCheckpoint": LEDGER_READERS,
  "commands/auditLog:beginReading": AUDIT_LOG_READERS,
  "projections/auditLog:list": AUDIT_LOG_READERS,
  "projections/auditLog:range": AUDIT_LOG_READERS,
  "projections/ledger:head": LEDGER_READERS,
  "projections/ledger:events": LEDGER_READERS,
  "projections/ledger:checkpoint": LEDGER_READERS,
  "projections/ledger:checkpoints": LEDGER_READERS,
  "projections/ledger:inclusionProof": PROVERS,
  "projections/ledger:consistencyProof": LEDGER_READERS,
  "projections/ledger:streamAt": LEDGER_READERS,
  "projections/ledger:rowDigests": LEDGER_READERS,
  "projections/securityLog:list": LEDGER_READERS,
  "projections/alerts:list": LEDGER_READERS,
  "projections/deliveries:list": LEDGER_READERS,
};

/** Every public function that there is. */
export const FUNCTIONS: readonly string[] = Object.keys(TABLE);

export const QUERIES: readonly string[] = Object.keys(TABLE).filter((name) =>
  name.startsWith("projections/"),
);

/** Queries that are read page by page. */
export const PAGED: readonly string[] = [
  "projections/organizations:mine",
  "projections/members:list",
  "projections/services:list",
  "projections/bookings:list",
  "projections/auditLog:list",
  "projections/auditLog:range",
  "projections/payments:list",
  "projections/ledger:rowDigests",
  "projections/securityLog:list",
  "projections/alerts:list",
  "projections/deliveries:list",
];

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

/** Who holds an organisation frozen, or that it was closed; nobody does when it is active. */
export type Hold = "owner" | "operator" | "integrity check" | "closed";

/** Owners and auditors read these in a frozen and in a closed organisation. */
function isAlwaysRead(name: string): boolean {
  const [room = "", list = ""] = name.split("/");
  const [subject = ""] = list.split(":");
  if (room !== "projections") return false;
  return (
    name === "projections/organizations:current" ||
    ["auditLog", "ledger", "securityLog", "alerts", "deliveries"].includes(subject)
  );
}

/** Owners and auditors write these in a frozen one whose chain takes events. */
const RECORDED_WHEN_FROZEN = ["commands/ledger:beginExport", "commands/auditLog:beginReading"];

/** Whether a freeze or the closing stops a call. An owner lifts what an owner froze. */
export function isStopped(name: string, role: Role, hold: Hold | undefined): boolean {
  if (hold === undefined) return false;
  const isExporter = role === "owner" || role === "auditor";
  if (isAlwaysRead(name)) return !isExporter;
  // Nothing is signed over what may be damaged.
  if (name === "commands/ledger:requestCheckpoint") return !isExporter || hold === "integrity check";
  if (RECORDED_WHEN_FROZEN.includes(name)) {
    return !isExporter || hold === "integrity check" || hold === "closed";
  }
  return !(name === "commands/organizations:unfreeze" && role === "owner" && hold === "owner");
}

/** What a stopped call is answered. */
export function stopCode(hold: Hold | undefined): "ORG_FROZEN" | "ORG_CLOSED" {
  return hold === "closed" ? "ORG_CLOSED" : "ORG_FROZEN";
}

const STEP_UP = [
  ...["organizations:close", "organizations:linkProvider", "organizations:unlinkProvider"],
  ...["payments:approveRefund", "stripeAccount:beginLink", "stripeAccount:unlink"],
].map((name) => `commands/${name}`);

/** Whether recent authentication is asked for, whatever it is about. */
export function needsStepUp(name: string): boolean {
  return STEP_UP.includes(name);
}

/** Whether recent authentication may be asked for. */
export function mayNeedStepUp(name: string): boolean {
  return needsStepUp(name) || name === "commands/payments:requestRefund";
}

const RECENT_MS = 600_000;

/** Whether a token shows that its holder authenticated in the last ten minutes. */
export function isRecent(authenticatedAtS: number | undefined, now: number): boolean {
  return authenticatedAtS !== undefined && now - authenticatedAtS * 1000 <= RECENT_MS;
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
