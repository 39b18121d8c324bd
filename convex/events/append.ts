/**
 * The ledger's only pen (INV-01). Several events go in at once, all or none.
 *
 * Phases: hold what a provider is said to have said against the deliveries that were recorded (INV-04) → read the head
 * and the streams' versions → for each event complete the envelope, hold it against the catalogue (INV-03) and the
 * chain (INV-02), hash it → write events, nodes of the tree, head and receipt → use the cited delivery up.
 *
 * Not yet verified here: that the caller was authorised. The corridor (`convex/pipeline`) is the only caller.
 */
import { v } from "convex/values";
import { ulid } from "ulid";
import { assertLedgerValue, canonicalize } from "../../ledger/canonicalJson.ts";
import { parseEvent, type Actor, type Source } from "../../ledger/event.ts";
import { genesisHash, hashCanonicalEvent, sha256Noble } from "../../ledger/hash.ts";
import { mutation, type MutationCtx } from "./_generated/server.js";
import { catalogueProblem } from "./catalogue/catalogue.ts";
import { fence, follow, useUp } from "./fence.ts";
import { eventOfRow, IntegrityError } from "./row.ts";
import { treeAfterAppend } from "./trees.ts";

const newEventValidator = v.object({
  stream: v.string(),
  /** Version of the stream before this event; 0 for its first. */
  expectedStreamVersion: v.number(),
  type: v.string(),
  typeVersion: v.number(),
  data: v.any(),
});

const receiptValidator = v.object({
  firstSeq: v.number(),
  lastSeq: v.number(),
  headHash: v.string(),
  eventIds: v.array(v.string()),
});

type Head = { seq: number; hash: string; recordedAt: number };

/**
 * The head row, held against the newest event and that against its hash: nothing is linked to a chain whose end was
 * cut, edited or gone past. Throws IntegrityError.
 */
async function readHead(ctx: MutationCtx, orgId: string) {
  const stored = await ctx.db
    .query("heads")
    .withIndex("by_orgId", (q) => q.eq("orgId", orgId))
    .unique();
  const newest = await ctx.db
    .query("events")
    .withIndex("by_orgId_and_seq", (q) => q.eq("orgId", orgId))
    .order("desc")
    .first();
  const agrees =
    stored?.seq === newest?.seq &&
    stored?.hash === newest?.hash &&
    (newest === null || eventOfRow(newest).recordedAt === stored?.recordedAt);
  if (agrees) return stored;
  throw new IntegrityError("INV-02", orgId, stored?.seq ?? 0, "the head is not that of the newest event");
}

/** A ledger begins with its organisation: one that was emptied begins no second time. Throws IntegrityError. */
function requireLedger(orgId: string, stored: object | null, [first]: readonly { type: string }[]): void {
  if (stored !== null || first?.type === "organization.created") return;
  throw new IntegrityError("INV-02", orgId, 0, "there is no ledger to go on with");
}

async function streamVersionOf(ctx: MutationCtx, orgId: string, stream: string): Promise<number> {
  const last = await ctx.db
    .query("events")
    .withIndex("by_orgId_and_stream_and_streamVersion", (q) => q.eq("orgId", orgId).eq("stream", stream))
    .order("desc")
    .first();
  return last?.streamVersion ?? 0;
}

type Envelope = {
  orgId: string;
  correlationId: string;
  actor: Actor;
  source: Source;
  causationId: string | undefined;
};

type NewEvent = {
  stream: string;
  expectedStreamVersion: number;
  type: string;
  typeVersion: number;
  data: unknown;
};

/** Completes, checks and hashes one event on top of `head`. Throws IntegrityError on anything the ledger refuses. */
function sealEvent(head: Head, envelope: Envelope, event: NewEvent, now: number, eventId: string) {
  const { orgId, correlationId, actor, source, causationId } = envelope;
  const seq = head.seq + 1;
  const sealed: unknown = {
    v: 1,
    orgId,
    seq,
    eventId,
    stream: event.stream,
    streamVersion: event.expectedStreamVersion + 1,
    type: event.type,
    typeVersion: event.typeVersion,
    recordedAt: Math.max(now, head.recordedAt),
    actor,
    source,
    correlationId,
    ...(causationId === undefined ? {} : { causationId }),
    data: event.data,
    prevHash: head.hash,
  };
  assertLedgerValue(sealed);
  const parsed = parseEvent(sealed);
  if (!parsed.ok) throw new IntegrityError("INV-02", orgId, seq, parsed.reason);
  const problem = catalogueProblem(parsed.event);
  if (problem !== null) throw new IntegrityError("INV-03", orgId, seq, problem);
  const text = canonicalize(sealed);
  return { event: parsed.event, text, hash: hashCanonicalEvent(text, sha256Noble) };
}

/**
 * Appends events to one organisation's chain. Returns the receipt's positions and the canonical texts (JCS,
 * UTF-8) with their hashes (64 hex). Throws on a stale stream version, an unknown type, a forbidden source, bad data
 * or a provider's word that no recorded delivery holds; then nothing is written.
 */
export const append = mutation({
  args: {
    orgId: v.string(),
    actor: v.any(),
    source: v.any(),
    correlationId: v.string(),
    causationId: v.optional(v.string()),
    events: v.array(newEventValidator),
    receipt: v.optional(
      v.object({
        actorId: v.string(),
        command: v.string(),
        key: v.string(),
        fingerprint: v.string(),
        result: v.record(v.string(), v.string()),
      }),
    ),
  },
  returns: v.object({
    receipt: receiptValidator,
    entries: v.array(v.object({ text: v.string(), hash: v.string() })),
  }),
  handler: async (ctx, args) => {
    const { orgId, receipt } = args;
    if (args.events.length === 0) throw new IntegrityError("INV-02", orgId, 0, "nothing to append");
    // parseEvent refuses any other shape in sealEvent.
    const { actor, source } = args as { actor: Actor; source: Source };
    const citation = await fence(ctx, args);
    const stored = await readHead(ctx, orgId);
    let head: Head = stored ?? { seq: 0, hash: genesisHash(orgId, sha256Noble), recordedAt: 0 };
    const now = Date.now();
    const versions = new Map<string, number>();
    const entries: { text: string; hash: string }[] = [];
    const eventIds: string[] = [];
    for (const event of args.events) {
      const version = versions.get(event.stream) ?? (await streamVersionOf(ctx, orgId, event.stream));
      if (version !== event.expectedStreamVersion) {
        throw new IntegrityError("INV-02", orgId, head.seq + 1, `stale version of ${event.stream}`);
      }
      const causationId = args.causationId ?? eventIds[0];
      const envelope: Envelope = { orgId, correlationId: args.correlationId, actor, source, causationId };
      const sealed = sealEvent(head, envelope, event, now, `evt_${ulid(now, Math.random)}`);
      const { seq, stream, streamVersion, type, eventId, recordedAt } = sealed.event;
      const row = { orgId, seq, stream, streamVersion, type, eventId, text: sealed.text, hash: sealed.hash };
      await ctx.db.insert("events", row);
      await follow(ctx, sealed.event);
      versions.set(stream, streamVersion);
      eventIds.push(eventId);
      entries.push({ text: sealed.text, hash: sealed.hash });
      head = { seq, hash: sealed.hash, recordedAt };
    }
    requireLedger(orgId, stored, args.events);
    const tree = await treeAfterAppend(
      ctx,
      orgId,
      stored ?? { seq: 0 },
      entries.map(({ hash }) => hash),
    );
    if (stored === null) await ctx.db.insert("heads", { orgId, ...head, ...tree });
    else await ctx.db.patch("heads", stored._id, { ...head, ...tree });
    const positions = {
      firstSeq: head.seq - entries.length + 1,
      lastSeq: head.seq,
      headHash: head.hash,
      eventIds,
    };
    if (citation !== null) await useUp(ctx, citation, eventIds);
    if (receipt !== undefined) await ctx.db.insert("receipts", { orgId, ...receipt, ...positions });
    return { receipt: positions, entries };
  },
});
