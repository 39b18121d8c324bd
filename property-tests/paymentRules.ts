/** The rules of payments and of the account that takes them, as docs/payments.md states them. */
import type { BookingRow, View } from "./fold.ts";
import {
  committedMinor,
  disputedMinor,
  isOpenPayment,
  refundableMinor,
  type PaymentRow,
} from "./paymentFold.ts";
import type { Role } from "./policyModel.ts";
import { text, when, type Rule, type Situation, type Violation } from "./rule.ts";

/** What each role gives back of one payment without another person, in minor units. */
const REFUND_LIMIT_MINOR: Readonly<Partial<Record<Role, number>>> = { owner: 1_000_000, manager: 50_000 };
const REQUESTS_MAX = 100;

/** What is due of a booking: the deposit, then the balance; all of it without one. */
function partDue(view: View, { bookingId, priceMinor, depositMinor }: BookingRow): [string, number] {
  if (depositMinor === undefined) return ["full", priceMinor];
  const isDepositPaid = paymentsOf(view, bookingId).some(
    ({ purpose, status }) => purpose === "deposit" && status === "paid",
  );
  return isDepositPaid ? ["balance", priceMinor - depositMinor] : ["deposit", depositMinor];
}

function paymentsOf({ payments }: View, bookingId: string): PaymentRow[] {
  return [...payments.values()].filter((row) => row.bookingId === bookingId);
}

/** A page of the provider's that was complete, and whose payment the bank refused. */
function isRefusedPage({ method, status, paymentIntentId }: PaymentRow): boolean {
  return method === "checkout_session" && status === "failed" && paymentIntentId !== null;
}

const request: Rule = {
  result: { paymentId: "pay" },
  violations: ({ view, args }) => {
    const { method = "payment_intent", returnPath } = args;
    const booking = view.bookings.get(text(args, "bookingId"));
    if (booking === undefined) return [{ code: "NOT_FOUND" }];
    const [part, amountMinor] = partDue(view, booking);
    const isTaken = paymentsOf(view, booking.bookingId).some(
      (row) => row.purpose === part && (row.status === "paid" || (isOpenPayment(row) && !isRefusedPage(row))),
    );
    const isOver = booking.status === "cancelled" || booking.status === "no_show";
    return [
      ...when(returnPath !== undefined && method !== "checkout_session", "INVALID", "returnPath"),
      ...when(isOver || amountMinor === 0 || isTaken, "CONFLICT", "bookingId"),
    ];
  },
  events: ({ view, args }, result) => {
    const booking = view.bookings.get(text(args, "bookingId"));
    if (booking === undefined) throw new Error("the model committed a payment of no booking");
    const { method = "payment_intent", returnPath } = args;
    const [purpose, amountMinor] = partDue(view, booking);
    const { bookingId, currency } = booking;
    const account = view.account?.linked?.account;
    const data = {
      ...{ bookingId, purpose, method, amountMinor, currency },
      ...(account === undefined ? {} : { account }),
      ...(returnPath === undefined ? {} : { returnPath }),
    };
    return [{ stream: `payment/${result["paymentId"] ?? ""}`, type: "payment.requested", data }];
  },
};

/** A command on a payment: NOT_FOUND without one. */
function onPayment(more: {
  violations: (situation: Situation, row: PaymentRow) => Violation[];
  type: (row: PaymentRow) => string;
  data: (situation: Situation, row: PaymentRow, result: Readonly<Record<string, string>>) => object;
}): Pick<Rule, "stream" | "violations" | "events"> {
  return {
    stream: (args) => `payment/${text(args, "paymentId")}`,
    violations: (situation) => {
      const row = paymentIn(situation);
      return row === undefined ? [{ code: "NOT_FOUND" }] : more.violations(situation, row);
    },
    events: (situation, result) => {
      const row = paymentIn(situation);
      if (row === undefined) throw new Error("the model committed a command on no payment");
      const data = { ...more.data(situation, row, result) };
      return [{ stream: `payment/${row.paymentId}`, type: more.type(row), data }];
    },
  };
}

function paymentIn({ view, args }: Situation): PaymentRow | undefined {
  return view.payments.get(text(args, "paymentId"));
}

const cancel: Rule = {
  result: {},
  ...onPayment({
    violations: (_situation, row) => when(!isOpenPayment(row), "INVALID_TRANSITION"),
    type: ({ status }) => (status === "requested" ? "payment.cancelled" : "payment.cancelRequested"),
    data: (_situation, { status }) => (status === "requested" ? { reason: "never_created" } : {}),
  }),
};

function askedMinor({ args }: Situation, row: PaymentRow | undefined): number {
  if (typeof args["amountMinor"] === "number") return args["amountMinor"];
  return row === undefined ? 0 : Math.max(0, refundableMinor(row));
}

const limitOf = ({ role }: Situation): number => REFUND_LIMIT_MINOR[role] ?? 0;

const requestRefund: Rule = {
  result: { refundId: "rfd" },
  needsStepUp: (situation) => askedMinor(situation, paymentIn(situation)) > limitOf(situation),
  ...onPayment({
    violations: (situation, row) => {
      const asked = askedMinor(situation, row);
      return [
        ...when(row.status !== "paid", "INVALID_TRANSITION"),
        ...when(
          row.status === "paid" && (asked === 0 || asked > refundableMinor(row)),
          "CONFLICT",
          "amountMinor",
        ),
        ...when(row.requests.length >= REQUESTS_MAX, "CONFLICT"),
      ];
    },
    type: () => "payment.refundRequested",
    data: (situation, row, result) => {
      const amountMinor = askedMinor(situation, row);
      const needsApproval = committedMinor(row) + amountMinor > limitOf(situation);
      const { reason } = situation.args;
      return { refundId: result["refundId"], amountMinor, reason, needsApproval };
    },
  }),
};

function requestIn(situation: Situation): PaymentRow["requests"][number] | undefined {
  const refundId = text(situation.args, "refundId");
  return paymentIn(situation)?.requests.find((each) => each.refundId === refundId);
}

function onRequest(type: string, violations: (row: PaymentRow) => Violation[]): Rule {
  return {
    result: {},
    requester: (situation) => requestIn(situation)?.requestedBy,
    ...onPayment({
      violations: (situation, row) => {
        const asked = requestIn(situation);
        if (asked === undefined) return [{ code: "NOT_FOUND", field: "refundId" }];
        return asked.status === "awaiting_approval" ? violations(row) : [{ code: "INVALID_TRANSITION" }];
      },
      type: () => type,
      data: ({ args }) => ({ refundId: args["refundId"] }),
    }),
  };
}

const ofAccount = (_args: unknown, { orgId }: { orgId: string }): string => `stripeAccount/${orgId}`;

const beginLink: Rule = {
  result: { linkId: "lnk", state: "token", authorizeUrl: "url" },
  violations: ({ view: { account } }) =>
    when(account?.linked !== undefined || account?.pending?.isReturned === true, "CONFLICT"),
  events: ({ orgId }, { linkId }) => [
    { stream: ofAccount({}, { orgId }), type: "stripeAccount.linkBegun", data: { linkId } },
  ],
};

const completeLink: Rule = {
  result: {},
  violations: ({ view, args, userId, now, linkOf }) => {
    const pending = view.account?.pending;
    const isTheirs = pending?.userId === userId && linkOf(text(args, "state")) === pending.linkId;
    if (!isTheirs) return [{ code: "NOT_FOUND", field: "state" }];
    return when(pending.isReturned || now >= pending.expiresAt, "CONFLICT", "state");
  },
  events: ({ orgId, view }) => [
    {
      stream: ofAccount({}, { orgId }),
      type: "stripeAccount.linkReturned",
      data: { linkId: view.account?.pending?.linkId },
    },
  ],
};

const unlink: Rule = {
  result: {},
  violations: ({ view }) => when(view.account?.linked === undefined, "CONFLICT"),
  events: ({ orgId, view }) => [
    {
      stream: ofAccount({}, { orgId }),
      type: "stripeAccount.unlinked",
      data: { account: view.account?.linked?.account, reason: "owner_request" },
    },
  ],
};

export const PAYMENT_RULES: Readonly<Record<string, Rule>> = {
  "commands/payments:request": request,
  "commands/payments:cancel": cancel,
  "commands/payments:requestRefund": requestRefund,
  "commands/payments:approveRefund": onRequest("payment.refundApproved", (row) =>
    when(committedMinor(row) + disputedMinor(row) > row.amountMinor, "CONFLICT"),
  ),
  "commands/payments:declineRefund": onRequest("payment.refundDeclined", () => []),
  "commands/stripeAccount:beginLink": beginLink,
  "commands/stripeAccount:completeLink": completeLink,
  "commands/stripeAccount:unlink": unlink,
};
