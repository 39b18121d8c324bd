/** The workers' way to the ledger component: to check a chain, and to remove what is no part of it. */
import type { FunctionArgs, FunctionReturnType } from "convex/server";
import { components } from "../_generated/api.js";
import type { MutationCtx } from "../_generated/server.js";

type Page = typeof components.events.check.page;

/** One page of one organisation's chain, held against itself. */
export async function checkPage(
  ctx: Pick<MutationCtx, "runQuery">,
  args: FunctionArgs<Page>,
): Promise<FunctionReturnType<Page>> {
  return await ctx.runQuery(components.events.check.page, args);
}

/** The organisation that comes after another one; null after the last. */
export async function organizationAfter(
  ctx: Pick<MutationCtx, "runQuery">,
  after: string | null,
): Promise<string | null> {
  return await ctx.runQuery(components.events.check.nextOrganization, { after });
}

/** The sequence of an organisation's newest event; 0 when it has none. */
export async function headSeq(ctx: Pick<MutationCtx, "runQuery">, orgId: string): Promise<number> {
  return (await ctx.runQuery(components.events.read.head, { orgId }))?.seq ?? 0;
}

/** Whether an idempotency key has its receipt. */
export async function hasReceipt(
  ctx: Pick<MutationCtx, "runQuery">,
  of: { orgId: string; actorId: string; command: string; key: string },
): Promise<boolean> {
  return (await ctx.runQuery(components.events.read.receipt, of)) !== null;
}

/** Removes up to 200 receipts of a closed organisation; returns how many. */
export async function removeReceipts(ctx: Pick<MutationCtx, "runMutation">, orgId: string): Promise<number> {
  return await ctx.runMutation(components.events.receipts.removeOfClosed, { orgId });
}
