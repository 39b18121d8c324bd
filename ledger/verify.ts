/**
 * Verification of one organisation's chain, entry by entry, in memory that does not grow with the size of the
 * events. It reports the first damaged position and never goes on past it: nothing after a damaged entry is
 * trusted, it is read only to tell apart two kinds of damage at that same position.
 *
 * An entry that stands where sequence n is due is checked in this order, and the first failure decides
 * (docs/ledger-format.md is the contract):
 *  1 not canonical · 2 altered · 3 foreign organisation · 4 duplicated · 5 inserted (its sequence is taken)
 *  6 missing or reordered (its sequence is ahead) · 7 broken link, or inserted when its successor fits instead
 *  8 unknown type · 9 forbidden source · 10 time reversed · 11 stream version: missing or inserted
 *  12 known heads: altered (inserted when a rival fits as well), or inserted after the last
 * and at the end: 13 what 6, 7 and 12 left open · 14 truncated, or an expected head that never came.
 */
import { parseCanonical } from "./canonicalJson.ts";
import { parseEvent, sourceLabel } from "./event.ts";
import type { EventEnvelope } from "./event.ts";
import { EVENT_TYPES, isEventType, STREAM_ID_PREFIX } from "./eventTypes.ts";
import type { EventTypeRule } from "./eventTypes.ts";
import { FingerprintTable } from "./fingerprints.ts";
import { genesisHash, hashCanonicalEvent } from "./hash.ts";
import type { Sha256 } from "./hash.ts";
import type { KnownHead } from "./knownHead.ts";

export const DAMAGE_KINDS = [
  "altered",
  "missing",
  "reordered",
  "duplicated",
  "inserted",
  "foreign organisation",
  "broken link",
  "truncated",
  "unknown type",
  "forbidden source",
  "time reversed",
  "not canonical",
] as const;
export type DamageKind = (typeof DAMAGE_KINDS)[number];

/** The first damage, with both sides of it. `seq` is the first sequence that can't be trusted. */
export interface Damage {
  readonly kind: DamageKind;
  readonly seq: number;
  readonly expected: string;
  readonly found: string;
}

/** What is stored of an event: the canonical text that was hashed, and its hash in hexadecimal. */
export interface LedgerEntry {
  readonly text: string;
  readonly hash: string;
}

export interface VerifierOptions {
  /** Without it the first event's organisation is taken. */
  readonly orgId?: string;
  readonly sha256: Sha256;
  readonly knownHeads?: readonly KnownHead[];
}

/** `count` and `headHash` tell what was verified: when damaged, the sound part before the damage. */
export interface Verdict {
  readonly result: "intact" | "damaged";
  readonly orgId: string | undefined;
  readonly count: number;
  readonly headHash: string | undefined;
  readonly damage?: Damage;
}

interface ReadEntry {
  readonly event: EventEnvelope;
  readonly hash: string;
}

type Reading =
  | { readonly ok: true; readonly entry: ReadEntry }
  | { readonly ok: false; readonly kind: DamageKind; readonly expected: string; readonly found: string };

/** Damage whose position is certain and whose kind depends on an entry still to come. */
interface OpenDamage extends Damage {
  readonly awaits: "the missing sequence" | "the successor";
}

/** What the damage is when the awaited entry comes. */
const WHEN_IT_COMES = {
  "the missing sequence": "reordered",
  "the successor": "inserted",
} as const satisfies Readonly<Record<OpenDamage["awaits"], DamageKind>>;

function isOpen(damage: Damage): damage is OpenDamage {
  return "awaits" in damage;
}

function readEntry(entry: LedgerEntry, sha256: Sha256): Reading {
  const canonical = parseCanonical(entry.text);
  const parsed = canonical.ok ? parseEvent(canonical.value) : canonical;
  if (!parsed.ok) {
    return { ok: false, kind: "not canonical", expected: "a canonical event, v 1", found: parsed.reason };
  }
  const hash = hashCanonicalEvent(entry.text, sha256);
  if (hash !== entry.hash) {
    return { ok: false, kind: "altered", expected: `hash ${entry.hash}`, found: `hash ${hash}` };
  }
  return { ok: true, entry: { event: parsed.event, hash } };
}

function isStreamOf(rule: EventTypeRule, stream: string): boolean {
  return stream.startsWith(`${rule.stream}/${STREAM_ID_PREFIX[rule.stream]}_`);
}

/** Checks 8 and 9: how an event breaks what the table of event types says of it; undefined when it does not. */
export function breaksTypeRule(event: EventEnvelope): Omit<Damage, "seq"> | undefined {
  const found = `${event.type} v${event.typeVersion} in ${event.stream}`;
  if (!isEventType(event.type)) return { kind: "unknown type", expected: "a type of the format", found };
  const rule: EventTypeRule = EVENT_TYPES[event.type];
  if (!rule.versions.includes(event.typeVersion) || !isStreamOf(rule, event.stream)) {
    const expected = `${event.type} v${rule.versions.join(", v")} in a stream ${rule.stream}/`;
    return { kind: "unknown type", expected, found };
  }
  const label = sourceLabel(event.source);
  if (rule.sources.includes(label)) return undefined;
  return { kind: "forbidden source", expected: rule.sources.join(" or "), found: label };
}

/** Use `createVerifier`. Push every entry in the order it was read, then finish. */
export class Verifier {
  readonly #sha256: Sha256;
  readonly #knownHeads: readonly KnownHead[];
  readonly #passedHeads = new Set<KnownHead>();
  readonly #eventIds = new FingerprintTable({ withCounts: false });
  readonly #streamVersions = new FingerprintTable({ withCounts: true });
  #orgId: string | undefined;
  #headHash: string | undefined;
  #count = 0;
  #recordedAt = 0;
  #open: OpenDamage | undefined;
  #damage: Damage | undefined;

  constructor(options: VerifierOptions) {
    this.#sha256 = options.sha256;
    this.#knownHeads = options.knownHeads ?? [];
    if (options.orgId !== undefined) this.#begin(options.orgId);
  }

  /** Events verified so far, and the sequence of the last of them. */
  get count(): number {
    return this.#count;
  }

  /** True when no further entry can change the verdict. */
  get isSettled(): boolean {
    return this.#damage !== undefined;
  }

  /** Checks the next entry. */
  push(entry: LedgerEntry): void {
    if (this.#damage !== undefined) return;
    const reading = readEntry(entry, this.#sha256);
    if (this.#open !== undefined) {
      this.#settleOpen(this.#open, reading);
      return;
    }
    if (!reading.ok) {
      this.#settle({ kind: reading.kind, seq: this.#due, expected: reading.expected, found: reading.found });
      return;
    }
    this.#begin(reading.entry.event.orgId);
    const damage =
      this.#checkIdentity(reading.entry.event) ??
      this.#checkPosition(reading.entry.event) ??
      this.#checkMeaning(reading.entry.event) ??
      this.#checkHeads(reading.entry.hash);
    if (damage === undefined) this.#accept(reading.entry);
    else if (isOpen(damage)) this.#open = damage;
    else this.#settle(damage);
  }

  /** Takes note of something that stands where an entry is due and can't be read as one. */
  pushUnreadable(found: string): void {
    this.#pushFault("not canonical", found);
  }

  /** Takes note that the input breaks off in the middle of an entry. */
  pushCut(found: string): void {
    const isPastEnd = this.#knownHeads.some((head) => this.#isPast(head));
    this.#pushFault(isPastEnd ? "not canonical" : "truncated", found);
  }

  /** The verdict, after the last entry. */
  finish(): Verdict {
    if (this.#damage === undefined && this.#open !== undefined) this.#settle(this.#open);
    const damage = this.#damage ?? this.#findAbsentHead();
    return {
      result: damage === undefined ? "intact" : "damaged",
      orgId: this.#orgId,
      count: this.#count,
      headHash: this.#headHash,
      ...(damage === undefined ? {} : { damage }),
    };
  }

  get #due(): number {
    return this.#count + 1;
  }

  #begin(orgId: string): void {
    if (this.#orgId !== undefined) return;
    this.#orgId = orgId;
    this.#headHash = genesisHash(orgId, this.#sha256);
    this.#notePassedHeads(this.#headHash);
  }

  #settle({ kind, seq, expected, found }: Damage): void {
    this.#damage = { kind, seq, expected, found };
    this.#open = undefined;
  }

  #pushFault(kind: DamageKind, found: string): void {
    if (this.#damage !== undefined) return;
    if (this.#open === undefined) this.#settle({ kind, seq: this.#due, expected: "an entry", found });
    else if (this.#open.awaits === "the successor") this.#settle(this.#open);
  }

  /** A gap stays open to the end, a broken link for one entry. */
  #settleOpen(open: OpenDamage, reading: Reading): void {
    const event = reading.ok ? reading.entry.event : undefined;
    const isAtDue = event !== undefined && event.orgId === this.#orgId && event.seq === this.#due;
    const fits = isAtDue && (open.awaits === "the missing sequence" || event.prevHash === this.#headHash);
    if (fits) this.#settle({ ...open, kind: WHEN_IT_COMES[open.awaits] });
    else if (open.awaits === "the successor") this.#settle(open);
  }

  /** Checks 3 and 4. */
  #checkIdentity(event: EventEnvelope): Damage | undefined {
    const orgId = this.#orgId ?? "";
    const isOwnStream = !event.stream.startsWith("organization/") || event.stream === `organization/${orgId}`;
    if (event.orgId !== orgId || !isOwnStream) {
      const found = `${event.orgId}, stream ${event.stream}`;
      return { kind: "foreign organisation", seq: this.#due, expected: orgId, found };
    }
    if (this.#eventIds.get(event.eventId) === 0) return undefined;
    const found = `${event.eventId} again, as sequence ${event.seq}`;
    return { kind: "duplicated", seq: this.#due, expected: "an event not seen before", found };
  }

  /** Checks 5 to 7. */
  #checkPosition(event: EventEnvelope): Damage | undefined {
    if (event.seq < this.#due) {
      const found = `another event with sequence ${event.seq}: ${event.eventId}`;
      return { kind: "inserted", seq: event.seq, expected: `sequence ${this.#due}`, found };
    }
    return this.#checkOpenPosition(event);
  }

  #checkOpenPosition(event: EventEnvelope): OpenDamage | undefined {
    const seq = this.#due;
    if (event.seq > seq) {
      const expected = `sequence ${seq}`;
      const found = `sequence ${event.seq}`;
      return { kind: "missing", seq, expected, found, awaits: "the missing sequence" };
    }
    if (event.prevHash === this.#headHash) return undefined;
    const expected = `prevHash ${this.#headHash ?? ""}`;
    const found = `prevHash ${event.prevHash}`;
    return { kind: "broken link", seq, expected, found, awaits: "the successor" };
  }

  /** Checks 8 to 11. */
  #checkMeaning(event: EventEnvelope): Damage | undefined {
    const seq = this.#due;
    const broken = breaksTypeRule(event);
    if (broken !== undefined) return { ...broken, seq };
    if (event.recordedAt < this.#recordedAt) {
      const expected = `recordedAt ${this.#recordedAt} or later`;
      return { kind: "time reversed", seq, expected, found: `recordedAt ${event.recordedAt}` };
    }
    const version = this.#streamVersions.get(event.stream) + 1;
    if (event.streamVersion === version) return undefined;
    const kind = event.streamVersion > version ? "missing" : "inserted";
    const found = `${event.stream} version ${event.streamVersion}`;
    return { kind, seq, expected: `${event.stream} version ${version}`, found };
  }

  /** Check 12. An event beside the known one may be a rival that was put before it. */
  #checkHeads(hash: string): Damage | undefined {
    const seq = this.#due;
    for (const head of this.#knownHeads) {
      if (head.seq === seq && head.hash !== hash) return this.#besideHead(head, hash);
      if (this.#isPast(head)) {
        return { kind: "inserted", seq, expected: `the end, with hash ${head.hash}`, found: `hash ${hash}` };
      }
    }
    return undefined;
  }

  /** Whether the ledger had to end before the sequence that is due. */
  #isPast(head: KnownHead): boolean {
    if (!head.isLast) return false;
    return head.seq === undefined ? this.#passedHeads.has(head) : head.seq < this.#due;
  }

  #besideHead(head: KnownHead, hash: string): OpenDamage {
    const expected = `hash ${head.hash}`;
    return { kind: "altered", seq: this.#due, expected, found: `hash ${hash}`, awaits: "the successor" };
  }

  #accept(entry: ReadEntry): void {
    this.#count += 1;
    this.#headHash = entry.hash;
    this.#recordedAt = entry.event.recordedAt;
    this.#eventIds.set(entry.event.eventId, 1);
    this.#streamVersions.set(entry.event.stream, entry.event.streamVersion);
    this.#notePassedHeads(entry.hash);
  }

  #notePassedHeads(hash: string): void {
    for (const head of this.#knownHeads) {
      if (head.hash === hash && (head.seq ?? this.#count) === this.#count) this.#passedHeads.add(head);
    }
  }

  /** Check 14: the ledger ends without a head that it had. A hash alone can't tell whether it was cut or rewritten. */
  #findAbsentHead(): Damage | undefined {
    for (const head of this.#knownHeads) {
      if (this.#passedHeads.has(head)) continue;
      if (head.seq === 0) {
        const found = `genesis hash ${this.#headHash ?? "unknown"}`;
        return { kind: "broken link", seq: 1, expected: `genesis hash ${head.hash}`, found };
      }
      const found = `the end after sequence ${this.#count}, with hash ${this.#headHash ?? "unknown"}`;
      const expected = `sequence ${head.seq ?? "unknown"} with hash ${head.hash}`;
      return { kind: "truncated", seq: this.#due, expected, found };
    }
    return undefined;
  }
}

/** Starts the verification of one chain. Holds no more than the fingerprints of event ids and streams. */
export function createVerifier(options: VerifierOptions): Verifier {
  return new Verifier(options);
}
