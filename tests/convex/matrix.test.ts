/** R20: the authorisation matrix, each cell a test, besides the columns that nobody writes. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { POLICY } from "../../convex/access/policy.ts";
import { BOUNDARIES, SHOWN } from "../matrix/conditions.ts";
import { casesOf } from "../matrix/cases.ts";
import { playCell } from "../matrix/cells.ts";
import { FIXTURES } from "../matrix/fixtures.ts";
import { observe, rehearse, type Observation } from "../matrix/rehearsal.ts";
import { COLUMNS, parseMatrix, type Column } from "../matrix/table.ts";
import { openTestWorld, readMatrix } from "../matrix/testWorld.ts";
import type { World } from "../matrix/world.ts";
import { publicFunctions } from "../support/inventory.ts";

const matrix = readMatrix();
const rows = matrix.rows;
let world: World;
let calm: Observation;

beforeAll(async () => {
  world = await openTestWorld();
  calm = await rehearse(world.backend.anonymous(), observe);
});
afterAll(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

describe("the table", () => {
  test("R01 R20 its rows, the registered public functions and the policy name each other exactly", async () => {
    const names = rows.map(({ name }) => name).sort();
    expect(names).toEqual(await publicFunctions());
    expect(names).toEqual(Object.keys(POLICY).sort());
    expect(names).toEqual(Object.keys(FIXTURES).sort());
  });

  test("every condition of a cell is tested where it is written, and nowhere else", () => {
    const written = rows.flatMap(({ name, cells }) =>
      COLUMNS.flatMap((column) => {
        const cell = cells[column];
        return cell.kind === "allowed" ? cell.conditions.map((id) => `${id} ${name} ${column}`) : [];
      }),
    );
    const tested = [...BOUNDARIES, ...SHOWN].map(
      ({ condition, name, column }) => `${condition} ${name} ${column}`,
    );
    expect(tested.sort()).toEqual(written.sort());
    for (const { allowed, refused } of BOUNDARIES) {
      expect([allowed.length > 0, refused.length > 0]).toEqual([true, true]);
    }
  });

  test("only a function that takes a booking has a relation to one", () => {
    for (const { name, cells } of rows) {
      const related = COLUMNS.filter((column) => column.includes(":"));
      const isOnBooking = /bookings:(?!list|request)|payments:(?:request$|cancel|get|payerSecret)/.test(name);
      const applicable = related.filter((column) => cells[column].kind !== "n/a");
      expect([name, applicable]).toEqual([name, isOnBooking ? related : []]);
      const others = COLUMNS.filter((column) => !column.includes(":"));
      expect([name, others.filter((column) => cells[column].kind === "n/a")]).toEqual([name, []]);
    }
  });

  test("rank: what a role may do, the role above may do", () => {
    const above: [Column, Column][] = [
      ["manager", "owner"],
      ["staff", "manager"],
      ["freelancer", "staff"],
      ["guest", "staff"],
    ];
    for (const [lower, upper] of above) {
      const over = rows.filter(
        ({ cells }) => cells[lower].kind === "allowed" && cells[upper].kind !== "allowed",
      );
      expect([lower, upper, over.map(({ name }) => name)]).toEqual([lower, upper, []]);
    }
  });

  test.each([
    ["a blank cell", "| + ", "|   "],
    ["an unknown cell", "| + ", "| ? "],
    ["a missing cell", "| + |", "|"],
    ["an unknown role", "| owner auditor ", "| owner visitor "],
  ])("%s fails", (_what, from, to) => {
    const text = [
      `| function | events | ${COLUMNS.join(" | ")} | frozen | closed |`,
      "| - |",
      `| a:b | - ${"| + ".repeat(COLUMNS.length)}| owner auditor | - |`,
      "",
      "| condition | holds where | allowed | refused | code |",
      "| - |",
      "",
    ].join("\n");
    expect(parseMatrix(text).rows).toHaveLength(1);
    const line = text.split("\n")[2] ?? "";
    expect(() => parseMatrix(text.replace(line, line.replace(from, to)))).toThrow();
  });
});

for (const row of rows) {
  describe(row.name, () => {
    test.each(casesOf(row, matrix).map((each) => [each.title, each] as const))("%s", async (_title, each) => {
      await each.run(world);
    });
  });
}

describe("in reverse", () => {
  test.each(COLUMNS)("%s succeeds with exactly the functions that the table allows", async (column) => {
    const applicable = rows.filter(({ cells }) => cells[column].kind !== "n/a");
    const succeeded: string[] = [];
    for (const row of applicable) {
      const { answer } = await playCell({ ...world, answersOnly: true }, row, column);
      if (answer.ok) succeeded.push(row.name);
    }
    const allowed = applicable.filter(({ cells }) => cells[column].kind === "allowed");
    expect(succeeded).toEqual(allowed.map(({ name }) => name));
  });

  test("after all of it the world is as it was", async () => {
    expect(await rehearse(world.backend.anonymous(), observe)).toEqual(calm);
    const cells = rows.flatMap(({ cells }) => Object.values(cells)).filter(({ kind }) => kind !== "n/a");
    const cases = rows.flatMap((row) => casesOf(row, matrix));
    console.info(`matrix: ${rows.length} rows, ${cells.length} cells, ${cases.length} generated tests`);
  });
});
