/** What happens by itself: sessions expire, refunds settle, disputes come. */
import { endSession, sessionOf } from "../payments/checkoutSessions.ts";
import { openDispute } from "../payments/disputes.ts";
import { chargeOf, refundOf, settleRefund } from "../payments/refunds.ts";
import { StripeApiError } from "../wire/apiError.ts";
import type { ScheduledStep } from "./simulatorState.ts";
import type { Work } from "./work.ts";

function run(work: Work, step: ScheduledStep): void {
  switch (step.kind) {
    case "expire_session": {
      const session = sessionOf(work.book, step.id);
      if (session.status === "open") endSession(work, session);
      return;
    }
    case "settle_refund":
      settleRefund(work, refundOf(work.book, step.id), step.outcome);
      return;
    case "open_dispute":
      openDispute(work, chargeOf(work.book, step.id));
  }
}

/** Runs a step; one that lost its reason meanwhile (the charge was refunded, say) does nothing. */
export function runStep(work: Work, step: ScheduledStep): void {
  try {
    run(work, step);
  } catch (error) {
    if (!(error instanceof StripeApiError)) throw error;
  }
}
