/**
 * Convex's own functions under `_system/`, as far as the official CLI calls them. For admins only; anyone else is
 * told by the engine that there is no such function.
 */
import { z } from "zod";
import type { Call, Engine, LiveQuery, Outcome, QueryResult, Subscription } from "../engine/contract.ts";
import { normalizePath } from "../engine/loader/loadApp.ts";
import type { FunctionKind, FunctionLogs } from "./functionLogs.ts";

const PREFIX = "_system/";
const PAGE_ROWS_MAX = 1000;

const tableDataArgs = z.object({
  table: z.string(),
  order: z.enum(["asc", "desc"]),
  paginationOpts: z.object({ cursor: z.string().nullable(), numItems: z.number().positive() }),
});
const nameArgs = z.object({ name: z.string() });

type Answerer = (call: Call) => Promise<string> | string;

/** What the caller asked for can't be had; the message is for them. */
class Refused extends Error {}

export type OperatorParts = {
  /** What the functions see as `process.env`. */
  environment: Readonly<Record<string, string>>;
  logs: FunctionLogs;
};

function systemFunctions(engine: Engine, { environment }: OperatorParts): ReadonlyMap<string, Answerer> {
  const variables = Object.entries(environment)
    .map(([name, value]) => ({ name, value }))
    .sort((left, right) => (left.name < right.name ? -1 : 1));
  return new Map<string, Answerer>([
    ["_system/cli/queryEnvironmentVariables:default", () => JSON.stringify(variables)],
    [
      "_system/cli/queryEnvironmentVariables:get",
      (call) => {
        const { name } = argumentsOf(nameArgs, call);
        return JSON.stringify(variables.find((variable) => variable.name === name) ?? null);
      },
    ],
    [
      "_system/cli/tables:default",
      ({ componentPath }) => {
        const tables = engine.inspection.tables(componentPath);
        if (tables === null) throw new Refused(`Component ${JSON.stringify(componentPath)} not found.`);
        return pageText(
          tables.map((name) => JSON.stringify({ name })),
          { cursor: "", isDone: true },
        );
      },
    ],
    ["_system/cli/tableData:default", (call) => tableData(engine, call)],
  ]);
}

async function tableData(engine: Engine, call: Call): Promise<string> {
  const { table, order, paginationOpts } = argumentsOf(tableDataArgs, call);
  const { componentPath } = call;
  if (engine.inspection.tables(componentPath) === null) {
    throw new Refused(`Component ${JSON.stringify(componentPath)} not found.`);
  }
  const limit = Math.min(Math.ceil(paginationOpts.numItems), PAGE_ROWS_MAX);
  const { rows, ...page } = await engine.inspection.readTable(
    { componentPath, name: table },
    { order, cursor: paginationOpts.cursor, limit },
  );
  return pageText(rows, page);
}

function pageText(rows: readonly string[], { cursor, isDone }: { cursor: string; isDone: boolean }): string {
  return `{"page":[${rows.join(",")}],"isDone":${isDone},"continueCursor":${JSON.stringify(cursor)}}`;
}

function argumentsOf<T>(schema: z.ZodType<T>, { args, path }: Call): T {
  const parsed = schema.safeParse(JSON.parse(args));
  if (!parsed.success) throw new Refused(`${path} was called with arguments that it does not take`);
  return parsed.data;
}

/** The engine with `_system/` functions for admins, and with its calls' ends noted in the logs. */
export class OperatorEngine implements Engine {
  readonly inspection: Engine["inspection"];
  readonly files: Engine["files"];
  readonly #engine: Engine;
  readonly #functions: ReadonlyMap<string, Answerer>;
  readonly #logs: FunctionLogs;

  constructor(engine: Engine, parts: OperatorParts) {
    this.inspection = engine.inspection;
    this.files = engine.files;
    this.#engine = engine;
    this.#functions = systemFunctions(engine, parts);
    this.#logs = parts.logs;
  }

  async query(...[call, atTs]: Parameters<Engine["query"]>): ReturnType<Engine["query"]> {
    if (isSystemCall(call)) return { ...(await this.#answer(call)), ts: this.latestTs() };
    return await this.#noted("query", call, () => this.#engine.query(call, atTs));
  }

  async mutation(...given: Parameters<Engine["mutation"]>): ReturnType<Engine["mutation"]> {
    return await this.#noted("mutation", given[0], () => this.#engine.mutation(...given));
  }

  async action(call: Call): Promise<Outcome> {
    return await this.#noted("action", call, () => this.#engine.action(call));
  }

  async run(call: Call): Promise<Outcome> {
    if (isSystemCall(call)) return await this.#answer(call);
    const found = this.#described(call);
    return found === undefined
      ? await this.#engine.run(call)
      : await this.#noted(found, call, () => this.#engine.run(call));
  }

  async httpAction(...given: Parameters<Engine["httpAction"]>): ReturnType<Engine["httpAction"]> {
    return await this.#engine.httpAction(...given);
  }

  subscribe(onStale: () => void): Subscription {
    return new OperatorSubscription(this.#engine.subscribe(onStale), (call) => this.#answer(call));
  }

  latestTs(): bigint {
    return this.#engine.latestTs();
  }

  authProviders(): ReturnType<Engine["authProviders"]> {
    return this.#engine.authProviders();
  }

  async close(): Promise<void> {
    await this.#engine.close();
  }

  #described({ componentPath, path }: Call): FunctionKind | undefined {
    const component = this.inspection.components().find((one) => one.path === componentPath);
    return component?.functions.find((one) => one.path === normalizePath(path))?.kind;
  }

  async #noted<T extends Outcome>(kind: FunctionKind, call: Call, run: () => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    const outcome = await run();
    if (outcome.ok) {
      const of = { component: call.componentPath, path: call.path };
      this.#logs.completed(of, kind, call.requestId, performance.now() - startedMs);
    }
    return outcome;
  }

  async #answer(call: Call): Promise<Outcome> {
    const answer = this.#functions.get(normalizePath(call.path));
    try {
      if (answer === undefined) throw new Refused(`${call.path} is not supported by the embedded host`);
      return { ok: true, value: await answer(call), logLines: [] };
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return { ok: false, message: error.message, logLines: [] };
    }
  }
}

function isSystemCall({ path, identity }: Call): boolean {
  return identity.kind === "admin" && path.startsWith(PREFIX);
}

/** System queries among the others. They are evaluated at every refresh and never make one necessary. */
class OperatorSubscription implements Subscription {
  readonly #subscription: Subscription;
  readonly #answer: (call: Call) => Promise<Outcome>;
  readonly #system = new Map<number, Call>();

  constructor(subscription: Subscription, answer: (call: Call) => Promise<Outcome>) {
    this.#subscription = subscription;
    this.#answer = answer;
  }

  add(queryId: number, query: LiveQuery): void {
    if (isSystemCall(query.call)) this.#system.set(queryId, query.call);
    else this.#subscription.add(queryId, query);
  }

  remove(queryId: number): void {
    if (!this.#system.delete(queryId)) this.#subscription.remove(queryId);
  }

  async refresh(): ReturnType<Subscription["refresh"]> {
    const { ts, results } = await this.#subscription.refresh();
    if (this.#system.size === 0) return { ts, results };
    const all = new Map<number, QueryResult>(results);
    for (const [queryId, call] of this.#system) {
      const outcome = await this.#answer(call);
      all.set(queryId, { outcome, journal: null, token: JSON.stringify(outcome) });
    }
    return { ts, results: all };
  }

  close(): void {
    this.#system.clear();
    this.#subscription.close();
  }
}
