/**
 * The part of a deployment's HTTP API that the official CLI pushes to. Every address needs the admin key, and none
 * answers a web page: a request that names an origin is refused, whatever the origin.
 */
import { randomUUID } from "node:crypto";
import { promisify } from "node:util";
import { brotliDecompress } from "node:zlib";
import type { z } from "zod";
import type { ComponentDescription } from "../engine/contract.ts";
import type { Authenticator } from "../server/authentication.ts";
import { AuthenticationError } from "../server/authenticationError.ts";
import {
  checkShape,
  HttpProblem,
  json,
  readBody,
  type Exchange,
  type Handler,
  type Methods,
  type Reply,
} from "../server/httpExchange.ts";
import { parseJson } from "../server/json.ts";
import { analysePush, type PushAnalysis } from "./analysis.ts";
import { differences, type PushedModules } from "./comparison.ts";
import type { FunctionLogs } from "./functionLogs.ts";
import { PushProblem } from "./pushProblem.ts";
import {
  environmentChanges,
  finishPushRequest,
  startPushRequest,
  type StartPushRequest,
} from "./pushRequests.ts";

/** Of a compressed body. */
const BODY_BYTES_MAX = 32 * 1024 * 1024;
/** Of a body once decompressed: a small one can hold a lot. */
const PUSH_BYTES_MAX = 128 * 1024 * 1024;
/** A push that is started is mostly finished at once, or never (`codegen`). */
const STARTED_MAX = 8;

const DIFFERENCES_SHOWN_MAX = 10;

/** What was found out about a push, and its modules by definition path. */
type StartedPush = { analysed: PushAnalysis; modules: PushedModules };

const decompress = promisify(brotliDecompress);

export type PushParts = {
  authenticator: Authenticator;
  /** What the functions see as `process.env`. */
  environment: Readonly<Record<string, string>>;
  /** What the host runs; absent where pushes are only analysed. */
  running?: () => readonly ComponentDescription[];
  logs?: FunctionLogs;
  urls: { api: string; site: string };
};

/** Address → what it answers; undefined for an address that is not the CLI's. */
export function pushRoutes(parts: PushParts): (pathname: string) => Methods | undefined {
  const started = new Map<string, StartedPush>();
  const routes = new Map<string, Methods>([
    ["/api/get_config_hashes", { POST: () => json(200, NOTHING_PUSHED) }],
    ["/api/deploy2/start_push", { POST: (exchange) => startPush(parts, started, exchange) }],
    ["/api/deploy2/evaluate_push", { POST: () => json(200, { schemaChange: NO_SCHEMA_CHANGE }) }],
    ["/api/deploy2/evaluate_schema", { POST: () => json(200, NO_SCHEMA_EVALUATION) }],
    ["/api/deploy2/wait_for_schema", { POST: () => json(200, { type: "complete" }) }],
    ["/api/deploy2/finish_push", { POST: (exchange) => finishPush(parts, started, exchange) }],
    ["/api/deploy2/report_push_completed", { POST: () => json(200, null) }],
    ["/api/update_environment_variables", { POST: refuseEnvironmentChange }],
    ["/api/stream_function_logs", { GET: (exchange) => streamLogs(parts, exchange) }],
    [
      "/api/v1/get_canonical_urls",
      { GET: () => json(200, { convexCloudUrl: parts.urls.api, convexSiteUrl: parts.urls.site }) },
    ],
  ]);
  for (const [pathname, methods] of routes) routes.set(pathname, forOperators(parts.authenticator, methods));
  return (pathname) => routes.get(pathname);
}

/** No module is ever reported as unchanged, so that every push is complete. */
const NOTHING_PUSHED = {
  config: { functions: "convex/", projectSlug: "", teamSlug: "", prodUrl: "", authInfo: [] },
  moduleHashes: [],
  nodeDependencies: [],
  udfServerVersion: null,
  nodeVersion: null,
};

/** The host brings indexes and schemas in line when it starts, never by a push. */
const NO_SCHEMA_CHANGE = { allocatedComponentIds: {}, schemaIds: {}, indexDiffs: {} };
const NO_SCHEMA_EVALUATION = { componentSchemaEvaluations: {}, newComponentDefinitions: [] };

function forOperators(authenticator: Authenticator, methods: Methods): Methods {
  const guarded = Object.entries(methods).map(([method, handler]) => {
    const guard: Handler = async (exchange) => {
      if (exchange.request.headers.origin !== undefined) {
        throw new HttpProblem(403, "OriginNotAllowed", "this address is not for web pages");
      }
      await requireOperator(authenticator, exchange.request.headers.authorization);
      return await handler(exchange);
    };
    return [method, guard] as const;
  });
  return Object.fromEntries(guarded);
}

/** A wrong key is 403, as on the platform: the CLI ends there, and would ask again for ever after a 401. */
async function requireOperator(authenticator: Authenticator, header: string | undefined): Promise<void> {
  if (header === undefined) {
    throw new AuthenticationError("this address needs the admin key", { code: "BadAdminKey" });
  }
  try {
    if ((await authenticator.fromHeader(header)).kind === "admin") return;
  } catch (error) {
    if (!(error instanceof AuthenticationError)) throw error;
  }
  throw new HttpProblem(403, "BadAdminKey", "the admin key is not this host's");
}

async function readPush<T>(exchange: Exchange, schema: z.ZodType<T>): Promise<T> {
  const body = await readBody(exchange.request, BODY_BYTES_MAX);
  if (exchange.request.headers["content-encoding"] !== "br") return checkShape(schema, parseJson(body));
  let text: Buffer;
  try {
    text = await decompress(body, { maxOutputLength: PUSH_BYTES_MAX });
  } catch {
    throw new HttpProblem(400, "BadRequest", "the body can't be decompressed, or is too large");
  }
  return checkShape(schema, parseJson(text));
}

async function startPush(
  { environment }: PushParts,
  started: Map<string, StartedPush>,
  exchange: Exchange,
): Promise<Reply> {
  const request = await readPush(exchange, startPushRequest);
  const analysed = await refusingProblems(() => analysePush(request, environment));
  const pushId = randomUUID();
  started.set(pushId, { analysed, modules: modulesOf(request) });
  for (const oldest of started.keys()) if (started.size > STARTED_MAX) started.delete(oldest);
  return json(200, {
    pushId,
    // The CLI wants them only to keep their values out of what it prints, and none is in this answer.
    environmentVariables: {},
    externalDepsId: null,
    componentDefinitionPackages: {},
    schemaChange: NO_SCHEMA_CHANGE,
    ...analysed,
  });
}

function modulesOf({ appDefinition, componentDefinitions }: StartPushRequest): PushedModules {
  const components = componentDefinitions.map(
    ({ definitionPath, functions }) => [definitionPath, functions] as const,
  );
  return new Map([...components, ["", appDefinition.changedModules]]);
}

/** The host runs its own folder, so a push can only confirm it: one that differs is refused, a dry run too. */
async function finishPush(
  { running }: PushParts,
  started: Map<string, StartedPush>,
  exchange: Exchange,
): Promise<Reply> {
  const { startPush: before } = await readPush(exchange, finishPushRequest);
  const push = started.get(before.pushId);
  started.delete(before.pushId);
  if (running === undefined) {
    throw new HttpProblem(400, "PushRefused", "this endpoint analyses functions and runs none");
  }
  if (push === undefined) throw new HttpProblem(400, "PushRefused", "this push is unknown: start again");
  const found = await refusingProblems(() => differences(push.analysed, push.modules, running()));
  if (found.length > 0) throw new HttpProblem(400, "PushRefused", refusalText(found, running()));
  return json(200, { authDiff: { added: [], removed: [] }, definitionDiffs: {}, componentDiffs: {} });
}

function refusalText(found: readonly string[], [app]: readonly ComponentDescription[]): string {
  const shown = found.slice(0, DIFFERENCES_SHOWN_MAX).map((difference) => `  ${difference}`);
  const rest = found.length - shown.length;
  return [
    `The embedded host runs the folder ${app?.folder ?? ""} as it was when the host started, and can't be ` +
      "given other code while it runs. What was pushed differs:",
    ...shown,
    ...(rest > 0 ? [`  and ${rest} more`] : []),
    "Restart the host with this folder (--functions FOLDER), then push again.",
  ].join("\n");
}

async function refusingProblems<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof PushProblem) throw new HttpProblem(400, "InvalidModules", error.message);
    throw error;
  }
}

async function refuseEnvironmentChange(exchange: Exchange): Promise<Reply> {
  const { changes } = await readPush(exchange, environmentChanges);
  const names = changes.map(({ name }) => name).join(", ");
  throw new HttpProblem(
    400,
    "EnvironmentIsTheHosts",
    `The embedded host takes environment variables from its own environment. Change ${names} there and restart it.`,
  );
}

async function streamLogs({ logs }: PushParts, exchange: Exchange): Promise<Reply> {
  const cursor = Number(exchange.url.searchParams.get("cursor") ?? "0");
  if (!Number.isFinite(cursor)) throw new HttpProblem(400, "BadRequest", "the cursor is malformed");
  if (logs === undefined) throw new HttpProblem(400, "NoLogs", "this endpoint runs no functions");
  const { socket } = exchange.request;
  const gone = new AbortController();
  const abort = (): void => {
    gone.abort();
  };
  socket.once("close", abort);
  try {
    return json(200, await logs.after(cursor, gone.signal));
  } finally {
    // A client that polls keeps its connection.
    socket.off("close", abort);
  }
}
