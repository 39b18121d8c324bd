/** What `replay` does: folds an exported ledger, prints rows, and compares them with a server's. */
import Table from "cli-table3";
import { AuditError } from "./auditError.ts";
import { verifyBundleFile } from "./bundleFile.ts";
import { compareModels, OtherLedgerError } from "./compareModels.ts";
import { FoldError } from "./fold/event.ts";
import { createProgress } from "./progress.ts";
import { replay, rowsOf, summarize } from "./replay.ts";
import type { ModelsSummary, PlacedRow, ReplayedModels } from "./replay.ts";
import type { LiveLedger } from "./server.ts";
import { printable } from "./verdictText.ts";

const EXIT_SAME = 0;
const EXIT_DIFFERENT = 1;

export interface ReplayOptions {
  readonly bundle: string;
  readonly asOf?: number;
  readonly stream?: string;
  readonly json?: true;
}

function write(line: string): void {
  process.stdout.write(`${printable(line)}\n`);
}

function writeSummary(seq: number, { tables, digest }: ModelsSummary, { json }: ReplayOptions): void {
  if (json === true) {
    write(JSON.stringify({ seq, digest, tables }));
    return;
  }
  const table = new Table({ style: { head: [], border: [] } });
  table.push(["At sequence", seq], ...tables.map(({ table: name, rows }) => [name, rows]), [
    "Digest",
    digest,
  ]);
  process.stdout.write(`${table.toString()}\n`);
}

/** A row as a list of its members; what is nested in it stays JSON. */
function writeRow({ table, key, row }: PlacedRow, { json }: ReplayOptions): void {
  if (json === true) {
    write(JSON.stringify({ table, key, row }));
    return;
  }
  const shown = new Table({ style: { head: [], border: [] } });
  shown.push([table, printable(key)]);
  for (const [name, value] of Object.entries(row)) {
    shown.push([name, printable(typeof value === "string" ? value : JSON.stringify(value))]);
  }
  process.stdout.write(`${shown.toString()}\n`);
}

function writeRows(models: ReplayedModels, options: ReplayOptions): void {
  let count = 0;
  for (const placed of rowsOf(models, options.stream)) {
    writeRow(placed, options);
    count += 1;
  }
  if (count > 0 || options.stream === undefined) return;
  throw new AuditError(
    `At sequence ${models.seq} there is nothing of ${options.stream}.`,
    "Name a stream as events do, like booking/bkg_…, or a later sequence with --as-of.",
  );
}

function checkOptions({ asOf, stream }: ReplayOptions, ledger: LiveLedger | undefined): void {
  if (ledger === undefined || (asOf === undefined && stream === undefined)) return;
  throw new AuditError(
    "Live rows are of the present: they can't be compared with those of another moment or of one stream.",
    "Leave out --as-of and --stream, or --url.",
  );
}

/** Writes each difference as it is found, and returns how many there are. */
async function writeDifferences(
  ledger: LiveLedger,
  { bundle, json }: ReplayOptions,
  models: ReplayedModels,
  end: Parameters<typeof compareModels>[3],
): Promise<number> {
  let differences = 0;
  for await (const { table, key, kind } of compareModels(ledger, bundle, models, end)) {
    differences += 1;
    write(json === true ? JSON.stringify({ table, key, kind }) : `${table} ${key}: ${kind}`);
  }
  return differences;
}

async function run(options: ReplayOptions, ledger: LiveLedger | undefined): Promise<number> {
  checkOptions(options, ledger);
  const progress = await createProgress(process.stderr);
  const verdict = await verifyBundleFile(options.bundle, [], progress);
  if (verdict.damage !== undefined) {
    const { seq, kind } = verdict.damage;
    process.stderr.write(`Nothing was replayed: the ledger is damaged at sequence ${seq}: ${kind}.\n`);
    return EXIT_DIFFERENT;
  }
  const seq = options.asOf ?? verdict.count;
  if (seq > verdict.count) {
    throw new AuditError(
      `The ledger ends at ${verdict.count}.`,
      `Give --as-of a sequence up to ${verdict.count}.`,
    );
  }
  const models = await replay(options.bundle, seq);
  if (options.stream === undefined) writeSummary(seq, await summarize(options.bundle, models), options);
  if (options.asOf !== undefined || options.stream !== undefined) writeRows(models, options);
  if (ledger === undefined) return EXIT_SAME;
  const differences = await writeDifferences(ledger, options, models, verdict);
  process.stderr.write(
    differences === 0
      ? "The live read models are those of the ledger.\n"
      : `${differences} rows are not what the ledger gives.\n`,
  );
  return differences === 0 ? EXIT_SAME : EXIT_DIFFERENT;
}

/**
 * Replays and, with a server, compares. Exit codes: 0 replayed and the same, 1 damaged, told what can't be, or
 * different. Throws an AuditError when it could not run.
 */
export async function replayBundle(options: ReplayOptions, ledger: LiveLedger | undefined): Promise<number> {
  try {
    return await run(options, ledger);
  } catch (error) {
    if (!(error instanceof FoldError) && !(error instanceof OtherLedgerError)) throw error;
    process.stderr.write(`${printable(error.message)}\n`);
    return EXIT_DIFFERENT;
  }
}
