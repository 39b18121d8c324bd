/** Step 8 of the corridor: what events cause in the world is put into the outbox, in the same transaction. */
import { enqueueEffect, wakeEffects, type NewEffect } from "../access/outbox.ts";
import type { MutationCtx } from "../_generated/server.js";
import type { DomainEvent } from "../events/catalogue/catalogue.ts";

/**
 * The effects that an event causes, in order. Pure. An idempotency key is made from the event's id or from what the
 * event names, so that no event causes the same effect twice.
 */
export function effectsOf(event: DomainEvent): readonly NewEffect[] {
  switch (event.type) {
    default:
      return [];
  }
}

/** Writes and schedules the effects of new events, and takes up those that rested when a freeze is lifted. */
export async function scheduleEffects(
  ctx: MutationCtx,
  orgId: string,
  events: readonly DomainEvent[],
): Promise<void> {
  for (const event of events) {
    for (const effect of effectsOf(event)) await enqueueEffect(ctx, orgId, effect);
    if (event.type === "organization.unfrozen") await wakeEffects(ctx, orgId);
  }
}
