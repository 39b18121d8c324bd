/** One call of the matrix on the test library, and what must come of it. */
import { expect, vi } from "vitest";
import type { Code } from "../../convex/access/errors.ts";
import type { MutationCtx } from "../../convex/_generated/server.js";
import { ROLES, type Role } from "../../ledger/event.ts";
import type { Client } from "../support/backend.ts";
import { argumentsOf, fixtureOf, type Args, type Situation } from "./fixtures.ts";
import {
  appended,
  ask,
  bringInto,
  expectNothingHappened,
  observe,
  rehearse,
  writesSoFar,
  type Answer,
  type Observation,
} from "./rehearsal.ts";
import type { Column, MatrixRow } from "./table.ts";
import type { World } from "./world.ts";

/** How a call differs from the plain one of its function and column. */
export type Variation = {
  /** Whose token it is; null without one. The column's person when absent. */
  subject?: (world: World) => string | null;
  /** The organisation that the token claims; null for none. */
  claim?: (world: World) => string | null;
  /** How long ago the caller proved who they are; null for a token that does not say, nor when it was issued. */
  authenticatedAgoMs?: number | null;
  /** Replaces arguments; null leaves one out. */
  args?: (world: World) => Args;
  situation?: Situation;
};

export type Expected = { events: readonly string[] } | { code: Code };

/** The role that a column speaks of; undefined for those who have none. */
export function roleOf(column: Column): Role | undefined {
  return ROLES.find((role) => role === column.split(":")[0]);
}

function subjectOf(world: World, column: Column): string | null {
  if (column === "anon") return null;
  const name = roleOf(column) ?? "removed";
  return world.people[name].subject;
}

async function clientFor(world: World, name: string, column: Column, variation: Variation): Promise<Client> {
  const subject = variation.subject === undefined ? subjectOf(world, column) : variation.subject(world);
  if (subject === null) return world.backend.anonymous();
  const claim = variation.claim ?? fixtureOf(name).claim ?? ((own: World) => own.orgId);
  const orgId = claim(world);
  const { authenticatedAgoMs = 0 } = variation;
  return await world.backend.as({
    subject,
    ...(orgId === null ? {} : { orgId }),
    // Claims tell whole seconds; the rest of the age is added to the clock while the call runs.
    ...(authenticatedAgoMs === null ? {} : { authenticatedAgoS: Math.floor(authenticatedAgoMs / 1000) }),
  });
}

/** The calm world, observed once: a rehearsal leaves nothing behind. */
const calm = new WeakMap<World, Observation>();

async function before(world: World): Promise<Observation> {
  const known = calm.get(world);
  if (known !== undefined) return known;
  const observation = await rehearse(world.backend.anonymous(), observe);
  calm.set(world, observation);
  return observation;
}

export type Played = {
  answer: Answer;
  /** The organisations before and after the call; null where only the answer was asked for. */
  seen: { before: Observation; after: Observation } | null;
};

/**
 * Plays a call and looks at what it did, unless only its answer is asked for. One that writes is played once more, to
 * look before it too: most are refused and write nothing.
 */
export async function play(
  world: World,
  name: string,
  column: Column,
  variation: Variation = {},
): Promise<Played> {
  const client = await clientFor(world, name, column, variation);
  const calmly = world.answersOnly ? null : await before(world);
  const overMs = (variation.authenticatedAgoMs ?? 0) % 1000;
  const now = Date.now();
  if (overMs > 0) vi.setSystemTime(now + overMs);
  try {
    const prepared = async (ctx: MutationCtx): Promise<Args> => {
      await fixtureOf(name).prepare?.(ctx, world);
      await bringInto(ctx, world, variation.situation ?? "active");
      return { ...argumentsOf(name, fixtureOf(name), world, column), ...variation.args?.(world) };
    };
    const unseen = await rehearse(client, async (ctx) => {
      const args = await prepared(ctx);
      const written = writesSoFar();
      const answer = await ask(ctx, name, args);
      return { answer, hasWritten: writesSoFar() !== written };
    });
    if (calmly === null) return { answer: unseen.answer, seen: null };
    if (!unseen.hasWritten) return { answer: unseen.answer, seen: { before: calmly, after: calmly } };
    return await rehearse(client, async (ctx) => {
      const args = await prepared(ctx);
      const first = await observe(ctx);
      const answer = await ask(ctx, name, args);
      return { answer, seen: { before: first, after: await observe(ctx) } };
    });
  } finally {
    if (overMs > 0) vi.setSystemTime(now);
  }
}

/** Holds what was played against what was expected. */
export function expectPlayed({ answer, seen }: Played, expected: Expected): void {
  const answered = "code" in expected ? { ok: false, code: expected.code } : { ok: true };
  expect(answer).toMatchObject(answered);
  if (seen === null) return;
  if (!answer.ok) {
    expectNothingHappened(seen.before, seen.after, answer.refusal);
    return;
  }
  const events = "events" in expected ? expected.events : [];
  expect(appended(seen.before, seen.after)).toEqual(events);
  if (events.length === 0) expect(seen.after.chains).toEqual(seen.before.chains);
}

/** The plain call of a cell, in the situation in which it is allowed where it is. */
export async function playCell(world: World, row: MatrixRow, column: Column): Promise<Played> {
  const { situation } = fixtureOf(row.name);
  const isAllowed = row.cells[column].kind === "allowed";
  return await play(world, row.name, column, isAllowed && situation !== undefined ? { situation } : {});
}
