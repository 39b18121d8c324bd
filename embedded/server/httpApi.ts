/** Convex's HTTP API: one request, one call. Function errors are results (200), not HTTP errors. */
import { z } from "zod";
import type { Call, Engine, Identity, Outcome } from "../engine/contract.ts";
import type { Authenticator } from "./authentication.ts";
import type { Callers } from "./callers.ts";
import { fileRoutes } from "./fileRoutes.ts";
import { healthy, ready, READY_ROUTE } from "./health.ts";
import {
  formatOf,
  functionRequest,
  makeCall,
  resultText,
  type FunctionRequest,
  type Presentation,
} from "./functionCalls.ts";
import {
  HttpProblem,
  json,
  jsonText,
  readJson,
  checkShape,
  text,
  type Exchange,
  type Handler,
  type Methods,
  type Reply,
} from "./httpExchange.ts";
import { parseJsonText } from "./json.ts";
import { decodeTimestamp, encodeTimestamp } from "./timestamps.ts";

/** Convex's limit of arguments, and room for the fields around them. */
export const BODY_BYTES_MAX = 16 * 1024 * 1024 + 64 * 1024;
/** Of a request without a valid token: parsing takes the time of everybody else. */
const ANONYMOUS_BODY_BYTES_MAX = 256 * 1024;
const BATCH_LENGTH_MAX = 100;
const RUN_PREFIX = "/api/run/";

/** `/api/run` takes the function's name from the address. */
const runRequest = functionRequest.omit({ path: true });
const batchRequest = z.object({ queries: z.array(functionRequest).max(BATCH_LENGTH_MAX) });

export type ApiParts = {
  engine: Engine;
  authenticator: Authenticator;
  callers: Callers;
  presentation: Presentation;
  instanceName: string;
  version: string;
  fileBytesMax: number;
};

/** Address → what it answers, and the name of the route; undefined for an address that does not exist. */
export function apiRoutes(
  parts: ApiParts,
): (pathname: string) => { route: string; methods: Methods } | undefined {
  const { engine } = parts;
  const routes = new Map<string, Methods>([
    ["/healthz", readable(healthy)],
    [READY_ROUTE, readable(() => ready(parts.version))],
    ["/version", readable(() => text(200, parts.version))],
    ["/instance_version", readable(() => text(200, parts.version))],
    ["/instance_name", readable(() => text(200, parts.instanceName))],
    [
      "/api/query",
      {
        GET: (exchange) => answerQueryString(parts, exchange),
        POST: calling(parts, (call) => engine.query(call)),
      },
    ],
    ["/api/mutation", { POST: calling(parts, (call) => engine.mutation(call)) }],
    ["/api/action", { POST: calling(parts, (call) => engine.action(call)) }],
    ["/api/function", { POST: calling(parts, (call) => engine.run(call)) }],
    ["/api/query_ts", { POST: () => json(200, { ts: encodeTimestamp(engine.latestTs()) }) }],
    ["/api/query_at_ts", { POST: (exchange) => answerQueryAtTimestamp(parts, exchange) }],
    ["/api/query_batch", { POST: (exchange) => answerBatch(parts, exchange) }],
  ]);
  const run: Methods = { POST: (exchange) => answerRun(parts, exchange) };
  const files = fileRoutes(parts);
  return (pathname) => {
    const methods = routes.get(pathname);
    if (methods !== undefined) return { route: pathname, methods };
    if (pathname.startsWith(RUN_PREFIX)) return { route: `${RUN_PREFIX}*`, methods: run };
    return files(pathname);
  };
}

function readable(handler: Handler): Methods {
  return { GET: handler, HEAD: handler };
}

function calling(parts: ApiParts, run: (call: Call) => Promise<Outcome>): Handler {
  return async (exchange) => {
    const identity = await identityOf(parts, exchange);
    const request = await readJson(exchange, functionRequest, bodyBytesMax(identity));
    return await answerCall(parts, exchange, request, identity, run);
  };
}

async function answerCall(
  parts: ApiParts,
  exchange: Exchange,
  request: FunctionRequest,
  identity: Identity,
  run: (call: Call) => Promise<Outcome>,
): Promise<Reply> {
  const { requestId } = exchange;
  const format = formatOf(request.format, clientOf(exchange));
  const call = makeCall(request, identity, requestId);
  return jsonText(200, resultText(await run(call), { format, requestId, presentation: parts.presentation }));
}

async function answerQueryString(parts: ApiParts, exchange: Exchange): Promise<Reply> {
  const parameters = exchange.url.searchParams;
  const given = {
    path: parameters.get("path") ?? undefined,
    args: parseJsonText(parameters.get("args") ?? "{}"),
    format: parameters.get("format"),
  };
  const request = checkShape(functionRequest, given);
  const identity = await identityOf(parts, exchange);
  return await answerCall(parts, exchange, request, identity, (call) => parts.engine.query(call));
}

/** The last path segment names the function, those before it the module: `/api/run/dir/module/function`. */
async function answerRun(parts: ApiParts, exchange: Exchange): Promise<Reply> {
  const segments = exchange.url.pathname.slice(RUN_PREFIX.length).split("/").map(decodeSegment);
  const name = segments.pop() ?? "";
  const module = segments.join("/");
  if (module === "" || name === "") throw new HttpProblem(404, "NotFound", "no such address");
  const identity = await identityOf(parts, exchange);
  const body = await readJson(exchange, runRequest, bodyBytesMax(identity));
  const request = { ...body, path: `${module}:${name}`, format: body.format ?? ("json" as const) };
  return await answerCall(parts, exchange, request, identity, (call) => parts.engine.run(call));
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new HttpProblem(400, "BadRequest", "the address is malformed");
  }
}

/**
 * An earlier moment shows who was a member then, so a caller who was removed since would read on: admins only. One
 * that can't be read any more is refused instead of answered from another.
 */
async function answerQueryAtTimestamp(parts: ApiParts, exchange: Exchange): Promise<Reply> {
  const identity = await identityOf(parts, exchange);
  if (identity.kind !== "admin") {
    throw new HttpProblem(403, "Forbidden", "only an admin may read earlier moments");
  }
  const request = await readJson(exchange, functionRequest.required({ ts: true }), BODY_BYTES_MAX);
  const ts = decodeTimestamp(request.ts);
  if (ts === undefined) throw new HttpProblem(400, "BadTimestamp", "ts must be a timestamp of /api/query_ts");
  return await answerCall(parts, exchange, request, identity, async (call) => {
    const outcome = await parts.engine.query(call, ts);
    if (outcome.ts === ts || outcome.ok) return outcome;
    throw new HttpProblem(400, "SnapshotNotAvailable", outcome.message);
  });
}

async function answerBatch(parts: ApiParts, exchange: Exchange): Promise<Reply> {
  const identity = await identityOf(parts, exchange);
  const { queries } = await readJson(exchange, batchRequest, bodyBytesMax(identity));
  const { requestId } = exchange;
  const subscription = parts.engine.subscribe(() => undefined);
  try {
    queries.forEach((query, index) => {
      subscription.add(index, { call: makeCall(query, identity, requestId), journal: null });
    });
    const { results } = await subscription.refresh();
    const texts = queries.map((query, index) => {
      const result = results.get(index);
      if (result === undefined) throw new Error("the engine left out a query of a batch");
      const format = formatOf(query.format, clientOf(exchange));
      return resultText(result.outcome, { format, requestId, presentation: parts.presentation });
    });
    return jsonText(200, `{"results":[${texts.join(",")}]}`);
  } finally {
    subscription.close();
  }
}

async function identityOf(parts: ApiParts, exchange: Exchange): ReturnType<Callers["ofRequest"]> {
  return await parts.callers.ofRequest(exchange);
}

function bodyBytesMax(identity: Identity): number {
  return identity.kind === "anonymous" ? ANONYMOUS_BODY_BYTES_MAX : BODY_BYTES_MAX;
}

function clientOf(exchange: Exchange): string | undefined {
  const value = exchange.request.headers["convex-client"];
  return typeof value === "string" ? value : undefined;
}
