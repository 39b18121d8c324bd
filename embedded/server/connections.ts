/**
 * How many connections there may be at once, over all ports, in total and from one remote address. One more is
 * closed before a byte of it is read.
 */
import { isIPv4, isIPv6 } from "node:net";

export type ConnectionLimits = { most: number; mostPerAddress: number };

type Connection = {
  readonly remoteAddress?: string | undefined;
  once(event: "close", listener: () => void): unknown;
};

/** A flood of refusals is one line in the log now and then. */
const NOTICE_INTERVAL_MS = 10_000;

/** Counts the open connections of one host. */
export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #onRefusals: (refused: number) => void;
  #noticedAtMs = -Infinity;
  readonly #byNetwork = new Map<string, number>();
  #open = 0;
  #refused = 0;

  /** `onRefusals` gets the number of all refusals so far, at most once in ten seconds. */
  constructor(limits: ConnectionLimits, onRefusals: (refused: number) => void = () => undefined) {
    this.#limits = limits;
    this.#onRefusals = onRefusals;
  }

  get open(): number {
    return this.#open;
  }

  get refused(): number {
    return this.#refused;
  }

  /** Counts a connection until it closes; false when there are too many, and it must be closed. */
  admit(socket: Connection): boolean {
    const network = networkOf(socket.remoteAddress ?? "");
    const ofNetwork = this.#byNetwork.get(network) ?? 0;
    if (this.#open >= this.#limits.most || ofNetwork >= this.#limits.mostPerAddress) {
      this.#refused += 1;
      this.#notice();
      return false;
    }
    this.#open += 1;
    this.#byNetwork.set(network, ofNetwork + 1);
    socket.once("close", () => {
      this.#release(network);
    });
    return true;
  }

  #notice(): void {
    const nowMs = performance.now();
    if (nowMs - this.#noticedAtMs < NOTICE_INTERVAL_MS) return;
    this.#noticedAtMs = nowMs;
    this.#onRefusals(this.#refused);
  }

  #release(network: string): void {
    this.#open -= 1;
    const left = (this.#byNetwork.get(network) ?? 1) - 1;
    if (left === 0) this.#byNetwork.delete(network);
    else this.#byNetwork.set(network, left);
  }
}

/** Whoever has one IPv6 address has the 2^64 of its subnet (RFC 4291 §2.5.4), so these count as one. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (isIPv4(address) || !isIPv6(address)) return address;
  const [head = "", tail] = (address.split("%", 1)[0] ?? "").split("::", 2);
  const front = head === "" ? [] : head.split(":");
  const back = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : 8 - front.length - back.length;
  const groups = [...front, ...Array.from({ length: Math.max(zeros, 0) }, () => "0"), ...back];
  const prefix = groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${prefix.join(":")}::/64`;
}
