import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

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
});
