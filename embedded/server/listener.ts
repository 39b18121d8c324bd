/** One listening port. It listens before there is anything behind it, so that a port in use is the first thing found. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { HostError } from "../engine/errors.ts";
import type { Connections } from "./connections.ts";
import { unavailable } from "./health.ts";
import {
  HttpProblem,
  newRequestId,
  refusal,
  send,
  type Exchange,
  type Handler,
  type Reply,
  type Report,
} from "./httpExchange.ts";
import { refuseUpgrade } from "./syncServer.ts";

/** Room for a token of 16 KiB and everything else a request carries. */
const HEADER_BYTES_MAX = 32 * 1024;

/** What stands behind a port. Both are called for requests that are well-formed HTTP. */
export type Service = {
  answer: Handler;
  upgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
};

/** One answered request; `route` is out of a closed list. */
export type Answered = { method: string; route: string; status: number; ms: number; requestId: string };

/** Who watches over a port, if anyone does. */
export type ListenerWatch = {
  connections?: Connections;
  /** Whether clients reach the port by https, and shall not try without it (RFC 6797). */
  isSecure?: boolean;
  onAnswered?: (answered: Answered) => void;
};

/** A year. */
const STRICT_TRANSPORT = "max-age=31536000";

const UNKNOWN_ROUTE = "unknown";

/** One HTTP server on one port. */
export class Listener {
  readonly #server: Server;
  readonly #report: Report;
  readonly #watch: ListenerWatch;
  #service: Service = { answer: unavailable };
  #closing = false;

  private constructor(report: Report, watch: ListenerWatch) {
    this.#report = report;
    this.#watch = watch;
    this.#server = createServer({ maxHeaderSize: HEADER_BYTES_MAX }, (request, response) => {
      void this.#serve(request, response);
    });
    this.#server.on("connection", (socket) => {
      if (watch.connections?.admit(socket) === false) socket.destroy();
    });
    this.#server.on("upgrade", (request, socket, head) => {
      if (this.#service.upgrade === undefined) refuseUpgrade(socket, "503 Service Unavailable");
      else this.#service.upgrade(request, socket, head);
    });
  }

  /** Binds the port. `variable` is the one that a HostError names when that fails. */
  static async open(
    at: { host: string; port: number; variable: "PORT" | "SITE_PORT" },
    report: Report,
    watch: ListenerWatch = {},
  ): Promise<Listener> {
    const listener = new Listener(report, watch);
    await new Promise<void>((resolve, reject) => {
      listener.#server.once("error", (error: NodeJS.ErrnoException) => {
        reject(bindError(at, error));
      });
      listener.#server.listen(at.port, at.host, resolve);
    });
    return listener;
  }

  get address(): AddressInfo {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the listener is closed");
    return address;
  }

  serve(service: Service): void {
    this.#service = service;
  }

  /** Accepts no more connections; requests under way are answered, later ones by `last`. */
  async close(graceMs: number, last: Handler = unavailable): Promise<void> {
    this.#service = { answer: last };
    this.#closing = true;
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
    this.#server.closeIdleConnections();
    const cut = setTimeout(() => {
      this.#server.closeAllConnections();
    }, graceMs);
    await closed;
    clearTimeout(cut);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedAtMs = performance.now();
    const requestId = newRequestId();
    let exchange: Exchange | undefined;
    let reply: Reply;
    try {
      exchange = exchangeOf(request, requestId);
      reply = await this.#service.answer(exchange);
    } catch (error) {
      reply = refusal(error, requestId, this.#report);
    }
    if (!response.destroyed) {
      response.setHeader("x-request-id", requestId);
      if (this.#watch.isSecure === true) response.setHeader("strict-transport-security", STRICT_TRANSPORT);
      if (this.#closing) response.setHeader("connection", "close");
    }
    send(request, response, reply);
    this.#watch.onAnswered?.({
      method: request.method ?? "",
      route: exchange?.route ?? UNKNOWN_ROUTE,
      status: reply.status,
      ms: performance.now() - startedAtMs,
      requestId,
    });
  }
}

/** Only addresses that start with a slash: absolute ones are for proxies, and would bring a host of their own. */
function exchangeOf(request: IncomingMessage, requestId: string): Exchange {
  const target = request.url ?? "";
  const url = target.startsWith("/") ? URL.parse(`http://host.invalid${target}`) : null;
  if (url === null) throw new HttpProblem(400, "BadRequest", "the address is malformed");
  return { request, method: request.method ?? "", url, requestId, route: UNKNOWN_ROUTE };
}

function bindError(
  { host, port, variable }: { host: string; port: number; variable: string },
  error: NodeJS.ErrnoException,
): HostError {
  const sentence: Record<string, string> = {
    EADDRINUSE: `${variable} ${port} is in use by another program. Stop that program, or set ${variable} to a free port.`,
    EACCES: `${variable} ${port} needs rights that this user does not have. Set ${variable} to 1024 or more.`,
    EADDRNOTAVAIL: `HOST ${host} is not an address of this machine. Set HOST to one that is, such as 127.0.0.1.`,
  };
  const message =
    sentence[error.code ?? ""] ?? `${variable} ${port} can't be opened (${error.code ?? "unknown"}).`;
  return new HostError("ENVIRONMENT_INVALID", message, { cause: error });
}
