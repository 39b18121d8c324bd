/** HTTP, as the API, the OAuth pages and the switches use it. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { StripeApiError } from "./apiError.ts";

export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const BODY_BYTES_MAX = 1024 * 1024;

const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);

const LOCAL_HOST = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?$/;

/** Whether a host name or address is this machine's own. */
export const isLoopback = (hostname: string): boolean => LOOPBACK.has(hostname) || hostname === "::1";

/** Reads a body of at most 1 MiB as UTF-8. */
async function readBody(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX)
      throw new StripeApiError(413, "Request body is too large.", { isSaved: false });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/**
 * A whole request. The Host header must name this machine, or a web page elsewhere could reach the simulator through
 * a name of its own that resolves here.
 */
export async function readRequest(message: IncomingMessage): Promise<HttpRequest> {
  const host = message.headers.host ?? "";
  if (!LOCAL_HOST.test(host)) {
    throw new StripeApiError(403, "The simulator answers this machine only.", { isSaved: false });
  }
  const origin = `http://${host}`;
  const target = message.url ?? "/";
  if (!target.startsWith("/") || !URL.canParse(origin + target)) {
    throw new StripeApiError(400, "The request's target is not a path.", { isSaved: false });
  }
  const url = new URL(origin + target);
  return { method: message.method ?? "GET", url, headers: message.headers, body: await readBody(message) };
}

/** The value of a header that may come once. */
export function header(request: HttpRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(",") : value;
}

/** Answers, and ends. */
export function send(response: ServerResponse, { status, headers, body }: HttpAnswer): void {
  response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) });
  response.end(body);
}

/** JSON as Stripe writes it. */
export const jsonAnswer = (
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): HttpAnswer => ({
  status,
  headers: { "content-type": "application/json", "cache-control": "no-cache, no-store", ...headers },
  body: JSON.stringify(value, null, 2),
});
