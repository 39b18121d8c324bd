/** Stripe's magic payment methods: test cards by name, and what they do (docs.stripe.com/testing). */

export interface Decline {
  readonly code: string;
  readonly declineCode: string | null;
  readonly message: string;
}

export interface CardBehaviour {
  readonly brand: "visa" | "mastercard" | "amex";
  readonly last4: string;
  readonly onConfirm: "approve" | "authenticate" | Decline;
  /** `fail` succeeds first and fails later, `pending` succeeds later. */
  readonly onRefund: "succeed" | "pending" | "fail";
  /** A dispute comes by itself after the payment. */
  readonly isDisputed: boolean;
}

const card = (changes: Partial<CardBehaviour> = {}): CardBehaviour => ({
  brand: "visa",
  last4: "4242",
  onConfirm: "approve",
  onRefund: "succeed",
  isDisputed: false,
  ...changes,
});

const DECLINED = "Your card was declined.";
const decline = (declineCode: string, message = DECLINED): Decline => ({
  code: "card_declined",
  declineCode,
  message,
});

/** Declines by the end of the payment method's name. */
const DECLINES: Readonly<Record<string, Partial<CardBehaviour>>> = {
  chargeDeclined: { last4: "0002", onConfirm: decline("generic_decline") },
  chargeDeclinedInsufficientFunds: {
    last4: "9995",
    onConfirm: decline("insufficient_funds", "Your card has insufficient funds."),
  },
  chargeDeclinedLostCard: { last4: "9987", onConfirm: decline("lost_card") },
  chargeDeclinedStolenCard: { last4: "9979", onConfirm: decline("stolen_card") },
  chargeDeclinedVelocityLimitExceeded: {
    last4: "6975",
    onConfirm: decline(
      "card_velocity_exceeded",
      "Your card was declined for making repeated attempts too frequently.",
    ),
  },
  chargeDeclinedFraudulent: { last4: "0019", onConfirm: decline("fraudulent") },
  chargeDeclinedExpiredCard: {
    last4: "0069",
    onConfirm: { code: "expired_card", declineCode: "expired_card", message: "Your card has expired." },
  },
  chargeDeclinedIncorrectCvc: {
    last4: "0127",
    onConfirm: {
      code: "incorrect_cvc",
      declineCode: "incorrect_cvc",
      message: "Your card's security code is incorrect.",
    },
  },
  chargeDeclinedProcessingError: {
    last4: "0119",
    onConfirm: {
      code: "processing_error",
      declineCode: "processing_error",
      message: "An error occurred while processing your card. Try again in a little bit.",
    },
  },
};

const MAGIC = new Map<string, CardBehaviour>([
  ["pm_card_visa", card()],
  ["pm_card_visa_debit", card({ last4: "5556" })],
  ["pm_card_mastercard", card({ brand: "mastercard", last4: "4444" })],
  ["pm_card_amex", card({ brand: "amex", last4: "8431" })],
  ["pm_card_authenticationRequired", card({ last4: "3184", onConfirm: "authenticate" })],
  ["pm_card_threeDSecure2Required", card({ last4: "3220", onConfirm: "authenticate" })],
  ["pm_card_createDispute", card({ last4: "0259", isDisputed: true })],
  ["pm_card_pendingRefund", card({ last4: "7726", onRefund: "pending" })],
  ["pm_card_refundFail", card({ last4: "5126", onRefund: "fail" })],
  ...Object.entries(DECLINES).flatMap(([name, behaviour]): [string, CardBehaviour][] => [
    [`pm_card_${name}`, card(behaviour)],
    [`pm_card_visa_${name}`, card(behaviour)],
  ]),
]);

/** How the card of a magic name behaves; undefined for other names. */
export const magicCard = (name: string): CardBehaviour | undefined => MAGIC.get(name);

/** The names that are known, for documentation and tests. */
export const magicCardNames = (): string[] => [...MAGIC.keys()];

/** A plain card that pays, for payers who press the button. */
export const plainCard = card();

/** The decline of a code, for the switch that fails a payment: a code of card_declined, or one of its own. */
export function declineOf(code: string): Decline {
  const known = Object.values(DECLINES).find(
    ({ onConfirm }) => typeof onConfirm === "object" && onConfirm.declineCode === code,
  )?.onConfirm;
  return typeof known === "object" ? known : decline(code);
}
