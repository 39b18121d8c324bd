/** Turns upgrade requests at `/api/<client version>/sync` into sync sessions. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import type { AllowedOrigins } from "./config.ts";
import { BODY_BYTES_MAX } from "./httpApi.ts";
import { isAllowedOrigin } from "./origins.ts";
import { SyncSession, type SyncParts } from "./syncSession.ts";

const SYNC_PATH = /^\/api\/([^/]+\/)?sync$/;

/** All WebSocket clients of the host. */
export class SyncServer {
  readonly #sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    clientTracking: false,
    maxPayload: BODY_BYTES_MAX,
  });
  readonly #sessions = new Set<SyncSession>();
  readonly #parts: SyncParts;
  readonly #allowedOrigins: AllowedOrigins;

  constructor(parts: SyncParts, allowedOrigins: AllowedOrigins) {
    this.#parts = parts;
    this.#allowedOrigins = allowedOrigins;
  }

  get openSockets(): number {
    return this.#sessions.size;
  }

  get mutationsQueued(): number {
    let queued = 0;
    for (const session of this.#sessions) queued += session.mutationsQueued;
    return queued;
  }

  /** Handler of the HTTP server's `upgrade` event. Browsers always name their origin; other clients don't. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { origin } = request.headers;
    if (!SYNC_PATH.test((request.url ?? "").split("?", 1)[0] ?? "")) {
      refuseUpgrade(socket, "404 Not Found");
      return;
    }
    if (origin !== undefined && !isAllowedOrigin(this.#allowedOrigins, origin)) {
      refuseUpgrade(socket, "403 Forbidden");
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const source = this.#parts.callers.sourceOf(request);
      const session = new SyncSession(webSocket, socket, source, this.#parts);
      this.#sessions.add(session);
      webSocket.on("close", () => this.#sessions.delete(session));
    });
  }

  /** Resolves when every session has answered its running mutation and both sides have closed. */
  async shutDown(): Promise<void> {
    await Promise.all([...this.#sessions].map((session) => session.shutDown()));
  }

  /** Cuts the connections of clients that have not closed theirs. */
  terminate(): void {
    for (const session of this.#sessions) session.terminate();
  }
}

/** Ends an upgrade request with an empty reply of this status. */
export function refuseUpgrade(socket: Duplex, status: string): void {
  socket.on("error", () => undefined);
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
