/** Every aggregate by the kind of its streams: `booking` of `booking/bkg_…`. */
import type { StreamKind } from "../../ledger/eventTypes.ts";
import type { DomainEvent } from "../events/catalogue/catalogue.ts";
import { booking } from "./booking.ts";
import type { Aggregate } from "./decision.ts";
import { ledgerExport } from "./export.ts";
import { invitation } from "./invitation.ts";
import { member } from "./member.ts";
import { organization } from "./organization.ts";
import { payment } from "./payment.ts";
import { reading } from "./reading.ts";
import { service } from "./service.ts";
import { stripeAccount } from "./stripeAccount.ts";

/** A fold whose state is known to be JSON and nothing more. */
export type AnyAggregate = {
  initial: unknown;
  evolve: (state: unknown, event: DomainEvent) => unknown;
};

function anyAggregate<State>(aggregate: Aggregate<State>): AnyAggregate {
  // The state is only ever one that this aggregate made.
  return { initial: aggregate.initial, evolve: (state, event) => aggregate.evolve(state as State, event) };
}

const AGGREGATES: Readonly<Record<StreamKind, AnyAggregate>> = {
  organization: anyAggregate(organization),
  member: anyAggregate(member),
  invitation: anyAggregate(invitation),
  service: anyAggregate(service),
  booking: anyAggregate(booking),
  payment: anyAggregate(payment),
  stripeAccount: anyAggregate(stripeAccount),
  export: anyAggregate(ledgerExport),
  reading: anyAggregate(reading),
};

/** The aggregate of a stream; undefined for a stream of no kind that there is. */
export function aggregateOf(stream: string): AnyAggregate | undefined {
  const kind = stream.slice(0, Math.max(0, stream.indexOf("/")));
  return Object.hasOwn(AGGREGATES, kind) ? AGGREGATES[kind as StreamKind] : undefined;
}
