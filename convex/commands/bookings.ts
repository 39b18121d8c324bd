import { v } from "convex/values";
import { z } from "zod";
import type { Relation } from "../access/policy.ts";
import type { TenantReader } from "../access/tenantDb.ts";
import {
  booking,
  decideAssign,
  decideCancel,
  decideMarkNoShow,
  decideRequest,
  decideReschedule,
  decideStep,
  decideUnassign,
  type AssigneeFacts,
  type BookingState,
} from "../domain/booking.ts";
import { CANCEL_REASONS } from "../events/catalogue/booking.ts";
import { commandMutation, noFacts } from "../pipeline/commandMutation.ts";
import { bookingId, expectedVersion, serviceId, startsAt, userId } from "../access/fields.ts";

const MINUTE_MS = 60_000;

type Slot = { startsAt: number; endsAt: number };

const stream = (args: { bookingId: string }): string => `booking/${args.bookingId}`;

function relation(state: BookingState): Relation {
  return state.kind === "none" ? {} : { assigneeId: state.assigneeId };
}

/** What every command on an existing booking declares. */
const onBooking = { result: {}, aggregate: booking, stream, relation };

/**
 * Whether the assignee is busy during a slot, not counting one booking. Slots that one assignee holds never
 * overlap, so of those that begin before the slot ends only the last can reach into it; two rows are enough.
 */
async function isBusy(
  tenant: TenantReader,
  assigneeId: string,
  slot: Slot,
  except?: string,
): Promise<boolean> {
  const held = await tenant
    .rows("bookings", "by_orgId_and_assigneeId_and_holdsSlot_and_startsAt", (q) =>
      q.eq("assigneeId", assigneeId).eq("holdsSlot", true).lt("startsAt", slot.endsAt),
    )
    .order("desc")
    .take(2);
  const last = held.find((row) => row.bookingId !== except);
  return last !== undefined && last.endsAt > slot.startsAt;
}

async function assigneeFacts(
  tenant: TenantReader,
  assigneeId: string,
  slot: Slot,
  except?: string,
): Promise<AssigneeFacts> {
  const membership = await tenant
    .rows("members", "by_orgId_and_userId", (q) => q.eq("userId", assigneeId))
    .unique();
  return {
    isActiveMember: membership?.status === "active",
    isBusy: await isBusy(tenant, assigneeId, slot, except),
  };
}

/** Requests a booking of a service; the server copies duration and price from it. */
export const request = commandMutation({
  function: "commands/bookings:request",
  args: { serviceId, startsAt, assigneeId: userId.optional() },
  result: { bookingId: v.string() },
  aggregate: booking,
  facts: async ({ tenant, args }) => {
    const row = await tenant
      .rows("services", "by_orgId_and_serviceId", (q) => q.eq("serviceId", args.serviceId))
      .unique();
    if (row === null) return { service: null };
    const service = { ...row, active: row.status === "active" };
    if (args.assigneeId === undefined) return { service };
    const slot = { startsAt: args.startsAt, endsAt: args.startsAt + row.durationMinutes * MINUTE_MS };
    return { service, assignee: await assigneeFacts(tenant, args.assigneeId, slot) };
  },
  decide: ({ args, facts, context }) => decideRequest(args, facts, context),
});

export const confirm = commandMutation({
  ...onBooking,
  function: "commands/bookings:confirm",
  args: { bookingId, expectedVersion },
  facts: noFacts,
  decide: ({ state, args }) => decideStep("confirm", state, args),
});

export const start = commandMutation({
  ...onBooking,
  function: "commands/bookings:start",
  args: { bookingId, expectedVersion },
  facts: noFacts,
  decide: ({ state, args }) => decideStep("start", state, args),
});

export const complete = commandMutation({
  ...onBooking,
  function: "commands/bookings:complete",
  args: { bookingId, expectedVersion },
  facts: noFacts,
  decide: ({ state, args }) => decideStep("complete", state, args),
});

/** Marks that the customer did not come; possible from the moment the booking begins. */
export const markNoShow = commandMutation({
  ...onBooking,
  function: "commands/bookings:markNoShow",
  args: { bookingId, expectedVersion },
  facts: noFacts,
  decide: ({ state, args, context }) => decideMarkNoShow(state, args, context),
});

/** Moves a booking to another time; its duration stays. */
export const reschedule = commandMutation({
  ...onBooking,
  function: "commands/bookings:reschedule",
  args: { bookingId, startsAt, expectedVersion },
  facts: async ({ tenant, args, state }) => {
    if (state.kind === "none" || state.assigneeId === null) return { assigneeIsBusy: false };
    const slot = { startsAt: args.startsAt, endsAt: args.startsAt + (state.endsAt - state.startsAt) };
    return { assigneeIsBusy: await isBusy(tenant, state.assigneeId, slot, args.bookingId) };
  },
  decide: ({ state, args, facts, context }) => decideReschedule(state, args, facts, context),
});

export const assign = commandMutation({
  ...onBooking,
  function: "commands/bookings:assign",
  args: { bookingId, assigneeId: userId, expectedVersion },
  facts: async ({ tenant, args, state }) =>
    state.kind === "none"
      ? { isActiveMember: false, isBusy: false }
      : await assigneeFacts(tenant, args.assigneeId, state, args.bookingId),
  decide: ({ state, args, facts }) => decideAssign(state, args, facts),
});

export const unassign = commandMutation({
  ...onBooking,
  function: "commands/bookings:unassign",
  args: { bookingId, expectedVersion },
  facts: noFacts,
  decide: ({ state, args }) => decideUnassign(state, args),
});

export const cancel = commandMutation({
  ...onBooking,
  function: "commands/bookings:cancel",
  args: { bookingId, reason: z.enum(CANCEL_REASONS), expectedVersion },
  facts: noFacts,
  decide: ({ state, args }) => decideCancel(state, args),
});
