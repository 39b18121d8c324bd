/** What most scenarios begin with: people, an organisation, its members, a service. */
import { ulid } from "ulid";
import { expect } from "vitest";
import { api } from "../../convex/_generated/api.js";
import type { Role } from "../../ledger/event.ts";
import type { Backend, Client } from "./backend.ts";

export type Committed<Response> = Extract<Response, { status: "committed" }>;

/** A fresh idempotency key. */
export function key(): string {
  return ulid();
}

/** The response as committed; fails the test with the rejection otherwise. */
export function committed<Response extends { status: string }>(response: Response): Committed<Response> {
  expect(response).toMatchObject({ status: "committed" });
  return response as Committed<Response>;
}

/** The code of a rejection; fails the test when the command committed. */
export function codeOf(response: { status: string; code?: string }): string {
  expect(response.status).toBe("rejected");
  return response.code ?? "";
}

/** The data of the ConvexError that a query throws; fails the test when it answers. */
export async function refusalOf(answer: Promise<unknown>): Promise<{ code: string; field?: string }> {
  const error: unknown = await answer.then(
    () => new Error("the query answered"),
    (reason: unknown) => reason,
  );
  if (typeof error !== "object" || error === null || !("data" in error)) throw error as Error;
  const { data } = error;
  return (typeof data === "string" ? JSON.parse(data) : data) as { code: string; field?: string };
}

let people = 0;

/** A subject that no other scenario uses. */
export function newSubject(name: string): string {
  people += 1;
  return `${name}-${people}-${ulid().slice(-6).toLowerCase()}`;
}

export type Actor = { client: Client; userId: string; subject: string };

/** Founds an organisation; the owner's token names it. */
export async function foundOrganization(
  backend: Backend,
  name = "Studio Blue",
): Promise<{ orgId: string; owner: Actor }> {
  const subject = newSubject("owner");
  const founder = await backend.as({ subject });
  const created = committed(
    await founder.mutation(api.commands.organizations.create, {
      name,
      timeZone: "Europe/Berlin",
      currency: "EUR",
      idempotencyKey: key(),
    }),
  );
  const { orgId } = created.result;
  const client = await backend.as({ subject, orgId });
  const current = await client.query(api.projections.organizations.current, {});
  if (current.createdBy.kind !== "user") throw new Error("founded by a user");
  return { orgId, owner: { client, userId: current.createdBy.id, subject } };
}

/** Invites and lets a new person join with a role. */
export async function join(backend: Backend, orgId: string, inviter: Client, role: Role): Promise<Actor> {
  const invited = committed(
    await inviter.mutation(api.commands.members.invite, { role, idempotencyKey: key() }),
  );
  const subject = newSubject(role);
  const guest = await backend.as({ subject });
  const accepted = committed(
    await guest.mutation(api.commands.members.acceptInvitation, {
      invitationToken: invited.result.invitationToken ?? "",
      idempotencyKey: key(),
    }),
  );
  const client = await backend.as({ subject, orgId });
  const userId = await userIdOf(inviter, accepted.receipt.lastSeq);
  return { client, userId, subject };
}

/** The user that the `member.joined` event at a sequence is about. */
async function userIdOf(owner: Client, seq: number): Promise<string> {
  const log = await owner.query(api.projections.auditLog.list, {
    paginationOpts: { numItems: 200, cursor: null },
    category: "membership",
  });
  const line = log.page.find((row) => row.seq === seq);
  if (line === undefined) throw new Error("joined, but not in the audit log");
  return line.stream.slice("member/".length);
}

/** Defines a service of 60 minutes for 50.00. */
export async function defineService(client: Client, durationMinutes = 60): Promise<string> {
  const defined = await client.mutation(api.commands.services.define, {
    name: "Massage",
    durationMinutes,
    priceMinor: 5000,
    idempotencyKey: key(),
  });
  return committed(defined).result.serviceId;
}

export const HOUR_MS = 3_600_000;

/** Requests a booking some hours from now. */
export async function requestBooking(
  client: Client,
  serviceId: string,
  inHours: number,
  assigneeId?: string,
): Promise<string> {
  const requested = await client.mutation(api.commands.bookings.request, {
    serviceId,
    startsAt: Date.now() + inHours * HOUR_MS,
    ...(assigneeId === undefined ? {} : { assigneeId }),
    idempotencyKey: key(),
  });
  return committed(requested).result.bookingId;
}

export const FIRST_PAGE = { numItems: 50, cursor: null };

/** A client of the same person whose token says that they proved who they are just now. */
export async function freshly(
  backend: Backend,
  { subject }: Pick<Actor, "subject">,
  orgId: string,
): Promise<Client> {
  return await backend.as({ subject, orgId, authenticatedAgoS: 0 });
}

/** Waits until something holds; the test's own time limit ends a wait in vain. */
export async function eventually(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 10));
}
