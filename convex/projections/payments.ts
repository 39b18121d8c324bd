/** Payments: what was asked for, paid, given back and disputed. Staff see those of the bookings assigned to them. */
import { paginationResultValidator, type OrderedQuery, type NamedTableInfo, type Query } from "convex/server";
import { v } from "convex/values";
import { z } from "zod";
import type { DataModel, Doc } from "../_generated/dataModel.js";
import { paginationOpts } from "../access/arguments.ts";
import { environment } from "../access/environment.ts";
import { Refusal } from "../access/errors.ts";
import { bookingId, paymentId } from "../access/fields.ts";
import { requireRelation, type Condition, type Relation } from "../access/policy.ts";
import type { Member } from "../access/principal.ts";
import type { TenantReader } from "../access/tenantDb.ts";
import { isUsedUp, paidMinor, payment, type Payment } from "../domain/payment.ts";
import { disputedMinor, type Dispute } from "../domain/paymentDisputes.ts";
import {
  providerRefundOf,
  refundedMinor,
  refundPendingMinor,
  type RefundRequest,
} from "../domain/paymentRefunds.ts";
import { paymentMethodValidator, paymentPurposeValidator, paymentStatusValidator } from "../validators.ts";
import { unseal } from "../vault/seal.ts";
import { provenance } from "./page.ts";
import { defineProjection, foundedBy, keyInStreams, type Row } from "./projection.ts";
import { projectionQuery } from "./projectionQuery.ts";

/** A row as the state that it was folded from. */
function stateOf(row: Row<"payments">): Payment {
  const { version: _, createdAt: _at, createdBy: _by, ...state } = row;
  return { kind: "existing", ...state };
}

/** Mutable copies, as rows have them. */
function rowOf(
  { kind: _, ...state }: Payment,
  founded: Pick<Row<"payments">, "version" | "createdAt" | "createdBy">,
): Row<"payments"> {
  return {
    ...state,
    refundRequests: [...state.refundRequests],
    providerRefunds: [...state.providerRefunds],
    disputes: [...state.disputes],
    ...founded,
  };
}

export const payments = defineProjection({
  table: "payments",
  key: keyInStreams("payment"),
  keyOf: ({ paymentId: id }) => id,
  rows: (tenant) => tenant.rows("payments", "by_orgId_and_paymentId"),
  find: findPayment,
  fold: (row, event): Row<"payments"> | null => {
    const state = payment.evolve(row === null ? payment.initial : stateOf(row), event);
    if (state.kind === "none") return null;
    const { createdAt, createdBy } = row ?? foundedBy(event);
    return rowOf(state, { version: event.streamVersion, createdAt, createdBy });
  },
});

async function findPayment(tenant: TenantReader, id: string): Promise<Doc<"payments"> | null> {
  return await tenant.rows("payments", "by_orgId_and_paymentId", (q) => q.eq("paymentId", id)).unique();
}

const refundStatus = v.union(
  v.literal("awaiting_approval"),
  v.literal("submitting"),
  v.literal("unknown"),
  v.literal("submitted"),
  v.literal("declined"),
  v.literal("not_submitted"),
  v.literal("pending"),
  v.literal("succeeded"),
  v.literal("failed"),
);

const paymentRow = v.object({
  paymentId: v.string(),
  bookingId: v.string(),
  purpose: paymentPurposeValidator,
  method: paymentMethodValidator,
  status: paymentStatusValidator,
  cancelRequested: v.boolean(),
  amountMinor: v.number(),
  currency: v.string(),
  paidMinor: v.number(),
  refundedMinor: v.number(),
  /** Asked for, or being paid back. */
  refundPendingMinor: v.number(),
  disputedMinor: v.number(),
  /** The provider's word on the newest dispute that is not closed, or else on the newest one. */
  disputeStatus: v.union(v.string(), v.null()),
  /** What was asked for here, at most 100. */
  refunds: v.array(
    v.object({
      refundId: v.string(),
      amountMinor: v.number(),
      status: refundStatus,
      requestedBy: v.string(),
      needsApproval: v.boolean(),
    }),
  ),
  /** The provider's ids, for whoever looks a payment up there; not shown to staff. */
  paymentIntentId: v.optional(v.union(v.string(), v.null())),
  checkoutSessionId: v.optional(v.union(v.string(), v.null())),
  ...provenance,
});

function disputeStatus(disputes: readonly Dispute[]): string | null {
  const newestFirst = [...disputes].sort((a, b) => b.occurredAt - a.occurredAt);
  return (newestFirst.find(({ closed }) => !closed) ?? newestFirst[0])?.status ?? null;
}

function refundRow(state: Payment, request: RefundRequest): (typeof paymentRow.type)["refunds"][number] {
  const { refundId, amountMinor, requestedBy, needsApproval } = request;
  const status = providerRefundOf(state, request)?.status ?? request.status;
  return { refundId, amountMinor, status, requestedBy, needsApproval };
}

function publicRow(row: Row<"payments">, condition: Condition): typeof paymentRow.type {
  const state = stateOf(row);
  const { paymentIntentId, checkoutSessionId } = row;
  return {
    paymentId: row.paymentId,
    bookingId: row.bookingId,
    purpose: row.purpose,
    method: row.method,
    status: row.status,
    cancelRequested: row.cancelRequested,
    amountMinor: row.amountMinor,
    currency: row.currency,
    paidMinor: paidMinor(state),
    refundedMinor: refundedMinor(state),
    refundPendingMinor: refundPendingMinor(state),
    disputedMinor: disputedMinor(state.disputes),
    disputeStatus: disputeStatus(state.disputes),
    refunds: state.refundRequests.map((request) => refundRow(state, request)),
    ...(condition === "always" ? { paymentIntentId, checkoutSessionId } : {}),
    version: row.version,
    createdAt: row.createdAt,
    createdBy: row.createdBy,
  };
}

/** Whom a payment's booking is assigned to; nothing when there is no such booking. */
async function relationOf(tenant: TenantReader, id: string): Promise<Relation> {
  const booking = await tenant
    .rows("bookings", "by_orgId_and_bookingId", (q) => q.eq("bookingId", id))
    .unique();
  return booking === null ? {} : { assigneeId: booking.assigneeId };
}

type PaymentRows = Query<NamedTableInfo<DataModel, "payments">> &
  OrderedQuery<NamedTableInfo<DataModel, "payments">>;

function paymentRows(
  tenant: TenantReader,
  status: Payment["status"] | undefined,
  ofBooking: string | undefined,
): PaymentRows {
  if (ofBooking === undefined) {
    return status === undefined
      ? tenant.rows("payments", "by_orgId_and_paymentId")
      : tenant.rows("payments", "by_orgId_and_status_and_paymentId", (q) => q.eq("status", status));
  }
  return status === undefined
    ? tenant.rows("payments", "by_orgId_and_bookingId_and_paymentId", (q) => q.eq("bookingId", ofBooking))
    : tenant.rows("payments", "by_orgId_and_bookingId_and_status_and_paymentId", (q) =>
        q.eq("bookingId", ofBooking).eq("status", status),
      );
}

/** Those rows of a page whose bookings are assigned to the member. */
async function assignedTo(
  tenant: TenantReader,
  member: Member,
  rows: readonly Doc<"payments">[],
): Promise<Doc<"payments">[]> {
  const ids = [...new Set(rows.map((row) => row.bookingId))];
  const relations = await Promise.all(ids.map(async (id) => [id, await relationOf(tenant, id)] as const));
  const assignees = new Map(relations.map(([id, { assigneeId }]) => [id, assigneeId]));
  return rows.filter((row) => assignees.get(row.bookingId) === member.userId);
}

/** Throws NOT_FOUND for a booking that is not there, or that the condition hides. */
async function requireBooking(
  tenant: TenantReader,
  member: Member,
  condition: Condition,
  id: string,
): Promise<void> {
  const relation = await relationOf(tenant, id);
  if (relation.assigneeId === undefined) throw new Refusal("NOT_FOUND");
  requireRelation(condition, member, relation);
}

/**
 * Payments that the caller may see, newest first; `status` and `bookingId` narrow them. A page of staff's holds what
 * is theirs of that many rows, so it may be short, or empty, before the end.
 */
export const list = projectionQuery({
  function: "projections/payments:list",
  args: {
    paginationOpts,
    status: z
      .enum([
        "requested",
        "creation_unknown",
        "creation_failed",
        "awaiting_payment",
        "processing",
        "failed",
        "paid",
        "cancelled",
      ])
      .optional(),
    bookingId: bookingId.optional(),
  },
  returns: paginationResultValidator(paymentRow),
  handler: async ({ tenant, member, condition, args }) => {
    const { bookingId: ofBooking } = args;
    if (ofBooking !== undefined) await requireBooking(tenant, member, condition, ofBooking);
    const rows = paymentRows(tenant, args.status, ofBooking);
    const result = await rows.order("desc").paginate(args.paginationOpts);
    const visible = condition === "always" ? result.page : await assignedTo(tenant, member, result.page);
    return { ...result, page: visible.map((row) => publicRow(row, condition)) };
  },
});

/** A payment that the caller may see. A foreign one answers like one that does not exist. Throws NOT_FOUND. */
async function visiblePayment(
  { tenant, member, condition }: { tenant: TenantReader; member: Member; condition: Condition },
  id: string,
): Promise<Doc<"payments">> {
  const row = await findPayment(tenant, id);
  if (row === null) throw new Refusal("NOT_FOUND");
  if (condition !== "always") requireRelation(condition, member, await relationOf(tenant, row.bookingId));
  return row;
}

/** One payment. */
export const get = projectionQuery({
  function: "projections/payments:get",
  args: { paymentId },
  returns: paymentRow,
  handler: async (view) => publicRow(await visiblePayment(view, view.args.paymentId), view.condition),
});

/**
 * What the payer pays with: a PaymentIntent's client secret or the URL of the provider's page, for whoever may ask for
 * the payment to hand it on. Null where there is none yet, or nothing to pay any more.
 */
export const payerSecret = projectionQuery({
  function: "projections/payments:payerSecret",
  args: { paymentId },
  returns: v.union(
    v.object({ kind: v.union(v.literal("client_secret"), v.literal("url")), value: v.string() }),
    v.null(),
  ),
  handler: async (view) => {
    const row = await visiblePayment(view, view.args.paymentId);
    const { status, cancelRequested, paymentId: id } = row;
    const isWaiting = status === "awaiting_payment" || (status === "failed" && !isUsedUp(row));
    const isPayable = isWaiting && !cancelRequested;
    if (!isPayable) return null;
    const { tenant } = view;
    const secret = await tenant
      .rows("paymentSecrets", "by_orgId_and_paymentId", (q) => q.eq("paymentId", id))
      .unique();
    if (secret === null) return null;
    const { kind, sealed } = secret;
    const place = { table: "paymentSecrets", orgId: tenant.orgId, paymentId: id, kind };
    const text = unseal(environment().DAYBOOK_SEALING_KEYS, place, sealed);
    return { kind, value: new TextDecoder().decode(text) };
  },
});
