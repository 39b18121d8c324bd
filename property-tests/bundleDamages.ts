/**
 * Random damages of exported ledgers, each with what a verifier may say of it: the kinds, and the last position. The
 * position of a damage is the line of its first damaged byte, which is the sequence of the event in it.
 *
 * Left out by construction, because a bundle alone can't show it: another `exportedAt`, for which nothing vouches, and
 * a rewrite of everything behind a place, the manifest's head included. The second is what heads and checkpoints kept
 * elsewhere are for, and is played against such a head.
 */
import { formatEntry } from "../ledger/bundle.ts";
import { canonicalize } from "../ledger/canonicalJson.ts";
import type { EventEnvelope } from "../ledger/event.ts";
import { genesisHash, hashCanonicalEvent } from "../ledger/hash.ts";
import type { Sha256 } from "../ledger/hash.ts";
import { reseal, sampleId } from "../ledger/testing/sampleLedger.ts";
import { at as itemAt, bundleOf } from "../ledger/testing/tampering.ts";
import type { DamageKind, LedgerEntry } from "../ledger/verify.ts";
import { respell } from "./respellings.ts";

export interface Bundle {
  readonly sha256: Sha256;
  readonly events: readonly EventEnvelope[];
  readonly entries: readonly LedgerEntry[];
  /** Without their newlines: the manifest, then the entries. */
  readonly lines: readonly string[];
  readonly bytes: Uint8Array;
  /** Entries of other ledgers and of other histories of this one. */
  readonly foreign: readonly LedgerEntry[];
  readonly forked: readonly { readonly from: number; readonly entries: readonly LedgerEntry[] }[];
}

export interface Damaged {
  readonly bytes: Uint8Array;
  readonly kinds: readonly DamageKind[];
  /** The last position that may be reported; the first damaged byte's line when it is not told. */
  readonly latest?: number;
  /** A head that the auditor keeps, `SEQ:HASH`. */
  readonly earlierHead?: string;
}

/** Draws a damage of a bundle; undefined when what was drawn changes nothing. */
export type Damage = (bundle: Bundle, draw: Draw) => Damaged | undefined;

/** A number from 0 to before `end`. */
export type Draw = (end: number) => number;

const NEWLINE = 0x0a;
const LINE_DAMAGE: readonly DamageKind[] = ["not canonical", "altered"];

const encode = (lines: readonly string[]) => new TextEncoder().encode(`${lines.join("\n")}\n`);

/** The line of the first byte that two files don't share, the manifest's being 0. */
export function firstDamagedLine(sound: Uint8Array, damaged: Uint8Array): number {
  let line = 0;
  for (let at = 0; at < sound.length && sound[at] === damaged[at]; at += 1) {
    if (sound[at] === NEWLINE) line += 1;
  }
  return line;
}

/** An offset behind the manifest, or one more than the last. */
function offsetIn({ bytes }: Bundle, draw: Draw): number {
  const from = bytes.indexOf(NEWLINE) + 1;
  return from + draw(bytes.length + 1 - from);
}

function splice(bytes: Uint8Array, at: number, drop: number, add: Uint8Array): Uint8Array {
  return Buffer.concat([bytes.subarray(0, at), add, bytes.subarray(at + drop)]);
}

/** Bytes in the place of `drop` others. What is lost at the end looks like a ledger that was cut. */
function respliced(bundle: Bundle, at: number, drop: number, add: Uint8Array): Damaged {
  const bytes = splice(bundle.bytes, at, drop, add);
  const isEnd = at + drop >= bundle.bytes.length;
  const kinds = isEnd ? [...LINE_DAMAGE, "truncated" as const] : LINE_DAMAGE;
  return { bytes, kinds };
}

const flippedBit: Damage = (bundle, draw) => {
  const at = Math.min(offsetIn(bundle, draw), bundle.bytes.length - 1);
  return respliced(bundle, at, 1, Uint8Array.of((bundle.bytes[at] ?? 0) ^ (1 << draw(8))));
};

const insertedBytes: Damage = (bundle, draw) => {
  const add = Uint8Array.from({ length: 1 + draw(4) }, () => draw(256));
  return respliced(bundle, offsetIn(bundle, draw), 0, add);
};

const deletedBytes: Damage = (bundle, draw) => {
  const at = Math.min(offsetIn(bundle, draw), bundle.bytes.length - 1);
  return respliced(bundle, at, 1, new Uint8Array(0));
};

const replacedBytes: Damage = (bundle, draw) => {
  const at = Math.min(offsetIn(bundle, draw), bundle.bytes.length - 1);
  const drop = Math.min(1 + draw(4), bundle.bytes.subarray(at).indexOf(NEWLINE));
  return respliced(
    bundle,
    at,
    drop,
    Uint8Array.from({ length: drop }, () => draw(256)),
  );
};

const truncated: Damage = (bundle, draw) => {
  const at = Math.min(offsetIn(bundle, draw), bundle.bytes.length - 1);
  return { bytes: bundle.bytes.subarray(0, at), kinds: ["truncated"] };
};

function relined({ lines }: Bundle, from: number, drop: number, ...add: readonly string[]): Uint8Array {
  return encode(lines.toSpliced(from, drop, ...add));
}

const droppedLines: Damage = (bundle, draw) => {
  const last = bundle.entries.length;
  const seq = 1 + draw(last);
  const count = 1 + draw(3);
  const kind = seq + count > last ? "truncated" : "missing";
  return { bytes: relined(bundle, seq, count), kinds: [kind] };
};

const duplicatedLine: Damage = (bundle, draw) => {
  const of = 1 + draw(bundle.entries.length);
  const before = 1 + draw(bundle.entries.length + 1);
  const bytes = relined(bundle, before, 0, bundle.lines[of] ?? "");
  // In front of itself it is the copy that stands behind.
  return { bytes, kinds: [before >= of ? "duplicated" : "reordered"] };
};

const swappedLines: Damage = (bundle, draw) => {
  const [one, other] = [1 + draw(bundle.entries.length), 1 + draw(bundle.entries.length)];
  const { lines } = bundle;
  const swapped = lines.with(one, lines[other] ?? "").with(other, lines[one] ?? "");
  return { bytes: encode(swapped), kinds: ["reordered"] };
};

const movedLine: Damage = (bundle, draw) => {
  const [from, to] = [1 + draw(bundle.entries.length), 1 + draw(bundle.entries.length)];
  const moved = bundle.lines.toSpliced(from, 1).toSpliced(to, 0, bundle.lines[from] ?? "");
  return { bytes: encode(moved), kinds: ["reordered"] };
};

const foreignLine: Damage = (bundle, draw) => {
  const foreign = bundle.foreign[draw(bundle.foreign.length)];
  if (foreign === undefined) return undefined;
  const seq = 1 + draw(bundle.entries.length);
  return { bytes: relined(bundle, seq, draw(2), formatEntry(foreign)), kinds: ["foreign organisation"] };
};

/** A line of another history in the place of its own or beside it: sound until the true one's successor comes. */
const forkedLine: Damage = (bundle, draw) => {
  const { from, entries } = itemAt(bundle.forked, 1 + draw(bundle.forked.length));
  const seq = from + draw(entries.length + 1 - from);
  const entry = itemAt(entries, seq);
  const bytes = relined(bundle, seq, draw(2), formatEntry(entry));
  return { bytes, kinds: ["broken link", "altered", "inserted", "duplicated"], latest: seq + 1 };
};

const changedManifest: Damage = (bundle, draw) => {
  const { entries, lines } = bundle;
  const manifest = JSON.parse(lines[0] ?? "") as Record<string, unknown>;
  const count = draw(entries.length * 2);
  const changes = [
    { count, headSeq: count },
    { headHash: entries[draw(entries.length)]?.hash },
    { headHash: hashOf(draw) },
    { orgId: `org_0${String(draw(1e9)).padStart(25, "0")}` },
    { count },
    { format: `daybook-ledger/${1 + draw(3)}` },
  ];
  const changed = JSON.stringify({ ...manifest, ...changes[draw(changes.length)] });
  if (changed === lines[0]) return undefined;
  const kinds = [
    "not canonical",
    "altered",
    "inserted",
    "truncated",
    "broken link",
    "foreign organisation",
  ] as const;
  // Only the ledger's end tells that the manifest's head is not its own.
  return { bytes: relined(bundle, 0, 1, changed), kinds, latest: entries.length + 1 };
};

function hashOf(draw: Draw): string {
  return Array.from({ length: 64 }, () => draw(16).toString(16)).join("");
}

/** Another spelling of the same event. With its hash kept or computed again it is equally not canonical. */
const respelled: Damage = (bundle, draw) => {
  const seq = 1 + draw(bundle.entries.length);
  const entry = itemAt(bundle.entries, seq);
  const text = respell(entry.text, draw);
  const hash = draw(2) === 0 ? entry.hash : hashCanonicalEvent(text, bundle.sha256);
  const bytes = relined(bundle, seq, 1, formatEntry({ text, hash }));
  return { bytes, kinds: ["not canonical"] };
};

/** A change of one event that the rules of the format refuse by themselves, and as what. */
interface Breach {
  readonly change: object;
  readonly kinds: readonly DamageKind[];
}

function breachOf({ events }: Bundle, seq: number, draw: Draw): Breach {
  const event = itemAt(events, seq);
  const earlier = itemAt(events, Math.max(1, seq - 1 - draw(seq)));
  const other = 1 + draw(events.length + 5);
  const breaches: Breach[] = [
    { change: { seq: other === seq ? seq + 1 : other }, kinds: ["inserted", "missing"] },
    { change: { eventId: earlier.eventId }, kinds: ["duplicated"] },
    { change: { orgId: "org_01KE6S9G000000000000000ZZZ" }, kinds: ["foreign organisation"] },
    { change: { streamVersion: event.streamVersion + 1 + draw(3) }, kinds: ["missing"] },
    { change: { typeVersion: 2 + draw(3) }, kinds: ["unknown type"] },
    { change: { type: "booking.lost" }, kinds: ["unknown type"] },
    { change: { source: { kind: "job", name: "nightly" } }, kinds: ["forbidden source"] },
    { change: { recordedAt: earlier.recordedAt - 1 }, kinds: ["time reversed"] },
    { change: { data: { half: 0.5 } }, kinds: ["not canonical"] },
  ];
  return itemAt(breaches, 1 + draw(breaches.length));
}

/** A change of one event after which it is as good as before. */
function forgeryOf({ events }: Bundle, seq: number, draw: Draw): object {
  const forgeries = [
    { data: { ...itemAt(events, seq).data, amountMinor: draw(1e6) } },
    { correlationId: `cor-${draw(1e6)}-forged` },
    { actor: { kind: "system", id: `worker/${draw(1e6)}` } },
  ];
  return itemAt(forgeries, 1 + draw(forgeries.length));
}

function changed({ events }: Bundle, seq: number, change: object): readonly EventEnvelope[] {
  return events.with(seq - 1, { ...itemAt(events, seq), ...change });
}

/** One event changed and its own hash computed again: at the latest its successor does not link to it. */
const editedAndHashed: Damage = (bundle, draw) => {
  const seq = 1 + draw(bundle.entries.length);
  const entry = itemAt(writeAll(bundle, changed(bundle, seq, forgeryOf(bundle, seq, draw))), seq);
  const isLast = seq === bundle.entries.length;
  const bytes = relined(bundle, seq, 1, formatEntry(entry));
  return { bytes, kinds: [isLast ? "altered" : "broken link"], latest: isLast ? seq : seq + 1 };
};

/** Every hash from there on computed again, under the manifest as it was: its head is another. */
const rewrittenUnderHead: Damage = (bundle, draw) => {
  const seq = 1 + draw(bundle.entries.length);
  const entries = writeAll(bundle, changed(bundle, seq, forgeryOf(bundle, seq, draw)));
  const bytes = encode([bundle.lines[0] ?? "", ...entries.map(formatEntry)]);
  return { bytes, kinds: ["altered"], latest: entries.length };
};

/** The same with the manifest's head computed again, against a head that the auditor kept. */
const rewrittenAgainstNote: Damage = (bundle, draw) => {
  const { entries } = bundle;
  const seq = 1 + draw(entries.length);
  const kept = seq + draw(entries.length - seq + 1);
  const bytes = encode(linesOf(writeAll(bundle, changed(bundle, seq, forgeryOf(bundle, seq, draw)))));
  const earlierHead = `${kept}:${itemAt(entries, kept).hash}`;
  return { bytes, kinds: ["altered"], latest: kept, earlierHead };
};

/** A rewrite with every hash and the manifest's head, that breaks a rule: no head is needed to see it. */
const rewrittenAgainstRules: Damage = (bundle, draw) => {
  const seq = 2 + draw(bundle.entries.length - 1);
  const { change, kinds } = breachOf(bundle, seq, draw);
  const bytes = encode(linesOf(writeAll(bundle, changed(bundle, seq, change))));
  return { bytes, kinds, latest: seq };
};

/** As `reseal`, but what is no ledger value is written all the same. */
function writeAll({ sha256 }: Bundle, events: readonly EventEnvelope[]): LedgerEntry[] {
  let prevHash = genesisHash(events[0]?.orgId ?? "", sha256);
  return events.map((event) => {
    const text = canonicalize({ ...event, prevHash });
    prevHash = hashCanonicalEvent(text, sha256);
    return { text, hash: prevHash };
  });
}

function linesOf(entries: readonly LedgerEntry[]): string[] {
  return bundleOf(entries).trimEnd().split("\n");
}

/** A sound bundle, and what can be smuggled into it. */
export function createBundle(events: readonly EventEnvelope[], sha256: Sha256): Bundle {
  const entries = reseal(events, sha256);
  const lines = linesOf(entries);
  const strangers = events.map((event) => ({ ...event, orgId: sampleId("org", 77) }));
  const forked = [1, Math.ceil(events.length / 2), events.length].map((from) => {
    const data = { note: "another history" };
    return { from, entries: reseal(events.with(from - 1, { ...itemAt(events, from), data }), sha256) };
  });
  return { sha256, events, entries, lines, bytes: encode(lines), foreign: reseal(strangers, sha256), forked };
}

export const DAMAGES: Readonly<Record<string, Damage>> = {
  "a flipped bit": flippedBit,
  "bytes added": insertedBytes,
  "a byte left out": deletedBytes,
  "bytes replaced": replacedBytes,
  "the file cut": truncated,
  "lines left out": droppedLines,
  "a line repeated": duplicatedLine,
  "two lines swapped": swappedLines,
  "a line moved": movedLine,
  "a line of another organisation": foreignLine,
  "a line of another history": forkedLine,
  "another manifest": changedManifest,
  "an event in another spelling": respelled,
  "an event forged with its hash": editedAndHashed,
  "events forged to the end, under the old manifest": rewrittenUnderHead,
  "a ledger forged as a whole, against a head kept elsewhere": rewrittenAgainstNote,
  "a ledger forged as a whole, against the rules": rewrittenAgainstRules,
};
