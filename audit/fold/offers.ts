/** Services and bookings, from their events. */
import { bornWith, idOf, numberOf, present, textOf } from "./event.ts";
import type { LedgerEvent, Provenance } from "./event.ts";
import { existing } from "./people.ts";

export interface ServiceRow extends Provenance {
  readonly serviceId: string;
  readonly name: string;
  readonly durationMinutes: number;
  readonly priceMinor: number;
  readonly currency: string;
  readonly depositMinor?: number;
  readonly status: "active" | "retired";
}

export type BookingStatus = "requested" | "confirmed" | "in_progress" | "completed" | "cancelled" | "no_show";

export interface BookingRow extends Provenance {
  readonly bookingId: string;
  readonly serviceId: string;
  readonly startsAt: number;
  readonly endsAt: number;
  readonly status: BookingStatus;
  /** Whether nobody else can be booked for that time. */
  readonly holdsSlot: boolean;
  readonly assigneeId: string | null;
  readonly priceMinor: number;
  readonly currency: string;
  readonly depositMinor?: number;
}

const STATUS_AFTER: Readonly<Record<string, BookingStatus>> = {
  "booking.confirmed": "confirmed",
  "booking.started": "in_progress",
  "booking.completed": "completed",
  "booking.noShowMarked": "no_show",
  "booking.cancelled": "cancelled",
};

const HOLDS_SLOT: ReadonlySet<BookingStatus> = new Set(["requested", "confirmed", "in_progress"]);

export function foldService(row: ServiceRow | undefined, event: LedgerEvent): ServiceRow {
  if (event.type !== "service.defined") {
    return { ...existing(row, event), status: "retired", version: event.streamVersion };
  }
  return {
    serviceId: idOf(event),
    name: textOf(event, "name"),
    durationMinutes: numberOf(event, "durationMinutes"),
    priceMinor: numberOf(event, "priceMinor"),
    currency: textOf(event, "currency"),
    ...present(event, "depositMinor", numberOf),
    status: "active",
    ...bornWith(event),
  };
}

function requested(event: LedgerEvent): BookingRow {
  return {
    bookingId: idOf(event),
    serviceId: textOf(event, "serviceId"),
    startsAt: numberOf(event, "startsAt"),
    endsAt: numberOf(event, "endsAt"),
    status: "requested",
    holdsSlot: true,
    priceMinor: numberOf(event, "priceMinor"),
    currency: textOf(event, "currency"),
    ...present(event, "depositMinor", numberOf),
    assigneeId: present(event, "assigneeId", textOf).assigneeId ?? null,
    ...bornWith(event),
  };
}

export function foldBooking(row: BookingRow | undefined, event: LedgerEvent): BookingRow {
  if (event.type === "booking.requested") return requested(event);
  const known = { ...existing(row, event), version: event.streamVersion };
  switch (event.type) {
    case "booking.rescheduled":
      return { ...known, startsAt: numberOf(event, "startsAt"), endsAt: numberOf(event, "endsAt") };
    case "booking.assigned":
      return { ...known, assigneeId: textOf(event, "assigneeId") };
    case "booking.unassigned":
      return { ...known, assigneeId: null };
    default: {
      const status = STATUS_AFTER[event.type] ?? known.status;
      return { ...known, status, holdsSlot: HOLDS_SLOT.has(status) };
    }
  }
}
