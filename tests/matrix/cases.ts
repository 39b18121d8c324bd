/** Every test that the matrix gives, as data: the matrix test runs them all, the mutation check those of one row. */
import { expect } from "vitest";
import { ROLES, type Role } from "../../ledger/event.ts";
import type { Code } from "../../convex/access/errors.ts";
import { ask, bringInto, rehearse, writesSoFar, type Answer } from "./rehearsal.ts";
import { expectPlayed, play, playCell, roleOf, type Expected, type Variation } from "./cells.ts";
import { BOUNDARIES, expectShown, SHOWN } from "./conditions.ts";
import { argumentsOf, fixtureOf, takesKey, type Args } from "./fixtures.ts";
import { COLUMNS, type Cell, type Column, type Matrix, type MatrixRow } from "./table.ts";
import type { World } from "./world.ts";

export type Case = {
  name: string;
  title: string;
  /** Whom it is about, where it is about a role. */
  role: Role | undefined;
  run: (world: World) => Promise<void>;
};

function expectedOf(row: MatrixRow, cell: Exclude<Cell, { kind: "n/a" }>): Expected {
  return cell.kind === "refused" ? { code: cell.code } : { events: row.events };
}

function cellsOf(row: MatrixRow): Case[] {
  return COLUMNS.flatMap((column) => {
    const cell = row.cells[column];
    if (cell.kind === "n/a") return [];
    const run = async (world: World): Promise<void> => {
      expectPlayed(await playCell(world, row, column), expectedOf(row, cell));
    };
    return [{ name: row.name, title: column, role: roleOf(column), run }];
  });
}

function boundariesOf(row: MatrixRow, conditions: Matrix["conditions"]): Case[] {
  const { name } = row;
  const coded = BOUNDARIES.filter((boundary) => boundary.name === name).flatMap((boundary) => {
    const { attack = "", condition, column, allowed, refused } = boundary;
    const code = conditions.get(condition);
    if (code === undefined || code === null) throw new Error(`${condition} has no code`);
    const { situation } = fixtureOf(name);
    const caseOf = (kind: string, variation: Variation, expected: Expected): Case => ({
      name,
      title: `${attack} ${column} ${condition} ${kind}`.trim(),
      role: roleOf(column),
      run: async (world) => {
        const inSituation = situation === undefined ? variation : { situation, ...variation };
        expectPlayed(await play(world, name, column, inSituation), expected);
      },
    });
    return [
      ...allowed.map((variation, index) => caseOf(`allowed ${index + 1}`, variation, { events: row.events })),
      ...refused.map((variation, index) => caseOf(`refused ${index + 1}`, variation, { code })),
    ];
  });
  const shown = SHOWN.filter((each) => each.name === name).map((each) => ({
    name,
    title: `${each.column} ${each.condition} shown`,
    role: roleOf(each.column),
    run: (world: World) => expectShown(world, each),
  }));
  return [...coded, ...shown];
}

/** A member's call in a frozen and a closed organisation, for each role. */
function situationsOf(row: MatrixRow): Case[] {
  const { name, frozen, closed } = row;
  if (frozen === undefined || closed === undefined) return [];
  // Lifting an owner's freeze is allowed in that alone.
  const whereAllowed = ROLES.filter((role) => row.cells[role].kind === "allowed");
  const isOfFrozen = fixtureOf(name).situation === "frozenByOwner";
  // A chain that may be damaged takes no event.
  const whereDamaged = name.startsWith("commands/") ? [] : frozen;
  return (
    [
      ["frozenByOwner", isOfFrozen ? whereAllowed : frozen, "ORG_FROZEN"],
      ["frozenByOperator", frozen, "ORG_FROZEN"],
      ["frozenByIntegrity", whereDamaged, "ORG_FROZEN"],
      ["closed", closed, "ORG_CLOSED"],
    ] as const
  ).flatMap(([situation, through, code]) =>
    ROLES.map((role) => ({
      name,
      title: `${role} ${situation}`,
      role,
      run: async (world: World) => {
        const expected = through.includes(role) ? { events: row.events } : { code };
        expectPlayed(await play(world, name, role, { situation }), expected);
      },
    })),
  );
}

/** Who calls an allowed call of a row: the first column that the table allows. */
function allowedColumn(row: MatrixRow): Column {
  const column = COLUMNS.find((each) => row.cells[each].kind === "allowed");
  if (column === undefined) throw new Error(`${row.name} is allowed to nobody`);
  return column;
}

const UNKNOWN_ARGUMENTS = ["surprise", "orgId", "organizationId", "tenant"];

function unknownArgumentsOf(row: MatrixRow): Case[] {
  const { name } = row;
  const column = allowedColumn(row);
  const { situation } = fixtureOf(name);
  // The one function that takes an organisation's id.
  const takesOrgId = name === "commands/session:selectOrganization";
  return UNKNOWN_ARGUMENTS.filter((argument) => !(takesOrgId && argument === "orgId")).map((argument) => ({
    name,
    title: `${argument === "surprise" ? "S03" : "B01"} argument ${argument}`,
    role: undefined,
    run: async (world) => {
      const args = (): Args => ({ [argument]: `CANARY-${world.other.orgId}` });
      const variation = situation === undefined ? { args } : { args, situation };
      const played = await play(world, name, column, variation);
      expectPlayed(played, { code: "INVALID" });
      if (!played.answer.ok) expect(played.answer.refusal).toMatchObject({ field: argument });
    },
  }));
}

const PRINCIPALS: readonly [title: string, variation: Variation][] = [
  ["suspended member", { subject: ({ people }) => people.suspendedOwner.subject }],
  ["other organisation's owner, claiming this one", { subject: ({ other }) => other.owner.subject }],
  ["user without any organisation", { subject: ({ stranger }) => stranger }],
  [
    "user without any organisation, claiming none",
    { subject: ({ stranger }) => stranger, claim: () => null },
  ],
];

function isMemberLevel(row: MatrixRow): boolean {
  return row.frozen !== undefined;
}

function principalsOf(row: MatrixRow): Case[] {
  if (!isMemberLevel(row)) {
    const cell = row.cells.removed;
    if (cell.kind === "n/a") throw new Error(`${row.name} says nothing of removed members`);
    const [title, variation] = PRINCIPALS[0] ?? ["", {}];
    const run = async (world: World): Promise<void> => {
      expectPlayed(await play(world, row.name, "removed", variation), expectedOf(row, cell));
    };
    return [{ name: row.name, title, role: undefined, run }];
  }
  return PRINCIPALS.map(([title, variation]) => ({
    name: row.name,
    title,
    role: undefined,
    run: async (world: World) => {
      // A claim of its own would name another organisation than the one that is meant here.
      const claim = variation.claim ?? ((own: World): string => own.orgId);
      // Where the place is the stored choice, a member elsewhere is in that place and meets the step after.
      const played = await play(world, row.name, "owner", { ...variation, claim });
      const elsewhere = row.name === "commands/organizations:linkProvider" && title.startsWith("other");
      expectPlayed(played, { code: elsewhere ? "CONFLICT" : "NO_ACTIVE_ORG" });
    },
  }));
}

/** The owner of another organisation, at home, with this one's ids. */
function foreignIdsOf(row: MatrixRow): Case[] {
  const { name } = row;
  const home: Variation = { subject: ({ other }) => other.owner.subject, claim: ({ other }) => other.orgId };
  const run = async (world: World): Promise<void> => {
    expectPlayed(await play(world, name, "owner", home), { code: "NOT_FOUND" });
  };
  const { takesIds = false } = fixtureOf(name);
  return takesIds
    ? [{ name, title: "other organisation's owner, with this one's ids", role: undefined, run }]
    : [];
}

type Ctx = Parameters<typeof ask>[0];

/** What happens between a call and its repetition, in the organisation where it took effect. */
type Between = (ctx: Ctx, of: { world: World; orgId: string; userId: string }) => Promise<void>;

const NOTHING_BETWEEN: Between = () => Promise.resolve();

async function endMembership(ctx: Ctx, { orgId, userId }: { orgId: string; userId: string }): Promise<void> {
  const row = await ctx.db
    .query("members")
    .withIndex("by_orgId_and_userId", (q) => q.eq("orgId", orgId).eq("userId", userId))
    .unique();
  if (row !== null) await ctx.db.patch("members", row._id, { status: "removed" });
}

type Repeated = { first: Answer; second: Answer };

/** A row's allowed call and its repetition under the same key; the repetition changes nothing. */
async function playTwice(
  world: World,
  { name }: MatrixRow,
  column: Column,
  between: Between,
): Promise<Repeated> {
  const fixture = fixtureOf(name);
  const { subject, userId } = world.people[roleOf(column) ?? "removed"];
  const orgId = fixture.claim?.(world) ?? world.orgId;
  const client = await world.backend.as({ subject, orgId, authenticatedAgoS: 0 });
  return await rehearse(client, async (ctx) => {
    await fixture.prepare?.(ctx, world);
    await bringInto(ctx, world, fixture.situation ?? "active");
    const args = argumentsOf(name, fixture, world, column);
    const first = await ask(ctx, name, args);
    expect(first).toMatchObject({ ok: true, value: { replayed: false } });
    if (!first.ok) throw new Error(`${name} is refused at first`);
    const { receipt } = first.value as { receipt: { orgId: string } };
    await between(ctx, { world, orgId: receipt.orgId, userId });
    const written = writesSoFar();
    const second = await ask(ctx, name, args);
    expect(writesSoFar()).toBe(written);
    return { first, second };
  });
}

/** R08 I07: a repetition is answered with the first receipt, and authorised again before. */
function replaysOf(row: MatrixRow): Case[] {
  const { name } = row;
  if (!takesKey(name)) return [];
  const column = allowedColumn(row);
  const ended = isMemberLevel(row) ? "NO_ACTIVE_ORG" : "NOT_FOUND";
  // A call that ends the caller's way itself is answered like every call after it.
  const { replay } = fixtureOf(name);
  const afterFreeze = replay ?? "ORG_FROZEN";
  const refused =
    (between: Between, code: Code) =>
    async (world: World): Promise<void> => {
      const { second } = await playTwice(world, row, column, between);
      expect(second).toMatchObject({ ok: false, code });
    };
  const same =
    (between: Between) =>
    async (world: World): Promise<void> => {
      const { first, second } = await playTwice(world, row, column, between);
      const value = first.ok ? (first.value as object) : {};
      expect(second).toEqual({ ok: true, value: { ...value, replayed: true } });
    };
  const freeze: Between = (ctx, { world, orgId }) => bringInto(ctx, { ...world, orgId }, "frozenByOperator");
  const worksFrozen = row.frozen?.some((role) => role === roleOf(column)) === true;
  const cases: [title: string, run: (world: World) => Promise<void>][] = [
    ["repeated key", replay === undefined ? same(NOTHING_BETWEEN) : refused(NOTHING_BETWEEN, replay)],
    ["repeated key after the membership ended", refused(endMembership, ended)],
    ["repeated key after a freeze", worksFrozen ? same(freeze) : refused(freeze, afterFreeze)],
  ];
  return cases.map(([title, run]) => ({ name, title, role: undefined, run }));
}

/** The tests that one row of the table gives. */
export function casesOf(row: MatrixRow, { conditions }: Pick<Matrix, "conditions">): Case[] {
  return [
    ...cellsOf(row),
    ...boundariesOf(row, conditions),
    ...situationsOf(row),
    ...unknownArgumentsOf(row),
    ...principalsOf(row),
    ...foreignIdsOf(row),
    ...replaysOf(row),
  ];
}
