/**
 * Raw bodies of deliveries, sealed: what the provider sent, personal data included, for whoever has to look into one.
 * Nothing reads them to decide anything; the ledger component's own record does that. They go after a month, with their
 * organisation, or when the operator says so.
 */
import type { Doc } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { environment } from "../access/environment.ts";
import { seal, unseal, type Place, type Sealed } from "./seal.ts";

/** How long a raw body is kept: as long as the provider itself shows it. */
export const RAW_KEPT_MS = 30 * 24 * 60 * 60 * 1000;

/** Most rows that one step removes. */
const REMOVE_MAX = 50;

type Of = { deliveryId: string; bodySha256: string };

function placeOf({ deliveryId, bodySha256 }: Of): Place {
  return { table: "rawDeliveries", provider: "stripe", deliveryId, bodySha256 };
}

/** Seals a raw body under the deployment's current key. `nonce`: 24 random bytes, which only an action has. */
export function sealBody(of: Of, body: Uint8Array, nonce: Uint8Array): Sealed {
  return seal(environment().DAYBOOK_SEALING_KEYS, placeOf(of), body, nonce);
}

/** Keeps a sealed body; `orgId` when the organisation is known. */
export async function keepBody(
  ctx: Pick<MutationCtx, "db">,
  of: Of & { orgId: string | null },
  sealed: Sealed,
): Promise<void> {
  const { orgId, deliveryId, bodySha256 } = of;
  await ctx.db.insert("rawDeliveries", {
    ...{ provider: "stripe", deliveryId, bodySha256, ...sealed, receivedAt: Date.now() },
    ...(orgId === null ? {} : { orgId }),
  });
}

async function rowsOf(ctx: Pick<QueryCtx, "db">, deliveryId: string): Promise<Doc<"rawDeliveries">[]> {
  return await ctx.db
    .query("rawDeliveries")
    .withIndex("by_provider_and_deliveryId", (q) => q.eq("provider", "stripe").eq("deliveryId", deliveryId))
    .take(REMOVE_MAX);
}

/** Gives up to 50 raw bodies of one delivery, kept while it was nobody's, to the organisation that it concerns. */
export async function giveBodies(
  ctx: Pick<MutationCtx, "db">,
  deliveryId: string,
  orgId: string,
): Promise<void> {
  for (const row of await rowsOf(ctx, deliveryId)) {
    if (row.orgId === undefined) await ctx.db.patch("rawDeliveries", row._id, { orgId });
  }
}

/** The raw bodies that came under an id. Throws SealError when one does not open. */
export async function openBodies(
  ctx: Pick<QueryCtx, "db">,
  deliveryId: string,
): Promise<{ bodySha256: string; body: ArrayBuffer }[]> {
  const rows = await rowsOf(ctx, deliveryId);
  return rows.map((row) => {
    const body = unseal(environment().DAYBOOK_SEALING_KEYS, placeOf(row), row);
    return { bodySha256: row.bodySha256, body: new Uint8Array(body).buffer };
  });
}

async function removeAll(ctx: Pick<MutationCtx, "db">, rows: Doc<"rawDeliveries">[]): Promise<number> {
  for (const row of rows) await ctx.db.delete("rawDeliveries", row._id);
  return rows.length;
}

/** Removes up to 50 raw bodies of one delivery and returns how many. */
export async function removeBodies(ctx: Pick<MutationCtx, "db">, deliveryId: string): Promise<number> {
  return await removeAll(ctx, await rowsOf(ctx, deliveryId));
}

/** Removes up to 50 raw bodies that came before a moment and returns how many. */
export async function removeBodiesBefore(ctx: Pick<MutationCtx, "db">, beforeMs: number): Promise<number> {
  const rows = await ctx.db
    .query("rawDeliveries")
    .withIndex("by_receivedAt", (q) => q.lt("receivedAt", beforeMs))
    .take(REMOVE_MAX);
  return await removeAll(ctx, rows);
}

/** Removes up to 50 raw bodies about one organisation and returns how many. */
export async function removeBodiesOf(ctx: Pick<MutationCtx, "db">, orgId: string): Promise<number> {
  const rows = await ctx.db
    .query("rawDeliveries")
    .withIndex("by_orgId", (q) => q.eq("orgId", orgId))
    .take(REMOVE_MAX);
  return await removeAll(ctx, rows);
}
