/**
 * A table from texts to small counts that stays compact at a million entries: it keeps a 64-bit fingerprint of
 * each text in typed arrays, 8 bytes per slot (12 with counts), at most 60 % full.
 *
 * Equal texts always meet, so nothing is overlooked. Different texts meet with a probability of n²/2⁶⁵ (3e-8 at
 * a million); the fingerprint resists accidents, not someone who searches for a collision, and whoever writes a
 * ledger could only make their own ledger look damaged with one.
 */

const SLOTS_FIRST = 1024;
const LOAD_MAX = 0.6;

/** FNV's prime, and an unrelated odd multiplier so that the two lanes do not collide together. */
const LANE_A = { seed: 0x811c9dc5, multiplier: 0x01000193 };
const LANE_B = { seed: 0x9e3779b9, multiplier: 0x2c1b3c6d };

function lane(text: string, { seed, multiplier }: typeof LANE_A): number {
  let state = seed ^ text.length;
  for (let index = 0; index < text.length; index += 1) {
    state = Math.imul(state ^ text.charCodeAt(index), multiplier);
    state ^= state >>> 15;
  }
  state = Math.imul(state ^ (state >>> 16), 0x7feb352d);
  state = Math.imul(state ^ (state >>> 15), 0x846ca68b);
  return (state ^ (state >>> 16)) >>> 0;
}

interface Slots {
  readonly high: Uint32Array;
  readonly low: Uint32Array;
  readonly counts: Uint32Array | undefined;
}

function emptySlots(length: number, withCounts: boolean): Slots {
  return {
    high: new Uint32Array(length),
    low: new Uint32Array(length),
    counts: withCounts ? new Uint32Array(length) : undefined,
  };
}

/** The slot that holds the fingerprint, or the empty one where it belongs. An empty slot has `low` 0. */
function slotOf(slots: Slots, high: number, low: number): number {
  const mask = slots.low.length - 1;
  let slot = (low ^ Math.imul(high, 0x9e3779b1)) & mask;
  while (slots.low[slot] !== 0 && (slots.low[slot] !== low || slots.high[slot] !== high)) {
    slot = (slot + 1) & mask;
  }
  return slot;
}

/** Without counts it is a set: `get` answers 1 for a text it has and 0 otherwise. */
export class FingerprintTable {
  #slots: Slots;
  #size = 0;
  readonly #withCounts: boolean;

  constructor(options: { readonly withCounts: boolean }) {
    this.#withCounts = options.withCounts;
    this.#slots = emptySlots(SLOTS_FIRST, options.withCounts);
  }

  get size(): number {
    return this.#size;
  }

  /** The count kept for the text, 0 when there is none. */
  get(text: string): number {
    const low = lane(text, LANE_B) || 1;
    const slot = slotOf(this.#slots, lane(text, LANE_A), low);
    if (this.#slots.low[slot] === 0) return 0;
    return this.#slots.counts?.[slot] ?? 1;
  }

  /** Keeps a count of at least 1 for the text. */
  set(text: string, count: number): void {
    const isNew = this.#put(lane(text, LANE_A), lane(text, LANE_B) || 1, count);
    if (!isNew) return;
    this.#size += 1;
    if (this.#size > this.#slots.low.length * LOAD_MAX) this.#grow();
  }

  #put(high: number, low: number, count: number): boolean {
    const slots = this.#slots;
    const slot = slotOf(slots, high, low);
    const isNew = slots.low[slot] === 0;
    slots.high[slot] = high;
    slots.low[slot] = low;
    if (slots.counts !== undefined) slots.counts[slot] = count;
    return isNew;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = emptySlots(old.low.length * 2, this.#withCounts);
    for (const [slot, low] of old.low.entries()) {
      if (low !== 0) this.#put(old.high[slot] ?? 0, low, old.counts?.[slot] ?? 1);
    }
  }
}
