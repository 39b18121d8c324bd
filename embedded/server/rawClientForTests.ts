/** A client that speaks the sync protocol by hand, to see each message and to send what no good client sends. */
import { randomUUID } from "node:crypto";
import { WebSocket } from "ws";
import { decodeTimestamp } from "./timestamps.ts";

export type ServerMessage = { type: string } & Record<string, unknown>;

/** One socket, and what came over it. */
export class RawClient {
  readonly socket: WebSocket;
  readonly sessionId: string;
  readonly received: ServerMessage[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  #watchers: (() => void)[] = [];
  #taken = 0;

  /** Takes a socket that is not open yet. */
  constructor(socket: WebSocket, sessionId: string = randomUUID()) {
    this.sessionId = sessionId;
    this.socket = socket;
    this.socket.on("message", (data: Buffer) => {
      this.received.push(JSON.parse(data.toString("utf8")) as ServerMessage);
      this.#wake();
    });
    this.closed = new Promise((resolve) => {
      this.socket.on("close", (code, reason) => {
        resolve({ code, reason: reason.toString() });
        this.#wake();
      });
    });
  }

  /** Resolves when the socket is open; rejects when the upgrade is refused. */
  static async open(
    host: { url: string },
    { sessionId = randomUUID(), headers = {} }: { sessionId?: string; headers?: Record<string, string> } = {},
  ): Promise<RawClient> {
    const url = `${host.url.replace("http", "ws")}/api/1.48.0/sync`;
    const client = new RawClient(new WebSocket(url, { headers }), sessionId);
    await client.opened();
    return client;
  }

  /** Resolves when the socket is open; rejects when the upgrade is refused. */
  async opened(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.socket.on("open", resolve);
      this.socket.on("error", reject);
    });
  }

  /** Opens and sends Connect. */
  static async connect(
    host: { url: string },
    fields: Record<string, unknown> = {},
    options: { sessionId?: string } = {},
  ): Promise<RawClient> {
    const client = await RawClient.open(host, options);
    client.greet(fields);
    return client;
  }

  /** Sends Connect. */
  greet(fields: Record<string, unknown> = {}): void {
    this.send({
      type: "Connect",
      sessionId: this.sessionId,
      connectionCount: 0,
      lastCloseReason: "InitialConnect",
      clientTs: Date.now(),
      ...fields,
    });
  }

  send(message: unknown): void {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  mutate(requestId: number, udfPath: string, args: unknown): void {
    this.send({ type: "Mutation", requestId, udfPath, args: [args] });
  }

  subscribe(baseVersion: number, queryId: number, udfPath: string, args: unknown): void {
    const modifications = [{ type: "Add", queryId, udfPath, args: [args] }];
    this.send({ type: "ModifyQuerySet", baseVersion, newVersion: baseVersion + 1, modifications });
  }

  /** The next message that was not taken yet, pings aside; undefined once the socket is closed. */
  async next(): Promise<ServerMessage | undefined> {
    for (;;) {
      const message = this.received[this.#taken];
      if (message !== undefined) {
        this.#taken += 1;
        if (message.type !== "Ping") return message;
      } else if (this.socket.readyState === WebSocket.CLOSED) return undefined;
      else await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
  }

  /** Takes messages up to and including the first of this type. */
  async nextOf(type: string): Promise<ServerMessage> {
    for (;;) {
      const message = await this.next();
      if (message === undefined) throw new Error(`the socket closed before a ${type} came`);
      if (message.type === type) return message;
    }
  }

  #wake(): void {
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const resume of watchers) resume();
  }
}

/** The timestamp in a field of a message. */
export function timestampIn(value: unknown): bigint {
  const ts = decodeTimestamp(String(value));
  if (ts === undefined) throw new Error("not a timestamp");
  return ts;
}
