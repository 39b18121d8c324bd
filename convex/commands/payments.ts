/** What people ask of payments. Amount, currency and account are the server's; what moved money is the provider's. */
import { v } from "convex/values";
import { z } from "zod";
import {
  amountMinor,
  bookingId,
  expectedVersion,
  paymentId,
  refundId,
  returnPath,
} from "../access/fields.ts";
import { refundLimitMinor, type Relation } from "../access/policy.ts";
import { stripeSettings } from "../access/stripeSettings.ts";
import type { TenantReader } from "../access/tenantDb.ts";
import { booking } from "../domain/booking.ts";
import { payment, type PaymentState } from "../domain/payment.ts";
import {
  askedMinor,
  decideApproveRefund,
  decideCancelPayment,
  decideDeclineRefund,
  decideRequestPayment,
  decideRequestRefund,
  type Payee,
} from "../domain/paymentCommands.ts";
import { findRequest } from "../domain/paymentRefunds.ts";
import { PAYMENT_METHODS, REFUND_REASONS } from "../events/catalogue/payment.ts";
import { commandMutation, noFacts } from "../pipeline/commandMutation.ts";

const REQUEST_REFUND = "commands/payments:requestRefund";

/** Most payments of one booking that are looked at; more are refused by the rule that one is open at a time. */
const PAYMENTS_OF_BOOKING_MAX = 1_000;

const stream = (args: { paymentId: string }): string => `payment/${args.paymentId}`;

/** Who takes a payment's money, as the organisation and the deployment are set up now. */
async function payeeOf(tenant: TenantReader): Promise<Payee> {
  const settings = stripeSettings();
  if (settings === null) return { kind: "nobody" };
  const row = await tenant.rows("stripeAccounts", "by_orgId").unique();
  const linked = row?.linked ?? null;
  if (linked !== null) return { kind: "account", account: linked.account };
  return { kind: settings.unlinked === "platform" ? "platform" : "nobody" };
}

/** Asks for the part of a booking's price that is due: the deposit, then the balance, or all of it. */
export const request = commandMutation({
  function: "commands/payments:request",
  args: {
    bookingId,
    method: z.enum(PAYMENT_METHODS).default("payment_intent"),
    returnPath: returnPath.optional(),
  },
  result: { paymentId: v.string() },
  // The booking says whose it is and what it costs; the payment is founded beside it.
  aggregate: booking,
  stream: (args) => `booking/${args.bookingId}`,
  relation: (state): Relation => (state.kind === "none" ? {} : { assigneeId: state.assigneeId }),
  facts: async ({ tenant, args }) => ({
    payments: await tenant
      .rows("payments", "by_orgId_and_bookingId_and_paymentId", (q) => q.eq("bookingId", args.bookingId))
      .take(PAYMENTS_OF_BOOKING_MAX),
    payee: await payeeOf(tenant),
    hasReturnOrigin: (stripeSettings()?.returnOrigins ?? []).length > 0,
  }),
  decide: ({ state, args, facts, context }) => decideRequestPayment(state, args, facts, context),
});

/** Cancels a payment: at once when the provider has not heard of it, else by asking the provider. */
export const cancel = commandMutation({
  function: "commands/payments:cancel",
  args: { paymentId, expectedVersion },
  result: {},
  aggregate: payment,
  stream,
  facts: noFacts,
  decide: ({ state, args }) => decideCancelPayment(state, args),
});

/** Asks for a refund; above the role's limit another person approves it. */
export const requestRefund = commandMutation({
  function: REQUEST_REFUND,
  args: { paymentId, amountMinor: amountMinor.optional(), reason: z.enum(REFUND_REASONS), expectedVersion },
  result: { refundId: v.string() },
  aggregate: payment,
  stream,
  relation: (state, args): Relation => ({ refundMinor: askedMinor(state, args) }),
  facts: ({ member }) => Promise.resolve({ limitMinor: refundLimitMinor(REQUEST_REFUND, member.role) }),
  decide: ({ state, args, facts, context }) => decideRequestRefund(state, args, facts, context),
});

/** Who asked for a refund; nothing where there is none. */
function requester(state: PaymentState, args: { refundId: string }): Relation {
  const asked = state.kind === "none" ? undefined : findRequest(state, args.refundId);
  return asked === undefined ? {} : { requesterId: asked.requestedBy };
}

export const approveRefund = commandMutation({
  function: "commands/payments:approveRefund",
  args: { paymentId, refundId, expectedVersion },
  result: {},
  aggregate: payment,
  stream,
  relation: requester,
  facts: noFacts,
  decide: ({ state, args }) => decideApproveRefund(state, args),
});

export const declineRefund = commandMutation({
  function: "commands/payments:declineRefund",
  args: { paymentId, refundId, expectedVersion },
  result: {},
  aggregate: payment,
  stream,
  relation: requester,
  facts: noFacts,
  decide: ({ state, args }) => decideDeclineRefund(state, args),
});
