/**
 * What deciders and folds have in common. Both are pure: time, ids and the caller come in as arguments.
 */
import type { Role } from "../../ledger/event.ts";
import type { DomainEvent, NewEvent } from "../events/catalogue/catalogue.ts";

/** An aggregate: the state of one stream, folded from its events. */
export type Aggregate<State> = {
  initial: State;
  evolve: (state: State, event: DomainEvent) => State;
};

/** Ids that a command's result and its receipt may carry. */
export type ResultIds = Readonly<Record<string, string>>;

/** Rejections that the rules of the business give; the corridor's own codes are not among them. */
export type DomainCode =
  | "INVALID"
  | "NOT_FOUND"
  | "CONFLICT"
  | "LAST_OWNER"
  | "SLOT_TAKEN"
  | "INVALID_TRANSITION"
  | "INVITATION_UNUSABLE"
  | "ALREADY_MEMBER"
  | "ORG_FROZEN";

export type Accepted = {
  kind: "accepted";
  events: readonly [NewEvent, ...NewEvent[]];
  result: ResultIds;
  /** The caller's role after the command, where it gives them another than they had. */
  actorRole?: Role;
};

export type Decision = Accepted | { kind: "rejected"; code: DomainCode; field?: string };

/** What a decider knows of the call besides the state and the facts. */
export type DecisionContext = {
  /** Milliseconds UTC, the transaction's time. */
  now: number;
  orgId: string;
  userId: string;
  /** A fresh id with this prefix: `bkg_<ULID>`. */
  newId: (prefix: string) => string;
};

export function accept(events: readonly [NewEvent, ...NewEvent[]], result: ResultIds = {}): Accepted {
  return { kind: "accepted", events, result };
}

export function refuse(code: DomainCode, field?: string): Decision {
  return field === undefined ? { kind: "rejected", code } : { kind: "rejected", code, field };
}
