/**
 * The sending side of one socket. It never refuses a message; whoever produces them waits here first, so that
 * a client that reads slowly slows its own work down instead of filling the host's memory.
 */
import type { WebSocket } from "ws";
import { chunks } from "./syncMessages.ts";

const CHUNK_LENGTH_MAX = 5_000_000;
/** Convex's own bound: no new transition is computed while this many are on their way. */
const TRANSITIONS_UNSENT_MAX = 2;
const UNSENT_BYTES_MAX = 8 * 1024 * 1024;

/** Sends in order, and tells when there is room for more. */
export class Outbox {
  readonly #socket: WebSocket;
  #transitionsUnsent = 0;
  #transitionsSent = 0;
  #progressAtMs = Date.now();
  #waiting: (() => void)[] = [];

  constructor(socket: WebSocket) {
    this.#socket = socket;
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

  send(message: string, sent: () => void = () => undefined): void {
    if (!this.isOpen) return;
    this.#socket.send(message, () => {
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
