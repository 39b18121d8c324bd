/** Bundles whose evidence contradicts their events, their keys or itself. */
import { sha256Noble } from "../hash.ts";
import { logOfLogsLeafHash } from "../logOfLogs.ts";
import type { Origin } from "../origin.ts";
import {
  anchorAt,
  BY_KEY,
  BY_WITNESSES,
  COUNT,
  damaged,
  forged,
  line,
  LOG,
  LOG_OF_LOGS,
  NOBODY,
  NOTHING,
  OTHER,
  PARTS,
  PLACE_OF_FIVE,
  signedBy,
  STRANGER,
  STRANGERS,
  TWO,
  withEvidence,
  withParts,
} from "./bundleCase.ts";
import type { BundleCase } from "./bundleCase.ts";
import { leafData, naiveLeaf } from "./naiveTree.ts";
import { checkpointLine, rewrittenFrom } from "./sampleBundle.ts";
import { ANCHOR_INDEX, DEPLOYMENT, LOG_ORIGIN, SampleLog } from "./sampleEvidence.ts";
import { SAMPLE_ORG_ID } from "./sampleLedger.ts";
import { at } from "./tampering.ts";

const ELSEWHERE: Origin = { kind: "organisation", deployment: "other.example", orgId: SAMPLE_ORG_ID };
const FIVE = checkpointLine(LOG, 5);
const TWELVE = checkpointLine(LOG, 12);
const ALL = checkpointLine(LOG, COUNT);
const TWELVE_OF_OTHER = checkpointLine(OTHER.log, 12);
const EARLIER = LOG.published(12);

function foreign(): BundleCase[] {
  const theirs = new SampleLog(STRANGERS, LOG.leaves);
  const larger = new SampleLog(
    STRANGERS,
    Array.from({ length: 40 }, (_, index) => naiveLeaf(leafData(index))),
  );
  const kind = "foreign organisation";
  return [
    damaged(
      ["foreign-checkpoint", "another organisation's checkpoint"],
      withEvidence(FIVE, checkpointLine(theirs, 12)),
      BY_KEY,
      [kind, 6],
      [1, 5, 5],
    ),
    damaged(
      ["foreign-larger", "another organisation's checkpoint, larger than the ledger"],
      withEvidence(FIVE, checkpointLine(larger, 40)),
      BY_KEY,
      [kind, 6],
      [1, 5, 5],
    ),
    damaged(
      ["foreign-log", "the log of logs' own checkpoint among the organisation's"],
      withEvidence(FIVE, checkpointLine(LOG_OF_LOGS, 7)),
      BY_KEY,
      [kind, 6],
      [1, 5, 5],
    ),
    damaged(
      ["foreign-anchor", "another organisation's checkpoint in an anchor, of a size that agreed already"],
      withEvidence(FIVE, TWELVE, anchorAt(PLACE_OF_FIVE, { organisation: theirs.published(12) })),
      BY_KEY,
      [kind, 6],
      [1, 5, 5],
    ),
  ];
}

function rolledBack(): BundleCase[] {
  const entries = PARTS.entries.slice(0, 20);
  const left = PARTS.evidence.slice(0, 2);
  return [
    damaged(
      ["rolled-back", "three events gone behind a checkpoint that is still there"],
      withParts({ entries }),
      BY_KEY,
      ["rolled back", 21],
      [2, 12, 12],
    ),
    damaged(
      ["rolled-back-anchor", "three events gone behind an anchor"],
      withParts({ entries, evidence: [FIVE, anchorAt(ANCHOR_INDEX)] }),
      NOBODY,
      ["rolled back", 21],
      [1, 0, 0],
    ),
    damaged(
      ["rolled-back-since", "three events gone, and their checkpoint: the auditor has it"],
      withParts({ entries, evidence: left }),
      { ...BY_KEY, since: LOG.published() },
      ["rolled back", 21],
      [2, 12, 12],
    ),
    damaged(
      ["rolled-back-under-manifest", "three events gone under the old manifest: the chain says so first"],
      withParts({ entries, head: { count: COUNT, hash: at(PARTS.entries, COUNT).hash } }),
      BY_KEY,
      ["truncated", 21],
      [2, 12, 12],
    ),
  ];
}

const MISMATCH = "checkpoint mismatch";

function mismatches(): BundleCase[] {
  return [
    damaged(
      ["mismatch", "an event changed and all after it hashed again, under the old checkpoints"],
      withParts({ entries: OTHER.entries }),
      BY_KEY,
      [MISMATCH, 6],
      [1, 5, 5],
    ),
    damaged(
      ["mismatch-no-key", "the same, and no key is needed to see it"],
      withParts({ entries: OTHER.entries }),
      NOBODY,
      [MISMATCH, 6],
      [1, 0, 0],
    ),
    damaged(
      ["mismatch-first", "a change below the first checkpoint"],
      withParts({ entries: rewrittenFrom(3).entries }),
      BY_KEY,
      [MISMATCH, 1],
      NOTHING,
    ),
    damaged(
      ["mismatch-before-forged", "a checkpoint of another history whose signature is nobody's either"],
      withEvidence(FIVE, line(forged(OTHER.log.published(12), DEPLOYMENT)), ALL),
      BY_KEY,
      [MISMATCH, 6],
      [1, 5, 5],
    ),
  ];
}

function anchorMismatches(): BundleCase[] {
  const elsewhere = new SampleLog(ELSEWHERE, LOG.leaves);
  const leaves = LOG_OF_LOGS.leaves.with(0, logOfLogsLeafHash(elsewhere.checkpoint(), sha256Noble));
  const otherLogs = new SampleLog({ kind: "log of logs", deployment: "other.example" }, leaves);
  return [
    damaged(
      ["mismatch-anchor-root", "an anchor whose copy of a checkpoint is of another history"],
      withEvidence(FIVE, ALL, anchorAt(ANCHOR_INDEX, { organisation: OTHER.log.published() })),
      BY_KEY,
      [MISMATCH, 6],
      [1, 5, 5],
    ),
    damaged(
      ["mismatch-anchor-place", "an anchor's proof that does not lead from its place"],
      withParts({
        evidence: [...PARTS.evidence.slice(0, 3), anchorAt(ANCHOR_INDEX).replace("index 3", "index 4")],
      }),
      NOBODY,
      [MISMATCH, 13],
      [2, 0, 0],
    ),
    damaged(
      ["mismatch-anchor-deployment", "an anchor in another deployment's log of logs"],
      withEvidence(FIVE, anchorAt(ANCHOR_INDEX, { log: otherLogs })),
      BY_KEY,
      [MISMATCH, 6],
      [1, 5, 5],
    ),
    damaged(
      ["mismatch-anchor-origin", "an anchor whose copy of a checkpoint has another deployment's origin"],
      withEvidence(FIVE, ALL, anchorAt(0, { organisation: elsewhere.published(), log: otherLogs })),
      BY_KEY,
      [MISMATCH, 6],
      [1, 5, 5],
    ),
    damaged(
      [
        "mismatch-anchor-below",
        "an anchor that is wrong below checkpoints that agree: they prove nothing now",
      ],
      withEvidence(FIVE, TWELVE, ALL, anchorAt(PLACE_OF_FIVE + 1, { organisation: LOG.published(5) })),
      BY_KEY,
      [MISMATCH, 1],
      NOTHING,
    ),
  ];
}

function sinceMismatches(): BundleCase[] {
  return [
    damaged(
      ["mismatch-since", "a checkpoint trusted before is of another history, and no key tells who signed"],
      withParts({ entries: OTHER.entries, evidence: [checkpointLine(OTHER.log, COUNT)] }),
      { since: EARLIER },
      [MISMATCH, 1],
      NOTHING,
    ),
    damaged(
      ["mismatch-since-alone", "the same with the key, which signed nothing that agrees"],
      withParts({ entries: OTHER.entries, evidence: [FIVE] }),
      { ...BY_KEY, since: EARLIER },
      [MISMATCH, 6],
      [1, 5, 5],
    ),
  ];
}

function splitViews(): BundleCase[] {
  const kind = "split view";
  const { entries, log } = OTHER;
  const byStranger = line(signedBy(STRANGER, log.checkpoint(12)));
  const leaves = LOG_OF_LOGS.leaves.with(0, naiveLeaf(leafData(1)));
  const otherLogs = new SampleLog(LOG_ORIGIN, leaves);
  return [
    damaged(
      ["split-since", "another history, signed by the key that signed the checkpoint trusted before"],
      withParts({ entries, evidence: [checkpointLine(log, COUNT)] }),
      { ...BY_KEY, since: EARLIER },
      [kind, 1],
      NOTHING,
    ),
    damaged(
      ["split-since-same-size", "two signed checkpoints of one size"],
      withParts({ entries, evidence: [FIVE, checkpointLine(log, 12)] }),
      { ...BY_KEY, since: EARLIER },
      [kind, 6],
      [1, 5, 5],
    ),
    damaged(
      ["split-since-larger", "two of one size, the newer unsigned, and a larger one that is signed"],
      withParts({ entries, evidence: [byStranger, checkpointLine(log, COUNT)] }),
      { ...BY_KEY, since: EARLIER },
      [kind, 1],
      NOTHING,
    ),
    damaged(
      ["split-log-of-logs", "two anchors in logs of one size that are not one"],
      withEvidence(
        FIVE,
        TWELVE,
        anchorAt(PLACE_OF_FIVE, { organisation: LOG.published(5) }),
        anchorAt(ANCHOR_INDEX, { log: otherLogs }),
      ),
      BY_KEY,
      [kind, 13],
      [2, 12, 12],
    ),
  ];
}

function signatures(): BundleCase[] {
  const kind = "forged signature";
  const anchor = anchorAt(ANCHOR_INDEX);
  const copy = (organisation: string) => anchorAt(ANCHOR_INDEX, { organisation });
  const twisted = forged(LOG_OF_LOGS.published(), DEPLOYMENT).trimEnd().split("\n").at(-1) ?? "";
  const told = LOG_OF_LOGS.published().trimEnd().split("\n").at(-1) ?? "";
  return [
    damaged(
      ["forged", "a line of the pinned key that is not its"],
      withEvidence(FIVE, line(forged(EARLIER, DEPLOYMENT)), ALL),
      BY_KEY,
      [kind, 6],
      [1, 5, 5],
    ),
    damaged(
      ["forged-cosignature", "a line of a known witness that is not its"],
      withEvidence(FIVE, line(forged(LOG.published(12, TWO), "witness-b")), ALL),
      BY_WITNESSES,
      [kind, 6],
      [1, 5, 0],
    ),
    damaged(
      ["forged-log", "a line of the pinned key on an anchor's log that is not its"],
      withEvidence(
        FIVE,
        anchor.replace(told, () => twisted),
      ),
      BY_KEY,
      [kind, 6],
      [1, 5, 5],
    ),
    damaged(
      ["forged-anchor-copy", "an anchor's copy of a sound checkpoint with a signature that is nobody's"],
      withEvidence(FIVE, ALL, copy(forged(LOG.published(), DEPLOYMENT))),
      BY_KEY,
      [kind, 6],
      [1, 5, 5],
    ),
  ];
}

function severalFaults(): BundleCase[] {
  const byNobody = forged(LOG.published(), DEPLOYMENT);
  const other = OTHER.log.published();
  return [
    damaged(
      ["several-tie", "a forged signature and an anchor's other history at one position: the first is told"],
      withEvidence(FIVE, line(byNobody), anchorAt(ANCHOR_INDEX, { organisation: other })),
      BY_KEY,
      ["forged signature", 6],
      [1, 5, 5],
    ),
    damaged(
      ["several-lowest", "a forged signature, and an anchor that is wrong below it"],
      withEvidence(FIVE, line(byNobody), anchorAt(PLACE_OF_FIVE + 1, { organisation: LOG.published(5) })),
      BY_KEY,
      [MISMATCH, 1],
      NOTHING,
    ),
    damaged(
      ["several-split", "a forged signature, and a checkpoint trusted before that splits the view below it"],
      withParts({ entries: OTHER.entries, evidence: [TWELVE_OF_OTHER, line(forged(other, DEPLOYMENT))] }),
      { ...BY_KEY, since: EARLIER },
      ["split view", 1],
      NOTHING,
    ),
  ];
}

/** One at least for each of the first six rows of the table. */
export function contradictedBundles(): BundleCase[] {
  return [
    foreign,
    rolledBack,
    mismatches,
    anchorMismatches,
    sinceMismatches,
    splitViews,
    signatures,
    severalFaults,
  ].flatMap((make) => make());
}
