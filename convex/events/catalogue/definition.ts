/**
 * How an event type is defined: one schema per version, oldest first, and an upcaster from each version to the
 * next. Old events are never rewritten; readers see the newest shape.
 */
import type { z } from "zod";

export type EventData = Readonly<Record<string, unknown>>;

type OlderVersion = {
  schema: z.ZodType<EventData>;
  /** Turns data of this version into data of the next one. Pure. */
  upcast: (data: EventData) => EventData;
};

export type EventDefinition<Latest extends z.ZodType<EventData> = z.ZodType<EventData>> = {
  older: readonly OlderVersion[];
  latest: Latest;
};

/** Defines an event type by its newest schema and, oldest first, the versions before it. */
export function defineEvent<Latest extends z.ZodType<EventData>>(
  latest: Latest,
  older: readonly OlderVersion[] = [],
): EventDefinition<Latest> {
  return { older, latest };
}

/** Number of the newest version; versions count from 1. */
export function latestVersion(definition: EventDefinition): number {
  return definition.older.length + 1;
}

/** The schema of one version, or undefined when there is no such version. */
export function schemaOf(definition: EventDefinition, version: number): z.ZodType<EventData> | undefined {
  if (version === latestVersion(definition)) return definition.latest;
  return definition.older[version - 1]?.schema;
}

/** Data of any known version in the newest version's shape. Throws on an unknown version. */
export function upcastData(definition: EventDefinition, version: number, data: EventData): EventData {
  if (schemaOf(definition, version) === undefined) throw new Error(`unknown event version ${version}`);
  return definition.older.slice(version - 1).reduce((current, { upcast }) => upcast(current), data);
}
