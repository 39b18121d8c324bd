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
    .index("by_orgId_and_stream_and_streamVersion", ["orgId", "stream", "streamVersion"])
    .index("by_orgId_and_eventId", ["orgId", "eventId"]),

  /**
   * The newest event of each organisation, with the frontier of its Merkle tree: the one contended row of an append.
   * Written by `append`, and by `tree` where the tree is behind the chain; read by `append`, `read`, `check` and the
   * files of the tree.
   */
  heads: defineTable({
    orgId: v.string(),
    seq: v.number(),
    hash: v.string(),
    recordedAt: v.number(),
    /** Leaves of the tree: `seq`, or fewer until `tree` has read the events of a ledger that had no tree. */
    treeSize: v.optional(v.number()),
    /** Roots of the tree's perfect subtrees, the largest first, 64 hex each. */
    frontier: v.optional(v.array(v.string())),
  }).index("by_orgId", ["orgId"]),

  /**
   * The nodes of the Merkle trees at every fourth level, each inserted when it is complete and never updated. `tree` is
   * an organisation's id, or `log` for the log of logs. Row `index` of tile level L is the node at level 4 * L. Leaf
   * hashes are not here: they follow from the events and from `logLeaves`. Written by `append`, `tree` and
   * `logOfLogs`; read by `proofs`, `treeCheck` and what makes checkpoints.
   */
  treeHashes: defineTable({
    tree: v.string(),
    level: v.number(),
    index: v.number(),
    /** 64 hex. */
    hash: v.string(),
  }).index("by_tree_and_level_and_index", ["tree", "level", "index"]),

  /**
   * Signed heads of the trees, one per size, never updated. Written by `checkpoints` and `logOfLogs` once they are
   * proven to agree with the one before; read by `checkpoints`, `logOfLogs`, `proofs`, `treeCheck` and `cosignatures`.
   */
  checkpoints: defineTable({
    tree: v.string(),
    size: v.number(),
    /** 64 hex. */
    root: v.string(),
    /** The signed note, as it is published but for the cosignatures. */
    note: v.string(),
    at: v.number(),
    /** Name of the key that signed, and the key's id (8 hex). */
    keyName: v.string(),
    keyId: v.string(),
  }).index("by_tree_and_size", ["tree", "size"]),

  /** Witnesses' cosignatures of checkpoints, one per witness key and checkpoint. Written by `cosignatures` once verified; read by it and `proofs`. */
  cosignatures: defineTable({
    tree: v.string(),
    size: v.number(),
    witness: v.string(),
    keyId: v.string(),
    /** The signature line of the note, with its newline. */
    line: v.string(),
    /** The witness's time, seconds since the epoch. */
    time: v.number(),
  })
    .index("by_tree_and_size_and_witness_and_keyId", ["tree", "size", "witness", "keyId"])
    .index("by_tree_and_witness_and_keyId_and_size", ["tree", "witness", "keyId", "size"]),

  /** Organisations' checkpoints that the log of logs does not hold yet. Written by `checkpoints`, taken out by `logOfLogs`, which reads them. */
  unloggedCheckpoints: defineTable({ orgId: v.string(), size: v.number() }).index("by_orgId_and_size", [
    "orgId",
    "size",
  ]),

  /** The leaves of the log of logs, in order. Written by `logOfLogs`, never updated; read by `logOfLogs`, `proofs` and `treeCheck`. */
  logLeaves: defineTable({
    index: v.number(),
    /** The organisation's checkpoint that it stands for. */
    orgId: v.string(),
    size: v.number(),
    /** The leaf's hash, 64 hex. */
    hash: v.string(),
  })
    .index("by_index", ["index"])
    .index("by_orgId_and_size", ["orgId", "size"]),

  /** What did not agree with what was signed or witnessed. Written by `incidents`, once per kind and detail, and never changed; read by it for the operator. */
  treeIncidents: defineTable({
    tree: v.string(),
    kind: v.string(),
    detail: v.string(),
    at: v.number(),
  }).index("by_tree_and_kind_and_detail", ["tree", "kind", "detail"]),

  /** The round of the integrity check that runs, or that ran last: one row. Written and read by `rounds`. */
  checkRounds: defineTable({
    begunAt: v.number(),
    /** Null until it comes to its end. */
    endedAt: v.union(v.null(), v.number()),
  }),

  /** The head of the log of logs, one row. Written by `logOfLogs`; read by it, `proofs` and `treeCheck`. No command touches it. */
  logHead: defineTable({ treeSize: v.number(), frontier: v.array(v.string()) }),

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
   * `deliveries` (received, parked, nothing, dismissed) and by `append` (applied); read by both and `parked`. Of the rows of an id
   * one counts, the first, or the first that could be read; any other is a conflict: it stays parked and proves nothing.
   */
  deliveries: defineTable({
    provider: v.literal("stripe"),
    deliveryId: v.string(),
    isConflict: v.boolean(),
    bodySha256: v.string(),
    /** SHA-256 of the event without what changes when it is sent again, 64 hex. Rows without it are known by their body. */
    eventSha256: v.optional(v.string()),
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
    /** Whom it concerns as far as is known; with `stream`, where it took effect. */
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
    .index("by_provider_and_deliveryId_and_eventSha256", ["provider", "deliveryId", "eventSha256"])
    .index("by_status_and_subjectId", ["status", "subjectId"])
    // eslint-disable-next-line @convex-dev/no-duplicate-indexes -- the operator's list is in order of time
    .index("by_status", ["status"])
    .index("by_status_and_reason", ["status", "reason"])
    // eslint-disable-next-line @convex-dev/no-duplicate-indexes -- the operator's list is in order of time
    .index("by_status_and_orgId", ["status", "orgId"])
    .index("by_status_and_orgId_and_reason", ["status", "orgId", "reason"]),

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
