/** Validators of columns that tables and public functions share. */
import { v } from "convex/values";

export const roleValidator = v.union(
  v.literal("owner"),
  v.literal("manager"),
  v.literal("staff"),
  v.literal("freelancer"),
  v.literal("guest"),
  v.literal("auditor"),
);

/** The actor of an event, as in the envelope. */
export const actorValidator = v.union(
  v.object({ kind: v.literal("user"), id: v.string(), role: roleValidator }),
  v.object({ kind: v.literal("provider"), id: v.string() }),
  v.object({ kind: v.literal("system"), id: v.string() }),
  v.object({ kind: v.literal("operator"), id: v.string() }),
);

export const organizationStatusValidator = v.union(
  v.literal("active"),
  v.literal("frozen"),
  v.literal("closed"),
);

/** Active members act; suspended and removed ones don't. */
export const memberStatusValidator = v.union(
  v.literal("active"),
  v.literal("suspended"),
  v.literal("removed"),
);

export const bookingStatusValidator = v.union(
  v.literal("requested"),
  v.literal("confirmed"),
  v.literal("in_progress"),
  v.literal("completed"),
  v.literal("cancelled"),
  v.literal("no_show"),
);

export const paymentStatusValidator = v.union(
  v.literal("requested"),
  v.literal("creation_unknown"),
  v.literal("creation_failed"),
  v.literal("awaiting_payment"),
  v.literal("processing"),
  v.literal("failed"),
  v.literal("paid"),
  v.literal("cancelled"),
);

export const paymentPurposeValidator = v.union(v.literal("full"), v.literal("deposit"), v.literal("balance"));

export const paymentMethodValidator = v.union(v.literal("payment_intent"), v.literal("checkout_session"));

export const refundRequestValidator = v.object({
  refundId: v.string(),
  amountMinor: v.number(),
  reason: v.union(
    v.literal("requested_by_customer"),
    v.literal("duplicate"),
    v.literal("service_not_provided"),
    v.literal("other"),
  ),
  requestedBy: v.string(),
  needsApproval: v.boolean(),
  status: v.union(
    v.literal("awaiting_approval"),
    v.literal("submitting"),
    v.literal("unknown"),
    v.literal("submitted"),
    v.literal("declined"),
    v.literal("not_submitted"),
  ),
  providerRefundId: v.union(v.string(), v.null()),
});

export const providerRefundValidator = v.object({
  providerRefundId: v.string(),
  amountMinor: v.number(),
  status: v.union(v.literal("pending"), v.literal("succeeded"), v.literal("failed")),
});

export const disputeValidator = v.object({
  disputeId: v.string(),
  amountMinor: v.number(),
  currency: v.string(),
  status: v.string(),
  reason: v.string(),
  occurredAt: v.number(),
  closed: v.boolean(),
  fundsWithdrawn: v.boolean(),
  fundsReinstated: v.boolean(),
});

/** A sealed text: the key's id, the nonce and the ciphertext with its tag (vault/seal). */
export const sealedValidator = v.object({
  keyId: v.string(),
  nonce: v.bytes(),
  ciphertext: v.bytes(),
});

/** What a row of the security log tells: a call was refused or limited, access was changed, a job found something. */
export const securityOutcomeValidator = v.union(
  v.literal("refused"),
  v.literal("limited"),
  v.literal("changed"),
  v.literal("found"),
);

/** What became of a delivery, as far as a list shows it. */
export const listedDeliveryStatusValidator = v.union(
  v.literal("applied"),
  v.literal("nothing"),
  v.literal("parked"),
  v.literal("dismissed"),
);

export const auditCategoryValidator = v.union(
  v.literal("organization"),
  v.literal("membership"),
  v.literal("role"),
  v.literal("service"),
  v.literal("booking"),
  v.literal("assignment"),
  v.literal("status"),
  v.literal("payment"),
  v.literal("refund"),
  v.literal("dispute"),
  v.literal("integration"),
  v.literal("export"),
);

/** What an effect does in the world. */
export const effectKindValidator = v.union(
  v.literal("alert.deliver"),
  v.literal("stripe.createPayment"),
  v.literal("stripe.findPayment"),
  v.literal("stripe.cancelPayment"),
  v.literal("stripe.createRefund"),
  v.literal("stripe.findRefund"),
  v.literal("stripe.exchangeCode"),
  v.literal("stripe.deauthorize"),
);

/**
 * Where an effect stands. `unknown`: it may have happened, and nobody knows before somebody has looked; `done`,
 * `failed` and `unknown` are ends.
 */
export const effectStatusValidator = v.union(
  v.literal("pending"),
  v.literal("running"),
  v.literal("done"),
  v.literal("failed"),
  v.literal("unknown"),
);

/** Why an effect waits or has failed. Codes only: what the other side said is never kept. */
export const effectErrorValidator = v.union(
  v.literal("ORGANIZATION_RESTS"),
  v.literal("NOT_CONFIGURED"),
  v.literal("RECEIVER_UNREACHABLE"),
  v.literal("RECEIVER_TIMED_OUT"),
  v.literal("RECEIVER_REDIRECTED"),
  v.literal("RECEIVER_REFUSED"),
  v.literal("RECEIVER_FAILED"),
  v.literal("PROVIDER_UNREACHABLE"),
  v.literal("PROVIDER_BUSY"),
  v.literal("PROVIDER_REJECTS_KEY"),
  v.literal("PROVIDER_REFUSED"),
  v.literal("OUTCOME_UNKNOWN"),
  v.literal("NOTHING_FOUND"),
);
/** What an online rebuild does; the last four are its ends. */
export const rebuildPhaseValidator = v.union(
  v.literal("digestBefore"),
  v.literal("fold"),
  v.literal("compare"),
  v.literal("sweep"),
  v.literal("digestAfter"),
  v.literal("clear"),
  v.literal("done"),
  v.literal("cancelled"),
  v.literal("failed"),
);

/** A digest of read models, or a part of one: exact where no event came between the two heads. */
export const rowsDigestValidator = v.object({
  digest: v.string(),
  rows: v.number(),
  fromSeq: v.number(),
  toSeq: v.number(),
});
