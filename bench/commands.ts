/**
 * Commands per second through official WebSocket clients, on a host of its own: `npm run bench -- commands`.
 * One client, then 32 (in one organisation, then in 32), each sending its next command when the last resolved.
 * The ratios are what to compare between machines.
 */
import Table from "cli-table3";
import { ConvexClient } from "convex/browser";
import { api } from "../convex/_generated/api.js";
import { openHostBackend, type HostBackend } from "../tests/support/hostBackend.ts";
import { committed, defineService, foundOrganization, HOUR_MS, key } from "../tests/support/scene.ts";
import { measureLoops, type Measured } from "./loops.ts";

const WARM_UP = 20;

type Writer = { client: ConvexClient; serviceId: string };

async function organizationWithService(backend: HostBackend): Promise<{ token: string; serviceId: string }> {
  const { orgId, owner } = await foundOrganization(backend);
  const serviceId = await defineService(owner.client);
  return { token: await backend.host.token(owner.subject, orgId), serviceId };
}

function connect(backend: HostBackend, { token, serviceId }: { token: string; serviceId: string }): Writer {
  const client = new ConvexClient(backend.host.url, { logger: false });
  client.setAuth(() => Promise.resolve(token));
  return { client, serviceId };
}

async function request({ client, serviceId }: Writer): Promise<void> {
  const startsAt = Date.now() + HOUR_MS;
  const args = { serviceId, startsAt, idempotencyKey: key() };
  committed(await client.mutation(api.commands.bookings.request, args));
}

async function measure(writers: readonly Writer[], seconds: number): Promise<Measured> {
  for (const writer of writers) await request(writer);
  for (let index = 0; index < WARM_UP; index += 1) await Promise.all(writers.map(request));
  return await measureLoops(
    writers.map((writer) => () => request(writer)),
    seconds,
  );
}

/** Measures each number of clients for `seconds`, and prints the table. */
export async function benchCommands(seconds: number): Promise<void> {
  const backend = await openHostBackend({ DAYBOOK_RATE_LIMIT_PERCENT: "100000" });
  const table = new Table({
    head: ["clients", "organisations", "commands/s", "× one client", "median ms", "p99 ms"],
  });
  let baseline = 0;
  for (const [clients, organizations] of [
    [1, 1],
    [32, 1],
    [32, 32],
  ] as const) {
    const places = await Promise.all(
      Array.from({ length: organizations }, () => organizationWithService(backend)),
    );
    const writers = Array.from({ length: clients }, (_, index) => {
      const place = places[index % organizations];
      if (place === undefined) throw new Error("no organisation");
      return connect(backend, place);
    });
    const { perSecond, p50Ms, p99Ms } = await measure(writers, seconds);
    if (baseline === 0) baseline = perSecond;
    table.push([
      clients,
      organizations,
      perSecond.toFixed(0),
      (perSecond / baseline).toFixed(2),
      p50Ms.toFixed(1),
      p99Ms.toFixed(1),
    ]);
    await Promise.all(writers.map(({ client }) => client.close()));
  }
  process.stdout.write(`${table.toString()}\n`);
  await backend.close();
}
