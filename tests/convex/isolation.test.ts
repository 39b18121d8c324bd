/**
 * R15 C01 C03 K01 B13: every id-typed argument of every function, found in the schemas that the corridor parses with,
 * swept with ids of another organisation, of other tables, of nothing, and of odd spelling. The answers are the same
 * bytes as for an id of nothing, and cost the same reads.
 */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { z } from "zod";
import type { MutationCtx } from "../../convex/_generated/server.js";
import { argumentsOf, fixtureOf, type Args } from "../matrix/fixtures.ts";
import { idArgumentsOf, type IdArgument } from "../matrix/idArguments.ts";
import { ask, bringInto, rehearse } from "../matrix/rehearsal.ts";
import { COLUMNS, type Column, type MatrixRow } from "../matrix/table.ts";
import { roleOf } from "../matrix/cells.ts";
import { openTestWorld, readMatrix } from "../matrix/testWorld.ts";
import type { World } from "../matrix/world.ts";

const parsed = vi.hoisted((): { schemas: z.ZodType[] } => ({ schemas: [] }));

vi.mock(import("../../convex/access/arguments.ts"), async (importOriginal) => {
  const original = await importOriginal();
  return {
    ...original,
    parseArguments: (schema, args) => {
      parsed.schemas.push(schema);
      return original.parseArguments(schema, args);
    },
  };
});

const { rows } = readMatrix();
const NOTHING = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
let world: World;

beforeAll(async () => {
  world = await openTestWorld();
});
afterAll(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

type Read = { documents: number; bytes: number; queries: number };

async function readSoFar(ctx: MutationCtx): Promise<Read> {
  const { documentsRead, bytesRead, databaseQueries } = await ctx.meta.getTransactionMetrics();
  return { documents: documentsRead.used, bytes: bytesRead.used, queries: databaseQueries.used };
}

type Answered = { bytes: string; code: string; read: Read };

/** What a call answers, to the byte, and what it read for it. */
async function answerTo(row: MatrixRow, column: Column, args: Args): Promise<Answered> {
  const { name } = row;
  const fixture = fixtureOf(name);
  const client = await world.backend.as({
    subject: world.people[roleOf(column) ?? "removed"].subject,
    orgId: fixture.claim?.(world) ?? world.orgId,
    authenticatedAgoS: 0,
  });
  return await rehearse(client, async (ctx) => {
    await bringInto(ctx, world, fixture.situation ?? "active");
    const before = await readSoFar(ctx);
    const answer = await ask(ctx, name, args);
    const after = await readSoFar(ctx);
    const read = {
      documents: after.documents - before.documents,
      bytes: after.bytes - before.bytes,
      queries: after.queries - before.queries,
    };
    const bytes = JSON.stringify(answer.ok ? answer.value : answer.refusal);
    return { bytes, code: answer.ok ? "committed" : answer.code, read };
  });
}

/** The schema that a function parses its arguments with. */
async function schemaOf(row: MatrixRow): Promise<z.ZodType> {
  parsed.schemas.length = 0;
  await answerTo(row, "owner", {});
  const [schema] = parsed.schemas;
  if (schema === undefined) throw new Error(`${row.name} parses no arguments`);
  return schema;
}

/** The arguments with another value at a path. */
function withValue(args: Args, [name = "", ...rest]: readonly string[], value: unknown): Args {
  const inner = args[name];
  if (rest.length === 0) return { ...args, [name]: value };
  const nested = withValue(inner as Args, rest, value);
  return { ...args, [name]: Array.isArray(inner) ? Object.values(nested) : nested };
}

/** Ids of the world's organisations by prefix. */
function idsOf({ orgId, people, serviceId, bookings, other }: World): { own: string[]; foreign: string[] } {
  return {
    own: [orgId, people.staff.userId, serviceId, bookings.requested.staff],
    foreign: [other.orgId, other.owner.userId, other.serviceId, other.bookingId],
  };
}

function startsWith(prefix: string): (id: string) => boolean {
  return (id) => id.startsWith(`${prefix}_`);
}

function ulidOf(id: string): string {
  return id.slice(id.indexOf("_") + 1);
}

/** Well-formed ids that name nothing that the caller may know of: of another organisation, or of another table. */
function unknownIds({ prefix }: IdArgument): string[] {
  if (prefix === undefined) return [world.other.linkedProviderOrgId];
  const { own, foreign } = idsOf(world);
  const isOfKind = startsWith(prefix);
  const elsewhere = [...own, ...foreign].filter((id) => !isOfKind(id)).map((id) => `${prefix}_${ulidOf(id)}`);
  return [...foreign.filter(isOfKind), ...elsewhere];
}

const CYRILLIC_SMALL_ES = "\u0441";
const FULLWIDTH_LOW_LINE = "\uFF3F";

/** B13: spellings that a lenient reader could take for the id. */
const MISSPELT: readonly [what: string, spell: (id: string) => unknown][] = [
  ["lower case", (id) => id.toLowerCase()],
  ["upper case", (id) => id.toUpperCase()],
  ["a homoglyph in the prefix", (id) => CYRILLIC_SMALL_ES + id.slice(1)],
  ["a full-width low line", (id) => id.replace("_", FULLWIDTH_LOW_LINE)],
  ["a combining mark", (id) => `${id}\u0301`],
  ["a zero-width space", (id) => `${id.slice(0, 8)}\u200B${id.slice(8)}`],
  ["NUL after it", (id) => `${id}\0`],
  ["NUL inside", (id) => `${id.slice(0, 8)}\0${id.slice(8)}`],
  ["a space after it", (id) => `${id} `],
  ["a space before it", (id) => ` ${id}`],
  ["a line end after it", (id) => `${id}\n`],
  ["another table's prefix", (id) => `${id.startsWith("svc") ? "bkg" : "svc"}_${ulidOf(id)}`],
  ["the bare ULID", ulidOf],
  ["a list of it", (id) => [id]],
  ["an object around it", (id) => ({ eq: id })],
];

/** The columns that a row lets in, each with its own arguments. */
function callersOf(row: MatrixRow): Column[] {
  return COLUMNS.filter((column) => row.cells[column].kind === "allowed" && column !== "removed");
}

const found = new Map<string, IdArgument[]>();

/** A swept call's answers to several values of one argument, under one idempotency key. */
async function sweep(
  row: MatrixRow,
  column: Column,
  { path }: IdArgument,
  values: readonly unknown[],
): Promise<Answered[]> {
  const args = argumentsOf(row.name, fixtureOf(row.name), world, column);
  const answers: Answered[] = [];
  for (const value of values) answers.push(await answerTo(row, column, withValue(args, path, value)));
  return answers;
}

describe.each(rows.map((row) => [row.name, row] as const))("%s", (name, row) => {
  test("an id of another organisation or table is an id of nothing, to the byte and to the read", async () => {
    const ids = idArgumentsOf(await schemaOf(row));
    found.set(name, ids);
    for (const id of ids) {
      const nothing = id.prefix === undefined ? "org_nothing" : `${id.prefix}_${NOTHING}`;
      for (const column of callersOf(row)) {
        const [first, ...others] = await sweep(row, column, id, [nothing, ...unknownIds(id)]);
        expect([id.path, column, first?.code]).toEqual([id.path, column, "NOT_FOUND"]);
        for (const other of others) expect(other).toEqual(first);
      }
    }
  });

  test("B13 an odd spelling is refused for its form alone, whatever it spells", async () => {
    const { own, foreign } = idsOf(world);
    const ids = idArgumentsOf(await schemaOf(row)).filter(({ prefix }) => prefix !== undefined);
    for (const id of ids) {
      const isOfKind = startsWith(id.prefix ?? "");
      const spelt = [...own.filter(isOfKind), ...foreign.filter(isOfKind), `${id.prefix ?? ""}_${NOTHING}`];
      for (const [what, spell] of MISSPELT) {
        const [first, ...others] = await sweep(row, callersOf(row)[0] ?? "owner", id, spelt.map(spell));
        expect([what, id.path, first?.code]).toEqual([what, id.path, "INVALID"]);
        for (const other of others) expect([what, other]).toEqual([what, first]);
      }
    }
  });
});

test("K01 what the caller's own organisation hides answers like nothing too", async () => {
  const hidden = rows.flatMap((row) =>
    COLUMNS.filter((column) => {
      const cell = row.cells[column];
      return cell.kind === "refused" && cell.code === "NOT_FOUND" && column !== "removed";
    }).map((column) => [row, column] as const),
  );
  expect(hidden.length).toBeGreaterThan(0);
  for (const [row, column] of hidden) {
    const args = argumentsOf(row.name, fixtureOf(row.name), world, column);
    const seen = await answerTo(row, column, args);
    const ofNothing = "paymentId" in args ? { paymentId: `pay_${NOTHING}` } : { bookingId: `bkg_${NOTHING}` };
    const nothing = await answerTo(row, column, { ...args, ...ofNothing });
    expect([row.name, column, seen.bytes]).toEqual([row.name, column, nothing.bytes]);
    // To know whose it is, it must be read; SECURITY.md says so. It also shows that the counters count.
    expect(seen.read.documents).toBeGreaterThan(nothing.read.documents);
  }
});

test("K01 a removed member answers like somebody who never was one", async () => {
  for (const name of ["changeRole", "remove", "suspend", "reinstate", "revokeSessions"]) {
    const row = rows.find((each) => each.name === `commands/members:${name}`);
    if (row === undefined) throw new Error(`no row for ${name}`);
    const args = argumentsOf(row.name, fixtureOf(row.name), world, "owner");
    const removed = await answerTo(row, "owner", { ...args, userId: world.people.removed.userId });
    const nobody = await answerTo(row, "owner", { ...args, userId: `usr_${NOTHING}` });
    expect([name, removed.code, removed.bytes]).toEqual([name, "NOT_FOUND", nobody.bytes]);
  }
});

test("the sweep found ids where they are known to be", () => {
  const paths = [...found].flatMap(([name, ids]) => ids.map(({ path }) => `${name} ${path.join(".")}`));
  console.info(`isolation: ${found.size} functions, ${paths.length} id-typed arguments`);
  expect(found.size).toBe(rows.length);
  for (const known of [
    "commands/bookings:assign bookingId",
    "commands/bookings:assign assigneeId",
    "commands/bookings:request assigneeId",
    "commands/session:selectOrganization orgId",
    "commands/organizations:unlinkProvider providerOrgId",
    "projections/bookings:get bookingId",
  ]) {
    expect(paths).toContain(known);
  }
});
