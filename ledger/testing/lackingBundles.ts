/** Bundles that nobody vouches for as the auditor asks, and bundles whose chain is damaged too. */
import { sha256Noble } from "../hash.ts";
import { formatVerifierKey } from "../noteKeys.ts";
import {
  anchorAt,
  BY_KEY,
  BY_WITNESSES,
  COUNT,
  damaged,
  line,
  LOG,
  NOTHING,
  ONE,
  ORGANISATION_KEY,
  OTHER,
  PARTS,
  signedBy,
  STRANGER,
  STRANGERS,
  TWO,
  withEvidence,
  withParts,
} from "./bundleCase.ts";
import type { BundleCase } from "./bundleCase.ts";
import { checkpointLine } from "./sampleBundle.ts";
import {
  ANCHOR_INDEX,
  cosigned,
  COSIGNED_AT,
  DEPLOYMENT,
  deploymentKey,
  SampleLog,
  samplePolicy,
} from "./sampleEvidence.ts";
import { at, bundleOf, sampleChain, stranger } from "./tampering.ts";

const FIVE = checkpointLine(LOG, 5);
const ALL = checkpointLine(LOG, COUNT);

const UNSIGNED = ["unsigned", 1] as const;
const NOT_COSIGNED = ["not cosigned", 1] as const;

function unsigned(): BundleCase[] {
  const EMPTY = checkpointLine(LOG, 0);
  const byStranger = [5, COUNT].map((size) => line(signedBy(STRANGER, LOG.checkpoint(size), TWO)));
  return [
    damaged(
      ["unsigned-but-empty", "the pinned key signed the checkpoint of no event alone"],
      withEvidence(EMPTY, ...byStranger),
      BY_KEY,
      UNSIGNED,
      [3, 0, 0],
      COUNT,
    ),
    damaged(
      ["unsigned", "no line is of the pinned key"],
      withEvidence(...byStranger),
      BY_KEY,
      UNSIGNED,
      [2, 0, 0],
      COUNT,
    ),
    damaged(
      ["unsigned-cosigned", "a quorum cosigned what no pinned key signed"],
      withEvidence(...byStranger),
      BY_WITNESSES,
      UNSIGNED,
      [2, 0, 0],
      COUNT,
    ),
    damaged(["unsigned-none", "no evidence, and a key"], withEvidence(), BY_KEY, UNSIGNED, NOTHING, COUNT),
    damaged(
      ["unsigned-plain", "a plain export, and a key"],
      bundleOf(PARTS.entries),
      BY_KEY,
      UNSIGNED,
      NOTHING,
      COUNT,
    ),
    damaged(
      ["unsigned-log-key", "the pinned key counts for the log of logs alone"],
      withParts({}),
      { keys: [formatVerifierKey(deploymentKey(`${DEPLOYMENT}/log`))] },
      UNSIGNED,
      [3, 0, 0],
      COUNT,
    ),
  ];
}

function notCosigned(): BundleCase[] {
  const twice = cosigned(LOG.published(COUNT, ONE), ONE, COSIGNED_AT + 60);
  return [
    damaged(
      ["not-cosigned", "one witness of the two that are asked for"],
      withEvidence(checkpointLine(LOG, COUNT, ONE)),
      BY_WITNESSES,
      NOT_COSIGNED,
      [1, COUNT, 0],
      COUNT,
    ),
    damaged(
      ["not-cosigned-but-empty", "a quorum cosigned the checkpoint of no event alone"],
      withEvidence(checkpointLine(LOG, 0, TWO), checkpointLine(LOG, COUNT, ONE)),
      BY_WITNESSES,
      NOT_COSIGNED,
      [2, COUNT, 0],
      COUNT,
    ),
    damaged(
      ["not-cosigned-twice", "one witness, twice"],
      withEvidence(line(twice)),
      BY_WITNESSES,
      NOT_COSIGNED,
      [1, COUNT, 0],
      COUNT,
    ),
    damaged(
      ["not-cosigned-halves", "one witness on the checkpoint, another on the log of logs"],
      withEvidence(checkpointLine(LOG, COUNT, ONE), anchorAt(ANCHOR_INDEX, { witnesses: TWO.slice(1) })),
      BY_WITNESSES,
      NOT_COSIGNED,
      [1, COUNT, 0],
      COUNT,
    ),
    damaged(
      ["not-cosigned-log", "a quorum cosigned a log of logs that no pinned key signed"],
      withEvidence(ALL, anchorAt(ANCHOR_INDEX, { witnesses: TWO })),
      { policy: samplePolicy().replace(/^log .*/m, `log ${formatVerifierKey(ORGANISATION_KEY)}`) },
      NOT_COSIGNED,
      [1, COUNT, 0],
      COUNT,
    ),
  ];
}

function chains(): BundleCase[] {
  const altered = (seq: number, entries = PARTS.entries) =>
    entries.with(seq - 1, { ...at(entries, seq), hash: "0".repeat(64) });
  // Nine sound events, then one that claims the place of an earlier one.
  const claiming = (seq: number) => OTHER.entries.toSpliced(9, 0, stranger(sampleChain(sha256Noble), seq));
  const theirs = new SampleLog(STRANGERS, LOG.leaves);
  const wrongEight = line(signedBy(ORGANISATION_KEY, { ...OTHER.log.checkpoint(9), size: 8 }));
  return [
    damaged(
      ["chain-above", "an event altered above two checkpoints: they still prove what is below it"],
      withParts({ entries: altered(14) }),
      BY_KEY,
      ["altered", 14],
      [2, 12, 12],
    ),
    damaged(
      ["chain-below", "an event altered below every checkpoint"],
      withParts({ entries: altered(3) }),
      BY_KEY,
      ["altered", 3],
      NOTHING,
    ),
    damaged(
      ["chain-not-asked", "a damaged chain is not asked who signed it"],
      withParts({ entries: altered(14), evidence: [] }),
      BY_KEY,
      ["altered", 14],
      NOTHING,
    ),
    damaged(
      [
        "chain-foreign-above",
        "another organisation's checkpoint above the damage: it is held against nothing",
      ],
      withParts({ entries: altered(14), evidence: [FIVE, checkpointLine(theirs, 22)] }),
      BY_KEY,
      ["altered", 14],
      [1, 5, 5],
    ),
    damaged(
      ["chain-above-mismatch", "a checkpoint of another history, and an event altered above it"],
      withParts({ entries: altered(20, OTHER.entries) }),
      BY_KEY,
      ["checkpoint mismatch", 6],
      [1, 5, 5],
    ),
    damaged(
      ["chain-tie", "the chain's damage and the evidence's at one position: the chain's is told"],
      withParts({ entries: claiming(6), evidence: [FIVE, wrongEight] }),
      BY_KEY,
      ["inserted", 6],
      [1, 5, 5],
      9,
    ),
    damaged(
      ["chain-lower", "an event that claims a place below the evidence's fault"],
      withParts({ entries: claiming(3), evidence: [FIVE, wrongEight] }),
      BY_KEY,
      ["inserted", 3],
      [1, 5, 5],
      9,
    ),
    damaged(
      ["chain-head", "another head than was expected, and checkpoints that agree below it"],
      withParts({}),
      { ...BY_KEY, expectHead: `${COUNT}:${"0".repeat(64)}` },
      ["altered", COUNT],
      [2, 12, 12],
    ),
  ];
}

export const lackingBundles = (): BundleCase[] => [...unsigned(), ...notCosigned(), ...chains()];
