/**
 * An API call, in this order: fault that comes before everything → key (401) → version → account (403) → route (404)
 * → rights (403) → idempotency → parameters and execution → saved on disk → answer, or the fault that comes after.
 */
import type { Engine } from "../engine.ts";
import { newId } from "../state/ids.ts";
import type { Work } from "../state/work.ts";
import { badParameter, StripeApiError } from "./apiError.ts";
import { actingAccount, authenticate, redactedKey } from "./apiKeys.ts";
import type { Caller } from "./apiKeys.ts";
import { expandAnswer } from "./expand.ts";
import { faultAfter, faultBefore, serverError, slowDown } from "./faultyAnswer.ts";
import type { WireAnswer } from "./faultyAnswer.ts";
import type { Fault } from "./faults.ts";
import { header, jsonAnswer } from "./http.ts";
import type { HttpAnswer, HttpRequest } from "./http.ts";
import { startKeyed } from "./idempotency.ts";
import type { KeyedStart } from "./idempotency.ts";
import { parseForm } from "./parameters.ts";
import type { FormFields } from "./parameters.ts";
import { findRoute } from "./routes.ts";
import type { FoundRoute } from "./routes.ts";

interface Accepted extends FoundRoute {
  readonly caller: Caller;
  readonly accountId: string;
}

function accept(engine: Engine, request: HttpRequest): Accepted {
  const caller = authenticate(engine.state, engine.apiKeys, header(request, "authorization"));
  const version = header(request, "stripe-version") ?? engine.apiVersion;
  if (version !== engine.apiVersion) {
    throw new StripeApiError(
      400,
      `Invalid Stripe API version: ${version}. The simulator speaks ${engine.apiVersion}.`,
      { isSaved: false },
    );
  }
  const accountId = actingAccount(engine.state, caller, header(request, "stripe-account"));
  const found = findRoute(request.method, request.url.pathname);
  const mayCall =
    caller.kind === "secret" ||
    (caller.kind === "restricted" && found.route.method === "GET") ||
    (caller.kind === "publishable" && found.route.isForPayers === true);
  if (mayCall) return { ...found, caller, accountId };
  throw new StripeApiError(
    403,
    `The provided key '${redactedKey(caller.key)}' does not have the required permissions for this endpoint on ` +
      `account '${accountId}'.`,
    { isSaved: false },
  );
}

function readExpand({ expand, ...fields }: FormFields): { fields: FormFields; paths: string[] } {
  if (expand === undefined) return { fields, paths: [] };
  const isPath = (value: unknown): value is string => typeof value === "string";
  if (Array.isArray(expand) && expand.every(isPath)) return { fields, paths: expand };
  throw badParameter("expand", "Invalid array", "parameter_invalid");
}

/** Payers prove themselves with the intent's secret, and see no other object. */
function asPayer({ client_secret: secret, ...fields }: FormFields, work: Work, id: string): FormFields {
  if (typeof secret === "string" && work.book.paymentIntents.get(id)?.client_secret === secret) return fields;
  throw new StripeApiError(
    400,
    "The client_secret provided does not match the client_secret of this object.",
    {
      param: "client_secret",
      isSaved: false,
    },
  );
}

function execute(accepted: Accepted, work: Work, request: HttpRequest): object {
  const form = parseForm(request.method === "GET" ? request.url.search.slice(1) : request.body);
  const { fields, paths } = readExpand(form);
  const { id, route, caller } = accepted;
  const answer = route.run({
    work,
    id,
    fields: caller.kind === "publishable" ? asPayer(fields, work, id) : fields,
  });
  return expandAnswer(work.book, answer, paths);
}

interface Outcome {
  readonly status: number;
  readonly value: unknown;
  readonly headers: Readonly<Record<string, string>>;
  readonly isSaved: boolean;
}

function outcomeOf(error: unknown): Outcome {
  if (error instanceof StripeApiError) {
    return { status: error.status, value: error.body, headers: error.headers, isSaved: error.isSaved };
  }
  const broken = new StripeApiError(500, error instanceof Error ? error.message : String(error), {
    type: "api_error",
    isSaved: false,
  });
  return { status: 500, value: broken.body, headers: {}, isSaved: false };
}

function startIdempotent(
  engine: Engine,
  request: HttpRequest,
  accepted: Accepted,
  requestId: string,
): KeyedStart | undefined {
  const key = header(request, "idempotency-key");
  if (request.method !== "POST" || key === undefined) return undefined;
  return startKeyed(engine.state, engine.runningKeys, {
    apiKey: accepted.caller.key,
    accountId: accepted.accountId,
    key,
    endpoint: request.url.pathname,
    body: request.body,
    requestId,
    nowMs: engine.clock.nowMs(),
  });
}

/** What came of a request; `error_after` forgets it in the answer only. */
function outcomeOfRequest(
  accepted: Accepted,
  work: Work,
  request: HttpRequest,
  fault: Fault | undefined,
): Outcome {
  let outcome: Outcome;
  try {
    outcome = { status: 200, value: execute(accepted, work, request), headers: {}, isSaved: true };
  } catch (error) {
    outcome = outcomeOf(error);
  }
  if (fault?.kind !== "error_after") return outcome;
  const headers = { "stripe-should-retry": String(fault.shouldRetry ?? false) };
  return { ...outcome, status: 500, value: serverError, headers };
}

/** Executes once: what was done and the answer that is saved for it are kept together. */
async function run(
  engine: Engine,
  request: HttpRequest,
  accepted: Accepted,
  keyed: KeyedStart | undefined,
  fault: Fault | undefined,
  requestId: string,
): Promise<HttpAnswer> {
  const key = header(request, "idempotency-key") ?? null;
  const work = engine.work(accepted.accountId, { id: requestId, idempotencyKey: key });
  const outcome = outcomeOfRequest(accepted, work, request, fault);
  const answer = jsonAnswer(outcome.status, outcome.value, outcome.headers);
  if (keyed?.kind === "run" && outcome.isSaved) keyed.save({ status: answer.status, body: answer.body });
  try {
    // Reading changes nothing that would have to be kept, and shows nothing that is not.
    if (request.method === "GET") await engine.settled();
    else await engine.commit();
    await slowDown(engine, fault);
  } finally {
    if (keyed?.kind === "run") keyed.end();
  }
  return answer;
}

/** What every answer carries: whose request it was, by which version. */
function withHeaders(
  answer: HttpAnswer,
  request: HttpRequest,
  engine: Engine,
  requestId: string,
): HttpAnswer {
  const echoed: Record<string, string> = {};
  for (const name of ["stripe-account", "idempotency-key"]) {
    const value = header(request, name);
    if (value !== undefined) echoed[name] = value;
  }
  const own = { "request-id": requestId, "stripe-version": engine.apiVersion };
  return { ...answer, headers: { ...answer.headers, ...echoed, ...own } };
}

async function answerTo(
  engine: Engine,
  request: HttpRequest,
  fault: Fault | undefined,
  requestId: string,
): Promise<WireAnswer> {
  const before = faultBefore(fault);
  if (before !== undefined) return before;
  const accepted = accept(engine, request);
  const keyed = startIdempotent(engine, request, accepted, requestId);
  if (keyed?.kind === "replay") {
    const { status, body, requestId: original } = keyed.answer;
    const replayed = { "idempotent-replayed": "true", "original-request": original };
    return faultAfter(fault, { ...jsonAnswer(status, {}, replayed), body });
  }
  return faultAfter(fault, await run(engine, request, accepted, keyed, fault, requestId));
}

/** Answers a call of the API. Never throws: what goes wrong inside is a 500. */
export async function answerApiCall(engine: Engine, request: HttpRequest): Promise<WireAnswer> {
  const requestId = newId(engine.ids, "request");
  const fault = engine.faults.take(request.method, request.url.pathname);
  let result: WireAnswer;
  try {
    result = await answerTo(engine, request, fault, requestId);
  } catch (error) {
    const { status, value, headers } = outcomeOf(error);
    result = { answer: jsonAnswer(status, value, headers), transport: "send" };
  }
  return { ...result, answer: withHeaders(result.answer, request, engine, requestId) };
}
