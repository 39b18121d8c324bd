/**
 * R20 on the embedded host: every refused cell of the authorisation matrix and every allowed one of a query, over HTTP
 * and over the WebSocket, and one allowed call of each command, on a world of its own.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import { ConvexClient } from "convex/browser";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import { argumentsOf, fixtureOf } from "../matrix/fixtures.ts";
import { callOverHttp, codeOfCall, tokenFor } from "../matrix/hostCalls.ts";
import { COLUMNS, parseMatrix, type Column, type MatrixRow } from "../matrix/table.ts";
import { buildWorld, type World } from "../matrix/world.ts";
import { openHostBackend, type HostBackend } from "../support/hostBackend.ts";
import { committed, freshly, key } from "../support/scene.ts";
import { STRIPE_ENVIRONMENT } from "../support/stripeEnvironment.ts";

const { rows } = parseMatrix(
  readFileSync(path.join(import.meta.dirname, "../authorization-matrix.md"), "utf8"),
);

let backend: HostBackend;
let world: World;

async function until(time: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, time - Date.now()));
}

beforeAll(async () => {
  backend = await openHostBackend({ DAYBOOK_AUTH_TIME_CLAIM: "daybook_auth_time", ...STRIPE_ENVIRONMENT });
  world = await buildWorld(backend, until);
});
afterAll(async () => {
  await backend.close();
});

type Wanted = { column: Column; expected: string };

function cellsOf(row: MatrixRow): Wanted[] {
  return COLUMNS.flatMap((column) => {
    const cell = row.cells[column];
    if (cell.kind === "n/a") return [];
    return [{ column, expected: cell.kind === "allowed" ? "ok" : cell.code }];
  });
}

/** The cells that leave the world as it is: refusals, and what a query answers. */
function harmless(row: MatrixRow): Wanted[] {
  return cellsOf(row).filter(({ expected }) => expected !== "ok" || row.name.startsWith("projections/"));
}

/** The digests of both organisations' read models, each with its ledger's length. */
async function digests(): Promise<unknown[]> {
  const of = [world.orgId, world.other.orgId].map((orgId) =>
    backend.operator.query(internal.projections.rebuild.digest, { orgId }),
  );
  return await Promise.all(of);
}

describe("over HTTP", () => {
  test("every refused cell is refused with its code and changes nothing, every query answers whom it may", async () => {
    const before = await digests();
    let calls = 0;
    for (const row of rows) {
      for (const { column, expected } of harmless(row)) {
        const code = await callOverHttp(backend, world, row.name, column);
        expect([row.name, column, code]).toEqual([row.name, column, expected]);
        calls += 1;
      }
    }
    expect(await digests()).toEqual(before);
    console.info(`matrix over HTTP: ${calls} cells`);
  });
});

describe("over the WebSocket", () => {
  test("the same cells answer the same", async () => {
    const before = await digests();
    let calls = 0;
    for (const row of rows) {
      for (const { column, expected } of harmless(row)) {
        const token = await tokenFor(backend, world, row.name, column);
        const client = new ConvexClient(backend.host.url, { logger: false });
        if (token !== undefined) client.setAuth(() => Promise.resolve(token));
        const args = argumentsOf(row.name, fixtureOf(row.name), world, column);
        const code = await codeOfCall(client, row.name, args);
        await client.close();
        expect([row.name, column, code]).toEqual([row.name, column, expected]);
        calls += 1;
      }
    }
    expect(await digests()).toEqual(before);
    console.info(`matrix over the WebSocket: ${calls} cells`);
  });
});

/** Commands that leave as it is what any other of them needs: they share the world of the cells above. */
const SPOILING_NOTHING = new Set([
  "commands/organizations:create",
  "commands/organizations:rename",
  "commands/session:selectOrganization",
  "commands/members:invite",
  "commands/members:acceptInvitation",
  "commands/members:reinstate",
  "commands/services:define",
  "commands/bookings:request",
  "commands/bookings:confirm",
  "commands/bookings:complete",
  "commands/payments:request",
  "commands/stripeAccount:beginLink",
  "commands/ledger:beginExport",
  "commands/ledger:requestCheckpoint",
  "commands/auditLog:beginReading",
]);

async function worldFor(name: string): Promise<World> {
  if (SPOILING_NOTHING.has(name)) return world;
  return await buildWorld(backend, name.endsWith(":markNoShow") ? until : () => Promise.resolve());
}

describe("allowed commands", () => {
  // What needs Stripe's word before is brought about within the test library's rehearsals only.
  const commands = rows.filter(
    ({ name }) => name.startsWith("commands/") && fixtureOf(name).prepare === undefined,
  );

  test.each(commands.map((row) => [row.name, row] as const))("%s", async (name, row) => {
    const own = await worldFor(name);
    const [first] = cellsOf(row).filter(({ expected }) => expected === "ok");
    if (first === undefined) throw new Error("allowed to nobody");
    if (fixtureOf(name).situation === "frozenByOwner") {
      const owner = await freshly(backend, own.people.owner, own.orgId);
      const freeze = { reason: "other", idempotencyKey: key() } as const;
      committed(await owner.mutation(api.commands.organizations.freeze, freeze));
    }
    expect(await callOverHttp(backend, own, name, first.column)).toBe("ok");
  });
});
