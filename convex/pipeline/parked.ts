/**
 * Parked deliveries are decided again when what they waited for has happened: the provider's object became known here,
 * an earlier word about it took effect, the organisation's account was linked again, or its chain is held no more. Each
 * in a transaction of its own, from the record.
 */
import { v, type Infer } from "convex/values";
import { components, internal } from "../_generated/api.js";
import type { MutationCtx } from "../_generated/server.js";
import type { DomainEvent } from "../events/catalogue/catalogue.ts";

const PAGE = 50;

const { deliveries, parked } = components.events;

/** What waits for one of the provider's objects, or in an organisation for the passing of a reason. */
export const waitingValidator = v.union(
  v.object({ subjectId: v.string() }),
  v.object({ orgId: v.string(), reason: v.string() }),
);
type Waiting = Infer<typeof waitingValidator>;

function isAwaited({ type, source }: DomainEvent): boolean {
  return type === "payment.created" || (type.startsWith("payment.") && source.kind === "webhook");
}

/** Schedules what waits, a page at a time, oldest first. */
export async function resumeWaiting(ctx: MutationCtx, of: Waiting, after = 0): Promise<void> {
  const { deliveryIds, next } = await ctx.runQuery(parked.waiting, { of, after, limit: PAGE });
  for (const deliveryId of deliveryIds) {
    await ctx.scheduler.runAfter(0, internal.webhooks.stripe.retake, { deliveryId });
  }
  if (next !== null) {
    await ctx.scheduler.runAfter(0, internal.webhooks.stripe.resume, { of, after: next });
  }
}

/** Takes up what waited until the organisation's chain was held no more. */
export async function resumeHeld(ctx: MutationCtx, orgId: string): Promise<void> {
  await resumeWaiting(ctx, { orgId, reason: "LEDGER_FROZEN" });
}

/**
 * Looks for what waited for this event. Runs in its transaction. An account that is linked takes up only what already
 * concerned its organisation: what came while nobody had it, or another one, is not this one's.
 */
export async function followParked(ctx: MutationCtx, event: DomainEvent): Promise<void> {
  const { orgId, stream } = event;
  if (event.type === "stripeAccount.linked") {
    await resumeWaiting(ctx, { orgId, reason: "WRONG_ACCOUNT" });
  }
  if (!isAwaited(event)) return;
  for (const subjectId of await ctx.runQuery(deliveries.objectsOf, { orgId, stream })) {
    await resumeWaiting(ctx, { subjectId });
  }
}
