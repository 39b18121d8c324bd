/** The audit log: every event as a line that a person can read, newest first. */
import { paginationResultValidator, type PaginationResult } from "convex/server";
import { v } from "convex/values";
import { z } from "zod";
import type { Doc } from "../_generated/dataModel.js";
import type { QueryCtx } from "../_generated/server.js";
import { paginationOpts } from "../access/arguments.ts";
import { Refusal } from "../access/errors.ts";
import { readingId } from "../access/fields.ts";
import type { Member } from "../access/principal.ts";
import type { DomainEvent } from "../events/catalogue/catalogue.ts";
import { paymentSummary, stripeAccountSummary } from "./auditLogPayments.ts";
import { actorValidator, auditCategoryValidator } from "../validators.ts";
import { readFirst } from "./ledgerReader.ts";
import { mapPage, provenance } from "./page.ts";
import { defineProjection, foundedBy, streamId } from "./projection.ts";
import { projectionQuery } from "./projectionQuery.ts";

type Category = Doc<"auditLog">["category"];

const CATEGORIES = [
  "organization",
  "membership",
  "role",
  "service",
  "booking",
  "assignment",
  "status",
  "payment",
  "refund",
  "dispute",
  "integration",
  "export",
] as const satisfies readonly Category[];

const CATEGORY: Record<DomainEvent["type"], Category> = {
  "organization.created": "organization",
  "organization.renamed": "organization",
  "organization.frozen": "organization",
  "organization.unfrozen": "organization",
  "organization.closed": "organization",
  "organization.providerLinked": "organization",
  "organization.providerUnlinked": "organization",
  "invitation.created": "membership",
  "invitation.accepted": "membership",
  "invitation.revoked": "membership",
  "member.joined": "membership",
  "member.roleChanged": "role",
  "member.removed": "membership",
  "member.suspended": "membership",
  "member.reinstated": "membership",
  "member.sessionsRevoked": "membership",
  "service.defined": "service",
  "service.retired": "service",
  "booking.requested": "booking",
  "booking.rescheduled": "booking",
  "booking.assigned": "assignment",
  "booking.unassigned": "assignment",
  "booking.confirmed": "status",
  "booking.started": "status",
  "booking.completed": "status",
  "booking.noShowMarked": "status",
  "booking.cancelled": "status",
  "stripeAccount.linkBegun": "integration",
  "stripeAccount.linkReturned": "integration",
  "stripeAccount.linked": "integration",
  "stripeAccount.linkFailed": "integration",
  "stripeAccount.unlinked": "integration",
  "payment.requested": "payment",
  "payment.created": "payment",
  "payment.creationUnknown": "payment",
  "payment.creationFailed": "payment",
  "payment.cancelRequested": "payment",
  "payment.cancelled": "payment",
  "payment.processing": "payment",
  "payment.failed": "payment",
  "payment.confirmed": "payment",
  "payment.refundRequested": "refund",
  "payment.refundApproved": "refund",
  "payment.refundDeclined": "refund",
  "payment.refundSubmitted": "refund",
  "payment.refundUnknown": "refund",
  "payment.refundNotSubmitted": "refund",
  "payment.refundPending": "refund",
  "payment.refunded": "refund",
  "payment.refundFailed": "refund",
  "payment.disputeOpened": "dispute",
  "payment.disputeUpdated": "dispute",
  "payment.disputeFundsWithdrawn": "dispute",
  "payment.disputeFundsReinstated": "dispute",
  "payment.disputeClosed": "dispute",
  "export.begun": "export",
  "reading.begun": "export",
};

function instant(timestampMs: number): string {
  return new Date(timestampMs).toISOString();
}

function words(code: string): string {
  return code.replaceAll("_", " ");
}

function organizationSummary(event: DomainEvent): string | null {
  switch (event.type) {
    case "organization.created":
      return `Organisation "${event.data.name}" created (${event.data.timeZone}, ${event.data.currency})`;
    case "organization.renamed":
      return `Organisation renamed to "${event.data.name}"`;
    case "organization.frozen":
      return `Organisation frozen (${words(event.data.reason)})`;
    case "organization.unfrozen":
      return "Organisation no longer frozen";
    case "organization.closed":
      return `Organisation closed (${words(event.data.reason)})`;
    case "organization.providerLinked":
      return `Organisation ${event.data.providerOrgId} of ${event.data.issuer} linked`;
    case "organization.providerUnlinked":
      return `Organisation ${event.data.providerOrgId} of ${event.data.issuer} no longer linked`;
    default:
      return null;
  }
}

function removalSummary(userId: string, event: Extract<DomainEvent, { type: "member.removed" }>): string {
  const { role } = event.data;
  return event.actor.id === userId ? `${userId} left (was ${role})` : `${userId} removed (was ${role})`;
}

function memberSummary(event: DomainEvent): string | null {
  const id = streamId(event);
  switch (event.type) {
    case "invitation.created":
      return `Invitation ${id} created for the role ${event.data.role}, until ${instant(event.data.expiresAt)}`;
    case "invitation.accepted":
      return `Invitation ${id} accepted by ${event.data.userId}`;
    case "invitation.revoked":
      return `Invitation ${id} revoked`;
    case "member.joined":
      return `${event.data.userId} joined as ${event.data.role}`;
    case "member.roleChanged":
      return `Role of ${id} changed from ${event.data.previousRole} to ${event.data.role}`;
    case "member.removed":
      return removalSummary(id, event);
    case "member.suspended":
      return `${id} suspended (${event.data.role})`;
    case "member.reinstated":
      return `${id} reinstated as ${event.data.role}`;
    case "member.sessionsRevoked":
      return `Sessions of ${id} revoked`;
    default:
      return null;
  }
}

function bookingSummary(event: DomainEvent): string | null {
  const id = streamId(event);
  switch (event.type) {
    case "booking.requested":
      return `Booking ${id} requested for ${instant(event.data.startsAt)}`;
    case "booking.rescheduled":
      return `Booking ${id} moved to ${instant(event.data.startsAt)}`;
    case "booking.assigned":
      return `Booking ${id} assigned to ${event.data.assigneeId}`;
    case "booking.unassigned":
      return `Booking ${id} no longer assigned to ${event.data.previousAssigneeId}`;
    case "booking.confirmed":
      return `Booking ${id}: requested → confirmed`;
    case "booking.started":
      return `Booking ${id}: confirmed → in progress`;
    case "booking.completed":
      return `Booking ${id}: in progress → completed`;
    case "booking.noShowMarked":
      return `Booking ${id}: confirmed → no show`;
    case "booking.cancelled":
      return `Booking ${id} cancelled (${words(event.data.reason)})`;
    default:
      return null;
  }
}

function serviceSummary(event: DomainEvent): string | null {
  switch (event.type) {
    case "service.defined": {
      const { name, durationMinutes, priceMinor, currency, depositMinor } = event.data;
      const deposit = depositMinor === undefined ? "" : `, deposit ${depositMinor}`;
      return `Service "${name}" defined (${durationMinutes} min, ${priceMinor} minor units ${currency}${deposit})`;
    }
    case "service.retired":
      return `Service ${streamId(event)} retired`;
    default:
      return null;
  }
}

function exportSummary(event: DomainEvent): string | null {
  switch (event.type) {
    case "export.begun":
      return `Export begun, up to sequence ${event.data.headSeq}`;
    case "reading.begun":
      return `Audit log read, sequences ${event.data.fromSeq} to ${event.data.toSeq}`;
    default:
      return null;
  }
}

function summarise(event: DomainEvent): string {
  return (
    organizationSummary(event) ??
    memberSummary(event) ??
    serviceSummary(event) ??
    bookingSummary(event) ??
    paymentSummary(event) ??
    stripeAccountSummary(event) ??
    exportSummary(event) ??
    event.type
  );
}

export const auditLog = defineProjection({
  table: "auditLog",
  key: (event) => String(event.seq),
  keyOf: ({ seq }) => String(seq),
  rows: (tenant) => tenant.rows("auditLog", "by_orgId_and_seq"),
  find: async (tenant, key) =>
    await tenant.rows("auditLog", "by_orgId_and_seq", (q) => q.eq("seq", Number(key))).unique(),
  fold: (_row, event) => ({
    seq: event.seq,
    eventId: event.eventId,
    at: event.recordedAt,
    actor: event.actor,
    category: CATEGORY[event.type],
    type: event.type,
    stream: event.stream,
    summary: summarise(event),
    ...foundedBy(event),
  }),
});

function publicLine({
  _id,
  _creationTime,
  orgId,
  ...row
}: Doc<"auditLog">): Omit<Doc<"auditLog">, "_id" | "_creationTime" | "orgId"> {
  return row;
}

const lines = paginationResultValidator(
  v.object({
    seq: v.number(),
    eventId: v.string(),
    at: v.number(),
    actor: actorValidator,
    category: auditCategoryValidator,
    type: v.string(),
    stream: v.string(),
    summary: v.string(),
    ...provenance,
  }),
);

/** How many of the newest lines are read without a record. */
export const UNRECORDED_MAX = 5_000;

/** The page without what is older; nothing comes after the first line that is. */
function cutOlder(page: PaginationResult<Doc<"auditLog">>, oldestSeq: number): typeof page {
  const rows = page.page.filter(({ seq }) => seq >= oldestSeq);
  return rows.length === page.page.length ? page : { ...page, page: rows, isDone: true };
}

/**
 * Audit lines, newest first; `category` narrows them. Of the UNRECORDED_MAX newest events of the organisation; older
 * ones are read with `commands/auditLog:beginReading`. The bound is no part of the index range, because it moves with
 * every event, and a cursor is worth something in its own range only.
 */
export const list = projectionQuery({
  function: "projections/auditLog:list",
  args: { paginationOpts, category: z.enum(CATEGORIES).optional() },
  returns: lines,
  handler: async ({ tenant, args }) => {
    const { category } = args;
    const rows =
      category === undefined
        ? tenant.rows("auditLog", "by_orgId_and_seq")
        : tenant.rows("auditLog", "by_orgId_and_category_and_seq", (q) => q.eq("category", category));
    const result = await rows.order("desc").paginate(args.paginationOpts);
    const newest = await tenant.rows("auditLog", "by_orgId_and_seq").order("desc").first();
    return mapPage(cutOlder(result, (newest?.seq ?? 0) - UNRECORDED_MAX + 1), publicLine);
  },
});

/** The range of a reading that this member began. Throws NOT_FOUND for another's, as for one that is not there. */
async function ownReading(
  ctx: QueryCtx,
  { orgId, userId }: Member,
  readingId: string,
): Promise<{ fromSeq: number; toSeq: number }> {
  const event = await readFirst(ctx, orgId, `reading/${readingId}`);
  const isOwn = event?.actor.kind === "user" && event.actor.id === userId;
  if (event?.type !== "reading.begun" || !isOwn) throw new Refusal("NOT_FOUND");
  return event.data;
}

/** The lines of a reading, oldest first, for whoever began it. */
export const range = projectionQuery({
  function: "projections/auditLog:range",
  args: { readingId, paginationOpts },
  returns: lines,
  handler: async ({ ctx, tenant, member, args }) => {
    const { fromSeq, toSeq } = await ownReading(ctx, member, args.readingId);
    const result = await tenant
      .rows("auditLog", "by_orgId_and_seq", (q) => q.gte("seq", fromSeq).lte("seq", toSeq))
      .paginate(args.paginationOpts);
    return mapPage(result, publicLine);
  },
});
