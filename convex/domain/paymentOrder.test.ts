/** R35: whatever order the deliveries of a payment come in, and however often, the same is left. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ProviderFact } from "../events/providerFact.ts";
import { paidMinor, refundableMinor, type Payment, type PaymentState } from "./payment.ts";
import { decideFact } from "./paymentFacts.ts";
import {
  CREATED,
  disputeFact,
  evolve,
  given,
  INTENT,
  intentFact,
  PAGE_CREATED,
  PAGE_REQUESTED,
  refundFact,
  REQUESTED,
  sessionFact,
} from "./paymentForTests.ts";
import { providerRefundedMinor } from "./paymentRefunds.ts";

/** Takes deliveries as the door does: what is parked is decided again after each that took effect. */
function takeAll(start: PaymentState, facts: readonly ProviderFact[]): PaymentState {
  let state = start;
  let parked: ProviderFact[] = [];
  for (const fact of facts) {
    let waiting = [fact];
    while (waiting.length > 0) {
      const [next, ...rest] = waiting;
      waiting = rest;
      if (next === undefined) break;
      const decision = decideFact(state, next);
      if (decision.kind === "park") parked.push(next);
      if (decision.kind !== "events") continue;
      state = evolve(state, decision.events);
      waiting = [...waiting, ...parked];
      parked = [];
    }
  }
  return state;
}

/** The state without the order in which its parts became known. */
function normal(state: PaymentState): PaymentState {
  if (state.kind === "none") return state;
  const byId = <T>(items: readonly T[]): T[] =>
    [...items].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  return { ...state, providerRefunds: byId(state.providerRefunds), disputes: byId(state.disputes) };
}

const time = fc.integer({ min: 1, max: 5 });
const attempts = fc.tuple(fc.constantFrom("processing" as const, "failed" as const), time);

const intents = fc.oneof(
  attempts.map(([outcome, occurredAt]) => intentFact(outcome, { occurredAt })),
  fc
    .constantFrom("succeeded" as const, "canceled" as const, "requires_action" as const)
    .map((o) => intentFact(o)),
);

const sessions = fc.oneof(
  fc
    .tuple(fc.constantFrom("unpaid" as const, "failed" as const), time)
    .map(([outcome, occurredAt]) => sessionFact(outcome, { occurredAt })),
  fc.constant(sessionFact("paid")),
  fc.constantFrom(null, INTENT).map((paymentIntentId) => sessionFact("expired", { paymentIntentId })),
);

/** Three refunds that fit into the payment together. */
const refunds = fc
  .tuple(
    fc.constantFrom("1", "2", "3"),
    fc.constantFrom(
      "pending" as const,
      "requires_action" as const,
      "succeeded" as const,
      "failed" as const,
      "canceled" as const,
    ),
  )
  .map(([id, status]) => refundFact(status, { providerRefundId: `re_3ABCDEFG${id}`, amountMinor: 1500 }));

const disputes = fc
  .tuple(
    fc.constantFrom("1", "2"),
    fc.constantFrom("opened", "updated", "fundsWithdrawn", "fundsReinstated", "closed"),
    time,
    fc.constantFrom("needs_response", "under_review", "won", "lost"),
  )
  .map(([id, change, occurredAt, status]) =>
    disputeFact(change, { disputeId: `dp_3ABCDEFG${id}`, occurredAt, status, amountMinor: 700 }),
  );

/** The same facts in two orders, each once or twice in the second. */
function twoOrders(
  fact: fc.Arbitrary<ProviderFact>,
): fc.Arbitrary<readonly [ProviderFact[], ProviderFact[]]> {
  return fc
    .array(fact, { minLength: 2, maxLength: 8 })
    .chain((facts) =>
      fc
        .tuple(fc.shuffledSubarray(facts, { minLength: facts.length }), fc.subarray(facts))
        .map(([shuffled, again]): [ProviderFact[], ProviderFact[]] => [facts, [...shuffled, ...again]]),
    );
}

const RUNS = { numRuns: 400 };

describe.each([
  ["a payment intent", given(REQUESTED, CREATED), fc.oneof(intents, refunds, disputes)],
  [
    "a checkout session, whose intent is learned on the way",
    given(PAGE_REQUESTED, PAGE_CREATED),
    fc.oneof(sessions, intents, refunds, disputes),
  ],
] as const)("R35 F05 deliveries about %s", (_name, start, fact) => {
  test("leave the same in every order, and repeated", () => {
    fc.assert(
      fc.property(twoOrders(fact), ([first, second]) => {
        expect(normal(takeAll(start, second))).toEqual(normal(takeAll(start, first)));
      }),
      RUNS,
    );
  });

  test("F05 F19 never take a success back, and never give back more than was paid", () => {
    fc.assert(
      fc.property(fc.array(fact, { maxLength: 12 }), (facts) => {
        let state: PaymentState = start;
        let wasPaid = false;
        for (const each of facts) {
          state = takeAll(state, [each]);
          const payment = state as Payment;
          wasPaid ||= payment.status === "paid";
          expect(payment.status === "paid").toBe(wasPaid);
          expect(providerRefundedMinor(payment)).toBeLessThanOrEqual(paidMinor(payment));
          expect(refundableMinor(payment)).toBeLessThanOrEqual(paidMinor(payment));
        }
      }),
      RUNS,
    );
  });
});
