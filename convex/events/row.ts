/** A row of `events` and the check that its columns still agree with the text that was hashed. */
import { hashCanonicalEvent, sha256Noble } from "../../ledger/hash.ts";
import { parseEvent, type EventEnvelope } from "../../ledger/event.ts";

export type EventRow = {
  orgId: string;
  seq: number;
  stream: string;
  streamVersion: number;
  type: string;
  eventId: string;
  text: string;
  hash: string;
};

/** Damage in the ledger: carries the position. Never retried, never swallowed. */
export class IntegrityError extends Error {
  /** Where it shows and what it is. */
  readonly damage: { readonly seq: number; readonly kind: string };

  constructor(invariant: string, orgId: string, seq: number, detail: string) {
    super(`${invariant} ${orgId} sequence ${seq}: ${detail}`);
    this.name = "IntegrityError";
    this.damage = { seq, kind: detail };
  }
}

/** Parses a stored row. Throws IntegrityError when hash, text and columns disagree (INV-02). */
export function eventOfRow(row: EventRow): EventEnvelope {
  if (hashCanonicalEvent(row.text, sha256Noble) !== row.hash) {
    throw new IntegrityError("INV-02", row.orgId, row.seq, "the text does not have the stored hash");
  }
  const parsed = parseEvent(JSON.parse(row.text));
  if (!parsed.ok) throw new IntegrityError("INV-02", row.orgId, row.seq, parsed.reason);
  const { event } = parsed;
  const agrees =
    event.orgId === row.orgId &&
    event.seq === row.seq &&
    event.stream === row.stream &&
    event.streamVersion === row.streamVersion &&
    event.type === row.type &&
    event.eventId === row.eventId;
  if (!agrees) throw new IntegrityError("INV-02", row.orgId, row.seq, "a column disagrees with the text");
  return event;
}
