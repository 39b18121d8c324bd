/** What the official CLI sends. Fields it may add in other versions are ignored. */
import { z } from "zod";

const moduleSource = z.object({
  /** Relative to the component's folder, ending in `.js`. */
  path: z.string().min(1).max(1024),
  source: z.string(),
  environment: z.enum(["isolate", "node"]),
});
export type ModuleSource = z.output<typeof moduleSource>;

const definitionPath = z.string().max(4096);

const appDefinition = z.object({
  definition: moduleSource.nullable(),
  dependencies: z.array(definitionPath),
  schema: moduleSource.nullable(),
  changedModules: z.array(moduleSource),
  udfServerVersion: z.string(),
});

const componentDefinition = z.object({
  definitionPath,
  definition: moduleSource,
  dependencies: z.array(definitionPath),
  schema: moduleSource.nullable(),
  functions: z.array(moduleSource),
  udfServerVersion: z.string(),
});

export const startPushRequest = z.object({
  appDefinition,
  componentDefinitions: z.array(componentDefinition).max(1000),
});
export type StartPushRequest = z.output<typeof startPushRequest>;

/** The CLI hands back the whole answer to `start_push`; the id in it is all that is needed. */
export const finishPushRequest = z.object({ startPush: z.object({ pushId: z.string() }) });

export const environmentChanges = z.object({
  changes: z.array(z.object({ name: z.string().max(1024), value: z.string().nullish() })),
});
