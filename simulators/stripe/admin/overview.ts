/** What the page, the command and tests see of the state, as JSON: newest first. */
import type { Engine } from "../engine.ts";
import type { AccountBook } from "../state/simulatorState.ts";

type Row = Readonly<Record<string, string | number | boolean | null>>;

export interface Overview {
  readonly accounts: Row[];
  readonly payments: Row[];
  readonly sessions: Row[];
  readonly refunds: Row[];
  readonly disputes: Row[];
  readonly events: Row[];
  readonly deliveries: Row[];
  readonly switches: Row[];
  readonly faults: Row[];
}

const ROWS_MAX = 200;

const text = (value: unknown) => (typeof value === "string" ? value : null);

function rowsOf({ account, ...book }: AccountBook) {
  const of = account.id;
  return {
    payments: [...book.paymentIntents.values()].map((intent): Row & { created: number } => ({
      id: intent.id,
      status: intent.status,
      amount: intent.amount,
      received: intent.amount_received,
      currency: intent.currency,
      charge: text(intent.latest_charge),
      account: of,
      created: intent.created,
    })),
    sessions: [...book.sessions.values()].map((session): Row & { created: number } => ({
      id: session.id,
      status: session.status,
      payment: session.payment_status,
      amount: session.amount_total,
      currency: session.currency,
      intent: text(session.payment_intent),
      account: of,
      created: session.created,
    })),
    refunds: [...book.refunds.values()].map((refund): Row & { created: number } => ({
      id: refund.id,
      status: refund.status,
      amount: refund.amount,
      currency: refund.currency,
      intent: text(refund.payment_intent),
      account: of,
      created: refund.created,
    })),
    disputes: [...book.disputes.values()].map((dispute): Row & { created: number } => ({
      id: dispute.id,
      status: dispute.status,
      amount: dispute.amount,
      currency: dispute.currency,
      reason: dispute.reason,
      intent: text(dispute.payment_intent),
      account: of,
      created: dispute.created,
    })),
    events: [...book.events.values()].map((event): Row & { created: number } => ({
      id: event.id,
      type: event.type,
      object: "id" in event.data.object ? text(event.data.object.id) : null,
      account: of,
      created: event.created,
    })),
  };
}

const newest = <T extends { readonly created: number }>(rows: readonly T[]): T[] =>
  [...rows]
    .reverse()
    .sort((a, b) => b.created - a.created)
    .slice(0, ROWS_MAX);

function deliveryRows({ state }: Engine): Row[] {
  return [...state.deliveries]
    .reverse()
    .slice(0, ROWS_MAX)
    .map((delivery) => ({
      id: delivery.id,
      event: delivery.eventId,
      type: state.accounts.get(delivery.accountId)?.events.get(delivery.eventId)?.type ?? null,
      status: delivery.status,
      attempts: delivery.attempts.length,
      last: delivery.attempts.at(-1)?.outcome ?? null,
      next: delivery.status === "pending" ? new Date(delivery.nextAttemptMs).toISOString() : null,
      altered: delivery.alterations.map(({ kind }) => kind).join(", "),
    }));
}

/** The objects, deliveries and what is set, at most 200 rows of each. */
export function overview(engine: Engine): Overview {
  const books = [...engine.state.accounts.values()];
  const rows = books.map(rowsOf);
  return {
    accounts: books.map(({ account, connected }) => ({
      id: account.id,
      name: account.business_profile?.name ?? null,
      kind: account.id === engine.state.platformAccountId ? "platform" : "connected",
      connected,
    })),
    payments: newest(rows.flatMap(({ payments }) => payments)),
    sessions: newest(rows.flatMap(({ sessions }) => sessions)),
    refunds: newest(rows.flatMap(({ refunds }) => refunds)),
    disputes: newest(rows.flatMap(({ disputes }) => disputes)),
    events: newest(rows.flatMap(({ events }) => events)),
    deliveries: deliveryRows(engine),
    switches: engine.settings.switches.list().map(({ effect, times, type }) => ({
      effect: effect.kind === "alter" ? effect.alterations.map(({ kind }) => kind).join(", ") : effect.kind,
      times,
      type: type ?? null,
    })),
    faults: engine.faults.list().map(({ kind, times, method, path }) => ({
      kind,
      times,
      method: method ?? null,
      path: path ?? null,
    })),
  };
}
