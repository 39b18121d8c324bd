/**
 * `kill -9` in the middle of writes. After each restart: everything acknowledged is there, nothing twice, the
 * chain is intact, the read models are the fold of the ledger, and open clients go on.
 */
import { ConvexClient } from "convex/browser";
import { afterEach, expect, test } from "vitest";
import { api } from "../../convex/_generated/api.js";
import { openHostBackend, type HostBackend } from "../support/hostBackend.ts";
import { defineService, FIRST_PAGE, foundOrganization } from "../support/scene.ts";
import { until, verifyLedger, Writers } from "../support/writers.ts";

const { projections } = api;

const KILLS = 20;
const CLIENTS = 4;
/** Rounds on a new host each; ten make a long run of 200 kills. */
const ROUNDS = Number(process.env["CRASH_ROUNDS"] ?? "1");
const ROUND_TIMEOUT_MS = 300_000;

let backend: HostBackend | undefined;

afterEach(async () => {
  await backend?.close();
});

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
    const writers = new Writers(clients, serviceId);

    for (let kill = 0; kill < KILLS; kill += 1) {
      await writers.more(5);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 100));
      await host.kill("SIGKILL");
      await host.start();
    }
    await writers.stop();
    // The official WebSocket client sends what was not answered again by itself.
    expect(writers.refusals).toEqual([]);
    const head = await verifyLedger(backend, { orgId, reader: owner.client }, writers.acknowledged);

    await defineService(owner.client);
    const services = await owner.client.query(projections.services.list, { paginationOpts: FIRST_PAGE });
    expect(services.page).toHaveLength(2);
    await until(() => newest === head.seq + 1);
    await Promise.all(clients.map((client) => client.close()));
  },
  ROUND_TIMEOUT_MS,
);
