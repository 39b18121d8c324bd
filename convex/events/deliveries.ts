/**
 * The ledger's own record of what providers delivered (INV-04). Signature and freshness are verified here, over the raw
 * bytes and with secrets that no other code reads; what is recorded can be decided later without verifying again.
 *
 * received → applied (by `append`) | nothing | parked; parked → applied | nothing | parked | dismissed. A delivery that
 * was applied, found to be nothing or dismissed stays so for ever. The first body under an id is the one that counts,
 * except one that waits in an API version nobody reads here: the same event in a version that is read takes its place.
 */
import { v, type Infer } from "convex/values";
import { canonicalize } from "../../ledger/canonicalJson.ts";
import type { Doc } from "./_generated/dataModel.js";
import { mutation, query, type MutationCtx, type QueryCtx } from "./_generated/server.js";
import { concernedOrg, recordOf, recordValidator } from "./deliveryRecord.ts";
import { holderOf, learnFrom, placeOf } from "./places.ts";
import type { ProviderFact } from "./providerFact.ts";
import { IntegrityError } from "./row.ts";
import { readDelivery, type Delivery, type DeliveryCheck } from "./stripeDelivery.ts";
import { stripeEnvironment } from "./stripeEnvironment.ts";

/** Most rows that one read returns. */
const LIMIT_MAX = 100;

const provider = v.literal("stripe");

const signed = { header: v.string(), body: v.bytes() };

const sourceValidator = v.object({
  kind: v.literal("webhook"),
  provider,
  deliveryId: v.string(),
  bodySha256: v.string(),
  signedAt: v.number(),
  account: v.optional(v.string()),
});

const placeValidator = v.object({ orgId: v.string(), stream: v.string() });

/** `fact`: canonical JSON of a ProviderFact. */
const undecidedValidator = v.object({
  status: v.literal("received"),
  record: recordValidator,
  source: sourceValidator,
  fact: v.string(),
  place: placeValidator,
});

const settledValidator = v.object({
  status: v.union(v.literal("parked"), v.literal("nothing")),
  record: recordValidator,
});

function isFinal(status: Doc<"deliveries">["status"]): boolean {
  return status === "applied" || status === "nothing" || status === "dismissed";
}

function checked({ header, body }: { header: string; body: ArrayBuffer }): DeliveryCheck {
  const { secrets, toleranceSeconds, livemode } = stripeEnvironment();
  const nowSeconds = Math.floor(Date.now() / 1000);
  return readDelivery(
    { header, body: new Uint8Array(body) },
    { secrets, toleranceSeconds, livemode, nowSeconds },
  );
}

async function findRow(ctx: QueryCtx, deliveryId: string): Promise<Doc<"deliveries"> | null> {
  return await ctx.db
    .query("deliveries")
    .withIndex("by_provider_and_deliveryId_and_isConflict_and_bodySha256", (q) =>
      q.eq("provider", "stripe").eq("deliveryId", deliveryId).eq("isConflict", false),
    )
    .unique();
}

/** Whether this body came under its id before, or the same event in other bytes. */
async function isKnown(
  ctx: QueryCtx,
  { deliveryId, bodySha256, eventSha256 }: Delivery,
  first: Doc<"deliveries">,
): Promise<boolean> {
  if (first.bodySha256 === bodySha256) return true;
  const conflict = await ctx.db
    .query("deliveries")
    .withIndex("by_provider_and_deliveryId_and_isConflict_and_bodySha256", (q) =>
      q
        .eq("provider", "stripe")
        .eq("deliveryId", deliveryId)
        .eq("isConflict", true)
        .eq("bodySha256", bodySha256),
    )
    .unique();
  if (conflict !== null) return true;
  const same = await ctx.db
    .query("deliveries")
    .withIndex("by_provider_and_deliveryId_and_eventSha256", (q) =>
      q.eq("provider", "stripe").eq("deliveryId", deliveryId).eq("eventSha256", eventSha256),
    )
    .first();
  return same !== null;
}

function sourceOf(row: Doc<"deliveries">): Infer<typeof sourceValidator> {
  const { deliveryId, bodySha256, signedAt, account } = row;
  const source = { kind: "webhook" as const, provider: "stripe" as const, deliveryId, bodySha256, signedAt };
  return account === undefined ? source : { ...source, account };
}

async function insertRow(
  ctx: MutationCtx,
  delivery: Delivery,
  state: Pick<Doc<"deliveries">, "isConflict" | "status"> & { reason?: string; orgId?: string },
): Promise<Doc<"deliveries">> {
  const { reading, ...told } = delivery;
  const stated =
    reading.kind === "fact" ? { fact: canonicalize(reading.fact), subjectId: reading.subjectId } : {};
  const id = await ctx.db.insert("deliveries", {
    ...{ provider: "stripe", ...told, ...stated, ...state },
    receivedAt: Date.now(),
    eventIds: [],
  });
  const row = await ctx.db.get("deliveries", id);
  if (row === null) throw new Error("a row that was just written is gone");
  return row;
}

type Evaluated =
  Infer<typeof undecidedValidator> | { status: "parked"; reason: string; orgId: string | null };

/** Where a recorded fact belongs as things stand, or why nowhere. */
async function evaluate(ctx: QueryCtx, row: Doc<"deliveries">): Promise<Evaluated> {
  const { fact: text, subjectId, account, reason = "MALFORMED" } = row;
  if (text === undefined || subjectId === undefined) {
    return { status: "parked", reason, orgId: await concernedOrg(ctx, row) };
  }
  const fact = JSON.parse(text) as ProviderFact;
  const found = await placeOf(ctx, { account, fact, subjectId });
  if (!found.ok) return { status: "parked", reason: found.reason, orgId: found.orgId };
  const record = recordOf(row, found.place.orgId);
  return { status: "received", record, source: sourceOf(row), fact: text, place: found.place };
}

/**
 * Whether a body is a genuine and fresh delivery. Writes nothing, so that a flood of others costs no write. `header`
 * is the Stripe-Signature header, `body` the raw bytes. Not verified here: that it was not received before.
 */
export const check = query({
  args: signed,
  returns: v.union(
    v.object({ status: v.literal("genuine"), deliveryId: v.string(), bodySha256: v.string() }),
    v.object({ status: v.literal("refused"), reason: v.string() }),
  ),
  handler: (_ctx, args) => {
    const result = checked(args);
    if (result.status === "refused") return Promise.resolve(result);
    const { deliveryId, bodySha256 } = result.delivery;
    return Promise.resolve({ status: "genuine" as const, deliveryId, bodySha256 });
  },
});

async function receiveNew(
  ctx: MutationCtx,
  delivery: Delivery,
): Promise<Infer<typeof undecidedValidator> | Infer<typeof settledValidator>> {
  const { reading } = delivery;
  if (reading.kind === "notListed") {
    const state = { isConflict: false, status: "nothing", reason: "TYPE_NOT_LISTED" } as const;
    const row = await insertRow(ctx, delivery, state);
    return { status: "nothing", record: recordOf(row, await concernedOrg(ctx, row)) };
  }
  const parkedFor = reading.kind === "park" ? { reason: reading.reason } : {};
  const row = await insertRow(ctx, delivery, { isConflict: false, status: "received", ...parkedFor });
  const evaluated = await evaluate(ctx, row);
  if (evaluated.status === "received") return evaluated;
  return { status: "parked", record: await park(ctx, row, evaluated) };
}

async function park(
  ctx: MutationCtx,
  row: Doc<"deliveries">,
  { reason, orgId }: { reason: string; orgId: string | null },
): Promise<Infer<typeof recordValidator>> {
  // Who was concerned is kept: by the time it is dismissed, the account may be another organisation's.
  const concerned = orgId === null ? {} : { orgId };
  await ctx.db.patch("deliveries", row._id, { status: "parked", reason, ...concerned });
  return recordOf({ ...row, status: "parked", reason }, orgId);
}

async function receiveConflict(
  ctx: MutationCtx,
  first: Doc<"deliveries">,
  delivery: Delivery,
): Promise<Infer<typeof settledValidator>> {
  const orgId = await concernedOrg(ctx, first);
  const state = { isConflict: true, status: "parked", reason: "SAME_ID_OTHER_BODY" } as const;
  const row = await insertRow(ctx, delivery, { ...state, ...(orgId === null ? {} : { orgId }) });
  return { status: "parked", record: recordOf(row, orgId) };
}

/**
 * Whether a second body is what an operator gets who sets the endpoint's API version right and lets Stripe send an
 * event again: the same event of the same account, stating a fact, where the first one could not be read.
 */
function isReadableAgain(first: Doc<"deliveries">, { account, type, livemode, reading }: Delivery): boolean {
  const isUnread =
    first.status === "parked" && first.reason === "WRONG_API_VERSION" && first.fact === undefined;
  const isSame = first.account === account && first.type === type && first.livemode === livemode;
  return isUnread && isSame && reading.kind === "fact";
}

/**
 * Verifies a delivery again and records it. `received`: what it says is to be decided now, in this transaction, which
 * ends with an `append` that cites `source`, or with `settle`. `parked` and `nothing`: it is recorded as that.
 * `duplicate`: it was recorded before, in these bytes or with another count of who has still to take it. `refused`: nothing is written.
 */
export const receive = mutation({
  args: signed,
  returns: v.union(
    v.object({ status: v.literal("refused"), reason: v.string() }),
    v.object({ status: v.literal("duplicate") }),
    settledValidator,
    undecidedValidator,
  ),
  handler: async (ctx, args) => {
    const result = checked(args);
    if (result.status === "refused") return result;
    const { delivery } = result;
    const known = await findRow(ctx, delivery.deliveryId);
    if (known === null) return await receiveNew(ctx, delivery);
    if (await isKnown(ctx, delivery, known)) return { status: "duplicate" as const };
    if (isReadableAgain(known, delivery)) {
      // Kept as what it was; from here on it is the other body under this id, and proves nothing.
      await ctx.db.patch("deliveries", known._id, { isConflict: true });
      return await receiveNew(ctx, delivery);
    }
    return await receiveConflict(ctx, known, delivery);
  },
});

/**
 * A parked delivery as it is to be decided now, from its record; null when there is none that waits. `parked` when its
 * reason still stands without looking at the stream.
 */
export const reconsider = query({
  args: { deliveryId: v.string() },
  returns: v.union(v.null(), settledValidator, undecidedValidator),
  handler: async (ctx, { deliveryId }) => {
    const row = await findRow(ctx, deliveryId);
    if (row?.status !== "parked") return null;
    const evaluated = await evaluate(ctx, row);
    if (evaluated.status === "received") return evaluated;
    const { reason, orgId } = evaluated;
    return { status: "parked" as const, record: recordOf({ ...row, reason }, orgId) };
  },
});

/**
 * Ends a delivery without an event: `nothing` to record, or `parked` with a reason until more is known. Throws
 * IntegrityError for one that is unknown or final.
 */
export const settle = mutation({
  args: {
    deliveryId: v.string(),
    outcome: v.union(
      v.object({ status: v.literal("nothing") }),
      v.object({ status: v.literal("parked"), reason: v.string() }),
    ),
  },
  returns: recordValidator,
  handler: async (ctx, { deliveryId, outcome }) => {
    const row = await findRow(ctx, deliveryId);
    if (row === null || isFinal(row.status)) {
      throw new IntegrityError("INV-04", row?.orgId ?? "", 0, "no delivery that waits for its outcome");
    }
    const evaluated = await evaluate(ctx, row);
    const orgId = evaluated.status === "received" ? evaluated.place.orgId : evaluated.orgId;
    if (outcome.status === "parked") return await park(ctx, row, { reason: outcome.reason, orgId });
    if (evaluated.status !== "received") {
      throw new IntegrityError("INV-04", orgId ?? "", 0, "a delivery that belongs nowhere is not nothing");
    }
    const { place } = evaluated;
    const { _id, _creationTime, reason: _reason, ...kept } = row;
    await ctx.db.replace("deliveries", _id, { ...kept, ...place, status: "nothing" });
    await learnFrom(ctx, JSON.parse(evaluated.fact) as ProviderFact, { ...place, account: row.account });
    return recordOf({ ...kept, _id, _creationTime, status: "nothing" }, orgId);
  },
});

/** Ends every parked delivery of an id for good, conflicts included, and returns them as they are then. */
export const dismiss = mutation({
  args: { deliveryId: v.string() },
  returns: v.array(recordValidator),
  handler: async (ctx, { deliveryId }) => {
    const rows = await ctx.db
      .query("deliveries")
      .withIndex("by_provider_and_deliveryId_and_isConflict_and_bodySha256", (q) =>
        q.eq("provider", "stripe").eq("deliveryId", deliveryId),
      )
      .take(LIMIT_MAX);
    const dismissed: Infer<typeof recordValidator>[] = [];
    for (const row of rows.filter(({ status }) => status === "parked")) {
      await ctx.db.patch("deliveries", row._id, { status: "dismissed" });
      dismissed.push(recordOf({ ...row, status: "dismissed" }, await concernedOrg(ctx, row)));
    }
    return dismissed;
  },
});

/** The provider's objects that are mapped to a stream; at most a hundred, and a payment has two. */
export const objectsOf = query({
  args: { orgId: v.string(), stream: v.string() },
  returns: v.array(v.string()),
  handler: async (ctx, { orgId, stream }) => {
    const rows = await ctx.db
      .query("providerObjects")
      .withIndex("by_orgId_and_stream", (q) => q.eq("orgId", orgId).eq("stream", stream))
      .take(LIMIT_MAX);
    return rows.map(({ objectId }) => objectId);
  },
});

/** The organisation that an account is linked to; null when to none. */
export const accountHolder = query({
  args: { account: v.string() },
  returns: v.union(v.null(), v.string()),
  handler: async (ctx, { account }) => await holderOf(ctx, account),
});
