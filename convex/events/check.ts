/**
 * The integrity check's reads: the chain of one organisation, page by page, held against itself, and its tree and
 * checkpoints against the chain. A page ends with
 * the position that the next one goes on from, so no call reads more than a page however long the ledger is. The
 * auditor's verifier (ledger/verify) stays the authority: it also tells kinds of damage apart that this one does not.
 */
import { v, type Infer } from "convex/values";
import { genesisHash, sha256Noble } from "../../ledger/hash.ts";
import { query, type QueryCtx } from "./_generated/server.js";
import { catalogueProblem } from "./catalogue/catalogue.ts";
import { eventOfRow, IntegrityError, type EventRow } from "./row.ts";
import { checkTreeEnd, checkTreePage } from "./treeCheck.ts";
import { LOG_OF_LOGS } from "./trees.ts";

const PAGE = 100;

/**
 * Where a check stands: the last event that was sound, by sequence, hash (64 hex) and time, 0 before the first, and the
 * frontier that the tree of these events has, worked out from them alone.
 */
const positionValidator = v.object({
  seq: v.number(),
  hash: v.string(),
  recordedAt: v.number(),
  frontier: v.array(v.string()),
});
type Position = Infer<typeof positionValidator>;

const damageValidator = v.object({ seq: v.number(), kind: v.string() });
type Damage = Infer<typeof damageValidator>;

/** Whether exactly this event has its version in its stream, and the version before it an earlier event. */
async function isInStream(ctx: QueryCtx, row: EventRow): Promise<boolean> {
  const neighbours = await ctx.db
    .query("events")
    .withIndex("by_orgId_and_stream_and_streamVersion", (q) =>
      q
        .eq("orgId", row.orgId)
        .eq("stream", row.stream)
        .gte("streamVersion", row.streamVersion - 1)
        .lte("streamVersion", row.streamVersion),
    )
    .take(3);
  const [before, ...rest] = row.streamVersion === 1 ? [undefined, ...neighbours] : neighbours;
  const isBeforeRight = row.streamVersion === 1 || (before !== undefined && before.seq < row.seq);
  return isBeforeRight && rest.length === 1 && rest[0]?.seq === row.seq;
}

/** The position after a row, or what is wrong with it. */
async function checkRow(ctx: QueryCtx, at: Position, row: EventRow): Promise<Position | Damage> {
  const seq = at.seq + 1;
  if (row.seq > seq) return { seq, kind: "missing" };
  if (row.seq < seq) return { seq: row.seq, kind: "inserted" };
  try {
    const event = eventOfRow(row);
    if (event.prevHash !== at.hash) return { seq, kind: "broken link" };
    if (catalogueProblem(event) !== null) return { seq, kind: "unknown type" };
    if (event.recordedAt < at.recordedAt) return { seq, kind: "time reversed" };
    if (!(await isInStream(ctx, row))) return { seq, kind: "inserted" };
    return { ...at, seq, hash: row.hash, recordedAt: event.recordedAt };
  } catch (error) {
    if (error instanceof IntegrityError || error instanceof SyntaxError) return { seq, kind: "altered" };
    throw error;
  }
}

/** The position after the last of these rows, or what is wrong with one. */
async function checkRows(
  ctx: QueryCtx,
  begin: Position,
  rows: readonly EventRow[],
  knownHead: { seq: number; hash: string } | null,
): Promise<Position | Damage> {
  let at = begin;
  for (const row of rows) {
    const checked = await checkRow(ctx, at, row);
    if ("kind" in checked) return checked;
    at = checked;
    if (knownHead?.seq === at.seq && knownHead.hash !== at.hash) return { seq: at.seq, kind: "altered" };
  }
  return at;
}

/** The head row must be that of the last event. */
async function checkHead(ctx: QueryCtx, orgId: string, last: Position): Promise<Damage | null> {
  const head = await ctx.db
    .query("heads")
    .withIndex("by_orgId", (q) => q.eq("orgId", orgId))
    .unique();
  if (head === null) return { seq: last.seq + 1, kind: "no head" };
  if (head.seq > last.seq) return { seq: last.seq + 1, kind: "truncated" };
  if (head.seq < last.seq) return { seq: head.seq + 1, kind: "inserted" };
  const agrees = head.hash === last.hash && head.recordedAt === last.recordedAt;
  return agrees ? null : { seq: last.seq, kind: "altered head" };
}

/**
 * Checks up to a page of events after a position; without one, from the beginning. `done` comes with the head that
 * the whole chain was found to have. A known head, seen whole before, must still be there.
 */
export const page = query({
  args: {
    orgId: v.string(),
    from: v.optional(positionValidator),
    knownHead: v.union(v.null(), v.object({ seq: v.number(), hash: v.string() })),
  },
  returns: v.union(
    v.object({
      outcome: v.union(v.literal("sound"), v.literal("done")),
      at: positionValidator,
      /** A key that signed one of the page's checkpoints and is configured no longer: nothing verified that signature. */
      missingKey: v.union(v.null(), v.string()),
    }),
    v.object({ outcome: v.literal("damaged"), damage: damageValidator }),
  ),
  handler: async (ctx, { orgId, from, knownHead }) => {
    const begin = from ?? { seq: 0, hash: genesisHash(orgId, sha256Noble), recordedAt: 0, frontier: [] };
    const first = begin.seq;
    const rows = await ctx.db
      .query("events")
      .withIndex("by_orgId_and_seq", (q) => q.eq("orgId", orgId).gt("seq", first))
      .take(PAGE);
    const last = await checkRows(ctx, begin, rows, knownHead);
    if ("kind" in last) return { outcome: "damaged" as const, damage: last };
    const tree = await checkTreePage(
      ctx,
      orgId,
      begin,
      rows.map(({ hash }) => hash),
    );
    if ("kind" in tree) return { outcome: "damaged" as const, damage: tree };
    const { frontier, missingKey } = tree;
    const at: Position = { ...last, frontier };
    if (rows.length === PAGE) return { outcome: "sound" as const, at, missingKey };
    const damage =
      knownHead !== null && knownHead.seq > at.seq
        ? { seq: at.seq + 1, kind: "truncated" }
        : ((await checkHead(ctx, orgId, at)) ?? (await checkTreeEnd(ctx, orgId, at)));
    if (damage !== null) return { outcome: "damaged" as const, damage };
    return { outcome: "done" as const, at, missingKey };
  },
});

/**
 * The organisation that comes after another one in the order of ids; null after the last. One that has events or
 * checkpoints is there too: whoever deletes its head does not take it out of the round.
 */
export const nextOrganization = query({
  args: { after: v.union(v.null(), v.string()) },
  returns: v.union(v.null(), v.string()),
  handler: async (ctx, { after }) => {
    // In the order of names the log of logs comes before every organisation.
    const from = after ?? LOG_OF_LOGS;
    const head = await ctx.db
      .query("heads")
      .withIndex("by_orgId", (q) => q.gt("orgId", from))
      .first();
    const event = await ctx.db
      .query("events")
      .withIndex("by_orgId_and_seq", (q) => q.gt("orgId", from))
      .first();
    const checkpoint = await ctx.db
      .query("checkpoints")
      .withIndex("by_tree_and_size", (q) => q.gt("tree", from))
      .first();
    const named = [head?.orgId, event?.orgId, checkpoint?.tree].filter((orgId) => orgId !== undefined);
    return named.sort().at(0) ?? null;
  },
});
