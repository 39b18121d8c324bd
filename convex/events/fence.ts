/**
 * What `append` asks of events about money before it writes them (INV-04). An event whose source is a webhook must
 * cite a delivery that this component recorded with a right signature, that was not used before, and must say exactly
 * what that delivery's fact may be recorded as, in the stream that earlier events mapped its object to. Nothing that a
 * caller could get wrong, or be made to, is taken from the caller: not the organisation, the payment, the amount or
 * the account.
 */
import { canonicalize } from "../../ledger/canonicalJson.ts";
import type { EventEnvelope } from "../../ledger/event.ts";
import type { Doc } from "./_generated/dataModel.js";
import type { MutationCtx } from "./_generated/server.js";
import { isClosed } from "./closed.ts";
import { claimsOf, ONCE_PER_OBJECT, type Claim } from "./claims.ts";
import { holderOf, learnFrom, mapObject, placeOf, type Place } from "./places.ts";
import type { ProviderFact } from "./providerFact.ts";
import { eventOfRow, IntegrityError } from "./row.ts";
import { stripeEnvironment } from "./stripeEnvironment.ts";

export type Fenced = { stream: string; type: string; data: unknown };
type Data = Readonly<Record<string, unknown>>;

/** A recorded delivery that may be used up by one append. */
export type Citation = { row: Doc<"deliveries">; fact: ProviderFact; place: Place };

function refuse(orgId: string, detail: string): never {
  throw new IntegrityError("INV-04", orgId, 0, detail);
}

function isRecord(value: unknown): value is Data {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function dataOf(value: unknown): Data {
  return isRecord(value) ? value : {};
}

async function citedRow(
  ctx: MutationCtx,
  orgId: string,
  source: Data,
): Promise<Doc<"deliveries"> & { fact: string; subjectId: string }> {
  const { provider, deliveryId } = source;
  if (provider !== "stripe" || typeof deliveryId !== "string") {
    refuse(orgId, "no deliveries of this provider are recorded");
  }
  const row = await ctx.db
    .query("deliveries")
    .withIndex("by_provider_and_deliveryId_and_isConflict_and_bodySha256", (q) =>
      q.eq("provider", provider).eq("deliveryId", deliveryId).eq("isConflict", false),
    )
    .unique();
  if (row === null) refuse(orgId, "the cited delivery was never recorded");
  const isSame =
    row.bodySha256 === source["bodySha256"] &&
    row.signedAt === source["signedAt"] &&
    row.account === source["account"];
  if (!isSame) refuse(orgId, "the cited delivery is recorded with another body, time or account");
  if (row.status !== "received" && row.status !== "parked") {
    refuse(orgId, `the cited delivery is ${row.status} already`);
  }
  const { fact, subjectId } = row;
  if (fact === undefined || subjectId === undefined) refuse(orgId, "the cited delivery states nothing");
  return { ...row, fact, subjectId };
}

/** The delivery that a webhook source cites, with what it says and where that belongs. Throws IntegrityError. */
async function citationOf(ctx: MutationCtx, orgId: string, source: Data): Promise<Citation> {
  const row = await citedRow(ctx, orgId, source);
  if (row.livemode !== stripeEnvironment().livemode) refuse(orgId, "the cited delivery is of the other mode");
  // Written by this component as the canonical text of a ProviderFact.
  const fact = JSON.parse(row.fact) as ProviderFact;
  const found = await placeOf(ctx, { account: row.account, fact, subjectId: row.subjectId });
  if (!found.ok) refuse(orgId, `the cited delivery belongs nowhere: ${found.reason}`);
  if (found.place.orgId !== orgId) refuse(orgId, "the cited delivery is about another organisation");
  return { row, fact, place: found.place };
}

async function eventsOf(ctx: MutationCtx, { orgId, stream }: Place): Promise<EventEnvelope[]> {
  const events: EventEnvelope[] = [];
  const rows = ctx.db
    .query("events")
    .withIndex("by_orgId_and_stream_and_streamVersion", (q) => q.eq("orgId", orgId).eq("stream", stream));
  for await (const row of rows) {
    if (row.type === "payment.requested" || row.type === "payment.refundSubmitted") {
      events.push(eventOfRow(row));
    }
  }
  return events;
}

function isTied(events: readonly EventEnvelope[], refundId: unknown, providerRefundId: unknown): boolean {
  return events.some(
    ({ type, data }) =>
      type === "payment.refundSubmitted" &&
      data["refundId"] === refundId &&
      data["providerRefundId"] === providerRefundId,
  );
}

/** Whether data are exactly what is claimed; a refund of ours may be named besides where the ledger ties it. */
function isClaimed(claim: Claim, data: Data, events: readonly EventEnvelope[]): boolean {
  const { refundId, ...rest } = data;
  if (refundId !== undefined) {
    if (claim.mayNameRefund !== true || !isTied(events, refundId, data["providerRefundId"])) return false;
  }
  return canonicalize(rest) === canonicalize(claim.data);
}

async function checkClaims(ctx: MutationCtx, citation: Citation, events: readonly Fenced[]): Promise<void> {
  const { orgId, stream } = citation.place;
  const open = claimsOf(citation.fact);
  const known = stream.startsWith("payment/") ? await eventsOf(ctx, citation.place) : [];
  const [asked] = known.filter(({ type }) => type === "payment.requested");
  for (const event of events) {
    if (event.stream !== stream) refuse(orgId, `the cited delivery is not about ${event.stream}`);
    const data = dataOf(event.data);
    const index = open.findIndex((claim) => claim.type === event.type && isClaimed(claim, data, known));
    const claim = open[index];
    if (claim === undefined) refuse(orgId, `the cited delivery does not say this ${event.type}`);
    open.splice(index, 1);
    checkMoney(orgId, claim, citation.row.account, asked);
    await countOnce(ctx, orgId, claim);
  }
}

/** Money is of the account and the currency that were asked for; what pays, of the amount. */
function checkMoney(
  orgId: string,
  { type, data, paysInFull }: Claim,
  account: string | undefined,
  asked: EventEnvelope | undefined,
): void {
  if (!type.startsWith("payment.")) return;
  if (asked === undefined) refuse(orgId, "nobody asked for this payment");
  if (asked.data["account"] !== account) refuse(orgId, "the payment was asked for through another account");
  if (data["currency"] !== undefined && data["currency"] !== asked.data["currency"]) {
    refuse(orgId, "the payment was asked for in another currency");
  }
  if (paysInFull === true && data["amountMinor"] !== asked.data["amountMinor"]) {
    refuse(orgId, "another amount was asked for");
  }
}

async function countOnce(ctx: MutationCtx, orgId: string, { type, objectId }: Claim): Promise<void> {
  if (!ONCE_PER_OBJECT.has(type)) return;
  const counted = await ctx.db
    .query("countedFacts")
    .withIndex("by_provider_and_objectId_and_type", (q) =>
      q.eq("provider", "stripe").eq("objectId", objectId).eq("type", type),
    )
    .unique();
  if (counted !== null) refuse(orgId, `${type} of ${objectId} was counted already`);
  await ctx.db.insert("countedFacts", { provider: "stripe", objectId, type });
}

/** Events that a signed delivery may state, and others too, by the reason that each other kind of source may give. */
const OWN_REASONS: Readonly<Record<string, Readonly<Record<string, string>> | undefined>> = {
  "payment.cancelled": { command: "never_created", job: "never_created" },
  "stripeAccount.unlinked": { command: "owner_request", job: "organization_removed" },
};

async function checkUncited(
  ctx: MutationCtx,
  orgId: string,
  kind: unknown,
  { type, data }: Fenced,
): Promise<void> {
  const own = Object.hasOwn(OWN_REASONS, type) ? OWN_REASONS[type] : undefined;
  if (own === undefined) return;
  const reason = typeof kind === "string" && Object.hasOwn(own, kind) ? own[kind] : undefined;
  if (reason === undefined || dataOf(data)["reason"] !== reason) {
    refuse(orgId, `only a signed delivery says this ${type}`);
  }
  if (reason === "organization_removed" && !(await isClosed(ctx, orgId))) {
    refuse(orgId, "an account of an organisation that is not closed");
  }
}

/**
 * Holds the events of one append against what was signed. Returns what they cite; null when their source is no
 * webhook. Throws IntegrityError INV-04; then nothing is written.
 */
export async function fence(
  ctx: MutationCtx,
  of: { orgId: string; actor: unknown; source: unknown; events: readonly Fenced[] },
): Promise<Citation | null> {
  const { orgId, events } = of;
  // What is no actor and no source in due form is refused with its envelope.
  const [actor, source] = [dataOf(of.actor), dataOf(of.source)];
  if (source["kind"] !== "webhook") {
    for (const event of events) await checkUncited(ctx, orgId, source["kind"], event);
    return null;
  }
  if (actor["kind"] !== "provider" || actor["id"] !== source["provider"]) {
    refuse(orgId, "what a provider says has the provider as its actor");
  }
  const citation = await citationOf(ctx, orgId, source);
  await checkClaims(ctx, citation, events);
  return citation;
}

/** Uses the delivery up. Runs after its events are written. */
export async function useUp(ctx: MutationCtx, citation: Citation, eventIds: string[]): Promise<void> {
  const { row, fact, place } = citation;
  const { _id, _creationTime, reason: _reason, ...kept } = row;
  await ctx.db.replace("deliveries", _id, { ...kept, ...place, status: "applied", eventIds });
  await learnFrom(ctx, fact, { ...place, account: row.account });
}

/** What earlier events of a payment, and this one, call its object at the provider in a field. */
async function namedIn(ctx: MutationCtx, { orgId, stream }: Place, field: string): Promise<Set<unknown>> {
  const names = new Set<unknown>();
  const rows = ctx.db
    .query("events")
    .withIndex("by_orgId_and_stream_and_streamVersion", (q) => q.eq("orgId", orgId).eq("stream", stream));
  for await (const row of rows) {
    const name = eventOfRow(row).data[field];
    if (name !== undefined) names.add(name);
  }
  return names;
}

async function followCreated(ctx: MutationCtx, place: Place, data: Data): Promise<void> {
  const { orgId, stream } = place;
  if (data["livemode"] !== stripeEnvironment().livemode) refuse(orgId, "a payment of the other mode");
  const asked = (await eventsOf(ctx, place)).find(({ type }) => type === "payment.requested");
  if (asked === undefined) refuse(orgId, "nobody asked for this payment");
  const account = asked.data["account"];
  for (const field of ["paymentIntentId", "checkoutSessionId"]) {
    const objectId = data[field];
    if (typeof objectId !== "string") continue;
    if ((await namedIn(ctx, place, field)).size > 1) refuse(orgId, `${stream} has another ${field}`);
    await mapObject(ctx, objectId, { ...place, account: typeof account === "string" ? account : undefined });
  }
}

async function followLink(ctx: MutationCtx, orgId: string, type: string, account: string): Promise<void> {
  const holder = await holderOf(ctx, account);
  if (type === "stripeAccount.linked") {
    if (holder !== null) refuse(orgId, `${account} is linked already`);
    await ctx.db.insert("accountLinks", { provider: "stripe", account, orgId });
    return;
  }
  const row = await ctx.db
    .query("accountLinks")
    .withIndex("by_provider_and_account", (q) => q.eq("provider", "stripe").eq("account", account))
    .unique();
  if (row?.orgId !== orgId) refuse(orgId, `${account} is not this organisation's`);
  await ctx.db.delete("accountLinks", row._id);
}

/** Keeps whom the provider's objects and accounts are about. Runs after each event is written; throws IntegrityError. */
export async function follow(ctx: MutationCtx, event: EventEnvelope): Promise<void> {
  const { orgId, stream, type, data } = event;
  if (type === "payment.created") await followCreated(ctx, { orgId, stream }, data);
  if (type === "stripeAccount.linked" || type === "stripeAccount.unlinked") {
    const { account } = data;
    if (typeof account === "string") await followLink(ctx, orgId, type, account);
  }
}
