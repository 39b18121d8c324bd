/**
 * What documents were before the newest commits, so that a series of queries can be answered at one moment while
 * commits go on. In memory: after a restart nothing earlier can be read.
 */
import { HOST_LIMITS } from "../limits.ts";
import type { JsonObject } from "../values/json.ts";
import type { Table } from "./catalog.ts";

/** A document as a commit found it; null when it inserted it. */
export type Before = { table: Table; raw: Uint8Array; before: JsonObject | null };

type Noted = Before & { ts: bigint; atMs: number };

/** The changes of the newest commits, backwards. */
export class History {
  private kept: Noted[] = [];
  private pending: Noted[] = [];
  /** The oldest timestamp that can be read. */
  private firstTs: bigint;

  constructor(newestTs: bigint) {
    this.firstTs = newestTs;
  }

  /** A transaction changes a document; it counts once `commit` is called. */
  note(ts: bigint, change: Before): void {
    this.pending.push({ ts, atMs: Date.now(), ...change });
  }

  commit(): void {
    this.kept.push(...this.pending);
    this.pending = [];
    this.forgetOld();
  }

  rollback(): void {
    this.pending = [];
  }

  /** What changed after a timestamp, the newest change first; null when that is too long ago. */
  after(ts: bigint): Before[] | null {
    if (ts < this.firstTs) return null;
    const first = this.kept.findIndex((noted) => noted.ts > ts);
    return first < 0 ? [] : this.kept.slice(first).reverse();
  }

  private forgetOld(): void {
    const oldestMs = Date.now() - HOST_LIMITS.historyKeptMs;
    const overflow = this.kept.length - HOST_LIMITS.historyChangesMax;
    const young = this.kept.findIndex(({ atMs }, index) => atMs >= oldestMs && index >= overflow);
    const forgotten = this.kept.splice(0, young < 0 ? this.kept.length : young);
    // A commit is forgotten as a whole, or its timestamp could be read in part.
    const newest = forgotten.at(-1)?.ts;
    if (newest === undefined) return;
    this.firstTs = newest;
    while (this.kept[0]?.ts === newest) this.kept.shift();
  }
}
