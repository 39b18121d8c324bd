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

async function fails(each: Case): Promise<boolean> {
  runs += 1;
  return await each.run(world).then(
    () => false,
    () => true,
  );
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

for (const row of matrix.rows) {
  const cases = casesOf(row, matrix);
  const ofRow = flips.filter(({ name }) => name === row.name);
  test.each(ofRow.map((flip) => [row.name, flip.title, flip] as const))(
    "%s: %s",
    async (_name, title, flip) => {
      const before = JSON.stringify(POLICY);
      const isCaught = await underFlip(flip, async () => {
        for (const each of likelyFirst(cases, flip)) if (await fails(each)) return true;
        return false;
      });
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
