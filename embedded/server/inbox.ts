/** Messages of one socket, handled one at a time in the order they came. */
import type { WebSocket } from "ws";

/** Received messages that may wait before the socket is no longer read, and their bytes. */
const WAITING_MAX = 64;
const WAITING_BYTES_MAX = 8 * 1024 * 1024;

/** Reads its socket only as fast as messages are handled. */
export class Inbox {
  readonly #socket: Pick<WebSocket, "isPaused" | "pause" | "resume">;
  readonly #handle: (text: string) => Promise<void>;
  #waiting: string[] = [];
  #waitingBytes = 0;
  #handling = false;
  #closed = false;

  /** `handle` must not reject. */
  constructor(
    socket: Pick<WebSocket, "isPaused" | "pause" | "resume">,
    handle: (text: string) => Promise<void>,
  ) {
    this.#socket = socket;
    this.#handle = handle;
  }

  receive(text: string): void {
    if (this.#closed) return;
    this.#waiting.push(text);
    this.#waitingBytes += text.length;
    if (this.#waiting.length >= WAITING_MAX || this.#waitingBytes >= WAITING_BYTES_MAX) this.#socket.pause();
    void this.#handleAll();
  }

  /** What waits is dropped; what is being handled ends. */
  close(): void {
    this.#closed = true;
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  async #handleAll(): Promise<void> {
    if (this.#handling) return;
    this.#handling = true;
    for (let text = this.#waiting.shift(); text !== undefined; text = this.#waiting.shift()) {
      await this.#handle(text);
      if (this.#closed) break;
      this.#waitingBytes -= text.length;
      if (this.#waiting.length === 0 && this.#socket.isPaused) this.#socket.resume();
    }
    this.#handling = false;
  }
}
