/** The report: one page that needs nothing else, to be read on a screen or printed. */
import { witnessesOf } from "../ledger/auditVerdict.ts";
import type { AuditVerdict } from "../ledger/auditVerdict.ts";
import type { EventEnvelope } from "../ledger/event.ts";
import type { AgreeingCheckpoint } from "../ledger/judgeEvidence.ts";
import { checkpointTimeline, eventsOverTime, ranking } from "./charts.ts";
import { duration, escape, moment, table } from "./html.ts";
import { DELIVERIES_MAX } from "./reportData.ts";
import type { ReportData } from "./reportData.ts";
import { REPORT_STYLE } from "./reportStyle.ts";

const CHECKPOINTS_SHOWN = 40;

export interface ReportInput {
  readonly verdict: AuditVerdict;
  readonly data: ReportData;
  /** The name of the file that was read. */
  readonly file: string;
  /** Milliseconds since the epoch. */
  readonly madeAt: number;
}

const code = (value: string): string => `<code>${escape(value)}</code>`;

function section(title: string, ...parts: readonly string[]): string {
  return `<section><h2>${escape(title)}</h2>${parts.join("\n")}</section>`;
}

function list(items: readonly string[], kind: string): string {
  return `<ul class="${kind}">${items.map((item) => `<li>${escape(item)}</li>`).join("")}</ul>`;
}

function headOf({ verdict, file, madeAt }: ReportInput): string {
  const { result, orgId, count, headHash, damage } = verdict;
  const isIntact = result === "intact";
  const facts = [
    ["Organisation", code(orgId ?? "unknown")],
    [isIntact ? "Events" : "Sound events", escape(String(count))],
    [isIntact ? "Head" : "Last sound head", code(`${count}:${headHash ?? "unknown"}`)],
    ["File", code(file)],
    ["Report made", escape(moment(madeAt))],
  ];
  const rows = facts.map(([name = "", value = ""]) => `<dt>${name}</dt><dd>${value}</dd>`).join("");
  const wrong =
    damage === undefined
      ? ""
      : `<p class="damage"><strong>${escape(damage.kind)}</strong> at sequence ${damage.seq}: expected ` +
        `${escape(damage.expected)}; found ${escape(damage.found)}. Nothing from there on is trusted, and this report ` +
        "counts the events before it only.</p>";
  return (
    `<header><p class="kicker">Daybook audit report</p><h1 class="${isIntact ? "good" : "bad"}">` +
    `${isIntact ? "Intact" : "Damaged"}</h1>${wrong}<dl>${rows}</dl></header>`
  );
}

function proofOf({ proven, notProven }: AuditVerdict): string {
  const never = [
    "That what was recorded is true, and that nothing was left unrecorded.",
    "Refusals: they are no events, and the bundle does not hold them.",
  ];
  const yes = proven.length === 0 ? "" : `<h3>Proven</h3>${list(proven, "yes")}`;
  return section("What was proven", yes, `<h3>Not proven</h3>${list([...notProven, ...never], "no")}`);
}

function checkpointRow(checkpoint: AgreeingCheckpoint): string[] {
  const { size, at, signers, anchor } = checkpoint;
  const witnesses = witnessesOf(checkpoint);
  return [
    String(size),
    at === undefined ? "" : escape(moment(at)),
    signers.length === 0 ? "not by a pinned key" : signers.map(({ keyId }) => code(keyId)).join(", "),
    witnesses.length === 0 ? "none known" : escape(witnesses.join(", ")),
    anchor === undefined ? "" : `leaf ${anchor.index} of ${anchor.log.size}`,
  ];
}

function checkpointsOf({ evidence: { checkpoints } }: AuditVerdict): string {
  if (checkpoints.length === 0) return section("Checkpoints", "<p>None that agrees with the events.</p>");
  const shown = checkpoints.slice(-CHECKPOINTS_SHOWN);
  const head = ["Events", "Made (server’s word)", "Signed by key", "Cosigned by", "In the log of logs"];
  const left = checkpoints.length - shown.length;
  const note = left > 0 ? `<p>The newest ${shown.length} of ${checkpoints.length}.</p>` : "";
  return section(
    "Checkpoints and cosignatures",
    checkpointTimeline(checkpoints) ?? "",
    note,
    table(head, shown.map(checkpointRow)),
  );
}

function gapsOf({ gaps }: ReportData): string {
  const rows = gaps.map(({ afterSeq, from, to }) => [
    escape(duration(to - from)),
    `after ${afterSeq}`,
    escape(moment(from)),
    escape(moment(to)),
  ]);
  const note =
    "<p>Sequences have no gap in a sound ledger; these are the longest times without an event.</p>";
  return section("Gaps in time", note, table(["Length", "Event", "From", "To"], rows));
}

function deliveriesOf({ deliveries, deliveryCount }: ReportData): string {
  if (deliveryCount === 0)
    return section("Payments and deliveries", "<p>No event cites a delivery of a provider.</p>");
  const rows = deliveries.map((delivery) => [
    String(delivery.seq),
    escape(delivery.type),
    escape(delivery.amount),
    code(delivery.deliveryId),
    escape(moment(delivery.signedAt * 1000)),
    escape(duration(Math.max(0, delivery.recordedAt - delivery.signedAt * 1000))),
    `<code class="long">${escape(delivery.bodySha256)}</code>`,
  ]);
  const head = [
    "Event",
    "Type",
    "Minor units",
    "Delivery",
    "Signed at",
    "Recorded after",
    "SHA-256 of its body",
  ];
  const note =
    `<p>${deliveryCount} events cite a delivery${deliveryCount > DELIVERIES_MAX ? `; the last ${DELIVERIES_MAX} are shown` : ""}. ` +
    "A provider’s signature is made with a key that the operator has too: compare them with the provider’s own records " +
    "(<code>npm run audit -- payments</code>).</p>";
  return section("Payments and deliveries", note, table(head, rows));
}

function eventRow({ seq, recordedAt, type, stream, actor, source }: EventEnvelope): string[] {
  const by = `${actor.kind}/${actor.id}`;
  return [String(seq), escape(moment(recordedAt)), escape(type), code(stream), code(by), escape(source.kind)];
}

function edgesOf({ first, last, count }: ReportData): string {
  const head = ["Event", "Recorded", "Type", "Stream", "By", "Source"];
  const lastRows = last.filter(({ seq }) => seq > first.length).map(eventRow);
  const more = lastRows.length === 0 ? "" : `<h3>Last</h3>${table(head, lastRows)}`;
  return section(
    `First and last of ${count} events`,
    `<h3>First</h3>${table(head, first.map(eventRow))}`,
    more,
  );
}

/** The whole page. Makes no request: its policy forbids every one. */
export function reportPage(input: ReportInput): string {
  const { verdict, data } = input;
  const policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
  const charts =
    data.count === 0
      ? ""
      : section("Events over time", eventsOverTime(data.buckets)) +
        section("Events by type", ranking("Events by type", data.types)) +
        section("Events by actor", ranking("Events by actor", data.actors));
  const body = [
    headOf(input),
    proofOf(verdict),
    checkpointsOf(verdict),
    charts,
    data.count === 0 ? "" : gapsOf(data),
    deliveriesOf(data),
    data.count === 0 ? "" : edgesOf(data),
  ];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Audit of ${escape(verdict.orgId ?? "a ledger")}: ${verdict.result}</title>
<style>${REPORT_STYLE}</style></head>
<body><main>${body.join("\n")}</main></body></html>
`;
}
