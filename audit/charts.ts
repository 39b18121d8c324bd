/** Charts as inline SVG: no script, no font, no request. Colours come from the page's variables. */
import type { AgreeingCheckpoint } from "../ledger/judgeEvidence.ts";
import { escape, moment } from "./html.ts";
import type { Buckets } from "./reportData.ts";

const WIDTH = 920;
const LEFT = 52;
const RIGHT = 12;
const PLOT = WIDTH - LEFT - RIGHT;
const KINDS = [
  "booking",
  "payment",
  "member",
  "service",
  "organization",
  "invitation",
  "stripeAccount",
  "export",
];

function svg(height: number, title: string, content: string): string {
  const label = escape(title);
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${label}"><title>${label}</title>${content}</svg>`;
}

function text(x: number, y: number, content: string, anchor = "start"): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${escape(content)}</text>`;
}

function colour(kind: string): string {
  return `c${Math.max(0, KINDS.indexOf(kind))}`;
}

/** The first and the last moment under a plot. */
function timeAxis(from: number, to: number, y: number): string {
  return text(LEFT, y, moment(from)) + text(WIDTH - RIGHT, y, moment(to), "end");
}

/** Events over time, stacked by the kind of their stream. */
export function eventsOverTime({ from, widthMs, counts }: Buckets): string {
  const height = 240;
  const base = height - 56;
  const most = Math.max(
    1,
    ...counts.map((bucket) => [...bucket.values()].reduce((sum, count) => sum + count, 0)),
  );
  const step = PLOT / Math.max(1, counts.length);
  const scale = (base - 14) / most;
  const bars = counts.map((bucket, index) => {
    let top = base;
    const parts = KINDS.filter((kind) => bucket.has(kind)).map((kind) => {
      const count = bucket.get(kind) ?? 0;
      top -= count * scale;
      const x = (LEFT + index * step).toFixed(2);
      const size = `width="${Math.max(1, Math.min(step - 1, 40)).toFixed(2)}" height="${(count * scale).toFixed(2)}"`;
      const tip = `${moment(from + index * widthMs)}: ${count} ${kind}`;
      return `<rect class="${colour(kind)}" x="${x}" y="${top.toFixed(2)}" ${size}><title>${escape(tip)}</title></rect>`;
    });
    return parts.join("");
  });
  const used = KINDS.filter((kind) => counts.some((bucket) => bucket.has(kind)));
  const legend = used.map(
    (kind, index) =>
      `<rect class="${colour(kind)}" x="${LEFT + index * 110}" y="${height - 16}" width="10" height="10"/>` +
      text(LEFT + index * 110 + 15, height - 7, kind),
  );
  const grid = [0, 0.5, 1].map((share) => {
    const y = base - share * most * scale;
    const line = `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y.toFixed(1)}" y2="${y.toFixed(1)}"/>`;
    const label = share === 0.5 && most % 2 === 1 ? "" : String(Math.round(share * most));
    return line + text(LEFT - 6, y + 4, label, "end");
  });
  const axis = timeAxis(from, from + counts.length * widthMs, base + 18);
  return svg(height, "Events over time", grid.join("") + bars.join("") + axis + legend.join(""));
}

/** One bar for each name, the longest first. */
export function ranking(title: string, counts: ReadonlyMap<string, number>, rowsMax = 14): string {
  const sorted = [...counts].sort((left, right) => right[1] - left[1] || (left[0] < right[0] ? -1 : 1));
  const shown = sorted.slice(0, rowsMax);
  const rest = sorted.slice(rowsMax).reduce((sum, [, count]) => sum + count, 0);
  if (rest > 0) shown.push([`${sorted.length - rowsMax} others`, rest]);
  const most = Math.max(1, ...shown.map(([, count]) => count));
  const labels = 290;
  const rows = shown.map(([name, count], index) => {
    const y = index * 22;
    const width = ((WIDTH - labels - 80) * count) / most;
    const bar = `<rect class="bar" x="${labels}" y="${y + 4}" width="${Math.max(1, width).toFixed(1)}" height="14"/>`;
    return text(labels - 8, y + 16, name, "end") + bar + text(labels + width + 8, y + 16, String(count));
  });
  return svg(Math.max(1, shown.length) * 22 + 4, title, rows.join(""));
}

interface Mark {
  readonly row: string;
  readonly time: number;
  readonly tip: string;
}

function marksOf(checkpoints: readonly AgreeingCheckpoint[]): Mark[] {
  return checkpoints.flatMap(({ at, size, cosignatures, anchor }): Mark[] => {
    const made =
      at === undefined ? [] : [{ row: "checkpoint made", time: at, tip: `${size} events, ${moment(at)}` }];
    const seen = [...cosignatures, ...(anchor?.cosignatures ?? [])].map(({ witness, time }) => ({
      row: witness.name,
      time: time * 1000,
      tip: `${witness.name} cosigned the checkpoint that covers ${size} events, ${moment(time * 1000)}`,
    }));
    return [...made, ...seen];
  });
}

/** When checkpoints were made and by which witnesses they were cosigned; undefined when no time is known. */
export function checkpointTimeline(checkpoints: readonly AgreeingCheckpoint[]): string | undefined {
  const marks = marksOf(checkpoints);
  if (marks.length === 0) return undefined;
  const rows = [...new Set(marks.map(({ row }) => row))];
  const from = Math.min(...marks.map(({ time }) => time));
  const to = Math.max(...marks.map(({ time }) => time));
  const labels = 210;
  const left = labels + 10;
  const x = (time: number) => left + ((WIDTH - RIGHT - 10 - left) * (time - from)) / Math.max(1, to - from);
  const y = (row: string) => 18 + rows.indexOf(row) * 30;
  const lines = rows.map((row) => {
    const line = `<line class="grid" x1="${left}" x2="${WIDTH - RIGHT}" y1="${y(row)}" y2="${y(row)}"/>`;
    return text(labels, y(row) + 4, row, "end") + line;
  });
  const dots = marks.map(({ row, time, tip }) => {
    const kind = row === "checkpoint made" ? "made" : "seen";
    const place = `cx="${x(time).toFixed(1)}" cy="${y(row)}"`;
    return `<circle class="${kind}" ${place} r="5"><title>${escape(tip)}</title></circle>`;
  });
  const base = rows.length * 30 + 24;
  const axis =
    text(left, base, moment(from)) + (to > from ? text(WIDTH - RIGHT, base, moment(to), "end") : "");
  return svg(base + 8, "Checkpoints and cosignatures", lines.join("") + dots.join("") + axis);
}
