import { describe, expect, test } from "vitest";
import { ATTEMPTS_MAX } from "../../access/outbox.ts";
import type { Payment, PaymentStatus } from "../../domain/payment.ts";
import type { RefundRequest } from "../../domain/paymentRefunds.ts";
import type { Failure } from "./classify.ts";
import {
  afterCancelling,
  afterCreating,
  afterSearching,
  cancelStep,
  creationStep,
  PAYMENT_GIVEN_UP_MS,
  REFUND_GIVEN_UP_MS,
  refundStep,
  searchStep,
} from "./steps.ts";

const PAYMENT: Payment = {
  kind: "existing",
  paymentId: "pay_01JC0000000000000000000000",
  bookingId: "bkg_01JC0000000000000000000000",
  purpose: "full",
  method: "payment_intent",
  amountMinor: 6500,
  currency: "EUR",
  account: null,
  status: "requested",
  cancelRequested: false,
  paymentIntentId: null,
  checkoutSessionId: null,
  attemptAt: 0,
  refundRequests: [],
  providerRefunds: [],
  disputes: [],
};
const KNOWN = { paymentIntentId: "pi_3ABCDEFGH" };
const DAY_MS = 86_400_000;
const first = { attempt: 1, createdAt: 0, now: 0 };
const second = { attempt: 2, createdAt: 0, now: 60_000 };
const nextDay = { attempt: 2, createdAt: 0, now: DAY_MS };

describe("creating", () => {
  test("a payment that waits is created, and again under the same key as long as Stripe knows it", () => {
    expect(creationStep(PAYMENT, first)).toBe("create");
    expect(creationStep(PAYMENT, second)).toBe("create");
  });

  test("R45: a day later the call is not repeated, because Stripe would not know its key", () => {
    expect(creationStep(PAYMENT, nextDay)).toBe("doubt");
    // Nothing was called before the first attempt, however late it comes.
    expect(creationStep(PAYMENT, { ...nextDay, attempt: 1 })).toBe("create");
  });

  test("what is known at Stripe is not created", () => {
    expect(creationStep({ ...PAYMENT, ...KNOWN }, first)).toBe("settle");
    expect(creationStep({ ...PAYMENT, checkoutSessionId: "cs_test_ABCDEFGH" }, first)).toBe("settle");
  });

  test("one that was cancelled is not created, and looked for when an attempt may have made it", () => {
    expect(creationStep({ ...PAYMENT, status: "cancelled" }, first)).toBe("settle");
    expect(creationStep({ ...PAYMENT, status: "cancelled" }, second)).toBe("find");
  });

  const over: PaymentStatus[] = ["creation_unknown", "creation_failed", "paid", "failed", "processing"];
  test.each(over)("one that is %s is not created", (status) => {
    expect(creationStep({ ...PAYMENT, status }, second)).toBe("settle");
  });
});

test("a payment is looked for until its ids are known", () => {
  expect(searchStep({ ...PAYMENT, status: "creation_unknown" })).toBe("find");
  expect(searchStep({ ...PAYMENT, ...KNOWN })).toBe("settle");
});

test("a payment is called off once it is known, unless it is paid", () => {
  expect(cancelStep(PAYMENT)).toBe("settle");
  expect(cancelStep({ ...PAYMENT, ...KNOWN, status: "awaiting_payment" })).toBe("cancel");
  expect(cancelStep({ ...PAYMENT, ...KNOWN, status: "cancelled" })).toBe("cancel");
  expect(cancelStep({ ...PAYMENT, ...KNOWN, status: "paid" })).toBe("settle");
});

describe("a refund", () => {
  const refundId = "rfd_01JC0000000000000000000000";
  const withStatus = (status: RefundRequest["status"]): Payment => ({
    ...PAYMENT,
    ...KNOWN,
    status: "paid",
    refundRequests: [
      {
        refundId,
        amountMinor: 100,
        reason: "other",
        requestedBy: "usr_01JC0000000000000000000000",
        needsApproval: false,
        status,
        providerRefundId: null,
      },
    ],
  });

  test("is submitted once it may be, repeated for as long as Stripe knows the key, and then looked for", () => {
    expect(refundStep(withStatus("submitting"), refundId, false, second)).toBe("create");
    expect(refundStep(withStatus("submitting"), refundId, false, nextDay)).toBe("doubt");
    expect(refundStep(withStatus("unknown"), refundId, true, nextDay)).toBe("find");
  });

  const ended: RefundRequest["status"][] = [
    "awaiting_approval",
    "unknown",
    "submitted",
    "declined",
    "not_submitted",
  ];
  test.each(ended)("that is %s is not submitted", (status) => {
    expect(refundStep(withStatus(status), refundId, false, first)).toBe("settle");
  });

  test("of another payment, or of one that Stripe does not have, is not submitted", () => {
    expect(refundStep(withStatus("submitting"), "rfd_01JC0000000000000000000001", false, first)).toBe(
      "settle",
    );
    expect(refundStep({ ...withStatus("submitting"), paymentIntentId: null }, refundId, false, first)).toBe(
      "settle",
    );
  });
});

describe("H07: after a call", () => {
  const busy: Failure = { kind: "retry", reason: "RATE_LIMITED" };

  test("that was not carried out comes another attempt, and doubt after the last one", () => {
    expect(afterCreating(busy, { attempt: 1, isSure: false })).toEqual({
      kind: "again",
      outcome: { status: "retry", error: "PROVIDER_BUSY" },
    });
    expect(afterCreating(busy, { attempt: ATTEMPTS_MAX, isSure: true })).toMatchObject({ kind: "doubt" });
  });

  test("in doubt there is no other attempt", () => {
    expect(afterCreating({ kind: "unknown" }, { attempt: 1, isSure: false })).toEqual({
      kind: "doubt",
      outcome: { status: "unknown", error: "OUTCOME_UNKNOWN" },
    });
  });

  test("that was refused it is over, with Stripe's word", () => {
    const over = {
      kind: "over",
      outcome: { status: "failed", error: "PROVIDER_REFUSED" },
      code: "card_declined",
    };
    const refused: Failure = { kind: "failed", code: "card_declined" };
    expect(afterCreating(refused, { attempt: 1, isSure: false })).toEqual(over);
    expect(afterCreating(refused, { attempt: 2, isSure: true })).toEqual(over);
  });

  test("that was refused at a later attempt, what an earlier one did is in doubt until somebody looks", () => {
    const refused: Failure = { kind: "failed", code: "payments_not_configured" };
    expect(afterCreating(refused, { attempt: 2, isSure: false })).toMatchObject({ kind: "doubt" });
  });

  test("to cancel comes another attempt unless Stripe has refused", () => {
    expect(afterCancelling({ kind: "unknown" })).toEqual({ status: "retry", error: "OUTCOME_UNKNOWN" });
    expect(afterCancelling(busy)).toEqual({ status: "retry", error: "PROVIDER_BUSY" });
    expect(afterCancelling({ kind: "failed", code: "payment_intent_unexpected_state" })).toMatchObject({
      status: "failed",
    });
  });
});

describe("after a search", () => {
  const missing = { kind: "missing" } as const;

  test("that found nothing comes another one, until there can be nothing any more", () => {
    const at = (now: number): object =>
      afterSearching(missing, { attempt: 3, createdAt: 0, now }, PAYMENT_GIVEN_UP_MS);
    expect(at(PAYMENT_GIVEN_UP_MS - 1)).toMatchObject({ kind: "again", outcome: { error: "NOTHING_FOUND" } });
    expect(at(PAYMENT_GIVEN_UP_MS)).toMatchObject({ kind: "over", code: "never_created" });
  });

  test("a refund is given up no sooner than Stripe forgets its key", () => {
    expect(REFUND_GIVEN_UP_MS).toBeGreaterThanOrEqual(DAY_MS);
  });

  test("that failed nothing is known, however late it is", () => {
    const late = { attempt: 3, createdAt: 0, now: 30 * DAY_MS };
    for (const failure of [
      { kind: "unknown" },
      { kind: "failed", code: "x" },
      { kind: "retry", reason: "UNREACHABLE" },
    ] as const) {
      expect(afterSearching(failure, late, PAYMENT_GIVEN_UP_MS)).toMatchObject({ kind: "again" });
    }
  });
});
