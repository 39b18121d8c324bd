/**
 * The tenant-scoped database: the only way from feature code to the tables (INV-07). It is bound to one
 * organisation, reads through indexes whose first field is `orgId`, stamps inserts, and never changes `orgId`.
 * A row of another organisation answers exactly like a missing one.
 */
import type {
  IndexNames,
  IndexRange,
  IndexRangeBuilder,
  NamedIndex,
  NamedTableInfo,
  OrderedQuery,
  Query,
  TableNamesInDataModel,
  WithoutSystemFields,
} from "convex/server";
import type { DataModel, Doc } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";

type TableName = TableNamesInDataModel<DataModel>;
type Info<Table extends TableName> = NamedTableInfo<DataModel, Table>;

/** Indexes of a table whose first field is `orgId`. */
export type TenantIndex<Table extends TableName> = {
  [Index in IndexNames<Info<Table>>]: NamedIndex<Info<Table>, Index> extends readonly ["orgId", ...string[]]
    ? Index
    : never;
}[IndexNames<Info<Table>>];

/** Tables that are read or written before an organisation is known; `access/directory` and `vault/` are their only ways in. */
type DirectoryTable =
  | "rawDeliveries"
  | "users"
  | "userOrganizations"
  | "invitationTokens"
  | "commandKeys"
  | "providerOrganizations";

/** Tables whose every row belongs to one organisation. */
export type TenantTable = Exclude<
  { [Table in TableName]: [TenantIndex<Table>] extends [never] ? never : Table }[TableName],
  DirectoryTable
>;

type RangeAfterOrg<Table extends TenantTable, Index extends TenantIndex<Table>> = IndexRangeBuilder<
  Info<Table>["document"],
  NamedIndex<Info<Table>, Index>,
  1
>;

type NewRow<Table extends TenantTable> = Omit<WithoutSystemFields<Doc<Table>>, "orgId">;

/** What queries and deciders' facts may do: read ranges of this organisation. */
export interface TenantReader {
  readonly orgId: string;
  /** Rows of this organisation through one of its indexes; `narrow` adds bounds after `orgId`. */
  rows<Table extends TenantTable, Index extends TenantIndex<Table>>(
    table: Table,
    index: Index,
    narrow?: (range: RangeAfterOrg<Table, Index>) => IndexRange,
  ): Query<Info<Table>> & OrderedQuery<Info<Table>>;
}

/** What the corridor's projector may do besides. */
export interface TenantWriter extends TenantReader {
  insert<Table extends TenantTable>(table: Table, row: NewRow<Table>): Promise<void>;
  /** Replaces a row of this organisation by a complete new one. */
  replace<Table extends TenantTable>(table: Table, current: Doc<Table>, row: NewRow<Table>): Promise<void>;
  remove<Table extends TenantTable>(table: Table, current: Doc<Table>): Promise<void>;
}

export function tenantReader(ctx: Pick<QueryCtx, "db">, orgId: string): TenantReader {
  return {
    orgId,
    rows(table, index, narrow) {
      return ctx.db.query(table).withIndex(index, (range) => {
        // TenantIndex holds that the index begins with orgId; the builder's type cannot say so for a generic table.
        const scoped = (range as unknown as { eq(field: "orgId", value: string): unknown }).eq(
          "orgId",
          orgId,
        ) as RangeAfterOrg<typeof table, typeof index>;
        return narrow === undefined ? scoped : narrow(scoped);
      });
    },
  };
}

export function tenantWriter(ctx: Pick<MutationCtx, "db">, orgId: string): TenantWriter {
  const requireOwn = (row: object): void => {
    if (!("orgId" in row) || row.orgId !== orgId) throw new Error("INV-07 a row of another organisation");
  };
  return {
    ...tenantReader(ctx, orgId),
    async insert(table, row) {
      await ctx.db.insert(table, { ...row, orgId } as never);
    },
    async replace(table, current, row) {
      requireOwn(current);
      await ctx.db.replace(table, current._id, { ...row, orgId } as never);
    },
    async remove(table, current) {
      requireOwn(current);
      await ctx.db.delete(table, current._id);
    },
  };
}
