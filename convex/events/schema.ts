import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export const deliveryStatusValidator = v.union(
  v.literal("received"),
  v.literal("applied"),
  v.literal("nothing"),
  v.literal("parked"),
  v.literal("dismissed"),
);

export default defineSchema({
  /**
   * The ledger. Written by `append` only, never updated or deleted; read by `read`.
   * `text` is the canonical event that was hashed and the only source of truth; the other columns exist for the
   * indexes, and one that disagrees with `text` is damage.
   */
  events: defineTable({
    orgId: v.string(),
    seq: v.number(),
    stream: v.string(),
    streamVersion: v.number(),
    type: v.string(),
    eventId: v.string(),
    text: v.string(),
    hash: v.string(),
  })
    .index("by_orgId_and_seq", ["orgId", "seq"])
    .index("by_orgId_and_stream_and_streamVersion", ["orgId", "stream", "streamVersion"]),

  /** The newest event of each organisation: the one contended row of an append. Written by `append`; read by `append` and `read`. */
  heads: defineTable({
    orgId: v.string(),
    seq: v.number(),
    hash: v.string(),
    recordedAt: v.number(),
  }).index("by_orgId", ["orgId"]),

  /**
   * What a command's idempotency key did, kept for ever. Ids only: never a secret, never personal data.
   * Written by `append` with the events it names; read by `read`.
   */
  receipts: defineTable({
    orgId: v.string(),
    actorId: v.string(),
    command: v.string(),
    key: v.string(),
    fingerprint: v.string(),
    result: v.record(v.string(), v.string()),
    firstSeq: v.number(),
    lastSeq: v.number(),
    headHash: v.string(),
    eventIds: v.array(v.string()),
  }).index("by_orgId_and_actorId_and_command_and_key", ["orgId", "actorId", "command", "key"]),

  /**
   * What providers delivered with a right signature, each once for ever, over all organisations (INV-04). Written by
   * `deliveries` (received, parked, nothing, dismissed) and by `append` (applied); read by both. A row whose id was
   * used before for another body is a conflict: it stays parked and proves nothing.
   */
  deliveries: defineTable({
    provider: v.literal("stripe"),
    deliveryId: v.string(),
    isConflict: v.boolean(),
    bodySha256: v.string(),
    /** Seconds since the epoch, from the signature. */
    signedAt: v.number(),
    receivedAt: v.number(),
    account: v.optional(v.string()),
    livemode: v.boolean(),
    apiVersion: v.string(),
    type: v.string(),
    /** Canonical JSON of the ProviderFact; absent when the body states none that is understood. */
    fact: v.optional(v.string()),
    /** The provider's object that tells whom it is about; present with `fact`. */
    subjectId: v.optional(v.string()),
    status: deliveryStatusValidator,
    reason: v.optional(v.string()),
    /** Where it took effect. */
    orgId: v.optional(v.string()),
    stream: v.optional(v.string()),
    eventIds: v.array(v.string()),
  })
    .index("by_provider_and_deliveryId_and_isConflict_and_bodySha256", [
      "provider",
      "deliveryId",
      "isConflict",
      "bodySha256",
    ])
    .index("by_status_and_subjectId", ["status", "subjectId"])
    .index("by_status_and_receivedAt", ["status", "receivedAt"]),

  /**
   * A provider's object (payment intent, checkout session) to the stream it is about, for ever. Written by `append`
   * from payment.created and from what a signed session brings, and by `deliveries` from a session that changes
   * nothing else; read by both.
   */
  providerObjects: defineTable({
    provider: v.literal("stripe"),
    objectId: v.string(),
    orgId: v.string(),
    stream: v.string(),
    /** The account that takes the money; absent: the deployment's own. */
    account: v.optional(v.string()),
  })
    .index("by_provider_and_objectId", ["provider", "objectId"])
    .index("by_orgId_and_stream", ["orgId", "stream"]),

  /** A linked account to its organisation, one each. Written by `append` from stripeAccount.linked and .unlinked; read by `append` and `deliveries`. */
  accountLinks: defineTable({ provider: v.literal("stripe"), account: v.string(), orgId: v.string() })
    .index("by_provider_and_account", ["provider", "account"])
    .index("by_orgId", ["orgId"]),

  /**
   * What counts once per object of a provider whatever delivery says it (R34): that money came, went back, or is
   * disputed. Written and read by `append`.
   */
  countedFacts: defineTable({ provider: v.literal("stripe"), objectId: v.string(), type: v.string() }).index(
    "by_provider_and_objectId_and_type",
    ["provider", "objectId", "type"],
  ),
});
