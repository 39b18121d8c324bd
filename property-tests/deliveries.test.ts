/**
 * Random interleavings of what Stripe delivers about one payment, through the real door: duplicates, other orders,
 * forged and stale copies, answers of the creating call that come late, and transactions that fail after the record or
 * after the append. Whatever the order, the state at the end is the one that the set of genuine facts has by the state
 * table of docs/payments.md, written here a second time; and money is counted once.
 */
import fc from "fast-check";
import { afterAll, expect, test, vi } from "vitest";
import { api, components, internal } from "../convex/_generated/api.js";
import { readLedger } from "../tests/contract/ledger.ts";
import { created, requestPayment, type OpenPayment, type PaymentBackend } from "../tests/support/payments.ts";
import { eventually } from "../tests/support/scene.ts";
import {
  eventOf,
  headerFor,
  intent,
  nowSeconds,
  providerId,
  refundOf,
  type StripeEvent,
} from "../tests/support/stripe.ts";
import { STRIPE_ENVIRONMENT } from "../tests/support/stripeEnvironment.ts";
import { openTestBackend } from "../tests/support/testBackend.ts";

vi.stubGlobal("fetch", () => Promise.reject(new TypeError("unreachable")));

const RUNS = Number(process.env["PROPERTY_RUNS"] ?? "60");
const SEED = Number(process.env["PROPERTY_SEED"] ?? "20261126");

const REFUNDS = { a: 2_000, b: 3_000 } as const;
type RefundKey = keyof typeof REFUNDS;

type Fact =
  | { kind: "succeeded" }
  | { kind: "canceled" }
  | { kind: "attempt"; outcome: "failed" | "processing"; at: number }
  | { kind: "refund"; key: RefundKey; status: "pending" | "succeeded" | "failed" }
  | { kind: "dispute"; change: "created" | "updated" | "closed"; at: number };

const factArbitrary: fc.Arbitrary<Fact> = fc.oneof(
  fc.constant({ kind: "succeeded" } as const),
  fc.constant({ kind: "canceled" } as const),
  fc.record({
    kind: fc.constant("attempt" as const),
    outcome: fc.constantFrom("failed" as const, "processing" as const),
    at: fc.integer({ min: 1, max: 5 }),
  }),
  fc.record({
    kind: fc.constant("refund" as const),
    key: fc.constantFrom<RefundKey>("a", "b"),
    status: fc.constantFrom("pending" as const, "succeeded" as const, "failed" as const),
  }),
  fc.record({
    kind: fc.constant("dispute" as const),
    change: fc.constantFrom("created" as const, "updated" as const, "closed" as const),
    at: fc.integer({ min: 1, max: 5 }),
  }),
);

/** How a delivery comes: once or again, preceded by copies that are not genuine, or by tries that fail inside. */
type Arrival = { fact: number; before: ("forged" | "stale" | "crash after record" | "crash after append")[] };
type Run = { facts: Fact[]; arrivals: Arrival[]; createdAt: number };

const runArbitrary: fc.Arbitrary<Run> = fc
  .uniqueArray(factArbitrary, { minLength: 1, maxLength: 9, selector: (fact) => JSON.stringify(fact) })
  .chain((facts) => {
    const before = fc.array(
      fc.constantFrom(
        "forged" as const,
        "stale" as const,
        "crash after record" as const,
        "crash after append" as const,
      ),
      { maxLength: 2 },
    );
    const arrival = (fact: fc.Arbitrary<number>): fc.Arbitrary<Arrival> => fc.record({ fact, before });
    const index = fc.integer({ min: 0, max: facts.length - 1 });
    const every = fc.tuple(...facts.map((_, position) => arrival(fc.constant(position))));
    return fc.tuple(every, fc.array(arrival(index), { maxLength: 4 })).chain(([once, again]) => {
      const all = [...once, ...again];
      return fc.record({
        facts: fc.constant(facts),
        arrivals: fc.shuffledSubarray(all, { minLength: all.length }),
        createdAt: fc.integer({ min: 0, max: all.length }),
      });
    });
  });

type Expected = {
  status: string;
  refundedMinor: number;
  disputedMinor: number;
  disputeStatus: string | null;
  parked: number;
};

const NOTHING_MOVED = { refundedMinor: 0, disputedMinor: 0, disputeStatus: null };

/** The state table, of the set of facts alone. */
function expectedOf(facts: readonly Fact[]): Expected {
  const attempts = facts.filter((fact) => fact.kind === "attempt");
  const latest = Math.max(0, ...attempts.map(({ at }) => at));
  const last = attempts.filter(({ at }) => at === latest).map(({ outcome }) => outcome);
  const isPaid = facts.some(({ kind }) => kind === "succeeded");
  const unpaid = facts.some(({ kind }) => kind === "canceled")
    ? "cancelled"
    : last.includes("failed")
      ? "failed"
      : last.includes("processing")
        ? "processing"
        : "awaiting_payment";
  const early = facts.filter(({ kind }) => kind === "refund" || kind === "dispute").length;
  if (!isPaid) return { ...NOTHING_MOVED, status: unpaid, parked: early };
  const keys: RefundKey[] = ["a", "b"];
  const succeeded = keys.filter((key) => {
    const statuses = facts.flatMap((fact) =>
      fact.kind === "refund" && fact.key === key ? [fact.status] : [],
    );
    return statuses.includes("succeeded") && !statuses.includes("failed");
  });
  const words = facts.filter((fact) => fact.kind === "dispute");
  const isClosed = words.some(({ change }) => change === "closed");
  return {
    status: "paid",
    refundedMinor: succeeded.reduce((total, key) => total + REFUNDS[key], 0),
    // Open or lost, its amount is not the organisation's.
    disputedMinor: words.length === 0 ? 0 : 5_000,
    disputeStatus: words.length === 0 ? null : isClosed ? "lost" : "needs_response",
    parked: 0,
  };
}

function eventsOf(facts: readonly Fact[], intentId: string): StripeEvent[] {
  const base = nowSeconds() - 1_000;
  const refundIds = { a: providerId("re"), b: providerId("re") };
  const disputeId = providerId("dp");
  return facts.map((fact) => {
    switch (fact.kind) {
      case "succeeded":
        return eventOf("payment_intent.succeeded", intent(intentId, "succeeded"));
      case "canceled":
        return eventOf("payment_intent.canceled", intent(intentId, "canceled"));
      case "attempt": {
        const [type, status] =
          fact.outcome === "failed"
            ? (["payment_intent.payment_failed", "requires_payment_method"] as const)
            : (["payment_intent.processing", "processing"] as const);
        return eventOf(type, intent(intentId, status), { created: base + fact.at });
      }
      case "refund": {
        const object = refundOf(intentId, fact.status, {
          id: refundIds[fact.key],
          amount: REFUNDS[fact.key],
        });
        return eventOf(fact.status === "failed" ? "refund.failed" : "refund.updated", object);
      }
      case "dispute": {
        const status = fact.change === "closed" ? "lost" : "needs_response";
        const object = {
          ...{ id: disputeId, object: "dispute", payment_intent: intentId, amount: 5000, currency: "eur" },
          ...{ status, reason: "fraudulent" },
        };
        return eventOf(`charge.dispute.${fact.change}`, object, { created: base + fact.at });
      }
    }
  });
}

// Each interleaving has a deployment of its own.
let backend = openTestBackend(STRIPE_ENVIRONMENT);
type Ctx = { runMutation(ref: unknown, args: unknown): Promise<unknown> };
type Transactions = { mutation(run: (ctx: Ctx) => Promise<unknown>): Promise<unknown> };

const on: PaymentBackend = {
  get backend() {
    return backend;
  },
  post: async (body, header) => {
    const headers = header === null ? {} : { "stripe-signature": header };
    const response = await backend.t.fetch("/webhooks/stripe", { method: "POST", headers, body });
    return { status: response.status, text: await response.text() };
  },
  append: () => Promise.reject(new Error("nothing is appended past the door here")),
};

const PAGE = { paginationOpts: { numItems: 100, cursor: null } };

class Crash extends Error {}

/** A transaction that does what a delivery's does, as far as it gets. */
async function crash(body: string, header: string, where: "record" | "append"): Promise<void> {
  const bytes = new Uint8Array(new TextEncoder().encode(body)).buffer;
  const sealed = { keyId: "s1", nonce: new ArrayBuffer(24), ciphertext: new ArrayBuffer(16) };
  const transactions = backend.t as unknown as Transactions;
  const failing = transactions.mutation(async (ctx) => {
    if (where === "record")
      await ctx.runMutation(components.events.deliveries.receive, { header, body: bytes });
    else await ctx.runMutation(internal.webhooks.stripe.take, { header, body: bytes, sealed });
    throw new Crash("the host is gone");
  });
  await expect(failing).rejects.toThrow("the host is gone");
}

async function arrive(event: StripeEvent, { before }: Arrival): Promise<void> {
  const body = JSON.stringify(event);
  for (const what of before) {
    const header = await headerFor(body);
    if (what === "forged") {
      expect((await on.post(body, await headerFor(body, { secret: "whsec_forged" }))).status).toBe(400);
    } else if (what === "stale") {
      expect((await on.post(body, await headerFor(body, { seconds: nowSeconds() - 400 }))).status).toBe(400);
    } else await crash(body, header, what === "crash after record" ? "record" : "append");
  }
  expect((await on.post(body, await headerFor(body))).status).toBe(200);
}

async function parkedOf(events: readonly StripeEvent[]): Promise<number> {
  const ids = new Set(events.map(({ id }) => id));
  const { page: parked } = await backend.operator.query(internal.operator.deliveries.parked, PAGE);
  return parked.filter(({ deliveryId }) => ids.has(deliveryId)).length;
}

async function stateOf({ owner, paymentId }: OpenPayment): Promise<Omit<Expected, "parked">> {
  const row = await owner.client.query(api.projections.payments.get, { paymentId });
  const { status, refundedMinor, disputedMinor, disputeStatus } = row;
  return { status, refundedMinor, disputedMinor, disputeStatus };
}

const tally = { interleavings: 0, deliveries: 0, crashes: 0, refused: 0 };

async function play({ facts, arrivals, createdAt }: Run): Promise<void> {
  backend = openTestBackend(STRIPE_ENVIRONMENT);
  const asked = await requestPayment(on);
  const events = eventsOf(facts, asked.intentId);
  for (const [position, arrival] of arrivals.entries()) {
    if (position === createdAt) await created(on, asked);
    const event = events[arrival.fact];
    if (event !== undefined) await arrive(event, arrival);
    tally.deliveries += 1;
    tally.crashes += arrival.before.filter((what) => what.startsWith("crash")).length;
    tally.refused += arrival.before.filter((what) => !what.startsWith("crash")).length;
  }
  if (createdAt >= arrivals.length) await created(on, asked);
  const { parked, ...expected } = expectedOf(facts);
  await eventually(async () => (await parkedOf(events)) <= parked);
  expect({ ...(await stateOf(asked)), parked: await parkedOf(events) }).toEqual({ ...expected, parked });

  const types = (await readLedger(asked.owner.client)).map(
    ({ text }) => JSON.parse(text) as { type: string },
  );
  expect(types.filter(({ type }) => type === "payment.confirmed").length).toBe(
    expected.status === "paid" ? 1 : 0,
  );
  expect(types.filter(({ type }) => type === "payment.refunded").length).toBeLessThanOrEqual(2);
  const rebuilt = await backend.operator.mutation(internal.projections.rebuild.run, { orgId: asked.orgId });
  expect(rebuilt.digest).toBe(rebuilt.digestBefore);
  tally.interleavings += 1;
}

test("R35 F25 every interleaving of deliveries ends in the state of the set of facts, and counts money once", async () => {
  await fc.assert(fc.asyncProperty(runArbitrary, play), { numRuns: RUNS, seed: SEED, endOnFailure: true });
});

afterAll(() => {
  const { interleavings, deliveries, crashes, refused } = tally;
  process.stdout.write(
    `deliveries: seed ${SEED}, ${interleavings} interleavings, ${deliveries} deliveries, ` +
      `${crashes} crashes, ${refused} forged or stale\n`,
  );
});
