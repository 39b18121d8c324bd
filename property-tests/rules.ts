/** The rules of the business as DESIGN states them, per member's command: what forbids it, and what it records. */
import { createHash } from "node:crypto";
import type { Args } from "./argumentModel.ts";
import type { BookingRow, BookingStatus, View } from "./fold.ts";
import { PAYMENT_RULES } from "./paymentRules.ts";
import type { Role } from "./policyModel.ts";
import { text, when, type Rule, type Situation, type Violation } from "./rule.ts";

const MINUTE_MS = 60_000;
export const WEEK_MS = 604_800_000;

const number = (args: Args, field: string): number => Number(args[field]);

function isActive(view: View, userId: string): boolean {
  return view.members.get(userId)?.status === "active";
}

const HOLDING: readonly BookingStatus[] = ["requested", "confirmed", "in_progress"];
const OPEN: readonly BookingStatus[] = ["requested", "confirmed"];

/** Whether another booking that holds its slot keeps the assignee busy in [from, to). */
function isBusy(view: View, assigneeId: string, from: number, to: number, except?: string): boolean {
  return [...view.bookings.values()].some(
    (other) =>
      other.bookingId !== except &&
      other.assigneeId === assigneeId &&
      HOLDING.includes(other.status) &&
      other.startsAt < to &&
      from < other.endsAt,
  );
}

function assigneeViolations(view: View, booking: BookingRow, assigneeId: string): Violation[] {
  return [
    ...when(!isActive(view, assigneeId), "NOT_FOUND", "assigneeId"),
    ...when(isBusy(view, assigneeId, booking.startsAt, booking.endsAt, booking.bookingId), "SLOT_TAKEN"),
  ];
}

/** A command on a booking: NOT_FOUND without one, INVALID_TRANSITION outside these statuses. */
function onBooking(
  type: string,
  from: readonly BookingStatus[],
  more: {
    violations?: (situation: Situation, booking: BookingRow) => Violation[];
    data?: (situation: Situation, booking: BookingRow) => Record<string, unknown>;
  } = {},
): Rule {
  const find = ({ view, args }: Situation): BookingRow | undefined =>
    view.bookings.get(text(args, "bookingId"));
  return {
    stream: (args) => `booking/${text(args, "bookingId")}`,
    result: {},
    violations: (situation) => {
      const booking = find(situation);
      if (booking === undefined) return [{ code: "NOT_FOUND" }];
      return [
        ...when(!from.includes(booking.status), "INVALID_TRANSITION"),
        ...(more.violations?.(situation, booking) ?? []),
      ];
    },
    events: (situation) => {
      const booking = find(situation);
      if (booking === undefined) throw new Error("the model committed a command on no booking");
      const data = more.data?.(situation, booking) ?? {};
      return [{ stream: `booking/${booking.bookingId}`, type, data }];
    },
  };
}

const isMember = (view: View, userId: string): boolean =>
  ["active", "suspended"].includes(view.members.get(userId)?.status ?? "");

function isLastOwner(view: View, userId: string): boolean {
  const owners = [...view.members.values()].filter((row) => row.role === "owner" && row.status === "active");
  return owners.length === 1 && owners[0]?.userId === userId;
}

/** A command on a member: the rank rule covers the role granted and the role held. */
function onMember(more: Pick<Rule, "violations" | "events">, grants: boolean): Rule {
  return {
    stream: (args) => `member/${text(args, "userId")}`,
    result: {},
    concerned: ({ view, args }) => {
      const target = view.members.get(text(args, "userId"));
      const held = target !== undefined && isMember(view, target.userId) ? [target.role] : [];
      return grants ? [...held, text(args, "role") as Role] : held;
    },
    violations: (situation) => {
      const { view, args } = situation;
      const userId = text(args, "userId");
      if (!isMember(view, userId)) return [{ code: "NOT_FOUND" }];
      return more.violations(situation);
    },
    events: more.events,
  };
}

function slotFrom(args: Args, durationMs: number): { startsAt: number; endsAt: number } {
  const startsAt = number(args, "startsAt");
  return { startsAt, endsAt: startsAt + durationMs };
}

const request: Rule = {
  result: { bookingId: "bkg" },
  violations: ({ view, args, now }) => {
    const service = view.services.get(text(args, "serviceId"));
    if (service === undefined) return [{ code: "NOT_FOUND", field: "serviceId" }];
    const { startsAt, endsAt } = slotFrom(args, service.durationMinutes * MINUTE_MS);
    const assigneeId = args["assigneeId"];
    return [
      ...when(service.status === "retired", "CONFLICT", "serviceId"),
      ...when(startsAt <= now, "INVALID", "startsAt"),
      ...when(typeof assigneeId === "string" && !isActive(view, assigneeId), "NOT_FOUND", "assigneeId"),
      ...when(typeof assigneeId === "string" && isBusy(view, assigneeId, startsAt, endsAt), "SLOT_TAKEN"),
    ];
  },
  events: ({ view, args }, result) => {
    const serviceId = text(args, "serviceId");
    const service = view.services.get(serviceId);
    if (service === undefined) throw new Error("the model committed a booking of no service");
    const { priceMinor, currency, depositMinor } = service;
    const slot = slotFrom(args, service.durationMinutes * MINUTE_MS);
    const assigned = args["assigneeId"] === undefined ? {} : { assigneeId: args["assigneeId"] };
    const deposit = depositMinor === undefined ? {} : { depositMinor };
    const data = { serviceId, ...slot, priceMinor, currency, ...deposit, ...assigned };
    return [{ stream: `booking/${result["bookingId"] ?? ""}`, type: "booking.requested", data }];
  },
};

const invite: Rule = {
  result: { invitationId: "inv", invitationToken: "token" },
  concerned: ({ args }) => [text(args, "role") as Role],
  violations: () => [],
  events: ({ args, now }, result) => {
    const tokenHash = createHash("sha256")
      .update(result["invitationToken"] ?? "")
      .digest("hex");
    // The key's id is the server's own; the comparison with the ledger leaves it out.
    const data = { role: args["role"], tokenHash, expiresAt: now + WEEK_MS };
    return [{ stream: `invitation/${result["invitationId"] ?? ""}`, type: "invitation.created", data }];
  },
};

const revokeInvitation: Rule = {
  stream: (args) => `invitation/${text(args, "invitationId")}`,
  result: {},
  concerned: ({ view, args }) => {
    const row = view.invitations.get(text(args, "invitationId"));
    return row === undefined ? [] : [row.role];
  },
  violations: ({ view, args }) => {
    const row = view.invitations.get(text(args, "invitationId"));
    if (row === undefined) return [{ code: "NOT_FOUND" }];
    return when(row.isEnded, "INVALID_TRANSITION");
  },
  events: ({ args }) => [
    { stream: `invitation/${text(args, "invitationId")}`, type: "invitation.revoked", data: {} },
  ],
};

/** A provider's organisation: visible ASCII, and no id of ours. */
function isProvidersId(value: unknown): boolean {
  return (
    typeof value === "string" &&
    /^[!-~]{1,128}$/u.test(value) &&
    !/^org_[0-7][0-9A-HJKMNP-TV-Z]{25}$/u.test(value)
  );
}

const linkProvider: Rule = {
  stream: (_args, { orgId }) => `organization/${orgId}`,
  result: {},
  violations: ({ claim }) => when(!isProvidersId(claim.providerOrgId) || claim.isTaken, "CONFLICT"),
  events: ({ orgId, claim: { issuer, providerOrgId } }) => [
    {
      stream: `organization/${orgId}`,
      type: "organization.providerLinked",
      data: { issuer, providerOrgId },
    },
  ],
};

const unlinkProvider: Rule = {
  stream: (_args, { orgId }) => `organization/${orgId}`,
  result: {},
  violations: ({ view, args }) => when(!view.links.has(text(args, "providerOrgId")), "NOT_FOUND"),
  events: ({ orgId, args, claim: { issuer } }) => [
    {
      stream: `organization/${orgId}`,
      type: "organization.providerUnlinked",
      data: { issuer, providerOrgId: args["providerOrgId"] },
    },
  ],
};

const beginExport: Rule = {
  result: { exportId: "exp", headHash: "hash" },
  violations: () => [],
  events: ({ view }, result) => [
    {
      stream: `export/${result["exportId"] ?? ""}`,
      type: "export.begun",
      data: { headSeq: view.auditLog.length, headHash: result["headHash"] },
    },
  ],
};

const beginReading: Rule = {
  result: { readingId: "rdg" },
  violations: ({ view, args }) => [
    ...when(number(args, "fromSeq") > number(args, "toSeq"), "INVALID", "fromSeq"),
    ...when(number(args, "toSeq") > view.auditLog.length, "INVALID", "toSeq"),
  ],
  events: ({ args }, result) => [
    {
      stream: `reading/${result["readingId"] ?? ""}`,
      type: "reading.begun",
      data: { fromSeq: args["fromSeq"], toSeq: args["toSeq"] },
    },
  ],
};

const defineService: Rule = {
  result: { serviceId: "svc" },
  violations: ({ args }) =>
    when(
      args["depositMinor"] !== undefined && number(args, "depositMinor") >= number(args, "priceMinor"),
      "INVALID",
      "depositMinor",
    ),
  events: ({ view, args }, result) => {
    const { durationMinutes, priceMinor, depositMinor } = args;
    const name = text(args, "name").trim();
    const deposit = depositMinor === undefined ? {} : { depositMinor };
    const data = { name, durationMinutes, priceMinor, currency: view.organization?.currency, ...deposit };
    return [{ stream: `service/${result["serviceId"] ?? ""}`, type: "service.defined", data }];
  },
};

const retire: Rule = {
  stream: (args) => `service/${text(args, "serviceId")}`,
  result: {},
  violations: ({ view, args }) => {
    const service = view.services.get(text(args, "serviceId"));
    if (service === undefined) return [{ code: "NOT_FOUND" }];
    return when(service.status === "retired", "INVALID_TRANSITION");
  },
  events: ({ args }) => [{ stream: `service/${text(args, "serviceId")}`, type: "service.retired", data: {} }],
};

const rename: Rule = {
  stream: (_args, { orgId }) => `organization/${orgId}`,
  result: {},
  violations: () => [],
  events: ({ args, orgId }) => [
    {
      stream: `organization/${orgId}`,
      type: "organization.renamed",
      data: { name: text(args, "name").trim() },
    },
  ],
};

const reschedule = onBooking("booking.rescheduled", OPEN, {
  violations: ({ view, args, now }, booking) => {
    const { startsAt, endsAt } = slotFrom(args, booking.endsAt - booking.startsAt);
    const { assigneeId, bookingId } = booking;
    return [
      ...when(startsAt <= now, "INVALID", "startsAt"),
      ...when(assigneeId !== null && isBusy(view, assigneeId, startsAt, endsAt, bookingId), "SLOT_TAKEN"),
    ];
  },
  data: ({ args }, booking) => slotFrom(args, booking.endsAt - booking.startsAt),
});

const assign = onBooking("booking.assigned", OPEN, {
  violations: ({ view, args }, booking) => {
    const assigneeId = text(args, "assigneeId");
    return [
      ...assigneeViolations(view, booking, assigneeId),
      ...when(booking.assigneeId === assigneeId, "CONFLICT", "assigneeId"),
    ];
  },
  data: ({ args }, { assigneeId: previousAssigneeId }) => ({
    assigneeId: args["assigneeId"],
    ...(previousAssigneeId === null ? {} : { previousAssigneeId }),
  }),
});

/** Freezing and lifting; the corridor's lifecycle step has let through what may be lifted. */
function onLifecycle(
  type: string,
  from: "active" | "frozen",
  data: (args: Args) => Record<string, unknown>,
): Rule {
  return {
    stream: (_args, { orgId }) => `organization/${orgId}`,
    result: {},
    violations: ({ view }) => when(view.organization?.status !== from, "INVALID_TRANSITION"),
    events: ({ args, orgId }) => [{ stream: `organization/${orgId}`, type, data: data(args) }],
  };
}

/** An event on a member that records the role that they have. */
function roleEvent(type: string): Rule["events"] {
  return ({ view, args }) => {
    const userId = text(args, "userId");
    return [{ stream: `member/${userId}`, type, data: { role: view.members.get(userId)?.role } }];
  };
}

const lastOwner = ({ view, args }: Situation): Violation[] =>
  when(isLastOwner(view, text(args, "userId")), "LAST_OWNER");

const leave: Rule = {
  stream: (_args, { userId }) => `member/${userId}`,
  result: {},
  violations: ({ view, userId }) => when(isLastOwner(view, userId), "LAST_OWNER"),
  events: ({ view, userId }) => [
    { stream: `member/${userId}`, type: "member.removed", data: { role: view.members.get(userId)?.role } },
  ],
};

const suspend = onMember(
  {
    violations: (situation) => {
      const { view, args, userId } = situation;
      return [
        ...when(!isActive(view, text(args, "userId")), "INVALID_TRANSITION"),
        ...lastOwner(situation),
        ...when(args["userId"] === userId, "CONFLICT", "userId"),
      ];
    },
    events: roleEvent("member.suspended"),
  },
  false,
);

const reinstate = onMember(
  {
    violations: ({ view, args }) => when(isActive(view, text(args, "userId")), "INVALID_TRANSITION"),
    events: roleEvent("member.reinstated"),
  },
  false,
);

const revokeSessions = onMember(
  {
    violations: () => [],
    events: ({ args }) => [
      { stream: `member/${text(args, "userId")}`, type: "member.sessionsRevoked", data: {} },
    ],
  },
  false,
);

const changeRole = onMember(
  {
    violations: (situation) => {
      const { view, args } = situation;
      return [
        ...when(!isActive(view, text(args, "userId")), "INVALID_TRANSITION"),
        ...lastOwner(situation),
        ...when(view.members.get(text(args, "userId"))?.role === args["role"], "CONFLICT", "role"),
      ];
    },
    events: ({ view, args }) => {
      const userId = text(args, "userId");
      const data = { role: args["role"], previousRole: view.members.get(userId)?.role };
      return [{ stream: `member/${userId}`, type: "member.roleChanged", data }];
    },
  },
  true,
);

const remove = onMember({ violations: lastOwner, events: roleEvent("member.removed") }, false);

export const RULES: Readonly<Record<string, Rule>> = {
  ...PAYMENT_RULES,
  "commands/organizations:rename": rename,
  "commands/organizations:linkProvider": linkProvider,
  "commands/organizations:unlinkProvider": unlinkProvider,
  "commands/ledger:beginExport": beginExport,
  "commands/auditLog:beginReading": beginReading,
  "commands/members:revokeInvitation": revokeInvitation,
  "commands/members:invite": invite,
  "commands/members:changeRole": changeRole,
  "commands/members:remove": remove,
  "commands/members:suspend": suspend,
  "commands/members:reinstate": reinstate,
  "commands/members:revokeSessions": revokeSessions,
  "commands/members:leave": leave,
  "commands/organizations:freeze": onLifecycle("organization.frozen", "active", ({ reason }) => ({ reason })),
  "commands/organizations:unfreeze": onLifecycle("organization.unfrozen", "frozen", () => ({})),
  "commands/organizations:close": onLifecycle("organization.closed", "active", ({ reason }) => ({ reason })),
  "commands/services:define": defineService,
  "commands/services:retire": retire,
  "commands/bookings:request": request,
  "commands/bookings:confirm": onBooking("booking.confirmed", ["requested"]),
  "commands/bookings:start": onBooking("booking.started", ["confirmed"]),
  "commands/bookings:complete": onBooking("booking.completed", ["in_progress"]),
  "commands/bookings:markNoShow": onBooking("booking.noShowMarked", ["confirmed"], {
    violations: ({ now }, booking) => when(now < booking.startsAt, "INVALID_TRANSITION"),
  }),
  "commands/bookings:reschedule": reschedule,
  "commands/bookings:assign": assign,
  "commands/bookings:unassign": onBooking("booking.unassigned", OPEN, {
    violations: (_situation, booking) => when(booking.assigneeId === null, "INVALID_TRANSITION"),
    data: (_situation, booking) => ({ previousAssigneeId: booking.assigneeId }),
  }),
  "commands/bookings:cancel": onBooking("booking.cancelled", OPEN, {
    data: ({ args }) => ({ reason: args["reason"] }),
  }),
};
