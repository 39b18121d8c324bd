/** Payments on the embedded host, with the stand-in for Stripe that it starts beside itself. */
import getPort from "get-port";
import Stripe from "stripe";
import { api, internal } from "../../convex/_generated/api.js";
import { openHostBackend, type HostBackend } from "./hostBackend.ts";
import {
  committed,
  defineService,
  eventually,
  foundOrganization,
  key,
  requestBooking,
  type Actor,
} from "./scene.ts";

/** The switches of the simulator, as its page flips them. */
export class SimulatorSwitches {
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  async flip<Answer = unknown>(name: string, body: object = {}): Promise<Answer> {
    const response = await fetch(`${this.url}/_simulator/${name}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${name}: ${response.status} ${await response.text()}`);
    return (await response.json()) as Answer;
  }

  /** The payer pays. */
  async succeed(id: string): Promise<void> {
    await this.flip("payments/succeed", { id });
  }

  async fault(kind: string, path: string, times = 1, method = "POST"): Promise<void> {
    await this.flip("faults", { kind, path, method, times });
  }
}

export type PaymentScene = {
  backend: HostBackend;
  simulator: SimulatorSwitches;
  /** The official SDK, as the provider's side of the tests sees its books. */
  stripe: Stripe;
  orgId: string;
  owner: Actor;
  serviceId: string;
};

/** A host that takes payments through the simulator, and an organisation with a service for 50.00. */
export async function openPaymentScene(environment: Record<string, string> = {}): Promise<PaymentScene> {
  const port = await getPort();
  const backend = await openHostBackend({ DAYBOOK_SIMULATOR_PORT: String(port), ...environment });
  const stripe = new Stripe(backend.host.secret("simulatorKey"), {
    host: "127.0.0.1",
    port,
    protocol: "http",
    telemetry: false,
  });
  const { orgId, owner } = await foundOrganization(backend);
  const serviceId = await defineService(owner.client);
  return {
    backend,
    simulator: new SimulatorSwitches(`http://127.0.0.1:${port}`),
    stripe,
    orgId,
    owner,
    serviceId,
  };
}

let hours = 1;

/** Books the service at a time of its own and asks for its price. */
export async function requestPayment(
  { owner, serviceId }: Pick<PaymentScene, "owner" | "serviceId">,
  options: { method?: "payment_intent" | "checkout_session"; returnPath?: string } = {},
): Promise<{ paymentId: string; bookingId: string }> {
  hours += 2;
  const bookingId = await requestBooking(owner.client, serviceId, hours);
  const asked = await owner.client.mutation(api.commands.payments.request, {
    bookingId,
    ...options,
    idempotencyKey: key(),
  });
  return { paymentId: committed(asked).result.paymentId, bookingId };
}

export type PaymentRow = { status: string; paidMinor: number; refundedMinor: number };

export async function paymentRow(
  { owner }: Pick<PaymentScene, "owner">,
  paymentId: string,
): Promise<PaymentRow> {
  return await owner.client.query(api.projections.payments.get, { paymentId });
}

/** Waits for a payment's status. */
export async function untilStatus(
  scene: Pick<PaymentScene, "owner">,
  paymentId: string,
  status: string,
): Promise<PaymentRow> {
  await eventually(async () => (await paymentRow(scene, paymentId)).status === status);
  return await paymentRow(scene, paymentId);
}

/** What the payer pays with, once it is there. */
export async function payerSecret(
  { owner }: Pick<PaymentScene, "owner">,
  paymentId: string,
): Promise<{ kind: string; value: string }> {
  const read = async () => await owner.client.query(api.projections.payments.payerSecret, { paymentId });
  await eventually(async () => (await read()) !== null);
  const secret = await read();
  if (secret === null) throw new Error("there is nothing to pay with any more");
  return secret;
}

/** The PaymentIntent that a client secret belongs to. */
export function intentOf(clientSecret: string): string {
  return clientSecret.slice(0, clientSecret.indexOf("_secret_"));
}

export type LedgerEvent = {
  type: string;
  stream: string;
  source: { kind: string };
  data: Record<string, unknown>;
};

/** The events of the organisation's ledger, oldest first. */
export async function ledgerOf({ owner }: Pick<PaymentScene, "owner">): Promise<LedgerEvent[]> {
  const events: LedgerEvent[] = [];
  for (let afterSeq = 0, isDone = false; !isDone;) {
    const page = await owner.client.query(api.projections.ledger.events, { afterSeq, limit: 200 });
    for (const { text } of page.entries) events.push(JSON.parse(text) as LedgerEvent);
    afterSeq = page.nextAfterSeq;
    ({ isDone } = page);
  }
  return events;
}

/** Effects of an organisation in one state, as the operator sees them. */
export async function effectsOf(
  { backend, orgId }: Pick<PaymentScene, "backend" | "orgId">,
  status: "pending" | "running" | "done" | "failed" | "unknown",
): Promise<{ kind: string; subject: string; attempts: number; lastError: string | null }[]> {
  return await backend.operator.query(internal.effects.outbox.list, { orgId, status });
}

/** Begins what waits at once, as the operator can. */
export async function hurry({ backend, orgId }: Pick<PaymentScene, "backend" | "orgId">): Promise<void> {
  await backend.operator.mutation(internal.effects.outbox.retry, { orgId });
}
