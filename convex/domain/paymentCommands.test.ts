/** What people may ask of payments. */
import { describe, expect, test } from "vitest";
import type { Booking, BookingStatus } from "./booking.ts";
import type { Decision } from "./decision.ts";
import { refundableMinor, type Payment, type PaymentPurpose, type PaymentStatus } from "./payment.ts";
import {
  decideApproveRefund,
  decideCancelPayment,
  decideRequestPayment,
  decideRequestRefund,
  type RequestPaymentFacts,
} from "./paymentCommands.ts";
import { committedMinor, REFUND_REQUESTS_MAX } from "./paymentRefunds.ts";
import { CONFIRMED, CREATED, given, happened, REFUND, REQUESTED, type Happened } from "./paymentForTests.ts";

const newId = (prefix: string): string => `${prefix}_new`;
const BOOKING: Booking = {
  kind: "existing",
  status: "confirmed",
  startsAt: 1,
  endsAt: 2,
  assigneeId: null,
  priceMinor: 5000,
  currency: "EUR",
};
const DEPOSIT: Booking = { ...BOOKING, depositMinor: 1000 };
const FACTS: RequestPaymentFacts = {
  payments: [],
  payee: { kind: "account", account: "acct_1ABCDEFGH" },
  hasReturnOrigin: true,
};

function ask(
  booking: Booking | { kind: "none" },
  facts: Partial<RequestPaymentFacts> = {},
  command: { method?: "payment_intent" | "checkout_session"; returnPath?: string } = {},
): Decision {
  const asked = { bookingId: "bkg_1", method: "payment_intent" as const, ...command };
  return decideRequestPayment(booking, asked, { ...FACTS, ...facts }, { newId });
}

const is = (purpose: PaymentPurpose, status: PaymentStatus): RequestPaymentFacts["payments"] => [
  { purpose, status, method: "payment_intent", paymentIntentId: "pi_3ABCDEFGH" },
];

describe("request", () => {
  test("H01 takes amount, currency and account from what the server knows", () => {
    expect(ask(BOOKING)).toEqual({
      kind: "accepted",
      events: [
        {
          stream: "payment/pay_new",
          type: "payment.requested",
          data: {
            bookingId: "bkg_1",
            purpose: "full",
            method: "payment_intent",
            amountMinor: 5000,
            currency: "EUR",
            account: "acct_1ABCDEFGH",
          },
        },
      ],
      result: { paymentId: "pay_new" },
    });
  });

  test.each([
    ["the deposit first", [], "deposit", 1000],
    ["the deposit again after one that was cancelled", is("deposit", "cancelled"), "deposit", 1000],
    ["the balance when the deposit is paid", is("deposit", "paid"), "balance", 4000],
  ] as const)("asks for %s", (_name, payments, purpose, amountMinor) => {
    expect(ask(DEPOSIT, { payments })).toMatchObject({ events: [{ data: { purpose, amountMinor } }] });
  });

  test.each(["requested", "creation_unknown", "awaiting_payment", "processing", "failed", "paid"] as const)(
    "is a conflict while the same part is %s",
    (status) => {
      const conflict = { kind: "rejected", code: "CONFLICT", field: "bookingId" };
      expect(ask(BOOKING, { payments: is("full", status) })).toEqual(conflict);
      const both = [...is("deposit", "paid"), ...is("balance", status)];
      expect(ask(DEPOSIT, { payments: both })).toEqual(conflict);
    },
  );

  test.each(["creation_failed", "cancelled"] as const)("is possible after one that is %s", (status) => {
    expect(ask(BOOKING, { payments: is("full", status) }).kind).toBe("accepted");
  });

  test("is possible after a page that was complete when the bank refused, and not while the page is open", () => {
    const page = { purpose: "full", method: "checkout_session" } as const;
    const kindAfter = (status: PaymentStatus, paymentIntentId: string | null): string =>
      ask(BOOKING, { payments: [{ ...page, status, paymentIntentId }] }).kind;
    expect(kindAfter("failed", "pi_3ABCDEFGH")).toBe("accepted");
    expect(kindAfter("failed", null)).toBe("rejected");
    for (const status of ["awaiting_payment", "processing", "paid"] as const) {
      expect(kindAfter(status, "pi_3ABCDEFGH")).toBe("rejected");
    }
  });

  test.each([
    ["requested", "accepted"],
    ["confirmed", "accepted"],
    ["in_progress", "accepted"],
    ["completed", "accepted"],
    ["cancelled", "rejected"],
    ["no_show", "rejected"],
  ] as const satisfies readonly (readonly [BookingStatus, string])[])(
    "of a booking that is %s is %s",
    (status, kind) => {
      expect(ask({ ...BOOKING, status }).kind).toBe(kind);
    },
  );

  test("of nothing, of a booking that costs nothing, and with nobody to take it is refused", () => {
    expect(ask({ kind: "none" })).toEqual({ kind: "rejected", code: "NOT_FOUND" });
    expect(ask({ ...BOOKING, priceMinor: 0 })).toMatchObject({ code: "CONFLICT", field: "bookingId" });
    expect(ask(BOOKING, { payee: { kind: "nobody" } })).toEqual({ kind: "rejected", code: "CONFLICT" });
  });

  test("through the deployment's account names none", () => {
    const decision = ask(BOOKING, { payee: { kind: "platform" } });
    expect(JSON.stringify(decision)).not.toContain("account");
    expect(decision.kind).toBe("accepted");
  });

  test("H13 a way back is for the provider's page, which needs one", () => {
    const page = { method: "checkout_session", returnPath: "/thanks" } as const;
    expect(ask(BOOKING, {}, page)).toMatchObject({ events: [{ data: { returnPath: "/thanks" } }] });
    expect(ask(BOOKING, {}, { returnPath: "/thanks" })).toMatchObject({
      code: "INVALID",
      field: "returnPath",
    });
    expect(ask(BOOKING, { hasReturnOrigin: false }, page)).toMatchObject({
      code: "CONFLICT",
      field: "method",
    });
  });
});

test("cancel of nothing is NOT_FOUND", () => {
  expect(decideCancelPayment({ kind: "none" }, { paymentId: "pay_1" })).toMatchObject({ code: "NOT_FOUND" });
});

const PAID: readonly Happened[] = [REQUESTED, CREATED, CONFIRMED];

function requested(refundId: string, amountMinor: number, needsApproval = false): Happened {
  return happened("payment.refundRequested", { refundId, amountMinor, reason: "other", needsApproval });
}

function refund(state: Payment, amountMinor: number | undefined, limitMinor = 5000): Decision {
  const command = { paymentId: "pay_1", amountMinor, reason: "other" } as const;
  return decideRequestRefund(state, command, { limitMinor }, { newId });
}

describe("requestRefund", () => {
  test("without an amount asks for all that is left", () => {
    const state = given(...PAID, requested("rfd_1", 1500));
    expect(refund(state, undefined)).toMatchObject({ events: [{ data: { amountMinor: 3500 } }] });
  });

  test("H15 the second full refund is a conflict", () => {
    const state = given(...PAID, requested("rfd_1", 5000));
    expect(refund(state, undefined)).toEqual({ kind: "rejected", code: "CONFLICT", field: "amountMinor" });
    expect(refund(state, 1)).toEqual({ kind: "rejected", code: "CONFLICT", field: "amountMinor" });
  });

  test("asks for the last unit that is left, not for one more", () => {
    const state = given(...PAID, requested("rfd_1", 1500));
    expect(refund(state, 3500).kind).toBe("accepted");
    expect(refund(state, 3501)).toMatchObject({ code: "CONFLICT" });
  });

  test("needs approval above the limit, not at it, and splitting does not help", () => {
    const needs = (state: Payment, amountMinor: number): unknown => {
      const decision = refund(state, amountMinor, 2000);
      return decision.kind === "accepted" ? decision.events[0].data : decision;
    };
    expect(needs(given(...PAID), 2000)).toMatchObject({ needsApproval: false });
    expect(needs(given(...PAID), 2001)).toMatchObject({ needsApproval: true });
    const after = given(...PAID, requested("rfd_1", 1500));
    expect(needs(after, 500)).toMatchObject({ needsApproval: false });
    expect(needs(after, 501)).toMatchObject({ needsApproval: true });
  });

  test("an amount that was declined, not taken or failed is free again", () => {
    const providerRefund = { providerRefundId: REFUND, amountMinor: 5000, currency: "EUR" };
    const ends: readonly (readonly Happened[])[] = [
      [requested("rfd_1", 5000, true), happened("payment.refundDeclined", { refundId: "rfd_1" })],
      [
        requested("rfd_1", 5000),
        happened("payment.refundNotSubmitted", { refundId: "rfd_1", code: "charge_disputed" }),
      ],
      [
        requested("rfd_1", 5000),
        happened("payment.refundSubmitted", { refundId: "rfd_1", providerRefundId: REFUND }),
        happened("payment.refunded", providerRefund),
        happened("payment.refundFailed", { ...providerRefund, code: "lost_or_stolen_card" }),
      ],
    ];
    for (const end of ends) expect(refundableMinor(given(...PAID, ...end))).toBe(5000);
  });

  test("a refund counts once, whether the delivery or our own answer comes first", () => {
    const delivery = happened("payment.refunded", {
      providerRefundId: REFUND,
      amountMinor: 2000,
      currency: "EUR",
    });
    const answer = happened("payment.refundSubmitted", { refundId: "rfd_1", providerRefundId: REFUND });
    for (const order of [
      [delivery, answer],
      [answer, delivery],
    ]) {
      expect(committedMinor(given(...PAID, requested("rfd_1", 2000), ...order))).toBe(2000);
    }
  });

  test("H15 what is disputed can't be given back; an inquiry can, a dispute that was won too", () => {
    const dispute = {
      disputeId: "dp_3ABCDEFGH",
      occurredAt: 1,
      amountMinor: 5000,
      currency: "EUR",
      reason: "fraudulent",
    };
    const told = (type: Happened["type"], status: string): Payment =>
      given(...PAID, happened(type, { ...dispute, status }));
    expect(refund(told("payment.disputeOpened", "needs_response"), 1)).toMatchObject({ code: "CONFLICT" });
    expect(refund(told("payment.disputeClosed", "lost"), 1)).toMatchObject({ code: "CONFLICT" });
    expect(refund(told("payment.disputeClosed", "brand_new"), 1)).toMatchObject({ code: "CONFLICT" });
    expect(refund(told("payment.disputeClosed", "won"), 1).kind).toBe("accepted");
    expect(refund(told("payment.disputeOpened", "warning_needs_response"), 1).kind).toBe("accepted");
    expect(refund(told("payment.disputeFundsWithdrawn", "warning_needs_response"), 1)).toMatchObject({
      code: "CONFLICT",
    });
  });

  test("requests of one payment are bounded", () => {
    const declined = Array.from({ length: REFUND_REQUESTS_MAX - 1 }, (_, index) => [
      requested(`rfd_${index}`, 1, true),
      happened("payment.refundDeclined", { refundId: `rfd_${index}` }),
    ]).flat();
    expect(refund(given(...PAID, ...declined), 1).kind).toBe("accepted");
    const full = [...declined, requested("rfd_last", 1, true)];
    expect(refund(given(...PAID, ...full), 1)).toMatchObject({ code: "CONFLICT" });
  });
});

describe("approveRefund", () => {
  const approve = (state: Payment): Decision =>
    decideApproveRefund(state, { paymentId: "pay_1", refundId: "rfd_1" });

  test("looks again whether the money is still there", () => {
    const waiting = [...PAID, requested("rfd_1", 5000, true)];
    const elsewhere = happened("payment.refunded", {
      providerRefundId: REFUND,
      amountMinor: 1,
      currency: "EUR",
    });
    expect(approve(given(...waiting)).kind).toBe("accepted");
    expect(approve(given(...waiting, elsewhere))).toEqual({ kind: "rejected", code: "CONFLICT" });
  });

  test("of no refund is NOT_FOUND", () => {
    expect(approve(given(...PAID))).toEqual({ kind: "rejected", code: "NOT_FOUND", field: "refundId" });
  });
});
