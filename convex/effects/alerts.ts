/**
 * Delivers alerts to the operator's receiver as Standard Webhooks: claim → one signed POST → settle. The message's id
 * is the effect's idempotency key, the same at every attempt, so that a receiver that keeps ids takes each once,
 * whatever happens between the sending and the settling. A message holds ids, kinds and counts.
 */
import { v } from "convex/values";
import { internal } from "../_generated/api.js";
import { internalAction, internalMutation, internalQuery } from "../_generated/server.js";
import {
  admitWaiting,
  alertReceiver,
  alertsOf,
  markDelivered,
  type AlertReceiver,
} from "../access/alerts.ts";
import { settleEffect, type EffectError, type EffectOutcome } from "../access/outbox.ts";
import { outboundUrlProblem } from "../access/outboundUrl.ts";
import { effectErrorValidator } from "../validators.ts";
import { webhookHeaders } from "./standardWebhook.ts";

/** How long the receiver may take to answer, well below the lease. */
const DEADLINE_MS = 10_000;
/** Kinds that one message names; its count tells of all. */
const KINDS_MAX = 20;

const messageValidator = v.object({
  type: v.literal("alert.raised"),
  /** ISO 8601, when the first of them was raised. */
  timestamp: v.string(),
  data: v.object({
    orgId: v.string(),
    alertId: v.string(),
    kind: v.string(),
    userId: v.optional(v.string()),
    /** How many alerts the message stands for, and their kinds. */
    count: v.number(),
    kinds: v.array(v.string()),
  }),
});

/** What a message says; null when there is nothing left to say. */
export const message = internalQuery({
  args: { orgId: v.string(), outboxId: v.string() },
  returns: v.union(v.null(), messageValidator),
  handler: async (ctx, { orgId, outboxId }) => {
    const alerts = await alertsOf(ctx, orgId, outboxId);
    const [first] = alerts;
    if (first === undefined) return null;
    const { alertId, kind, userId } = first;
    const kinds = [...new Set(alerts.map((alert) => alert.kind))].sort().slice(0, KINDS_MAX);
    return {
      type: "alert.raised" as const,
      timestamp: new Date(first.at).toISOString(),
      data: {
        orgId,
        alertId,
        kind,
        ...(userId === undefined ? {} : { userId }),
        count: alerts.length,
        kinds,
      },
    };
  },
});

/** Tells how a delivery went, and marks the alerts in the same transaction. False: another attempt has taken over. */
export const settle = internalMutation({
  args: {
    orgId: v.string(),
    outboxId: v.string(),
    attempt: v.number(),
    outcome: v.union(
      v.object({ status: v.literal("done") }),
      v.object({ status: v.union(v.literal("retry"), v.literal("failed")), error: effectErrorValidator }),
    ),
  },
  returns: v.boolean(),
  handler: async (ctx, { outcome, ...of }) => {
    if (!(await settleEffect(ctx, of, outcome))) return false;
    if (outcome.status === "done") await markDelivered(ctx, of.orgId, of.outboxId);
    await admitWaiting(ctx, of.orgId);
    return true;
  },
});

/** What went wrong with an answer; null when the receiver took the message. */
function problemWith({ status, type }: Response): EffectError | null {
  if (status >= 200 && status < 300) return null;
  // A redirect that is not followed shows as this type, and without a status in browsers' terms.
  if (type === "opaqueredirect" || (status >= 300 && status < 400)) return "RECEIVER_REDIRECTED";
  return status >= 500 ? "RECEIVER_FAILED" : "RECEIVER_REFUSED";
}

/** Sends a message once. No redirect is followed, and no byte of the answer's body is read. */
async function send({ url, secret }: AlertReceiver, id: string, body: string): Promise<EffectOutcome> {
  // Checked at start-up; here for deployments that have none.
  if (outboundUrlProblem(url) !== null) return { status: "failed", error: "NOT_CONFIGURED" };
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...webhookHeaders(secret, { id, at: new Date(), body }),
      },
      body,
      redirect: "manual",
      signal: deadline,
    });
    await response.body?.cancel();
    const error = problemWith(response);
    return error === null ? { status: "done" } : { status: "retry", error };
  } catch {
    return { status: "retry", error: deadline.aborted ? "RECEIVER_TIMED_OUT" : "RECEIVER_UNREACHABLE" };
  }
}

/** Runs one attempt of an effect of the kind `alert.deliver`. */
export const deliver = internalAction({
  args: { orgId: v.string(), outboxId: v.string() },
  returns: v.null(),
  handler: async (ctx, of): Promise<null> => {
    const effect = await ctx.runMutation(internal.effects.outbox.claim, of);
    if (effect === null) return null;
    const receiver = alertReceiver();
    const content = await ctx.runQuery(internal.effects.alerts.message, of);
    let outcome: EffectOutcome = { status: "failed", error: "NOT_CONFIGURED" };
    if (content === null) outcome = { status: "done" };
    else if (receiver !== null)
      outcome = await send(receiver, effect.idempotencyKey, JSON.stringify(content));
    if (outcome.status === "unknown") throw new Error("a delivery of an alert is repeated, never in doubt");
    await ctx.runMutation(internal.effects.alerts.settle, {
      ...of,
      attempt: effect.attempt,
      outcome: outcome.status === "done" ? outcome : { status: outcome.status, error: outcome.error },
    });
    return null;
  },
});
