/**
 * Whether an organisation works: its own row, folded from the ledger, and the integrity check's freeze, which
 * stands outside the ledger because a damaged chain takes no event. A closed one leaves a tombstone.
 */
import type { Role } from "../../ledger/event.ts";
import type { Doc } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import type { DomainEvent } from "../events/catalogue/catalogue.ts";
import { Refusal } from "./errors.ts";
import { policyRow, type Hold } from "./policy.ts";
import { tenantReader, tenantWriter } from "./tenantDb.ts";

type Reader = Pick<QueryCtx, "db">;
type Writer = Pick<MutationCtx, "db">;

export type Lifecycle = { status: "active" } | { status: "frozen"; by: Hold } | { status: "closed" };

/** An organisation's row with its status as it counts: frozen too when the integrity check says so. */
export type Organization = { row: Doc<"organizations">; lifecycle: Lifecycle };

/** How long owners and auditors can read and export a closed organisation: 30 days. */
export const CLOSED_READABLE_MS = 30 * 24 * 60 * 60 * 1000;

export async function integrityFreezeOf(ctx: Reader, orgId: string): Promise<Doc<"integrityFreezes"> | null> {
  return await tenantReader(ctx, orgId).rows("integrityFreezes", "by_orgId").unique();
}

/** The organisation with its effective lifecycle; null when there is none. */
export async function organizationOf(ctx: Reader, orgId: string): Promise<Organization | null> {
  const row = await tenantReader(ctx, orgId).rows("organizations", "by_orgId").unique();
  if (row === null) return null;
  if (row.status === "closed") return { row, lifecycle: { status: "closed" } };
  // Whoever else froze it too: what the integrity check holds, nobody but the operator lets go.
  if ((await integrityFreezeOf(ctx, orgId)) !== null) {
    return { row, lifecycle: { status: "frozen", by: "integrity" } };
  }
  if (row.status === "active") return { row, lifecycle: { status: "active" } };
  return { row, lifecycle: { status: "frozen", by: row.frozenBy ?? "operator" } };
}

/** Lets a call through in an active organisation, and in a frozen or closed one only where the policy says so. */
export function requireLifecycle(name: string, lifecycle: Lifecycle, role: Role): void {
  if (lifecycle.status === "active") return;
  const row = policyRow(name);
  if (lifecycle.status === "closed") {
    if (row.level === "member" && (row.whenClosed ?? []).includes(role)) return;
    throw new Refusal("ORG_CLOSED");
  }
  if (row.level === "member" && (row.whenFrozen ?? []).includes(role)) {
    if (row.frozenBy?.includes(lifecycle.by) ?? true) return;
  }
  throw new Refusal("ORG_FROZEN");
}

/** Freezes for damage in the ledger. Returns false when it was frozen so already. */
export async function freezeForIntegrity(
  ctx: Writer,
  orgId: string,
  damage: { seq: number; kind: string },
): Promise<boolean> {
  if ((await integrityFreezeOf(ctx, orgId)) !== null) return false;
  await tenantWriter(ctx, orgId).insert("integrityFreezes", { at: Date.now(), ...damage });
  return true;
}

/** Lifts the integrity check's freeze. Returns false when there was none. */
export async function liftIntegrityFreeze(ctx: Writer, orgId: string): Promise<boolean> {
  const row = await integrityFreezeOf(ctx, orgId);
  if (row === null) return false;
  await tenantWriter(ctx, orgId).remove("integrityFreezes", row);
  return true;
}

/** The tombstone of an organisation that was closed, or null. */
export async function tombstoneOf(ctx: Reader, orgId: string): Promise<Doc<"closedOrganizations"> | null> {
  return await tenantReader(ctx, orgId).rows("closedOrganizations", "by_orgId").unique();
}

/** Whether a closed organisation's rows are being removed, or gone: only its ledger goes on. */
export async function isRemoved(ctx: Reader, orgId: string): Promise<boolean> {
  const tombstone = await tombstoneOf(ctx, orgId);
  return tombstone !== null && tombstone.removeAfter <= Date.now();
}

/** Sets the tombstone when an organisation is closed. Runs in the event's transaction; a repeat changes nothing. */
export async function followClosing(ctx: Writer, event: DomainEvent): Promise<void> {
  if (event.type !== "organization.closed") return;
  if ((await tombstoneOf(ctx, event.orgId)) !== null) return;
  await tenantWriter(ctx, event.orgId).insert("closedOrganizations", {
    closedAt: event.recordedAt,
    removeAfter: event.recordedAt + CLOSED_READABLE_MS,
    removedAt: null,
  });
}
