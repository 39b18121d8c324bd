/**
 * What a command must answer, by the corridor's order: principal → role → arguments → the object's own relation
 * → key → version → the rules of the business.
 */
import { badFields, isNameable, payloadOf, type Args } from "./argumentModel.ts";
import {
  isBelow,
  isStopped,
  needsNoMembership,
  isRecent,
  needsStepUp,
  stopCode,
  permissionOf,
  type Role,
} from "./policyModel.ts";
import type { Rule, Situation, Violation } from "./rule.ts";
import { RULES } from "./rules.ts";
import {
  holdOf,
  organizationOfClaim,
  isRevoked,
  organizationOf,
  storageKey,
  userOf,
  type Call,
  type Draft,
  type Organization,
  type Stored,
  type World,
} from "./world.ts";

/** What a commit must answer and record. Events may need the new ids of the answer. */
export type Planned = {
  /** Absent when the command founds an organisation. */
  orgId?: string;
  /** The answer's fields: the prefix of a new id, `token`, or an exact text after `=`. */
  result: Readonly<Record<string, string>>;
  draft: (answer: Readonly<Record<string, string>>, userId: string) => { actorRole: Role; drafts: Draft[] };
};

export type Prediction = { invariant: string } & (
  | { kind: "rejected"; anyOf: readonly Violation[]; orgId?: string }
  | { kind: "replayed"; stored: Stored }
  | { kind: "selected"; orgId: string }
  | { kind: "signedOut"; validFrom: number }
  | { kind: "checkpoint"; orgId: string; size: number }
  | { kind: "committed"; planned: Planned }
);

function refused(invariant: string, code: string, field?: string): Prediction {
  return { invariant, kind: "rejected", anyOf: [field === undefined ? { code } : { code, field }] };
}

export type Member = { userId: string; orgId: string; role: Role; organization: Organization };

/** Whether a token is a user's that they have not ended themselves. */
export function isSignedIn(world: World, call: Pick<Call, "subject" | "issuedAtS">): boolean {
  return call.subject !== null && !isRevoked(call, userOf(world, call.subject).sessionsValidFrom);
}

/** Whether a membership works for a token: it is active, and the member's sessions were not revoked since. */
export function isHeldBy(
  { view }: Pick<Organization, "view">,
  userId: string,
  call: Pick<Call, "issuedAtS">,
): boolean {
  const isActive = view.members.get(userId)?.status === "active";
  return isActive && !isRevoked(call, view.sessionsValidFrom.get(userId));
}

/** Where a call takes place. A claim that is to be linked means nothing yet. */
function placeOf(
  world: World,
  call: Pick<Call, "claim" | "function">,
  selected: string | undefined,
): Organization | undefined {
  const isChosen = call.claim === undefined || call.function === "commands/organizations:linkProvider";
  return isChosen ? world.organizations.get(selected ?? "") : organizationOfClaim(world, call.claim);
}

/** The caller as a member of their active organisation, or the code that they get. */
export function memberOf(
  world: World,
  call: Pick<Call, "subject" | "claim" | "issuedAtS" | "function">,
): Member | string {
  if (!isSignedIn(world, call)) return "UNAUTHENTICATED";
  const { userId, selected } = userOf(world, call.subject ?? "");
  const organization = placeOf(world, call, selected);
  const membership = userId === undefined ? undefined : organization?.view.members.get(userId);
  if (organization === undefined || userId === undefined || membership?.status !== "active") {
    return "NO_ACTIVE_ORG";
  }
  if (!isHeldBy(organization, userId, call)) return "UNAUTHENTICATED";
  return { userId, orgId: organization.orgId, role: membership.role, organization };
}

/** Whether the token of an invitation still works: in time, unused, and from someone who could still make it. */
export function isOpen(world: World, token: string, now: number): boolean {
  const known = world.tokens.get(token);
  if (known === undefined) return false;
  const view = world.organizations.get(known.orgId)?.view;
  const row = view?.invitations.get(known.invitationId);
  if (row === undefined || row.isEnded || now >= row.expiresAt) return false;
  const inviter = view?.members.get(row.createdBy.id);
  return inviter?.status === "active" && isBelow(inviter.role, row.role);
}

function predictSelect(world: World, call: Call, subject: string): Prediction {
  const orgId = String(call.args["orgId"]);
  const { userId } = userOf(world, subject);
  const organization = world.organizations.get(orgId);
  if (userId === undefined || organization === undefined || !isHeldBy(organization, userId, call)) {
    return refused("INV-07", "NOT_FOUND");
  }
  return { invariant: "INV-07", kind: "selected", orgId };
}

function predictSignOut(world: World, { issuedAtS }: Call, subject: string): Prediction {
  const { userId } = userOf(world, subject);
  if (userId === undefined || issuedAtS === undefined) return refused("business", "CONFLICT");
  return { invariant: "INV-12", kind: "signedOut", validFrom: issuedAtS * 1000 };
}

/** A repeat of a command that needs no organisation is answered to whoever still is a member of its one. */
function predictStored(world: World, call: Call, subject: string): Prediction | undefined {
  const stored = world.stored.get(storageKey("", subject, call.function, call.args["idempotencyKey"]));
  if (stored === undefined) return undefined;
  const { userId = "" } = userOf(world, subject);
  const organization = organizationOf(world, stored.orgId);
  if (!isHeldBy(organization, userId, call)) return refused("INV-12", "NOT_FOUND");
  const role = organization.view.members.get(userId)?.role ?? "guest";
  const hold = holdOf(organization);
  if (isStopped(call.function, role, hold)) return refused("INV-12", stopCode(hold));
  if (stored.payload !== payloadOf(call)) return refused("INV-05", "IDEMPOTENCY_KEY_REUSED");
  return { invariant: "INV-05", kind: "replayed", stored };
}

function planCreate(args: Args): Planned {
  const { timeZone, currency } = args;
  const name = String(args["name"]).trim();
  return {
    result: { orgId: "org" },
    draft: ({ orgId = "" }, userId) => ({
      actorRole: "owner",
      drafts: [
        {
          stream: `organization/${orgId}`,
          type: "organization.created",
          data: { name, timeZone, currency },
        },
        { stream: `member/${userId}`, type: "member.joined", data: { userId, role: "owner" } },
      ],
    }),
  };
}

type Known = { orgId: string; invitationId: string };

function planAccept({ orgId, invitationId }: Known, role: Role): Planned {
  return {
    orgId,
    result: { orgId: `=${orgId}`, role: `=${role}` },
    draft: (_answer, userId) => ({
      actorRole: role,
      drafts: [
        { stream: `invitation/${invitationId}`, type: "invitation.accepted", data: { userId } },
        { stream: `member/${userId}`, type: "member.joined", data: { userId, role, invitationId } },
      ],
    }),
  };
}

function predictAccept(world: World, call: Call, subject: string, now: number): Prediction {
  const token = String(call.args["invitationToken"]);
  const known = world.tokens.get(token);
  if (known === undefined) return refused("business", "INVITATION_UNUSABLE");
  const organization = organizationOf(world, known.orgId);
  const { view } = organization;
  const hold = holdOf(organization);
  if (hold !== undefined) return refused("INV-12", stopCode(hold));
  const { userId = "" } = userOf(world, subject);
  const anyOf: Violation[] = [];
  if (!isOpen(world, token, now)) anyOf.push({ code: "INVITATION_UNUSABLE" });
  const { status } = view.members.get(userId) ?? { status: "removed" };
  if (status !== "removed") anyOf.push({ code: "ALREADY_MEMBER" });
  const row = view.invitations.get(known.invitationId);
  if (anyOf.length > 0 || row === undefined) return { invariant: "business", kind: "rejected", anyOf };
  return { invariant: "business", kind: "committed", planned: planAccept(known, row.role) };
}

function predictSignedIn(world: World, call: Call, now: number): Prediction {
  if (call.subject === null || !isSignedIn(world, call)) return refused("INV-08", "UNAUTHENTICATED");
  const wrong = badFields(call.function, call.args);
  if (wrong.length > 0) return predictInvalid(wrong);
  if (call.function === "commands/session:selectOrganization")
    return predictSelect(world, call, call.subject);
  if (call.function === "commands/session:revokeOthers") return predictSignOut(world, call, call.subject);
  const stored = predictStored(world, call, call.subject);
  if (stored !== undefined) return stored;
  if (call.function === "commands/members:acceptInvitation") {
    return predictAccept(world, call, call.subject, now);
  }
  return { invariant: "business", kind: "committed", planned: planCreate(call.args) };
}

function predictInvalid(wrong: readonly string[]): Prediction {
  return {
    invariant: "INV-10",
    kind: "rejected",
    anyOf: wrong.map((field) => ({ code: "INVALID", field: isNameable(field) ? field : "arguments" })),
  };
}

/** Steps 2b: whether the object's own relation lets the caller through. */
function predictRelation(
  call: Call,
  member: Member,
  rule: Rule,
  situation: Situation,
): Prediction | undefined {
  const permission = permissionOf(call.function, member.role);
  if (permission === "below own rank") {
    const concerned = rule.concerned?.(situation) ?? [];
    if (concerned.some((role) => !isBelow(member.role, role))) return refused("INV-08", "FORBIDDEN");
  }
  if (permission === "not who asked" && rule.requester?.(situation) === member.userId) {
    return refused("INV-08", "FORBIDDEN");
  }
  if (permission === "assigned") {
    const booking = situation.view.bookings.get(String(call.args["bookingId"]));
    if (booking?.assigneeId !== member.userId) return refused("INV-08", "NOT_FOUND");
  }
  return undefined;
}

function predictVersion(call: Call, member: Member, rule: Rule): Prediction | undefined {
  const expected = call.args["expectedVersion"];
  const stream = rule.stream?.(call.args, member);
  const version = stream === undefined ? undefined : member.organization.view.versions.get(stream);
  if (expected === undefined || version === undefined || version === expected) return undefined;
  return refused("business", "VERSION_CONFLICT", "expectedVersion");
}

function lacksStepUp({ function: name, authenticatedAtS }: Call, rule: Rule, situation: Situation): boolean {
  const isAsked = needsStepUp(name) || rule.needsStepUp?.(situation) === true;
  return isAsked && !isRecent(authenticatedAtS, situation.now);
}

function situationOf(world: World, { args, claim }: Call, member: Member, now: number): Situation {
  const { orgId, organization, userId, role } = member;
  return {
    ...{ view: organization.view, orgId, userId, role, args, now },
    claim: {
      issuer: world.issuer,
      providerOrgId: claim,
      isTaken: organizationOfClaim(world, claim) !== undefined,
    },
    linkOf: (state) => world.linkStates.get(state),
  };
}

function predictMember(world: World, call: Call, member: Member, now: number): Prediction {
  const hold = holdOf(member.organization);
  if (isStopped(call.function, member.role, hold)) return refused("INV-12", stopCode(hold));
  if (permissionOf(call.function, member.role) === "no") return refused("INV-08", "FORBIDDEN");
  const wrong = badFields(call.function, call.args);
  if (wrong.length > 0) return predictInvalid(wrong);
  if (call.function === "commands/ledger:requestCheckpoint") {
    const { orgId, organization } = member;
    return { invariant: "INV-02", kind: "checkpoint", orgId, size: organization.events.length };
  }
  const rule = RULES[call.function];
  if (rule === undefined) throw new Error(`no rule for ${call.function}`);
  return predictOnObject(world, call, member, { rule, situation: situationOf(world, call, member, now) });
}

/** The object's own relation and what comes after it. */
function predictOnObject(
  world: World,
  call: Call,
  member: Member,
  { rule, situation }: { rule: Rule; situation: Situation },
): Prediction {
  const { orgId } = member;
  const forbidden = predictRelation(call, member, rule, situation);
  if (forbidden !== undefined) return forbidden;
  if (lacksStepUp(call, rule, situation)) return refused("INV-08", "STEP_UP_REQUIRED");
  const slot = storageKey(orgId, call.subject ?? "", call.function, call.args["idempotencyKey"]);
  const stored = world.stored.get(slot);
  if (stored !== undefined) {
    if (stored.payload !== payloadOf(call)) return refused("INV-05", "IDEMPOTENCY_KEY_REUSED");
    return { invariant: "INV-05", kind: "replayed", stored };
  }
  const stale = predictVersion(call, member, rule);
  if (stale !== undefined) return stale;
  const anyOf = rule.violations(situation);
  if (anyOf.length > 0) return { invariant: "business", kind: "rejected", anyOf };
  const planned: Planned = {
    orgId,
    result: rule.result,
    draft: (answer) => ({ actorRole: roleAfter(call, member), drafts: rule.events(situation, answer) }),
  };
  return { invariant: "business", kind: "committed", planned };
}

/** The actor's role in the event: the one after the command. */
function roleAfter({ function: name, args }: Call, member: Member): Role {
  const isOwnRole = name === "commands/members:changeRole" && args["userId"] === member.userId;
  return isOwnRole ? (args["role"] as Role) : member.role;
}

/** The answer of a command at a time. */
export function predict(world: World, call: Call, now: number): Prediction {
  if (needsNoMembership(call.function)) return predictSignedIn(world, call, now);
  const member = memberOf(world, call);
  if (typeof member === "string") {
    return refused(member === "UNAUTHENTICATED" ? "INV-08" : "INV-12", member);
  }
  const prediction = predictMember(world, call, member, now);
  return prediction.kind === "rejected" ? { ...prediction, orgId: member.orgId } : prediction;
}
