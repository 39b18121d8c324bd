/** What the auditor reads: a small table, or one JSON object for a program. */
import Table from "cli-table3";
import colors from "picocolors";
import type { AuditVerdict } from "../ledger/auditVerdict.ts";
import type { AgreeingCheckpoint } from "../ledger/judgeEvidence.ts";
import type { ReceiptVerdict } from "./receipts.ts";

/** What was read may try to move the cursor or turn the text around. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

/** The same of a text of several lines. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

/** ISO 8601 of milliseconds since the epoch; the number itself where a calendar has no date for it. */
export function isoTime(timeMs: number): string {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? String(timeMs) : date.toISOString();
}

function checkpointJson({ size, at, signers, witnessedBy, isQuorumMet, anchor }: AgreeingCheckpoint): object {
  return {
    size,
    ...(at === undefined ? {} : { at }),
    signedBy: signers.map(({ name, keyId }) => `${name}+${keyId}`),
    witnessedBy,
    isQuorumMet,
    ...(anchor === undefined
      ? {}
      : {
          logSize: anchor.log.size,
          logSignedBy: anchor.signers.map(({ name, keyId }) => `${name}+${keyId}`),
          logWitnessedBy: anchor.witnessedBy,
        }),
  };
}

/**
 * One line. `count`, `headSeq` and `headHash` are those of the verified part; `signedTo` and `provenTo` the last event
 * that a pinned key signed and that a quorum saw as well; `newest` the newest checkpoint that agrees with the events.
 */
export function formatJson(verdict: AuditVerdict): string {
  const { result, orgId, count, headHash, damage, evidence, proven, notProven } = verdict;
  const found =
    damage === undefined
      ? {}
      : { firstBadSeq: damage.seq, kind: damage.kind, expected: damage.expected, found: damage.found };
  const { signedTo, provenTo, checkpoints } = evidence;
  const newest = checkpoints.at(-1);
  const known = {
    checkpoints: checkpoints.length,
    signedTo,
    provenTo,
    ...(newest === undefined ? {} : { newest: checkpointJson(newest) }),
  };
  const words = { proven, notProven };
  return JSON.stringify({ result, orgId, count, headSeq: count, headHash, ...found, ...known, ...words });
}

type Add = (name: string, value: string) => void;

function createTable(): { readonly table: InstanceType<typeof Table>; readonly add: Add } {
  const table = new Table({ style: { head: [], border: [] }, colWidths: [20, 78], wordWrap: true });
  return { table, add: (name, value) => table.push([name, printable(value)]) };
}

function addWords(add: Add, proven: readonly string[], notProven: readonly string[]): void {
  if (proven.length > 0) add("Proven", proven.join(" "));
  if (notProven.length > 0) add("Not proven", notProven.join(" "));
}

/** A table, coloured when asked for. */
export function formatTable(verdict: AuditVerdict, withColors: boolean): string {
  const { green, red, bold } = colors.createColors(withColors);
  const { damage, evidence } = verdict;
  const { table, add } = createTable();
  const isIntact = verdict.result === "intact";
  table.push(["Result", bold(isIntact ? green("intact") : red("damaged"))]);
  add("Organisation", verdict.orgId ?? "unknown");
  add(isIntact ? "Events" : "Sound events", String(verdict.count));
  // In the form of --expect-head and --earlier-head, ready to be noted for the next audit.
  add(isIntact ? "Head" : "Last sound head", `${verdict.count}:${verdict.headHash ?? "unknown"}`);
  if (damage !== undefined) {
    add("First bad sequence", String(damage.seq));
    add("Kind", damage.kind);
    add("Expected", damage.expected);
    add("Found", damage.found);
  }
  if (evidence.checkpoints.length > 0) add("Checkpoints", String(evidence.checkpoints.length));
  addWords(add, verdict.proven, verdict.notProven);
  return table.toString();
}

/** One line. */
export function formatReceiptJson(verdict: ReceiptVerdict): string {
  if (verdict.result === "not sound") return JSON.stringify(verdict);
  const { result, event, hash, size, proven, notProven } = verdict;
  const { orgId, seq, eventId, stream, type, recordedAt, data } = event;
  const said = { orgId, seq, eventId, stream, type, recordedAt, data };
  return JSON.stringify({ result, ...said, hash, checkpointSize: size, proven, notProven });
}

/** A table, coloured when asked for. */
export function formatReceiptTable(verdict: ReceiptVerdict, withColors: boolean): string {
  const { green, red, bold } = colors.createColors(withColors);
  const { table, add } = createTable();
  const isSound = verdict.result === "sound";
  table.push(["Result", bold(isSound ? green("sound") : red("not sound"))]);
  if (!isSound) {
    add("Reason", verdict.reason);
    return table.toString();
  }
  const { event } = verdict;
  add("Event", `${event.type}, ${event.eventId}`);
  add("Organisation", event.orgId);
  add("Sequence", String(event.seq));
  add("Recorded at", isoTime(event.recordedAt));
  add("By", `${event.actor.kind}/${event.actor.id}`);
  add("Data", JSON.stringify(event.data));
  addWords(add, verdict.proven, verdict.notProven);
  return table.toString();
}
