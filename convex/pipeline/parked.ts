/**
 * Deliveries that came too early are decided again when what they waited for has happened: the provider's object became
 * known here, or an earlier word about it took effect. Each in a transaction of its own, from the record.
 */
import { components, internal } from "../_generated/api.js";
import type { MutationCtx } from "../_generated/server.js";
import type { DomainEvent } from "../events/catalogue/catalogue.ts";

const PAGE = 50;

const { deliveries } = components.events;

function isAwaited({ type, source }: DomainEvent): boolean {
  return type === "payment.created" || (type.startsWith("payment.") && source.kind === "webhook");
}

/** Schedules what waits for one of the provider's objects, a page at a time, oldest first. */
export async function resumeWaiting(
  ctx: MutationCtx,
  { subjectId, after }: { subjectId: string; after: number },
): Promise<void> {
  const { deliveryIds, next } = await ctx.runQuery(deliveries.waiting, { subjectId, after, limit: PAGE });
  for (const deliveryId of deliveryIds) {
    await ctx.scheduler.runAfter(0, internal.webhooks.stripe.retake, { deliveryId });
  }
  if (next !== null) {
    await ctx.scheduler.runAfter(0, internal.webhooks.stripe.resume, { subjectId, after: next });
  }
}

/** Looks for what waited for this event. Runs in its transaction. */
export async function followParked(ctx: MutationCtx, event: DomainEvent): Promise<void> {
  if (!isAwaited(event)) return;
  const { orgId, stream } = event;
  for (const subjectId of await ctx.runQuery(deliveries.objectsOf, { orgId, stream })) {
    await resumeWaiting(ctx, { subjectId, after: 0 });
  }
}
