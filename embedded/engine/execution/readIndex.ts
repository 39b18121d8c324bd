/**
 * Which live results a written key touches.
 *
 * Every index has an interval tree of the ranges that were read from it. Looking up a written key takes time that
 * grows with the logarithm of all ranges and with the ranges that hold the key, so what a commit costs does not
 * depend on how many other queries are live, whether they read other organisations or other parts of the same one.
 */
import { Interval, IntervalTree } from "@flatten-js/interval-tree";
import type { Touched } from "../storage/store.ts";
import type { ReadRange } from "../transaction/transaction.ts";

/** One range of one index, and everyone who read exactly it. */
type Watch<T> = { interval: Interval; high: string; owners: Set<T> };

/** Keys as text with one character for each byte: JavaScript compares such texts as the bytes compare. */
function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}

class IndexWatches<T> {
  private readonly tree = new IntervalTree<Watch<T>>();
  private readonly byRange = new Map<string, Watch<T>>();

  /** Returns the name of the range, for `remove`. */
  add(range: ReadRange, owner: T): string {
    const low = textOf(range.low);
    const high = textOf(range.high);
    const name = `${low.length} ${low}${high}`;
    let watch = this.byRange.get(name);
    if (watch === undefined) {
      watch = { interval: new Interval(low, high), high, owners: new Set() };
      this.byRange.set(name, watch);
      this.tree.insert(watch.interval, watch);
    }
    watch.owners.add(owner);
    return name;
  }

  remove(name: string, owner: T): void {
    const watch = this.byRange.get(name);
    if (watch?.owners.delete(owner) !== true || watch.owners.size > 0) return;
    this.byRange.delete(name);
    this.tree.remove(watch.interval, watch);
  }

  get isEmpty(): boolean {
    return this.byRange.size === 0;
  }

  addOwners(key: Uint8Array, owners: Set<T>): void {
    const text = textOf(key);
    for (const found of this.tree.search(new Interval(text, text))) {
      const { high, owners: watching } = found;
      // The tree's intervals are closed, ranges end before `high`.
      if (high === text) continue;
      for (const owner of watching) owners.add(owner);
    }
  }
}

/** Ranges by what a write touches. */
export class ReadIndex<T> {
  private readonly indexes = new Map<number, IndexWatches<T>>();
  private readonly owned = new Map<T, { indexId: number; name: string }[]>();

  /** Registers what `owner` read, in place of what it read before. */
  set(owner: T, ranges: readonly ReadRange[]): void {
    this.remove(owner);
    const kept = [];
    for (const range of ranges) {
      const { indexId } = range;
      if (Buffer.compare(range.low, range.high) >= 0) continue;
      let watches = this.indexes.get(indexId);
      if (watches === undefined) {
        watches = new IndexWatches();
        this.indexes.set(indexId, watches);
      }
      kept.push({ indexId, name: watches.add(range, owner) });
    }
    this.owned.set(owner, kept);
  }

  remove(owner: T): void {
    for (const { indexId, name } of this.owned.get(owner) ?? []) {
      const watches = this.indexes.get(indexId);
      watches?.remove(name, owner);
      if (watches?.isEmpty === true) this.indexes.delete(indexId);
    }
    this.owned.delete(owner);
  }

  /** Owners whose ranges hold one of the written keys. */
  touchedBy(touched: Touched): Set<T> {
    const owners = new Set<T>();
    for (const [indexId, keys] of touched) {
      const watches = this.indexes.get(indexId);
      if (watches === undefined) continue;
      for (const key of keys) watches.addOwners(key, owners);
    }
    return owners;
  }
}
