/**
 * Rebuilds an organisation's read models from its ledger, and digests them. Internal: an operator calls it with
 * the deployment's key. One transaction puts all rows right, so subscribers never see half of it; an organisation
 * whose ledger is too long for one transaction is refused before anything is touched.
 */
import { v } from "convex/values";
import type { EventEnvelope } from "../../ledger/event.ts";
import { sha256Noble } from "../../ledger/hash.ts";
import { createVerifier } from "../../ledger/verify.ts";
import { internalMutation, internalQuery, type QueryCtx } from "../_generated/server.js";
import { tombstoneOf } from "../access/lifecycle.ts";
import { tenantReader, tenantWriter, type TenantReader } from "../access/tenantDb.ts";
import { toDomainEvent } from "../events/catalogue/catalogue.ts";
import { readHead, readRange } from "./ledgerReader.ts";
import type { AnyRow, Projection } from "./projection.ts";
import { PROJECTIONS } from "./registry.ts";
import { EMPTY_DIGEST, withRows, withTable } from "./rowsDigest.ts";

/**
 * Longest ledger that one transaction rebuilds. Each event is read once, and up to two rows of it twice: of Convex's
 * 32,000 documents read. Only rows that differ are written; more than 4,000 of them end the transaction at Convex's
 * own limit, with nothing changed.
 */
const EVENTS_MAX = 5_000;
/** No ledger founds more rows than this: each event one audit line, and at most one row besides. */
const ROWS_MAX = 2 * EVENTS_MAX;
const PAGE = 200;

/** Each projection's rows, in the order of their keys. */
type Content = ReadonlyMap<Projection, Iterable<AnyRow>>;

/** The digest (64 hex) over every projection's rows, in the order of projections and keys; see `rowsDigest`. */
function digestOf(content: Content): { digest: string; rows: number } {
  let digest = EMPTY_DIGEST;
  let rows = 0;
  for (const projection of PROJECTIONS) {
    const ofTable = [...(content.get(projection) ?? [])];
    rows += ofTable.length;
    digest = withRows(withTable(digest, projection.table), ofTable);
  }
  return { digest, rows };
}

async function readContent(tenant: TenantReader): Promise<Content> {
  const content = new Map<Projection, AnyRow[]>();
  for (const projection of PROJECTIONS) {
    const rows = await projection.read(tenant, ROWS_MAX + 1);
    if (rows.length > ROWS_MAX)
      throw new Error("too many rows to digest in one transaction: use projections/rebuild:digestPage");
    content.set(projection, rows);
  }
  return content;
}

type Head = { seq: number; hash: string };

/**
 * Folds a whole ledger in memory; each projection's rows come out in the order of their keys. Throws when the
 * chain is damaged or does not end in `head`: nothing is rebuilt from evidence that does not hold.
 */
async function replay(
  ctx: Pick<QueryCtx, "runQuery">,
  orgId: string,
  head: Head,
): Promise<ReadonlyMap<Projection, ReadonlyMap<string, AnyRow>>> {
  const verifier = createVerifier({ orgId, sha256: sha256Noble, knownHeads: [{ ...head, isLast: true }] });
  const rows = new Map(PROJECTIONS.map((projection) => [projection, new Map<string, AnyRow>()]));
  let afterSeq = 0;
  for (;;) {
    const page = await readRange(ctx, orgId, afterSeq, PAGE);
    for (const entry of page.entries) {
      verifier.push(entry);
      const event = toDomainEvent(JSON.parse(entry.text) as EventEnvelope);
      for (const [projection, ofTable] of rows) {
        const key = projection.key(event);
        if (key === null) continue;
        const next = projection.fold(ofTable.get(key) ?? null, event);
        if (next !== null) ofTable.set(key, next);
      }
    }
    afterSeq = page.nextAfterSeq;
    if (page.isDone) break;
  }
  const { damage } = verifier.finish();
  if (damage !== undefined) throw new Error(`INV-02 ${orgId} sequence ${damage.seq}: ${damage.kind}`);
  const inKeyOrder = (ofTable: Map<string, AnyRow>): Map<string, AnyRow> =>
    new Map([...ofTable].sort(([a], [b]) => compareKeys(a, b)));
  return new Map([...rows].map(([projection, ofTable]) => [projection, inKeyOrder(ofTable)]));
}

/** Keys are sequences or ids with one prefix: shorter numbers come first, ids compare as text. */
function compareKeys(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : 1;
}

const digestFields = { seq: v.number(), digest: v.string(), rows: v.number() };

const digestPositionValidator = v.object({
  table: v.number(),
  cursor: v.union(v.null(), v.string()),
  digest: v.string(),
  rows: v.number(),
});

/** The digest of an organisation's read models at its head. */
export const digest = internalQuery({
  args: { orgId: v.string() },
  returns: v.object(digestFields),
  handler: async (ctx, { orgId }) => {
    const head = await readHead(ctx, orgId);
    return { seq: head?.seq ?? 0, ...digestOf(await readContent(tenantReader(ctx, orgId))) };
  },
});

/**
 * A part of the digest of read models that are too many for one transaction: up to 200 rows after a position, without
 * one from the beginning. `next` is where to go on; null with the digest complete. It is that of one moment where
 * `seq` is the same in every answer.
 */
export const digestPage = internalQuery({
  args: { orgId: v.string(), at: v.optional(digestPositionValidator) },
  returns: v.object({ ...digestFields, next: v.union(v.null(), digestPositionValidator) }),
  handler: async (ctx, { orgId, at }) => {
    const from = at ?? { table: 0, cursor: null, digest: EMPTY_DIGEST, rows: 0 };
    const projection = PROJECTIONS[from.table];
    if (projection === undefined) throw new Error("no such projection");
    const head = await readHead(ctx, orgId);
    const begun = from.cursor === null ? withTable(from.digest, projection.table) : from.digest;
    const options = { numItems: PAGE, cursor: from.cursor };
    const page = await projection.page(tenantReader(ctx, orgId), options);
    const digest = withRows(
      begun,
      page.page.map(({ row }) => row),
    );
    const rows = from.rows + page.page.length;
    const table = page.isDone ? from.table + 1 : from.table;
    const cursor = page.isDone ? null : page.continueCursor;
    const next = table < PROJECTIONS.length ? { table, cursor, digest, rows } : null;
    return { seq: head?.seq ?? 0, digest, rows, next };
  },
});

/** Makes all read models of an organisation what a replay of its ledger gives. */
export const run = internalMutation({
  args: { orgId: v.string() },
  returns: v.object({ ...digestFields, digestBefore: v.string() }),
  handler: async (ctx, { orgId }) => {
    const head = await readHead(ctx, orgId);
    if (head === null) throw new Error("no such organisation");
    if ((await tombstoneOf(ctx, orgId)) !== null) throw new Error("a closed organisation is not rebuilt");
    if (head.seq > EVENTS_MAX) {
      throw new Error(
        `${head.seq} events are too many to rebuild in one transaction (at most ${EVENTS_MAX}): use projections/onlineRebuild:start`,
      );
    }
    const tenant = tenantWriter(ctx, orgId);
    const before = digestOf(await readContent(tenant));
    const content = await replay(ctx, orgId, head);
    for (const [projection, rows] of content) await projection.reconcile(tenant, rows, ROWS_MAX);
    const rebuilt = new Map([...content].map(([projection, rows]) => [projection, rows.values()]));
    return { seq: head.seq, ...digestOf(rebuilt), digestBefore: before.digest };
  },
});
