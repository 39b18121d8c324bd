/** Every operation in every state of a PaymentIntent: what is allowed works, what is not is refused and changes nothing. */
import type Stripe from "stripe";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CARD_PAYMENT, startTestSimulator } from "../testing/testSimulator.ts";
import type { TestSimulator } from "../testing/testSimulator.ts";
import { INTENT_STATES } from "./intentStates.ts";
import type { IntentOperation, IntentState } from "./intentStates.ts";

let world: TestSimulator;
beforeAll(async () => {
  world = await startTestSimulator();
});
afterAll(() => world.close());

const pay = (changes: Partial<Stripe.PaymentIntentCreateParams> = {}) =>
  world.stripe.paymentIntents.create({ ...CARD_PAYMENT, ...changes });
const confirmed = (payment_method: string, changes: Partial<Stripe.PaymentIntentCreateParams> = {}) =>
  pay({ payment_method, confirm: true, ...changes });

/** A way into each state. */
const REACH: Readonly<Record<IntentState, () => Promise<Stripe.PaymentIntent>>> = {
  requires_payment_method: () => pay(),
  requires_confirmation: () => pay({ payment_method: "pm_card_visa" }),
  requires_action: () => confirmed("pm_card_authenticationRequired"),
  async processing() {
    const { id } = await pay();
    await world.flip("payments/process", { id });
    return world.stripe.paymentIntents.retrieve(id);
  },
  requires_capture: () => confirmed("pm_card_visa", { capture_method: "manual" }),
  succeeded: () => confirmed("pm_card_visa"),
  async canceled() {
    const { id } = await pay();
    return world.stripe.paymentIntents.cancel(id);
  },
};

const OPERATE: Readonly<Record<IntentOperation, (id: string) => Promise<unknown>>> = {
  update: (id) => world.stripe.paymentIntents.update(id, { amount: 2500 }),
  confirm: (id) => world.stripe.paymentIntents.confirm(id, { payment_method: "pm_card_visa" }),
  capture: (id) => world.stripe.paymentIntents.capture(id),
  cancel: (id) => world.stripe.paymentIntents.cancel(id),
  succeed: (id) => world.flip("payments/succeed", { id }),
  fail: (id) => world.flip("payments/fail", { id }),
  require_action: (id) => world.flip("payments/require_action", { id }),
  process: (id) => world.flip("payments/process", { id }),
};

/** Stripe's documented transitions, written a second time: the state after each operation, `-` where it is refused. */
const TABLE = `
                         update                  confirm   capture   cancel   succeed   fail                    require_action  process
requires_payment_method  requires_payment_method succeeded -         canceled succeeded requires_payment_method requires_action processing
requires_confirmation    requires_confirmation   succeeded -         canceled succeeded requires_payment_method requires_action processing
requires_action          requires_action         succeeded -         canceled succeeded requires_payment_method -               processing
processing               -                       -         -         -        succeeded requires_payment_method -               -
requires_capture         -                       -         succeeded canceled -         -                       -               -
succeeded                -                       -         -         -        -         -                       -               -
canceled                 -                       -         -         -        -         -                       -               -
`;

const [head = "", ...lines] = TABLE.trim().split("\n");
const operations = head.trim().split(/\s+/) as IntentOperation[];
const cases = lines.flatMap((line) => {
  const [state = "", ...outcomes] = line.trim().split(/\s+/);
  return operations.map((operation, index) => ({
    state: state as IntentState,
    operation,
    after: outcomes[index],
  }));
});

test("the table has every state and every operation", () => {
  expect(new Set(cases.map(({ state }) => state))).toEqual(new Set(INTENT_STATES));
  expect(new Set(operations)).toEqual(new Set(Object.keys(OPERATE)));
  expect(cases).toHaveLength(56);
});

describe("a PaymentIntent that", () => {
  test.each(cases)("is $state: $operation gives $after", async ({ state, operation, after }) => {
    const intent = await REACH[state]();
    expect(intent.status).toBe(state);
    const outcome = OPERATE[operation](intent.id);
    if (after === "-") {
      await expect(outcome).rejects.toThrow(`it has a status of ${state}`);
      expect(await world.stripe.paymentIntents.retrieve(intent.id)).toEqual(intent);
      return;
    }
    await outcome;
    expect((await world.stripe.paymentIntents.retrieve(intent.id)).status).toBe(after);
  });
});
