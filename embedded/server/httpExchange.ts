/** Requests and replies of the network side: bounded bodies, declared methods, errors without detail. */
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline, type Readable } from "node:stream";
import type { z } from "zod";
import { StorageFailure } from "../engine/storage/storageErrors.ts";
import { AuthenticationError } from "./authenticationError.ts";
import { MalformedJson, parseJson } from "./json.ts";

/** How long the rest of a refused body is read before the connection is cut. */
const LINGER_MS = 2_000;

export type Exchange = {
  request: IncomingMessage;
  /** HTTP method as on the wire; a method override header is never read. */
  method: string;
  url: URL;
  requestId: string;
  /** Which of the declared addresses this is, for the log and the metrics; set by whoever finds it. */
  route: string;
};

/** Takes note of an unexpected error. */
export type Report = (message: string, error: unknown, context?: { requestId?: string }) => void;

/** Bytes that are read while they are sent. */
export type StreamedBody = { bytes: number; stream: Readable };

export type Reply = {
  status: number;
  headers?: Readonly<Record<string, string | readonly string[]>>;
  body: string | Uint8Array | StreamedBody;
};

/** A refusal that is meant for the caller: `{code, message}` with this status. */
export class HttpProblem extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

const OUTCOME_UNKNOWN = {
  code: "OutcomeUnknown",
  message:
    "The server's disk failed, and the server stops. What this call stored may be there when it runs again, " +
    "or not: send the call again with the same idempotency key.",
};

/** Answers one request; throws HttpProblem, AuthenticationError or MalformedJson to refuse it. */
export type Handler = (exchange: Exchange) => Promise<Reply> | Reply;

/** Method → handler. Any other method is answered 405. */
export type Methods = Readonly<Record<string, Handler>>;

/** Identifies one call in logs and error messages. */
export function newRequestId(): string {
  // Node keeps randomness for UUIDs in stock. Their middle is not random.
  const uuid = randomUUID();
  return uuid.slice(0, 8) + uuid.slice(-8);
}

/** Of replies that are data and never a page: no cache keeps them, and where one is shown it may do nothing. */
const DATA_HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
} as const;

/** A JSON reply that no cache keeps. */
export function json(status: number, value: unknown): Reply {
  return jsonText(status, JSON.stringify(value));
}

/** The same from text that is JSON already. */
export function jsonText(status: number, body: string): Reply {
  return { status, headers: { ...DATA_HEADERS, "content-type": "application/json" }, body };
}

/** A plain text reply that no cache keeps. */
export function text(status: number, body: string): Reply {
  return {
    status,
    headers: { ...DATA_HEADERS, "content-type": "text/plain; charset=utf-8" },
    body,
  };
}

/** Runs the handler that the method declares. */
export async function dispatch(methods: Methods, exchange: Exchange): Promise<Reply> {
  const handler = Object.hasOwn(methods, exchange.method) ? methods[exchange.method] : undefined;
  if (handler === undefined) {
    const allow = Object.keys(methods).join(", ");
    throw new HttpProblem(405, "MethodNotAllowed", `this address answers ${allow}`, { allow });
  }
  return await handler(exchange);
}

/** Reads the whole body. Throws HttpProblem 413 as soon as it is known to be larger than `bytesMax`. */
export async function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const tooLarge = new HttpProblem(413, "PayloadTooLarge", `the body may have at most ${bytesMax} bytes`);
  if (Number(request.headers["content-length"] ?? 0) > bytesMax) throw tooLarge;
  const parts: Buffer[] = [];
  let size = 0;
  // `for await` would destroy the connection on the way out, before the 413 could be sent.
  return await new Promise((resolve, reject) => {
    request.on("data", (part: Buffer) => {
      size += part.byteLength;
      if (size > bytesMax) {
        parts.length = 0;
        reject(tooLarge);
      } else parts.push(part);
    });
    request.on("end", () => {
      resolve(Buffer.concat(parts));
    });
    request.on("error", reject);
    request.on("close", () => {
      reject(new HttpProblem(400, "Incomplete", "the body ended early"));
    });
  });
}

/** Reads a JSON body of the given shape. Throws as `readBody`, `parseJson` and `checkShape` do. */
export async function readJson<T>(exchange: Exchange, schema: z.ZodType<T>, bytesMax: number): Promise<T> {
  return checkShape(schema, parseJson(await readBody(exchange.request, bytesMax)));
}

/** Checks parsed input. Throws HttpProblem 400 that names the field, never its value. */
export function checkShape<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue === undefined || issue.path.length === 0 ? "the body" : issue.path.join(".");
  throw new HttpProblem(400, "BadRequest", `${field} is malformed`);
}

/** The refusal for a thrown value. An unexpected one is given to `report`; the caller sees its id only. */
export function refusal(error: unknown, requestId: string, report: Report): Reply {
  if (error instanceof HttpProblem) {
    const reply = json(error.status, { code: error.code, message: error.message, requestId });
    return { ...reply, headers: { ...reply.headers, ...error.headers } };
  }
  if (error instanceof MalformedJson) {
    return json(400, { code: "BadRequest", message: error.message, requestId });
  }
  if (error instanceof AuthenticationError) {
    const reply = json(401, { code: error.code, message: error.message, requestId });
    return { ...reply, headers: { ...reply.headers, "www-authenticate": "Bearer" } };
  }
  if (error instanceof StorageFailure) return json(503, { ...OUTCOME_UNKNOWN, requestId });
  report("a request failed", error, { requestId });
  const message = `[Request ID: ${requestId}] Server Error`;
  return json(500, { code: "InternalServerError", message, requestId });
}

function writeBody(response: ServerResponse, status: number, body: Uint8Array | StreamedBody): void {
  const mayHaveBody = status >= 200 && status !== 204 && status !== 304;
  if (mayHaveBody) response.setHeader("content-length", "stream" in body ? body.bytes : body.byteLength);
  response.writeHead(status);
  // A stream that breaks breaks the connection: its length is promised already.
  if ("stream" in body) pipeline(body.stream, response, () => undefined);
  else response.end(mayHaveBody ? body : undefined);
}

/** Writes a reply, and takes care that a client still sending its body gets to read it. */
export function send(request: IncomingMessage, response: ServerResponse, reply: Reply): void {
  const body = typeof reply.body === "string" ? Buffer.from(reply.body, "utf8") : reply.body;
  if (response.destroyed) {
    if ("stream" in body) body.stream.destroy();
    return;
  }
  for (const [name, value] of Object.entries(reply.headers ?? {})) {
    response.setHeader(name, typeof value === "string" ? value : [...value]);
  }
  response.setHeader("x-content-type-options", "nosniff");
  response.setHeader("referrer-policy", "no-referrer");
  writeBody(response, reply.status, body);
  if (request.complete) return;
  request.resume();
  const cut = setTimeout(() => request.socket.destroy(), LINGER_MS);
  request.on("close", () => {
    clearTimeout(cut);
  });
}
