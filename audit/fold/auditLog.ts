/** The audit log's line of an event: its category, and what happened in words. */
import type { Actor } from "../../ledger/event.ts";
import { bornWith, FoldError, idOf, numberOf, textOf, truthOf } from "./event.ts";
import type { LedgerEvent, Provenance } from "./event.ts";

export interface AuditRow extends Provenance {
  readonly seq: number;
  readonly eventId: string;
  readonly at: number;
  readonly actor: Actor;
  readonly category: string;
  readonly type: string;
  readonly stream: string;
  readonly summary: string;
}

/** A line of words: `{name}` is a text or number of the data, `{name:code}` with spaces for underscores, `{name:time}` a time. */
type Words = string | ((event: LedgerEvent) => string);

const deposit: Words = (event) =>
  event.data["depositMinor"] === undefined
    ? 'Service "{name}" defined ({durationMinutes} min, {priceMinor} minor units {currency})'
    : 'Service "{name}" defined ({durationMinutes} min, {priceMinor} minor units {currency}, deposit {depositMinor})';

const removal: Words = (event) =>
  event.actor.id === idOf(event) ? "{id} left (was {role})" : "{id} removed (was {role})";

const atStripe: Words = (event) =>
  truthOf(event, "livemode") ? "Payment {id} is at Stripe" : "Payment {id} is at Stripe (test)";

const refundRequest: Words = (event) =>
  `Refund {refundId} of payment {id} requested ({amountMinor} minor units, {reason:code}${
    truthOf(event, "needsApproval") ? ", needs approval" : ""
  })`;

const MONEY = "{amountMinor} minor units {currency}";

/** By type: category, and words. */
const LINES: Readonly<Record<string, readonly [category: string, words: Words]>> = {
  "organization.created": ["organization", 'Organisation "{name}" created ({timeZone}, {currency})'],
  "organization.renamed": ["organization", 'Organisation renamed to "{name}"'],
  "organization.frozen": ["organization", "Organisation frozen ({reason:code})"],
  "organization.unfrozen": ["organization", "Organisation no longer frozen"],
  "organization.closed": ["organization", "Organisation closed ({reason:code})"],
  "organization.providerLinked": ["organization", "Organisation {providerOrgId} of {issuer} linked"],
  "organization.providerUnlinked": [
    "organization",
    "Organisation {providerOrgId} of {issuer} no longer linked",
  ],
  "invitation.created": ["membership", "Invitation {id} created for the role {role}, until {expiresAt:time}"],
  "invitation.accepted": ["membership", "Invitation {id} accepted by {userId}"],
  "invitation.revoked": ["membership", "Invitation {id} revoked"],
  "member.joined": ["membership", "{userId} joined as {role}"],
  "member.roleChanged": ["role", "Role of {id} changed from {previousRole} to {role}"],
  "member.removed": ["membership", removal],
  "member.suspended": ["membership", "{id} suspended ({role})"],
  "member.reinstated": ["membership", "{id} reinstated as {role}"],
  "member.sessionsRevoked": ["membership", "Sessions of {id} revoked"],
  "service.defined": ["service", deposit],
  "service.retired": ["service", "Service {id} retired"],
  "booking.requested": ["booking", "Booking {id} requested for {startsAt:time}"],
  "booking.rescheduled": ["booking", "Booking {id} moved to {startsAt:time}"],
  "booking.assigned": ["assignment", "Booking {id} assigned to {assigneeId}"],
  "booking.unassigned": ["assignment", "Booking {id} no longer assigned to {previousAssigneeId}"],
  "booking.confirmed": ["status", "Booking {id}: requested → confirmed"],
  "booking.started": ["status", "Booking {id}: confirmed → in progress"],
  "booking.completed": ["status", "Booking {id}: in progress → completed"],
  "booking.noShowMarked": ["status", "Booking {id}: confirmed → no show"],
  "booking.cancelled": ["status", "Booking {id} cancelled ({reason:code})"],
  "stripeAccount.linkBegun": ["integration", "Linking of a Stripe account begun"],
  "stripeAccount.linkReturned": ["integration", "Linking of a Stripe account: back from Stripe"],
  "stripeAccount.linked": ["integration", "Stripe account {account} linked"],
  "stripeAccount.linkFailed": ["integration", "Linking of a Stripe account failed ({reason:code})"],
  "stripeAccount.unlinked": ["integration", "Stripe account {account} no longer linked ({reason:code})"],
  "payment.requested": ["payment", `Payment {id} requested for booking {bookingId} ({purpose}, ${MONEY})`],
  "payment.created": ["payment", atStripe],
  "payment.creationUnknown": ["payment", "Payment {id}: Stripe's answer is unknown"],
  "payment.creationFailed": ["payment", "Payment {id} refused by Stripe ({code:code})"],
  "payment.cancelRequested": ["payment", "Payment {id}: cancelling asked for"],
  "payment.cancelled": ["payment", "Payment {id} cancelled ({reason:code})"],
  "payment.processing": ["payment", "Payment {id} is being processed"],
  "payment.failed": ["payment", "Payment {id} failed ({code:code})"],
  "payment.confirmed": ["payment", `Payment {id} paid (${MONEY})`],
  "payment.refundRequested": ["refund", refundRequest],
  "payment.refundApproved": ["refund", "Refund {refundId} of payment {id} approved"],
  "payment.refundDeclined": ["refund", "Refund {refundId} of payment {id} declined"],
  "payment.refundSubmitted": ["refund", "Refund {refundId} of payment {id} is at Stripe"],
  "payment.refundUnknown": ["refund", "Refund {refundId} of payment {id}: Stripe's answer is unknown"],
  "payment.refundNotSubmitted": [
    "refund",
    "Refund {refundId} of payment {id} refused by Stripe ({code:code})",
  ],
  "payment.refundPending": ["refund", `Payment {id}: refund of ${MONEY} on its way`],
  "payment.refunded": ["refund", `Payment {id}: ${MONEY} refunded`],
  "payment.refundFailed": ["refund", `Payment {id}: refund of ${MONEY} failed ({code:code})`],
  "payment.disputeOpened": ["dispute", `Payment {id} disputed (${MONEY}, {reason:code})`],
  "payment.disputeUpdated": ["dispute", "Dispute of payment {id}: {status:code}"],
  "payment.disputeFundsWithdrawn": ["dispute", `Dispute of payment {id}: ${MONEY} withdrawn`],
  "payment.disputeFundsReinstated": ["dispute", `Dispute of payment {id}: ${MONEY} given back`],
  "payment.disputeClosed": ["dispute", "Dispute of payment {id} closed ({status:code})"],
  "export.begun": ["export", "Export begun, up to sequence {headSeq}"],
  "reading.begun": ["export", "Audit log read, sequences {fromSeq} to {toSeq}"],
};

function valueOf(event: LedgerEvent, name: string, form: string | undefined): string {
  if (name === "id") return idOf(event);
  if (form === "time") return new Date(numberOf(event, name)).toISOString();
  if (form === "code") return textOf(event, name).replaceAll("_", " ");
  return typeof event.data[name] === "number" ? String(numberOf(event, name)) : textOf(event, name);
}

function summaryOf(event: LedgerEvent, words: Words): string {
  const template = typeof words === "string" ? words : words(event);
  return template.replace(/\{(\w+)(?::(\w+))?\}/g, (_, name: string, form: string | undefined) =>
    valueOf(event, name, form),
  );
}

/** The one line that an event gives. Throws a FoldError for a type without words. */
export function auditRow(event: LedgerEvent): AuditRow {
  const line = LINES[event.type];
  if (line === undefined) throw new FoldError(event, "its type has no words");
  const [category, words] = line;
  const { seq, eventId, recordedAt: at, actor, type, stream } = event;
  const summary = summaryOf(event, words);
  return { seq, eventId, at, actor, category, type, stream, summary, ...bornWith(event) };
}
