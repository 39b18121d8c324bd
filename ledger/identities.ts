/**
 * The two checks that need all of a ledger, in memory that does not grow with it: no event id twice, and the versions
 * of each stream are 1, 2, 3 … in the order of the events. Both are one rule: of each identity the versions come in
 * order, and an event id has the version 1 only.
 *
 * Segments note identities as records of five 32-bit words: the 128 bits of the ULID, and the kind with the version.
 * Records are exact, no fingerprints. They are sorted into partitions by a hash and kept outside (a file, for the
 * auditor); at the end each partition is checked by itself, with a table that lives no longer than that.
 */
import { ULID_DIGITS } from "./ids.ts";

const RECORD_WORDS = 5;
const KIND_SHIFT = 28;
const VERSION_MAX = 2 ** KIND_SHIFT - 1;
const KIND_MAX = 15;
/** Also the kind of event ids; the kinds of streams follow. */
export const EVENT_ID_KIND = 0;

const PARTITIONS = 64;
const PARTITION_SHIFT = 26;
const BLOCK_RECORDS = 256;
const BLOCK_WORDS = BLOCK_RECORDS * RECORD_WORDS;

const DIGIT = new Uint8Array(256);
for (const [value, digit] of Array.from(ULID_DIGITS).entries()) DIGIT[digit.charCodeAt(0)] = value;

/** Six digits of base 32 as 30 bits. */
function sixDigits(bytes: Uint8Array, at: number): number {
  let word = 0;
  for (let next = at; next < at + 6; next += 1) word = (word << 5) | (DIGIT[bytes[next] ?? 0] ?? 0);
  return word;
}

/** A growing list of records, in the order in which they were noted. */
export class IdentityList {
  #words = new Uint32Array(1024 * RECORD_WORDS);
  #length = 0;

  /** The records so far: a view that the next `note` or `clear` makes invalid. */
  get words(): Uint32Array<ArrayBuffer> {
    return this.#words.subarray(0, this.#length);
  }

  /** Notes the ULID whose 26 digits stand at `at`. False when the kind or version is too large for a record. */
  note(kind: number, bytes: Uint8Array, at: number, version: number): boolean {
    if (kind > KIND_MAX || version > VERSION_MAX) return false;
    const start = this.#length;
    this.#length += RECORD_WORDS;
    if (this.#length > this.#words.length) this.#grow();
    const words = this.#words;
    // The first digit has 3 bits, so the first word has room for 4 of the last ten bits, the others for 2 each.
    const rest = ((DIGIT[bytes[at + 24] ?? 0] ?? 0) << 5) | (DIGIT[bytes[at + 25] ?? 0] ?? 0);
    words[start] = sixDigits(bytes, at) | (rest << 28);
    words[start + 1] = sixDigits(bytes, at + 6) | ((rest >>> 4) << 30);
    words[start + 2] = sixDigits(bytes, at + 12) | ((rest >>> 6) << 30);
    words[start + 3] = sixDigits(bytes, at + 18) | ((rest >>> 8) << 30);
    words[start + 4] = (kind << KIND_SHIFT) | version;
    return true;
  }

  clear(): void {
    this.#length = 0;
  }

  #grow(): void {
    const words = new Uint32Array(this.#words.length * 2);
    words.set(this.#words);
    this.#words = words;
  }
}

/** Where full blocks of a partition go. They come back in the order in which they were kept, each valid until the next. */
export interface BlockStore {
  keep(partition: number, words: Uint32Array<ArrayBuffer>): void;
  blocks(partition: number): Iterable<Uint32Array>;
}

function mix(words: Uint32Array, at: number): number {
  let state = words[at + 3] ?? 0;
  state = Math.imul(state ^ (state >>> 16) ^ (words[at + 2] ?? 0), 0x7feb352d);
  state = Math.imul(state ^ (state >>> 15) ^ (words[at + 1] ?? 0), 0x846ca68b);
  state = Math.imul(state ^ (state >>> 16) ^ (words[at] ?? 0), 0x2c1b3c6d);
  state ^= ((words[at + 4] ?? 0) >>> KIND_SHIFT) * 0x9e3779b1;
  state = Math.imul(state ^ (state >>> 15), 0x297a2d39);
  return (state ^ (state >>> 15)) >>> 0;
}

function isSameIdentity(one: Uint32Array, at: number, other: Uint32Array, otherAt: number): boolean {
  return (
    one[at] === other[otherAt] &&
    one[at + 1] === other[otherAt + 1] &&
    one[at + 2] === other[otherAt + 2] &&
    one[at + 3] === other[otherAt + 3] &&
    (one[at + 4] ?? 0) >>> KIND_SHIFT === (other[otherAt + 4] ?? 0) >>> KIND_SHIFT
  );
}

/** The last record of each identity of one partition: open addressing, at most half full, an empty slot ends in 0. */
class LastRecords {
  #mask = 0;
  #words = new Uint32Array(0);

  /** Forgets all, and makes room for so many. Partitions are about as large as each other, so the room is used again. */
  reset(records: number): void {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(records, 8) * 2));
    if (slots === this.#mask + 1) {
      this.#words.fill(0);
      return;
    }
    this.#mask = slots - 1;
    this.#words = new Uint32Array(slots * RECORD_WORDS);
  }

  /** Takes the next record; false when its version is not the one that is due. */
  take(words: Uint32Array, at: number): boolean {
    const table = this.#words;
    let slot = (mix(words, at) & this.#mask) * RECORD_WORDS;
    while (table[slot + 4] !== 0 && !isSameIdentity(table, slot, words, at)) {
      slot = ((slot / RECORD_WORDS + 1) & this.#mask) * RECORD_WORDS;
    }
    const record = words[at + 4] ?? 0;
    const isFirst = table[slot + 4] === 0;
    const last = isFirst ? record & ~VERSION_MAX : (table[slot + 4] ?? 0);
    if (record >>> KIND_SHIFT === EVENT_ID_KIND && !isFirst) return false;
    if (record >>> 0 !== (last >>> 0) + 1) return false;
    for (let index = 0; index < RECORD_WORDS; index += 1) table[slot + index] = words[at + index] ?? 0;
    return true;
  }
}

/** Takes the records of a ledger in the order of its events, and tells at the end whether every version was due. */
export class IdentityCheck {
  readonly #store: BlockStore;
  readonly #open = Array.from({ length: PARTITIONS }, () => new Uint32Array(BLOCK_WORDS));
  readonly #filled = new Uint32Array(PARTITIONS);
  readonly #counts = new Uint32Array(PARTITIONS);

  constructor(store: BlockStore) {
    this.#store = store;
  }

  add(words: Uint32Array): void {
    for (let at = 0; at < words.length; at += RECORD_WORDS) {
      const partition = mix(words, at) >>> PARTITION_SHIFT;
      const block = this.#open[partition];
      if (block === undefined) continue;
      let filled = this.#filled[partition] ?? 0;
      for (let index = 0; index < RECORD_WORDS; index += 1) block[filled + index] = words[at + index] ?? 0;
      filled += RECORD_WORDS;
      this.#counts[partition] = (this.#counts[partition] ?? 0) + 1;
      if (filled === BLOCK_WORDS) {
        this.#store.keep(partition, block);
        filled = 0;
      }
      this.#filled[partition] = filled;
    }
  }

  /** Whether no event id came twice and every stream's versions came in order. */
  isSound(): boolean {
    const last = new LastRecords();
    return this.#open.every((open, partition) => {
      last.reset(this.#counts[partition] ?? 0);
      for (const block of this.#store.blocks(partition)) {
        if (!takeAll(last, block)) return false;
      }
      return takeAll(last, open.subarray(0, this.#filled[partition]));
    });
  }
}

function takeAll(last: LastRecords, words: Uint32Array): boolean {
  for (let at = 0; at < words.length; at += RECORD_WORDS) {
    if (!last.take(words, at)) return false;
  }
  return true;
}

/** Keeps blocks in memory: for small ledgers, and where there is no file. */
export function memoryStore(): BlockStore {
  const kept = new Map<number, Uint32Array[]>();
  return {
    keep: (partition, words) => {
      const blocks = kept.get(partition);
      if (blocks === undefined) kept.set(partition, [words.slice()]);
      else blocks.push(words.slice());
    },
    blocks: (partition) => kept.get(partition) ?? [],
  };
}
