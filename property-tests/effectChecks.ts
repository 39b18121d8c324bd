/** After a stream: what waits to be done in the world is what the ledgers' events ask for (INV-09). */
import type { EventEnvelope } from "../ledger/event.ts";
import { require, requireEqual, type Session } from "./session.ts";

/** The effect that an event causes, with what it is about. */
function effectOf({ stream, type, data: told }: EventEnvelope): [string, string] | undefined {
  const data = told as Readonly<Record<string, string | boolean>>;
  const named = (field: string): string => String(data[field]);
  const id = stream.split("/")[1] ?? "";
  const refund = `${id} ${named("refundId")}`;
  switch (type) {
    case "payment.requested":
      return ["stripe.createPayment", id];
    case "payment.creationUnknown":
      return ["stripe.findPayment", id];
    case "payment.cancelRequested":
      return ["stripe.cancelPayment", id];
    case "payment.refundRequested":
      return data["needsApproval"] === true ? undefined : ["stripe.createRefund", refund];
    case "payment.refundApproved":
      return ["stripe.createRefund", refund];
    case "payment.refundUnknown":
      return ["stripe.findRefund", refund];
    case "stripeAccount.linkReturned":
      return ["stripe.exchangeCode", named("linkId")];
    case "stripeAccount.unlinked":
      return data["reason"] === "owner_request" ? ["stripe.deauthorize", named("account")] : undefined;
    default:
      return undefined;
  }
}

/** The function that runs each kind of effect. */
const RUNNERS: Readonly<Record<string, string>> = {
  "stripe.createPayment": "effects/payments:run",
  "stripe.findPayment": "effects/payments:run",
  "stripe.cancelPayment": "effects/payments:run",
  "stripe.createRefund": "effects/refunds:run",
  "stripe.findRefund": "effects/refunds:run",
  "stripe.exchangeCode": "effects/stripeAccounts:run",
  "stripe.deauthorize": "effects/stripeAccounts:run",
};

/** What goes on with evidence and deliveries by itself. */
const FOLLOW_UPS = ["webhooks/stripe:retake", "workers/checkpoints:log"];

/** The outbox holds each effect that an event causes, once and no other, and only these are scheduled. */
export async function checkEffects(
  session: Session,
  ledgers: ReadonlyMap<string, readonly EventEnvelope[]>,
): Promise<void> {
  const { jobs } = session.bench;
  if (jobs === undefined) return;
  const outbox = await jobs.outbox();
  const found = outbox.map(({ orgId, kind, subject }) => JSON.stringify([orgId, kind, subject])).sort();
  const caused = [...ledgers].flatMap(([orgId, events]) =>
    events.flatMap((event) => {
      const effect = effectOf(event);
      return effect === undefined ? [] : [JSON.stringify([orgId, ...effect])];
    }),
  );
  requireEqual("INV-09", "the effects in the outbox", found, caused.sort());
  const runs = outbox.map(({ orgId, outboxId, kind }) => JSON.stringify([RUNNERS[kind], orgId, outboxId]));
  const waiting = new Set<string>();
  for (const { name, args } of await jobs.scheduled()) {
    if (FOLLOW_UPS.includes(name)) continue;
    const run = JSON.stringify([name, args["orgId"], args["outboxId"]]);
    require("INV-09", runs.includes(run), "a function is scheduled that no event asked for", { name, args });
    waiting.add(run);
  }
  requireEqual("INV-09", "the effects that are scheduled", [...waiting].sort(), runs.sort());
}
