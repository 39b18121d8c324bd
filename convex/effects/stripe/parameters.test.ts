import { describe, expect, test } from "vitest";
import { isProviderId, requireProviderId } from "./identifiers.ts";
import {
  checkoutSessionParameters,
  hasSameUnits,
  paymentIntentParameters,
  refundParameters,
  type PaymentToCreate,
} from "./parameters.ts";

const PAYMENT: PaymentToCreate = {
  orgId: "org_01JC0000000000000000000000",
  paymentId: "pay_01JC0000000000000000000000",
  method: "payment_intent",
  amountMinor: 6500,
  currency: "EUR",
};
const METADATA = { daybook_organisation: PAYMENT.orgId, daybook_payment: PAYMENT.paymentId };
const REFUND = {
  orgId: PAYMENT.orgId,
  paymentId: PAYMENT.paymentId,
  refundId: "rfd_01JC0000000000000000000000",
  paymentIntentId: "pi_3ABCDEFGH",
  amountMinor: 100,
  reason: "duplicate",
};

test("a PaymentIntent has the amount and the currency that the server recorded, and our ids", () => {
  expect(paymentIntentParameters(PAYMENT)).toEqual({
    amount: 6500,
    currency: "eur",
    automatic_payment_methods: { enabled: true },
    metadata: METADATA,
  });
});

test("a page of Stripe's has one line of that amount, and its intent carries our ids too", () => {
  const url = { paid: "https://app.example/paid", left: "https://app.example/" };
  expect(checkoutSessionParameters(PAYMENT, url)).toMatchObject({
    mode: "payment",
    line_items: [{ quantity: 1, price_data: { currency: "eur", unit_amount: 6500 } }],
    success_url: "https://app.example/paid",
    cancel_url: "https://app.example/",
    metadata: METADATA,
    payment_intent_data: { metadata: METADATA },
  });
});

test("a refund names its intent, its amount and our own id, and gives Stripe a reason only when it knows it", () => {
  expect(refundParameters(REFUND)).toEqual({
    payment_intent: "pi_3ABCDEFGH",
    amount: 100,
    reason: "duplicate",
    metadata: { ...METADATA, daybook_refund: REFUND.refundId },
  });
  for (const reason of ["other", "service_not_provided", "constructor", "__proto__"]) {
    expect(refundParameters({ ...REFUND, reason })).not.toHaveProperty("reason");
  }
});

test("the same payment gives the same parameters, byte for byte", () => {
  expect(JSON.stringify(paymentIntentParameters(PAYMENT))).toBe(
    JSON.stringify(paymentIntentParameters({ ...PAYMENT })),
  );
});

test.each([0, -1, 0.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY])(
  "an amount of %d is not sent",
  (amountMinor) => {
    expect(() => paymentIntentParameters({ ...PAYMENT, amountMinor })).toThrow("positive integer");
    expect(() => refundParameters({ ...REFUND, amountMinor })).toThrow("positive integer");
  },
);

test("currencies that Stripe counts in other units than ISO 4217 are known", () => {
  for (const currency of ["ISK", "UGX", "MGA"]) expect(hasSameUnits(currency)).toBe(false);
  for (const currency of ["EUR", "USD", "JPY", "KWD", "CLP"]) expect(hasSameUnits(currency)).toBe(true);
});

describe("H11: an id of Stripe's", () => {
  test("is one of its kind", () => {
    expect(requireProviderId("paymentIntent", "pi_3ABCDEFGH")).toBe("pi_3ABCDEFGH");
    expect(isProviderId("refund", "pyr_1ABCDEFGH")).toBe(true);
    expect(isProviderId("checkoutSession", "cs_test_a1ABCDEFGH")).toBe(true);
  });

  test.each([
    "../customers/x",
    "pi_1/confirm?x=1",
    "pi_3ABCDEFGH/confirm",
    "pi_3ABCDEFGH?expand[]=customer",
    "pi_3ABCDEFGH#",
    "pi_3ABCDEFGH\n",
    "pi_%2e%2e%2fcustomers",
    "cs_test_ABCDEFGH",
    "",
    "pi_",
    undefined,
    null,
    {},
  ])("is not %j", (text) => {
    expect(() => requireProviderId("paymentIntent", text)).toThrow("not an id of this kind: paymentIntent");
    expect(() => refundParameters({ ...REFUND, paymentIntentId: text as string })).toThrow();
  });
});
