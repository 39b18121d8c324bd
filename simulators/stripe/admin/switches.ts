/** The switches, each a path under `/_simulator/` with its strict schema. */
import { z } from "zod";
import {
  addConnectedAccount,
  authorizeAccount,
  deauthorizeAccount,
  setChargesEnabled,
} from "../connect/accounts.ts";
import { decideAuthorization } from "../connect/oauth.ts";
import type { Engine } from "../engine.ts";
import { NAMED_ALTERATIONS } from "../events/deliverySwitches.ts";
import type { DeliveryEffect } from "../events/deliverySwitches.ts";
import { releaseHeld } from "../events/recordEvent.ts";
import { endSession, sessionOf } from "../payments/checkoutSessions.ts";
import { decideDispute, disputeOf, openDispute } from "../payments/disputes.ts";
import { payerActs } from "../payments/payer.ts";
import type { PayerAction } from "../payments/payer.ts";
import { intentOf } from "../payments/paymentIntents.ts";
import { chargeOf, openRefund, refundOf, settleRefund } from "../payments/refunds.ts";
import type { AccountBook } from "../state/simulatorState.ts";
import { noSuch, StripeApiError } from "../wire/apiError.ts";
import { FAULT_KINDS } from "../wire/faults.ts";
import type { Fault } from "../wire/faults.ts";
import { idOf } from "../objects/reference.ts";

/** Does what it says with its input, and gives what it changed. @throws ZodError for other input. */
export type Switch = (engine: Engine, input: unknown) => Promise<object>;

const define =
  <T>(schema: z.ZodType<T>, run: (engine: Engine, input: T) => object | Promise<object>): Switch =>
  async (engine, input) =>
    run(engine, schema.parse(input));

const id = z.string().min(1).max(255);
const times = z.int().min(1).max(10_000).default(1);

/** The account that has an object; ids are unique over accounts. */
function bookOf(engine: Engine, objectId: string): AccountBook {
  const found = [...engine.state.accounts.values()].find(({ account, ...book }) => {
    const kept = [book.paymentIntents, book.charges, book.refunds, book.disputes, book.sessions, book.events];
    return account.id === objectId || kept.some((objects) => objects.has(objectId));
  });
  if (found === undefined) throw noSuch("object", objectId, "id");
  return found;
}

const workOn = (engine: Engine, objectId: string) => engine.work(bookOf(engine, objectId).account.id);

/** The charge that an id means: its own, or the last one of a PaymentIntent or a session. */
function chargeFor(book: AccountBook, objectId: string) {
  if (objectId.startsWith("ch_")) return chargeOf(book, objectId);
  const intentId = objectId.startsWith("cs_") ? idOf(sessionOf(book, objectId).payment_intent) : objectId;
  return chargeOf(book, idOf(intentOf(book, intentId).latest_charge));
}

const payer = (toAction: (input: { decline_code?: string | undefined }) => PayerAction) =>
  define(z.strictObject({ id, decline_code: z.string().max(100).optional() }), (engine, input) =>
    payerActs(workOn(engine, input.id), input.id, toAction(input)),
  );

const refund = define(
  z.strictObject({ id, amount: z.int().min(1).optional(), pending: z.boolean().default(false) }),
  (engine, input) => {
    const work = workOn(engine, input.id);
    const charge = chargeFor(work.book, input.id);
    return openRefund(work, { charge, amount: input.amount, isPending: input.pending });
  },
);

const settle = define(z.strictObject({ id, outcome: z.enum(["succeed", "fail"]) }), (engine, input) => {
  const work = workOn(engine, input.id);
  const settled = refundOf(work.book, input.id);
  settleRefund(work, settled, input.outcome);
  return settled;
});

const dispute = define(
  z.strictObject({
    id,
    reason: z.string().max(100).default("fraudulent"),
    inquiry: z.boolean().default(false),
  }),
  (engine, input) => {
    const work = workOn(engine, input.id);
    const charge = chargeFor(work.book, input.id);
    return openDispute(work, charge, { reason: input.reason, isInquiry: input.inquiry });
  },
);

const decide = define(z.strictObject({ id, outcome: z.enum(["won", "lost"]) }), (engine, input) => {
  const work = workOn(engine, input.id);
  const decided = disputeOf(work.book, input.id);
  decideDispute(work, decided, input.outcome);
  return decided;
});

const expire = define(z.strictObject({ id }), (engine, input) => {
  const work = workOn(engine, input.id);
  const session = sessionOf(work.book, input.id);
  endSession(work, session);
  return session;
});

const createAccount = define(z.strictObject({ name: z.string().min(1).max(100) }), (engine, { name }) => {
  const account = addConnectedAccount(engine, name);
  authorizeAccount(engine, bookOf(engine, account.id));
  return account;
});

const deauthorize = define(z.strictObject({ id }), (engine, input) => {
  const book = bookOf(engine, input.id);
  if (book.account.id === engine.state.platformAccountId || !book.connected) {
    throw new StripeApiError(400, `${input.id} is not a connected account.`);
  }
  deauthorizeAccount(engine, book);
  return { id: input.id, connected: false };
});

const setCharges = define(z.strictObject({ id, enabled: z.boolean() }), (engine, input) => {
  const book = bookOf(engine, input.id);
  setChargesEnabled(engine, book, input.enabled);
  return book.account;
});

/** What the consent page does, for programs: gives where the browser would be sent. */
const authorize = define(
  z.strictObject({
    redirect_uri: z.string(),
    state: z.string().optional(),
    scope: z.enum(["read_write", "read_only"]).default("read_write"),
    decision: z.enum(["allow", "deny"]).default("allow"),
    account: z.string().default("new"),
    name: z.string().default("New account"),
  }),
  async (engine, input) => {
    const given = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
    const fields = { ...given, client_id: engine.oauth.clientId, response_type: "code" };
    const answer = await decideAuthorization(engine, fields);
    const { location } = answer.headers;
    if (location === undefined) throw new StripeApiError(answer.status, answer.body);
    return { location };
  },
);

const DELIVERIES = z.union([
  z.strictObject({
    kind: z.literal("delay"),
    seconds: z
      .int()
      .min(1)
      .max(7 * 86_400),
  }),
  z.strictObject({ kind: z.literal("duplicate"), copies: z.int().min(1).max(1000).default(1) }),
  z.strictObject({ kind: z.enum(["drop", "reorder", "other_body"]) }),
  z.strictObject({
    kind: z.enum(["wrong_mode", "wrong_account", "wrong_version", "tamper", "wrong_secret"]),
  }),
  z.strictObject({ kind: z.literal("signed_ago"), seconds: z.int().min(-1e9).max(1e9) }),
  z.strictObject({ kind: z.literal("rewrite"), path: z.string().regex(/^\w+(\.\w+)*$/), value: z.json() }),
]);

function effectOf(input: z.infer<typeof DELIVERIES>): DeliveryEffect {
  switch (input.kind) {
    case "delay":
    case "duplicate":
      return input;
    case "drop":
    case "reorder":
    case "other_body":
      return { kind: input.kind };
    case "signed_ago":
    case "rewrite":
      return { kind: "alter", alterations: [input] };
    default:
      return { kind: "alter", alterations: NAMED_ALTERATIONS[input.kind] ?? [] };
  }
}

const alterDeliveries = define(
  z.strictObject({ switch: DELIVERIES, times, type: z.string().max(100).optional() }),
  ({ settings }, input) => {
    settings.switches.add(effectOf(input.switch), input.times, input.type);
    return { set: settings.switches.list().length };
  },
);

const fault = define(
  z.strictObject({
    kind: z.enum(FAULT_KINDS),
    times,
    method: z.enum(["GET", "POST"]).optional(),
    path: z.string().startsWith("/").max(200).optional(),
    delay_ms: z.int().min(0).max(600_000).optional(),
    retry_after_s: z.int().min(0).max(3600).optional(),
    should_retry: z.boolean().optional(),
  }),
  ({ faults }, { delay_ms: delayMs, retry_after_s: retryAfterS, should_retry: shouldRetry, ...rest }) => {
    const all = { ...rest, delayMs, retryAfterS, shouldRetry };
    faults.add(
      Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as unknown as Fault,
    );
    return { set: faults.list().length };
  },
);

const nothing = z.strictObject({});

const clear = define(nothing, (engine) => {
  engine.faults.clear();
  engine.settings.switches.clear();
  return { faults: 0, switches: 0, released: releaseHeld(engine.state, engine.clock.nowMs()) };
});

/** By path; each answers with the object it changed. */
export const SWITCHES: Readonly<Record<string, Switch>> = {
  "payments/succeed": payer(() => ({ kind: "succeed" })),
  "payments/fail": payer(({ decline_code: code }) => ({
    kind: "fail",
    declineCode: code ?? "generic_decline",
  })),
  "payments/require_action": payer(() => ({ kind: "require_action" })),
  "payments/process": payer(() => ({ kind: "process" })),
  "payments/refund": refund,
  "refunds/settle": settle,
  "disputes/open": dispute,
  "disputes/decide": decide,
  "sessions/expire": expire,
  "accounts/create": createAccount,
  "accounts/deauthorize": deauthorize,
  "accounts/charges": setCharges,
  "oauth/authorize": authorize,
  "deliveries/alter": alterDeliveries,
  "deliveries/retry": define(nothing, ({ queue }) => ({ due: queue.retryNow() })),
  "deliveries/release": define(nothing, (engine) => ({
    released: releaseHeld(engine.state, engine.clock.nowMs()),
  })),
  "deliveries/resend": define(z.strictObject({ id }), ({ queue }, input) => ({
    due: queue.resend(input.id),
  })),
  faults: fault,
  clear,
};
