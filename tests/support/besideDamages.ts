/** What somebody can do to what stands beside the events: head, columns, tree and checkpoints; see `damages`. */
import { textField } from "../../embedded/engine/values/json.ts";
import { ERROR, MIDDLE, type Damage } from "./damage.ts";
import { flipped, type StoredLedger } from "./storedLedger.ts";

/** Events, nodes and head: nothing names the organisation but its checkpoint. */
export function loseLedger(ledger: StoredLedger): void {
  ledger.removeEvents(() => true);
  ledger.removeTree("treeHashes");
  ledger.database.remove("heads", ledger.head());
}

const HEADS: readonly Damage[] = [
  {
    name: "P01 the head's hash",
    change: (ledger) => {
      ledger.setHead({ hash: flipped(ledger.event(19).hash) });
    },
    chain: [19, "altered"],
    attempt: ["define", ERROR],
    check: [19, "altered head"],
  },
  {
    name: "P11 the head set back over an event that stays",
    change: (ledger) => {
      ledger.setHeadBack(18);
    },
    chain: "intact",
    kept: { head: [19, "truncated"] },
    attempt: ["define", ERROR],
    check: [19, "inserted"],
  },
  {
    name: "P01 the head's time, from which the next event's would follow",
    change: (ledger) => {
      ledger.setHead({ recordedAt: Date.now() + 86_400_000 });
    },
    chain: "intact",
    attempt: ["define", ERROR],
    check: [19, "altered head"],
  },
  {
    name: "P01 the head's frontier",
    change: (ledger) => {
      ledger.setHead({ frontier: ["1", "2", "3"].map((digit) => digit.repeat(64)) });
    },
    chain: "intact",
    kept: { key: "intact" },
    signing: [17, "the tree of 19 does not begin with the one that was signed"],
    check: [19, "damaged frontier"],
  },
  {
    // It is not there to be read: that is no verdict, and never "intact". The round knows it by its checkpoint.
    name: "P03 a whole ledger but for its checkpoint",
    change: loseLedger,
    chain: "not run",
    attempt: ["define", ERROR],
    check: [1, "no head"],
  },
];

/** The auditor reads the texts alone, so a column is the host's own check's to find, unless the order follows it. */
const COLUMNS: readonly Damage[] = [
  {
    name: "P01 the column stream beside the text",
    change: (ledger) => {
      ledger.setEvent(MIDDLE, { stream: ledger.event(MIDDLE + 1).stream });
    },
    chain: "intact",
    attempt: [{ cancel: MIDDLE + 1 }, ERROR],
    unread: MIDDLE,
    check: [MIDDLE, "altered"],
  },
  {
    name: "P01 the column type beside the text",
    change: (ledger) => {
      ledger.setEvent(MIDDLE, { type: "booking.cancelled" });
    },
    chain: "intact",
    attempt: [{ cancel: MIDDLE }, ERROR],
    unread: MIDDLE,
    check: [MIDDLE, "altered"],
  },
  {
    name: "P01 the column seq beside the text",
    change: (ledger) => {
      ledger.setEvent(MIDDLE, { seq: 40 });
    },
    chain: [MIDDLE, "reordered"],
    attempt: ["define", ERROR],
    unread: 40,
    check: [MIDDLE, "missing"],
  },
];

/** The note of a checkpoint with another root, or another signature, under the key's name. */
function noteWith(ledger: StoredLedger, line: 2 | 4): { note: string } {
  const lines = textField(ledger.checkpoint(), "note").split("\n");
  const text = lines[line] ?? "";
  const at = text.length - 20;
  const other = text.charAt(at) === "A" ? "B" : "A";
  return { note: lines.with(line, text.slice(0, at) + other + text.slice(at + 1)).join("\n") };
}

const FALSE_SIGNATURE = "edited checkpoint: the signature of KEY is not that key's";

const CHECKPOINTS: readonly Damage[] = [
  {
    name: "P01 a node of the tree",
    change: (ledger) => {
      const [tile] = ledger.ofTree("treeHashes");
      if (tile === undefined) throw new Error("no tile");
      ledger.database.replace("treeHashes", tile, { ...tile, hash: flipped(textField(tile, "hash")) });
    },
    chain: "intact",
    kept: { key: "intact" },
    signing: [17, "the tree of 19 does not begin with the one that was signed"],
    check: [16, "damaged tile"],
  },
  {
    name: "P01 the column root beside the note of a checkpoint",
    change: (ledger) => {
      ledger.setCheckpoint({ root: flipped(textField(ledger.checkpoint(), "root")) });
    },
    chain: "intact",
    kept: { key: "intact" },
    signing: [17, "edited checkpoint: a column disagrees with the note"],
    check: [17, "edited checkpoint: a column disagrees with the note"],
  },
  {
    name: "P01 the root in the note of a checkpoint",
    change: (ledger) => {
      ledger.setCheckpoint(noteWith(ledger, 2));
    },
    chain: "intact",
    kept: { key: [1, "checkpoint mismatch"], head: "intact" },
    signing: [17, "edited checkpoint: a column disagrees with the note"],
    check: [17, "edited checkpoint: a column disagrees with the note"],
  },
  {
    name: "P01 the signature in the note of a checkpoint",
    change: (ledger) => {
      ledger.setCheckpoint(noteWith(ledger, 4));
    },
    chain: "intact",
    kept: { key: [1, "forged signature"] },
    signing: [17, FALSE_SIGNATURE],
    check: [17, FALSE_SIGNATURE],
  },
  {
    name: "P03 a checkpoint that was signed",
    change: (ledger) => {
      ledger.removeTree("checkpoints");
    },
    chain: "intact",
    kept: { key: [1, "unsigned"], since: "intact" },
    check: "done",
    log: [17, "a checkpoint that was signed is missing"],
  },
];

export const BESIDE_DAMAGES: readonly Damage[] = [...HEADS, ...COLUMNS, ...CHECKPOINTS];
