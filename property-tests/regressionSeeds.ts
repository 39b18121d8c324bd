/**
 * Streams that once found a fault. They are played before the random ones, for ever. A change of the generator
 * changes what a seed means: then break the code as `why` says, and note a seed that finds it.
 */
export type RegressionSeed = { seed: number; length: number; why: string };

export const REGRESSION_SEEDS: readonly RegressionSeed[] = [
  { seed: 5, length: 120, why: "an organisation claim that is an object fell through to the stored choice" },
];
