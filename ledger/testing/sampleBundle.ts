/** A made-up deployment's bundle: the sample ledger with checkpoints, witnessed directly and through the log of logs. */
import { formatEntry, formatManifest } from "../bundle.ts";
import { formatAnchorLine, formatCheckpointLine } from "../evidenceLines.ts";
import { genesisHash, sha256Noble } from "../hash.ts";
import { formatAnchor } from "../logOfLogs.ts";
import { eventLeafHash } from "../merkle.ts";
import type { SignerKey } from "../noteKeys.ts";
import type { LedgerEntry } from "../verify.ts";
import {
  ANCHOR_INDEX,
  logOfLogs,
  ORG_ORIGIN,
  organisationLog,
  sampleEntries,
  SampleLog,
  WITNESSES,
} from "./sampleEvidence.ts";
import { reseal, SAMPLE_ORG_ID, sampleEvents } from "./sampleLedger.ts";

const EXPORTED_AT_MS = 1_767_700_000_000;
const FIRST_AT_MS = 1_767_600_000_000;

export interface BundleParts {
  readonly entries: readonly LedgerEntry[];
  /** Lines of evidence, without newlines. */
  readonly evidence: readonly string[];
  readonly head?: { readonly count: number; readonly hash: string };
}

/** The text of a bundle of these parts. Without a head, the last entry is it. */
export function bundleText({ entries, evidence, head }: BundleParts): string {
  const count = head?.count ?? entries.length;
  const headHash = head?.hash ?? entries.at(-1)?.hash ?? genesisHash(SAMPLE_ORG_ID, sha256Noble);
  const manifest = { orgId: SAMPLE_ORG_ID, count, headSeq: count, headHash, exportedAt: EXPORTED_AT_MS };
  const lines = [formatManifest({ ...manifest, evidence: evidence.length }), ...evidence];
  return [...lines, ...entries.map(formatEntry), ""].join("\n");
}

/** The line of a checkpoint of a log, cosigned by these witnesses. */
export function checkpointLine(log: SampleLog, size: number, witnesses: readonly SignerKey[] = []): string {
  return formatCheckpointLine(log.published(size, witnesses), FIRST_AT_MS + size * 60_000);
}

/** The line of the sample organisation's newest checkpoint in the log of logs. */
export function anchorLine(witnesses: readonly SignerKey[] = []): string {
  return formatAnchorLine(
    formatAnchor(organisationLog().published(), logOfLogs().proof(ANCHOR_INDEX, witnesses)),
  );
}

/** The same organisation with one event's data changed and everything after it hashed again, and that ledger's log. */
export function rewrittenFrom(seq: number): { readonly entries: LedgerEntry[]; readonly log: SampleLog } {
  const events = sampleEvents(sha256Noble).map((event) =>
    event.seq === seq ? { ...event, data: { ...event.data, priceMinor: 1 } } : event,
  );
  const entries = reseal(events, sha256Noble);
  const leaves = entries.map(({ hash }) => eventLeafHash(hash, sha256Noble));
  return { entries, log: new SampleLog(ORG_ORIGIN, leaves) };
}

/** Checkpoints of 5, 12 and all 23 events; the second cosigned itself, the last through the log of logs. */
export function sampleBundle(): BundleParts {
  const log = organisationLog();
  const evidence = [
    checkpointLine(log, 5),
    checkpointLine(log, 12, WITNESSES.slice(0, 2)),
    checkpointLine(log, 23),
    anchorLine(WITNESSES.slice(0, 2)),
  ];
  return { entries: sampleEntries(sha256Noble), evidence };
}
