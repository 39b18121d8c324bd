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

/** One page of the log of logs, held against itself and against the organisations' checkpoints. */
export async function checkLogPage(
  ctx: Pick<MutationCtx, "runQuery">,
  args: FunctionArgs<typeof components.events.treeCheck.logPage>,
): Promise<FunctionReturnType<typeof components.events.treeCheck.logPage>> {
  return await ctx.runQuery(components.events.treeCheck.logPage, args);
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

type Checkpoints = typeof components.events.checkpoints;

/** The organisations of one page that are due for a checkpoint. */
export async function dueForCheckpoint(
  ctx: Pick<MutationCtx, "runQuery">,
  args: FunctionArgs<Checkpoints["due"]>,
): Promise<FunctionReturnType<Checkpoints["due"]>> {
  return await ctx.runQuery(components.events.checkpoints.due, args);
}

/** Makes the checkpoint of an organisation's present head, or finds it made. */
export async function makeCheckpoint(
  ctx: Pick<MutationCtx, "runMutation">,
  orgId: string,
): Promise<FunctionReturnType<Checkpoints["make"]>> {
  return await ctx.runMutation(components.events.checkpoints.make, { orgId });
}

/** Adds some of the events that an organisation's tree lacks. */
export async function catchUpTree(
  ctx: Pick<MutationCtx, "runMutation">,
  orgId: string,
): Promise<FunctionReturnType<typeof components.events.tree.catchUp>> {
  return await ctx.runMutation(components.events.tree.catchUp, { orgId });
}

/** Takes queued checkpoints into the log of logs and signs it. */
export async function extendLogOfLogs(
  ctx: Pick<MutationCtx, "runMutation">,
  args: FunctionArgs<typeof components.events.logOfLogs.extend>,
): Promise<FunctionReturnType<typeof components.events.logOfLogs.extend>> {
  return await ctx.runMutation(components.events.logOfLogs.extend, args);
}

/**
 * Keeps that a tree (an organisation's, or `log`) does not agree with what was signed or witnessed, and tells the
 * platform's log; answers whether that is new.
 */
export async function recordTreeIncident(
  ctx: Pick<MutationCtx, "runMutation">,
  incident: TreeIncident,
): Promise<boolean> {
  const { tree, kind, detail } = incident;
  console.error(`INV-13 ${tree === "log" ? "the log of logs" : tree}: ${kind}, ${detail}`);
  return await ctx.runMutation(components.events.incidents.record, { tree, kind, detail });
}

/** What was found of a tree: an organisation's, or `log`. */
type TreeIncident = { tree: string; kind: string; detail: string };

/** Damage of the log of logs, as an incident. */
export function logDamage({ seq, kind }: { seq: number; kind: string }): TreeIncident {
  return { tree: "log", kind: "damaged", detail: `size ${seq}: ${kind}` };
}

/** That a key of these checkpoints is configured no longer, as an incident of the log of logs. */
export function keyMissingOf(checkpoints: string): TreeIncident {
  return {
    tree: "log",
    kind: "key missing",
    detail: `a key of ${checkpoints} is not in DAYBOOK_CHECKPOINT_KEYS`,
  };
}

/** That a round of the integrity check (milliseconds UTC) never came to its end, as an incident. */
export function checkUnfinished(begunAt: number): TreeIncident {
  return { tree: "log", kind: "check unfinished", detail: `begun at ${new Date(begunAt).toISOString()}` };
}

/** Begins a round of the integrity check; answers when the one before began, if it has no end to this day. */
export async function beginRound(ctx: Pick<MutationCtx, "runMutation">): Promise<number | null> {
  return await ctx.runMutation(components.events.rounds.begin, {});
}

/** Ends the round. */
export async function endRound(ctx: Pick<MutationCtx, "runMutation">): Promise<void> {
  await ctx.runMutation(components.events.rounds.end, {});
}

/** Keeps the witnesses' signature lines of a checkpoint that verify; answers how many are new. */
export async function keepLines(
  ctx: Pick<MutationCtx, "runMutation">,
  args: FunctionArgs<typeof components.events.cosignatures.keep>,
): Promise<number> {
  return await ctx.runMutation(components.events.cosignatures.keep, args);
}
