/** What each public function is called with. A function without an entry here fails the matrix. */
import type { MutationCtx } from "../../convex/_generated/server.js";
import { linkAccount, payAndAskForRefunds, REFUNDS } from "./preparations.ts";
import type { Column } from "./table.ts";
import { CANARY, type Holder, type Person, type Stage, type World } from "./world.ts";
import { HOUR_MS, key } from "../support/scene.ts";

export type Args = Readonly<Record<string, unknown>>;

/** What an organisation is in when the call comes. */
export type Situation = "active" | "frozenByOwner" | "frozenByOperator" | "frozenByIntegrity" | "closed";

export type Fixture = {
  /** Arguments besides the idempotency key, for a caller of this column. */
  args: (world: World, column: Column) => Args;
  /** Whether the arguments name things of the organisation. */
  takesIds?: true;
  /** The organisation that the token claims, where it is not the world's own. */
  claim?: (world: World) => string;
  /** What the organisation must be in for an allowed call; active when absent. */
  situation?: Situation;
  /** What must have happened before, and needs Stripe's word: brought about within the rehearsal. */
  prepare?: (ctx: MutationCtx, world: World) => Promise<void>;
  /** What a repeat with the same key answers where the call itself takes the caller's way: a code. */
  replay?: "ORG_FROZEN" | "ORG_CLOSED" | "NO_ACTIVE_ORG";
};

const PAGE = { paginationOpts: { numItems: 50, cursor: null } };

/** Whose booking a column's call is about: the caller's own, a colleague's, nobody's. */
export function holderOf(column: Column): Holder {
  if (column.endsWith(":free")) return "nobody";
  return column === "freelancer" || column === "staff:other" ? "freelancer" : "staff";
}

function onBooking(stage: Stage, more: (world: World) => Args = () => ({})): Fixture {
  return {
    takesIds: true,
    args: (world, column) => ({ bookingId: world.bookings[stage][holderOf(column)], ...more(world) }),
  };
}

function onMember(of: (world: World) => Person, more: Args = {}): Fixture {
  return { takesIds: true, args: (world) => ({ userId: of(world).userId, ...more }) };
}

function onPayment(): Fixture {
  return { takesIds: true, args: ({ payments }, column) => ({ paymentId: payments[holderOf(column)] }) };
}

/** On the payment that was paid, and for whose refunds several have asked. */
function onPaid(more: Args): Fixture {
  return {
    takesIds: true,
    args: ({ payments }) => ({ paymentId: payments.staff, ...more }),
    prepare: payAndAskForRefunds,
  };
}

function plain(args: Args = {}): Fixture {
  return { args: () => args };
}

/** An hour at which nobody has a booking yet. */
function laterHour(): number {
  return Date.now() + 96 * HOUR_MS;
}

export const FIXTURES: Readonly<Record<string, Fixture>> = {
  "commands/organizations:create": plain({
    name: `${CANARY}-name`,
    timeZone: "Europe/Paris",
    currency: "EUR",
  }),
  "commands/members:acceptInvitation": {
    args: ({ other }) => ({ invitationToken: other.openInvitation }),
  },
  "commands/session:selectOrganization": { takesIds: true, args: ({ orgId }) => ({ orgId }) },
  "commands/session:revokeOthers": plain(),
  "commands/organizations:rename": plain({ name: `${CANARY}-name` }),
  "commands/organizations:freeze": { ...plain({ reason: "other" }), replay: "ORG_FROZEN" },
  "commands/organizations:unfreeze": { ...plain(), situation: "frozenByOwner" },
  "commands/organizations:close": { ...plain({ reason: "other" }), replay: "ORG_CLOSED" },
  "commands/organizations:linkProvider": { ...plain(), claim: (world) => world.unlinkedProviderOrgId },
  "commands/organizations:unlinkProvider": {
    takesIds: true,
    args: ({ linkedProviderOrgId }) => ({ providerOrgId: linkedProviderOrgId }),
  },
  "commands/members:invite": plain({ role: "staff" }),
  "commands/members:changeRole": onMember(({ people }) => people.colleague, { role: "freelancer" }),
  "commands/members:remove": onMember(({ people }) => people.colleague),
  "commands/members:suspend": onMember(({ people }) => people.colleague),
  "commands/members:reinstate": onMember(({ people }) => people.suspendedStaff),
  "commands/members:revokeSessions": onMember(({ people }) => people.colleague),
  "commands/members:leave": { ...plain(), replay: "NO_ACTIVE_ORG" },
  "commands/services:define": plain({ name: `${CANARY}-name`, durationMinutes: 30, priceMinor: 100 }),
  "commands/services:retire": { takesIds: true, args: ({ serviceId }) => ({ serviceId }) },
  "commands/bookings:request": {
    takesIds: true,
    args: ({ serviceId, people }) => ({
      serviceId,
      startsAt: laterHour(),
      assigneeId: people.colleague.userId,
    }),
  },
  "commands/bookings:confirm": onBooking("requested"),
  "commands/bookings:assign": onBooking("requested", ({ people }) => ({
    assigneeId: people.colleague.userId,
  })),
  "commands/bookings:unassign": onBooking("requested"),
  "commands/bookings:cancel": onBooking("requested", () => ({ reason: "other" })),
  "commands/bookings:reschedule": onBooking("requested", () => ({ startsAt: laterHour() })),
  "commands/bookings:start": onBooking("confirmed"),
  "commands/bookings:complete": onBooking("inProgress"),
  "commands/bookings:markNoShow": onBooking("begun"),
  "commands/payments:request": onBooking("confirmed"),
  "commands/payments:cancel": onPayment(),
  "commands/payments:requestRefund": onPaid({ amountMinor: 100, reason: "other" }),
  "commands/payments:approveRefund": onPaid({ refundId: REFUNDS.peer }),
  "commands/payments:declineRefund": onPaid({ refundId: REFUNDS.peer }),
  "commands/stripeAccount:beginLink": plain(),
  "commands/stripeAccount:completeLink": {
    takesIds: true,
    args: ({ linkState }) => ({ state: linkState, code: `ac_${CANARY}0123456789` }),
  },
  "commands/stripeAccount:unlink": { ...plain(), prepare: linkAccount },
  "commands/ledger:beginExport": plain(),
  "projections/organizations:mine": plain(PAGE),
  "projections/organizations:current": plain(),
  "projections/members:list": plain(PAGE),
  "projections/services:list": plain(PAGE),
  "projections/bookings:list": plain(PAGE),
  "projections/bookings:get": onBooking("requested"),
  "projections/payments:list": plain(PAGE),
  "projections/payments:get": onPayment(),
  "projections/payments:payerSecret": onPayment(),
  "projections/stripeAccount:current": plain(),
  "projections/auditLog:list": plain(PAGE),
  "projections/securityLog:list": plain(PAGE),
  "projections/alerts:list": plain(PAGE),
  "projections/deliveries:list": plain(PAGE),
  "projections/ledger:head": plain(),
  "projections/ledger:events": plain({ afterSeq: 0, limit: 10 }),
};

/** The functions that take no idempotency key: queries and the choices of a session. */
export function takesKey(name: string): boolean {
  return name.startsWith("commands/") && !name.startsWith("commands/session:");
}

/** The complete arguments of a function for a column's caller, with a fresh idempotency key where it takes one. */
export function argumentsOf(name: string, fixture: Fixture, world: World, column: Column): Args {
  const args = fixture.args(world, column);
  return takesKey(name) ? { ...args, idempotencyKey: key() } : args;
}

/** The entry of a function. Throws where there is none. */
export function fixtureOf(name: string): Fixture {
  const fixture = FIXTURES[name];
  if (fixture === undefined) throw new Error(`${name} has no fixture`);
  return fixture;
}
