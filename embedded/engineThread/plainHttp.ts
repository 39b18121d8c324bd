/** HTTP requests and responses of HTTP actions across the line between the threads, bodies whole. */
import type { PlainRequest, PlainResponse } from "./messages.ts";

/** Statuses whose Response may not have a body, an empty one included. */
const WITHOUT_BODY: ReadonlySet<number> = new Set([101, 204, 205, 304]);

/** A request as data. */
export async function toPlainRequest(request: Request): Promise<PlainRequest> {
  const { method, url, headers } = request;
  const body = request.body === null ? null : new Uint8Array(await request.arrayBuffer());
  return { method, url, headers: [...headers], body };
}

/** The request that the data describes. */
export function fromPlainRequest({ method, url, headers, body }: PlainRequest): Request {
  return new Request(url, { method, headers, body });
}

/** A response as data. */
export async function toPlainResponse(response: Response): Promise<PlainResponse> {
  const body = new Uint8Array(await response.arrayBuffer());
  return { status: response.status, headers: [...response.headers], body };
}

/** The response that the data describes. */
export function fromPlainResponse({ status, headers, body }: PlainResponse): Response {
  return new Response(WITHOUT_BODY.has(status) ? null : body, { status, headers });
}
