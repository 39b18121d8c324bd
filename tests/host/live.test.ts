/** Open subscriptions through the official WebSocket client: INV-12 and read-your-own-writes. */
import { ConvexClient } from "convex/browser";
import type { FunctionArgs, FunctionReference, FunctionReturnType } from "convex/server";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import { openHostBackend, type HostBackend } from "../support/hostBackend.ts";
import {
  committed,
  defineService,
  FIRST_PAGE,
  foundOrganization,
  join,
  key,
  requestBooking,
  type Actor,
} from "../support/scene.ts";

const { commands, projections } = api;

let backend: HostBackend;
const clients: ConvexClient[] = [];

beforeAll(async () => {
  backend = await openHostBackend();
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});
afterAll(async () => {
  await backend.close();
});

async function signIn(actor: Actor, orgId: string): Promise<ConvexClient> {
  const client = new ConvexClient(backend.host.url, { logger: false });
  const token = await backend.host.token(actor.subject, orgId);
  client.setAuth(() => Promise.resolve(token));
  clients.push(client);
  return client;
}

type Seen<T> = { value: T } | { code: string };

/** Everything that a subscription has delivered, and a way to wait for more. */
function watch<Ref extends FunctionReference<"query">>(
  client: ConvexClient,
  ref: Ref,
  args: FunctionArgs<Ref>,
): {
  seen: Seen<FunctionReturnType<Ref>>[];
  until: (wanted: (seen: Seen<FunctionReturnType<Ref>>) => boolean) => Promise<void>;
} {
  const seen: Seen<FunctionReturnType<Ref>>[] = [];
  const waiting = new Set<() => void>();
  const add = (item: Seen<FunctionReturnType<Ref>>): void => {
    seen.push(item);
    for (const wake of waiting) wake();
  };
  client.onUpdate(
    ref,
    args,
    (value: FunctionReturnType<Ref>) => {
      add({ value });
    },
    (error: Error & { data?: { code?: string } }) => {
      add({ code: error.data?.code ?? error.message });
    },
  );
  const until = async (wanted: (item: Seen<FunctionReturnType<Ref>>) => boolean): Promise<void> => {
    await new Promise<void>((resolve) => {
      const check = (): void => {
        const last = seen.at(-1);
        if (last === undefined || !wanted(last)) return;
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
      check();
    });
  };
  return { seen, until };
}

const lists = [
  ["bookings", projections.bookings.list],
  ["members", projections.members.list],
  ["services", projections.services.list],
] as const;

test("a command's effect is visible when its promise resolves, and to other subscribers after", async () => {
  const { orgId, owner } = await foundOrganization(backend);
  const staff = await join(backend, orgId, owner.client, "staff");
  const serviceId = await defineService(owner.client);
  const mine = await signIn(owner, orgId);
  const theirs = await signIn(staff, orgId);
  const own = watch(mine, projections.bookings.list, { paginationOpts: FIRST_PAGE });
  const other = watch(theirs, projections.bookings.list, { paginationOpts: FIRST_PAGE });
  await own.until((item) => "value" in item);
  await other.until((item) => "value" in item && item.value.page.length === 0);
  const requested = committed(
    await mine.mutation(commands.bookings.request, {
      serviceId,
      startsAt: Date.now() + 3_600_000,
      idempotencyKey: key(),
    }),
  );
  const last = own.seen.at(-1);
  expect(last).toMatchObject({ value: { page: [{ bookingId: requested.result.bookingId }] } });
  await other.until((item) => "value" in item && item.value.page.length === 1);
});

test("INV-12 a removed member's open subscriptions end with the removal", async () => {
  const { orgId, owner } = await foundOrganization(backend);
  const staff = await join(backend, orgId, owner.client, "staff");
  const serviceId = await defineService(owner.client);
  await requestBooking(owner.client, serviceId, 2, staff.userId);
  const client = await signIn(staff, orgId);
  const watches = lists.map(([, ref]) => watch(client, ref, { paginationOpts: FIRST_PAGE }));
  for (const { until } of watches) await until((item) => "value" in item && item.value.page.length > 0);
  committed(
    await owner.client.mutation(commands.members.remove, { userId: staff.userId, idempotencyKey: key() }),
  );
  for (const { seen, until } of watches) {
    await until((item) => "code" in item && item.code === "NO_ACTIVE_ORG");
    const count = seen.length;
    await requestBooking(owner.client, serviceId, 4 + count);
    expect(seen.slice(count).filter((item) => "value" in item)).toEqual([]);
  }
});

type Answer = { status: string };

/** What takes a member's access away, what gives it back if anything does, and what they see meanwhile. */
const INTERRUPTIONS: readonly [
  what: string,
  code: string,
  end: (owner: Actor, staff: Actor) => Promise<Answer>,
  restore?: (owner: Actor, staff: Actor) => Promise<Answer>,
][] = [
  [
    "a freeze",
    "ORG_FROZEN",
    ({ client }) =>
      client.mutation(commands.organizations.freeze, { reason: "other", idempotencyKey: key() }),
    ({ client }) => client.mutation(commands.organizations.unfreeze, { idempotencyKey: key() }),
  ],
  [
    "a suspension",
    "NO_ACTIVE_ORG",
    ({ client }, { userId }) => client.mutation(commands.members.suspend, { userId, idempotencyKey: key() }),
    ({ client }, { userId }) =>
      client.mutation(commands.members.reinstate, { userId, idempotencyKey: key() }),
  ],
  [
    "the revocation of sessions",
    "UNAUTHENTICATED",
    ({ client }, { userId }) =>
      client.mutation(commands.members.revokeSessions, { userId, idempotencyKey: key() }),
  ],
  [
    "leaving",
    "NO_ACTIVE_ORG",
    (_owner, { client }) => client.mutation(commands.members.leave, { idempotencyKey: key() }),
  ],
];

test.each(INTERRUPTIONS)(
  "J03 J05 INV-12 %s ends a member's open subscriptions with %s",
  async (_what, code, end, restore) => {
    const { orgId, owner } = await foundOrganization(backend);
    const staff = await join(backend, orgId, owner.client, "staff");
    const serviceId = await defineService(owner.client);
    await requestBooking(owner.client, serviceId, 2, staff.userId);
    const client = await signIn(staff, orgId);
    const watches = lists.map(([, ref]) => watch(client, ref, { paginationOpts: FIRST_PAGE }));
    for (const { until } of watches) await until((item) => "value" in item && item.value.page.length > 0);
    const counts = watches.map(({ seen }) => seen.length);
    committed(await end(owner, staff));
    for (const { until } of watches) await until((item) => "code" in item && item.code === code);
    const later = watches.flatMap(({ seen }, index) => seen.slice(counts[index]));
    expect(later.filter((item) => "value" in item)).toEqual([]);
    if (restore === undefined) return;
    committed(await restore(owner, staff));
    for (const { until } of watches) await until((item) => "value" in item && item.value.page.length > 0);
  },
);

test("J05 in a frozen organisation an owner's open audit log goes on, other lists end", async () => {
  const { orgId, owner } = await foundOrganization(backend);
  const client = await signIn(owner, orgId);
  const log = watch(client, projections.auditLog.list, { paginationOpts: FIRST_PAGE });
  const members = watch(client, projections.members.list, { paginationOpts: FIRST_PAGE });
  await log.until((item) => "value" in item);
  await members.until((item) => "value" in item);
  committed(
    await backend.operator.mutation(internal.operator.organizations.freeze, { orgId, reason: "other" }),
  );
  await log.until((item) => "value" in item && item.value.page[0]?.type === "organization.frozen");
  await members.until((item) => "code" in item && item.code === "ORG_FROZEN");
});

test("INV-12 a lowered role closes what the new role may not read", async () => {
  const { orgId, owner } = await foundOrganization(backend);
  const manager = await join(backend, orgId, owner.client, "manager");
  const client = await signIn(manager, orgId);
  const log = watch(client, projections.auditLog.list, { paginationOpts: FIRST_PAGE });
  const bookings = watch(client, projections.bookings.list, { paginationOpts: FIRST_PAGE });
  await log.until((item) => "value" in item && item.value.page.length > 0);
  await bookings.until((item) => "value" in item);
  committed(
    await owner.client.mutation(commands.members.changeRole, {
      userId: manager.userId,
      role: "freelancer",
      idempotencyKey: key(),
    }),
  );
  await log.until((item) => "code" in item && item.code === "FORBIDDEN");
  const serviceId = await defineService(owner.client);
  await requestBooking(owner.client, serviceId, 3, manager.userId);
  await bookings.until((item) => "value" in item && item.value.page.length === 1);
  const last = bookings.seen.at(-1);
  if (last === undefined || !("value" in last)) throw new Error("the list answers");
  expect(last.value.page[0]).not.toHaveProperty("priceMinor");
});

test("a booking that is reassigned leaves its former assignee's list", async () => {
  const { orgId, owner } = await foundOrganization(backend);
  const staff = await join(backend, orgId, owner.client, "staff");
  const colleague = await join(backend, orgId, owner.client, "staff");
  const serviceId = await defineService(owner.client);
  const bookingId = await requestBooking(owner.client, serviceId, 2, staff.userId);
  const client = await signIn(staff, orgId);
  const list = watch(client, projections.bookings.list, { paginationOpts: FIRST_PAGE });
  const one = watch(client, projections.bookings.get, { bookingId });
  await list.until((item) => "value" in item && item.value.page.length === 1);
  await one.until((item) => "value" in item);
  committed(
    await owner.client.mutation(commands.bookings.assign, {
      bookingId,
      assigneeId: colleague.userId,
      idempotencyKey: key(),
    }),
  );
  await list.until((item) => "value" in item && item.value.page.length === 0);
  await one.until((item) => "code" in item && item.code === "NOT_FOUND");
});

test("another organisation's writes never wake a subscriber with data", async () => {
  const { orgId, owner } = await foundOrganization(backend);
  const other = await foundOrganization(backend);
  const client = await signIn(owner, orgId);
  const list = watch(client, projections.services.list, { paginationOpts: FIRST_PAGE });
  await list.until((item) => "value" in item);
  await defineService(other.owner.client);
  await defineService(owner.client);
  await list.until((item) => "value" in item && item.value.page.length === 1);
  expect(list.seen).toHaveLength(2);
});
