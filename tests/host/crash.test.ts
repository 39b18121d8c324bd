/**
 * `kill -9` in the middle of writes. After each restart: everything acknowledged is there, nothing twice, the
 * chain is intact, the read models are the fold of the ledger, and open clients go on.
 */
import { ConvexClient } from "convex/browser";
import { afterEach, expect, test } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import { createVerifier } from "../../ledger/verify.ts";
import { sha256Noble } from "../../ledger/hash.ts";
import { readLedger } from "../contract/ledger.ts";
import { openHostBackend, type HostBackend } from "../support/hostBackend.ts";
import { committed, defineService, FIRST_PAGE, foundOrganization, HOUR_MS, key } from "../support/scene.ts";

const { commands, projections } = api;

const KILLS = 20;
const CLIENTS = 4;
/** Rounds on a new host each; ten make a long run of 200 kills. */
const ROUNDS = Number(process.env["CRASH_ROUNDS"] ?? "1");
const ROUND_TIMEOUT_MS = 300_000;

let backend: HostBackend | undefined;

afterEach(async () => {
  await backend?.close();
});

type Acknowledged = { idempotencyKey: string; bookingId: string; lastSeq: number };

/** Requests bookings one after the other until told to stop; every promise must resolve, whatever happens. */
async function write(
  client: ConvexClient,
  serviceId: string,
  stop: { now: boolean },
  acknowledged: Acknowledged[],
): Promise<void> {
  while (!stop.now) {
    const idempotencyKey = key();
    const startsAt = Date.now() + HOUR_MS;
    const response = committed(
      await client.mutation(commands.bookings.request, { serviceId, startsAt, idempotencyKey }),
    );
    const { bookingId } = response.result;
    acknowledged.push({ idempotencyKey, bookingId, lastSeq: response.receipt.lastSeq });
  }
}

const rounds = Array.from({ length: ROUNDS }, (_, index) => index + 1);

test.each(rounds)(
  "round %i: kill -9 during writes loses, doubles and breaks nothing",
  async () => {
    backend = await openHostBackend();
    const { host } = backend;
    const { orgId, owner } = await foundOrganization(backend);
    const serviceId = await defineService(owner.client);
    const token = await host.token(owner.subject, orgId);
    const clients = Array.from({ length: CLIENTS }, () => {
      const client = new ConvexClient(host.url, { logger: false });
      client.setAuth(() => Promise.resolve(token));
      return client;
    });
    const [watcher] = clients;
    let newest = 0;
    watcher?.onUpdate(projections.ledger.head, {}, ({ seq }) => {
      newest = seq;
    });
    const acknowledged: Acknowledged[] = [];
    const stop = { now: false };
    const writers = clients.map((client) => write(client, serviceId, stop, acknowledged));

    for (let kill = 0; kill < KILLS; kill += 1) {
      const before = acknowledged.length;
      while (acknowledged.length < before + 5) await new Promise((resolve) => setTimeout(resolve, 5));
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 100));
      await host.kill("SIGKILL");
      await host.start();
    }
    stop.now = true;
    await Promise.all(writers);

    const entries = await readLedger(owner.client);
    const head = await owner.client.query(projections.ledger.head, {});
    const verifier = createVerifier({ orgId, sha256: sha256Noble });
    for (const entry of entries) verifier.push(entry);
    expect(verifier.finish()).toMatchObject({ result: "intact" });
    expect(entries.at(-1)?.hash).toBe(head.hash);

    const keys = entries.map(({ text }) => (JSON.parse(text) as { source: { key: string } }).source.key);
    for (const { idempotencyKey, bookingId, lastSeq } of acknowledged) {
      expect(keys.filter((used) => used === idempotencyKey)).toHaveLength(1);
      expect(JSON.parse(entries[lastSeq - 1]?.text ?? "{}")).toMatchObject({
        stream: `booking/${bookingId}`,
      });
    }
    const rebuilt = await backend.operator.mutation(internal.projections.rebuild.run, { orgId });
    expect(rebuilt.digest).toBe(rebuilt.digestBefore);

    await defineService(owner.client);
    const services = await owner.client.query(projections.services.list, { paginationOpts: FIRST_PAGE });
    expect(services.page).toHaveLength(2);
    while (newest !== head.seq + 1) await new Promise((resolve) => setTimeout(resolve, 10));
    await Promise.all(clients.map((client) => client.close()));
  },
  ROUND_TIMEOUT_MS,
);
