import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ReadRange } from "../transaction/transaction.ts";
import { propertySeed } from "../testing/arbitraryValue.ts";
import { ReadIndex } from "./readIndex.ts";

const key = fc.uint8Array({ maxLength: 4, max: 3 });
const range: fc.Arbitrary<ReadRange> = fc
  .tuple(fc.integer({ min: 1, max: 2 }), key, key)
  .map(([indexId, low, high]) => ({ indexId, low, high }));

function holds({ low, high }: ReadRange, written: Uint8Array): boolean {
  return Buffer.compare(written, low) >= 0 && Buffer.compare(written, high) < 0;
}

describe("the read index", () => {
  test("finds exactly the owners that comparing every range finds", () => {
    const seed = propertySeed("readIndex");
    const owners = fc.array(fc.array(range, { maxLength: 4 }), { maxLength: 8 });
    fc.assert(
      fc.property(
        owners,
        fc.array(key, { maxLength: 4 }),
        fc.array(fc.nat(7)),
        (ranges, written, removed) => {
          const index = new ReadIndex<number>();
          for (const [owner, read] of ranges.entries()) index.set(owner, read);
          for (const owner of removed) index.remove(owner);
          const expected = [...ranges.entries()]
            .filter(([owner]) => !removed.includes(owner))
            .filter(([, read]) => read.some((r) => r.indexId === 1 && written.some((w) => holds(r, w))))
            .map(([owner]) => owner);
          expect([...index.touchedBy(new Map([[1, written]]))].sort()).toEqual(expected);
        },
      ),
      { seed, numRuns: 5_000 },
    );
  });

  test("a second set replaces what an owner read before", () => {
    const index = new ReadIndex<string>();
    const point = (byte: number): ReadRange => ({
      indexId: 1,
      low: Buffer.of(byte),
      high: Buffer.of(byte, 0),
    });
    index.set("owner", [point(1)]);
    index.set("owner", [point(2)]);
    expect(index.touchedBy(new Map([[1, [Buffer.of(1)]]])).size).toBe(0);
    expect(index.touchedBy(new Map([[1, [Buffer.of(2)]]])).size).toBe(1);
  });
});
