import { describe, expect, test } from "vitest";
import type { DomainEvent } from "../events/catalogue/catalogue.ts";
import {
  booking,
  decideAssign,
  decideCancel,
  decideMarkNoShow,
  decideRequest,
  decideReschedule,
  decideStep,
  decideUnassign,
  holdsSlot,
  statusAfter,
  type BookingState,
  type BookingStatus,
} from "./booking.ts";
import type { Decision, DecisionContext } from "./decision.ts";

const NOW = 1_780_300_800_000;
const STARTS_AT = NOW + 3_600_000;
const ENDS_AT = STARTS_AT + 1_800_000;
const ID = { bookingId: "bkg_1" };
const STREAM = "booking/bkg_1";

const context: DecisionContext = {
  now: NOW,
  orgId: "org_1",
  userId: "usr_1",
  newId: (prefix) => `${prefix}_new`,
};

function event(type: DomainEvent["type"], data: object = {}): DomainEvent {
  return { type, data, stream: STREAM } as unknown as DomainEvent;
}

const REQUESTED = event("booking.requested", {
  serviceId: "svc_1",
  startsAt: STARTS_AT,
  endsAt: ENDS_AT,
  priceMinor: 5000,
  currency: "EUR",
  assigneeId: "usr_2",
});

function given(...events: DomainEvent[]): BookingState {
  return events.reduce<BookingState>(booking.evolve, booking.initial);
}

/** The shortest history that leads to each status. */
const HISTORY: Record<BookingStatus, DomainEvent[]> = {
  requested: [REQUESTED],
  confirmed: [REQUESTED, event("booking.confirmed")],
  in_progress: [REQUESTED, event("booking.confirmed"), event("booking.started")],
  completed: [REQUESTED, event("booking.confirmed"), event("booking.started"), event("booking.completed")],
  cancelled: [REQUESTED, event("booking.cancelled", { reason: "weather" })],
  no_show: [REQUESTED, event("booking.confirmed"), event("booking.noShowMarked")],
};

const free = { isActiveMember: true, isBusy: false };

type Attempt = (state: BookingState) => Decision;

const COMMANDS: Record<string, Attempt> = {
  confirm: (state) => decideStep("confirm", state, ID),
  start: (state) => decideStep("start", state, ID),
  complete: (state) => decideStep("complete", state, ID),
  markNoShow: (state) => decideMarkNoShow(state, ID, { ...context, now: STARTS_AT }),
  cancel: (state) => decideCancel(state, { ...ID, reason: "other" }),
  reschedule: (state) =>
    decideReschedule(state, { ...ID, startsAt: NOW + 1 }, { assigneeIsBusy: false }, context),
  assign: (state) => decideAssign(state, { ...ID, assigneeId: "usr_3" }, free),
  unassign: (state) => decideUnassign(state, ID),
};

/** The booking table: which command is possible in which status, and the event it records. */
const POSSIBLE: Record<string, Partial<Record<BookingStatus, string>>> = {
  confirm: { requested: "booking.confirmed" },
  start: { confirmed: "booking.started" },
  complete: { in_progress: "booking.completed" },
  markNoShow: { confirmed: "booking.noShowMarked" },
  cancel: { requested: "booking.cancelled", confirmed: "booking.cancelled" },
  reschedule: { requested: "booking.rescheduled", confirmed: "booking.rescheduled" },
  assign: { requested: "booking.assigned", confirmed: "booking.assigned" },
  unassign: { requested: "booking.unassigned", confirmed: "booking.unassigned" },
};

const STATUSES = Object.keys(HISTORY) as BookingStatus[];
const PAIRS = Object.keys(COMMANDS).flatMap((command) => STATUSES.map((status) => ({ command, status })));

function recorded(decision: Decision): { type: string; data: object }[] {
  if (decision.kind === "rejected") throw new Error(`rejected: ${decision.code}`);
  return decision.events.map(({ type, data }) => ({ type, data }));
}

describe("the booking table", () => {
  test.each(PAIRS)("$command of a booking that is $status", ({ command, status }) => {
    const decision = COMMANDS[command]?.(given(...HISTORY[status]));
    const type = POSSIBLE[command]?.[status];
    if (type === undefined) {
      expect(decision).toEqual({ kind: "rejected", code: "INVALID_TRANSITION" });
    } else {
      expect(decision).toMatchObject({ kind: "accepted", events: [{ stream: STREAM, type }], result: {} });
    }
  });

  test.each(Object.keys(COMMANDS))("%s of a booking that does not exist", (command) => {
    expect(COMMANDS[command]?.(booking.initial)).toEqual({ kind: "rejected", code: "NOT_FOUND" });
  });
});

describe("request", () => {
  const service = { durationMinutes: 30, priceMinor: 5000, currency: "EUR", active: true };
  const command = { serviceId: "svc_1", startsAt: STARTS_AT };

  test("copies duration, price and currency from the service", () => {
    expect(decideRequest(command, { service }, context)).toEqual({
      kind: "accepted",
      events: [
        {
          stream: "booking/bkg_new",
          type: "booking.requested",
          data: {
            serviceId: "svc_1",
            startsAt: STARTS_AT,
            endsAt: ENDS_AT,
            priceMinor: 5000,
            currency: "EUR",
          },
        },
      ],
      result: { bookingId: "bkg_new" },
    });
  });

  test("copies the service's deposit when there is one", () => {
    const facts = { service: { ...service, depositMinor: 1000 } };
    const [first] = recorded(decideRequest(command, facts, context));
    expect(first?.data).toMatchObject({ priceMinor: 5000, depositMinor: 1000 });
  });

  test("records the assignee when there is one", () => {
    const assigned = { ...command, assigneeId: "usr_2" };
    const [first] = recorded(decideRequest(assigned, { service, assignee: free }, context));
    expect(first?.data).toMatchObject({ assigneeId: "usr_2" });
  });

  test.each([
    ["of no service", { service: null }, { code: "NOT_FOUND", field: "serviceId" }],
    [
      "of a retired service",
      { service: { ...service, active: false } },
      { code: "CONFLICT", field: "serviceId" },
    ],
    [
      "for somebody who is no active member",
      { service, assignee: { isActiveMember: false, isBusy: false } },
      { code: "NOT_FOUND", field: "assigneeId" },
    ],
    ["for somebody who is busy", { service, assignee: { ...free, isBusy: true } }, { code: "SLOT_TAKEN" }],
  ])("%s is refused", (_name, facts, rejection) => {
    const assigned = { ...command, assigneeId: "usr_2" };
    expect(decideRequest(assigned, facts, context)).toEqual({ kind: "rejected", ...rejection });
  });

  test("starts after now, not at it", () => {
    const at = (startsAt: number): Decision => decideRequest({ ...command, startsAt }, { service }, context);
    expect(at(NOW - 1)).toEqual({ kind: "rejected", code: "INVALID", field: "startsAt" });
    expect(at(NOW)).toEqual({ kind: "rejected", code: "INVALID", field: "startsAt" });
    expect(at(NOW + 1).kind).toBe("accepted");
  });
});

describe("markNoShow", () => {
  test("is possible from the moment the booking begins", () => {
    const state = given(...HISTORY.confirmed);
    const at = (now: number): Decision => decideMarkNoShow(state, ID, { ...context, now });
    expect(at(STARTS_AT - 1)).toEqual({ kind: "rejected", code: "INVALID_TRANSITION" });
    expect(recorded(at(STARTS_AT))).toEqual([{ type: "booking.noShowMarked", data: {} }]);
  });
});

describe("reschedule", () => {
  const state = given(...HISTORY.requested);
  const to = (startsAt: number, assigneeIsBusy = false): Decision =>
    decideReschedule(state, { ...ID, startsAt }, { assigneeIsBusy }, context);

  test("keeps the duration", () => {
    const data = { startsAt: NOW + 5, endsAt: NOW + 5 + 1_800_000 };
    expect(recorded(to(NOW + 5))).toEqual([{ type: "booking.rescheduled", data }]);
  });

  test("goes to a time after now, not to now", () => {
    expect(to(NOW)).toEqual({ kind: "rejected", code: "INVALID", field: "startsAt" });
    expect(to(NOW + 1).kind).toBe("accepted");
  });

  test("is refused when the assignee is busy then", () => {
    expect(to(NOW + 1, true)).toEqual({ kind: "rejected", code: "SLOT_TAKEN" });
  });
});

describe("assign and unassign", () => {
  const assign = (state: BookingState, assigneeId: string, facts = free): Decision =>
    decideAssign(state, { ...ID, assigneeId }, facts);
  const assigned = given(...HISTORY.requested);
  const unassigned = given(
    ...HISTORY.requested,
    event("booking.unassigned", { previousAssigneeId: "usr_2" }),
  );

  test("an assignment names the assignee before, if there was one", () => {
    expect(recorded(assign(assigned, "usr_3"))).toEqual([
      { type: "booking.assigned", data: { assigneeId: "usr_3", previousAssigneeId: "usr_2" } },
    ]);
    expect(recorded(assign(unassigned, "usr_3"))).toEqual([
      { type: "booking.assigned", data: { assigneeId: "usr_3" } },
    ]);
  });

  test("an assignment to the same assignee is a conflict", () => {
    expect(assign(assigned, "usr_2")).toEqual({ kind: "rejected", code: "CONFLICT", field: "assigneeId" });
  });

  test("an assignment needs a free, active member", () => {
    expect(assign(assigned, "usr_3", { isActiveMember: false, isBusy: false })).toEqual({
      kind: "rejected",
      code: "NOT_FOUND",
      field: "assigneeId",
    });
    expect(assign(assigned, "usr_3", { isActiveMember: true, isBusy: true })).toEqual({
      kind: "rejected",
      code: "SLOT_TAKEN",
    });
  });

  test("only who is assigned can be unassigned, and the event names them", () => {
    expect(recorded(decideUnassign(assigned, ID))).toEqual([
      { type: "booking.unassigned", data: { previousAssigneeId: "usr_2" } },
    ]);
    expect(decideUnassign(unassigned, ID)).toEqual({ kind: "rejected", code: "INVALID_TRANSITION" });
  });
});

test("cancel records its reason", () => {
  const decision = decideCancel(given(...HISTORY.confirmed), { ...ID, reason: "weather" });
  expect(recorded(decision)).toEqual([{ type: "booking.cancelled", data: { reason: "weather" } }]);
});

describe("the state of a booking", () => {
  test("is what its request says", () => {
    expect(given(REQUESTED)).toEqual({
      kind: "existing",
      status: "requested",
      startsAt: STARTS_AT,
      endsAt: ENDS_AT,
      assigneeId: "usr_2",
      priceMinor: 5000,
      currency: "EUR",
    });
  });

  test.each(STATUSES)("comes to be %s by its events", (status) => {
    expect(given(...HISTORY[status])).toMatchObject({ status });
  });

  test("follows its time and its assignee, and keeps its status", () => {
    const moved = event("booking.rescheduled", { startsAt: 1, endsAt: 2 });
    const given3 = event("booking.assigned", { assigneeId: "usr_3" });
    const confirmed = HISTORY.confirmed;
    expect(given(...confirmed, moved)).toMatchObject({ startsAt: 1, endsAt: 2, status: "confirmed" });
    expect(given(...confirmed, given3)).toMatchObject({ assigneeId: "usr_3", status: "confirmed" });
    expect(given(...confirmed, event("booking.unassigned", { previousAssigneeId: "usr_2" }))).toMatchObject({
      assigneeId: null,
      status: "confirmed",
    });
  });

  test("is none before the request, whatever came", () => {
    expect(given(event("booking.confirmed"))).toEqual({ kind: "none" });
  });

  test("a request without assignee is assigned to nobody", () => {
    const { assigneeId: _, ...data } = REQUESTED.data as { assigneeId: string };
    expect(given(event("booking.requested", data))).toMatchObject({ assigneeId: null });
  });
});

test("requested, confirmed and in progress hold the slot; the ends do not", () => {
  expect(STATUSES.filter(holdsSlot)).toEqual(["requested", "confirmed", "in_progress"]);
});

test("only the five steps change the status", () => {
  expect(statusAfter("booking.noShowMarked")).toBe("no_show");
  expect(statusAfter("booking.rescheduled")).toBeNull();
  expect(statusAfter("constructor")).toBeNull();
});
