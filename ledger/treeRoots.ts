/** The roots of an organisation's tree at chosen sizes, from its events' hashes as they are read. */
import { HASH_BYTES, hashFromHex } from "./bytes.ts";
import { joinFromRight } from "./frontier.ts";
import { toHex } from "./hash.ts";
import type { Sha256 } from "./hash.ts";
import { emptyRoot, leafHash, nodeHash } from "./merkle.ts";

export interface TreeAt {
  /** 32 bytes. */
  readonly root: Uint8Array;
  /** The hash of the last event that the tree of this size holds; undefined at size 0. */
  readonly eventHash: string | undefined;
}

/**
 * Add the hash of every event, in order; then ask for the wanted sizes. Holds one root for each set bit of the size, and
 * what was wanted.
 */
export class TreeRoots {
  readonly #sha256: Sha256;
  readonly #wanted: readonly number[];
  readonly #found = new Map<number, TreeAt>();
  readonly #roots: Uint8Array[] = [];
  #next = 0;
  #size = 0;

  constructor(sizes: readonly number[], sha256: Sha256) {
    this.#sha256 = sha256;
    this.#wanted = [...new Set(sizes)].sort((left, right) => left - right);
    this.#note(undefined);
  }

  /** Events added so far. */
  get size(): number {
    return this.#size;
  }

  /** The tree at a size that was wanted and reached. */
  at(size: number): TreeAt | undefined {
    return this.#found.get(size);
  }

  /** Adds an event by its hash, 64 lower-case hexadecimal digits. Throws a RangeError for another text. */
  add(eventHash: string): void {
    const bytes = hashFromHex(eventHash);
    if (bytes === undefined) throw new RangeError("An event's hash is 64 lower-case hexadecimal digits.");
    this.addBytes(bytes);
  }

  /** Adds events by their hashes, 32 bytes each, one after another. */
  addBytes(eventHashes: Uint8Array): void {
    for (let at = 0; at < eventHashes.length; at += HASH_BYTES) {
      this.#append(eventHashes.subarray(at, at + HASH_BYTES));
    }
  }

  #append(eventHash: Uint8Array): void {
    let hash = leafHash(eventHash, this.#sha256);
    for (let rest = this.#size; rest % 2 === 1; rest = Math.floor(rest / 2)) {
      const left = this.#roots.pop();
      if (left !== undefined) hash = nodeHash(left, hash, this.#sha256);
    }
    this.#roots.push(hash);
    this.#size += 1;
    this.#note(eventHash);
  }

  #note(eventHash: Uint8Array | undefined): void {
    if (this.#wanted[this.#next] !== this.#size) return;
    this.#next += 1;
    this.#found.set(this.#size, {
      root: joinFromRight(this.#roots, this.#sha256) ?? emptyRoot(this.#sha256),
      eventHash: eventHash === undefined ? undefined : toHex(eventHash),
    });
  }
}
