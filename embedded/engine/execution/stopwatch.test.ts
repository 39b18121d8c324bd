import { describe, expect, test } from "vitest";
import { usedUp } from "./stopwatch.ts";

describe("a call's own time", () => {
  test.each([
    ["is over after a second of computing", { ownMs: 1_001, workMs: 1_001, cpuMs: 1_001 }, true],
    ["is not over before it", { ownMs: 1_000, workMs: 1_000, cpuMs: 1_000 }, false],
    ["is over where most of a processor was had", { ownMs: 1_100, workMs: 1_100, cpuMs: 900 }, true],
    ["is not over where half of a processor was had", { ownMs: 1_100, workMs: 1_100, cpuMs: 560 }, false],
    ["is over later there", { ownMs: 1_700, workMs: 1_700, cpuMs: 850 }, true],
    ["is not over where the machine gave no processor", { ownMs: 5_000, workMs: 5_000, cpuMs: 100 }, false],
    // The engine read for a second; the call had as little of a processor as the thread had.
    ["is not over for what the engine computed", { ownMs: 1_001, workMs: 2_500, cpuMs: 1_000 }, false],
    [
      "is over in the end, however long the engine waited",
      { ownMs: 4_000, workMs: 9_000, cpuMs: 4_000 },
      true,
    ],
  ])("%s", (_what, time, expected) => {
    expect(usedUp(time)).toBe(expected);
  });
});
