/** Evidence on the test library: checkpoints, and damage of the ledger's tables behind everybody's back. */
import { expect } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import { ALGORITHMS_NOBLE } from "../../ledger/algorithms.ts";
import { openCheckpoint } from "../../ledger/checkpoint.ts";
import { sha256Noble } from "../../ledger/hash.ts";
import { parseVerifierKey, type VerifierKey } from "../../ledger/noteKeys.ts";
import type { Client } from "./backend.ts";
import { pinnedKey } from "./checkpointKeys.ts";
import { committed, defineService, foundOrganization, requestBooking, type Actor } from "./scene.ts";
import { inComponent, type ComponentDb, type TestBackend } from "./testBackend.ts";

export function pinned(byte: number): VerifierKey {
  const parsed = parseVerifierKey(pinnedKey(byte), sha256Noble);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.value;
}

const PINNED = { logs: [pinned(1)], witnesses: [] };

/** A checkpoint of the present head; fails the test where it is refused. */
export async function checkpoint(client: Client): Promise<{ size: number; root: Uint8Array }> {
  const made = committed(await client.mutation(api.commands.ledger.requestCheckpoint, {}));
  const opened = openCheckpoint(made.result.checkpoint, PINNED, ALGORITHMS_NOBLE);
  if (!opened.ok) throw new Error(opened.reason);
  expect(opened.value.checkpoint.size).toBe(made.result.size);
  return opened.value.checkpoint;
}

/** An organisation with a service and so many bookings: three events more than these. */
export async function work(backend: TestBackend, bookings: number): Promise<{ orgId: string; owner: Actor }> {
  const { orgId, owner } = await foundOrganization(backend);
  const serviceId = await defineService(owner.client);
  for (let hours = 1; hours <= bookings; hours += 1) await requestBooking(owner.client, serviceId, hours);
  return { orgId, owner };
}

export type Row = Record<string, unknown> & { _id: string };

/** Changes rows of the ledger's tables behind everybody's back. */
export async function tamper(
  backend: TestBackend,
  table: string,
  change: (db: ComponentDb, rows: Row[]) => Promise<void>,
): Promise<void> {
  await inComponent(backend, "events", async (db) => {
    await change(db, (await db.query(table).collect()) as Row[]);
  });
}

export function first(rows: readonly Row[], where: (row: Row) => boolean): Row {
  const row = rows.find(where);
  if (row === undefined) throw new Error("no such row");
  return row;
}

export async function log(backend: TestBackend): Promise<string> {
  return await backend.operator.mutation(internal.workers.checkpoints.log, {});
}

export async function statusOf(backend: TestBackend, orgId: string): Promise<object> {
  return await backend.operator.query(internal.operator.organizations.status, { orgId });
}
