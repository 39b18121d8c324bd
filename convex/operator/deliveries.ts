/** What the operator does with deliveries that were parked, and with raw bodies; always from the record. */
import { paginationOptsValidator, paginationResultValidator } from "convex/server";
import { v } from "convex/values";
import { internalMutation, internalQuery, type MutationCtx } from "../_generated/server.js";
import { Refusal } from "../access/errors.ts";
import { isRemoved } from "../access/lifecycle.ts";
import { recordIncident } from "../access/securityLog.ts";
import { dismissDelivery, parkedDeliveries, retakeDelivery } from "../pipeline/deliveries.ts";
import { operatorName, parseOperator } from "../access/operators.ts";
import { rejectedValidator, toRejected, type Rejected } from "../access/errors.ts";
import { openBodies, removeBodies } from "../vault/rawDeliveries.ts";

/** Why a delivery is dismissed. */
const DISMISS_REASONS = ["not_ours", "duplicate", "settled_at_provider", "test", "other"] as const;

const record = v.object({
  provider: v.string(),
  deliveryId: v.string(),
  bodySha256: v.string(),
  type: v.string(),
  signedAt: v.number(),
  receivedAt: v.number(),
  status: v.string(),
  reason: v.union(v.null(), v.string()),
  orgId: v.union(v.null(), v.string()),
});

const decided = v.union(
  v.object({ status: v.literal("committed"), outcome: v.string(), reason: v.union(v.null(), v.string()) }),
  rejectedValidator,
);
type Decided = { status: "committed"; outcome: string; reason: string | null } | Rejected;

async function answer(run: () => Promise<Decided>): Promise<Decided> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return toRejected(error);
  }
}

async function note(
  ctx: MutationCtx,
  of: { orgId: string | null; operator: string; code: string; detail: string },
): Promise<void> {
  const { orgId, operator, code, detail } = of;
  if (orgId === null || (await isRemoved(ctx, orgId))) {
    console.warn(JSON.stringify({ deliveries: { code, operator, detail } }));
    return;
  }
  const incident = { orgId, actor: `operator/${operator}`, function: "operator/deliveries", code, detail };
  await recordIncident(ctx, incident);
}

/** Parked deliveries, newest first, at most 100 a page: over all organisations, or of one, or for one reason. */
export const parked = internalQuery({
  args: {
    orgId: v.optional(v.string()),
    reason: v.optional(v.string()),
    paginationOpts: paginationOptsValidator,
  },
  returns: paginationResultValidator(record),
  handler: async (ctx, { paginationOpts, ...asked }) => await parkedDeliveries(ctx, asked, paginationOpts),
});

/** Decides a parked delivery again, as things stand now; it takes effect, is nothing, or stays parked. */
export const resolve = internalMutation({
  args: { deliveryId: v.string(), operator: operatorName },
  returns: decided,
  handler: async (ctx, { deliveryId, operator }) =>
    await answer(async () => {
      const name = parseOperator(operator);
      const found = await retakeDelivery(ctx, deliveryId);
      if (found === null) throw new Refusal("NOT_FOUND");
      const detail = `${deliveryId} ${found.status}`;
      await note(ctx, { orgId: found.orgId, operator: name, code: "DELIVERY_RESOLVED", detail });
      return { status: "committed", outcome: found.status, reason: found.reason };
    }),
});

/** Ends a parked delivery for good without taking effect. */
export const dismiss = internalMutation({
  args: { deliveryId: v.string(), reason: v.string(), operator: operatorName },
  returns: decided,
  handler: async (ctx, { deliveryId, reason, operator }) =>
    await answer(async () => {
      const name = parseOperator(operator);
      if (!DISMISS_REASONS.some((known) => known === reason)) {
        const message = `Must be one of ${DISMISS_REASONS.join(", ")}.`;
        throw new Refusal("INVALID", { field: "reason", message });
      }
      const [first, ...more] = await dismissDelivery(ctx, deliveryId);
      if (first === undefined) throw new Refusal("NOT_FOUND");
      for (const { orgId } of [first, ...more]) {
        const detail = `${deliveryId} ${reason}`;
        await note(ctx, { orgId, operator: name, code: "DELIVERY_DISMISSED", detail });
      }
      return { status: "committed", outcome: "dismissed", reason };
    }),
});

/** The raw bodies that came under an id, as text; personal data. Throws when one does not open. */
export const raw = internalQuery({
  args: { deliveryId: v.string() },
  returns: v.array(v.object({ bodySha256: v.string(), text: v.string() })),
  handler: async (ctx, { deliveryId }) => {
    const bodies = await openBodies(ctx, deliveryId);
    return bodies.map(({ bodySha256, body }) => ({ bodySha256, text: new TextDecoder().decode(body) }));
  },
});

/** Removes the raw bodies that came under an id and answers how many; the record stays. */
export const removeRaw = internalMutation({
  args: { deliveryId: v.string() },
  returns: v.number(),
  handler: async (ctx, { deliveryId }) => await removeBodies(ctx, deliveryId),
});
