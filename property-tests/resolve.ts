/** From an intent to a call: picks the caller, the token, the object and the arguments from what exists. */
import {
  CANCEL_REASONS,
  FREEZE_REASONS,
  PAYMENT_METHODS,
  PAYMENT_STATUSES,
  REFUND_REASONS,
  TABLES,
  TIME_ZONES,
  type Args,
} from "./argumentModel.ts";
import { ARGUMENTS, pickBooking, PROVIDER_ORGANIZATIONS } from "./commandArguments.ts";
import { spoil, type Pick } from "./garbage.ts";
import type { Intent } from "./intents.ts";
import { pickPayment } from "./paymentArguments.ts";
import { PAGED, ROLES } from "./policyModel.ts";
import { RULES } from "./rules.ts";
import {
  foreignOrganizations,
  NOWHERE,
  organizationsOf,
  pickCaller,
  pickClaim,
  picker,
  pickOrganization,
  pickSession,
  type Scene,
} from "./scene.ts";
import {
  holdOf,
  organizationOfClaim,
  type Call,
  type Organization,
  type Stored,
  type World,
} from "./world.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 1440 * MINUTE_MS;

export type Resolved =
  | { kind: "call"; call: Call }
  /** The same call once with an id of another organisation and once with one of nothing. */
  | { kind: "twins"; foreign: Call; nowhere: Call }
  /** A query that goes on from a cursor which somebody was given for something. */
  | { kind: "cursor"; call: Call; which: number }
  /** Something that the provider, or whoever plays it, does. */
  | { kind: "provider"; picks: readonly number[] }
  | { kind: "operator"; orgId: string; action: OperatorAction }
  | { kind: "advance"; byMs: number };

/** What the operator does; `report` is damage that an auditor tells of. */
export type OperatorAction = "freeze" | "unfreeze" | "report";

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

/** Whoever links chooses the organisation, and their token names a provider's. */
function pickLink(
  { world, pick }: Scene,
  picked: Organization,
  subject: string | null,
): ReturnType<typeof pickClaim> {
  const { selected } = world.users.get(subject ?? "") ?? {};
  return {
    claim: pick([...PROVIDER_ORGANIZATIONS, ...PROVIDER_ORGANIZATIONS, picked.orgId]),
    organization: world.organizations.get(selected ?? "") ?? picked,
  };
}

function commandCall(scene: Scene, name: string): Call {
  const { intent } = scene;
  const picked = pickOrganization(scene);
  const subject = pickCaller(scene, picked, name);
  const isLink = name === "commands/organizations:linkProvider";
  const { organization, ...token } = (isLink ? pickLink : pickClaim)(scene, picked, subject);
  const args = ARGUMENTS[name]?.(scene, organization, name, subject) ?? {};
  const version = versionArgs(scene, organization, { name, subject, args });
  const isKeyless = name.startsWith("commands/session:") || name === "commands/ledger:requestCheckpoint";
  const key = isKeyless ? {} : { idempotencyKey: intent.key };
  const session = pickSession(scene, organization, subject, name);
  return { subject, ...token, ...session, function: name, args: { ...args, ...version, ...key } };
}

/** Mostly the caller's own. */
function pickReading({ pick, world }: Scene, { view }: Organization, subject: string | null): string {
  const { userId } = world.users.get(subject ?? "") ?? {};
  const all = [...view.readings];
  const own = all.filter(([, reading]) => reading.userId === userId);
  const [readingId] = pick([...all, ...own, ...own, [`rdg_${NOWHERE}`] as const]);
  return readingId;
}

/** A size that was signed, or another number up to a little over the head. */
function pickSize({ pick }: Scene, { checkpoints, events }: Organization): number {
  return pick([...checkpoints, ...checkpoints, 1, Math.max(1, events.length), events.length + 1]);
}

function evidenceArgs(scene: Scene, name: string, organization: Organization): Args {
  const { pick } = scene;
  const { events } = organization;
  switch (name) {
    case "projections/ledger:checkpoint":
      return pick([true, false]) ? {} : { size: pickSize(scene, organization) };
    case "projections/ledger:checkpoints":
      return pick([true, false]) ? {} : { afterSize: pickSize(scene, organization), limit: pick([1, 50]) };
    case "projections/ledger:inclusionProof": {
      const event = pick([...events, { seq: 10_000, eventId: `evt_${NOWHERE}` }]);
      const by = pick([{ seq: event.seq }, { eventId: event.eventId }, { seq: event.seq }, {}]);
      return pick([true, false]) ? by : { ...by, size: pickSize(scene, organization) };
    }
    case "projections/ledger:consistencyProof":
      return { fromSize: pickSize(scene, organization), toSize: pickSize(scene, organization) };
    default: {
      const { stream, seq } = pick([...events, { stream: `booking/bkg_${NOWHERE}`, seq: 1 }]);
      return { stream: pick([stream, stream, stream, "nothing"]), seq: pick([seq, seq, 1, 10_000]) };
    }
  }
}

const ARGUMENTLESS = ["organizations:current", "ledger:head", "stripeAccount:current"];
const EVIDENCE = ["checkpoint", "checkpoints", "inclusionProof", "consistencyProof", "streamAt"];

/** Of payments and evidence; undefined for a list that takes a page and nothing else. */
function newerArgs(
  scene: Scene,
  name: string,
  organization: Organization,
  subject: string | null,
): Args | undefined {
  const { pick } = scene;
  const query = name.replace("projections/", "");
  const paginationOpts = { numItems: pick([1, 3, 7, 50, 200]), cursor: null };
  if (ARGUMENTLESS.includes(query)) return {};
  if (EVIDENCE.includes(query.replace("ledger:", ""))) return evidenceArgs(scene, name, organization);
  if (query === "ledger:rowDigests") return { table: pick(TABLES), paginationOpts };
  if (query === "payments:list") {
    const bookingId = pickBooking(scene, organization, name, subject);
    return { paginationOpts, ...pick([{}, { status: pick(PAYMENT_STATUSES) }, { bookingId }]) };
  }
  if (!query.startsWith("payments:")) return undefined;
  return { paymentId: pickPayment(scene, organization, name)?.paymentId ?? `pay_${NOWHERE}` };
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
    case "projections/auditLog:range":
      return {
        readingId: pickReading(scene, organization, subject),
        paginationOpts: { numItems, cursor: null },
      };
    case "projections/ledger:events":
      return pick([true, false]) ? {} : { afterSeq: pick([0, 1, 5, 10_000]), limit: pick([1, 50, 1000]) };
    default:
      return newerArgs(scene, name, organization, subject) ?? { paginationOpts: { numItems, cursor: null } };
  }
}

function queryCall(scene: Scene): Call {
  const { intent } = scene;
  const picked = pickOrganization(scene);
  const subject = pickCaller(scene, picked, intent.query);
  const { organization, ...token } = pickClaim(scene, picked, subject);
  const args = queryArgs(scene, intent.query, organization, subject);
  const session = pickSession(scene, organization, subject, intent.query);
  return { subject, ...token, ...session, function: intent.query, args };
}

function reasonsOf(name: string): readonly string[] {
  if (name.includes("payments")) return REFUND_REASONS;
  return name.includes("bookings") ? CANCEL_REASONS : FREEZE_REASONS;
}

/** A valid change of a payload that was used before. */
function changed({ args, function: name }: Call, pick: Pick): Args {
  const others: Readonly<Record<string, readonly unknown[]>> = {
    name: ["Another name"],
    role: ROLES.filter((role) => role !== args["role"]),
    startsAt: [Number(args["startsAt"]) + 1],
    reason: reasonsOf(name).filter((reason) => reason !== args["reason"]),
    amountMinor: [Number(args["amountMinor"]) + 1],
    method: PAYMENT_METHODS.filter((method) => method !== args["method"]),
    paymentId: [`pay_${NOWHERE}`],
    code: ["ac_Another00000000"],
    fromSeq: [Number(args["fromSeq"]) + 1],
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
  ["commands/members:revokeInvitation", "invitationId"],
  ["commands/payments:request", "bookingId"],
  ["commands/payments:cancel", "paymentId"],
  ["commands/payments:requestRefund", "paymentId"],
  ["commands/payments:approveRefund", "paymentId"],
  ["commands/payments:approveRefund", "refundId"],
  ["commands/payments:declineRefund", "paymentId"],
  ["commands/payments:declineRefund", "refundId"],
  ["projections/payments:list", "bookingId"],
  ["projections/payments:get", "paymentId"],
  ["projections/payments:payerSecret", "paymentId"],
  ["projections/bookings:get", "bookingId"],
  ["projections/auditLog:range", "readingId"],
] as const;

type IdField = (typeof FOREIGN_FIELDS)[number][1];

const PREFIX: Readonly<Record<IdField, string>> = {
  orgId: "org",
  userId: "usr",
  assigneeId: "usr",
  serviceId: "svc",
  bookingId: "bkg",
  invitationId: "inv",
  readingId: "rdg",
  paymentId: "pay",
  refundId: "rfd",
};

function idsIn({ view, orgId }: Organization, field: IdField): string[] {
  if (field === "orgId") return [orgId];
  if (field === "invitationId") return [...view.invitations.keys()];
  if (field === "paymentId") return [...view.payments.keys()];
  if (field === "refundId") {
    return [...view.payments.values()].flatMap(({ requests }) => requests.map(({ refundId }) => refundId));
  }
  if (field === "readingId") return [...view.readings.keys()];
  if (field === "serviceId") return [...view.services.keys()];
  return field === "bookingId" ? [...view.bookings.keys()] : [...view.members.keys()];
}

/** Ids that exist, but not for this caller: neither in the organisation nor, for a selection, among their own. */
function foreignIds({ world }: Scene, call: Call, field: IdField): string[] {
  if (field === "orgId") return foreignOrganizations(world, call.subject);
  const own = organizationOfClaim(world, call.claim);
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
  const frozen = organizationsOf(world).filter(
    (organization) => ![undefined, "closed"].includes(holdOf(organization)),
  );
  const isLifted = frozen.length > 0 && pick([true, true, true, true, false]);
  if (isLifted) return { kind: "operator", orgId: pick(frozen).orgId, action: "unfreeze" };
  const action = pick<OperatorAction>(["freeze", "report", "unfreeze"]);
  return { kind: "operator", orgId: pickOrganization(scene).orgId, action };
}

function asCall(call: Call | undefined): Resolved | undefined {
  return call === undefined ? undefined : { kind: "call", call };
}

/** A call of a list, whichever query was drawn. */
function pagedCall(scene: Scene): Call {
  const { intent, pick } = scene;
  const query = PAGED.includes(intent.query) ? intent.query : pick(PAGED);
  return queryCall({ ...scene, intent: { ...intent, query } });
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
    case "cursor":
      return {
        kind: "cursor",
        call: pagedCall(scene),
        which: pick(Array.from({ length: 1_000 }, (_, n) => n)),
      };
    case "operator":
      return pickOperation(scene);
    case "provider":
      return { kind: "provider", picks: intent.picks };
    case "advance": {
      const short = [1, 1000, MINUTE_MS, 20 * MINUTE_MS, 20 * MINUTE_MS, 40 * MINUTE_MS];
      return { kind: "advance", byMs: pick([...short, ...short, DAY_MS, 8 * DAY_MS]) };
    }
  }
}
