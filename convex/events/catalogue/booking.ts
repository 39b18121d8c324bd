import { z } from "zod";
import { defineEvent } from "./definition.ts";
import { amountMinor, currency, serviceId, timestampMs, userId } from "./fields.ts";

/** Why a booking was cancelled: a closed list, so that no personal data slips in as free text. */
export const CANCEL_REASONS = [
  "customer_request",
  "staff_unavailable",
  "weather",
  "duplicate",
  "other",
] as const;

const nothing = z.strictObject({});

export const bookingEvents = {
  "booking.requested": defineEvent(
    z.strictObject({
      serviceId,
      startsAt: timestampMs,
      endsAt: timestampMs,
      priceMinor: amountMinor,
      currency,
      depositMinor: z.exactOptional(amountMinor.positive()),
      assigneeId: z.exactOptional(userId),
    }),
  ),
  "booking.confirmed": defineEvent(nothing),
  "booking.rescheduled": defineEvent(z.strictObject({ startsAt: timestampMs, endsAt: timestampMs })),
  "booking.assigned": defineEvent(
    z.strictObject({ assigneeId: userId, previousAssigneeId: z.exactOptional(userId) }),
  ),
  "booking.unassigned": defineEvent(z.strictObject({ previousAssigneeId: userId })),
  "booking.started": defineEvent(nothing),
  "booking.completed": defineEvent(nothing),
  "booking.noShowMarked": defineEvent(nothing),
  "booking.cancelled": defineEvent(z.strictObject({ reason: z.enum(CANCEL_REASONS) })),
};
