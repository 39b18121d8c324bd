/**
 * What a projection is: a pure fold from an event and the row it concerns to that row's next content, plus the
 * one way to apply it. The same fold runs in the command's transaction and in a rebuild.
 */
import { canonicalize } from "../../ledger/canonicalJson.ts";
import type {
  NamedTableInfo,
  OrderedQuery,
  PaginationOptions,
  PaginationResult,
  WithoutSystemFields,
} from "convex/server";
import type { DataModel, Doc } from "../_generated/dataModel.js";
import type { TenantReader, TenantTable, TenantWriter } from "../access/tenantDb.ts";
import type { DomainEvent } from "../events/catalogue/catalogue.ts";

export type ProjectionTable =
  | "organizations"
  | "members"
  | "invitations"
  | "services"
  | "bookings"
  | "payments"
  | "stripeAccounts"
  | "auditLog";

/** A row without what the tenant-scoped database and Convex add. */
export type Row<Table extends TenantTable> = Omit<WithoutSystemFields<Doc<Table>>, "orgId">;

export type ProjectionSpec<Table extends ProjectionTable> = {
  table: Table;
  /** The row that an event concerns, or null when this projection does not follow the event. */
  key: (event: DomainEvent) => string | null;
  /** The key that a row stands under. */
  keyOf: (row: Row<Table>) => string;
  /** Every row of the organisation, in the order of the keys. */
  rows: (tenant: TenantReader) => OrderedQuery<NamedTableInfo<DataModel, Table>>;
  /** Finds the row of a key. */
  find: (tenant: TenantReader, key: string) => Promise<Doc<Table> | null>;
  /** The row after the event; unchanged rows are returned as they are. Pure. */
  fold: (row: Row<Table> | null, event: DomainEvent) => Row<Table> | null;
};

export type AnyRow = Row<ProjectionTable>;

/** A row and the key that it stands under. */
export type KeyedRow = { key: string; row: AnyRow };

/** A projection as the corridor and a rebuild use it. */
export type Projection = {
  table: ProjectionTable;
  key: (event: DomainEvent) => string | null;
  fold: (row: AnyRow | null, event: DomainEvent) => AnyRow | null;
  /** Brings the row that an event concerns up to date. */
  apply: (tenant: TenantWriter, event: DomainEvent) => Promise<void>;
  /** Up to `limit` rows of the organisation, in the order of their keys. */
  read: (tenant: TenantReader, limit: number) => Promise<AnyRow[]>;
  /** Makes the row of a key this one, or takes it away; answers whether it was another before. */
  put: (tenant: TenantWriter, key: string, row: AnyRow | null) => Promise<boolean>;
  /** A page of the organisation's rows, each with its key. */
  page: (tenant: TenantReader, options: PaginationOptions) => Promise<PaginationResult<KeyedRow>>;
  /** Makes the organisation's rows, at most `limit`, these by key; rows that are right already stay untouched. */
  reconcile: (tenant: TenantWriter, rows: ReadonlyMap<string, AnyRow>, limit: number) => Promise<void>;
};

function withoutSystemFields<Table extends ProjectionTable>(doc: Doc<Table>): Row<Table> {
  const { _id, _creationTime, orgId, ...row } = doc as unknown as Doc<ProjectionTable>;
  return row as unknown as Row<Table>;
}

export function defineProjection<Table extends ProjectionTable>(spec: ProjectionSpec<Table>): Projection {
  const { table, key } = spec;
  return {
    table,
    key,
    // A projection is only ever given the rows that it returned or read itself.
    fold: (row, event) => spec.fold(row as Row<Table> | null, event) as AnyRow | null,
    async apply(tenant, event) {
      const rowKey = key(event);
      if (rowKey === null) return;
      const current = await spec.find(tenant, rowKey);
      const row = current === null ? null : withoutSystemFields<Table>(current);
      const next = spec.fold(row, event);
      if (next === null || next === row) return;
      if (current === null) await tenant.insert(table, next);
      else await tenant.replace(table, current, next);
    },
    async read(tenant, limit) {
      const docs = await spec.rows(tenant).take(limit);
      return docs.map((doc) => withoutSystemFields<Table>(doc) as unknown as AnyRow);
    },
    async put(tenant, rowKey, row) {
      const current = await spec.find(tenant, rowKey);
      if (current === null && row === null) return false;
      if (current === null) await tenant.insert(table, row as unknown as Row<Table>);
      else if (row === null) await tenant.remove(table, current);
      else if (canonicalize(row) === canonicalize(withoutSystemFields<Table>(current))) return false;
      else await tenant.replace(table, current, row as unknown as Row<Table>);
      return true;
    },
    async page(tenant, options) {
      const result = await spec.rows(tenant).paginate(options);
      const keyed = result.page.map((doc) => {
        const row = withoutSystemFields<Table>(doc);
        return { key: spec.keyOf(row), row: row as unknown as AnyRow };
      });
      return { ...result, page: keyed };
    },
    async reconcile(tenant, rows, limit) {
      const wanted = new Map(rows);
      for (const doc of await spec.rows(tenant).take(limit)) {
        const current = withoutSystemFields<Table>(doc);
        const rowKey = spec.keyOf(current);
        const row = wanted.get(rowKey);
        wanted.delete(rowKey);
        if (row === undefined) await tenant.remove(table, doc);
        else if (canonicalize(row) !== canonicalize(current)) {
          await tenant.replace(table, doc, row as unknown as Row<Table>);
        }
      }
      for (const row of wanted.values()) await tenant.insert(table, row as unknown as Row<Table>);
    },
  };
}

/** The id at the end of a stream's name: `bkg_…` of `booking/bkg_…`. */
export function streamId(event: DomainEvent): string {
  return event.stream.slice(event.stream.indexOf("/") + 1);
}

/** The key of an event in a projection that follows the streams of one kind. */
export function keyInStreams(kind: string): (event: DomainEvent) => string | null {
  return (event) => (event.stream.startsWith(`${kind}/`) ? streamId(event) : null);
}

/** Provenance of a row that an event founds. */
export function foundedBy(event: DomainEvent): {
  version: number;
  createdAt: number;
  createdBy: DomainEvent["actor"];
} {
  return { version: event.streamVersion, createdAt: event.recordedAt, createdBy: event.actor };
}
