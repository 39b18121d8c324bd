/**
 * The policy table: one row per public function. No row, no call (INV-08). A role that a row does not name is
 * refused. Every event carries the table's fingerprint, so an auditor knows under which rules it was written.
 */
import { canonicalize } from "../../ledger/canonicalJson.ts";
import type { Role } from "../../ledger/event.ts";
import { sha256Noble, toHex } from "../../ledger/hash.ts";
import { Refusal } from "./errors.ts";
import { outranks } from "./roles.ts";

/**
 * What else must hold for a role.
 * - `notRequester`: the caller is another person than who asked for it.
 * - `always`: nothing.
 * - `belowOwnRank`: every role that is granted, and the target's role, is below the caller's.
 * - `assigned`: the object is assigned to the caller.
 * - `assignedOrUnassigned`: the object is assigned to the caller or to nobody.
 * - `assignedWithoutPrice`: as `assigned`, and prices are left out of the answer.
 * - `ownEvents`: the event is the caller's own: its actor.
 */
export type Condition =
  | "always"
  | "belowOwnRank"
  | "assigned"
  | "assignedOrUnassigned"
  | "assignedWithoutPrice"
  | "notRequester"
  | "ownEvents";

/** Who holds an organisation frozen. */
export type Hold = "owner" | "operator" | "integrity";

/**
 * Asks for recent authentication. `whenDeclared`: only where the deployment has declared the claim that tells its
 * time, so that tokens without it work elsewhere.
 */
export type StepUp = {
  maxAgeMs: number;
  enforced: "always" | "whenDeclared";
  /** Only when one of these roles is granted or held by the member concerned; always when absent. */
  forRoles?: readonly Role[];
  /** Only when more is given back at once than the role may give back alone. */
  aboveRefundLimit?: true;
};

/** Commands that are limited together, and more strictly than `command`, which every command has to itself. */
export type LimitClass = "command" | "status" | "chat" | "payment" | "invitation" | "checkpoint";

export type PolicyRow =
  | { level: "signedIn"; limit?: LimitClass }
  | {
      level: "member";
      limit?: LimitClass;
      roles: Partial<Record<Role, Condition>>;
      /** Roles that may still call in a frozen organisation. */
      whenFrozen?: readonly Role[];
      /** Who must hold the freeze for `whenFrozen` to count; anybody when absent. */
      frozenBy?: readonly Hold[];
      /** Roles that may still call in a closed organisation, until what is derived from its ledger is removed. */
      whenClosed?: readonly Role[];
      stepUp?: StepUp;
      /**
       * How much of one payment may be given back without another person's approval, in minor units of whatever
       * currency it is in.
       */
      refundLimitMinor?: Partial<Record<Role, number>>;
    };

const OWNER = { owner: "always" } as const;
const MANAGERS = { owner: "always", manager: "always" } as const;
const MANAGERS_AND_ASSIGNED = { ...MANAGERS, staff: "assigned" } as const;
const RANKED = { owner: "belowOwnRank", manager: "belowOwnRank" } as const;
/** Whoever approves a refund is never who asked for it, in whatever role and session they come. */
const OTHER_MANAGERS = { owner: "notRequester", manager: "notRequester" } as const;
const BOOKING_READERS = {
  ...MANAGERS,
  staff: "assignedOrUnassigned",
  freelancer: "assignedWithoutPrice",
} as const;
const EVERY_ROLE_BUT_AUDITOR = {
  owner: "always",
  manager: "always",
  staff: "always",
  freelancer: "always",
  guest: "always",
} as const;
const EVERY_ROLE = { ...EVERY_ROLE_BUT_AUDITOR, auditor: "always" } as const;
const AUDIT_LOG_READERS = { ...MANAGERS, auditor: "always" } as const;
/** Owners and auditors prove any event, everybody else what they did themselves. */
const PROVERS = {
  owner: "always",
  manager: "ownEvents",
  staff: "ownEvents",
  freelancer: "ownEvents",
  guest: "ownEvents",
  auditor: "always",
} as const;
const EXPORTERS = ["owner", "auditor"] as const;
/** Owners and auditors read and export a frozen organisation, and a closed one while its rows are there. */
const ALWAYS_EXPORTED = { whenFrozen: EXPORTERS, whenClosed: EXPORTERS } as const;

const TEN_MINUTES_MS = 600_000;
const STEP_UP = { maxAgeMs: TEN_MINUTES_MS, enforced: "always" } as const;
const STEP_UP_WHEN_DECLARED = { maxAgeMs: TEN_MINUTES_MS, enforced: "whenDeclared" } as const;
/** Granting or taking what sees or does everything. */
const STEP_UP_ABOVE_REFUND_LIMIT = { ...STEP_UP, aboveRefundLimit: true } as const;
const STEP_UP_FOR_HIGH_ROLES = { ...STEP_UP_WHEN_DECLARED, forRoles: ["owner", "auditor"] } as const;

export const POLICY = {
  "commands/organizations:create": { level: "signedIn" },
  "commands/members:acceptInvitation": { level: "signedIn", limit: "invitation" },
  "commands/session:selectOrganization": { level: "signedIn" },
  "commands/session:revokeOthers": { level: "signedIn" },
  "projections/organizations:mine": { level: "signedIn" },

  "commands/organizations:rename": { level: "member", roles: OWNER },
  "commands/organizations:freeze": { level: "member", roles: OWNER },
  "commands/organizations:unfreeze": {
    level: "member",
    roles: OWNER,
    whenFrozen: ["owner"],
    frozenBy: ["owner"],
    stepUp: STEP_UP_WHEN_DECLARED,
  },
  "commands/organizations:close": { level: "member", roles: OWNER, stepUp: STEP_UP },
  "commands/organizations:linkProvider": { level: "member", roles: OWNER, stepUp: STEP_UP },
  "commands/organizations:unlinkProvider": { level: "member", roles: OWNER, stepUp: STEP_UP },
  "commands/members:invite": {
    level: "member",
    limit: "invitation",
    roles: RANKED,
    stepUp: STEP_UP_FOR_HIGH_ROLES,
  },
  "commands/members:revokeInvitation": { level: "member", roles: RANKED },
  "commands/members:changeRole": { level: "member", roles: RANKED, stepUp: STEP_UP_FOR_HIGH_ROLES },
  "commands/members:remove": { level: "member", roles: RANKED, stepUp: STEP_UP_FOR_HIGH_ROLES },
  "commands/members:suspend": { level: "member", roles: RANKED },
  "commands/members:reinstate": { level: "member", roles: RANKED, stepUp: STEP_UP_FOR_HIGH_ROLES },
  "commands/members:leave": { level: "member", roles: EVERY_ROLE_BUT_AUDITOR },
  "commands/members:revokeSessions": { level: "member", roles: RANKED },
  "commands/services:define": { level: "member", roles: MANAGERS },
  "commands/services:retire": { level: "member", roles: MANAGERS },
  "commands/bookings:request": { level: "member", roles: { ...MANAGERS, staff: "always" } },
  "commands/bookings:confirm": { level: "member", limit: "status", roles: MANAGERS },
  "commands/bookings:assign": { level: "member", roles: MANAGERS },
  "commands/bookings:unassign": { level: "member", roles: MANAGERS },
  "commands/bookings:cancel": { level: "member", limit: "status", roles: MANAGERS },
  "commands/bookings:reschedule": { level: "member", roles: MANAGERS_AND_ASSIGNED },
  "commands/bookings:start": { level: "member", limit: "status", roles: MANAGERS_AND_ASSIGNED },
  "commands/bookings:complete": { level: "member", limit: "status", roles: MANAGERS_AND_ASSIGNED },
  "commands/bookings:markNoShow": { level: "member", limit: "status", roles: MANAGERS_AND_ASSIGNED },

  "commands/payments:request": { level: "member", limit: "payment", roles: MANAGERS_AND_ASSIGNED },
  "commands/payments:cancel": { level: "member", limit: "payment", roles: MANAGERS },
  "commands/payments:requestRefund": {
    level: "member",
    limit: "payment",
    roles: MANAGERS,
    refundLimitMinor: { owner: 1_000_000, manager: 50_000 },
    stepUp: STEP_UP_ABOVE_REFUND_LIMIT,
  },
  "commands/payments:approveRefund": {
    level: "member",
    limit: "payment",
    roles: OTHER_MANAGERS,
    stepUp: STEP_UP,
  },
  "commands/payments:declineRefund": { level: "member", limit: "payment", roles: OTHER_MANAGERS },
  "commands/stripeAccount:beginLink": { level: "member", limit: "payment", roles: OWNER, stepUp: STEP_UP },
  "commands/stripeAccount:completeLink": { level: "member", limit: "payment", roles: OWNER },
  "commands/stripeAccount:unlink": { level: "member", limit: "payment", roles: OWNER, stepUp: STEP_UP },

  "commands/ledger:beginExport": {
    level: "member",
    roles: { ...OWNER, auditor: "always" },
    whenFrozen: EXPORTERS,
    // A damaged chain takes no event.
    frozenBy: ["owner", "operator"],
  },

  "commands/auditLog:beginReading": {
    level: "member",
    roles: AUDIT_LOG_READERS,
    whenFrozen: EXPORTERS,
    // A damaged chain takes no event.
    frozenBy: ["owner", "operator"],
  },

  "commands/ledger:requestCheckpoint": {
    level: "member",
    limit: "checkpoint",
    roles: { ...OWNER, auditor: "always" },
    ...ALWAYS_EXPORTED,
    // Nothing is signed over what may be damaged.
    frozenBy: ["owner", "operator"],
  },

  "projections/organizations:current": {
    level: "member",
    roles: EVERY_ROLE,
    ...ALWAYS_EXPORTED,
  },
  "projections/members:list": {
    level: "member",
    roles: { ...MANAGERS, staff: "always", auditor: "always" },
  },
  "projections/services:list": { level: "member", roles: { ...MANAGERS, staff: "always" } },
  "projections/bookings:list": { level: "member", roles: BOOKING_READERS },
  "projections/bookings:get": { level: "member", roles: BOOKING_READERS },
  "projections/payments:list": { level: "member", roles: MANAGERS_AND_ASSIGNED },
  "projections/payments:get": { level: "member", roles: MANAGERS_AND_ASSIGNED },
  "projections/payments:payerSecret": { level: "member", roles: MANAGERS_AND_ASSIGNED },
  "projections/stripeAccount:current": { level: "member", roles: MANAGERS },
  "projections/auditLog:list": {
    level: "member",
    roles: AUDIT_LOG_READERS,
    ...ALWAYS_EXPORTED,
  },
  // Of those, to whoever began the reading.
  "projections/auditLog:range": {
    level: "member",
    roles: AUDIT_LOG_READERS,
    ...ALWAYS_EXPORTED,
  },
  "projections/securityLog:list": {
    level: "member",
    roles: { ...OWNER, auditor: "always" },
    ...ALWAYS_EXPORTED,
  },
  "projections/alerts:list": {
    level: "member",
    roles: { ...OWNER, auditor: "always" },
    ...ALWAYS_EXPORTED,
  },
  "projections/deliveries:list": {
    level: "member",
    roles: { ...OWNER, auditor: "always" },
    ...ALWAYS_EXPORTED,
  },
  "projections/ledger:head": {
    level: "member",
    roles: { ...OWNER, auditor: "always" },
    ...ALWAYS_EXPORTED,
  },
  "projections/ledger:events": {
    level: "member",
    roles: { ...OWNER, auditor: "always" },
    ...ALWAYS_EXPORTED,
  },
  "projections/ledger:checkpoint": {
    level: "member",
    roles: { ...OWNER, auditor: "always" },
    ...ALWAYS_EXPORTED,
  },
  "projections/ledger:checkpoints": {
    level: "member",
    roles: { ...OWNER, auditor: "always" },
    ...ALWAYS_EXPORTED,
  },
  "projections/ledger:inclusionProof": { level: "member", roles: PROVERS, ...ALWAYS_EXPORTED },
  "projections/ledger:consistencyProof": {
    level: "member",
    roles: { ...OWNER, auditor: "always" },
    ...ALWAYS_EXPORTED,
  },
  "projections/ledger:streamAt": {
    level: "member",
    roles: { ...OWNER, auditor: "always" },
    ...ALWAYS_EXPORTED,
  },
  "projections/ledger:rowDigests": {
    level: "member",
    roles: { ...OWNER, auditor: "always" },
    ...ALWAYS_EXPORTED,
  },
} as const satisfies Record<string, PolicyRow>;

export type FunctionName = keyof typeof POLICY;

/** First 16 hex characters of the SHA-256 of the canonical policy table. */
export const POLICY_FINGERPRINT = toHex(sha256Noble(new TextEncoder().encode(canonicalize(POLICY)))).slice(
  0,
  16,
);

/** The row of a function. Throws FORBIDDEN when there is none (INV-08). */
export function policyRow(name: string): PolicyRow {
  if (!Object.hasOwn(POLICY, name)) throw new Refusal("FORBIDDEN");
  return POLICY[name as FunctionName];
}

/** The class that a command is limited in. */
export function limitClassOf(name: string): LimitClass {
  return policyRow(name).limit ?? "command";
}

/** The condition under which a role may call a member-level function. Throws FORBIDDEN when it may not. */
export function conditionFor(name: string, role: Role): Condition {
  const row = policyRow(name);
  const condition = row.level === "member" ? row.roles[role] : undefined;
  if (condition === undefined) throw new Refusal("FORBIDDEN");
  return condition;
}

/** How much of one payment a role may give back without another person's approval, in minor units. */
export function refundLimitMinor(name: string, role: Role): number {
  const row = policyRow(name);
  return (row.level === "member" ? row.refundLimitMinor?.[role] : undefined) ?? 0;
}

/**
 * What recent authentication a call of a role must show, given the roles and the amount that it concerns; undefined
 * when none.
 */
export function stepUpFor(
  name: string,
  { rolesConcerned = [], refundMinor = 0 }: Relation,
  role: Role,
): StepUp | undefined {
  const row = policyRow(name);
  if (row.level !== "member" || row.stepUp === undefined) return undefined;
  const { forRoles, aboveRefundLimit = false } = row.stepUp;
  if (aboveRefundLimit && refundMinor <= refundLimitMinor(name, role)) return undefined;
  if (forRoles === undefined || rolesConcerned.some((each) => forRoles.includes(each))) return row.stepUp;
  return undefined;
}

/** Facts of the object that conditions speak about. */
export type Relation = {
  /** Whom the object is assigned to; null when to nobody, absent when the object does not exist. */
  assigneeId?: string | null;
  /** Roles that are granted and the role of the member that is changed. */
  rolesConcerned?: readonly Role[];
  /** Who asked for what is to be approved. */
  requesterId?: string;
  /** What is given back, in minor units. */
  refundMinor?: number;
  /** Who did what the object tells of; null when no user did. */
  actorId?: string | null;
};

/** Whether the object is assigned to the caller, or to whom else the condition allows. */
function isAssigned(condition: Condition, userId: string, { assigneeId }: Relation): boolean {
  return assigneeId === userId || (condition === "assignedOrUnassigned" && assigneeId === null);
}

/** Whether every role that is granted or held by the member concerned is below the caller's. */
function isBelow(caller: Role, { rolesConcerned = [] }: Relation): boolean {
  return rolesConcerned.every((role) => outranks(caller, role));
}

/** What fails the condition, as a code; null when it holds. */
function relationProblem(
  condition: Condition,
  caller: { userId: string; role: Role },
  relation: Relation,
): "FORBIDDEN" | "NOT_FOUND" | null {
  switch (condition) {
    case "always":
      return null;
    case "belowOwnRank":
      return isBelow(caller.role, relation) ? null : "FORBIDDEN";
    case "notRequester":
      return relation.requesterId === caller.userId ? "FORBIDDEN" : null;
    case "ownEvents":
      return relation.actorId === caller.userId ? null : "NOT_FOUND";
    case "assigned":
    case "assignedWithoutPrice":
    case "assignedOrUnassigned":
      return isAssigned(condition, caller.userId, relation) ? null : "NOT_FOUND";
  }
}

/**
 * Holds a condition against the object. Throws NOT_FOUND where the caller may not know that the object exists,
 * FORBIDDEN where they see it anyway.
 */
export function requireRelation(
  condition: Condition,
  caller: { userId: string; role: Role },
  relation: Relation,
): void {
  const problem = relationProblem(condition, caller, relation);
  if (problem !== null) throw new Refusal(problem);
}
