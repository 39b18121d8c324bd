/** Draws streams from a seed and plays them; prints the seed and what was run. */
import fc from "fast-check";
import { stream, type Intent } from "./intents.ts";
import { playStream } from "./play.ts";
import type { RegressionSeed } from "./regressionSeeds.ts";
import { integerFrom, seedFrom } from "./seed.ts";
import type { Bench, Tally } from "./session.ts";

export type Plan = { seed: number; runs: number; length: number };

/**
 * Seed, number of streams and intents in each. PROPERTY_SEED (an integer, or `random` for streams never seen
 * before), PROPERTY_RUNS and PROPERTY_COMMANDS (intents in all) override.
 */
export function planFrom(defaults: { runs: number; commands: number }): Plan {
  const runs = Math.max(1, integerFrom("PROPERTY_RUNS") ?? defaults.runs);
  const commands = integerFrom("PROPERTY_COMMANDS") ?? defaults.commands;
  return { seed: seedFrom(), runs, length: Math.max(1, Math.ceil(commands / runs)) };
}

function sum(tallies: readonly Tally[]): Tally {
  const total: Tally = { commands: 0, queries: 0, deliveries: 0, outcomes: new Map() };
  for (const { commands, queries, deliveries, outcomes } of tallies) {
    total.commands += commands;
    total.queries += queries;
    total.deliveries += deliveries;
    for (const [outcome, times] of outcomes) {
      total.outcomes.set(outcome, (total.outcomes.get(outcome) ?? 0) + times);
    }
  }
  return total;
}

function report(
  name: string,
  { seed, length }: { seed: number; length: number },
  tallies: readonly Tally[],
): void {
  const { commands, queries, deliveries, outcomes } = sum(tallies);
  const counted = [...outcomes]
    .sort(([, a], [, b]) => b - a)
    .map(([outcome, times]) => `${outcome} ${times}`);
  console.info(
    `${name}: seed ${seed}, ${tallies.length} streams of ${length} intents, ${commands} commands, ` +
      `${queries} queries, ${deliveries} deliveries\n  ${counted.join(", ")}`,
  );
}

/** Plays `runs` streams, each on a bench of its own. The first fault ends it; its message has the seed. */
export async function runStreams(
  name: string,
  { seed, runs, length }: Plan,
  withBench: (play: (bench: Bench) => Promise<void>) => Promise<void>,
): Promise<Tally> {
  const tallies: Tally[] = [];
  const property = fc.asyncProperty(stream(length), async (intents) => {
    await withBench(async (bench) => {
      tallies.push(await playStream(bench, intents));
    });
  });
  const again = `PROPERTY_SEED=${seed} PROPERTY_RUNS=${runs} PROPERTY_COMMANDS=${runs * length}`;
  try {
    await fc.assert(property, { seed, numRuns: runs, endOnFailure: true, asyncReporter: throwFirst });
  } catch (error) {
    throw new Error(`${name}, stream ${tallies.length + 1}: run again with ${again}\n${String(error)}`, {
      cause: error,
    });
  }
  report(name, { seed, length }, tallies);
  return sum(tallies);
}

/** The stream itself says nothing to a reader: hundreds of random numbers. The fault and the calls before it do. */
function throwFirst(details: fc.RunDetails<[Intent[]]>): Promise<void> {
  if (!details.failed) return Promise.resolve();
  const { errorInstance } = details;
  return Promise.reject(errorInstance instanceof Error ? errorInstance : new Error("the property failed"));
}

/** Plays a kept seed: one stream. */
export function planOf({ seed, length }: RegressionSeed): Plan {
  return { seed, runs: 1, length };
}
