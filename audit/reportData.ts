/** What a report shows of the events: counted in one pass, in memory that does not grow with them. */
import type { EventEnvelope } from "../ledger/event.ts";

const BUCKETS_MAX = 72;
const FIRST_WIDTH_MS = 1000;
const GAPS_MAX = 8;
const EDGE_EVENTS = 5;
const ACTORS_MAX = 5000;
export const DELIVERIES_MAX = 200;

/** A time without an event, in milliseconds since the epoch. */
export interface Gap {
  readonly afterSeq: number;
  readonly from: number;
  readonly to: number;
}

/** A fact of the provider's, and the delivery that said it. */
export interface Delivery {
  readonly seq: number;
  readonly type: string;
  readonly stream: string;
  readonly deliveryId: string;
  readonly bodySha256: string;
  /** Seconds since the epoch, from the provider's signature. */
  readonly signedAt: number;
  readonly recordedAt: number;
  readonly amount: string;
}

export interface Buckets {
  /** Milliseconds since the epoch. */
  readonly from: number;
  readonly widthMs: number;
  /** By the kind of stream, how many in each bucket. */
  readonly counts: readonly ReadonlyMap<string, number>[];
}

function amountOf({ data }: EventEnvelope): string {
  const { amountMinor, currency } = data;
  return typeof amountMinor === "number" && typeof currency === "string" ? `${amountMinor} ${currency}` : "";
}

/** Buckets of time that double their width when they become too many. */
class TimeBuckets {
  #from: number | undefined;
  #widthMs = FIRST_WIDTH_MS;
  #counts: Map<string, number>[] = [];

  get buckets(): Buckets {
    return { from: this.#from ?? 0, widthMs: this.#widthMs, counts: this.#counts };
  }

  add(time: number, kind: string): void {
    this.#from ??= time;
    while (Math.floor((time - this.#from) / this.#widthMs) >= BUCKETS_MAX) this.#halve();
    const index = Math.floor((time - this.#from) / this.#widthMs);
    while (this.#counts.length <= index) this.#counts.push(new Map());
    const bucket = this.#counts[index];
    bucket?.set(kind, (bucket.get(kind) ?? 0) + 1);
  }

  #halve(): void {
    this.#widthMs *= 2;
    const counts: Map<string, number>[] = [];
    for (const [index, bucket] of this.#counts.entries()) {
      const into = (counts[Math.floor(index / 2)] ??= new Map<string, number>());
      for (const [kind, count] of bucket) into.set(kind, (into.get(kind) ?? 0) + count);
    }
    this.#counts = counts;
  }
}

/** Add every event in order. */
export class ReportData {
  readonly types = new Map<string, number>();
  readonly actors = new Map<string, number>();
  readonly first: EventEnvelope[] = [];
  readonly last: EventEnvelope[] = [];
  readonly deliveries: Delivery[] = [];
  deliveryCount = 0;
  count = 0;
  readonly #time = new TimeBuckets();
  #gaps: Gap[] = [];
  #previous: EventEnvelope | undefined;

  get buckets(): Buckets {
    return this.#time.buckets;
  }

  /** The longest times without an event, the longest first. */
  get gaps(): readonly Gap[] {
    return this.#gaps;
  }

  add(event: EventEnvelope): void {
    this.count += 1;
    this.types.set(event.type, (this.types.get(event.type) ?? 0) + 1);
    this.#addActor(event);
    this.#time.add(event.recordedAt, event.stream.slice(0, event.stream.indexOf("/")));
    if (this.first.length < EDGE_EVENTS) this.first.push(event);
    this.last.push(event);
    if (this.last.length > EDGE_EVENTS) this.last.shift();
    this.#addGap(event);
    this.#addDelivery(event);
    this.#previous = event;
  }

  #addActor({ actor }: EventEnvelope): void {
    const name = `${actor.kind}/${actor.id}`;
    const known = this.actors.has(name) || this.actors.size < ACTORS_MAX ? name : "others";
    this.actors.set(known, (this.actors.get(known) ?? 0) + 1);
  }

  #addGap(event: EventEnvelope): void {
    const previous = this.#previous;
    if (previous === undefined) return;
    const gap = { afterSeq: previous.seq, from: previous.recordedAt, to: event.recordedAt };
    const shortest = this.#gaps.at(-1);
    if (this.#gaps.length === GAPS_MAX && shortest !== undefined && lengthOf(shortest) >= lengthOf(gap))
      return;
    this.#gaps = [...this.#gaps, gap]
      .sort((left, right) => lengthOf(right) - lengthOf(left))
      .slice(0, GAPS_MAX);
  }

  #addDelivery(event: EventEnvelope): void {
    const { source, seq, type, stream, recordedAt } = event;
    if (source.kind !== "webhook") return;
    this.deliveryCount += 1;
    const { deliveryId, bodySha256, signedAt } = source;
    const amount = amountOf(event);
    this.deliveries.push({ seq, type, stream, deliveryId, bodySha256, signedAt, recordedAt, amount });
    if (this.deliveries.length > DELIVERIES_MAX) this.deliveries.shift();
  }
}

function lengthOf({ from, to }: Gap): number {
  return to - from;
}
