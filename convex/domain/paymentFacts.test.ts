/** What a signed delivery must say to count. */
import { describe, expect, test } from "vitest";
import { decideFact } from "./paymentFacts.ts";
import {
  AMOUNT,
  CONFIRMED,
  CREATED,
  disputeFact,
  given,
  happened,
  HISTORIES,
  INTENT,
  intentFact,
  PAGE_CREATED,
  PAGE_REQUESTED,
  REFUND,
  refundFact,
  REQUESTED,
  SESSION,
  sessionFact,
} from "./paymentForTests.ts";

const AWAITING = given(REQUESTED, CREATED);
const PAID = given(REQUESTED, CREATED, CONFIRMED);
const AT_PAGE = given(PAGE_REQUESTED, PAGE_CREATED);
const parked = (reason: string): object => ({ kind: "park", reason });

describe("a success", () => {
  test("confirms the payment by the signed amount, currency and intent", () => {
    expect(decideFact(AWAITING, intentFact("succeeded"))).toEqual({
      kind: "events",
      events: [
        {
          stream: "payment/pay_1",
          type: "payment.confirmed",
          data: { paymentIntentId: INTENT, amountMinor: AMOUNT, currency: "EUR" },
        },
      ],
    });
  });

  test.each([
    ["F13 one unit less received", { amountReceivedMinor: AMOUNT - 1 }, "AMOUNT_MISMATCH"],
    ["F13 one unit more received", { amountReceivedMinor: AMOUNT + 1 }, "AMOUNT_MISMATCH"],
    ["F13 nothing received", { amountReceivedMinor: 0 }, "AMOUNT_MISMATCH"],
    ["F13 another amount, all of it received", { amountMinor: 1, amountReceivedMinor: 1 }, "AMOUNT_MISMATCH"],
    ["R41 another currency", { currency: "USD" }, "CURRENCY_MISMATCH"],
    ["F27 another intent", { paymentIntentId: "pi_3OTHEROTHER" }, "UNKNOWN_OBJECT"],
  ])("%s is parked", (_name, more, reason) => {
    expect(decideFact(AWAITING, intentFact("succeeded", more))).toEqual(parked(reason));
  });

  test("of a paid payment with another amount is parked, not passed over", () => {
    const told = intentFact("succeeded", { amountMinor: 1, amountReceivedMinor: 1 });
    expect(decideFact(PAID, told)).toEqual(parked("AMOUNT_MISMATCH"));
  });
});

describe("a checkout session", () => {
  test("R48 that was paid confirms the payment and tells its intent", () => {
    const data = {
      paymentIntentId: INTENT,
      amountMinor: AMOUNT,
      currency: "EUR",
      checkoutSessionId: SESSION,
    };
    expect(decideFact(AT_PAGE, sessionFact("paid"))).toMatchObject({
      events: [{ type: "payment.confirmed", data }],
    });
  });

  test.each([
    ["R48 that is complete and unpaid is being processed", "unpaid", "payment.processing"],
    ["whose payment failed in the end has failed", "failed", "payment.failed"],
    ["that ended unused is cancelled", "expired", "payment.cancelled"],
  ] as const)("%s", (_name, outcome, type) => {
    expect(decideFact(AT_PAGE, sessionFact(outcome))).toMatchObject({ events: [{ type }] });
  });

  test.each([
    ["F17 that cost nothing", sessionFact("free"), "NOTHING_PAID"],
    ["with another amount", sessionFact("paid", { amountMinor: 1 }), "AMOUNT_MISMATCH"],
    ["in another currency", sessionFact("paid", { currency: "USD" }), "CURRENCY_MISMATCH"],
    ["that was paid with no intent", sessionFact("paid", { paymentIntentId: null }), "MALFORMED"],
    [
      "of another payment",
      sessionFact("paid", { checkoutSessionId: "cs_test_OTHEROTHER" }),
      "UNKNOWN_OBJECT",
    ],
  ])("%s is parked", (_name, fact, reason) => {
    expect(decideFact(AT_PAGE, fact)).toEqual(parked(reason));
  });

  test("with a second intent is parked", () => {
    const known = given(
      PAGE_REQUESTED,
      PAGE_CREATED,
      happened("payment.processing", { paymentIntentId: INTENT, occurredAt: 1 }),
    );
    const second = sessionFact("paid", { paymentIntentId: "pi_3OTHEROTHER" });
    expect(decideFact(known, second)).toEqual(parked("UNKNOWN_OBJECT"));
  });

  test("an intent is unknown until a session's delivery tells it", () => {
    expect(decideFact(AT_PAGE, intentFact("succeeded"))).toEqual(parked("UNKNOWN_OBJECT"));
  });
});

test("of two attempts the later one by the provider's time counts, of two at once the failed one", () => {
  const failed = given(...(HISTORIES["failed"] ?? []));
  const processing = given(...(HISTORIES["processing"] ?? []));
  const at = (occurredAt: number): { occurredAt: number } => ({ occurredAt });
  expect(decideFact(failed, intentFact("processing", at(1)))).toEqual({ kind: "nothing" });
  expect(decideFact(failed, intentFact("processing", at(0)))).toEqual({ kind: "nothing" });
  expect(decideFact(failed, intentFact("processing", at(2)))).toMatchObject({ kind: "events" });
  expect(decideFact(processing, intentFact("failed", at(1)))).toMatchObject({ kind: "events" });
  expect(decideFact(processing, intentFact("failed", at(0)))).toEqual({ kind: "nothing" });
});

describe("F19 a refund", () => {
  test("that was asked for here is linked by the provider's id", () => {
    const state = given(
      REQUESTED,
      CREATED,
      CONFIRMED,
      happened("payment.refundRequested", {
        refundId: "rfd_1",
        amountMinor: AMOUNT,
        reason: "other",
        needsApproval: false,
      }),
      happened("payment.refundSubmitted", { refundId: "rfd_1", providerRefundId: REFUND }),
    );
    expect(decideFact(state, refundFact("succeeded"))).toMatchObject({
      events: [{ type: "payment.refunded", data: { refundId: "rfd_1", providerRefundId: REFUND } }],
    });
  });

  test.each([
    [
      "of more than was paid",
      PAID,
      refundFact("succeeded", { amountMinor: AMOUNT + 1 }),
      "REFUND_EXCEEDS_PAYMENT",
    ],
    ["in another currency", PAID, refundFact("succeeded", { currency: "USD" }), "CURRENCY_MISMATCH"],
    ["before the success", AWAITING, refundFact("succeeded"), "NOT_PAID_YET"],
    [
      "of another intent",
      PAID,
      refundFact("succeeded", { paymentIntentId: "pi_3OTHEROTHER" }),
      "UNKNOWN_OBJECT",
    ],
  ])("%s is parked", (_name, state, fact, reason) => {
    expect(decideFact(state, fact)).toEqual(parked(reason));
  });

  test("that would make the sum one unit more than was paid is parked, and fits when another failed", () => {
    const other = { providerRefundId: "re_3OTHEROTHER", amountMinor: 1, currency: "EUR" };
    const pending = happened("payment.refundPending", other);
    const failed = happened("payment.refundFailed", { ...other, code: "canceled" });
    const history = [REQUESTED, CREATED, CONFIRMED, pending];
    expect(decideFact(given(...history), refundFact("succeeded"))).toEqual(parked("REFUND_EXCEEDS_PAYMENT"));
    expect(decideFact(given(...history, failed), refundFact("succeeded"))).toMatchObject({ kind: "events" });
  });

  test("whose amount changed is parked", () => {
    const known = given(
      REQUESTED,
      CREATED,
      CONFIRMED,
      happened("payment.refundPending", { providerRefundId: REFUND, amountMinor: 1, currency: "EUR" }),
    );
    expect(decideFact(known, refundFact("succeeded"))).toEqual(parked("AMOUNT_MISMATCH"));
  });
});

describe("a dispute", () => {
  test("before the success, or in another currency, is parked", () => {
    expect(decideFact(AWAITING, disputeFact("opened"))).toEqual(parked("NOT_PAID_YET"));
    expect(decideFact(PAID, disputeFact("opened", { currency: "USD" }))).toEqual(parked("CURRENCY_MISMATCH"));
  });
});

test("a fact about no payment, or about an account, is parked", () => {
  expect(decideFact({ kind: "none" }, intentFact("succeeded"))).toEqual(parked("UNKNOWN_OBJECT"));
  const account = { kind: "account", account: "acct_1ABCDEFGH", change: "updated", occurredAt: 1 } as const;
  expect(decideFact(PAID, account)).toEqual(parked("UNKNOWN_OBJECT"));
});
