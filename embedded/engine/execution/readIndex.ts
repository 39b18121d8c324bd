/**
 * Which live results a written key touches.
 *
 * All keys of a range share the longest common prefix of its bounds, so ranges are kept in buckets by index and
 * that prefix. A written key looks into the buckets of its own prefixes, as many as there are prefix lengths in
 * use, and compares bounds only there: an organisation's write never meets another organisation's queries.
 */
import type { Touched } from "../storage/store.ts";
import type { ReadRange } from "../transaction/transaction.ts";

type Entry<T> = { range: ReadRange; owner: T };

class IndexBuckets<T> {
  private readonly buckets = new Map<string, Set<Entry<T>>>();
  private readonly lengths = new Map<number, number>();

  add(prefix: string, entry: Entry<T>): void {
    let bucket = this.buckets.get(prefix);
    if (bucket === undefined) {
      bucket = new Set();
      this.buckets.set(prefix, bucket);
      this.lengths.set(prefix.length, (this.lengths.get(prefix.length) ?? 0) + 1);
    }
    bucket.add(entry);
  }

  remove(prefix: string, entry: Entry<T>): void {
    const bucket = this.buckets.get(prefix);
    if (bucket?.delete(entry) !== true || bucket.size > 0) return;
    this.buckets.delete(prefix);
    const left = (this.lengths.get(prefix.length) ?? 1) - 1;
    if (left === 0) this.lengths.delete(prefix.length);
    else this.lengths.set(prefix.length, left);
  }

  get isEmpty(): boolean {
    return this.buckets.size === 0;
  }

  *owners(key: Uint8Array): Generator<T> {
    const text = Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
    for (const length of this.lengths.keys()) {
      if (length > text.length) continue;
      for (const { range, owner } of this.buckets.get(text.slice(0, length)) ?? []) {
        if (Buffer.compare(key, range.low) >= 0 && Buffer.compare(key, range.high) < 0) yield owner;
      }
    }
  }
}

function commonPrefix(low: Uint8Array, high: Uint8Array): string {
  let length = 0;
  while (length < low.length && length < high.length && low[length] === high[length]) length += 1;
  return Buffer.from(low.buffer, low.byteOffset, length).toString("latin1");
}

/** Ranges by what a write touches. */
export class ReadIndex<T> {
  private readonly indexes = new Map<number, IndexBuckets<T>>();
  private readonly owned = new Map<T, { indexId: number; prefix: string; entry: Entry<T> }[]>();

  /** Registers what `owner` read, in place of what it read before. */
  set(owner: T, ranges: readonly ReadRange[]): void {
    this.remove(owner);
    const kept = [];
    for (const range of ranges) {
      if (Buffer.compare(range.low, range.high) >= 0) continue;
      const prefix = commonPrefix(range.low, range.high);
      const entry = { range, owner };
      let buckets = this.indexes.get(range.indexId);
      if (buckets === undefined) {
        buckets = new IndexBuckets();
        this.indexes.set(range.indexId, buckets);
      }
      buckets.add(prefix, entry);
      kept.push({ indexId: range.indexId, prefix, entry });
    }
    this.owned.set(owner, kept);
  }

  remove(owner: T): void {
    for (const { indexId, prefix, entry } of this.owned.get(owner) ?? []) {
      const buckets = this.indexes.get(indexId);
      buckets?.remove(prefix, entry);
      if (buckets?.isEmpty === true) this.indexes.delete(indexId);
    }
    this.owned.delete(owner);
  }

  /** Owners whose ranges hold one of the written keys. */
  touchedBy(touched: Touched): Set<T> {
    const owners = new Set<T>();
    for (const [indexId, keys] of touched) {
      const buckets = this.indexes.get(indexId);
      if (buckets === undefined) continue;
      for (const key of keys) {
        for (const owner of buckets.owners(key)) owners.add(owner);
      }
    }
    return owners;
  }
}
