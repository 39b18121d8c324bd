/** The read models' way to the ledger component: it reads, and has no way to append. */
import type { FunctionArgs, FunctionReturnType } from "convex/server";
import { parseEvent } from "../../ledger/event.ts";
import { components } from "../_generated/api.js";
import type { QueryCtx } from "../_generated/server.js";
import { toDomainEvent, type DomainEvent } from "../events/catalogue/catalogue.ts";

type Ctx = Pick<QueryCtx, "runQuery">;

export type LedgerPage = { entries: { text: string; hash: string }[]; nextAfterSeq: number; isDone: boolean };

export async function readHead(ctx: Ctx, orgId: string): Promise<{ seq: number; hash: string } | null> {
  return await ctx.runQuery(components.events.read.head, { orgId });
}

export async function readRange(
  ctx: Ctx,
  orgId: string,
  afterSeq: number,
  limit: number,
): Promise<LedgerPage> {
  return await ctx.runQuery(components.events.read.range, { orgId, afterSeq, limit });
}

/** The first event of a stream; null when there is none. */
export async function readFirst(ctx: Ctx, orgId: string, stream: string): Promise<DomainEvent | null> {
  const page = await ctx.runQuery(components.events.read.stream, {
    orgId,
    stream,
    afterVersion: 0,
    limit: 1,
  });
  const [entry] = page.entries;
  if (entry === undefined) return null;
  const parsed = parseEvent(JSON.parse(entry.text));
  if (!parsed.ok) throw new Error(`INV-02 the ledger returned a bad event: ${parsed.reason}`);
  return toDomainEvent(parsed.event);
}

type Proofs = typeof components.events.proofs;

export async function readCheckpoint(
  ctx: Ctx,
  args: FunctionArgs<Proofs["checkpoint"]>,
): Promise<FunctionReturnType<Proofs["checkpoint"]>> {
  return await ctx.runQuery(components.events.proofs.checkpoint, args);
}

export async function readCheckpoints(
  ctx: Ctx,
  args: FunctionArgs<Proofs["checkpointsAfter"]>,
): Promise<FunctionReturnType<Proofs["checkpointsAfter"]>> {
  return await ctx.runQuery(components.events.proofs.checkpointsAfter, args);
}

/** Where a checkpoint stands in the log of logs; null until it does. */
export async function readAnchor(
  ctx: Ctx,
  args: FunctionArgs<Proofs["anchor"]>,
): Promise<FunctionReturnType<Proofs["anchor"]>> {
  return await ctx.runQuery(components.events.proofs.anchor, args);
}

/** One event, held against its hash. */
export async function readEvent(
  ctx: Ctx,
  args: FunctionArgs<Proofs["event"]>,
): Promise<FunctionReturnType<Proofs["event"]>> {
  return await ctx.runQuery(components.events.proofs.event, args);
}

export async function readInclusion(
  ctx: Ctx,
  args: FunctionArgs<Proofs["inclusion"]>,
): Promise<FunctionReturnType<Proofs["inclusion"]>> {
  return await ctx.runQuery(components.events.proofs.inclusion, args);
}

export async function readConsistency(
  ctx: Ctx,
  args: FunctionArgs<Proofs["consistency"]>,
): Promise<FunctionReturnType<Proofs["consistency"]>> {
  return await ctx.runQuery(components.events.proofs.consistency, args);
}

export async function readKeys(ctx: Ctx): Promise<FunctionReturnType<Proofs["keys"]>> {
  return await ctx.runQuery(components.events.proofs.keys, {});
}

/** A page of one stream, each event held against its hash. */
export async function readStream(
  ctx: Ctx,
  args: FunctionArgs<typeof components.events.read.stream>,
): Promise<FunctionReturnType<typeof components.events.read.stream>> {
  return await ctx.runQuery(components.events.read.stream, args);
}
