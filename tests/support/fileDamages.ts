/** What somebody can do to an exported bundle, and the verdict on it. */
import { formatEntry } from "../../ledger/bundle.ts";
import { genesisHash, sha256Noble } from "../../ledger/hash.ts";
import type { LedgerEntry } from "../../ledger/verify.ts";
import type { Verdict } from "./auditor.ts";
import { sealed, type EventText } from "./storedLedger.ts";

export type FileDamage = {
  name: string;
  change: (text: string) => string;
  verdict: Verdict;
  /** The verdict with the deployment's key, where it is another. */
  withKey?: Verdict;
};

type Manifest = { orgId: string; count: number; headHash: string; evidence: number };

/** The parts of a bundle; the lines are without their newlines. */
type Parts = { manifest: Manifest; evidence: string[]; events: string[] };

function partsOf(text: string): Parts {
  const [first = "", ...lines] = text.trimEnd().split("\n");
  const manifest = JSON.parse(first) as Manifest;
  const { evidence } = manifest;
  return { manifest, evidence: lines.slice(0, evidence), events: lines.slice(evidence) };
}

function textOf({ manifest, evidence, events }: Parts): string {
  return [JSON.stringify(manifest), ...evidence, ...events].map((line) => `${line}\n`).join("");
}

/** Changes the lines of the events; sequence n is line n − 1. */
const withEvents =
  (change: (events: string[]) => string[]) =>
  (text: string): string => {
    const parts = partsOf(text);
    return textOf({ ...parts, events: change(parts.events) });
  };

const MIDDLE = 10;

/** Changes the line of one sequence. */
const edited = (from: string | RegExp, to: string): ((text: string) => string) =>
  withEvents((events) => {
    const line = events[MIDDLE - 1] ?? "";
    const changed = line.replace(from, to);
    if (changed === line) throw new Error(`no ${String(from)} in ${line}`);
    return events.with(MIDDLE - 1, changed);
  });

function entryLine(event: EventText): { line: string; hash: string } {
  const { text, hash } = sealed(event);
  const entry: LedgerEntry = { text, hash };
  return { line: formatEntry(entry), hash };
}

function eventOfLine(line: string): EventText {
  return (JSON.parse(line) as { event: EventText }).event;
}

/** Another event in the place of one, with its right hash. */
const replaced = (fields: object): ((text: string) => string) =>
  withEvents((events) => {
    const event = { ...eventOfLine(events[MIDDLE - 1] ?? ""), ...fields } as EventText;
    return events.with(MIDDLE - 1, entryLine(event).line);
  });

/** A chain that is sound from its first event to the manifest's head, and not the one that was signed. */
function forged(text: string): string {
  const { manifest, evidence, events } = partsOf(text);
  let prevHash = genesisHash(manifest.orgId, sha256Noble);
  const lines = events.map((line) => {
    const made = entryLine({ ...eventOfLine(line), correlationId: "forged", prevHash });
    prevHash = made.hash;
    return made.line;
  });
  return textOf({ manifest: { ...manifest, headHash: prevHash }, evidence, events: lines });
}

function withoutEvidence(text: string): string {
  const parts = partsOf(text);
  return textOf({ ...parts, manifest: { ...parts.manifest, evidence: 0 }, evidence: [] });
}

export const FILE_DAMAGES: readonly FileDamage[] = [
  { name: "as it was exported", change: (text) => text, verdict: "intact" },
  { name: "P01 one bit of an event", change: edited(":5000", ":4000"), verdict: [MIDDLE, "altered"] },
  {
    name: "P01 another hash",
    change: edited(/"hash":"[0-9a-f]{4}/, '"hash":"0000'),
    verdict: [MIDDLE, "altered"],
  },
  { name: "P13 another version", change: edited('"v":1}', '"v":2}'), verdict: [MIDDLE, "not canonical"] },
  {
    name: "P13 a member that names an algorithm",
    change: replaced({ alg: "none" }),
    verdict: [MIDDLE, "not canonical"],
  },
  {
    name: "P15 white space between members",
    change: edited(',"seq"', ', "seq"'),
    verdict: [MIDDLE, "not canonical"],
  },
  {
    name: "P09 an event that names another organisation",
    change: replaced({ orgId: "org_01ARZ3NDEKTSV4RRFFQ69G5FAV" }),
    verdict: [MIDDLE, "foreign organisation"],
  },
  {
    name: "P23 an event of a type that does not exist yet",
    change: replaced({ type: "booking.foreseen" }),
    verdict: [MIDDLE, "unknown type"],
  },
  {
    name: "P05 neighbours that change places",
    change: withEvents((events) =>
      events.toSpliced(MIDDLE - 1, 2, events[MIDDLE] ?? "", events[MIDDLE - 1] ?? ""),
    ),
    verdict: [MIDDLE, "reordered"],
  },
  {
    name: "P17 a page that is left out",
    change: withEvents((events) => events.toSpliced(4, 5)),
    verdict: [5, "missing"],
  },
  {
    name: "P17 a page that is there twice",
    change: withEvents((events) => events.toSpliced(9, 0, ...events.slice(4, 9))),
    verdict: [10, "duplicated"],
  },
  {
    name: "P17 a file that is cut between two lines",
    change: withEvents((events) => events.slice(0, 9)),
    verdict: [10, "truncated"],
  },
  {
    name: "P17 a file that is cut within a line",
    change: (text) => withEvents((events) => events.slice(0, 10))(text).slice(0, -20),
    verdict: [10, "truncated"],
  },
  {
    name: "P11 a chain that was hashed anew, with the manifest",
    change: forged,
    verdict: [1, "checkpoint mismatch"],
  },
  {
    name: "P11 a chain that was hashed anew, without its checkpoints",
    change: (text) => withoutEvidence(forged(text)),
    verdict: "intact",
    withKey: [1, "unsigned"],
  },
];
