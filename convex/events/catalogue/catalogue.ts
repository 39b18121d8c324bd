/**
 * Every event type with its schemas. `ledger/eventTypes.ts` is the public half (stream, versions, sources) that
 * auditors read; this is the half that knows the payloads. The `satisfies` below keeps the two equal.
 */
import type { z } from "zod";
import type { EventEnvelope } from "../../../ledger/event.ts";
import { EVENT_TYPES, type EventType } from "../../../ledger/eventTypes.ts";
import { bookingEvents } from "./booking.ts";
import { schemaOf, upcastData, type EventData, type EventDefinition } from "./definition.ts";
import { exportEvents } from "./export.ts";
import { invitationEvents } from "./invitation.ts";
import { memberEvents } from "./member.ts";
import { organizationEvents } from "./organization.ts";
import { paymentEvents } from "./payment.ts";
import { readingEvents } from "./reading.ts";
import { serviceEvents } from "./service.ts";
import { stripeAccountEvents } from "./stripeAccount.ts";

export const CATALOGUE = {
  ...organizationEvents,
  ...invitationEvents,
  ...memberEvents,
  ...serviceEvents,
  ...bookingEvents,
  ...stripeAccountEvents,
  ...paymentEvents,
  ...exportEvents,
  ...readingEvents,
} satisfies Record<EventType, EventDefinition>;

/** Payload of an event type in its newest version. */
export type DataOf<Type extends EventType> = z.output<(typeof CATALOGUE)[Type]["latest"]>;

/** An event as folds see it: its data upcast to the newest version. */
export type DomainEvent = {
  [Type in EventType]: Omit<EventEnvelope, "type" | "data"> & { type: Type; data: DataOf<Type> };
}[EventType];

/** What a decider asks to record; the ledger adds sequence, version, time, actor, source and hash. */
export type NewEvent = {
  [Type in EventType]: { stream: string; type: Type; data: DataOf<Type> };
}[EventType];

/** Whether `type` is in the catalogue. */
export function isEventType(type: string): type is EventType {
  return Object.hasOwn(EVENT_TYPES, type);
}

function definitionOf(type: EventType): EventDefinition {
  return CATALOGUE[type];
}

/** The name under which the rules list a source, whatever its shape; parseEvent has checked that. */
function labelOf({ kind, provider }: { kind: string; provider?: string }): string {
  return kind === "webhook" ? `webhook/${provider ?? ""}` : kind;
}

/** What is wrong with an event by the catalogue (INV-03), or null. Checks type, version, stream, source and data. */
export function catalogueProblem(event: {
  type: string;
  typeVersion: number;
  stream: string;
  source: { kind: string; provider?: string };
  data: unknown;
}): string | null {
  if (!isEventType(event.type)) return `unknown type ${event.type}`;
  const contract = EVENT_TYPES[event.type];
  const schema = schemaOf(definitionOf(event.type), event.typeVersion);
  if (schema === undefined) return `unknown version ${event.typeVersion} of ${event.type}`;
  if (!event.stream.startsWith(`${contract.stream}/`)) return `${event.type} in a foreign stream`;
  const label = labelOf(event.source);
  if (!contract.sources.some((allowed) => allowed === label)) return `${event.type} from source ${label}`;
  const parsed = schema.safeParse(event.data);
  if (parsed.success) return null;
  return `bad data of ${event.type}: ${parsed.error.issues.map((i) => `${i.path.join(".")} ${i.message}`).join("; ")}`;
}

/** The event with its data in the newest version's shape. */
export function toDomainEvent(event: EventEnvelope): DomainEvent {
  if (!isEventType(event.type)) throw new Error(`INV-03 unknown event type at sequence ${event.seq}`);
  const data: EventData = upcastData(definitionOf(event.type), event.typeVersion, event.data);
  // The catalogue's schema of this type and version accepted the data at append.
  return { ...event, data } as DomainEvent;
}
