/**
 * A replay of an exported ledger into the rows of the read models, without the server's code. Rows are kept, events and
 * the audit log's lines are not: those are made again as the file is read again.
 */
import { auditRow } from "./fold/auditLog.ts";
import { idOf, kindOf } from "./fold/event.ts";
import {
  emptyRows,
  foldEvent,
  inKeyOrder,
  ModelsDigest,
  ORGANIZATION_KEY,
  STATE_TABLES,
  STRIPE_ACCOUNT_KEY,
} from "./fold/tables.ts";
import type { Rows, StateTable, TableName } from "./fold/tables.ts";
import { nodeSha256 } from "./nodeSha256.ts";
import { verifiedEvents } from "./verifiedEvents.ts";

/** The read models at a sequence. */
export interface ReplayedModels {
  readonly seq: number;
  readonly rows: Rows;
}

/** Folds the first `seq` events of a verified file. Throws a FoldError where they tell what can't be. */
export async function replay(file: string, seq: number): Promise<ReplayedModels> {
  const rows = emptyRows();
  for await (const event of verifiedEvents(file, seq)) foldEvent(rows, event);
  return { seq, rows };
}

export interface ModelsSummary {
  readonly tables: readonly { readonly table: TableName; readonly rows: number }[];
  /** 64 hexadecimal digits: what `projections/rebuild:digest` answers when the live rows are the same. */
  readonly digest: string;
}

/** Counts and digest of replayed read models; the file is read again for the lines of the audit log. */
export async function summarize(file: string, { seq, rows }: ReplayedModels): Promise<ModelsSummary> {
  const digest = new ModelsDigest(nodeSha256);
  const tables: { table: TableName; rows: number }[] = [];
  for (const table of STATE_TABLES) {
    digest.addTable(table);
    for (const [, row] of inKeyOrder(rows, table)) digest.addRow(row);
    tables.push({ table, rows: rows[table].size });
  }
  digest.addTable("auditLog");
  for await (const event of verifiedEvents(file, seq)) digest.addRow(auditRow(event));
  tables.push({ table: "auditLog", rows: seq });
  return { tables, digest: digest.hex };
}

const TABLE_OF_KIND: Readonly<Record<string, StateTable>> = {
  organization: "organizations",
  member: "members",
  invitation: "invitations",
  service: "services",
  booking: "bookings",
  payment: "payments",
  stripeAccount: "stripeAccounts",
};

const ONLY_KEYS: Readonly<Partial<Record<StateTable, string>>> = {
  organizations: ORGANIZATION_KEY,
  stripeAccounts: STRIPE_ACCOUNT_KEY,
};

export interface PlacedRow {
  readonly table: StateTable;
  readonly key: string;
  readonly row: object;
}

/** Every row, or those of one aggregate, given by its stream. */
export function* rowsOf({ rows }: ReplayedModels, stream?: string): Generator<PlacedRow, void> {
  for (const table of STATE_TABLES) {
    for (const [key, row] of inKeyOrder(rows, table)) {
      if (stream === undefined || isOfStream(table, key, stream)) yield { table, key, row };
    }
  }
}

function isOfStream(table: StateTable, key: string, stream: string): boolean {
  return TABLE_OF_KIND[kindOf({ stream })] === table && (ONLY_KEYS[table] ?? idOf({ stream })) === key;
}
