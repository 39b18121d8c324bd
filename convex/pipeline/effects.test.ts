import { describe, expect, test } from "vitest";
import type { DomainEvent } from "../events/catalogue/catalogue.ts";
import { effectsOf } from "./effects.ts";

const PAYMENT = "pay_01JC0000000000000000000000";
const REFUND = "rfd_01JC0000000000000000000000";
const LINK = "lnk_01JC0000000000000000000000";

function event(type: string, data: object, stream = `payment/${PAYMENT}`): DomainEvent {
  return { eventId: "evt_1", orgId: "org_1", stream, type, data } as unknown as DomainEvent;
}

const asked = { refundId: REFUND, amountMinor: 1, reason: "other" };

describe("what events cause at Stripe", () => {
  test.each([
    [event("payment.requested", {}), "stripe.createPayment", PAYMENT],
    [event("payment.creationUnknown", {}), "stripe.findPayment", PAYMENT],
    [event("payment.cancelRequested", {}), "stripe.cancelPayment", PAYMENT],
    [
      event("payment.refundRequested", { ...asked, needsApproval: false }),
      "stripe.createRefund",
      `${PAYMENT} ${REFUND}`,
    ],
    [event("payment.refundApproved", { refundId: REFUND }), "stripe.createRefund", `${PAYMENT} ${REFUND}`],
    [event("payment.refundUnknown", { refundId: REFUND }), "stripe.findRefund", `${PAYMENT} ${REFUND}`],
    [
      event("stripeAccount.linkReturned", { linkId: LINK }, "stripeAccount/org_1"),
      "stripe.exchangeCode",
      LINK,
    ],
    [
      event(
        "stripeAccount.unlinked",
        { account: "acct_1ABCDEFGH", reason: "owner_request" },
        "stripeAccount/org_1",
      ),
      "stripe.deauthorize",
      "acct_1ABCDEFGH",
    ],
  ])("%j", (cause, kind, subject) => {
    expect(effectsOf(cause)).toEqual([{ kind, subject, idempotencyKey: `${kind}:evt_1` }]);
  });

  test("is nothing for a refund that waits for approval, and for an end that came from Stripe", () => {
    expect(effectsOf(event("payment.refundRequested", { ...asked, needsApproval: true }))).toEqual([]);
    const gone = { account: "acct_1ABCDEFGH", reason: "deauthorized" };
    expect(effectsOf(event("stripeAccount.unlinked", gone, "stripeAccount/org_1"))).toEqual([]);
  });

  test("H05: another event has another key, so a changed amount never meets an old one", () => {
    const again = { ...event("payment.requested", {}), eventId: "evt_2" } as DomainEvent;
    expect(effectsOf(again)[0]?.idempotencyKey).toBe("stripe.createPayment:evt_2");
  });

  test.each(["payment.confirmed", "payment.created", "payment.refunded", "booking.requested"])(
    "is nothing for %s",
    (type) => {
      expect(effectsOf(event(type, {}))).toEqual([]);
    },
  );
});
