/**
 * Verifies the ranges of an export on this thread and on others beside it, and hands the segments on in the file's
 * order. This thread is one of the workers, so that one worker needs no other thread, and a short file is done before
 * a thread has started.
 */
import { setImmediate } from "node:timers/promises";
import type { SegmentEnds } from "../ledger/chainSegment.ts";
import type { FileRange } from "./rangeReader.ts";
import { createSegmentReader } from "./segmentReader.ts";
import type { SegmentAnswer, SegmentTask } from "./segmentReader.ts";
import type { SegmentThreads } from "./segmentThreads.ts";

/** Takes the next segment; false when no further one is wanted. */
export type TakeSegment = (ends: SegmentEnds, identities: Uint32Array) => boolean;

/** How far the ranges given out are ahead of the oldest that is not done: it bounds what waits in memory. */
const AHEAD_PER_WORKER = 4;

/** What waits must not change with what is read next. */
function copied(answer: SegmentAnswer & object): SegmentAnswer & object {
  return { ...answer, identities: answer.identities.slice() };
}

/** What is still to be given out, and what came back before its turn. */
class RangeQueue {
  readonly #length: number;
  readonly #take: TakeSegment;
  readonly #aheadMax: number;
  readonly #early = new Map<number, SegmentAnswer & object>();
  #given = 0;
  #taken = 0;
  #outcome: boolean | undefined;

  constructor(length: number, workers: number, take: TakeSegment) {
    this.#length = length;
    this.#take = take;
    this.#aheadMax = workers * AHEAD_PER_WORKER;
    if (length === 0) this.#outcome = true;
  }

  /** Whether all ranges were sound and wanted, once that is known. */
  get outcome(): boolean | undefined {
    return this.#outcome;
  }

  /** The next range to be verified, by its index, if one may be given out now. */
  next(): number | undefined {
    const isOver = this.#outcome !== undefined || this.#given === this.#length;
    if (isOver || this.#given >= this.#taken + this.#aheadMax) return undefined;
    this.#given += 1;
    return this.#given - 1;
  }

  put(index: number, answer: SegmentAnswer): void {
    if (answer === undefined) this.#outcome = false;
    else this.#early.set(index, index === this.#taken ? answer : copied(answer));
    for (let next = this.#early.get(this.#taken); next !== undefined; next = this.#early.get(this.#taken)) {
      if (this.#outcome !== undefined) return;
      this.#early.delete(this.#taken);
      this.#taken += 1;
      if (!this.#take(next.ends, next.identities)) this.#outcome = false;
      else if (this.#taken === this.#length) this.#outcome = true;
    }
  }
}

/** Whether all ranges were sound and wanted. Throws what reading throws, here or in a thread. */
export async function verifyRanges(
  task: SegmentTask,
  ranges: readonly FileRange[],
  take: TakeSegment,
  threads: SegmentThreads,
): Promise<boolean> {
  const queue = new RangeQueue(ranges.length, threads.count + 1, take);
  const read = createSegmentReader(task);
  threads.begin({
    task,
    ranges,
    next: () => queue.next(),
    put: (index, answer) => {
      queue.put(index, answer);
    },
  });
  try {
    while (queue.outcome === undefined) {
      threads.feed();
      const index = queue.next();
      const range = index === undefined ? undefined : ranges[index];
      if (index === undefined || range === undefined) await threads.wait();
      else queue.put(index, read(range));
      await setImmediate();
    }
    return queue.outcome;
  } finally {
    await threads.end();
  }
}
