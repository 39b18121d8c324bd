/**
 * Runs pushed code to learn what it declares. It runs in a worker with no environment of the host's, there in a
 * context that holds nothing but the language and stand-ins written in it, and only JSON text comes back. A push
 * that does not end is stopped.
 */
import { Worker } from "node:worker_threads";
import { z } from "zod";
import { PUSHED_GLOBAL } from "./pushedBundle.ts";
import { PushProblem } from "./pushProblem.ts";

const TIME_MAX_MS = 5_000;
const HEAP_MAX_MB = 256;

const functionAnalysis = z.object({
  name: z.string(),
  pos: z.null(),
  udfType: z.enum(["Query", "Mutation", "Action"]),
  visibility: z.object({ kind: z.enum(["public", "internal"]) }),
  /** Convex's validator JSON, as text. */
  args: z.string().nullable(),
  returns: z.string().nullable(),
});

const moduleAnalysis = z.object({
  functions: z.array(functionAnalysis),
  httpRoutes: z
    .array(z.object({ route: z.object({ path: z.string(), method: z.string() }), pos: z.null() }))
    .nullable(),
  cronSpecs: z.array(z.tuple([z.string(), z.unknown()])).nullable(),
  sourceMapped: z.null(),
});
export type ModuleAnalysis = z.output<typeof moduleAnalysis>;

const childComponent = z.looseObject({ name: z.string(), path: z.string() });

const definitionAnalysis = z.looseObject({
  definitionType: z.union([
    z.looseObject({ type: z.literal("app") }),
    z.looseObject({ type: z.literal("childComponent"), name: z.string() }),
  ]),
  childComponents: z.array(childComponent),
  httpMounts: z.record(z.string(), z.string()),
});

const evaluated = z.object({
  functions: z.record(z.string(), moduleAnalysis),
  schema: z.unknown(),
  definition: definitionAnalysis.nullable(),
  authProviders: z.array(z.record(z.string(), z.unknown())).nullable(),
});
export type Evaluated = z.output<typeof evaluated>;

const answer = z.union([
  z.object({ ok: z.literal(true), value: evaluated }),
  z.object({ ok: z.literal(false), problem: z.string() }),
]);

/** Evaluates a joined script. Throws PushProblem with the author's error. */
export async function evaluatePushed(
  script: string,
  label: string,
  environment: Readonly<Record<string, string>>,
): Promise<Evaluated> {
  const text = await runInWorker({
    script,
    globalName: PUSHED_GLOBAL,
    environment: JSON.stringify(environment),
  });
  const parsed = answer.safeParse(parse(text));
  if (!parsed.success) throw new PushProblem(`${label} declares something that Convex does not know`);
  if (!parsed.data.ok) throw new PushProblem(`${label}: ${parsed.data.problem}`);
  return parsed.data.value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function runInWorker(workerData: {
  script: string;
  globalName: string;
  environment: string;
}): Promise<string> {
  const worker = new Worker(new URL("./evaluationWorker.ts", import.meta.url), {
    workerData,
    env: {},
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MAX_MB },
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise((resolve, reject) => {
      timer = setTimeout(() => {
        reject(new PushProblem(`loading the pushed code took longer than ${TIME_MAX_MS / 1000} s`));
      }, TIME_MAX_MS);
      worker.on("message", (message: unknown) => {
        resolve(String(message));
      });
      worker.on("error", (cause) => {
        reject(new PushProblem("the pushed code could not be loaded", { cause }));
      });
      worker.on("exit", () => {
        reject(new PushProblem("the pushed code could not be loaded"));
      });
    });
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}
