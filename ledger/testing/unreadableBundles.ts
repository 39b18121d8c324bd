/** Bundles whose manifest or evidence is not written as the format says: nothing in them is judged. */
import { formatEntry } from "../bundle.ts";
import { canonicalize } from "../canonicalJson.ts";
import { formatAnchorLine } from "../evidenceLines.ts";
import { formatAnchor } from "../logOfLogs.ts";
import {
  anchorAt,
  damaged,
  LOG,
  LOG_OF_LOGS,
  BY_KEY,
  NOTHING,
  PARTS,
  PLACE_OF_FIVE,
  unreadable,
  withParts,
} from "./bundleCase.ts";
import type { BundleCase } from "./bundleCase.ts";
import { checkpointLine } from "./sampleBundle.ts";
import { ANCHOR_INDEX } from "./sampleEvidence.ts";
import { at } from "./tampering.ts";

/** Few, so that the files are small. */
const ENTRIES = PARTS.entries.slice(0, 2);
const FIRST = checkpointLine(LOG, 1);
const SECOND = checkpointLine(LOG, 2);
const ANCHOR_OF_FIVE = anchorAt(PLACE_OF_FIVE, { organisation: LOG.published(5) });
const ANCHOR = anchorAt(ANCHOR_INDEX);

const file = (...evidence: readonly string[]) => withParts({ entries: ENTRIES, evidence });

function replaceOnce(text: string, part: string, by: string): string {
  if (!text.includes(part)) throw new Error(`There is no ${part}.`);
  return text.replace(part, () => by);
}

function lines(): BundleCase[] {
  const other = (part: string, by: string) => file(replaceOnce(FIRST, part, by));
  const note = (published: unknown) => file(canonicalize({ at: 1, checkpoint: published }));
  const proof = LOG_OF_LOGS.proof(ANCHOR_INDEX);
  const anchor = (text: unknown) => file(canonicalize({ anchor: text }));
  return [
    unreadable(["line-no-members", "a line that says nothing"], file("{}")),
    unreadable(["line-no-json", "a line that is no JSON"], file("checkpoint")),
    unreadable(["line-empty", "an empty line"], file("")),
    unreadable(["line-array", "an array"], file("[]")),
    unreadable(["line-unknown-member", "a member more"], other('"at":', '"alg":"none","at":')),
    unreadable(["line-no-time", "a checkpoint without its time"], other('"at":1767600060000,', "")),
    unreadable(["line-space", "white space"], other('"at":', '"at": ')),
    unreadable(["line-escape", "a needless escape"], other("daybook", "\\u0064aybook")),
    unreadable(
      ["line-order", "members out of order"],
      file(`{${FIRST.slice(FIRST.indexOf('"checkpoint"'), -1)},"at":1}`),
    ),
    unreadable(["line-twice", "a member twice"], other('"at":', '"at":1,"at":')),
    unreadable(["line-time-negative", "a time before 1970"], other("1767600060000", "-1")),
    unreadable(["line-time-fraction", "a time that is no integer"], other("1767600060000", "1.5")),
    unreadable(["line-time-text", "a time that is a text"], other("1767600060000", '"1"')),
    unreadable(["line-time-unsafe", "a time above 2^53 - 1"], other("1767600060000", "9007199254740992")),
    unreadable(["line-carriage-return", "CR LF"], file(`${FIRST}\r`)),
    unreadable(["line-note-number", "a checkpoint that is a number"], note(7)),
    unreadable(["line-note-text", "a checkpoint that is no note"], note("x")),
    unreadable(
      ["line-note-unsigned", "a checkpoint without signatures"],
      note(LOG.published(1).split("\n\n")[0]),
    ),
    unreadable(
      ["line-note-size", "a size with a leading zero"],
      note(replaceOnce(LOG.published(1), "\n1\n", "\n01\n")),
    ),
    unreadable(
      ["line-note-origin", "an origin of another form"],
      note(replaceOnce(LOG.published(1), "/org/", "/orgs/")),
    ),
    unreadable(["line-event", "an event where evidence is due"], file(at(ENTRIES.map(formatEntry), 1))),
    unreadable(["line-anchor-number", "an anchor that is a number"], anchor(7)),
    unreadable(["line-anchor-text", "an anchor that is no proof file"], anchor(LOG.published(1))),
    unreadable(
      ["line-anchor-extra", "an anchor of what is no checkpoint"],
      file(formatAnchorLine(formatAnchor("x", proof))),
    ),
    unreadable(
      ["line-anchor-empty", "an anchor of the empty ledger's checkpoint"],
      file(formatAnchorLine(formatAnchor(LOG.published(0), proof))),
    ),
    unreadable(
      ["line-anchor-log", "an anchor in an organisation's log"],
      file(formatAnchorLine(formatAnchor(LOG.published(), LOG.proof(3)))),
    ),
  ];
}

function places(): BundleCase[] {
  return [
    unreadable(["order-checkpoints", "checkpoints out of order"], file(SECOND, FIRST)),
    unreadable(["order-size-twice", "one size twice"], file(FIRST, FIRST)),
    unreadable(["order-anchor-first", "a checkpoint after an anchor"], file(ANCHOR, FIRST)),
    unreadable(["order-anchors", "anchors out of order"], file(ANCHOR, ANCHOR_OF_FIVE)),
    unreadable(["order-anchor-twice", "one anchor twice"], file(ANCHOR, ANCHOR)),
  ];
}

function counts(): BundleCase[] {
  const sound = file(FIRST, SECOND);
  const counted = (count: string) => replaceOnce(sound, '"evidence":2', `"evidence":${count}`);
  const [manifest = "", first = ""] = sound.split("\n");
  return [
    unreadable(["count-more", "a line of evidence less than the manifest says"], counted("3")),
    damaged(
      ["count-fewer", "a line of evidence more than the manifest says"],
      counted("1"),
      BY_KEY,
      ["not canonical", 1],
      NOTHING,
    ),
    unreadable(["count-negative", "a negative number of lines"], counted("-1")),
    unreadable(["count-fraction", "a number of lines in another spelling"], counted("2.0")),
    unreadable(["count-too-many", "more than 100,000 lines"], counted("100001")),
    unreadable(["count-none", "no number of lines"], replaceOnce(sound, ',"evidence":2', "")),
    unreadable(
      ["count-in-plain", "a number of lines in a plain export"],
      replaceOnce(sound, "daybook-bundle/1", "daybook-ledger/1"),
    ),
    unreadable(
      ["format-later", "a format to come"],
      replaceOnce(sound, "daybook-bundle/1", "daybook-bundle/2"),
    ),
    unreadable(["cut-before-last", "an end before the last line of evidence"], `${manifest}\n${first}\n`),
    unreadable(["cut-in-line", "a line of evidence without a newline at its end"], `${manifest}\n${first}`),
    unreadable(["cut-after-manifest", "an end after the manifest"], `${manifest}\n`),
  ];
}

export const unreadableBundles = (): BundleCase[] => [...lines(), ...places(), ...counts()];
