/**
 * The outbox: what an organisation wants done in the world. A row commits with its cause, and an action does it
 * afterwards, in this order: claim (one transaction: the row is this attempt's, for the time of a lease) → the world →
 * settle (one transaction: how it went). The host runs an action at most once, so workers/outbox goes through what
 * is due and what has been running for longer than its lease. So an effect is tried at least once; that it happens at most
 * once is the other side's doing, by the key that every attempt repeats.
 */
import type { FunctionReference } from "convex/server";
import { ulid } from "ulid";
import { internal } from "../_generated/api.js";
import type { Doc } from "../_generated/dataModel.js";
import type { MutationCtx } from "../_generated/server.js";
import { isRemoved, organizationOf } from "./lifecycle.ts";
import { tenantReader, tenantWriter } from "./tenantDb.ts";

export type EffectKind = Doc<"outbox">["kind"];
export type EffectError = NonNullable<Doc<"outbox">["lastError"]>;

/** An effect as its cause names it. */
export type NewEffect = { kind: EffectKind; subject: string; idempotencyKey: string };

/**
 * An effect as its action gets it. `attempt` counts from 1 and goes back with the outcome; `isTakenOver` says that the
 * attempt before it never told its own, and `createdAt` (milliseconds UTC) when the effect was caused.
 */
export type ClaimedEffect = NewEffect & { attempt: number; isTakenOver: boolean; createdAt: number };

/** How an attempt went: `retry` tries again, as often as ATTEMPTS_MAX allows. */
export type EffectOutcome =
  { status: "done" } | { status: "retry" | "failed" | "unknown"; error: EffectError };

/** How long an attempt may take before it is taken as lost. */
export const LEASE_MS = 60_000;
export const ATTEMPTS_MAX = 12;
const FIRST_RETRY_MS = 30_000;
const RETRY_MS_MAX = 6 * 60 * 60 * 1000;
/** When an effect of an organisation that rests is looked at again, if nothing wakes it before. */
const REST_MS = 5 * 60_000;
/** What may wait in one organisation before alerts share a row. */
export const PENDING_MAX = 100;

/** Which action runs what. Each takes the row's organisation and id, and claims before anything else. */
const ACTIONS: Readonly<
  Record<EffectKind, FunctionReference<"action", "internal", { orgId: string; outboxId: string }>>
> = {
  "alert.deliver": internal.effects.alerts.deliver,
  "stripe.createPayment": internal.effects.payments.run,
  "stripe.findPayment": internal.effects.payments.run,
  "stripe.cancelPayment": internal.effects.payments.run,
  "stripe.createRefund": internal.effects.refunds.run,
  "stripe.findRefund": internal.effects.refunds.run,
  "stripe.exchangeCode": internal.effects.stripeAccounts.run,
  "stripe.deauthorize": internal.effects.stripeAccounts.run,
};

/** How long to wait after a failed attempt, counted from 1: doubling from half a minute, six hours at most. */
export function retryDelayMs(attempt: number): number {
  return Math.min(FIRST_RETRY_MS * 2 ** (attempt - 1), RETRY_MS_MAX);
}

/** Schedules the action of a row, at once or at a moment in milliseconds UTC. */
export async function scheduleEffect(
  ctx: Pick<MutationCtx, "scheduler">,
  { orgId, outboxId, kind }: Pick<Doc<"outbox">, "orgId" | "outboxId" | "kind">,
  atMs?: number,
): Promise<void> {
  const args = { orgId, outboxId };
  if (atMs === undefined) await ctx.scheduler.runAfter(0, ACTIONS[kind], args);
  else await ctx.scheduler.runAt(atMs, ACTIONS[kind], args);
}

/**
 * Writes an effect and schedules it; returns its id, which is the one that is there when the organisation has
 * one with the same idempotency key. `neverRests`: it goes on in a frozen and in a closed organisation.
 */
export async function enqueueEffect(
  ctx: MutationCtx,
  orgId: string,
  effect: NewEffect,
  { neverRests }: { neverRests: boolean } = { neverRests: false },
): Promise<string> {
  const tenant = tenantWriter(ctx, orgId);
  const known = await tenant
    .rows("outbox", "by_orgId_and_idempotencyKey", (q) => q.eq("idempotencyKey", effect.idempotencyKey))
    .first();
  if (known !== null) return known.outboxId;
  const now = Date.now();
  const outboxId = `out_${ulid(now, Math.random)}`;
  await tenant.insert("outbox", {
    ...effect,
    outboxId,
    neverRests,
    status: "pending",
    attempts: 0,
    notBefore: now,
    createdAt: now,
    updatedAt: now,
    lastError: null,
  });
  await scheduleEffect(ctx, { orgId, outboxId, kind: effect.kind });
  return outboxId;
}

/** Whether fewer effects wait than may. */
export async function hasRoom(ctx: Pick<MutationCtx, "db">, orgId: string): Promise<boolean> {
  const waiting = tenantReader(ctx, orgId).rows("outbox", "by_orgId_and_status", (q) =>
    q.eq("status", "pending"),
  );
  return (await waiting.take(PENDING_MAX)).length < PENDING_MAX;
}

async function findEffect(
  ctx: Pick<MutationCtx, "db">,
  orgId: string,
  outboxId: string,
): Promise<Doc<"outbox"> | null> {
  return await tenantReader(ctx, orgId)
    .rows("outbox", "by_orgId_and_outboxId", (q) => q.eq("outboxId", outboxId))
    .unique();
}

/**
 * Throws INV-09 unless an effect of the organisation is of one of these kinds and about this subject: whoever names
 * another one has no answer about it. Of a removed organisation no row is left that could say so.
 */
export async function requireEffect(
  ctx: Pick<MutationCtx, "db">,
  { orgId, outboxId }: { orgId: string; outboxId: string },
  kinds: readonly EffectKind[],
  subject: string,
): Promise<void> {
  const row = await findEffect(ctx, orgId, outboxId);
  if (row === null && (await isRemoved(ctx, orgId))) return;
  if (row === null || !kinds.includes(row.kind) || row.subject !== subject) {
    throw new Error(`INV-09 no effect of this kind is about ${subject}`);
  }
}

async function change(
  ctx: Pick<MutationCtx, "db">,
  current: Doc<"outbox">,
  to: Partial<Pick<Doc<"outbox">, "status" | "attempts" | "notBefore" | "lastError">>,
): Promise<void> {
  const { _id, _creationTime, orgId, ...row } = current;
  await tenantWriter(ctx, orgId).replace("outbox", current, { ...row, ...to, updatedAt: Date.now() });
}

/**
 * Makes a due effect the caller's for LEASE_MS, a running one too whose lease has ended. Returns null when there
 * is nothing to do: it is not there, not due, another's, at an end, or its organisation is frozen, closed or gone.
 */
export async function claimEffect(
  ctx: MutationCtx,
  { orgId, outboxId }: { orgId: string; outboxId: string },
): Promise<ClaimedEffect | null> {
  const row = await findEffect(ctx, orgId, outboxId);
  const now = Date.now();
  if (row === null || (row.status !== "pending" && row.status !== "running") || row.notBefore > now) {
    return null;
  }
  if (!row.neverRests && (await organizationOf(ctx, orgId))?.lifecycle.status !== "active") {
    await change(ctx, row, { status: "pending", notBefore: now + REST_MS, lastError: "ORGANIZATION_RESTS" });
    return null;
  }
  const attempt = row.attempts + 1;
  await change(ctx, row, { status: "running", attempts: attempt, notBefore: now + LEASE_MS });
  const { kind, subject, idempotencyKey, createdAt } = row;
  return { kind, subject, idempotencyKey, attempt, isTakenOver: row.status === "running", createdAt };
}

/**
 * Tells how an attempt went. Returns false, and changes nothing, when the attempt is not the one that runs: its lease
 * has ended and another has begun, or it was settled. What an outcome changes besides belongs in the same transaction.
 */
export async function settleEffect(
  ctx: MutationCtx,
  { orgId, outboxId, attempt }: { orgId: string; outboxId: string; attempt: number },
  outcome: EffectOutcome,
): Promise<boolean> {
  const row = await findEffect(ctx, orgId, outboxId);
  if (row === null || row.status !== "running" || row.attempts !== attempt) return false;
  if (outcome.status === "done") {
    await change(ctx, row, { status: "done", lastError: null });
    return true;
  }
  if (outcome.status !== "retry" || attempt >= ATTEMPTS_MAX) {
    const status = outcome.status === "retry" ? "failed" : outcome.status;
    await change(ctx, row, { status, lastError: outcome.error });
    return true;
  }
  const notBefore = Date.now() + retryDelayMs(attempt);
  await change(ctx, row, { status: "pending", notBefore, lastError: outcome.error });
  await scheduleEffect(ctx, row, notBefore);
  return true;
}

/** Ends an effect that was in doubt: what became of it is known by now. */
export async function endDoubt(ctx: Pick<MutationCtx, "db">, effect: Doc<"outbox">): Promise<void> {
  if (effect.status === "unknown") await change(ctx, effect, { status: "done", lastError: null });
}

/** Takes up what rested while an organisation was frozen. */
export async function wakeEffects(ctx: MutationCtx, orgId: string): Promise<void> {
  const waiting = await tenantReader(ctx, orgId)
    .rows("outbox", "by_orgId_and_status", (q) => q.eq("status", "pending"))
    .take(2 * PENDING_MAX);
  for (const row of waiting) {
    if (row.lastError !== "ORGANIZATION_RESTS") continue;
    await change(ctx, row, { notBefore: Date.now(), lastError: null });
    await scheduleEffect(ctx, row);
  }
}

/**
 * Makes what waits, has failed or hangs due at once, and returns how many. An attempt that still runs can't tell its
 * outcome any more; the other side sees the same key again. What is in doubt is not touched: somebody has to look first.
 */
export async function retryEffects(ctx: MutationCtx, orgId: string): Promise<number> {
  let count = 0;
  for (const status of ["pending", "failed", "running"] as const) {
    const rows = await tenantReader(ctx, orgId)
      .rows("outbox", "by_orgId_and_status", (q) => q.eq("status", status))
      .take(PENDING_MAX - count);
    for (const row of rows) {
      await change(ctx, row, { status: "pending", notBefore: Date.now() });
      await scheduleEffect(ctx, row);
    }
    count += rows.length;
    if (count === PENDING_MAX) break;
  }
  return count;
}
