/**
 * The corridor of providers' deliveries: recorded by the ledger component, then decided like a command, without a
 * caller. All of it is one transaction, so that a failure anywhere leaves nothing behind and the provider asks again.
 *
 * record → lifecycle → load the stream that the component names → decide → append citing the delivery → project →
 * effects; or settle it as nothing, or park it, with an alert. What a frozen organisation was paid is recorded: money
 * moved. Its effects rest. Of a removed organisation only the ledger is left, and the ledger goes on.
 */
import type { FunctionArgs, FunctionReturnType, PaginationOptions, PaginationResult } from "convex/server";
import { ulid } from "ulid";
import { components } from "../_generated/api.js";
import type { ActionCtx, MutationCtx, QueryCtx } from "../_generated/server.js";
import { raiseAlert } from "../access/alerts.ts";
import { listDelivery, type DeliveryRecord } from "../access/deliveryList.ts";
import { integrityFreezeOf, isRemoved } from "../access/lifecycle.ts";
import { recordParked } from "../access/securityLog.ts";
import { accept } from "../domain/decision.ts";
import { payment } from "../domain/payment.ts";
import { decideFact, type FactDecision } from "../domain/paymentFacts.ts";
import { moneyAlerts } from "../domain/paymentAlerts.ts";
import { decideAccountFact, stripeAccount } from "../domain/stripeAccount.ts";
import type { ProviderFact } from "../events/providerFact.ts";
import { giveBodies } from "../vault/rawDeliveries.ts";
import { scheduleEffects } from "./effects.ts";
import { appendDecision, loadAggregate } from "./ledger.ts";
import { project } from "./project.ts";

const { deliveries, parked } = components.events;

type Signed = FunctionArgs<typeof deliveries.receive>;
type Undecided = Extract<FunctionReturnType<typeof deliveries.receive>, { status: "received" }>;

type Settled = { status: "applied" | "nothing" | "parked"; record: DeliveryRecord };

/** What became of a delivery; `listedFor`: the organisation that has rows of it, null when it is nobody's. */
export type Taken =
  { status: "refused"; reason: string } | { status: "duplicate" } | (Settled & { listedFor: string | null });

/** Whether a body is a genuine, fresh delivery; writes nothing. */
export async function checkDelivery(
  ctx: Pick<ActionCtx, "runQuery">,
  signed: Signed,
): Promise<FunctionReturnType<typeof deliveries.check>> {
  return await ctx.runQuery(deliveries.check, signed);
}

type Decided = {
  decision: FactDecision;
  version: number;
  alerts: readonly { kind: string; detail: string }[];
};

async function decide(ctx: MutationCtx, { place, fact: text }: Undecided): Promise<Decided> {
  const { orgId, stream } = place;
  // The component's own canonical text of a ProviderFact.
  const fact = JSON.parse(text) as ProviderFact;
  if (stream.startsWith("payment/")) {
    const { state, version } = await loadAggregate(ctx, orgId, stream, payment);
    const decision = decideFact(state, fact);
    return { decision, version, alerts: moneyAlerts(state, decision) };
  }
  const { state, version } = await loadAggregate(ctx, orgId, stream, stripeAccount);
  return { decision: decideAccountFact(state, fact), version, alerts: [] };
}

async function append(
  ctx: MutationCtx,
  { place, source, record }: Undecided,
  { decision, version, alerts }: Decided & { decision: { kind: "events" } },
): Promise<void> {
  const { orgId, stream } = place;
  const { events } = await appendDecision(ctx, {
    orgId,
    decision: accept(decision.events),
    versions: new Map([[stream, version]]),
    actor: { kind: "provider", id: source.provider },
    source,
    correlationId: `cor_${ulid(Date.now(), Math.random)}`,
  });
  if (await isRemoved(ctx, orgId)) return;
  await project(ctx, orgId, events);
  await scheduleEffects(ctx, orgId, events);
  for (const { kind, detail } of alerts) {
    await raiseAlert(ctx, orgId, { kind, dedupeKey: `${kind} ${record.deliveryId}`, detail });
  }
}

/** Decides a recorded fact and writes what follows from it. */
async function carryOut(ctx: MutationCtx, undecided: Undecided): Promise<Settled> {
  const { record, place } = undecided;
  const { deliveryId } = record;
  const held = await integrityFreezeOf(ctx, place.orgId);
  const decided: Decided =
    // A damaged chain takes no event; the delivery waits until the operator has put it right.
    held === null
      ? await decide(ctx, undecided)
      : { decision: { kind: "park", reason: "LEDGER_FROZEN" }, version: 0, alerts: [] };
  const { decision } = decided;
  switch (decision.kind) {
    case "events":
      await append(ctx, undecided, { ...decided, decision });
      return { status: "applied", record: { ...record, status: "applied", reason: null } };
    case "nothing": {
      const outcome = { status: "nothing" } as const;
      return { ...outcome, record: await ctx.runMutation(deliveries.settle, { deliveryId, outcome }) };
    }
    case "park": {
      const outcome = { status: "parked", reason: decision.reason } as const;
      return { status: "parked", record: await ctx.runMutation(deliveries.settle, { deliveryId, outcome }) };
    }
  }
}

/** Lists a delivery for the organisation that is concerned, tells it of one that was parked, and returns its id. */
async function announce(ctx: MutationCtx, record: DeliveryRecord): Promise<string | null> {
  const { orgId } = record;
  if (orgId === null || (await isRemoved(ctx, orgId))) {
    if (record.status === "parked") {
      console.warn(JSON.stringify({ deliveries: { parked: record.deliveryId, reason: record.reason } }));
    }
    return null;
  }
  const isNews = await listDelivery(ctx, orgId, record);
  // Bodies that came while nobody was concerned go with the organisation from here on.
  await giveBodies(ctx, record.deliveryId, orgId);
  if (record.status === "parked" && isNews) {
    await recordParked(ctx, orgId, { deliveryId: record.deliveryId, reason: record.reason ?? "" });
  }
  return orgId;
}

/** Records a delivery and carries out what it says. Throws on anything that is not the delivery's own fault. */
export async function takeDelivery(ctx: MutationCtx, signed: Signed): Promise<Taken> {
  const received = await ctx.runMutation(deliveries.receive, signed);
  if (received.status === "refused" || received.status === "duplicate") return received;
  const settled = received.status === "received" ? await carryOut(ctx, received) : received;
  return { ...settled, listedFor: await announce(ctx, settled.record) };
}

/** Decides a parked delivery again, from its record; null when there is none that waits. */
export async function retakeDelivery(ctx: MutationCtx, deliveryId: string): Promise<DeliveryRecord | null> {
  const found = await ctx.runQuery(deliveries.reconsider, { deliveryId });
  if (found === null) return null;
  const { record } = found.status === "received" ? await carryOut(ctx, found) : found;
  if (found.status === "parked") {
    const outcome = { status: "parked", reason: record.reason ?? "UNKNOWN_OBJECT" } as const;
    await ctx.runMutation(deliveries.settle, { deliveryId, outcome });
  }
  await announce(ctx, record);
  return record;
}

/** A page of parked deliveries, newest first: over all organisations, or of one, or for one reason. */
export async function parkedDeliveries(
  ctx: Pick<QueryCtx, "runQuery">,
  asked: { orgId?: string; reason?: string },
  { numItems, cursor }: PaginationOptions,
): Promise<PaginationResult<DeliveryRecord>> {
  const before = cursor === null ? null : Number(cursor);
  if (Number.isNaN(before)) throw new Error("the cursor is none of this list's");
  const { records, next } = await ctx.runQuery(parked.list, { ...asked, before, limit: numItems });
  return { page: records, isDone: next === null, continueCursor: next === null ? "" : String(next) };
}

/** Ends parked deliveries of an id for good. */
export async function dismissDelivery(ctx: MutationCtx, deliveryId: string): Promise<DeliveryRecord[]> {
  const dismissed = await ctx.runMutation(deliveries.dismiss, { deliveryId });
  for (const record of dismissed) await announce(ctx, record);
  return dismissed;
}
