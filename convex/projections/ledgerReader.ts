/** The read models' way to the ledger component: it reads, and has no way to append. */
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
