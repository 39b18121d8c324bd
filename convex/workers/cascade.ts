/**
 * What goes when a closed organisation is removed: every table that has its rows, this app's and the components'.
 * Its ledger (of the component `events` everything but the receipts and the link of its account: events, head, tree,
 * checkpoints, deliveries) and its tombstone stay. First go the ways in, so that
 * nothing new is written meanwhile; the organisation's own row goes last.
 */
import type { MutationCtx } from "../_generated/server.js";
import { FORGET_IN_DIRECTORY } from "../access/directory.ts";
import { forgetOrganizationLimit } from "../access/limits.ts";
import { tenantWriter, type TenantIndex, type TenantTable, type TenantWriter } from "../access/tenantDb.ts";
import { releaseAccount } from "../pipeline/removedAccount.ts";
import { removeBodiesOf } from "../vault/rawDeliveries.ts";
import { removeReceipts } from "./ledgerCheck.ts";

/** Most rows that one step removes. */
const REMOVE_MAX = 100;

/** Removes up to a few hundred rows and returns how many; 0 when none is left. */
type Remove = (ctx: MutationCtx, orgId: string) => Promise<number>;

async function removeRows<Table extends TenantTable>(
  tenant: TenantWriter,
  table: Table,
  index: TenantIndex<Table>,
): Promise<number> {
  const rows = await tenant.rows(table, index).take(REMOVE_MAX);
  for (const row of rows) await tenant.remove(table, row);
  return rows.length;
}

function rowsOf<Table extends TenantTable>(table: Table, index: TenantIndex<Table>): Remove {
  return async (ctx, orgId) => await removeRows(tenantWriter(ctx, orgId), table, index);
}

async function removeOrganization(ctx: MutationCtx, orgId: string): Promise<number> {
  await forgetOrganizationLimit(ctx, orgId);
  return await removeRows(tenantWriter(ctx, orgId), "organizations", "by_orgId");
}

/** Table or component's table, and how its rows go. Held complete by tests/convex/closing.test.ts. */
export const CASCADE: readonly (readonly [what: string, remove: Remove])[] = [
  ["invitationTokens", FORGET_IN_DIRECTORY.invitationTokens],
  ["providerOrganizations", FORGET_IN_DIRECTORY.providerOrganizations],
  ["userOrganizations", FORGET_IN_DIRECTORY.userOrganizations],
  ["users", FORGET_IN_DIRECTORY.users],
  ["commandKeys", FORGET_IN_DIRECTORY.commandKeys],
  ["members", rowsOf("members", "by_orgId_and_userId")],
  ["events/receipts", removeReceipts],
  ["invitations", rowsOf("invitations", "by_orgId_and_invitationId")],
  ["paymentSecrets", rowsOf("paymentSecrets", "by_orgId_and_paymentId")],
  ["stripeLinks", rowsOf("stripeLinks", "by_orgId_and_linkId")],
  ["payments", rowsOf("payments", "by_orgId_and_paymentId")],
  ["stripeAccounts", rowsOf("stripeAccounts", "by_orgId")],
  ["bookings", rowsOf("bookings", "by_orgId_and_bookingId")],
  ["services", rowsOf("services", "by_orgId_and_serviceId")],
  ["auditLog", rowsOf("auditLog", "by_orgId_and_seq")],
  ["deliveries", rowsOf("deliveries", "by_orgId_and_deliveryId_and_bodySha256")],
  ["rawDeliveries", removeBodiesOf],
  ["securityLog", rowsOf("securityLog", "by_orgId_and_at")],
  ["outbox", rowsOf("outbox", "by_orgId_and_outboxId")],
  ["alerts", rowsOf("alerts", "by_orgId_and_at")],
  ["shadowRows", rowsOf("shadowRows", "by_orgId_and_table_and_key")],
  ["rebuilds", rowsOf("rebuilds", "by_orgId")],
  ["integrityFreezes", rowsOf("integrityFreezes", "by_orgId")],
  ["verifiedHeads", rowsOf("verifiedHeads", "by_orgId")],
  ["events/accountLinks", releaseAccount],
  ["organizations and rateLimiter/rateLimits", removeOrganization],
];
