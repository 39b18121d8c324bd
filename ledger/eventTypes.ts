/** The event types of the format, with the stream, the versions and the sources of each. The server's catalogue covers exactly these. */
import type { SourceLabel } from "./event.ts";

export type StreamKind =
  | "organization"
  | "invitation"
  | "member"
  | "service"
  | "booking"
  | "payment"
  | "stripeAccount"
  | "export"
  | "reading";

export interface EventTypeRule {
  /** The part of the stream's name before the slash. */
  readonly stream: StreamKind;
  readonly versions: readonly number[];
  readonly sources: readonly SourceLabel[];
}

export const EVENT_TYPES = {
  "organization.created": { stream: "organization", versions: [1], sources: ["command"] },
  "organization.renamed": { stream: "organization", versions: [1], sources: ["command"] },
  "organization.frozen": { stream: "organization", versions: [1], sources: ["command", "operator"] },
  "organization.unfrozen": { stream: "organization", versions: [1], sources: ["command", "operator"] },
  "organization.closed": { stream: "organization", versions: [1], sources: ["command"] },
  "organization.providerLinked": { stream: "organization", versions: [1], sources: ["command", "operator"] },
  "organization.providerUnlinked": {
    stream: "organization",
    versions: [1],
    sources: ["command", "operator"],
  },
  "invitation.created": { stream: "invitation", versions: [1], sources: ["command"] },
  "invitation.accepted": { stream: "invitation", versions: [1], sources: ["command"] },
  "invitation.revoked": { stream: "invitation", versions: [1], sources: ["command"] },
  "member.joined": { stream: "member", versions: [1], sources: ["command"] },
  "member.roleChanged": { stream: "member", versions: [1], sources: ["command"] },
  "member.removed": { stream: "member", versions: [1], sources: ["command"] },
  "member.suspended": { stream: "member", versions: [1], sources: ["command"] },
  "member.reinstated": { stream: "member", versions: [1], sources: ["command"] },
  "member.sessionsRevoked": { stream: "member", versions: [1], sources: ["command"] },
  "service.defined": { stream: "service", versions: [1], sources: ["command"] },
  "service.retired": { stream: "service", versions: [1], sources: ["command"] },
  "booking.requested": { stream: "booking", versions: [1], sources: ["command"] },
  "booking.confirmed": { stream: "booking", versions: [1], sources: ["command"] },
  "booking.rescheduled": { stream: "booking", versions: [1], sources: ["command"] },
  "booking.assigned": { stream: "booking", versions: [1], sources: ["command"] },
  "booking.unassigned": { stream: "booking", versions: [1], sources: ["command"] },
  "booking.started": { stream: "booking", versions: [1], sources: ["command"] },
  "booking.completed": { stream: "booking", versions: [1], sources: ["command"] },
  "booking.noShowMarked": { stream: "booking", versions: [1], sources: ["command"] },
  "booking.cancelled": { stream: "booking", versions: [1], sources: ["command"] },
  "stripeAccount.linkBegun": { stream: "stripeAccount", versions: [1], sources: ["command"] },
  "stripeAccount.linkReturned": { stream: "stripeAccount", versions: [1], sources: ["command"] },
  "stripeAccount.linked": { stream: "stripeAccount", versions: [1], sources: ["job"] },
  "stripeAccount.linkFailed": { stream: "stripeAccount", versions: [1], sources: ["job"] },
  "stripeAccount.unlinked": {
    stream: "stripeAccount",
    versions: [1],
    sources: ["command", "job", "webhook/stripe"],
  },
  "payment.requested": { stream: "payment", versions: [1], sources: ["command"] },
  "payment.created": { stream: "payment", versions: [1], sources: ["job"] },
  "payment.creationUnknown": { stream: "payment", versions: [1], sources: ["job"] },
  "payment.creationFailed": { stream: "payment", versions: [1], sources: ["job"] },
  "payment.cancelRequested": { stream: "payment", versions: [1], sources: ["command", "job"] },
  "payment.cancelled": {
    stream: "payment",
    versions: [1],
    sources: ["command", "job", "webhook/stripe"],
  },
  "payment.processing": { stream: "payment", versions: [1], sources: ["webhook/stripe"] },
  "payment.failed": { stream: "payment", versions: [1], sources: ["webhook/stripe"] },
  "payment.confirmed": { stream: "payment", versions: [1], sources: ["webhook/stripe"] },
  "payment.refundRequested": { stream: "payment", versions: [1], sources: ["command"] },
  "payment.refundApproved": { stream: "payment", versions: [1], sources: ["command"] },
  "payment.refundDeclined": { stream: "payment", versions: [1], sources: ["command"] },
  "payment.refundSubmitted": { stream: "payment", versions: [1], sources: ["job"] },
  "payment.refundUnknown": { stream: "payment", versions: [1], sources: ["job"] },
  "payment.refundNotSubmitted": { stream: "payment", versions: [1], sources: ["job"] },
  "payment.refundPending": { stream: "payment", versions: [1], sources: ["webhook/stripe"] },
  "payment.refunded": { stream: "payment", versions: [1], sources: ["webhook/stripe"] },
  "payment.refundFailed": { stream: "payment", versions: [1], sources: ["webhook/stripe"] },
  "payment.disputeOpened": { stream: "payment", versions: [1], sources: ["webhook/stripe"] },
  "payment.disputeUpdated": { stream: "payment", versions: [1], sources: ["webhook/stripe"] },
  "payment.disputeFundsWithdrawn": { stream: "payment", versions: [1], sources: ["webhook/stripe"] },
  "payment.disputeFundsReinstated": { stream: "payment", versions: [1], sources: ["webhook/stripe"] },
  "payment.disputeClosed": { stream: "payment", versions: [1], sources: ["webhook/stripe"] },
  "export.begun": { stream: "export", versions: [1], sources: ["command"] },
  "reading.begun": { stream: "reading", versions: [1], sources: ["command"] },
} as const satisfies Readonly<Record<string, EventTypeRule>>;

export type EventType = keyof typeof EVENT_TYPES;

/** Whether the format knows a type of this name. */
export function isEventType(type: string): type is EventType {
  return Object.hasOwn(EVENT_TYPES, type);
}

/** The prefix of the id after the slash of a stream's name. */
export const STREAM_ID_PREFIX = {
  organization: "org",
  invitation: "inv",
  member: "usr",
  service: "svc",
  booking: "bkg",
  payment: "pay",
  /** One stream an organisation: it has one account at a time. */
  stripeAccount: "org",
  export: "exp",
  reading: "rdg",
} as const satisfies Readonly<Record<StreamKind, string>>;
