/** Payments that wait for the provider's word, on either host. */
import { api, internal } from "../../convex/_generated/api.js";
import type { Backend, Client } from "./backend.ts";
import { committed, defineService, foundOrganization, key, requestBooking, type Actor } from "./scene.ts";
import { headerFor, providerId, type StripeEvent } from "./stripe.ts";

export type Answer = { status: number; text: string };

/** A backend whose door can be knocked at, and whose ledger component can be called directly. */
export type PaymentBackend = {
  backend: Backend;
  post(body: string | Uint8Array<ArrayBuffer>, header: string | null): Promise<Answer>;
  /** Calls the component's `append` as a faulty door would. */
  append(args: Record<string, unknown>): Promise<unknown>;
};

export type OpenPayment = {
  orgId: string;
  owner: Actor;
  bookingId: string;
  paymentId: string;
  intentId: string;
};

let hours = 1;

/** Asks for a payment of 50.00, which the provider has not answered yet under the id that it will have. */
export async function requestPayment(
  { backend }: PaymentBackend,
  known?: { orgId: string; owner: Actor },
): Promise<OpenPayment> {
  const { orgId, owner } = known ?? (await foundOrganization(backend));
  const serviceId = await defineService(owner.client);
  hours += 1;
  const bookingId = await requestBooking(owner.client, serviceId, hours);
  const requested = await owner.client.mutation(api.commands.payments.request, {
    bookingId,
    idempotencyKey: key(),
  });
  const { paymentId } = committed(requested).result;
  return { orgId, owner, bookingId, paymentId, intentId: providerId("pi") };
}

/** Asks for a payment of 50.00 and lets the provider have made it. */
export async function openPayment(
  on: PaymentBackend,
  known?: { orgId: string; owner: Actor },
): Promise<OpenPayment> {
  const asked = await requestPayment(on, known);
  await created(on, asked);
  return asked;
}

/** The effect of an organisation that is of one of these kinds and about this subject. */
export async function effectAbout(
  backend: Pick<Backend, "operator">,
  { orgId, kinds, subject }: { orgId: string; kinds: readonly string[]; subject: string },
): Promise<string | undefined> {
  // Looked for while it goes on: what runs may wait again, for its next attempt, before the next look.
  for (const status of ["pending", "running", "pending", "done", "failed", "unknown"] as const) {
    const rows = await backend.operator.query(internal.effects.outbox.list, { orgId, status });
    const row = rows.find((each) => kinds.includes(each.kind) && each.subject === subject);
    if (row !== undefined) return row.outboxId;
  }
  return undefined;
}

/** Lets the provider's answer to the creating call come. */
export async function created(
  { backend }: Pick<PaymentBackend, "backend">,
  {
    orgId,
    paymentId,
    intentId,
    sessionId,
  }: { orgId: string; paymentId: string; intentId?: string; sessionId?: string },
): Promise<void> {
  const about = { orgId, kinds: ["stripe.createPayment"], subject: paymentId };
  const outboxId = await effectAbout(backend, about);
  if (outboxId === undefined) throw new Error("nobody asked the provider for this payment");
  await backend.operator.mutation(internal.effects.payments.finishCreation, {
    ...{ orgId, paymentId, outboxId, attempt: 1, step: "create", createdAt: Date.now() },
    result: {
      kind: "created",
      livemode: false,
      secret: null,
      ...(intentId === undefined ? {} : { paymentIntentId: intentId }),
      ...(sessionId === undefined ? {} : { checkoutSessionId: sessionId }),
    },
  });
}

/** Delivers an event, signed now. */
export async function deliver(on: Pick<PaymentBackend, "post">, event: StripeEvent): Promise<Answer> {
  const body = JSON.stringify(event);
  return await on.post(body, await headerFor(body));
}

export async function statusOf(client: Client, paymentId: string): Promise<string> {
  return (await client.query(api.projections.payments.get, { paymentId })).status;
}

/** What became of a delivery, as its organisation sees it. */
export async function listed(
  client: Client,
  deliveryId: string,
): Promise<{ status: string; reason: string | null }[]> {
  const { page } = await client.query(api.projections.deliveries.list, {
    paginationOpts: { numItems: 200, cursor: null },
  });
  return page
    .filter((row) => row.deliveryId === deliveryId)
    .map(({ status, reason }) => ({ status, reason }));
}

export async function headSeq(client: Client): Promise<number> {
  return (await client.query(api.projections.ledger.head, {})).seq;
}
