/** Random damages of exported ledgers: never intact, and reported by kind and position (attack group P). */
import { hash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Sha256 } from "../ledger/hash.ts";
import { findIntactBytes } from "../ledger/testing/intactBytes.ts";
import { chainEvents, endlessDrafts, lifecycleEvents, sampleEvents } from "../ledger/testing/sampleLedger.ts";
import { verifyBytes } from "../ledger/testing/verifyCase.ts";
import { createBundle, DAMAGES, firstDamagedLine } from "./bundleDamages.ts";
import type { Bundle, Damage, Damaged } from "./bundleDamages.ts";
import { integerFrom, seedFrom } from "./seed.ts";

const sha256: Sha256 = (bytes) => hash("sha256", bytes, "buffer");
const seed = seedFrom();
/** The gate plays more than 20,000 damages in all. */
const runs = integerFrom("PROPERTY_RUNS") ?? 1300;
const TAPE_LENGTH = 24;

const short = Array.from(chainEvents(endlessDrafts().take(12), sha256), ({ event }) => event);
const bundles: readonly Bundle[] = [sampleEvents(sha256), lifecycleEvents(sha256), short].map((events) =>
  createBundle(events, sha256),
);

/** Every damage reads its random numbers from a tape, which shrinks when it fails. */
const tape = fc.array(fc.nat(), { minLength: TAPE_LENGTH, maxLength: TAPE_LENGTH });

function play(damage: Damage, numbers: readonly number[]): { bundle: Bundle; damaged: Damaged | undefined } {
  let at = 0;
  const draw = (end: number) => {
    at += 1;
    return ((numbers[at % TAPE_LENGTH] ?? 0) + Math.floor(at / TAPE_LENGTH)) % end;
  };
  const bundle = bundles[draw(bundles.length)];
  if (bundle === undefined) throw new Error("There is no bundle.");
  const damaged = damage(bundle, draw);
  const isSame = damaged !== undefined && Buffer.compare(bundle.bytes, damaged.bytes) === 0;
  return { bundle, damaged: isSame ? undefined : damaged };
}

function check(bundle: Bundle, { bytes, kinds, latest, earlierHead }: Damaged): void {
  const heads = earlierHead === undefined ? {} : { earlierHead };
  // The fast way may only say "intact" of what is; how it cuts the ledger makes no difference.
  for (const lines of [1, 5]) expect(findIntactBytes(bytes, sha256, heads, lines)).toBeUndefined();
  const verdict = verifyBytes(bytes, sha256, heads);
  if (verdict.result === "not a bundle" || verdict.damage === undefined) {
    throw new Error(`The verdict is "${verdict.result}".`);
  }
  expect(kinds).toContain(verdict.damage.kind);
  expect(verdict.damage.seq).toBeLessThanOrEqual(latest ?? firstDamagedLine(bundle.bytes, bytes));
  // What was reported as sound is the true ledger.
  const { count, headHash } = verdict;
  if (count > 0 && count < firstDamagedLine(bundle.bytes, bytes)) {
    expect(headHash).toBe(bundle.entries[count - 1]?.hash);
  }
}

test("the bundles are intact before they are damaged", () => {
  for (const { bytes, entries } of bundles) {
    const verdict = verifyBytes(bytes, sha256);
    expect(verdict).toMatchObject({ result: "intact", count: entries.length });
    expect(findIntactBytes(bytes, sha256)).toEqual(verdict);
  }
});

let played = 0;

test.each(Object.entries(DAMAGES))("%s is never intact", (name, damage) => {
  let damages = 0;
  const property = fc.property(tape, (numbers) => {
    const { bundle, damaged } = play(damage, numbers);
    if (damaged === undefined) return;
    damages += 1;
    check(bundle, damaged);
  });
  try {
    fc.assert(property, { seed, numRuns: runs });
  } catch (error) {
    throw new Error(`${name}: run again with PROPERTY_SEED=${seed} PROPERTY_RUNS=${runs}\n${String(error)}`, {
      cause: error,
    });
  }
  played += damages;
  expect(damages).toBeGreaterThan(runs * 0.8);
});

test("at least twenty thousand damages were played", () => {
  console.info(`damages of bundles: seed ${seed}, ${played} damages`);
  if (integerFrom("PROPERTY_RUNS") === undefined) expect(played).toBeGreaterThanOrEqual(20_000);
});
