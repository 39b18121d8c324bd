/**
 * The sending side of one socket. It never refuses a message; whoever produces them waits here first, so that
 * a client that reads slowly slows its own work down instead of filling the host's memory. A client that does not
 * read at all, or takes more than there is memory for, has its socket closed.
 */
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import { chunks } from "./syncMessages.ts";

/**
 * Length of one part of a long Transition. The client reconnects after a minute without a whole message, so a part
 * must be through by then on the slowest connection that is to work at all: this much a minute, 17 KB a second.
 */
const CHUNK_LENGTH_MAX = 1_000_000;
/** Convex's own bound: no new transition is computed while this many are on their way. */
const TRANSITIONS_UNSENT_MAX = 2;
/** No response is produced while more than this is on its way. */
const UNSENT_BYTES_MAX = 8 * 1024 * 1024;
/** What is produced at once may pass that bound, but not this one. */
const UNSENT_BYTES_LIMIT = 64 * 1024 * 1024;
/** How long the network may take nothing of what waits. */
const STUCK_MS_MAX = 60_000;

/** Sends in order, and tells when there is room for more. */
export class Outbox {
  readonly #socket: WebSocket;
  readonly #stream: Duplex;
  #messagesUnsent = 0;
  #transitionsUnsent = 0;
  #transitionsSent = 0;
  #progressAtMs = Date.now();
  #corked = false;
  #waiting: (() => void)[] = [];

  /** `stream` is what the socket writes to. */
  constructor(socket: WebSocket, stream: Duplex) {
    this.#socket = socket;
    this.#stream = stream;
    socket.on("close", () => {
      this.#wake();
    });
  }

  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  /** When the network last took something off this socket. */
  get progressAtMs(): number {
    return this.#progressAtMs;
  }

  /** Why this socket must be closed, in words for the close frame; undefined while all is well. */
  get trouble(): string | undefined {
    if (this.#socket.bufferedAmount > UNSENT_BYTES_LIMIT)
      return "the client reads too slowly for what it asks";
    const stuck = this.#messagesUnsent > 0 && Date.now() - this.#progressAtMs > STUCK_MS_MAX;
    return stuck ? "the client does not read" : undefined;
  }

  send(message: string, sent: () => void = () => undefined): void {
    if (!this.isOpen) return;
    // Time that passed while nothing was waiting is not the client's fault.
    if (this.#messagesUnsent === 0) this.#progressAtMs = Date.now();
    this.#messagesUnsent += 1;
    this.#cork();
    this.#socket.send(message, () => {
      this.#messagesUnsent -= 1;
      this.#progressAtMs = Date.now();
      sent();
      this.#wake();
    });
  }

  /** Sends a Transition, in parts if it is long; nothing comes between the parts. */
  sendTransition(message: string): void {
    if (!this.isOpen) return;
    this.#transitionsUnsent += 1;
    this.#transitionsSent += 1;
    const parts = chunks(message, String(this.#transitionsSent), CHUNK_LENGTH_MAX);
    parts.forEach((part, index) => {
      this.send(part, () => {
        if (index === parts.length - 1) this.#transitionsUnsent -= 1;
      });
    });
  }

  /** Resolves when another transition may be computed, or the socket is closed. */
  async roomForTransition(): Promise<void> {
    await this.#until(() => this.#transitionsUnsent < TRANSITIONS_UNSENT_MAX);
  }

  /** Resolves when another response may be produced, or the socket is closed. */
  async roomForResponse(): Promise<void> {
    await this.#until(() => this.#socket.bufferedAmount < UNSENT_BYTES_MAX);
  }

  /** A mutation's response and its Transition are sent in one turn: they leave in one write. */
  #cork(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.#stream.cork();
    process.nextTick(() => {
      this.#corked = false;
      this.#stream.uncork();
    });
  }

  async #until(condition: () => boolean): Promise<void> {
    while (this.isOpen && !condition()) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume();
  }
}
