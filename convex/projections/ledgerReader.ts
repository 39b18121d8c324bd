/** The read models' way to the ledger component: it reads, and has no way to append. */
import { components } from "../_generated/api.js";
import type { QueryCtx } from "../_generated/server.js";

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
