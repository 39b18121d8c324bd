/** A tree kept as a server keeps it: the frontier, the leaf hashes of the events, and rows of tiles. Counts its reads. */
import { appendLeaf, EMPTY_FRONTIER } from "../frontier.ts";
import type { Frontier } from "../frontier.ts";
import type { Sha256 } from "../hash.ts";
import { eventsOfTile, tileGains } from "../tiles.ts";
import type { TileReader } from "../tiles.ts";

/** In memory. `reads` and `writes` are of rows, an event counted as one. */
export class StoredTree {
  frontier: Frontier = EMPTY_FRONTIER;
  readonly leaves: Uint8Array[] = [];
  readonly tiles = new Map<string, Uint8Array[]>();
  reads = 0;
  writes = 0;
  readonly #sha256: Sha256;

  constructor(sha256: Sha256) {
    this.#sha256 = sha256;
  }

  append(leaf: Uint8Array): void {
    const { frontier, completed } = appendLeaf(this.frontier, leaf, this.#sha256);
    this.frontier = frontier;
    this.leaves.push(leaf);
    for (const { level, index, offset, hash } of tileGains(completed)) {
      const name = `${level}/${index}`;
      const tile = this.tiles.get(name) ?? [];
      if (tile.length !== offset)
        throw new Error(`Tile ${name} has ${tile.length} hashes and gains number ${offset}.`);
      this.tiles.set(name, [...tile, hash]);
      this.writes += 1;
    }
  }

  readonly readTile: TileReader = (range) => {
    if (range.level > 0) {
      this.reads += 1;
      return Promise.resolve(this.tiles.get(`${range.level}/${range.index}`) ?? []);
    }
    const { from, to } = eventsOfTile(range);
    const hashes = this.leaves.slice(from - 1, to);
    this.reads += hashes.length;
    return Promise.resolve(hashes);
  };
}
