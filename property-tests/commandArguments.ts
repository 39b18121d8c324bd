/** The arguments of each command, picked from what exists; likely ones more often. */
import { CANCEL_REASONS, CURRENCIES, FREEZE_REASONS, TIME_ZONES, type Args } from "./argumentModel.ts";
import type { BookingRow, BookingStatus } from "./fold.ts";
import { NAUGHTY, type Pick } from "./garbage.ts";
import { PAYMENT_ARGUMENTS, pickMethod } from "./paymentArguments.ts";
import { permissionOf, ROLES } from "./policyModel.ts";
import { isOpen } from "./predict.ts";
import { activeUsers, NOWHERE, type Scene } from "./scene.ts";
import type { Organization, User } from "./world.ts";

const MINUTE_MS = 60_000;
const HALF_HOUR_MS = 30 * MINUTE_MS;

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

export function pickBooking(
  scene: Scene,
  organization: Organization,
  name: string,
  subject: string | null,
): string {
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

const SEQ_FAR = 10_000;

function pickSeq({ pick }: Scene, { events }: Organization): number {
  const head = Math.max(1, events.length);
  return pick([1, 2, Math.ceil(head / 2), head, head, pick([head + 1, SEQ_FAR])]);
}

function pickInvitation({ pick, intent }: Scene, { view }: Organization): string {
  const all = [...view.invitations.values()];
  const open = all.filter(({ isEnded }) => !isEnded);
  const rows = intent.isLikely && open.length > 0 ? open : all;
  return rows.length > 0 ? pick(rows).invitationId : `inv_${NOWHERE}`;
}

/** Organisations of the identity provider, as its tokens name them. */
export const PROVIDER_ORGANIZATIONS = ["org_2aBcD", "team-7", "tenant:9", "0"] as const;

/** Builds the arguments besides key and version, by command. */
export const ARGUMENTS: Readonly<Record<string, Build>> = {
  ...PAYMENT_ARGUMENTS,
  "commands/payments:request": (scene, ...rest) => ({
    ...ofBooking(scene, ...rest),
    ...(scene.pick([true, false]) ? pickMethod(scene) : {}),
  }),
  "commands/session:selectOrganization": ({ pick, world }) => ({
    orgId: pick([...world.organizations.keys(), `org_${NOWHERE}`]),
  }),
  "commands/session:revokeOthers": () => ({}),
  "commands/organizations:freeze": ({ pick }) => ({ reason: pick(FREEZE_REASONS) }),
  "commands/organizations:unfreeze": () => ({}),
  "commands/organizations:close": () => ({ reason: "other" }),
  "commands/organizations:linkProvider": () => ({}),
  "commands/organizations:unlinkProvider": ({ pick }, { view }) => ({
    providerOrgId: pick([...view.links, ...view.links, ...PROVIDER_ORGANIZATIONS]),
  }),
  "commands/ledger:beginExport": () => ({}),
  "commands/auditLog:beginReading": (scene, organization) => ({
    fromSeq: scene.pick([1, pickSeq(scene, organization)]),
    toSeq: pickSeq(scene, organization),
  }),
  "commands/members:revokeInvitation": (scene, organization) => ({
    invitationId: pickInvitation(scene, organization),
  }),
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
    priceMinor: pick([0, 1, 5000, 120_000, 2_500_000, 1_000_000_000_000]),
    ...(pick([true, false, false]) ? { depositMinor: pick([1, 1, 4999, 5000]) } : {}),
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
