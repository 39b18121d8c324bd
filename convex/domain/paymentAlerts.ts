/** What owners are told when a signed delivery about a payment takes effect. Pure. */
import type { PaymentState } from "./payment.ts";
import type { FactDecision } from "./paymentFacts.ts";

export type MoneyAlert = { kind: "PAID_AFTER_CANCEL" | "DISPUTE_OPENED"; detail: string };

/** The alerts that follow from a decision on a payment in this state. */
export function moneyAlerts(state: PaymentState, decision: FactDecision): MoneyAlert[] {
  if (decision.kind !== "events" || state.kind === "none") return [];
  return decision.events.flatMap((event): MoneyAlert[] => {
    if (event.type === "payment.confirmed") {
      return state.status === "cancelled" ? [{ kind: "PAID_AFTER_CANCEL", detail: event.stream }] : [];
    }
    if (!("disputeId" in event.data)) return [];
    const { disputeId } = event.data;
    const isKnown = state.disputes.some((dispute) => dispute.disputeId === disputeId);
    return isKnown ? [] : [{ kind: "DISPUTE_OPENED", detail: `${event.stream} ${disputeId}` }];
  });
}
