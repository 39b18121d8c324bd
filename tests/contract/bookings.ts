/** Services and bookings: states, slots, what each role sees. */
import { expect, test } from "vitest";
import { api } from "../../convex/_generated/api.js";
import type { Backend, Client } from "../support/backend.ts";
import {
  codeOf,
  committed,
  defineService,
  FIRST_PAGE,
  foundOrganization,
  HOUR_MS,
  join,
  key,
  refusalOf,
  requestBooking,
} from "../support/scene.ts";

const { commands, projections } = api;

type Step = "confirm" | "start" | "complete" | "markNoShow" | "unassign";

async function step(
  client: Client,
  name: Step,
  bookingId: string,
): Promise<{ status: string; code?: string }> {
  return await client.mutation(commands.bookings[name], { bookingId, idempotencyKey: key() });
}

async function statusOf(client: Client, bookingId: string): Promise<string> {
  return (await client.query(projections.bookings.get, { bookingId })).status;
}

export function bookingsContract(open: () => Promise<Backend>): void {
  test("duration, price and currency of a booking are the service's, whatever the client sends", async () => {
    const backend = await open();
    const { owner } = await foundOrganization(backend);
    const serviceId = await defineService(owner.client, 45);
    const bookingId = await requestBooking(owner.client, serviceId, 2);
    const row = await owner.client.query(projections.bookings.get, { bookingId });
    expect(row).toMatchObject({
      bookingId,
      serviceId,
      serviceName: "Massage",
      status: "requested",
      assigneeId: null,
      priceMinor: 5000,
      currency: "EUR",
      version: 1,
      createdBy: { kind: "user", id: owner.userId, role: "owner" },
    });
    expect(row.endsAt - row.startsAt).toBe(45 * 60_000);
    const forged = { serviceId, startsAt: Date.now() + HOUR_MS, priceMinor: 1, idempotencyKey: key() };
    const response = await owner.client.mutation(commands.bookings.request, forged);
    expect(response).toMatchObject({ status: "rejected", code: "INVALID", field: "priceMinor" });
  });

  test("a booking walks requested, confirmed, in progress, completed, and no other way", async () => {
    const backend = await open();
    const { owner } = await foundOrganization(backend);
    const serviceId = await defineService(owner.client);
    const bookingId = await requestBooking(owner.client, serviceId, 2);
    expect(codeOf(await step(owner.client, "start", bookingId))).toBe("INVALID_TRANSITION");
    expect(codeOf(await step(owner.client, "complete", bookingId))).toBe("INVALID_TRANSITION");
    expect(codeOf(await step(owner.client, "unassign", bookingId))).toBe("INVALID_TRANSITION");
    committed(await step(owner.client, "confirm", bookingId));
    expect(await statusOf(owner.client, bookingId)).toBe("confirmed");
    expect(codeOf(await step(owner.client, "markNoShow", bookingId))).toBe("INVALID_TRANSITION");
    committed(await step(owner.client, "start", bookingId));
    expect(await statusOf(owner.client, bookingId)).toBe("in_progress");
    const cancel = { bookingId, reason: "weather" as const };
    const late = await owner.client.mutation(commands.bookings.cancel, { ...cancel, idempotencyKey: key() });
    expect(codeOf(late)).toBe("INVALID_TRANSITION");
    committed(await step(owner.client, "complete", bookingId));
    expect(await statusOf(owner.client, bookingId)).toBe("completed");
    const moved = await owner.client.mutation(commands.bookings.reschedule, {
      bookingId,
      startsAt: Date.now() + HOUR_MS,
      idempotencyKey: key(),
    });
    expect(codeOf(moved)).toBe("INVALID_TRANSITION");
  });

  test("a no-show is marked from the moment the booking begins", async () => {
    const backend = await open();
    const { owner } = await foundOrganization(backend);
    const serviceId = await defineService(owner.client);
    const startsAt = Date.now() + 1_500;
    const { bookingId } = committed(
      await owner.client.mutation(commands.bookings.request, { serviceId, startsAt, idempotencyKey: key() }),
    ).result;
    committed(await step(owner.client, "confirm", bookingId));
    expect(codeOf(await step(owner.client, "markNoShow", bookingId))).toBe("INVALID_TRANSITION");
    await new Promise((resolve) => setTimeout(resolve, startsAt - Date.now() + 50));
    committed(await step(owner.client, "markNoShow", bookingId));
    expect(await statusOf(owner.client, bookingId)).toBe("no_show");
  });

  test("bookings begin in the future, and retired services are not booked", async () => {
    const backend = await open();
    const { owner } = await foundOrganization(backend);
    const serviceId = await defineService(owner.client);
    const request = (startsAt: number): Promise<{ status: string; code?: string; field?: string }> =>
      owner.client.mutation(commands.bookings.request, { serviceId, startsAt, idempotencyKey: key() });
    expect(await request(Date.now() - 1)).toMatchObject({ code: "INVALID", field: "startsAt" });
    const bookingId = await requestBooking(owner.client, serviceId, 1);
    const moved = await owner.client.mutation(commands.bookings.reschedule, {
      bookingId,
      startsAt: Date.now() - 1,
      idempotencyKey: key(),
    });
    expect(moved).toMatchObject({ code: "INVALID", field: "startsAt" });
    committed(await owner.client.mutation(commands.services.retire, { serviceId, idempotencyKey: key() }));
    expect(codeOf(await request(Date.now() + HOUR_MS))).toBe("CONFLICT");
    const again = await owner.client.mutation(commands.services.retire, { serviceId, idempotencyKey: key() });
    expect(codeOf(again)).toBe("INVALID_TRANSITION");
  });

  test("nobody is booked twice at the same time", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const { userId } = await join(backend, orgId, owner.client, "staff");
    const serviceId = await defineService(owner.client, 60);
    const base = Date.now() + 24 * HOUR_MS;
    const request = (startsAt: number, assigneeId?: string): Promise<{ status: string; code?: string }> =>
      owner.client.mutation(commands.bookings.request, {
        serviceId,
        startsAt,
        ...(assigneeId === undefined ? {} : { assigneeId }),
        idempotencyKey: key(),
      });
    const taken = committed(await request(base, userId)) as { result: { bookingId: string } };
    expect(codeOf(await request(base, userId))).toBe("SLOT_TAKEN");
    expect(codeOf(await request(base + HOUR_MS - 1, userId))).toBe("SLOT_TAKEN");
    expect(codeOf(await request(base - HOUR_MS + 1, userId))).toBe("SLOT_TAKEN");
    committed(await request(base + HOUR_MS, userId));
    committed(await request(base - HOUR_MS, userId));

    const free = committed(await request(base)) as { result: { bookingId: string } };
    const assign = (): Promise<{ status: string; code?: string }> =>
      owner.client.mutation(commands.bookings.assign, {
        bookingId: free.result.bookingId,
        assigneeId: userId,
        idempotencyKey: key(),
      });
    expect(codeOf(await assign())).toBe("SLOT_TAKEN");
    const moved = await owner.client.mutation(commands.bookings.reschedule, {
      bookingId: taken.result.bookingId,
      startsAt: base + HOUR_MS / 2,
      idempotencyKey: key(),
    });
    expect(codeOf(moved)).toBe("SLOT_TAKEN");
    committed(
      await owner.client.mutation(commands.bookings.cancel, {
        bookingId: taken.result.bookingId,
        reason: "customer_request",
        idempotencyKey: key(),
      }),
    );
    committed(await assign());
  });

  test("C05 staff work on their own bookings, see unassigned ones, and no others", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const staff = await join(backend, orgId, owner.client, "staff");
    const colleague = await join(backend, orgId, owner.client, "staff");
    const serviceId = await defineService(owner.client);
    const mine = await requestBooking(owner.client, serviceId, 2, staff.userId);
    const theirs = await requestBooking(owner.client, serviceId, 3, colleague.userId);
    const open_ = await requestBooking(owner.client, serviceId, 4);
    const list = await staff.client.query(projections.bookings.list, { paginationOpts: FIRST_PAGE });
    expect(list.page.map(({ bookingId }) => bookingId)).toEqual([open_, mine]);
    expect(list.page[0]).toMatchObject({ priceMinor: 5000, currency: "EUR" });
    const hidden = await refusalOf(staff.client.query(projections.bookings.get, { bookingId: theirs }));
    expect(hidden.code).toBe("NOT_FOUND");
    committed(await step(owner.client, "confirm", mine));
    committed(await step(owner.client, "confirm", theirs));
    expect(codeOf(await step(staff.client, "start", theirs))).toBe("NOT_FOUND");
    expect(codeOf(await step(staff.client, "start", open_))).toBe("NOT_FOUND");
    committed(await step(staff.client, "start", mine));
    committed(
      await owner.client
        .mutation(commands.bookings.unassign, { bookingId: open_, idempotencyKey: key() })
        .then(() =>
          owner.client.mutation(commands.bookings.assign, {
            bookingId: open_,
            assigneeId: colleague.userId,
            idempotencyKey: key(),
          }),
        ),
    );
    const after = await staff.client.query(projections.bookings.list, { paginationOpts: FIRST_PAGE });
    expect(after.page.map(({ bookingId }) => bookingId)).toEqual([mine]);
  });

  test("D15 a freelancer takes no booking, hands none on and raises no own role", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const { client, userId } = await join(backend, orgId, owner.client, "freelancer");
    const colleague = await join(backend, orgId, owner.client, "freelancer");
    const serviceId = await defineService(owner.client);
    const mine = await requestBooking(owner.client, serviceId, 2, userId);
    const free = await requestBooking(owner.client, serviceId, 3);
    const theirs = await requestBooking(owner.client, serviceId, 4, colleague.userId);
    const { seq } = await owner.client.query(projections.ledger.head, {});
    for (const [bookingId, assigneeId] of [
      [free, userId],
      [theirs, userId],
      [mine, colleague.userId],
    ] as const) {
      const args = { bookingId, assigneeId, idempotencyKey: key() };
      expect(codeOf(await client.mutation(commands.bookings.assign, args))).toBe("FORBIDDEN");
    }
    const promoted = { userId, role: "manager" as const, idempotencyKey: key() };
    expect(codeOf(await client.mutation(commands.members.changeRole, promoted))).toBe("FORBIDDEN");
    expect((await owner.client.query(projections.ledger.head, {})).seq).toBe(seq);
  });

  test("C05 C11 freelancers see their own bookings without prices", async () => {
    const backend = await open();
    const { orgId, owner } = await foundOrganization(backend);
    const freelancer = await join(backend, orgId, owner.client, "freelancer");
    const serviceId = await defineService(owner.client);
    const mine = await requestBooking(owner.client, serviceId, 2, freelancer.userId);
    const unassigned = await requestBooking(owner.client, serviceId, 3);
    const list = await freelancer.client.query(projections.bookings.list, { paginationOpts: FIRST_PAGE });
    expect(list.page.map(({ bookingId }) => bookingId)).toEqual([mine]);
    expect(Object.keys(list.page[0] ?? {}).sort()).toEqual(
      [
        "assigneeId",
        "bookingId",
        "createdAt",
        "createdBy",
        "endsAt",
        "serviceId",
        "serviceName",
        "startsAt",
        "status",
        "version",
      ].sort(),
    );
    const byStatus = await freelancer.client.query(projections.bookings.list, {
      paginationOpts: FIRST_PAGE,
      status: "requested",
    });
    expect(byStatus.page).toEqual(list.page);
    const hidden = await refusalOf(
      freelancer.client.query(projections.bookings.get, { bookingId: unassigned }),
    );
    expect(hidden.code).toBe("NOT_FOUND");
  });

  test("lists page with cursors, clamp the page and narrow by status", async () => {
    const backend = await open();
    const { owner } = await foundOrganization(backend);
    const serviceId = await defineService(owner.client);
    const ids: string[] = [];
    for (let hour = 1; hour <= 5; hour += 1) ids.push(await requestBooking(owner.client, serviceId, hour));
    committed(await step(owner.client, "confirm", ids[0] ?? ""));
    const seen: string[] = [];
    let cursor: string | null = null;
    for (let isDone = false; !isDone;) {
      const page: { page: { bookingId: string }[]; isDone: boolean; continueCursor: string } =
        await owner.client.query(projections.bookings.list, { paginationOpts: { numItems: 2, cursor } });
      expect(page.page.length).toBeLessThanOrEqual(2);
      seen.push(...page.page.map(({ bookingId }) => bookingId));
      ({ isDone, continueCursor: cursor } = page);
    }
    expect(seen).toEqual([...ids].reverse());
    const confirmed = await owner.client.query(projections.bookings.list, {
      paginationOpts: { numItems: 1_000_000_000, cursor: null },
      status: "confirmed",
    });
    expect(confirmed.page.map(({ bookingId }) => bookingId)).toEqual([ids[0]]);
  });
}
