/** What a ledger says was done by somebody or in a time: the reading of an incident, from verified events only. */
import type { EventEnvelope } from "../ledger/event.ts";
import { isoTime } from "./verdictText.ts";
import { verifiedEvents } from "./verifiedEvents.ts";

export interface TouchedFilter {
  /** An actor's id. */
  readonly actor?: string;
  /** Milliseconds since the epoch; events at the end are left out. */
  readonly since?: number;
  readonly until?: number;
}

/** An event as one line of a list. */
export interface TouchedLine {
  readonly seq: number;
  readonly at: string;
  readonly type: string;
  readonly stream: string;
  readonly actor: string;
}

function isWanted(event: EventEnvelope, { actor, since, until }: TouchedFilter): boolean {
  return (
    (actor === undefined || event.actor.id === actor) &&
    event.recordedAt >= (since ?? 0) &&
    event.recordedAt < (until ?? Number.POSITIVE_INFINITY)
  );
}

function lineOf(event: EventEnvelope): TouchedLine {
  const { seq, recordedAt, type, stream, actor } = event;
  return { seq, at: isoTime(recordedAt), type, stream, actor: `${actor.kind}/${actor.id}` };
}

/** The events of an exported file that match, of its first `count` events: those that were verified before. */
export async function* touched(
  file: string,
  count: number,
  filter: TouchedFilter,
): AsyncGenerator<TouchedLine, void> {
  for await (const event of verifiedEvents(file, count)) {
    if (isWanted(event, filter)) yield lineOf(event);
  }
}
