/**
 * The fast half of verification. A *segment* is a run of consecutive lines of an export, verified from its bytes by
 * itself; segments are joined at their seams (chainJoin.ts), so that several can be verified at once. What is found
 * is only "sound as far as this segment tells" or "not": `verify.ts` is the reference, and says of a ledger that is
 * not sound what is damaged and where.
 */
import { HASH_BYTES } from "./bytes.ts";
import { bytesOf, NOT_THERE, startsWith } from "./canonicalBytes.ts";
import { EntryScanner } from "./entryScanner.ts";
import { EVENT_TYPES, STREAM_ID_PREFIX } from "./eventTypes.ts";
import type { EventTypeRule, StreamKind } from "./eventTypes.ts";
import type { Source } from "./event.ts";
import { EVENT_TAG } from "./hash.ts";
import type { Sha256Hex } from "./hash.ts";
import { EVENT_ID_KIND, IdentityList } from "./identities.ts";
import type { OrgId } from "./ids.ts";

const HASH_LENGTH = 64;
const ULID_LENGTH = 26;
const TAG = bytesOf(EVENT_TAG);
const SCRATCH_BYTES_FIRST = 4096;

/** A rule of the format's event types, in bytes. */
interface TypeInBytes {
  readonly name: Uint8Array;
  readonly versions: readonly number[];
  readonly kinds: readonly Source["kind"][];
  /** The strings of the providers whose webhooks may be the source. */
  readonly providers: readonly Uint8Array[];
  readonly stream: Uint8Array;
  readonly isOrganization: boolean;
  /** A number for the kind of stream, from 1. */
  readonly streamKind: number;
}

const STREAM_KINDS = Object.keys(STREAM_ID_PREFIX);
const WEBHOOK = "webhook/";

function inBytes(name: string, { stream, versions, sources }: EventTypeRule): TypeInBytes {
  const isOf = (kind: Source["kind"]) =>
    sources.some((label) => (kind === "webhook" ? label.startsWith(WEBHOOK) : label === kind));
  return {
    name: bytesOf(name),
    versions,
    kinds: (["command", "job", "operator", "webhook"] as const).filter(isOf),
    providers: sources
      .filter((label) => label.startsWith(WEBHOOK))
      .map((label) => bytesOf(JSON.stringify(label.slice(WEBHOOK.length)).slice(1, -1))),
    stream: bytesOf(`${stream}/${STREAM_ID_PREFIX[stream]}_`),
    isOrganization: stream === ("organization" satisfies StreamKind),
    streamKind: STREAM_KINDS.indexOf(stream) + 1,
  };
}

function nameHash(bytes: Uint8Array, at: number, end: number): number {
  let state = 0;
  for (let next = at; next < end; next += 1) state = Math.imul(state, 31) + (bytes[next] ?? 0);
  return state | 0;
}

const TYPES_BY_HASH = Map.groupBy(
  Object.entries(EVENT_TYPES).map(([name, rule]) => inBytes(name, rule)),
  ({ name }) => nameHash(name, 0, name.length),
);

function isSame(bytes: Uint8Array, at: number, end: number, wanted: Uint8Array): boolean {
  return end - at === wanted.length && startsWith(bytes, at, wanted);
}

function isHash(bytes: Uint8Array, at: number, hash: string): boolean {
  if (hash.length !== HASH_LENGTH) return false;
  for (let index = 0; index < HASH_LENGTH; index += 1) {
    if (bytes[at + index] !== hash.charCodeAt(index)) return false;
  }
  return true;
}

function textAt(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

const HASHES_FIRST = 4096;
const NO_BYTES = new Uint8Array(0);
const BELOW_LETTERS = 0x3a;
const BEFORE_A = 0x61 - 10;

/** The value of a lower-case hexadecimal digit. */
function nibble(digit: number | undefined): number {
  if (digit === undefined) return 0;
  return digit < BELOW_LETTERS ? digit & 0x0f : digit - BEFORE_A;
}

/** Hashes as bytes, in one buffer that grows. */
class HashList {
  #buffer = new Uint8Array(HASHES_FIRST * HASH_BYTES);
  #length = 0;

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }

  /** Adds the hash that stands at a position in hexadecimal. */
  add(bytes: Uint8Array, at: number): void {
    if (this.#length + HASH_BYTES > this.#buffer.length) {
      const larger = new Uint8Array(this.#buffer.length * 2);
      larger.set(this.#buffer);
      this.#buffer = larger;
    }
    for (let digit = at; digit < at + HASH_LENGTH; digit += 2) {
      this.#buffer[this.#length] = nibble(bytes[digit]) * 16 + nibble(bytes[digit + 1]);
      this.#length += 1;
    }
  }
}

/** What a segment tells its neighbours, and the heads of `knownHashes` that it met. Plain data: it can be sent. */
export interface SegmentEnds {
  readonly count: number;
  readonly firstSeq: number;
  readonly firstPrevHash: string;
  readonly firstRecordedAt: number;
  readonly lastHash: string;
  readonly lastRecordedAt: number;
  readonly met: readonly { readonly hash: string; readonly seq: number }[];
}

export interface SegmentOptions {
  readonly orgId: OrgId;
  readonly sha256Hex: Sha256Hex;
  /** Hashes whose sequences are wanted. */
  readonly knownHashes: readonly string[];
  /** Whether the hashes of all events are wanted. */
  readonly withHashes?: boolean;
}

/**
 * Push the lines of one segment in order; then read `ends` and `identities`. `clear` makes it ready for another.
 * Verified of each line: canonical form, the envelope, its own hash, the organisation, type, version, stream kind and
 * source; between lines of the segment: sequence, link and time. Left to the join: the seams, ids and versions.
 */
export class ChainSegment {
  readonly identities = new IdentityList();
  readonly #sha256Hex: Sha256Hex;
  readonly #orgUlid: Uint8Array;
  readonly #knownHashes: readonly string[];
  readonly #line = new EntryScanner();
  #scratch = new Uint8Array(0);
  #count = 0;
  #firstSeq = 0;
  #firstPrevHash = "";
  #firstRecordedAt = 0;
  #lastHash = "";
  #lastRecordedAt = 0;
  #met: { hash: string; seq: number }[] = [];
  #hashes: HashList | undefined;

  constructor(options: SegmentOptions) {
    this.#orgUlid = bytesOf(options.orgId.slice(-ULID_LENGTH));
    this.#sha256Hex = options.sha256Hex;
    this.#knownHashes = options.knownHashes;
    if (options.withHashes === true) this.#hashes = new HashList();
    this.#fit(SCRATCH_BYTES_FIRST);
  }

  /** The hashes of the events, 32 bytes each, where they are wanted. To be copied before `clear`. */
  get hashes(): Uint8Array {
    return this.#hashes?.bytes ?? NO_BYTES;
  }

  get ends(): SegmentEnds {
    return {
      count: this.#count,
      firstSeq: this.#firstSeq,
      firstPrevHash: this.#firstPrevHash,
      firstRecordedAt: this.#firstRecordedAt,
      lastHash: this.#lastHash,
      lastRecordedAt: this.#lastRecordedAt,
      met: this.#met,
    };
  }

  clear(): void {
    this.identities.clear();
    this.#hashes?.clear();
    this.#count = 0;
    this.#met = [];
  }

  /**
   * Verifies the line that begins at `start` and returns the position behind its newline, or -1 when it is not sound.
   * A newline must follow somewhere in the bytes; they may be reused afterwards.
   */
  push(bytes: Uint8Array, start: number): number {
    const line = this.#line;
    const next = line.scan(bytes, start);
    if (next < 0 || !startsWith(bytes, line.orgUlidAt, this.#orgUlid)) return NOT_THERE;
    const rule = this.#findRule(bytes);
    if (rule === undefined || !this.#isAllowed(bytes, rule) || !this.#isNext(bytes)) return NOT_THERE;
    const hash = this.#hash(bytes);
    if (!isHash(bytes, line.hashAt, hash)) return NOT_THERE;
    const isNoted =
      this.identities.note(EVENT_ID_KIND, bytes, line.eventUlidAt, 1) &&
      this.identities.note(rule.streamKind, bytes, line.streamUlidAt, line.streamVersion);
    if (!isNoted) return NOT_THERE;
    this.#hashes?.add(bytes, line.hashAt);
    this.#accept(hash);
    return next;
  }

  #findRule(bytes: Uint8Array): TypeInBytes | undefined {
    const { typeAt, typeEnd } = this.#line;
    const candidates = TYPES_BY_HASH.get(nameHash(bytes, typeAt, typeEnd));
    return candidates?.find(({ name }) => isSame(bytes, typeAt, typeEnd, name));
  }

  #isAllowed(bytes: Uint8Array, rule: TypeInBytes): boolean {
    const line = this.#line;
    if (!rule.versions.includes(line.typeVersion) || !rule.kinds.includes(line.sourceKind)) return false;
    if (!isSame(bytes, line.streamAt, line.streamUlidAt, rule.stream)) return false;
    if (rule.isOrganization && !startsWith(bytes, line.streamUlidAt, this.#orgUlid)) return false;
    if (line.sourceKind !== "webhook") return true;
    return rule.providers.some((provider) => isSame(bytes, line.providerAt, line.providerEnd, provider));
  }

  /** Whether the line follows the one before it; the first line's place is left to the join. */
  #isNext(bytes: Uint8Array): boolean {
    const { seq, recordedAt, prevHashAt } = this.#line;
    if (this.#count > 0) {
      return (
        seq === this.#firstSeq + this.#count &&
        recordedAt >= this.#lastRecordedAt &&
        isHash(bytes, prevHashAt, this.#lastHash)
      );
    }
    this.#firstSeq = seq;
    this.#firstPrevHash = textAt(bytes, prevHashAt, HASH_LENGTH);
    this.#firstRecordedAt = recordedAt;
    return true;
  }

  #fit(length: number): void {
    if (this.#scratch.length >= length) return;
    this.#scratch = new Uint8Array(length * 2);
    this.#scratch.set(TAG);
  }

  #hash(bytes: Uint8Array): string {
    const { textAt: from, textEnd: to } = this.#line;
    const length = TAG.length + to - from;
    this.#fit(length);
    this.#scratch.set(bytes.subarray(from, to), TAG.length);
    return this.#sha256Hex(this.#scratch.subarray(0, length));
  }

  #accept(hash: string): void {
    this.#count += 1;
    this.#lastHash = hash;
    this.#lastRecordedAt = this.#line.recordedAt;
    for (const known of this.#knownHashes) {
      if (known === hash) this.#met.push({ hash, seq: this.#line.seq });
    }
  }
}
