/** Closed loops: each repeats one operation, and starts it again when it has ended. */

export type Measured = { perSecond: number; p50Ms: number; p95Ms: number; p99Ms: number };

/** The value below which this share of `sorted` lies. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? Number.NaN;
}

/** Runs all loops beside each other for `seconds`. Throws what an operation throws. */
export async function measureLoops(
  operations: readonly (() => Promise<unknown>)[],
  seconds: number,
): Promise<Measured> {
  const latencies: number[] = [];
  const begin = performance.now();
  const end = begin + seconds * 1_000;
  await Promise.all(
    operations.map(async (operation) => {
      for (let now = performance.now(); now < end;) {
        await operation();
        const done = performance.now();
        latencies.push(done - now);
        now = done;
      }
    }),
  );
  const elapsedS = (performance.now() - begin) / 1_000;
  latencies.sort((one, other) => one - other);
  return {
    perSecond: latencies.length / elapsedS,
    p50Ms: quantile(latencies, 0.5),
    p95Ms: quantile(latencies, 0.95),
    p99Ms: quantile(latencies, 0.99),
  };
}
