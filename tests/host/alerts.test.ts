/** Delivery of alerts from the embedded host to a receiver on loopback, over real sockets. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { internal } from "../../convex/_generated/api.js";
import { alertsContract, type AlertScene } from "../contract/alerts.ts";
import { verified, WEBHOOK_SECRET } from "../support/alertReceiver.ts";
import { openAlertServer, type AlertServer } from "../support/alertServer.ts";
import { openHostBackend, type HostBackend } from "../support/hostBackend.ts";
import { eventually, foundOrganization } from "../support/scene.ts";

let server: AlertServer;
let backend: HostBackend;

beforeAll(async () => {
  server = await openAlertServer();
  backend = await openHostBackend({
    DAYBOOK_ALERT_WEBHOOK_URL: server.url,
    DAYBOOK_ALERT_WEBHOOK_SECRET: WEBHOOK_SECRET,
  });
});
afterEach(() => {
  server.receiver.behaviour = 204;
});
afterAll(async () => {
  await backend.close();
  await server.close();
});

describe("alerts on the embedded host", () => {
  alertsContract((): Promise<AlertScene> => Promise.resolve({ backend, receiver: server.receiver }));
});

test("S17 a host that dies between sending and settling sends the message again under the same id", async () => {
  const { receiver } = server;
  receiver.behaviour = "hang";
  const { orgId } = await foundOrganization(backend);
  await backend.operator.mutation(internal.workers.integrity.report, { orgId, seq: 1, kind: "altered" });
  await eventually(() => Promise.resolve(receiver.for(orgId).length === 1));
  await backend.host.kill("SIGKILL");
  receiver.behaviour = 204;
  await backend.host.start();
  const running = await backend.operator.query(internal.effects.outbox.list, { orgId, status: "running" });
  expect(running).toMatchObject([{ attempts: 1 }]);
  expect(await backend.operator.mutation(internal.effects.outbox.retry, { orgId })).toBe(1);
  await eventually(
    async () =>
      (await backend.operator.query(internal.effects.outbox.list, { orgId, status: "done" })).length === 1,
  );
  const deliveries = receiver.for(orgId);
  expect(deliveries).toHaveLength(2);
  expect(new Set(deliveries.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
  expect(new Set(deliveries.map(({ body }) => body)).size).toBe(1);
  expect(deliveries.map(verified)).toHaveLength(2);
});

test("a receiver that listens no more is unreachable, and an organisation's commands go on", async () => {
  const gone = await openAlertServer();
  await gone.close();
  await backend.host.kill("SIGTERM");
  await backend.host.start({ DAYBOOK_ALERT_WEBHOOK_URL: gone.url });
  const { orgId } = await foundOrganization(backend);
  await backend.operator.mutation(internal.workers.integrity.report, { orgId, seq: 1, kind: "altered" });
  await eventually(
    async () =>
      (await backend.operator.query(internal.effects.outbox.list, { orgId, status: "pending" }))[0]
        ?.lastError === "RECEIVER_UNREACHABLE",
  );
  await foundOrganization(backend);
});
