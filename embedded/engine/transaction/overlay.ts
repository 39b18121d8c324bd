/**
 * Writes that are not in the database: what one transaction has done to documents.
 *
 * Every write remembers what it replaced, so that a failed nested call is undone by walking back to its
 * savepoint. Per index that was read, the written documents are kept in key order beside the stored ones.
 */
import type { JsonObject } from "../values/json.ts";
import { indexKey, type Index, type Table } from "../storage/catalog.ts";

export type Pending = {
  table: Table;
  raw: Uint8Array;
  /** As the database has it; null when this transaction inserted it. */
  committed: JsonObject | null;
  current: JsonObject | null;
};

export type PendingRow = { key: Uint8Array; pending: Pending };

type Undo = { table: Table; rawKey: string; previous: Pending | undefined };

/** A map key for the 16 bytes of an id. */
export function rawKeyOf(raw: Uint8Array): string {
  return Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString("latin1");
}

/** First position in `rows` whose key is not below `key`. */
function lowerBound(rows: readonly PendingRow[], key: Uint8Array): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const row = rows[middle];
    if (row !== undefined && Buffer.compare(row.key, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

class TableOverlay {
  readonly pending = new Map<string, Pending>();
  private readonly ordered = new Map<number, PendingRow[]>();
  private readonly indexes = new Map<number, Index>();
  version = 0;

  set(rawKey: string, next: Pending | undefined): void {
    this.version += 1;
    const previous = this.pending.get(rawKey);
    for (const [indexId, rows] of this.ordered) {
      const index = this.indexes.get(indexId);
      if (index === undefined) continue;
      if (previous?.current) {
        rows.splice(lowerBound(rows, indexKey(index, previous.current, previous.raw)), 1);
      }
      if (next?.current) {
        const key = indexKey(index, next.current, next.raw);
        rows.splice(lowerBound(rows, key), 0, { key, pending: next });
      }
    }
    if (next === undefined) this.pending.delete(rawKey);
    else this.pending.set(rawKey, next);
  }

  rows(index: Index): readonly PendingRow[] {
    const known = this.ordered.get(index.id);
    if (known !== undefined) return known;
    const rows: PendingRow[] = [];
    for (const pending of this.pending.values()) {
      if (pending.current !== null)
        rows.push({ key: indexKey(index, pending.current, pending.raw), pending });
    }
    rows.sort((left, right) => Buffer.compare(left.key, right.key));
    this.ordered.set(index.id, rows);
    this.indexes.set(index.id, index);
    return rows;
  }
}

/** The transaction's own view on top of the committed documents. */
export class Overlay {
  private readonly tables = new Map<Table, TableOverlay>();
  private readonly undo: Undo[] = [];

  savepoint(): number {
    return this.undo.length;
  }

  rollbackTo(savepoint: number): void {
    while (this.undo.length > savepoint) {
      const step = this.undo.pop();
      if (step !== undefined) this.tables.get(step.table)?.set(step.rawKey, step.previous);
    }
  }

  find(table: Table, rawKey: string): Pending | undefined {
    return this.tables.get(table)?.pending.get(rawKey);
  }

  /** Changes with every write to the table. */
  version(table: Table): number {
    return this.tables.get(table)?.version ?? 0;
  }

  touches(table: Table): boolean {
    return (this.tables.get(table)?.pending.size ?? 0) > 0;
  }

  /** Records a write. `committed` is what the database holds, for a document this transaction meets first here. */
  write(table: Table, raw: Uint8Array, committed: JsonObject | null, current: JsonObject | null): void {
    let overlay = this.tables.get(table);
    if (overlay === undefined) {
      overlay = new TableOverlay();
      this.tables.set(table, overlay);
    }
    const rawKey = rawKeyOf(raw);
    const previous = overlay.pending.get(rawKey);
    this.undo.push({ table, rawKey, previous });
    overlay.set(rawKey, {
      table,
      raw,
      committed: previous === undefined ? committed : previous.committed,
      current,
    });
  }

  /** Written rows with `low <= key < high`, ascending. */
  rows(table: Table, index: Index, range: { low: Uint8Array; high: Uint8Array }): readonly PendingRow[] {
    const rows = this.tables.get(table)?.rows(index) ?? [];
    return rows.slice(lowerBound(rows, range.low), lowerBound(rows, range.high));
  }

  /** Every document that ends up changed. */
  *changes(): Generator<Pending> {
    for (const overlay of this.tables.values()) {
      for (const pending of overlay.pending.values()) {
        if (pending.committed !== null || pending.current !== null) yield pending;
      }
    }
  }
}
