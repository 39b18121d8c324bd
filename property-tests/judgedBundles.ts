/**
 * Random bundles with their evidence, and auditors who trust this or that: checkpoints of the ledger, of other histories
 * of it and of strangers, signed by whom they should be or not, anchors in one log of logs or in another, chains cut and
 * damaged, lines out of order, bytes changed. What each is worth is for two verifiers to agree on.
 */
import { formatManifest } from "../ledger/bundle.ts";
import { formatAnchorLine, formatCheckpointLine } from "../ledger/evidenceLines.ts";
import { sha256Noble } from "../ledger/hash.ts";
import { formatAnchor, logOfLogsLeafHash } from "../ledger/logOfLogs.ts";
import { formatVerifierKey } from "../ledger/noteKeys.ts";
import { formatOrigin } from "../ledger/origin.ts";
import type { Origin } from "../ledger/origin.ts";
import type { AuditCase } from "../ledger/testing/auditCase.ts";
import { forged, signedBy, STRANGER } from "../ledger/testing/bundleCase.ts";
import { leafData, naiveLeaf } from "../ledger/testing/naiveTree.ts";
import { bundleText, rewrittenFrom } from "../ledger/testing/sampleBundle.ts";
import {
  DEPLOYMENT,
  deploymentKey,
  LOG_ORIGIN,
  ORG_ORIGIN,
  organisationLog,
  sampleEntries,
  SampleLog,
  samplePolicy,
  WITNESSES,
} from "../ledger/testing/sampleEvidence.ts";
import { SAMPLE_ORG_ID, sampleId } from "../ledger/testing/sampleLedger.ts";
import { at as itemAt } from "../ledger/testing/tampering.ts";
import type { LedgerEntry } from "../ledger/verify.ts";
import type { Draw } from "./bundleDamages.ts";

export interface JudgedBundle {
  readonly bytes: Uint8Array;
  readonly asked: AuditCase;
}

const pick = <Item>(items: readonly Item[], draw: Draw): Item => itemAt(items, 1 + draw(items.length));
/** True once in so many times. */
const rarely = (draw: Draw, times: number): boolean => draw(times) === 0;

interface History {
  readonly entries: readonly LedgerEntry[];
  readonly log: SampleLog;
}

const COUNT = 23;
/** Few, so that checkpoints, anchors and trusted checkpoints meet. The last two are beyond the ledger. */
const SIZES = [0, 1, 3, 5, 8, 12, 17, 22, COUNT, 24, 30];
const BEYOND = Array.from({ length: 10 }, (_, index) => naiveLeaf(leafData(index)));

function longer({ origin, leaves }: SampleLog): SampleLog {
  return new SampleLog(origin, [...leaves, ...BEYOND]);
}

const HISTORIES: readonly History[] = [
  { entries: sampleEntries(sha256Noble), log: organisationLog() },
  ...[4, 9, 18].map(rewrittenFrom),
].map(({ entries, log }) => ({ entries, log: longer(log) }));

const STRANGE_ORIGINS: readonly Origin[] = [
  { kind: "organisation", deployment: DEPLOYMENT, orgId: sampleId("org", 2) },
  { kind: "organisation", deployment: "other.example", orgId: SAMPLE_ORG_ID },
  LOG_ORIGIN,
];
const STRANGE_LOGS = STRANGE_ORIGINS.map((origin) => new SampleLog(origin, itemAt(HISTORIES, 1).log.leaves));
const LOGS = [...HISTORIES.map(({ log }) => log), ...STRANGE_LOGS];

/** A leaf for every checkpoint that may be drawn, by its places in `LOGS` and `SIZES`; some can't be leaves. */
const PLACES = LOGS.flatMap((log, at) =>
  SIZES.map((size) =>
    log.origin.kind === "organisation" && size > 0
      ? logOfLogsLeafHash(log.checkpoint(size), sha256Noble)
      : naiveLeaf(leafData(at)),
  ),
);
const LOGS_OF_LOGS = [
  new SampleLog(LOG_ORIGIN, PLACES),
  new SampleLog(LOG_ORIGIN, PLACES.with(0, naiveLeaf(leafData(1)))),
  new SampleLog(LOG_ORIGIN, PLACES.slice(0, -5)),
  new SampleLog({ kind: "log of logs", deployment: "other.example" }, PLACES),
];

/** Signing and proving take long, and the same is drawn again and again. */
function keeper<Made>(): (name: string, make: () => Made) => Made {
  const made = new Map<string, Made>();
  return (name, make) => {
    const known = made.get(name) ?? make();
    made.set(name, known);
    return known;
  };
}
const keptNote = keeper<string>();
const keptProof = keeper<ReturnType<SampleLog["proof"]>>();

/** Two are a quorum. */
const COSIGNERS = [[], [], WITNESSES.slice(0, 1), WITNESSES.slice(0, 2), WITNESSES.slice(1)];

function drawNote(log: SampleLog, size: number, draw: Draw): string {
  const isStrangers = rarely(draw, 6) && log.origin === ORG_ORIGIN;
  const witnesses = pick(COSIGNERS, draw);
  const forgery = rarely(draw, 20) ? pick(["", "witness-a", "witness-b"], draw) : undefined;
  const origin = formatOrigin(log.origin);
  const names = witnesses.map(({ name }) => name).join();
  const at = LOGS_OF_LOGS.indexOf(log) + 10 * LOGS.indexOf(log);
  const note = keptNote([at, size, isStrangers, names].join(), () =>
    signedBy(isStrangers ? STRANGER : deploymentKey(origin), log.checkpoint(size), witnesses),
  );
  if (forgery === undefined) return note;
  const signer = forgery === "" ? origin : `${forgery}.example`;
  return note.includes(`— ${signer} `) ? forged(note, signer) : note;
}

/** The log of the ledger itself most often. */
function drawLog(own: SampleLog, draw: Draw): SampleLog {
  return rarely(draw, 12) ? pick(LOGS, draw) : own;
}

function drawAnchor(own: SampleLog, size: number, draw: Draw): string {
  const log = drawLog(own, draw);
  const logOfLogs = rarely(draw, 5) ? pick(LOGS_OF_LOGS, draw) : itemAt(LOGS_OF_LOGS, 1);
  const place = LOGS.indexOf(log) * SIZES.length + SIZES.indexOf(size);
  const index = rarely(draw, 10) ? place ^ 1 : place;
  const at = Math.min(index, logOfLogs.leaves.length - 1);
  const proof = keptProof([LOGS_OF_LOGS.indexOf(logOfLogs), at].join(), () => logOfLogs.proof(at));
  const checkpoint = drawNote(logOfLogs, logOfLogs.leaves.length, draw);
  return formatAnchorLine(formatAnchor(drawNote(log, size, draw), { ...proof, checkpoint }));
}

function drawSizes(draw: Draw, most: number): number[] {
  const sizes = Array.from({ length: draw(most + 1) }, () =>
    pick(rarely(draw, 10) ? SIZES : SIZES.slice(0, -2), draw),
  );
  return [...new Set(sizes)].sort((left, right) => left - right);
}

function drawEvidence(own: SampleLog, draw: Draw): string[] {
  const checkpoints = drawSizes(draw, 5).map((size) =>
    formatCheckpointLine(drawNote(drawLog(own, draw), size, draw), draw(10)),
  );
  const anchors = drawSizes(draw, 3)
    .filter((size) => size > 0)
    .map((size) => drawAnchor(own, size, draw));
  const lines = [...checkpoints, ...anchors];
  if (!rarely(draw, 12) || lines.length === 0) return lines;
  const [from, to] = [draw(lines.length), draw(lines.length)];
  return lines.toSpliced(from, draw(2)).toSpliced(to, 0, lines[from] ?? "");
}

/** The entries, sound or damaged, and the head that the manifest names. */
function drawEntries(entries: readonly LedgerEntry[], draw: Draw): Parameters<typeof bundleText>[0] {
  const seq = 1 + draw(entries.length);
  const entry = itemAt(entries, seq);
  const evidence: readonly string[] = [];
  const head = { count: entries.length, hash: itemAt(entries, entries.length).hash };
  switch (draw(12)) {
    case 0:
      return { entries: entries.slice(0, seq), evidence };
    case 1:
      return { entries: entries.slice(0, seq), evidence, head };
    case 2:
      return { entries: entries.with(seq - 1, { ...entry, hash: head.hash }), evidence, head };
    case 3:
      return { entries: entries.toSpliced(seq - 1, 1), evidence, head };
    case 4: {
      // Another history's line claims a place below the one where it stands, or links to nothing.
      const rival = itemAt(itemAt(HISTORIES, 1 + draw(HISTORIES.length)).entries, 1 + draw(seq));
      return { entries: entries.toSpliced(seq, 0, rival), evidence, head };
    }
    default:
      return { entries, evidence, head };
  }
}

const KEY = formatVerifierKey(deploymentKey());
const TRUSTS: readonly AuditCase[] = [
  {},
  { keys: [KEY] },
  { keys: [KEY] },
  { policy: samplePolicy() },
  { policy: samplePolicy() },
  { policy: samplePolicy("a") },
  { policy: samplePolicy("c") },
  { policy: samplePolicy("c") },
  { policy: samplePolicy("none"), keys: [formatVerifierKey(STRANGER)] },
  { keys: [formatVerifierKey(deploymentKey(formatOrigin(ORG_ORIGIN)))] },
  { keys: [formatVerifierKey(STRANGER)] },
];

function drawTrust(draw: Draw): AuditCase {
  const trust = pick(TRUSTS, draw);
  if (!rarely(draw, 3)) return trust;
  const log = rarely(draw, 8) ? pick(LOGS, draw) : pick(HISTORIES, draw).log;
  return { ...trust, since: drawNote(log, pick(SIZES, draw), draw) };
}

/** One byte changed, left out or put in, in front of the first entry more often than behind it. */
function mistyped(bytes: Uint8Array, draw: Draw): Uint8Array {
  const opening = bytes.indexOf(0x0a, Math.max(0, Buffer.from(bytes).indexOf('{"event":') - 1));
  const at = draw(draw(3) > 0 && opening > 0 ? opening : bytes.length);
  const typed = rarely(draw, 2) ? draw(256) : (bytes[at] ?? 0) ^ (1 << draw(8));
  return Buffer.concat([
    bytes.subarray(0, at),
    Uint8Array.of(typed).subarray(draw(2)),
    bytes.subarray(at + draw(2)),
  ]);
}

/** Draws one. */
export function drawBundle(draw: Draw): JudgedBundle {
  const { entries, log } = pick(HISTORIES, draw);
  const evidence = drawEvidence(log, draw);
  const parts = drawEntries(entries, draw);
  const text = bundleText({ ...parts, evidence });
  const end = text.indexOf("\n");
  const manifest = JSON.parse(text.slice(0, end)) as Parameters<typeof formatManifest>[0];
  const counted = Math.max(0, evidence.length + draw(3) - 1);
  const opening = rarely(draw, 15) ? formatManifest({ ...manifest, evidence: counted }) : text.slice(0, end);
  const bytes = new TextEncoder().encode(opening + text.slice(end));
  return { bytes: rarely(draw, 8) ? mistyped(bytes, draw) : bytes, asked: drawTrust(draw) };
}
