/**
 * Rebuilds an organisation's read models from its ledger while it works, however long that is. Internal: an operator
 * starts, watches and cancels it. The old rows serve until they are found right or are put right, one by one.
 *
 * Each step is one bounded transaction and schedules the next; where it stands is a row, so a step that is lost is
 * taken up again by `resume`. The phases: digest the rows as they are → fold the ledger page by page into shadow rows →
 * compare every shadow row with its live one, and repair → sweep: take away live rows that no event founded → digest
 * again → clear the shadow. From `compare` on every step first brings the shadow up to the head: live rows follow each
 * event in its own transaction, so what was right once stays right.
 */
import { v, type Infer } from "convex/values";
import { canonicalize } from "../../ledger/canonicalJson.ts";
import type { EventEnvelope } from "../../ledger/event.ts";
import { genesisHash, hashCanonicalEvent, sha256Noble } from "../../ledger/hash.ts";
import { internal } from "../_generated/api.js";
import type { Doc } from "../_generated/dataModel.js";
import { internalMutation, internalQuery, type MutationCtx } from "../_generated/server.js";
import { tombstoneOf } from "../access/lifecycle.ts";
import { tenantReader, tenantWriter, type TenantWriter } from "../access/tenantDb.ts";
import { toDomainEvent } from "../events/catalogue/catalogue.ts";
import { rebuildPhaseValidator, rowsDigestValidator } from "../validators.ts";
import { readHead, readRange } from "./ledgerReader.ts";
import type { AnyRow, Projection } from "./projection.ts";
import { PROJECTIONS } from "./registry.ts";
import { EMPTY_DIGEST, withRows, withTable } from "./rowsDigest.ts";

const EVENTS_PAGE = 200;
const ROWS_PAGE = 100;

type Phase = Infer<typeof rebuildPhaseValidator>;
type State = Omit<Doc<"rebuilds">, "_id" | "_creationTime" | "orgId">;

const ENDS: readonly Phase[] = ["done", "cancelled", "failed"];

/** What a step works with. */
type Step = { ctx: MutationCtx; tenant: TenantWriter; orgId: string };

async function rebuildOf(tenant: TenantWriter): Promise<Doc<"rebuilds"> | null> {
  return await tenant.rows("rebuilds", "by_orgId").unique();
}

async function shadowRow(
  tenant: TenantWriter,
  table: string,
  key: string,
): Promise<Doc<"shadowRows"> | null> {
  return await tenant
    .rows("shadowRows", "by_orgId_and_table_and_key", (q) => q.eq("table", table).eq("key", key))
    .unique();
}

/** The event of the next entry. Throws when the entry does not follow the one before. */
function nextEvent(state: Pick<State, "seq" | "hash">, entry: { text: string; hash: string }): EventEnvelope {
  const event = JSON.parse(entry.text) as EventEnvelope;
  const follows =
    event.seq === state.seq + 1 &&
    event.prevHash === state.hash &&
    hashCanonicalEvent(entry.text, sha256Noble) === entry.hash;
  if (!follows) throw new Error(`INV-02 the chain is damaged at sequence ${state.seq + 1}`);
  return event;
}

/** Shadow rows of one step: each is read once and written once. */
class Shadow {
  readonly #tenant: TenantWriter;
  readonly #rows = new Map<
    string,
    { table: string; key: string; doc: Doc<"shadowRows"> | null; row: AnyRow | null }
  >();

  constructor(tenant: TenantWriter) {
    this.#tenant = tenant;
  }

  async apply(projection: Projection, key: string, event: EventEnvelope): Promise<void> {
    const { table } = projection;
    const name = `${table} ${key}`;
    let held = this.#rows.get(name);
    if (held === undefined) {
      const doc = await shadowRow(this.#tenant, table, key);
      held = { table, key, doc, row: doc === null ? null : (JSON.parse(doc.row) as AnyRow) };
      this.#rows.set(name, held);
    }
    held.row = projection.fold(held.row, toDomainEvent(event)) ?? held.row;
  }

  async write(): Promise<void> {
    for (const { table, key, doc, row } of this.#rows.values()) {
      if (row === null) continue;
      const next = { table, key, row: canonicalize(row) };
      if (doc === null) await this.#tenant.insert("shadowRows", next);
      else if (doc.row !== next.row) await this.#tenant.replace("shadowRows", doc, next);
    }
  }
}

/** Folds the next page of events into the shadow. `isDone`: the shadow is at the head, in this transaction. */
async function follow(step: Step, state: State): Promise<{ state: State; isDone: boolean }> {
  const { ctx, tenant, orgId } = step;
  const page = await readRange(ctx, orgId, state.seq, EVENTS_PAGE);
  const shadow = new Shadow(tenant);
  let { seq, hash } = state;
  for (const entry of page.entries) {
    const event = nextEvent({ seq, hash }, entry);
    for (const projection of PROJECTIONS) {
      const key = projection.key(toDomainEvent(event));
      if (key !== null) await shadow.apply(projection, key, event);
    }
    seq = event.seq;
    ({ hash } = entry);
  }
  await shadow.write();
  if (page.isDone && (await readHead(ctx, orgId))?.hash !== hash) {
    throw new Error(`INV-02 the chain ends at sequence ${seq}, its head does not`);
  }
  return { state: { ...state, seq, hash }, isDone: page.isDone };
}

function begin(state: State, phase: Phase): State {
  return { ...state, phase, table: 0, after: null };
}

/** The next page of a phase that goes through all tables; `next` comes after the last. */
function onward(state: State, cursor: string | null, next: Phase): State {
  if (cursor !== null) return { ...state, after: cursor };
  if (state.table + 1 < PROJECTIONS.length) return { ...state, table: state.table + 1, after: null };
  return begin(state, next);
}

async function digest({ ctx, tenant, orgId }: Step, state: State): Promise<State> {
  const projection = PROJECTIONS[state.table];
  if (projection === undefined) throw new Error("no such projection");
  const seq = (await readHead(ctx, orgId))?.seq ?? 0;
  const known = state.digesting ?? { digest: EMPTY_DIGEST, rows: 0, fromSeq: seq, toSeq: seq };
  const begun = state.after === null ? withTable(known.digest, projection.table) : known.digest;
  const page = await projection.page(tenant, { numItems: ROWS_PAGE, cursor: state.after });
  const digesting = {
    ...known,
    digest: withRows(
      begun,
      page.page.map(({ row }) => row),
    ),
    rows: known.rows + page.page.length,
    toSeq: seq,
  };
  const isBefore = state.phase === "digestBefore";
  const next = onward(state, page.isDone ? null : page.continueCursor, isBefore ? "fold" : "clear");
  if (next.phase === state.phase) return { ...next, digesting };
  return { ...next, digesting: null, ...(isBefore ? { before: digesting } : { afterwards: digesting }) };
}

async function compare({ tenant }: Step, state: State): Promise<State> {
  const projection = PROJECTIONS[state.table];
  if (projection === undefined) throw new Error("no such projection");
  const { table } = projection;
  const rows = await tenant
    .rows("shadowRows", "by_orgId_and_table_and_key", (q) =>
      q.eq("table", table).gt("key", state.after ?? ""),
    )
    .take(ROWS_PAGE);
  let { repaired } = state;
  for (const { key, row } of rows) {
    if (await projection.put(tenant, key, JSON.parse(row) as AnyRow)) repaired += 1;
  }
  const last = rows.length < ROWS_PAGE ? null : (rows.at(-1)?.key ?? null);
  return { ...onward(state, last, "sweep"), repaired };
}

async function sweep({ tenant }: Step, state: State): Promise<State> {
  const projection = PROJECTIONS[state.table];
  if (projection === undefined) throw new Error("no such projection");
  const page = await projection.page(tenant, { numItems: ROWS_PAGE, cursor: state.after });
  let { repaired } = state;
  for (const { key } of page.page) {
    if ((await shadowRow(tenant, projection.table, key)) !== null) continue;
    if (await projection.put(tenant, key, null)) repaired += 1;
  }
  return { ...onward(state, page.isDone ? null : page.continueCursor, "digestAfter"), repaired };
}

/** Removes a page of the shadow; answers whether there may be more. */
async function clear(tenant: TenantWriter): Promise<boolean> {
  const rows = await tenant.rows("shadowRows", "by_orgId_and_table_and_key").take(ROWS_PAGE);
  for (const row of rows) await tenant.remove("shadowRows", row);
  return rows.length === ROWS_PAGE;
}

async function advance(step: Step, state: State): Promise<State> {
  if (state.phase === "digestBefore") return await digest(step, state);
  if (state.phase === "clear") return (await clear(step.tenant)) ? state : { ...state, phase: "done" };
  const followed = await follow(step, state);
  if (!followed.isDone) return followed.state;
  switch (state.phase) {
    case "fold":
      return begin(followed.state, "compare");
    case "compare":
      return await compare(step, followed.state);
    case "sweep":
      return await sweep(step, followed.state);
    default:
      return await digest(step, followed.state);
  }
}

function stateOf({ _id, _creationTime, orgId: _orgId, ...state }: Doc<"rebuilds">): State {
  return state;
}

/** One step of the rebuild that runs; schedules the next until it ends. */
export const step = internalMutation({
  args: { orgId: v.string() },
  returns: rebuildPhaseValidator,
  handler: async (ctx, { orgId }): Promise<Phase> => {
    const tenant = tenantWriter(ctx, orgId);
    const row = await rebuildOf(tenant);
    if (row === null || row.phase === "done") return "done";
    if (ENDS.includes(row.phase)) {
      if (await clear(tenant))
        await ctx.scheduler.runAfter(0, internal.projections.onlineRebuild.step, { orgId });
      return row.phase;
    }
    const state = await advanceOrFail({ ctx, tenant, orgId }, stateOf(row));
    await tenant.replace("rebuilds", row, { ...state, updatedAt: Date.now() });
    if (state.phase !== "done") {
      await ctx.scheduler.runAfter(0, internal.projections.onlineRebuild.step, { orgId });
    }
    return state.phase;
  },
});

/** Nothing is rebuilt from evidence that does not hold, nor of an organisation that was closed. */
async function advanceOrFail(step: Step, state: State): Promise<State> {
  if ((await tombstoneOf(step.ctx, step.orgId)) !== null) {
    return { ...state, phase: "failed", problem: "the organisation was closed" };
  }
  try {
    return await advance(step, state);
  } catch (error) {
    // The chain is held against itself before a live row is touched; the shadow is cleared away.
    if (!(error instanceof Error && error.message.startsWith("INV-02"))) throw error;
    return { ...state, phase: "failed", problem: error.message };
  }
}

/** Begins a rebuild. Throws while one runs, for no organisation and for a closed one. */
export const start = internalMutation({
  args: { orgId: v.string() },
  returns: v.null(),
  handler: async (ctx, { orgId }) => {
    const tenant = tenantWriter(ctx, orgId);
    if ((await readHead(ctx, orgId)) === null) throw new Error("no such organisation");
    if ((await tombstoneOf(ctx, orgId)) !== null) throw new Error("a closed organisation is not rebuilt");
    const row = await rebuildOf(tenant);
    if (row !== null && !ENDS.includes(row.phase))
      throw new Error("a rebuild of this organisation runs already");
    // What a cancelled one left would be taken for its own.
    if ((await tenant.rows("shadowRows", "by_orgId_and_table_and_key").first()) !== null) {
      throw new Error("the rebuild before is still being cleared away");
    }
    const now = Date.now();
    const state: State = {
      startedAt: now,
      updatedAt: now,
      phase: "digestBefore",
      table: 0,
      after: null,
      seq: 0,
      hash: genesisHash(orgId, sha256Noble),
      repaired: 0,
      before: null,
      afterwards: null,
      digesting: null,
      problem: null,
    };
    if (row === null) await tenant.insert("rebuilds", state);
    else await tenant.replace("rebuilds", row, state);
    await ctx.scheduler.runAfter(0, internal.projections.onlineRebuild.step, { orgId });
    return null;
  },
});

/** Takes up a rebuild whose steps have stopped, where it stands. A second chain of steps does no harm. */
export const resume = internalMutation({
  args: { orgId: v.string() },
  returns: v.null(),
  handler: async (ctx, { orgId }) => {
    await ctx.scheduler.runAfter(0, internal.projections.onlineRebuild.step, { orgId });
    return null;
  },
});

/** Ends a rebuild that runs; rows that it put right stay right. Answers whether there was one. */
export const cancel = internalMutation({
  args: { orgId: v.string() },
  returns: v.boolean(),
  handler: async (ctx, { orgId }) => {
    const tenant = tenantWriter(ctx, orgId);
    const row = await rebuildOf(tenant);
    if (row === null || ENDS.includes(row.phase)) return false;
    await tenant.replace("rebuilds", row, { ...stateOf(row), phase: "cancelled", updatedAt: Date.now() });
    await ctx.scheduler.runAfter(0, internal.projections.onlineRebuild.step, { orgId });
    return true;
  },
});

/** How far the rebuild is that runs or ran last; null when there was none. */
export const progress = internalQuery({
  args: { orgId: v.string() },
  returns: v.union(
    v.null(),
    v.object({
      phase: rebuildPhaseValidator,
      startedAt: v.number(),
      updatedAt: v.number(),
      /** Events folded, of so many; and the projection that the phase is at. */
      folded: v.number(),
      events: v.number(),
      table: v.union(v.null(), v.string()),
      repaired: v.number(),
      before: v.union(v.null(), rowsDigestValidator),
      after: v.union(v.null(), rowsDigestValidator),
      problem: v.union(v.null(), v.string()),
    }),
  ),
  handler: async (ctx, { orgId }) => {
    const row = await tenantReader(ctx, orgId).rows("rebuilds", "by_orgId").unique();
    if (row === null) return null;
    const { phase, startedAt, updatedAt, repaired, before, afterwards, problem } = row;
    const table = ENDS.includes(phase) ? null : (PROJECTIONS[row.table]?.table ?? null);
    const events = (await readHead(ctx, orgId))?.seq ?? 0;
    const at = { folded: row.seq, events, table };
    return { phase, startedAt, updatedAt, ...at, repaired, before, after: afterwards, problem };
  },
});
