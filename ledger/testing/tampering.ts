/** What someone can do to a ledger who can write all of it. */
import { formatEntry, formatManifest } from "../bundle.ts";
import type { EventEnvelope } from "../event.ts";
import { hashCanonicalEvent } from "../hash.ts";
import type { Sha256 } from "../hash.ts";
import type { DamageKind, LedgerEntry } from "../verify.ts";
import { reseal, SAMPLE_ORG_ID, sampleEvents, sampleId, seal } from "./sampleLedger.ts";

const EXPORTED_AT_MS = 1_767_700_000_000;

/** The lines of an export, manifest first. Without a head, the last entry is it. */
export function bundleOf(entries: readonly LedgerEntry[], head?: { count: number; hash: string }): string {
  const count = head?.count ?? entries.length;
  const headHash = head?.hash ?? entries.at(-1)?.hash ?? "";
  const manifest = { orgId: SAMPLE_ORG_ID, count, headSeq: count, headHash, exportedAt: EXPORTED_AT_MS };
  return [formatManifest(manifest), ...entries.map(formatEntry), ""].join("\n");
}

/** A chain of the vectors, and the verdict that it must get. */
export interface ChainCase {
  readonly name: string;
  readonly what: string;
  /** The export, byte for byte. */
  readonly bundle: string;
  /** A head that the auditor knows from elsewhere, `SEQ:HASH` or `HASH`. */
  readonly expectHead?: string;
  readonly earlierHead?: string;
  readonly verdict:
    | { readonly result: "intact" }
    | { readonly result: "damaged"; readonly seq: number; readonly kind: DamageKind };
}

export interface Sample {
  readonly sha256: Sha256;
  readonly events: readonly EventEnvelope[];
  readonly entries: readonly LedgerEntry[];
  readonly head: { readonly count: number; readonly hash: string };
}

/** The item of a sequence, which starts at 1. */
export function at<Item>(items: readonly Item[], seq: number): Item {
  const item = items[seq - 1];
  if (item === undefined) throw new RangeError(`The sample has no sequence ${seq}.`);
  return item;
}

/** The entries with those from `seq` on replaced; `count` of the originals are dropped. */
export function splice(sample: Sample, seq: number, count: number, ...added: LedgerEntry[]): string {
  return bundleOf(sample.entries.toSpliced(seq - 1, count, ...added), sample.head);
}

/** The chain with one event changed and every later hash computed again, under a manifest that agrees. */
export function rewrite(sample: Sample, seq: number, change: object): string {
  const events = sample.events.with(seq - 1, { ...at(sample.events, seq), ...change });
  return bundleOf(reseal(events, sample.sha256));
}

/** One event changed and its own hash computed again. */
export function resealOne(sample: Sample, seq: number, change: object): LedgerEntry {
  return seal({ ...at(sample.events, seq), ...change }, sample.sha256);
}

/** One entry's text replaced, its hash computed over the bytes as they are. */
export function retext(sample: Sample, seq: number, from: string, to: string): string {
  const { text } = at(sample.entries, seq);
  if (!text.includes(from)) throw new Error(`Sequence ${seq} does not hold ${from}.`);
  const changed = text.replace(from, () => to);
  return splice(sample, seq, 1, { text: changed, hash: hashCanonicalEvent(changed, sample.sha256) });
}

const STRANGER = {
  eventId: sampleId("evt", 900),
  stream: `booking/${sampleId("bkg", 900)}`,
  streamVersion: 1,
};

/** A well-formed event that links to the one before `seq` and is not of the ledger. */
export function stranger(sample: Sample, seq: number, change: object = {}): LedgerEntry {
  const prevHash = at(sample.entries, seq - 1).hash;
  const request = at(sample.events, 9);
  const { recordedAt } = at(sample.events, Math.min(seq, sample.events.length));
  return seal({ ...request, ...STRANGER, seq, recordedAt, prevHash, ...change }, sample.sha256);
}

/** The sample ledger's short chain and its head. */
export function sampleChain(sha256: Sha256): Sample {
  const events = sampleEvents(sha256);
  const entries = reseal(events, sha256);
  return { sha256, events, entries, head: { count: entries.length, hash: at(entries, entries.length).hash } };
}
