/** Clients that write until they are told to stop, and the proof that nothing they were told is lost or doubled. */
import { expect } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import { sha256Noble } from "../../ledger/hash.ts";
import { createVerifier } from "../../ledger/verify.ts";
import { readLedger } from "../contract/ledger.ts";
import type { Backend, Client } from "./backend.ts";
import { committed, HOUR_MS, key } from "./scene.ts";

export type Acknowledged = { idempotencyKey: string; bookingId: string; lastSeq: number; headHash: string };

/** Either of the official clients. */
type Writer = Pick<Client, "mutation">;

/** Beyond every jump of the host's clock. */
const BOOKED_AHEAD_MS = 30 * 24 * HOUR_MS;
/** How long a client waits before it sends a refused command again. */
const AGAIN_MS = 20;

/** Clients that each request one booking after the other. A call that fails is sent again with the same key. */
export class Writers {
  readonly acknowledged: Acknowledged[] = [];
  /** What the failed calls were told, in the order they failed. */
  readonly refusals: string[] = [];
  readonly #running: Promise<void>;
  #isStopping = false;
  #isAbandoned = false;

  constructor(clients: readonly Writer[], serviceId: string) {
    this.#running = Promise.all(clients.map((client) => this.#write(client, serviceId))).then(
      () => undefined,
    );
  }

  /** Resolves when so many more commands are acknowledged. */
  async more(count: number): Promise<void> {
    const wanted = this.acknowledged.length + count;
    await until(() => this.acknowledged.length >= wanted);
  }

  /** Begins nothing new; resolves when everything that was begun is acknowledged. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#running;
  }

  /** Stops where it is; what is not acknowledged stays so. */
  abandon(): void {
    this.#isStopping = true;
    this.#isAbandoned = true;
  }

  async #write(client: Writer, serviceId: string): Promise<void> {
    while (!this.#isStopping) {
      const request = { serviceId, startsAt: Date.now() + BOOKED_AHEAD_MS, idempotencyKey: key() };
      const acknowledged = await this.#insist(client, request);
      if (acknowledged !== null) this.acknowledged.push(acknowledged);
    }
  }

  async #insist(
    client: Writer,
    request: { serviceId: string; startsAt: number; idempotencyKey: string },
  ): Promise<Acknowledged | null> {
    while (!this.#isAbandoned) {
      try {
        const { result, receipt } = committed(await client.mutation(api.commands.bookings.request, request));
        const { idempotencyKey } = request;
        const { lastSeq, headHash } = receipt;
        return { idempotencyKey, bookingId: result.bookingId, lastSeq, headHash };
      } catch (error) {
        this.refusals.push(error instanceof Error ? error.message : String(error));
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
    return null;
  }
}

/** Looks every few milliseconds until it is so. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
}

/**
 * The chain is intact up to its head, every acknowledged command is in it exactly once, at the place its receipt
 * names, no booking was requested twice, and the read models are the fold of the ledger. Resolves to the head.
 */
export async function verifyLedger(
  backend: Backend,
  { orgId, reader }: { orgId: string; reader: Client },
  acknowledged: readonly Acknowledged[],
): Promise<{ seq: number; hash: string }> {
  const entries = await readLedger(reader);
  const head = await reader.query(api.projections.ledger.head, {});
  const verifier = createVerifier({ orgId, sha256: sha256Noble });
  for (const entry of entries) verifier.push(entry);
  expect(verifier.finish()).toMatchObject({ result: "intact" });
  expect(entries.at(-1)?.hash).toBe(head.hash);

  const keys = entries
    .map(({ text }) => JSON.parse(text) as { type: string; source: { key: string } })
    .map(({ type, source }) => (type === "booking.requested" ? source.key : ""));
  const requested = keys.filter((used) => used !== "");
  expect(new Set(requested).size).toBe(requested.length);
  for (const { idempotencyKey, bookingId, lastSeq } of acknowledged) {
    expect(keys.filter((used) => used === idempotencyKey)).toHaveLength(1);
    expect(JSON.parse(entries[lastSeq - 1]?.text ?? "{}")).toMatchObject({ stream: `booking/${bookingId}` });
  }
  const rebuilt = await backend.operator.mutation(internal.projections.rebuild.run, { orgId });
  expect(rebuilt.digest).toBe(rebuilt.digestBefore);
  return head;
}
