/** Flips each rule of the policy, one at a time: a test that the matrix gives must fail for each. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { POLICY } from "../../convex/access/policy.ts";
import { casesOf, type Case } from "../matrix/cases.ts";
import { allFlips, underFlip, type Flip } from "../matrix/flips.ts";
import { openTestWorld, readMatrix } from "../matrix/testWorld.ts";
import type { World } from "../matrix/world.ts";

const matrix = readMatrix();
const flips = allFlips();
let world: World;
let [caught, runs] = [0, 0];

beforeAll(async () => {
  world = await openTestWorld();
});
afterAll(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

async function fails(each: Case, where: World): Promise<boolean> {
  runs += 1;
  return await each.run(where).then(
    () => false,
    () => true,
  );
}

/** Whether one of them fails: by its answer, as nearly always, or else by what it did. */
async function oneFails(cases: readonly Case[]): Promise<boolean> {
  for (const where of [{ ...world, answersOnly: true }, world]) {
    for (const each of cases) if (await fails(each, where)) return true;
  }
  return false;
}

/** The row's tests, with those first that are likely to notice the flip. */
function likelyFirst(cases: readonly Case[], { title, role }: Flip): Case[] {
  const likelihood = (each: Case): number => {
    const isSituation = /frozen|closed/.test(title) === /frozen|closed|refused/.test(each.title);
    const isStepUp = title.includes("step-up") === / c[57] /.test(each.title);
    return Number(each.role === role) + Number(isSituation) + Number(isStepUp);
  };
  return [...cases].sort((a, b) => likelihood(b) - likelihood(a));
}

test("without a flip the tests pass by their answers too", async () => {
  const every = matrix.rows.flatMap((row) => casesOf(row, matrix)).filter((_each, index) => index % 10 === 0);
  for (const each of every) await each.run({ ...world, answersOnly: true });
  expect(every.length).toBeGreaterThan(200);
});

for (const row of matrix.rows) {
  const cases = casesOf(row, matrix);
  const ofRow = flips.filter(({ name }) => name === row.name);
  test.each(ofRow.map((flip) => [row.name, flip.title, flip] as const))(
    "%s: %s",
    async (_name, title, flip) => {
      const before = JSON.stringify(POLICY);
      const isCaught = await underFlip(flip, () => oneFails(likelyFirst(cases, flip)));
      expect([title, isCaught]).toEqual([title, true]);
      expect(JSON.stringify(POLICY)).toHaveLength(before.length);
      caught += 1;
    },
  );
}

test("every flip was caught", () => {
  console.info(`matrix: ${caught} of ${flips.length} flips caught, ${runs} tests run for it`);
  expect(caught).toBe(flips.length);
});
