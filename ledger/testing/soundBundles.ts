/** Bundles that are intact, and what each proves to whom. */
import { signNoble } from "../ed25519.ts";
import { formatVerifierKey } from "../noteKeys.ts";
import { formatNote, parseNote, signNote } from "../signedNote.ts";
import {
  anchorAt,
  BY_KEY,
  BY_WITNESSES,
  COUNT,
  forged,
  intact,
  line,
  LOG,
  NOBODY,
  NOTHING,
  ORGANISATION_KEY,
  PARTS,
  PLACE_OF_FIVE,
  STRANGER,
  TWO,
  withEvidence,
  withParts,
} from "./bundleCase.ts";
import type { BundleCase } from "./bundleCase.ts";
import { checkpointLine } from "./sampleBundle.ts";
import { ANCHOR_INDEX, samplePolicy, WITNESSES } from "./sampleEvidence.ts";
import { bundleOf } from "./tampering.ts";

/** A checkpoint of all events with the line of a signer whom nobody knows in front of the known one's. */
function withStranger(): string {
  const note = parseNote(LOG.published());
  if (!note.ok) throw new Error(note.reason);
  const { text, signatures } = note.value;
  return formatNote({ text, signatures: [signNote(text, STRANGER, signNoble), ...signatures] });
}

function byNumber(): BundleCase[] {
  const sizes = Array.from({ length: COUNT + 1 }, (_, size) => size);
  return [
    intact(["intact-none", "no evidence, no key"], withEvidence(), NOBODY, NOTHING),
    intact(
      ["intact-one", "one checkpoint of all events, its key pinned"],
      withEvidence(checkpointLine(LOG, COUNT)),
      BY_KEY,
      [1, COUNT, COUNT],
    ),
    intact(["intact-many-no-key", "checkpoints and an anchor, no key"], withParts({}), NOBODY, [3, 0, 0]),
    intact(["intact-many", "checkpoints and an anchor, the key pinned"], withParts({}), BY_KEY, [
      3,
      COUNT,
      COUNT,
    ]),
    intact(
      ["intact-every-size", "a checkpoint of every size from 0"],
      withEvidence(...sizes.map((size) => checkpointLine(LOG, size))),
      BY_KEY,
      [COUNT + 1, COUNT, COUNT],
    ),
    intact(
      ["intact-empty", "no event, and the checkpoint of none"],
      withParts({ entries: [], evidence: [checkpointLine(LOG, 0)] }),
      BY_KEY,
      [1, 0, 0],
      0,
    ),
    intact(
      ["intact-newer", "events that are newer than the last checkpoint"],
      withParts({ evidence: PARTS.evidence.slice(0, 2) }),
      BY_KEY,
      [2, 12, 12],
    ),
  ];
}

function byQuorum(): BundleCase[] {
  const anchors = [
    anchorAt(PLACE_OF_FIVE, { organisation: LOG.published(5), witnesses: TWO }),
    anchorAt(ANCHOR_INDEX),
  ];
  return [
    intact(
      ["intact-witnessed", "a quorum cosigned one checkpoint, and the log of logs that holds the last"],
      withParts({}),
      BY_WITNESSES,
      [3, COUNT, COUNT],
    ),
    intact(
      ["intact-witnessed-directly", "a quorum cosigned an older checkpoint only"],
      withParts({ evidence: PARTS.evidence.slice(0, 3) }),
      BY_WITNESSES,
      [3, COUNT, 12],
    ),
    intact(
      ["intact-anchor-alone", "an anchor whose checkpoint has no line of its own"],
      withEvidence(anchorAt(ANCHOR_INDEX, { witnesses: TWO })),
      BY_WITNESSES,
      [1, COUNT, COUNT],
    ),
    intact(
      ["intact-anchors", "two anchors in one log, of which a quorum cosigned the first as it was told there"],
      withEvidence(checkpointLine(LOG, 5), checkpointLine(LOG, 12), ...anchors),
      BY_WITNESSES,
      [3, COUNT, 5],
    ),
    intact(
      ["intact-anchor-first-copy", "the cosignatures of an anchor's copy of a checkpoint that has a line"],
      withEvidence(
        checkpointLine(LOG, 12, TWO),
        checkpointLine(LOG, COUNT),
        anchorAt(ANCHOR_INDEX, { organisation: LOG.published(COUNT, TWO) }),
      ),
      BY_WITNESSES,
      [2, COUNT, 12],
    ),
  ];
}

function byKey(): BundleCase[] {
  const byOne = forged(LOG.published(12, TWO), "daybook");
  return [
    intact(
      ["intact-quorum-none", "a policy that asks for no witness"],
      withEvidence(checkpointLine(LOG, 12)),
      { policy: samplePolicy("none") },
      [1, 12, 12],
    ),
    intact(
      ["intact-key-beside-policy", "a policy without a log, its key pinned beside it"],
      withParts({}),
      { ...BY_KEY, policy: samplePolicy().replace(/^log .*\n/m, "") },
      [3, COUNT, COUNT],
    ),
    intact(
      ["intact-key-of-origin", "a key that counts for the organisation's log alone"],
      withParts({}),
      { keys: [formatVerifierKey(ORGANISATION_KEY)] },
      [3, COUNT, COUNT],
    ),
    intact(
      ["intact-unknown-signer", "a line of an unknown key in front of the pinned one's"],
      withEvidence(line(withStranger())),
      BY_KEY,
      [1, COUNT, COUNT],
    ),
    intact(
      ["intact-forged-no-key", "a signature that is nobody's, and no key to tell"],
      withEvidence(line(byOne)),
      NOBODY,
      [1, 0, 0],
    ),
    intact(
      ["intact-forged-unknown-witness", "a cosignature that is nobody's, of a witness who is not known"],
      withEvidence(line(forged(LOG.published(12, TWO), "witness-a"))),
      BY_KEY,
      [1, 12, 12],
    ),
  ];
}

function bySince(): BundleCase[] {
  const since = LOG.published(12);
  const head = PARTS.entries.at(-1)?.hash ?? "";
  return [
    intact(
      ["intact-since", "a checkpoint trusted before, which has a line"],
      withParts({}),
      { ...BY_KEY, since },
      [3, COUNT, COUNT],
    ),
    intact(
      ["intact-since-between", "a checkpoint trusted before, of a size that no line has"],
      withParts({}),
      { ...BY_KEY, since: LOG.published(9) },
      [4, COUNT, COUNT],
    ),
    intact(
      ["intact-since-witnessed", "the checkpoint trusted before is the one that a quorum cosigned"],
      withEvidence(checkpointLine(LOG, COUNT)),
      { ...BY_WITNESSES, since: LOG.published(12, WITNESSES.slice(1)) },
      [2, COUNT, 12],
    ),
    intact(
      ["intact-since-no-key", "a checkpoint trusted before, and no key"],
      withEvidence(),
      { since },
      [1, 0, 0],
    ),
    intact(
      ["intact-since-plain", "a plain export, held against a checkpoint trusted before"],
      bundleOf(PARTS.entries),
      { ...BY_KEY, since },
      [1, 12, 12],
    ),
    intact(
      ["intact-heads", "heads that were noted, beside the evidence"],
      withParts({}),
      { ...BY_KEY, expectHead: `${COUNT}:${head}`, earlierHead: `5:${PARTS.entries[4]?.hash ?? ""}` },
      [3, COUNT, COUNT],
    ),
  ];
}

export const soundBundles = (): BundleCase[] => [...byNumber(), ...byQuorum(), ...byKey(), ...bySince()];
