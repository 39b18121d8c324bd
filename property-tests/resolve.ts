/** From an intent to a call: picks the caller, the token, the object and the arguments from what exists. */
import { CANCEL_REASONS, CURRENCIES, FREEZE_REASONS, TIME_ZONES, type Args } from "./argumentModel.ts";
import type { BookingRow, BookingStatus } from "./fold.ts";
import { NAUGHTY, spoil, type Pick } from "./garbage.ts";
import type { Intent } from "./intents.ts";
import { needsNoMembership, permissionOf, ROLES } from "./policyModel.ts";
import { isOpen } from "./predict.ts";
import { RULES } from "./rules.ts";
import { holdOf, type Call, type Organization, type Stored, type User, type World } from "./world.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 1440 * MINUTE_MS;
const HALF_HOUR_MS = 30 * MINUTE_MS;

/** Ids in due form that name nothing. */
export const NOWHERE = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

export type Resolved =
  | { kind: "call"; call: Call }
  /** The same call once with an id of another organisation and once with one of nothing. */
  | { kind: "twins"; foreign: Call; nowhere: Call }
  | { kind: "operator"; orgId: string; action: OperatorAction }
  | { kind: "advance"; byMs: number };

/** What the operator does; `report` is damage that an auditor tells of. */
export type OperatorAction = "freeze" | "unfreeze" | "report";

type Scene = {
  world: World;
  intent: Intent;
  pick: Pick;
  now: number;
};

export function picker(picks: readonly number[]): Pick {
  let next = 0;
  return <Value>(list: readonly Value[]): Value => {
    const random = picks[next % picks.length] ?? 0;
    next += 1;
    const value = list[random % list.length];
    if (value === undefined && list.length === 0) throw new Error("picked from nothing");
    return value as Value;
  };
}

function organizationsOf(world: World): Organization[] {
  return [...world.organizations.values()];
}

/** Mostly one of the first three: those that are founded on the way have few members and no bookings yet. */
function pickOrganization({ world, pick }: Scene): Organization {
  const all = organizationsOf(world);
  const first = all.slice(0, 3);
  return pick([...all, ...first, ...first, ...first]);
}

function activeUsers(world: World, { view }: Organization): User[] {
  return [...world.users.values()].filter(
    ({ userId }) => userId !== undefined && view.members.get(userId)?.status === "active",
  );
}

function mayCall(organization: Organization, name: string, { userId = "" }: User): boolean {
  const role = organization.view.members.get(userId)?.role;
  return role !== undefined && permissionOf(name, role) !== "no";
}

/** A subject; null is a caller without a token. */
function pickCaller({ world, intent, pick }: Scene, organization: Organization, name: string): string | null {
  const members = activeUsers(world, organization);
  const able = needsNoMembership(name)
    ? members
    : members.filter((user) => mayCall(organization, name, user));
  if (intent.isLikely && able.length > 0) return pick(able).subject;
  const subjects = [...world.users.keys()];
  return pick([...subjects, ...subjects, null]);
}

function foreignOrganizations(world: World, subject: string | null): string[] {
  return organizationsOf(world)
    .filter((organization) => activeUsers(world, organization).every((user) => user.subject !== subject))
    .map(({ orgId }) => orgId);
}

/** The token's claim and the organisation that the call then takes place in. */
function pickClaim(
  { world, intent, pick }: Scene,
  organization: Organization,
  subject: string | null,
): { claim?: unknown; organization: Organization } {
  const { orgId } = organization;
  switch (intent.claim) {
    case "own":
      return { claim: orgId, organization };
    case "none": {
      const { selected } = world.users.get(subject ?? "") ?? {};
      return { organization: world.organizations.get(selected ?? "") ?? organization };
    }
    case "foreign":
      return { claim: pick([...foreignOrganizations(world, subject), `org_${NOWHERE}`]), organization };
    case "nowhere":
      return { claim: `org_${NOWHERE}`, organization };
    case "odd":
      return { claim: pick([{ orgId }, 7, [orgId], "", null, true]), organization };
  }
}

function pickName(pick: Pick): string {
  const plain = pick(["Studio Blue", "Klinik Süd", "Yoga, 60 min", "ヨガ", "  padded  "]);
  return pick([plain, plain, pick(NAUGHTY)]);
}

function pickStart(pick: Pick, now: number): number {
  const grid = Math.ceil((now + 1) / HALF_HOUR_MS) * HALF_HOUR_MS;
  const onGrid = grid + pick([...Array(10).keys()]) * HALF_HOUR_MS;
  const edge = now + pick([-1, 0, 1, 40, 40, MINUTE_MS]);
  return pick([onGrid, onGrid, onGrid, edge]);
}

const LIKELY_STATUS: Readonly<Record<string, readonly BookingStatus[]>> = {
  confirm: ["requested"],
  start: ["confirmed"],
  markNoShow: ["confirmed"],
  complete: ["in_progress"],
  reschedule: ["requested", "confirmed"],
  assign: ["requested", "confirmed"],
  unassign: ["requested", "confirmed"],
  cancel: ["requested", "confirmed"],
};

/** Whether only bookings that are assigned to the user are open to them. */
function needsOwn({ view }: Organization, name: string, user: User | undefined): boolean {
  const role = view.members.get(user?.userId ?? "")?.role;
  return role !== undefined && permissionOf(name, role) === "assigned";
}

function suits(
  scene: Scene,
  organization: Organization,
  name: string,
  user: User | undefined,
  row: BookingRow,
): boolean {
  const step = name.split(":")[1] ?? "";
  const isFitting = LIKELY_STATUS[step]?.includes(row.status) ?? true;
  // Some come too early, to see them refused.
  const isDue = step !== "markNoShow" || row.startsAt <= scene.now || scene.pick([true, false, false]);
  const isAssigned = step !== "unassign" || row.assigneeId !== null;
  return (
    isFitting &&
    isDue &&
    isAssigned &&
    (row.assigneeId === user?.userId || !needsOwn(organization, name, user))
  );
}

function pickBooking(scene: Scene, organization: Organization, name: string, subject: string | null): string {
  const all = [...organization.view.bookings.values()];
  const user = scene.world.users.get(subject ?? "");
  const isLikely = (row: BookingRow): boolean => suits(scene, organization, name, user, row);
  const fitting = scene.intent.isLikely ? all.filter(isLikely) : [];
  const rows = fitting.length > 0 ? fitting : all;
  return rows.length > 0 ? scene.pick(rows).bookingId : `bkg_${NOWHERE}`;
}

function pickMember({ pick, world }: Scene, { view }: Organization, subject: string | null): string {
  const ids = [...view.members.keys()];
  const self = world.users.get(subject ?? "")?.userId ?? `usr_${NOWHERE}`;
  return pick([...ids, ...ids, self, self, `usr_${NOWHERE}`]);
}

/** Mostly one who can be assigned, and often the same two, so that slots meet; now and then a removed member or nobody. */
function pickAssignee(scene: Scene, organization: Organization, subject: string | null): string {
  const active = activeUsers(scene.world, organization).map(({ userId = "" }) => userId);
  const busy = active.slice(0, 2);
  return scene.pick([...active, ...busy, ...busy, ...busy, pickMember(scene, organization, subject)]);
}

function pickToken({ world, pick, intent, now }: Scene): string {
  const all = [...world.tokens.keys()];
  const open = all.filter((token) => isOpen(world, token, now));
  const tokens = intent.isLikely && open.length > 0 ? open : all;
  return pick([...tokens, ...tokens, "A".repeat(43)]);
}

function pickService({ pick }: Scene, { view }: Organization): string {
  const active = [...view.services.values()].filter((row) => row.status === "active");
  const ids = [...active, ...active, ...view.services.values()].map(({ serviceId }) => serviceId);
  return ids.length > 0 ? pick(ids) : `svc_${NOWHERE}`;
}

/**
 * What the token says of its time of issue. A likely caller whose older tokens were ended signs in again; an
 * adversary takes any token that they have ever had.
 */
function pickSession(
  { world, intent, pick, now }: Scene,
  { view }: Organization,
  subject: string | null,
): { issuedAtS?: number } {
  const user = world.users.get(subject ?? "");
  if (user === undefined) return {};
  const hasEnded = user.sessionsValidFrom !== undefined || view.sessionsValidFrom.has(user.userId ?? "");
  const session = intent.isLikely && hasEnded && pick([true, true, false]) ? "now" : intent.session;
  if (session === "silent") return {};
  const nowS = Math.floor(now / 1000);
  const issuedAtS = session === "seen" && user.issued.length > 0 ? pick(user.issued) : nowS;
  user.issued.push(issuedAtS);
  return { issuedAtS };
}

type Build = (scene: Scene, organization: Organization, name: string, subject: string | null) => Args;

const ofBooking: Build = (scene, organization, name, subject) => ({
  bookingId: pickBooking(scene, organization, name, subject),
});

/** For a reinstatement mostly one who is suspended. */
const ofMember: Build = (scene, organization, name, subject) => {
  const suspended = [...organization.view.members.values()].filter(({ status }) => status === "suspended");
  const isWanted = name === "commands/members:reinstate" && scene.intent.isLikely && suspended.length > 0;
  return { userId: isWanted ? scene.pick(suspended).userId : pickMember(scene, organization, subject) };
};

const ARGUMENTS: Readonly<Record<string, Build>> = {
  "commands/session:selectOrganization": ({ pick, world }) => ({
    orgId: pick([...world.organizations.keys(), `org_${NOWHERE}`]),
  }),
  "commands/session:revokeOthers": () => ({}),
  "commands/organizations:freeze": ({ pick }) => ({ reason: pick(FREEZE_REASONS) }),
  "commands/organizations:unfreeze": () => ({}),
  "commands/organizations:close": () => ({ reason: "other" }),
  "commands/members:suspend": ofMember,
  "commands/members:reinstate": ofMember,
  "commands/members:revokeSessions": ofMember,
  "commands/members:leave": () => ({}),
  "commands/organizations:create": ({ pick }) => ({
    name: pickName(pick),
    timeZone: pick(TIME_ZONES),
    currency: pick(CURRENCIES),
  }),
  "commands/organizations:rename": ({ pick }) => ({ name: pickName(pick) }),
  "commands/members:invite": ({ pick }) => ({ role: pick(ROLES) }),
  "commands/members:acceptInvitation": (scene) => ({ invitationToken: pickToken(scene) }),
  "commands/members:changeRole": (scene, organization, _name, subject) => ({
    userId: pickMember(scene, organization, subject),
    role: scene.pick(ROLES),
  }),
  "commands/members:remove": ofMember,
  "commands/services:define": ({ pick }) => ({
    name: pickName(pick),
    durationMinutes: pick([1, 30, 30, 60, 60, 1440]),
    priceMinor: pick([0, 1, 5000, 1_000_000_000_000]),
  }),
  "commands/services:retire": (scene, organization) => ({ serviceId: pickService(scene, organization) }),
  "commands/bookings:request": (scene, organization, _name, subject) => ({
    serviceId: pickService(scene, organization),
    startsAt: pickStart(scene.pick, scene.now),
    ...(scene.pick([true, true, false]) ? { assigneeId: pickAssignee(scene, organization, subject) } : {}),
  }),
  "commands/bookings:confirm": ofBooking,
  "commands/bookings:start": ofBooking,
  "commands/bookings:complete": ofBooking,
  "commands/bookings:markNoShow": ofBooking,
  "commands/bookings:unassign": ofBooking,
  "commands/bookings:reschedule": (scene, ...rest) => ({
    ...ofBooking(scene, ...rest),
    startsAt: pickStart(scene.pick, scene.now),
  }),
  "commands/bookings:assign": (scene, organization, name, subject) => ({
    ...ofBooking(scene, organization, name, subject),
    assigneeId: pickAssignee(scene, organization, subject),
  }),
  "commands/bookings:cancel": (scene, ...rest) => ({
    ...ofBooking(scene, ...rest),
    reason: scene.pick(CANCEL_REASONS),
  }),
};

function versionArgs(
  { intent, world }: Scene,
  organization: Organization,
  { name, subject, args }: { name: string; subject: string | null; args: Args },
): Args {
  const { orgId } = organization;
  const userId = world.users.get(subject ?? "")?.userId ?? `usr_${NOWHERE}`;
  const stream = RULES[name]?.stream?.(args, { orgId, userId });
  if (stream === undefined || intent.version === "absent") return {};
  const version = organization.view.versions.get(stream) ?? 0;
  const offset = { right: 0, stale: -1, ahead: 1 }[intent.version];
  return { expectedVersion: Math.max(0, version + offset) };
}

function commandCall(scene: Scene, name: string): Call {
  const { intent } = scene;
  const picked = pickOrganization(scene);
  const subject = pickCaller(scene, picked, name);
  const { organization, ...token } = pickClaim(scene, picked, subject);
  const args = ARGUMENTS[name]?.(scene, organization, name, subject) ?? {};
  const version = versionArgs(scene, organization, { name, subject, args });
  const key = name.startsWith("commands/session:") ? {} : { idempotencyKey: intent.key };
  const session = pickSession(scene, organization, subject);
  return { subject, ...token, ...session, function: name, args: { ...args, ...version, ...key } };
}

function queryArgs(scene: Scene, name: string, organization: Organization, subject: string | null): Args {
  const { pick } = scene;
  const numItems = pick([1, 3, 7, 50, 200, 1000]);
  switch (name) {
    case "projections/bookings:get":
      return { bookingId: pickBooking(scene, organization, name, subject) };
    case "projections/bookings:list":
      return pick([true, false]) ? { paginationOpts: { numItems, cursor: null } } : { status: "requested" };
    case "projections/auditLog:list":
      return pick([true, false])
        ? { paginationOpts: { numItems: Math.max(numItems, 50), cursor: null } }
        : { category: pick(["role", "status", "assignment"]) };
    case "projections/ledger:events":
      return pick([true, false]) ? {} : { afterSeq: pick([0, 1, 5, 10_000]), limit: pick([1, 50, 1000]) };
    case "projections/organizations:current":
    case "projections/ledger:head":
      return {};
    default:
      return { paginationOpts: { numItems, cursor: null } };
  }
}

function queryCall(scene: Scene): Call {
  const { intent } = scene;
  const picked = pickOrganization(scene);
  const subject = pickCaller(scene, picked, intent.query);
  const { organization, ...token } = pickClaim(scene, picked, subject);
  const args = queryArgs(scene, intent.query, organization, subject);
  const session = pickSession(scene, organization, subject);
  return { subject, ...token, ...session, function: intent.query, args };
}

/** A valid change of a payload that was used before. */
function changed({ args, function: name }: Call, pick: Pick): Args {
  const others: Readonly<Record<string, readonly unknown[]>> = {
    name: ["Another name"],
    role: ROLES.filter((role) => role !== args["role"]),
    startsAt: [Number(args["startsAt"]) + 1],
    reason: (name.includes("bookings") ? CANCEL_REASONS : FREEZE_REASONS).filter(
      (reason) => reason !== args["reason"],
    ),
    priceMinor: [Number(args["priceMinor"]) === 7 ? 8 : 7],
    invitationToken: ["B".repeat(43)],
    timeZone: TIME_ZONES.filter((zone) => zone !== args["timeZone"]),
  };
  const field = pick(
    Object.keys(others)
      .filter((known) => Object.hasOwn(args, known))
      .concat("expectedVersion"),
  );
  if (field !== "expectedVersion") return { ...args, [field]: pick(others[field] ?? []) };
  const expected = args["expectedVersion"];
  if (RULES[name]?.stream === undefined) return args;
  return { ...args, expectedVersion: typeof expected === "number" ? expected + 1 : 1 };
}

/** The organisation claim may be another one by now; then the key is a new one there. */
function replayCall({ world, pick, intent }: Scene, change: boolean): Call | undefined {
  const stored: Stored[] = [...world.stored.values()];
  if (stored.length === 0) return undefined;
  const { call } = pick([...stored, ...stored.slice(-20)]);
  const args = change ? changed(call, pick) : call.args;
  if (intent.claim !== "none" || intent.version === "absent") return { ...call, args };
  const { claim: _, ...withoutClaim } = call;
  return { ...withoutClaim, args };
}

const FOREIGN_FIELDS = [
  ["commands/session:selectOrganization", "orgId"],
  ["commands/members:changeRole", "userId"],
  ["commands/members:remove", "userId"],
  ["commands/members:suspend", "userId"],
  ["commands/members:reinstate", "userId"],
  ["commands/members:revokeSessions", "userId"],
  ["commands/services:retire", "serviceId"],
  ["commands/bookings:request", "serviceId"],
  ["commands/bookings:request", "assigneeId"],
  ["commands/bookings:assign", "assigneeId"],
  ["commands/bookings:assign", "bookingId"],
  ["commands/bookings:confirm", "bookingId"],
  ["commands/bookings:start", "bookingId"],
  ["commands/bookings:complete", "bookingId"],
  ["commands/bookings:markNoShow", "bookingId"],
  ["commands/bookings:unassign", "bookingId"],
  ["commands/bookings:reschedule", "bookingId"],
  ["commands/bookings:cancel", "bookingId"],
  ["projections/bookings:get", "bookingId"],
] as const;

type IdField = (typeof FOREIGN_FIELDS)[number][1];

const PREFIX: Readonly<Record<IdField, string>> = {
  orgId: "org",
  userId: "usr",
  assigneeId: "usr",
  serviceId: "svc",
  bookingId: "bkg",
};

function idsIn({ view, orgId }: Organization, field: IdField): string[] {
  if (field === "orgId") return [orgId];
  if (field === "serviceId") return [...view.services.keys()];
  return field === "bookingId" ? [...view.bookings.keys()] : [...view.members.keys()];
}

/** Ids that exist, but not for this caller: neither in the organisation nor, for a selection, among their own. */
function foreignIds({ world }: Scene, call: Call, field: IdField): string[] {
  if (field === "orgId") return foreignOrganizations(world, call.subject);
  const own = world.organizations.get(String(call.claim));
  const ownIds = own === undefined ? [] : idsIn(own, field);
  return organizationsOf(world)
    .flatMap((organization) => idsIn(organization, field))
    .filter((id) => !ownIds.includes(id));
}

function twins(scene: Scene): Resolved | undefined {
  const [name, field] = scene.pick(FOREIGN_FIELDS);
  const intent: Intent = { ...scene.intent, claim: "own", isLikely: true, query: name };
  const likely = { ...scene, intent };
  const call = name.startsWith("projections/") ? queryCall(likely) : commandCall(likely, name);
  const ids = foreignIds(scene, call, field);
  if (ids.length === 0) return undefined;
  // Far enough ahead that both calls find it in the future.
  const ahead = name === "commands/bookings:request" ? { startsAt: scene.now + DAY_MS } : {};
  const withId = (id: string): Call => ({ ...call, args: { ...call.args, ...ahead, [field]: id } });
  const foreign = withId(scene.pick(ids));
  const nowhere = withId(`${PREFIX[field]}_${NOWHERE}`);
  return { kind: "twins", foreign, nowhere };
}

function garbageCall(scene: Scene): Call {
  const isQuery = scene.pick([true, false, false, false]);
  const call = isQuery ? queryCall(scene) : commandCall(scene, scene.intent.command);
  const { paginationOpts, ...rest } = call.args;
  if (paginationOpts === undefined || scene.pick([true, false])) {
    return { ...call, args: spoil(call.args, scene.pick) };
  }
  // Without the cursor: it is the platform's, and so is the answer to a bad one.
  const { cursor: _, ...options } = paginationOpts as Args;
  return { ...call, args: { ...rest, paginationOpts: spoil(options, scene.pick) } };
}

/** Mostly lifts what is frozen, so that the streams go on. */
function pickOperation(scene: Scene): Resolved {
  const { world, pick } = scene;
  const frozen = organizationsOf(world).filter((organization) => holdOf(organization) !== undefined);
  const isLifted = frozen.length > 0 && pick([true, true, true, true, false]);
  if (isLifted) return { kind: "operator", orgId: pick(frozen).orgId, action: "unfreeze" };
  const action = pick<OperatorAction>(["freeze", "report", "unfreeze"]);
  return { kind: "operator", orgId: pickOrganization(scene).orgId, action };
}

function asCall(call: Call | undefined): Resolved | undefined {
  return call === undefined ? undefined : { kind: "call", call };
}

/** What an intent means now; undefined when there is nothing yet that it could mean. */
export function resolve(world: World, intent: Intent, now: number): Resolved | undefined {
  const pick = picker(intent.picks);
  const scene: Scene = { world, intent, pick, now };
  switch (intent.kind) {
    case "command":
      return asCall(commandCall(scene, intent.command));
    case "replay":
    case "changedReplay":
      return asCall(replayCall(scene, intent.kind === "changedReplay"));
    case "foreign":
      return twins(scene);
    case "garbage":
      return asCall(garbageCall(scene));
    case "query":
      return asCall(queryCall(scene));
    case "operator":
      return pickOperation(scene);
    case "advance": {
      const short = [1, 1000, MINUTE_MS, 20 * MINUTE_MS, 20 * MINUTE_MS, 40 * MINUTE_MS];
      return { kind: "advance", byMs: pick([...short, ...short, DAY_MS, 8 * DAY_MS]) };
    }
  }
}
