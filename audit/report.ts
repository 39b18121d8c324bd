/** What the auditor reads: a small table, or one JSON object for a program. */
import Table from "cli-table3";
import colors from "picocolors";
import type { Verdict } from "../ledger/verify.ts";

/** What was read may try to move the cursor or turn the text around. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

/** One line. `count`, `headSeq` and `headHash` are those of the verified part. */
export function formatJson({ result, orgId, count, headHash, damage }: Verdict): string {
  const found =
    damage === undefined
      ? {}
      : { firstBadSeq: damage.seq, kind: damage.kind, expected: damage.expected, found: damage.found };
  return JSON.stringify({ result, orgId, count, headSeq: count, headHash, ...found });
}

/** A table, coloured when asked for. */
export function formatTable(verdict: Verdict, withColors: boolean): string {
  const { green, red, bold } = colors.createColors(withColors);
  const { damage } = verdict;
  const table = new Table({ style: { head: [], border: [] }, colWidths: [20, 78], wordWrap: true });
  const add = (name: string, value: string) => table.push([name, printable(value)]);
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
  return table.toString();
}
