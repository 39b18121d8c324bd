/**
 * Reads of the ledger. What the corridor decides on is held against its text and hash on the way out (INV-02);
 * what auditors read is handed out as it is stored, so that damage reaches the one who looks for it.
 */
import { v } from "convex/values";
import { query } from "./_generated/server.js";
import { eventOfRow, IntegrityError } from "./row.ts";

/** Most entries one read returns. */
const LIMIT_MAX = 200;

const entryValidator = v.object({ text: v.string(), hash: v.string() });

function clampLimit(limit: number): number {
  return Math.min(Math.max(1, Math.floor(limit)), LIMIT_MAX);
}

/** Sequence, hash (64 hex) and time of an organisation's newest event; null when it has none. */
export const head = query({
  args: { orgId: v.string() },
  returns: v.union(v.null(), v.object({ seq: v.number(), hash: v.string(), recordedAt: v.number() })),
  handler: async (ctx, { orgId }) => {
    const row = await ctx.db
      .query("heads")
      .withIndex("by_orgId", (q) => q.eq("orgId", orgId))
      .unique();
    return row === null ? null : { seq: row.seq, hash: row.hash, recordedAt: row.recordedAt };
  },
});

/**
 * Up to `limit` (at most 200) entries after a sequence, in order. Not verified: the stored text and hash as they
 * are, for readers who verify the chain themselves.
 */
export const range = query({
  args: { orgId: v.string(), afterSeq: v.number(), limit: v.number() },
  returns: v.object({ entries: v.array(entryValidator), nextAfterSeq: v.number(), isDone: v.boolean() }),
  handler: async (ctx, { orgId, afterSeq, limit }) => {
    const size = clampLimit(limit);
    const rows = await ctx.db
      .query("events")
      .withIndex("by_orgId_and_seq", (q) => q.eq("orgId", orgId).gt("seq", afterSeq))
      .take(size + 1);
    const page = rows.slice(0, size);
    return {
      entries: page.map(({ text, hash }) => ({ text, hash })),
      nextAfterSeq: page.at(-1)?.seq ?? afterSeq,
      isDone: rows.length <= size,
    };
  },
});

/**
 * Up to `limit` (at most 200) entries of one stream after a stream version, in order. Throws IntegrityError on a
 * damaged row and on one that does not follow the version before it: no state is folded past a gap.
 */
export const stream = query({
  args: { orgId: v.string(), stream: v.string(), afterVersion: v.number(), limit: v.number() },
  returns: v.object({ entries: v.array(entryValidator), nextAfterVersion: v.number(), isDone: v.boolean() }),
  handler: async (ctx, args) => {
    const size = clampLimit(args.limit);
    const rows = await ctx.db
      .query("events")
      .withIndex("by_orgId_and_stream_and_streamVersion", (q) =>
        q.eq("orgId", args.orgId).eq("stream", args.stream).gt("streamVersion", args.afterVersion),
      )
      .take(size + 1);
    const page = rows.slice(0, size);
    for (const [offset, row] of page.entries()) {
      const { streamVersion } = eventOfRow(row);
      if (streamVersion === args.afterVersion + 1 + offset) continue;
      throw new IntegrityError(
        "INV-02",
        args.orgId,
        row.seq,
        `a version of ${args.stream} is missing or doubled`,
      );
    }
    return {
      entries: page.map(({ text, hash }) => ({ text, hash })),
      nextAfterVersion: page.at(-1)?.streamVersion ?? args.afterVersion,
      isDone: rows.length <= size,
    };
  },
});

/** What an idempotency key did in an organisation, by actor and command; null when it did nothing. */
export const receipt = query({
  args: { orgId: v.string(), actorId: v.string(), command: v.string(), key: v.string() },
  returns: v.union(
    v.null(),
    v.object({
      fingerprint: v.string(),
      result: v.record(v.string(), v.string()),
      receipt: v.object({
        firstSeq: v.number(),
        lastSeq: v.number(),
        headHash: v.string(),
        eventIds: v.array(v.string()),
      }),
    }),
  ),
  handler: async (ctx, args) => {
    const row = await ctx.db
      .query("receipts")
      .withIndex("by_orgId_and_actorId_and_command_and_key", (q) =>
        q.eq("orgId", args.orgId).eq("actorId", args.actorId).eq("command", args.command).eq("key", args.key),
      )
      .unique();
    if (row === null) return null;
    const { fingerprint, result, firstSeq, lastSeq, headHash, eventIds } = row;
    return { fingerprint, result, receipt: { firstSeq, lastSeq, headHash, eventIds } };
  },
});
