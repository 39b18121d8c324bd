/** Step 8 of the corridor: what events cause in the world is put into the outbox, in the same transaction. */
import { enqueueEffect, wakeEffects, type NewEffect } from "../access/outbox.ts";
import type { MutationCtx } from "../_generated/server.js";
import type { DomainEvent } from "../events/catalogue/catalogue.ts";

/**
 * The effects that an event causes, in order. Pure. An idempotency key is made from the event's id or from what the
 * event names, so that no event causes the same effect twice.
 */
export function effectsOf(event: DomainEvent): readonly NewEffect[] {
  const id = event.stream.slice(event.stream.indexOf("/") + 1);
  const effect = (kind: NewEffect["kind"], subject = id): readonly NewEffect[] => [
    { kind, subject, idempotencyKey: `${kind}:${event.eventId}` },
  ];
  switch (event.type) {
    case "payment.requested":
      return effect("stripe.createPayment");
    case "payment.creationUnknown":
      return effect("stripe.findPayment");
    case "payment.cancelRequested":
      return effect("stripe.cancelPayment");
    case "payment.refundRequested":
      return event.data.needsApproval ? [] : effect("stripe.createRefund", `${id} ${event.data.refundId}`);
    case "payment.refundApproved":
      return effect("stripe.createRefund", `${id} ${event.data.refundId}`);
    case "payment.refundUnknown":
      return effect("stripe.findRefund", `${id} ${event.data.refundId}`);
    case "stripeAccount.linkReturned":
      return effect("stripe.exchangeCode", event.data.linkId);
    case "stripeAccount.unlinked":
      // What Stripe itself ended needs no ending there.
      return event.data.reason === "owner_request" ? effect("stripe.deauthorize", event.data.account) : [];
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
