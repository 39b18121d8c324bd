import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
import {
  actorValidator,
  auditCategoryValidator,
  bookingStatusValidator,
  disputeValidator,
  effectErrorValidator,
  effectKindValidator,
  effectStatusValidator,
  listedDeliveryStatusValidator,
  memberStatusValidator,
  organizationStatusValidator,
  paymentMethodValidator,
  paymentPurposeValidator,
  paymentStatusValidator,
  providerRefundValidator,
  rebuildPhaseValidator,
  refundRequestValidator,
  roleValidator,
  rowsDigestValidator,
  sealedValidator,
  securityOutcomeValidator,
} from "./validators.ts";

/** What every projection row carries: its stream's version and where the row came from. */
const provenance = {
  version: v.number(),
  createdAt: v.number(),
  createdBy: actorValidator,
};

export default defineSchema({
  // Directory tables: look-up key to organisation, read by the files that access/directory.ts names.

  /** Identity to user. Written by access/directory; read by access/principal. The row can be erased; the id remains. */
  users: defineTable({
    userId: v.string(),
    issuer: v.string(),
    subject: v.string(),
    /** The organisation that `session:selectOrganization` chose. */
    selectedOrgId: v.optional(v.string()),
    /** Milliseconds UTC; tokens issued before are refused. Set by `session:revokeOthers`. */
    sessionsValidFrom: v.optional(v.number()),
  })
    .index("by_issuer_and_subject", ["issuer", "subject"])
    .index("by_selectedOrgId", ["selectedOrgId"]),

  /** User to the organisations with an active membership. Written by access/directory from member events; read by projections/organizations. */
  userOrganizations: defineTable({ userId: v.string(), orgId: v.string() })
    .index("by_userId_and_orgId", ["userId", "orgId"])
    .index("by_orgId", ["orgId"]),

  /** SHA-256 of an invitation token to its organisation. Written by access/directory from invitation events; read by commands/members. */
  invitationTokens: defineTable({ tokenHash: v.string(), orgId: v.string() })
    .index("by_tokenHash", ["tokenHash"])
    .index("by_orgId", ["orgId"]),

  /** Idempotency key of a command that needs no organisation to the organisation it took effect in. Written and read by pipeline/signedInMutation. */
  commandKeys: defineTable({
    userId: v.string(),
    command: v.string(),
    key: v.string(),
    orgId: v.string(),
  })
    .index("by_userId_and_command_and_key", ["userId", "command", "key"])
    .index("by_orgId", ["orgId"]),

  /** An identity provider's organisation to ours. Written by access/directory from organisation events; read by access/principal and commands/organizations. */
  providerOrganizations: defineTable({ issuer: v.string(), providerOrgId: v.string(), orgId: v.string() })
    .index("by_issuer_and_providerOrgId", ["issuer", "providerOrgId"])
    .index("by_orgId", ["orgId"]),

  // Tenant tables: projections, written by pipeline/project and projections/rebuild through their folds only.

  /** One row per organisation. Read by access/principal (lifecycle) and projections/organizations. */
  organizations: defineTable({
    orgId: v.string(),
    name: v.string(),
    timeZone: v.string(),
    currency: v.string(),
    status: organizationStatusValidator,
    /** Who froze it; absent unless it is frozen. */
    frozenBy: v.optional(v.union(v.literal("owner"), v.literal("operator"))),
    ...provenance,
  }).index("by_orgId", ["orgId"]),

  /** One row per member, removed ones included. Read by access/principal (role), the deciders' facts and projections/members. */
  members: defineTable({
    orgId: v.string(),
    userId: v.string(),
    role: roleValidator,
    status: memberStatusValidator,
    joinedAt: v.number(),
    /** Milliseconds UTC; tokens issued before are refused here. Absent until sessions were revoked. */
    sessionsValidFrom: v.optional(v.number()),
    ...provenance,
  })
    .index("by_orgId_and_userId", ["orgId", "userId"])
    .index("by_orgId_and_status_and_role", ["orgId", "status", "role"]),

  /** One row per invitation. Read by commands/members, to accept one and to replay one; no client reads it. */
  invitations: defineTable({
    orgId: v.string(),
    invitationId: v.string(),
    role: roleValidator,
    tokenHash: v.string(),
    keyId: v.string(),
    expiresAt: v.number(),
    status: v.union(v.literal("open"), v.literal("accepted"), v.literal("revoked")),
    ...provenance,
  })
    .index("by_orgId_and_invitationId", ["orgId", "invitationId"])
    .index("by_orgId_and_tokenHash", ["orgId", "tokenHash"]),

  /** One row per service. Read by the deciders' facts, projections/services and projections/bookings (name). */
  services: defineTable({
    orgId: v.string(),
    serviceId: v.string(),
    name: v.string(),
    durationMinutes: v.number(),
    priceMinor: v.number(),
    currency: v.string(),
    /** What of the price is asked for first; absent where all of it is. */
    depositMinor: v.optional(v.number()),
    status: v.union(v.literal("active"), v.literal("retired")),
    ...provenance,
  }).index("by_orgId_and_serviceId", ["orgId", "serviceId"]),

  /** One row per booking. Read by the deciders' facts (free slot) and projections/bookings. */
  bookings: defineTable({
    orgId: v.string(),
    bookingId: v.string(),
    serviceId: v.string(),
    startsAt: v.number(),
    endsAt: v.number(),
    status: bookingStatusValidator,
    assigneeId: v.union(v.string(), v.null()),
    /** Whether the booking occupies its assignee's time: requested, confirmed or in progress. */
    holdsSlot: v.boolean(),
    priceMinor: v.number(),
    currency: v.string(),
    depositMinor: v.optional(v.number()),
    ...provenance,
  })
    .index("by_orgId_and_bookingId", ["orgId", "bookingId"])
    .index("by_orgId_and_startsAt", ["orgId", "startsAt"])
    .index("by_orgId_and_status_and_startsAt", ["orgId", "status", "startsAt"])
    .index("by_orgId_and_assigneeId_and_startsAt", ["orgId", "assigneeId", "startsAt"])
    .index("by_orgId_and_assigneeId_and_status_and_startsAt", ["orgId", "assigneeId", "status", "startsAt"])
    .index("by_orgId_and_assigneeId_and_holdsSlot_and_startsAt", [
      "orgId",
      "assigneeId",
      "holdsSlot",
      "startsAt",
    ]),

  /** One row per payment, as domain/payment folds it. Read by commands/payments (what a booking's parts stand at), pipeline/overpayment and projections/payments. */
  payments: defineTable({
    orgId: v.string(),
    paymentId: v.string(),
    bookingId: v.string(),
    purpose: paymentPurposeValidator,
    method: paymentMethodValidator,
    amountMinor: v.number(),
    currency: v.string(),
    /** The organisation's account at the provider; null when the deployment's own takes the money. */
    account: v.union(v.string(), v.null()),
    status: paymentStatusValidator,
    cancelRequested: v.boolean(),
    paymentIntentId: v.union(v.string(), v.null()),
    checkoutSessionId: v.union(v.string(), v.null()),
    /** The provider's time of the last attempt to pay while it counts; 0 otherwise. */
    attemptAt: v.number(),
    refundRequests: v.array(refundRequestValidator),
    providerRefunds: v.array(providerRefundValidator),
    disputes: v.array(disputeValidator),
    ...provenance,
  })
    .index("by_orgId_and_paymentId", ["orgId", "paymentId"])
    .index("by_orgId_and_status_and_paymentId", ["orgId", "status", "paymentId"])
    .index("by_orgId_and_bookingId_and_paymentId", ["orgId", "bookingId", "paymentId"])
    .index("by_orgId_and_bookingId_and_status_and_paymentId", ["orgId", "bookingId", "status", "paymentId"]),

  /** One row per organisation that ever began to link an account at Stripe, as domain/stripeAccount folds it. Read by commands/payments (who takes the money), commands/stripeAccount and projections/stripeAccount. */
  stripeAccounts: defineTable({
    orgId: v.string(),
    linked: v.union(v.object({ account: v.string(), livemode: v.boolean(), linkedAt: v.number() }), v.null()),
    pending: v.union(
      v.object({
        linkId: v.string(),
        userId: v.string(),
        status: v.union(v.literal("begun"), v.literal("returned")),
        expiresAt: v.number(),
      }),
      v.null(),
    ),
    ...provenance,
  }).index("by_orgId", ["orgId"]),

  /** One row per event, in readable words. Read by projections/auditLog. */
  auditLog: defineTable({
    orgId: v.string(),
    seq: v.number(),
    eventId: v.string(),
    at: v.number(),
    actor: actorValidator,
    category: auditCategoryValidator,
    type: v.string(),
    stream: v.string(),
    summary: v.string(),
    ...provenance,
  })
    .index("by_orgId_and_seq", ["orgId", "seq"])
    .index("by_orgId_and_category_and_seq", ["orgId", "category", "seq"]),

  // Tenant tables that are not derived.

  /**
   * The integrity check's freeze, one row while it holds. Outside the ledger, because a damaged chain takes no
   * event. Written by access/lifecycle for workers/integrity and operator/organizations; read by access/lifecycle.
   */
  integrityFreezes: defineTable({
    orgId: v.string(),
    at: v.number(),
    /** Where the damage begins, and its kind. */
    seq: v.number(),
    kind: v.string(),
  }).index("by_orgId", ["orgId"]),

  /** The head that the integrity check last saw whole. Written and read by workers/integrity. */
  verifiedHeads: defineTable({
    orgId: v.string(),
    seq: v.number(),
    hash: v.string(),
    at: v.number(),
  }).index("by_orgId", ["orgId"]),

  /**
   * The tombstone of a closed organisation: all that remains of it besides its ledger. Written by access/lifecycle
   * from organization.closed, and by workers/closing; read by workers/closing and projections/rebuild.
   */
  closedOrganizations: defineTable({
    orgId: v.string(),
    closedAt: v.number(),
    /** From when on workers/closing removes what is derived; until then owners and auditors read. */
    removeAfter: v.number(),
    removedAt: v.union(v.number(), v.null()),
    /** Which operator did not wait for that, and when. */
    broughtForward: v.optional(v.object({ at: v.number(), operator: v.string() })),
  })
    .index("by_orgId", ["orgId"])
    .index("by_removedAt_and_removeAfter", ["removedAt", "removeAfter"]),

  /**
   * Deliveries that concern an organisation, as the ledger component records them. Written by access/deliveryList in
   * the transaction that decides one; read by projections/deliveries.
   */
  deliveries: defineTable({
    orgId: v.string(),
    provider: v.literal("stripe"),
    deliveryId: v.string(),
    bodySha256: v.string(),
    type: v.string(),
    signedAt: v.number(),
    receivedAt: v.number(),
    status: listedDeliveryStatusValidator,
    reason: v.union(v.null(), v.string()),
  })
    .index("by_orgId_and_receivedAt", ["orgId", "receivedAt"])
    .index("by_orgId_and_deliveryId_and_bodySha256", ["orgId", "deliveryId", "bodySha256"]),

  /**
   * Raw bodies of deliveries, sealed and deletable; `orgId` where it is known. Written and read by vault/rawDeliveries,
   * for webhooks/stripe, pipeline/deliveries, operator/deliveries, workers/rawDeliveries and workers/cascade.
   */
  rawDeliveries: defineTable({
    orgId: v.optional(v.string()),
    provider: v.literal("stripe"),
    deliveryId: v.string(),
    bodySha256: v.string(),
    receivedAt: v.number(),
    keyId: v.string(),
    nonce: v.bytes(),
    ciphertext: v.bytes(),
  })
    .index("by_provider_and_deliveryId", ["provider", "deliveryId"])
    .index("by_receivedAt", ["receivedAt"])
    .index("by_orgId", ["orgId"]),

  /**
   * The code that an owner came back from Stripe with, sealed, from then until it is exchanged. Written by
   * commands/stripeAccount; read and removed by the exchange.
   */
  stripeLinks: defineTable({
    orgId: v.string(),
    linkId: v.string(),
    /** Sealed for the place {table: "stripeLinks", orgId, linkId}. */
    sealedCode: sealedValidator,
    /** Milliseconds UTC; Stripe takes it no longer. */
    expiresAt: v.number(),
  }).index("by_orgId_and_linkId", ["orgId", "linkId"]),

  /**
   * What the payer pays with: the PaymentIntent's client secret, or the URL of the provider's page. Never in the
   * ledger and in no read model. Written by the effect that creates the payment; read by projections/payments.
   */
  paymentSecrets: defineTable({
    orgId: v.string(),
    paymentId: v.string(),
    kind: v.union(v.literal("client_secret"), v.literal("url")),
    /** Sealed for the place {table: "paymentSecrets", orgId, paymentId, kind}. */
    sealed: sealedValidator,
  }).index("by_orgId_and_paymentId", ["orgId", "paymentId"]),

  /**
   * The rebuild of an organisation's read models that runs, or that ran last: one row. Written and read by
   * projections/onlineRebuild alone.
   */
  rebuilds: defineTable({
    orgId: v.string(),
    startedAt: v.number(),
    updatedAt: v.number(),
    phase: rebuildPhaseValidator,
    /** Where the phase stands in its table: the how-manieth projection, and after which key or cursor in it. */
    table: v.number(),
    after: v.union(v.null(), v.string()),
    /** The last event that is folded into the shadow: sequence and hash (64 hex). */
    seq: v.number(),
    hash: v.string(),
    /** Rows that were not what the ledger says. */
    repaired: v.number(),
    /** Of the rows as they were read, page by page, between the two heads. */
    before: v.union(v.null(), rowsDigestValidator),
    afterwards: v.union(v.null(), rowsDigestValidator),
    /** A digest that is being made. */
    digesting: v.union(v.null(), rowsDigestValidator),
    problem: v.union(v.null(), v.string()),
  }).index("by_orgId", ["orgId"]),

  /** What a running rebuild has folded so far: rows as canonical JSON. Written and read by projections/onlineRebuild alone, which removes them at its end. */
  shadowRows: defineTable({ orgId: v.string(), table: v.string(), key: v.string(), row: v.string() }).index(
    "by_orgId_and_table_and_key",
    ["orgId", "table", "key"],
  ),

  /** Refused and limited calls, changes of roles and keys, and what jobs and the operator did outside of the ledger. Written by access/securityLog in the transaction that it tells of; read by projections/securityLog and access/securityLogReader (operator). */
  securityLog: defineTable({
    orgId: v.string(),
    at: v.number(),
    outcome: securityOutcomeValidator,
    function: v.string(),
    code: v.string(),
    /** Who: a user, or `system/…` or `operator/…`. */
    userId: v.string(),
    role: v.optional(roleValidator),
    field: v.optional(v.string()),
    /** Ids, positions, codes and kinds only. */
    detail: v.optional(v.string()),
    /** Of the call, as in the host's log. */
    requestId: v.optional(v.string()),
    /** How many this row stands for. */
    count: v.number(),
    /** Of refusals: the beginning of the minute they are counted in, and the how-manieth of the member in it. */
    minute: v.optional(v.number()),
    ordinal: v.optional(v.number()),
  })
    .index("by_orgId_and_at", ["orgId", "at"])
    .index("by_orgId_and_userId_and_minute", ["orgId", "userId", "minute"]),

  /** What owners and the operator have to be told, one row per reason and time. Written by access/alerts in the transaction that found it; read by projections/alerts and effects/alerts. */
  alerts: defineTable({
    orgId: v.string(),
    alertId: v.string(),
    at: v.number(),
    kind: v.string(),
    dedupeKey: v.string(),
    userId: v.optional(v.string()),
    detail: v.optional(v.string()),
    deliveredAt: v.union(v.number(), v.null()),
    /** The effect that delivers it; null while it waits for room in the outbox, absent where nothing receives alerts. */
    outboxId: v.optional(v.union(v.string(), v.null())),
  })
    .index("by_orgId_and_at", ["orgId", "at"])
    .index("by_orgId_and_dedupeKey", ["orgId", "dedupeKey"])
    .index("by_orgId_and_outboxId", ["orgId", "outboxId"]),

  /**
   * Effects in the world, each written in the transaction that causes it and run by an action afterwards. Written
   * by access/outbox for pipeline/effects, access/alerts and the effects' own outcomes; read by access/outbox and,
   * over all organisations, by workers/outbox.
   */
  outbox: defineTable({
    orgId: v.string(),
    outboxId: v.string(),
    kind: effectKindValidator,
    /** The id of what it is about: an alert's, a payment's. */
    subject: v.string(),
    /** The same at every attempt, so that the other side does it once. */
    idempotencyKey: v.string(),
    /** Whether it goes on in an organisation that is frozen or closed. */
    neverRests: v.boolean(),
    status: effectStatusValidator,
    /** How often it was begun; also names the attempt that may tell its outcome. */
    attempts: v.number(),
    /** Milliseconds UTC: when it may be begun; of a running one, when it is taken as lost. */
    notBefore: v.number(),
    createdAt: v.number(),
    updatedAt: v.number(),
    lastError: v.union(effectErrorValidator, v.null()),
  })
    .index("by_orgId_and_outboxId", ["orgId", "outboxId"])
    .index("by_orgId_and_status", ["orgId", "status"])
    .index("by_orgId_and_idempotencyKey", ["orgId", "idempotencyKey"])
    .index("by_status_and_notBefore", ["status", "notBefore"]),
});
