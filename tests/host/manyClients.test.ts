/** Clients that come all at once, and one that stops reading: raw sockets against a real host. */
import path from "node:path";
import { afterEach, expect, test } from "vitest";
import { RawClient, type ServerMessage } from "../../embedded/server/rawClientForTests.ts";
import { openHostBackend, type HostBackend } from "../support/hostBackend.ts";
import { HostProcess } from "../support/hostProcess.ts";
import { defineService, FIRST_PAGE, foundOrganization, join } from "../support/scene.ts";
import { verifyLedger, Writers } from "../support/writers.ts";

const CLIENTS = 1_000;
const MEMBERS = 10;
const TOKENS_AT_ONCE = 50;
const TIMEOUT_MS = 180_000;

const SLOW_CLIENTS = 5;
const COMMITS = 500;
/** Below what is sent in chunks. */
const UPDATE_BYTES = 900_000;
/** What the kernel holds for a socket is of that order; every update for every client would be 2,250 MB. */
const MEMORY_GROWTH_MAX_BYTES = 400_000_000;

const FIXTURE = path.resolve(import.meta.dirname, "../../embedded/fixtures/serverApp/convex");

let backend: HostBackend | undefined;
let host: HostProcess | undefined;
let clients: RawClient[] = [];

afterEach(async () => {
  for (const client of clients) client.socket.terminate();
  clients = [];
  await backend?.close();
  await host?.remove();
});

/** The new values of a query that a message brings. */
function updatesIn(message: ServerMessage): unknown[] {
  const modifications = message["modifications"] as { type: string; value?: unknown }[];
  return modifications.filter(({ type }) => type === "QueryUpdated").map(({ value }) => value);
}

/** Takes transitions until one brings a value that is wanted; returns all values on the way. */
async function valuesUntil(client: RawClient, wanted: (value: unknown) => boolean): Promise<unknown[]> {
  const values: unknown[] = [];
  while (!values.some(wanted)) values.push(...updatesIn(await client.nextOf("Transition")));
  return values;
}

function rowsIn(value: unknown): number {
  return (value as { page: unknown[] }).page.length;
}

test(
  "1,000 clients that connect at once all get their result and one update, and commands go on",
  async () => {
    backend = await openHostBackend();
    const process = backend.host;
    const { orgId, owner } = await foundOrganization(backend);
    const subjects = [owner.subject];
    while (subjects.length < MEMBERS) {
      subjects.push((await join(backend, orgId, owner.client, "staff")).subject);
    }
    const tokens: string[] = [];
    while (tokens.length < CLIENTS) {
      const batch = Array.from({ length: TOKENS_AT_ONCE }, (_, index) => subjects[index % MEMBERS] ?? "");
      tokens.push(...(await Promise.all(batch.map((subject) => process.token(subject, orgId)))));
    }
    const serviceId = await defineService(owner.client);
    const writers = new Writers([owner.client], serviceId);

    clients = await Promise.all(
      tokens.map(async (token) => {
        const client = await RawClient.connect(process);
        client.send({ type: "Authenticate", baseVersion: 0, tokenType: "User", value: token });
        client.subscribe(0, 0, "projections/services:list", { paginationOpts: FIRST_PAGE });
        return client;
      }),
    );
    const first = await Promise.all(
      clients.map((client) => valuesUntil(client, (value) => rowsIn(value) === 1)),
    );
    expect(first.flat()).toHaveLength(CLIENTS);
    expect(await process.metric("daybook_open_sockets")).toBe(CLIENTS);
    await defineService(owner.client);
    const second = await Promise.all(
      clients.map((client) => valuesUntil(client, (value) => rowsIn(value) === 2)),
    );
    expect(second.flat()).toHaveLength(CLIENTS);

    await writers.more(5);
    await writers.stop();
    expect(writers.refusals).toEqual([]);
    expect(await process.metric("daybook_connections_refused_total")).toBe(0);
    await verifyLedger(backend, { orgId, reader: owner.client }, writers.acknowledged);
  },
  TIMEOUT_MS,
);

function countIn(value: unknown): number {
  return (value as { count: number }).count;
}

test(
  "a client that stops reading costs the others nothing but memory for two updates, and catches up",
  async () => {
    host = await HostProcess.launch({}, { functionsDir: FIXTURE });
    const watch = async (length: number): Promise<RawClient> => {
      const client = await RawClient.connect(host ?? { url: "" });
      clients.push(client);
      client.subscribe(0, 0, "notes:large", { length });
      await valuesUntil(client, (value) => countIn(value) === 0);
      return client;
    };
    const slow: RawClient[] = [];
    while (slow.length < SLOW_CLIENTS) slow.push(await watch(UPDATE_BYTES));
    for (const { socket } of slow) socket.pause();
    const reader = await watch(1);
    const writer = await RawClient.connect(host);
    clients.push(writer);

    const before = await host.metric("process_resident_memory_bytes");
    let most = before;
    for (let commit = 1; commit <= COMMITS; commit += 1) {
      writer.mutate(commit, "notes:add", { text: "one more" });
      expect(await writer.nextOf("MutationResponse")).toMatchObject({ success: true });
      if (commit % 50 === 0) most = Math.max(most, await host.metric("process_resident_memory_bytes"));
    }
    await valuesUntil(reader, (value) => countIn(value) === COMMITS);
    expect(most - before).toBeLessThan(MEMORY_GROWTH_MAX_BYTES);

    for (const client of slow) {
      client.socket.resume();
      const caughtUp = await valuesUntil(client, (value) => countIn(value) === COMMITS);
      expect(caughtUp.length).toBeLessThan(COMMITS / 5);
    }
  },
  TIMEOUT_MS,
);
