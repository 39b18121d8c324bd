import { expect, test } from "vitest";
import { EVENT_TYPES } from "../../ledger/eventTypes.ts";
import { aggregateOf } from "./aggregates.ts";

test("every stream that an event type belongs to has its aggregate", () => {
  for (const { stream } of Object.values(EVENT_TYPES)) {
    expect([stream, aggregateOf(`${stream}/x`) === undefined]).toEqual([stream, false]);
  }
});

test.each(["", "booking", "/x", "constructor/x", "bookings/x"])(
  "%j is no stream of any aggregate",
  (stream) => {
    expect(aggregateOf(stream)).toBeUndefined();
  },
);
