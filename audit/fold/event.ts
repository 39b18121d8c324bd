/** An event as the folds read it, and how they read its data: nothing is believed to be there that was not looked at. */
import { parseEvent } from "../../ledger/event.ts";
import type { Actor, EventEnvelope } from "../../ledger/event.ts";

/** As far as rows need it. */
export type LedgerEvent = Pick<
  EventEnvelope,
  "orgId" | "seq" | "eventId" | "stream" | "streamVersion" | "type" | "recordedAt" | "actor" | "data"
>;

/** A ledger that is sound as a chain and tells what can't be: the event, and what is wrong with it. */
export class FoldError extends Error {
  override readonly name = "FoldError";
  readonly seq: number;

  constructor({ seq, type, stream }: LedgerEvent, problem: string) {
    super(`sequence ${seq}: ${type} in ${stream}: ${problem}`);
    this.seq = seq;
  }
}

/** Where a row comes from: part of every row. */
export interface Provenance {
  readonly version: number;
  readonly createdAt: number;
  readonly createdBy: Actor;
}

/** The provenance of a row that an event founds. */
export function bornWith(event: LedgerEvent): Provenance {
  return { version: event.streamVersion, createdAt: event.recordedAt, createdBy: event.actor };
}

/** The id at the end of a stream's name. */
export function idOf({ stream }: Pick<LedgerEvent, "stream">): string {
  return stream.slice(stream.indexOf("/") + 1);
}

/** The kind at its beginning. */
export function kindOf({ stream }: Pick<LedgerEvent, "stream">): string {
  return stream.slice(0, stream.indexOf("/"));
}

/** A member of an event's data that is a text. Throws a FoldError. */
export function textOf(event: LedgerEvent, name: string): string {
  const value = event.data[name];
  if (typeof value === "string") return value;
  throw new FoldError(event, `${name} is not a text`);
}

/** A member of an event's data that is a number. Throws a FoldError. */
export function numberOf(event: LedgerEvent, name: string): number {
  const value = event.data[name];
  if (typeof value === "number") return value;
  throw new FoldError(event, `${name} is not a number`);
}

/** A member of an event's data that is true or false. Throws a FoldError. */
export function truthOf(event: LedgerEvent, name: string): boolean {
  const value = event.data[name];
  if (typeof value === "boolean") return value;
  throw new FoldError(event, `${name} is neither true nor false`);
}

/** `{[name]: value}` where the data has that member, and nothing where it has not. */
export function present<Name extends string, Value>(
  event: LedgerEvent,
  name: Name,
  read: (event: LedgerEvent, name: string) => Value,
): Partial<Record<Name, Value>> {
  const found: Partial<Record<Name, Value>> = {};
  if (event.data[name] !== undefined) found[name] = read(event, name);
  return found;
}

/** The event of a canonical text that was verified before. */
export function eventOf(text: string): LedgerEvent {
  const parsed = parseEvent(JSON.parse(text));
  if (!parsed.ok) throw new Error(`an event that was verified is none: ${parsed.reason}`);
  return parsed.event;
}
