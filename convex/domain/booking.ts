/**
 * Bookings: requested → confirmed → in_progress → completed; cancelled from requested or confirmed; no_show from
 * confirmed once the booking has begun. Requested, confirmed and in_progress hold the slot [startsAt, endsAt).
 */
import type { CANCEL_REASONS } from "../events/catalogue/booking.ts";
import type { NewEvent } from "../events/catalogue/catalogue.ts";
import { accept, refuse, type Aggregate, type Decision, type DecisionContext } from "./decision.ts";

export type BookingStatus = "requested" | "confirmed" | "in_progress" | "completed" | "cancelled" | "no_show";
export type CancelReason = (typeof CANCEL_REASONS)[number];

export type Booking = {
  kind: "existing";
  status: BookingStatus;
  startsAt: number;
  endsAt: number;
  assigneeId: string | null;
  priceMinor: number;
  currency: string;
  /** What of the price is asked for first; absent where all of it is. */
  depositMinor?: number;
};
export type BookingState = { kind: "none" } | Booking;

const MINUTE_MS = 60_000;

const OPEN: readonly BookingStatus[] = ["requested", "confirmed"];

/** Whether a booking in this status occupies its assignee's time. */
export function holdsSlot(status: BookingStatus): boolean {
  return status === "requested" || status === "confirmed" || status === "in_progress";
}

const STATUS_AFTER = {
  "booking.confirmed": "confirmed",
  "booking.started": "in_progress",
  "booking.completed": "completed",
  "booking.noShowMarked": "no_show",
  "booking.cancelled": "cancelled",
} as const satisfies Partial<Record<NewEvent["type"], BookingStatus>>;

/** The status that an event leads to, or null when it changes none. */
export function statusAfter(type: string): BookingStatus | null {
  return Object.hasOwn(STATUS_AFTER, type) ? STATUS_AFTER[type as keyof typeof STATUS_AFTER] : null;
}

export const booking: Aggregate<BookingState> = {
  initial: { kind: "none" },
  evolve(state, event) {
    if (event.type === "booking.requested") {
      const { serviceId: _, assigneeId = null, ...copied } = event.data;
      return { kind: "existing", status: "requested", assigneeId, ...copied };
    }
    if (state.kind === "none") return state;
    switch (event.type) {
      case "booking.rescheduled":
        return { ...state, startsAt: event.data.startsAt, endsAt: event.data.endsAt };
      case "booking.assigned":
        return { ...state, assigneeId: event.data.assigneeId };
      case "booking.unassigned":
        return { ...state, assigneeId: null };
      default:
        return { ...state, status: statusAfter(event.type) ?? state.status };
    }
  },
};

type RequestFacts = {
  /** The service, or null when the organisation has none with this id. */
  service: {
    durationMinutes: number;
    priceMinor: number;
    currency: string;
    depositMinor?: number | undefined;
    active: boolean;
  } | null;
  /** Absent when nobody is to be assigned. */
  assignee?: AssigneeFacts;
};

export type AssigneeFacts = { isActiveMember: boolean; isBusy: boolean };

/** Requests a booking; duration, price and deposit are the service's. */
export function decideRequest(
  command: { serviceId: string; startsAt: number; assigneeId?: string | undefined },
  facts: RequestFacts,
  context: DecisionContext,
): Decision {
  const { serviceId, startsAt, assigneeId } = command;
  const { service, assignee } = facts;
  if (service === null) return refuse("NOT_FOUND", "serviceId");
  if (!service.active) return refuse("CONFLICT", "serviceId");
  if (startsAt <= context.now) return refuse("INVALID", "startsAt");
  const problem = assigneeProblem(assignee);
  if (problem !== null) return problem;
  const bookingId = context.newId("bkg");
  const { priceMinor, currency, depositMinor } = service;
  const endsAt = startsAt + service.durationMinutes * MINUTE_MS;
  const priced = { serviceId, startsAt, endsAt, priceMinor, currency };
  const data = depositMinor === undefined ? priced : { ...priced, depositMinor };
  return accept(
    [
      {
        stream: `booking/${bookingId}`,
        type: "booking.requested",
        data: assigneeId === undefined ? data : { ...data, assigneeId },
      },
    ],
    { bookingId },
  );
}

function assigneeProblem(assignee: AssigneeFacts | undefined): Decision | null {
  if (assignee === undefined) return null;
  if (!assignee.isActiveMember) return refuse("NOT_FOUND", "assigneeId");
  return assignee.isBusy ? refuse("SLOT_TAKEN") : null;
}

/** Plain steps from one status to the next. */
const STEPS = {
  confirm: { from: ["requested"], type: "booking.confirmed" },
  start: { from: ["confirmed"], type: "booking.started" },
  complete: { from: ["in_progress"], type: "booking.completed" },
} as const satisfies Record<string, { from: readonly BookingStatus[]; type: NewEvent["type"] }>;

export function decideStep(
  step: keyof typeof STEPS,
  state: BookingState,
  command: { bookingId: string },
): Decision {
  if (state.kind === "none") return refuse("NOT_FOUND");
  const { from, type } = STEPS[step];
  if (!from.some((status) => status === state.status)) return refuse("INVALID_TRANSITION");
  return accept([{ stream: `booking/${command.bookingId}`, type, data: {} }]);
}

export function decideMarkNoShow(
  state: BookingState,
  command: { bookingId: string },
  context: DecisionContext,
): Decision {
  if (state.kind === "none") return refuse("NOT_FOUND");
  if (state.status !== "confirmed" || context.now < state.startsAt) return refuse("INVALID_TRANSITION");
  return accept([{ stream: `booking/${command.bookingId}`, type: "booking.noShowMarked", data: {} }]);
}

export function decideReschedule(
  state: BookingState,
  command: { bookingId: string; startsAt: number },
  facts: { assigneeIsBusy: boolean },
  context: DecisionContext,
): Decision {
  if (state.kind === "none") return refuse("NOT_FOUND");
  if (!OPEN.includes(state.status)) return refuse("INVALID_TRANSITION");
  const { startsAt } = command;
  if (startsAt <= context.now) return refuse("INVALID", "startsAt");
  if (facts.assigneeIsBusy) return refuse("SLOT_TAKEN");
  const endsAt = startsAt + (state.endsAt - state.startsAt);
  return accept([
    { stream: `booking/${command.bookingId}`, type: "booking.rescheduled", data: { startsAt, endsAt } },
  ]);
}

export function decideAssign(
  state: BookingState,
  command: { bookingId: string; assigneeId: string },
  facts: AssigneeFacts,
): Decision {
  if (state.kind === "none") return refuse("NOT_FOUND");
  if (!OPEN.includes(state.status)) return refuse("INVALID_TRANSITION");
  const { assigneeId } = command;
  const problem = assigneeProblem(facts);
  if (problem !== null) return problem;
  const previousAssigneeId = state.assigneeId;
  if (previousAssigneeId === assigneeId) return refuse("CONFLICT", "assigneeId");
  return accept([
    {
      stream: `booking/${command.bookingId}`,
      type: "booking.assigned",
      data: previousAssigneeId === null ? { assigneeId } : { assigneeId, previousAssigneeId },
    },
  ]);
}

export function decideUnassign(state: BookingState, command: { bookingId: string }): Decision {
  if (state.kind === "none") return refuse("NOT_FOUND");
  if (!OPEN.includes(state.status) || state.assigneeId === null) return refuse("INVALID_TRANSITION");
  return accept([
    {
      stream: `booking/${command.bookingId}`,
      type: "booking.unassigned",
      data: { previousAssigneeId: state.assigneeId },
    },
  ]);
}

export function decideCancel(
  state: BookingState,
  command: { bookingId: string; reason: CancelReason },
): Decision {
  if (state.kind === "none") return refuse("NOT_FOUND");
  if (!OPEN.includes(state.status)) return refuse("INVALID_TRANSITION");
  return accept([
    { stream: `booking/${command.bookingId}`, type: "booking.cancelled", data: { reason: command.reason } },
  ]);
}
