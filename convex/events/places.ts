/** Which stream a provider's object or account is about, as earlier events of the ledger say. */
import type { MutationCtx, QueryCtx } from "./_generated/server.js";
import type { Doc } from "./_generated/dataModel.js";
import type { ParkReason, ProviderFact } from "./providerFact.ts";
import { IntegrityError } from "./row.ts";

type Reader = Pick<QueryCtx, "db">;
type Writer = Pick<MutationCtx, "db">;

export type Place = { orgId: string; stream: string };

/** The stream that an object was mapped to; null when to none. */
export async function objectRow(ctx: Reader, objectId: string): Promise<Doc<"providerObjects"> | null> {
  return await ctx.db
    .query("providerObjects")
    .withIndex("by_provider_and_objectId", (q) => q.eq("provider", "stripe").eq("objectId", objectId))
    .unique();
}

/** An account's link; null when it is linked to no organisation. */
export async function linkRow(ctx: Reader, account: string): Promise<Doc<"accountLinks"> | null> {
  return await ctx.db
    .query("accountLinks")
    .withIndex("by_provider_and_account", (q) => q.eq("provider", "stripe").eq("account", account))
    .unique();
}

/** The organisation that an account is linked to; null when to none. */
export async function holderOf(ctx: Reader, account: string): Promise<string | null> {
  return (await linkRow(ctx, account))?.orgId ?? null;
}

/**
 * The stream of an account that is linked. The end of an earlier link may be told after the next one was made, by
 * another organisation even, and is not about that one. The provider tells whole seconds.
 */
async function placeOfAccount(
  ctx: Reader,
  { account, occurredAt }: Extract<ProviderFact, { kind: "account" }>,
): Promise<{ ok: true; place: Place } | { ok: false; reason: ParkReason; orgId: null }> {
  const link = await linkRow(ctx, account);
  if (link === null || occurredAt < Math.floor(link._creationTime / 1000) * 1000) {
    return { ok: false, reason: "WRONG_ACCOUNT", orgId: null };
  }
  return { ok: true, place: { orgId: link.orgId, stream: `stripeAccount/${link.orgId}` } };
}

/**
 * Where a delivery's fact belongs: the stream that its object was mapped to, when the account that signs for it is the
 * one that stream was made with, and still that organisation's (R39). Otherwise why not, and the organisation that is
 * concerned as far as it is known.
 */
export async function placeOf(
  ctx: Reader,
  { account, fact, subjectId }: { account: string | undefined; fact: ProviderFact; subjectId: string },
): Promise<{ ok: true; place: Place } | { ok: false; reason: ParkReason; orgId: string | null }> {
  if (fact.kind === "account") return await placeOfAccount(ctx, fact);
  const holder = account === undefined ? null : await holderOf(ctx, account);
  const row = await objectRow(ctx, subjectId);
  if (row === null) {
    const isForeign = account !== undefined && holder === null;
    return { ok: false, reason: isForeign ? "WRONG_ACCOUNT" : "UNKNOWN_OBJECT", orgId: holder };
  }
  const { orgId, stream } = row;
  const isOwn = row.account === account && (account === undefined || holder === orgId);
  return isOwn ? { ok: true, place: { orgId, stream } } : { ok: false, reason: "WRONG_ACCOUNT", orgId };
}

/** Maps an object to a stream, for ever. Throws IntegrityError when it is another one's. */
export async function mapObject(
  ctx: Writer,
  objectId: string,
  { orgId, stream, account }: Place & { account: string | undefined },
): Promise<void> {
  const row = await objectRow(ctx, objectId);
  if (row !== null) {
    if (row.orgId === orgId && row.stream === stream) return;
    throw new IntegrityError("INV-04", orgId, 0, `${objectId} is another payment's`);
  }
  await ctx.db.insert("providerObjects", {
    ...{ provider: "stripe" as const, objectId, orgId, stream },
    ...(account === undefined ? {} : { account }),
  });
}

/** What a genuine session brings besides: the payment intent that it made is about the same stream. */
export async function learnFrom(
  ctx: Writer,
  fact: ProviderFact,
  place: Place & { account: string | undefined },
): Promise<void> {
  if (fact.kind !== "checkoutSession" || fact.paymentIntentId === null) return;
  await mapObject(ctx, fact.paymentIntentId, place);
}
