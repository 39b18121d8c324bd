/**
 * The ledger itself, for owners and auditors: canonical texts and hashes as an auditor's script reads them, the signed
 * heads of its tree and the proofs against them. Everybody else proves what they did themselves.
 */
import { v } from "convex/values";
import { z } from "zod";
import { canonicalize } from "../../ledger/canonicalJson.ts";
import { parseEvent, type EventEnvelope } from "../../ledger/event.ts";
import { sha256Noble, toHex } from "../../ledger/hash.ts";
import { idPattern } from "../../ledger/ids.ts";
import { pageLimit, paginationOpts } from "../access/arguments.ts";
import { Refusal } from "../access/errors.ts";
import { requireRelation } from "../access/policy.ts";
import { aggregateOf } from "../domain/aggregates.ts";
import { toDomainEvent } from "../events/catalogue/catalogue.ts";
import {
  readAnchor,
  readCheckpoint,
  readCheckpoints,
  readConsistency,
  readEvent,
  readHead,
  readInclusion,
  readRange,
  readStream,
} from "./ledgerReader.ts";
import type { ProjectionTable } from "./projection.ts";
import { projectionQuery } from "./projectionQuery.ts";
import { checkpointValidator, placeValidator, receiptsOf } from "./proofs.ts";
import { PROJECTIONS } from "./registry.ts";

const STREAM_PAGE = 200;
/** Longest stream that one query folds. */
const STREAM_EVENTS_MAX = 10_000;

const position = z.int().min(1).max(Number.MAX_SAFE_INTEGER);

/** Sequence and hash (64 hex) of the newest event. */
export const head = projectionQuery({
  function: "projections/ledger:head",
  args: {},
  returns: v.object({ orgId: v.string(), seq: v.number(), hash: v.string() }),
  handler: async ({ ctx, member }) => {
    const newest = await readHead(ctx, member.orgId);
    if (newest === null) throw new Refusal("NOT_FOUND");
    return { orgId: member.orgId, seq: newest.seq, hash: newest.hash };
  },
});

/** Events after a sequence, in order: the canonical text that was hashed, and the hash. At most 200 a page. */
export const events = projectionQuery({
  function: "projections/ledger:events",
  args: { afterSeq: z.int().min(0).default(0), limit: pageLimit },
  returns: v.object({
    entries: v.array(v.object({ text: v.string(), hash: v.string() })),
    nextAfterSeq: v.number(),
    isDone: v.boolean(),
  }),
  handler: async ({ ctx, member, args }) => await readRange(ctx, member.orgId, args.afterSeq, args.limit),
});

/**
 * The newest checkpoint, or the one of a size, with its place in the log of logs (null until it is there), at the log's
 * checkpoint that most witnesses cosigned among the newest of those. NOT_FOUND when there is none.
 */
export const checkpoint = projectionQuery({
  function: "projections/ledger:checkpoint",
  args: { size: position.optional() },
  returns: v.object({
    orgId: v.string(),
    checkpoint: checkpointValidator,
    anchor: v.union(v.null(), placeValidator),
  }),
  handler: async ({ ctx, member: { orgId }, args: { size } }) => {
    const found = await readCheckpoint(ctx, { tree: orgId, ...(size === undefined ? {} : { size }) });
    if (found === null) throw new Refusal("NOT_FOUND");
    const anchor = await readAnchor(ctx, { orgId, size: found.size });
    return { orgId, checkpoint: found, anchor };
  },
});

/** The checkpoints after a size, by size, as they are stored. At most 200 a page. */
export const checkpoints = projectionQuery({
  function: "projections/ledger:checkpoints",
  args: { afterSize: z.int().min(0).default(0), limit: pageLimit },
  returns: v.object({
    checkpoints: v.array(checkpointValidator),
    nextAfterSize: v.number(),
    isDone: v.boolean(),
  }),
  handler: async ({ ctx, member: { orgId }, args: { afterSize, limit } }) => {
    const found = await readCheckpoints(ctx, { tree: orgId, afterSize, limit });
    return {
      checkpoints: found,
      nextAfterSize: found.at(-1)?.size ?? afterSize,
      isDone: found.length < limit,
    };
  },
});

function envelopeOf(text: string): EventEnvelope {
  const parsed = parseEvent(JSON.parse(text));
  if (!parsed.ok) throw new Error(`INV-02 the ledger returned a bad event: ${parsed.reason}`);
  return parsed.event;
}

/**
 * What proves one event to somebody who sees no other: its text and hash, its inclusion proof against the newest
 * checkpoint or the one of a size, and the `.tlog-proof` receipts made of them. By `seq` or `eventId`, of which exactly
 * one is given. NOT_FOUND for an event that is not there or not the caller's to prove, CONFLICT while no checkpoint of
 * that size covers it.
 */
export const inclusionProof = projectionQuery({
  function: "projections/ledger:inclusionProof",
  args: {
    seq: position.optional(),
    eventId: z.string().regex(idPattern("evt"), "Must be an id that starts with evt_.").optional(),
    size: position.optional(),
  },
  returns: v.object({
    orgId: v.string(),
    seq: v.number(),
    text: v.string(),
    hash: v.string(),
    place: placeValidator,
    anchor: v.union(v.null(), placeValidator),
    receipt: v.string(),
    anchoredReceipt: v.union(v.null(), v.string()),
  }),
  handler: async ({ ctx, member, condition, args: { seq, eventId, size } }) => {
    if ((seq === undefined) === (eventId === undefined)) throw new Refusal("INVALID", { field: "seq" });
    const { orgId } = member;
    const by = seq === undefined ? {} : { seq };
    const event = await readEvent(ctx, { orgId, ...by, ...(eventId === undefined ? {} : { eventId }) });
    const actor = event === null ? null : envelopeOf(event.text).actor;
    requireRelation(condition, member, { actorId: actor?.kind === "user" ? actor.id : null });
    if (event === null) throw new Refusal("NOT_FOUND");
    const of = { orgId, seq: event.seq, ...(size === undefined ? {} : { size }) };
    const place = await readInclusion(ctx, of);
    if (place === null) throw new Refusal("CONFLICT", { field: "size" });
    const anchor = await readAnchor(ctx, { orgId, size: place.checkpoint.size });
    return { orgId, ...event, place, anchor, ...receiptsOf(event.text, place, anchor) };
  },
});

/**
 * The proof that the tree of one checkpoint begins with that of an earlier one (64 hex each, RFC 9162 §2.1.4), with
 * both. NOT_FOUND when there is no checkpoint of one of the sizes, INVALID when they are the wrong way round.
 */
export const consistencyProof = projectionQuery({
  function: "projections/ledger:consistencyProof",
  args: { fromSize: position, toSize: position },
  returns: v.object({
    orgId: v.string(),
    hashes: v.array(v.string()),
    from: checkpointValidator,
    to: checkpointValidator,
  }),
  handler: async ({ ctx, member: { orgId }, args: { fromSize, toSize } }) => {
    if (fromSize > toSize) throw new Refusal("INVALID", { field: "fromSize" });
    const proof = await readConsistency(ctx, { tree: orgId, fromSize, toSize });
    if (proof === null) throw new Refusal("NOT_FOUND");
    return { orgId, ...proof };
  },
});

/**
 * One aggregate as it was right after a sequence: the state that commands decide on, as canonical JSON, folded from
 * its stream. `version` and `seq` are those of the last event of the stream up to then. NOT_FOUND for a stream that
 * had none, CONFLICT for one of more than 10,000 events.
 */
export const streamAt = projectionQuery({
  function: "projections/ledger:streamAt",
  args: { stream: z.string().min(1).max(128), seq: position },
  returns: v.object({
    orgId: v.string(),
    stream: v.string(),
    seq: v.number(),
    version: v.number(),
    state: v.string(),
  }),
  handler: async ({ ctx, member: { orgId }, args: { stream, seq } }) => {
    const aggregate = aggregateOf(stream);
    if (aggregate === undefined) throw new Refusal("NOT_FOUND");
    let state = aggregate.initial;
    let last: EventEnvelope | undefined;
    for (let read = 0; read < STREAM_EVENTS_MAX; read += STREAM_PAGE) {
      const of = { orgId, stream, afterVersion: last?.streamVersion ?? 0, limit: STREAM_PAGE };
      const page = await readStream(ctx, of);
      const upTo = page.entries.map(({ text }) => envelopeOf(text)).filter((event) => event.seq <= seq);
      for (const event of upTo) state = aggregate.evolve(state, toDomainEvent(event));
      last = upTo.at(-1) ?? last;
      if (!page.isDone && upTo.length === page.entries.length) continue;
      if (last === undefined) throw new Refusal("NOT_FOUND");
      return { orgId, stream, seq: last.seq, version: last.streamVersion, state: canonicalize(state) };
    }
    throw new Refusal("CONFLICT", { field: "stream" });
  },
});

const TABLES = PROJECTIONS.map(({ table }) => table) as [ProjectionTable, ...ProjectionTable[]];

/**
 * A page of the digests of a projection's live rows: key, and SHA-256 (64 hex) of the row's canonical JSON in the form
 * that a rebuild digests. `seq` is the head that the page was read at: rows follow it in the same transaction.
 */
export const rowDigests = projectionQuery({
  function: "projections/ledger:rowDigests",
  args: { table: z.enum(TABLES), paginationOpts },
  returns: v.object({
    seq: v.number(),
    page: v.array(v.object({ key: v.string(), digest: v.string() })),
    isDone: v.boolean(),
    continueCursor: v.string(),
  }),
  handler: async ({ ctx, tenant, member, args }) => {
    const projection = PROJECTIONS.find(({ table }) => table === args.table);
    const newest = await readHead(ctx, member.orgId);
    if (projection === undefined || newest === null) throw new Refusal("NOT_FOUND");
    const { page, isDone, continueCursor } = await projection.page(tenant, args.paginationOpts);
    const digests = page.map(({ key, row }) => {
      const bytes = new TextEncoder().encode(canonicalize(row));
      return { key, digest: toHex(sha256Noble(bytes)) };
    });
    return { seq: newest.seq, page: digests, isDone, continueCursor };
  },
});
