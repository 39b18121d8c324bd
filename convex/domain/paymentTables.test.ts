/** S15: every cell of the tables in docs/payments.md. */
import document from "../../docs/payments.md?raw";
import { describe, expect, test } from "vitest";
import { tableOf } from "../../tests/matrix/table.ts";
import type { ProviderFact } from "../events/providerFact.ts";
import type { Decision } from "./decision.ts";
import type { PaymentState } from "./payment.ts";
import {
  decideApproveRefund,
  decideCancelPayment,
  decideDeclineRefund,
  decideRequestRefund,
} from "./paymentCommands.ts";
import { decideFact, type FactDecision } from "./paymentFacts.ts";
import {
  decideCreated,
  decideCreationFailed,
  decideCreationUnknown,
  decideRefundNotSubmitted,
  decideRefundSubmitted,
  decideRefundUnknown,
  type OutcomeDecision,
} from "./paymentOutcomes.ts";
import {
  CONFIRMED,
  CREATED,
  disputeFact,
  evolve,
  given,
  happened,
  HISTORIES,
  INTENT,
  intentFact,
  REFUND,
  refundFact,
  REQUESTED,
  type Happened,
} from "./paymentForTests.ts";

const ID = { paymentId: "pay_1" };
const RFD = { refundId: "rfd_1" };
const newId = (prefix: string): string => `${prefix}_1`;

type Any = Decision | FactDecision | OutcomeDecision;
type Attempt = (state: PaymentState) => Any;

const ofFact =
  (fact: ProviderFact): Attempt =>
  (state) =>
    decideFact(state, fact);

/** The events of a decision; what else it is, as the tables name it. */
function eventsOf(decision: Any): readonly Happened[] | string {
  switch (decision.kind) {
    case "accepted":
    case "events":
      return decision.events;
    case "rejected":
      return decision.code;
    case "park":
      return decision.reason;
    case "nothing":
      return "-";
  }
}

function namesOf(events: readonly Happened[]): string {
  return events.map(({ type }) => type.replace("payment.", "")).join(" ");
}

const STATUS_COLUMNS: Readonly<Record<string, Attempt>> = {
  cancel: (state) => decideCancelPayment(state, ID),
  requestRefund: (state) =>
    decideRequestRefund(state, { ...ID, reason: "other" }, { limitMinor: 5000 }, { newId }),
  created: (state) => decideCreated(state, { paymentIntentId: INTENT, livemode: false }),
  creationUnknown: decideCreationUnknown,
  creationFailed: (state) => decideCreationFailed(state, { code: "card_declined" }),
  succeeded: ofFact(intentFact("succeeded")),
  failed: ofFact(intentFact("failed")),
  processing: ofFact(intentFact("processing")),
  canceled: ofFact(intentFact("canceled")),
  requires_action: ofFact(intentFact("requires_action")),
  capturable: ofFact(intentFact("capturable")),
  refund: ofFact(refundFact("succeeded")),
  dispute: ofFact(disputeFact("opened")),
};

const PAID = [REQUESTED, CREATED, CONFIRMED];
const refundEvent = { providerRefundId: REFUND, amountMinor: 5000, currency: "EUR" };

const REFUND_HISTORIES: Readonly<Record<string, readonly Happened[]>> = {
  unknown: PAID,
  pending: [...PAID, happened("payment.refundPending", refundEvent)],
  succeeded: [...PAID, happened("payment.refunded", refundEvent)],
  failed: [...PAID, happened("payment.refundFailed", { ...refundEvent, code: "lost_or_stolen_card" })],
};

const asked = { ...RFD, amountMinor: 5000, reason: "other" };
const SUBMITTING = [...PAID, happened("payment.refundRequested", { ...asked, needsApproval: false })];
const WAITING = [...PAID, happened("payment.refundRequested", { ...asked, needsApproval: true })];

const REQUEST_HISTORIES: Readonly<Record<string, readonly Happened[]>> = {
  awaiting_approval: WAITING,
  submitting: SUBMITTING,
  unknown: [...SUBMITTING, happened("payment.refundUnknown", RFD)],
  submitted: [...SUBMITTING, happened("payment.refundSubmitted", { ...RFD, providerRefundId: REFUND })],
  declined: [...WAITING, happened("payment.refundDeclined", RFD)],
  not_submitted: [...SUBMITTING, happened("payment.refundNotSubmitted", { ...RFD, code: "charge_disputed" })],
};

const REQUEST_COLUMNS: Readonly<Record<string, Attempt>> = {
  approve: (state) => decideApproveRefund(state, { ...ID, ...RFD }),
  decline: (state) => decideDeclineRefund(state, { ...ID, ...RFD }),
  submitted: (state) => decideRefundSubmitted(state, { ...RFD, providerRefundId: REFUND }),
  unknown: (state) => decideRefundUnknown(state, RFD),
  notSubmitted: (state) => decideRefundNotSubmitted(state, { ...RFD, code: "charge_disputed" }),
};

const told = {
  disputeId: "dp_3ABCDEFGH",
  occurredAt: 1,
  amountMinor: 5000,
  currency: "EUR",
  status: "needs_response",
  reason: "fraudulent",
};

const DISPUTE_HISTORIES: Readonly<Record<string, readonly Happened[]>> = {
  unknown: PAID,
  opened: [...PAID, happened("payment.disputeOpened", told)],
  fundsWithdrawn: [...PAID, happened("payment.disputeFundsWithdrawn", told)],
  closed: [...PAID, happened("payment.disputeClosed", { ...told, status: "lost" })],
};

const CHANGES = ["opened", "updated", "fundsWithdrawn", "fundsReinstated", "closed"] as const;
const DISPUTE_COLUMNS = Object.fromEntries(CHANGES.map((change) => [change, ofFact(disputeFact(change))]));

const REFUND_STATUSES = ["pending", "requires_action", "succeeded", "failed", "canceled"] as const;
const REFUND_COLUMNS = Object.fromEntries(
  REFUND_STATUSES.map((status) => [status, ofFact(refundFact(status))]),
);

type Cell = { row: string; column: string; text: string };

function cellsOf(
  first: string,
  rows: Readonly<Record<string, unknown>>,
  columns: Readonly<Record<string, Attempt>>,
): Cell[] {
  const { heading, rows: table } = tableOf(document, first);
  expect(heading).toEqual([first, ...Object.keys(columns)]);
  expect(table.map(([row]) => row)).toEqual(Object.keys(rows));
  return table.flatMap(([row = "", ...texts]) =>
    Object.keys(columns).map((column, index) => ({ row, column, text: texts[index] ?? "" })),
  );
}

function historyOf(histories: Readonly<Record<string, readonly Happened[]>>, row: string): PaymentState {
  return given(...(histories[row] ?? []));
}

function play(columns: Readonly<Record<string, Attempt>>, column: string, state: PaymentState): Any {
  const attempt = columns[column];
  if (attempt === undefined) throw new Error(`no such column: ${column}`);
  return attempt(state);
}

describe("S15 the statuses of a payment", () => {
  test.each(cellsOf("status", HISTORIES, STATUS_COLUMNS))(
    "$row: $column → $text",
    ({ row, column, text }) => {
      const state = historyOf(HISTORIES, row);
      const events = eventsOf(play(STATUS_COLUMNS, column, state));
      if (typeof events === "string") {
        expect(events).toBe(text);
        return;
      }
      const after = evolve(state, events);
      expect(`${namesOf(events)} → ${after.kind === "none" ? "" : after.status}`).toBe(text);
    },
  );
});

describe.each([
  ["refund", REFUND_HISTORIES, REFUND_COLUMNS],
  ["request", REQUEST_HISTORIES, REQUEST_COLUMNS],
  ["dispute", DISPUTE_HISTORIES, DISPUTE_COLUMNS],
] as const)("S15 the table of each %s", (first, histories, columns) => {
  test.each(cellsOf(first, histories, columns))("$row: $column → $text", ({ row, column, text }) => {
    const events = eventsOf(play(columns, column, historyOf(histories, row)));
    expect(typeof events === "string" ? events : namesOf(events)).toBe(text);
  });
});
