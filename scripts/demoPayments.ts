/**
 * The demo's payments: through the stand-in for Stripe that the host runs beside itself, whose deliveries come back
 * over HTTP. The payer's clicks are its switches.
 */
import Table from "cli-table3";
import type { ConvexClient } from "convex/browser";
import pc from "picocolors";
import { ulid } from "ulid";
import { api } from "../convex/_generated/api.js";
import { did, heading, out, requireCommitted, saw, until } from "./demoOutput.ts";

const { commands, projections } = api;
const HOUR_MS = 3_600_000;

/** Where the HTTP actions and the stand-in for Stripe are. */
export type PaymentPlaces = { siteUrl: string; simulatorUrl: string };

type Row = { status: string; paidMinor: number; refundedMinor: number };

type Studio = { who: string; owner: ConvexClient; bookingId: string; serviceId: string };

async function flip(simulatorUrl: string, name: string, body: object): Promise<void> {
  const response = await fetch(`${simulatorUrl}/_simulator/${name}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${name}: ${response.status} ${await response.text()}`);
}

function money(minor: number): string {
  return (minor / 100).toFixed(2);
}

/** Resolves when a payment's row is as wanted, as a subscriber sees it. */
async function untilPayment(
  owner: ConvexClient,
  paymentId: string,
  wanted: (row: Row) => boolean,
): Promise<Row> {
  return await until<Row>(
    (listen) => owner.onUpdate(projections.payments.get, { paymentId }, listen),
    wanted,
  );
}

/** What the payer pays with, once Stripe has the payment. */
async function payerSecret(owner: ConvexClient, paymentId: string): Promise<string> {
  const secret = await until<{ value: string } | null>(
    (listen) => owner.onUpdate(projections.payments.payerSecret, { paymentId }, listen),
    (answer) => answer !== null,
  );
  return secret?.value ?? "";
}

async function ask(
  { owner }: Studio,
  bookingId: string,
  method: "payment_intent" | "checkout_session",
): Promise<string> {
  const asked = requireCommitted(
    await owner.mutation(commands.payments.request, { bookingId, method, idempotencyKey: ulid() }),
  );
  return asked.result.paymentId;
}

async function byForm({ simulatorUrl }: PaymentPlaces, studio: Studio): Promise<string> {
  const { who, owner, bookingId } = studio;
  const paymentId = await ask(studio, bookingId, "payment_intent");
  did(who, "asks for the price; the server takes it from the booking and creates a PaymentIntent");
  const secret = await payerSecret(owner, paymentId);
  const id = secret.slice(0, secret.indexOf("_secret_"));
  await flip(simulatorUrl, "payments/fail", { id, decline_code: "insufficient_funds" });
  did("the payer", "pays with a card that has no money on it");
  saw(who, `payment ${(await untilPayment(owner, paymentId, (row) => row.status === "failed")).status}`);
  await flip(simulatorUrl, "payments/succeed", { id });
  did("the payer", "takes another card; Stripe's signed delivery comes over HTTP");
  const paid = await untilPayment(owner, paymentId, (row) => row.status === "paid");
  saw(who, `payment ${paid.status}, ${money(paid.paidMinor)} EUR`);
  return paymentId;
}

async function refund({ who, owner }: Studio, paymentId: string): Promise<void> {
  requireCommitted(
    await owner.mutation(commands.payments.requestRefund, {
      paymentId,
      amountMinor: 2000,
      reason: "requested_by_customer",
      idempotencyKey: ulid(),
    }),
  );
  did(who, "gives 20.00 EUR back");
  const row = await untilPayment(owner, paymentId, ({ refundedMinor }) => refundedMinor === 2000);
  saw(who, `${money(row.refundedMinor)} EUR given back, by Stripe's word`);
}

async function byPage({ simulatorUrl }: PaymentPlaces, studio: Studio): Promise<void> {
  const { who, owner, serviceId } = studio;
  const startsAt = Date.now() + 30 * HOUR_MS;
  const booked = requireCommitted(
    await owner.mutation(commands.bookings.request, { serviceId, startsAt, idempotencyKey: ulid() }),
  );
  const paymentId = await ask(studio, booked.result.bookingId, "checkout_session");
  const url = await payerSecret(owner, paymentId);
  did(who, "asks for another booking's price on a page of Stripe's");
  const id = /cs_test_\w+/.exec(url)?.[0] ?? "";
  await flip(simulatorUrl, "payments/succeed", { id });
  saw(who, `payment ${(await untilPayment(owner, paymentId, (row) => row.status === "paid")).status}`);
}

/** A delivery that nobody signed is refused, and nobody learns why. */
async function forge({ siteUrl }: PaymentPlaces): Promise<void> {
  const response = await fetch(`${siteUrl}/webhooks/stripe`, {
    method: "POST",
    headers: { "stripe-signature": `t=${Math.floor(Date.now() / 1000)},v1=${"0".repeat(64)}` },
    body: JSON.stringify({ id: "evt_forged00000000", type: "payment_intent.succeeded" }),
  });
  if (response.status !== 400) throw new Error(`a forged delivery was answered ${response.status}`);
  out(`  ${pc.cyan("mallory".padEnd(10))} forges a delivery ${pc.red(`→ ${response.status}`)}`);
}

async function showPayments(owner: ConvexClient): Promise<void> {
  const list = await owner.query(projections.payments.list, {
    paginationOpts: { numItems: 50, cursor: null },
  });
  const head = ["method", "status", "asked", "paid", "given back"];
  const table = new Table({ head, style: { head: [], border: [] } });
  for (const row of list.page) {
    const { method, status, amountMinor, paidMinor, refundedMinor } = row;
    table.push([method, status, money(amountMinor), money(paidMinor), money(refundedMinor)]);
  }
  out(table.toString());
}

/** Takes payments in two ways, gives one back in part, and forges one. Says so when nothing stands in for Stripe. */
export async function payments(places: PaymentPlaces, studio: Studio): Promise<void> {
  heading("Later: payments, through the stand-in for Stripe");
  const isThere = await fetch(`${places.simulatorUrl}/_simulator/overview`).then(
    (response) => response.ok,
    () => false,
  );
  if (!isThere) {
    out(pc.dim(`  Nothing stands in for Stripe at ${places.simulatorUrl}; this part is left out.`));
    out(pc.dim("  The banner of npm start says where it is: name it in STRIPE_SIMULATOR_URL."));
    return;
  }
  const paymentId = await byForm(places, studio);
  await refund(studio, paymentId);
  await byPage(places, studio);
  await forge(places);
  await showPayments(studio.owner);
}
