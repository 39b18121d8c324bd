/** What the maintenance commands do, and what they print. */
import { existsSync } from "node:fs";
import path from "node:path";
import Table from "cli-table3";
import colors from "picocolors";
import { HostError } from "../engine/errors.ts";
import { checkDatabaseFile, DATABASE_FILE } from "../engine/storage/dataFolder.ts";
import { backupSecret } from "./backupKey.ts";
import { checkDatabase, type CheckReport } from "./checkDatabase.ts";
import { addFileFindings } from "./checkFiles.ts";
import { newestRows } from "./inspectTable.ts";
import { MaintenanceError } from "./maintenanceError.ts";
import { createProgress, type Progress } from "./progress.ts";

type Variables = Readonly<Record<string, string | undefined>>;

const FINDINGS_SHOWN_MAX = 50;
const CELL_LENGTH_MAX = 80;
const EXIT_DAMAGED = 1;

function dataDirOf(variables: Variables): string {
  return path.resolve(variables["DATA_DIR"] ?? ".daybook");
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function withProgress<T>(work: (progress: Progress) => Promise<T>): Promise<T> {
  const progress = createProgress(process.stderr);
  try {
    return await work(progress);
  } finally {
    progress.stop();
  }
}

/** Writes a backup, and says where it is. */
export async function runBackup(variables: Variables, file: string, overwrite: boolean): Promise<void> {
  const request = { dataDir: dataDirOf(variables), file: path.resolve(file), overwrite };
  const secret = backupSecret(variables);
  const { writeBackup } = await import("./backup.ts");
  const bytes = await withProgress((progress) => writeBackup({ ...request, secret }, progress));
  print(
    `${colors.green("Backup written:")} ${request.file} (${bytes} bytes). It can't be read without its secret.`,
  );
}

/** Restores a backup, and says what it holds. */
export async function runRestore(variables: Variables, file: string): Promise<void> {
  const request = {
    dataDir: dataDirOf(variables),
    file: path.resolve(file),
    secret: backupSecret(variables),
  };
  const { restoreBackup } = await import("./restore.ts");
  const { environment, takenAt } = await withProgress((progress) => restoreBackup(request, progress));
  print(`${colors.green("Restored:")} ${request.dataDir}, as of ${new Date(takenAt).toISOString()}.`);
  if (environment === "production") {
    print("The keys of production are in no backup: start the host with the ones it had.");
  }
}

function printReport({ tables, findings }: CheckReport): void {
  if (tables.length > 0) {
    const table = new Table({
      head: ["table", "documents", "indexes", "entries", "findings"],
      style: { head: [], border: [] },
    });
    for (const row of tables) table.push([row.table, row.documents, row.indexes, row.entries, row.findings]);
    print(table.toString());
  }
  for (const { kind, table, detail } of findings.slice(0, FINDINGS_SHOWN_MAX)) {
    print(`${colors.red(kind)}  ${[table, detail].filter((part) => part !== "").join("  ")}`);
  }
  if (findings.length > FINDINGS_SHOWN_MAX) print(`and ${findings.length - FINDINGS_SHOWN_MAX} more`);
  print(
    findings.length === 0
      ? colors.green("No damage found.")
      : colors.red(`Damaged: ${findings.length} findings.`),
  );
}

/** Prints what is damaged; then the exit code says so. */
export async function runCheck(variables: Variables): Promise<void> {
  const dataDir = dataDirOf(variables);
  const file = path.join(dataDir, DATABASE_FILE);
  if (!existsSync(file)) {
    throw new MaintenanceError(`${dataDir} holds no database. Set DATA_DIR to the host's data folder.`);
  }
  let report: CheckReport;
  try {
    checkDatabaseFile(file);
    report = checkDatabase(file);
    // What the database says of files counts only while it is sound itself.
    if (report.findings.length === 0) report = await addFileFindings(dataDir, report);
  } catch (error) {
    if (!(error instanceof HostError) || error.code !== "DATA_CORRUPT") throw error;
    report = { tables: [], findings: [{ kind: "damaged file", table: "", detail: error.message }] };
  }
  printReport(report);
  if (report.findings.length > 0) process.exitCode = EXIT_DAMAGED;
}

/** JSON leaves in what steers a terminal or turns text around: C1 controls, DEL and bidirectional marks. */
function printable(text: string): string {
  return text.replace(
    /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function cellOf(value: unknown): string {
  if (value === undefined) return "";
  const text = printable(JSON.stringify(value));
  return text.length > CELL_LENGTH_MAX ? `${text.slice(0, CELL_LENGTH_MAX)}…` : text;
}

/** Prints the newest rows of a table. */
export function runInspect(
  variables: Variables,
  name: string,
  options: { limit: number; json: boolean },
): void {
  const rows = newestRows(dataDirOf(variables), name, options.limit);
  if (options.json) {
    for (const row of rows) print(printable(row));
    return;
  }
  const documents = rows.map((row) => JSON.parse(row) as Record<string, unknown>);
  const fields = [...new Set(documents.flatMap((document) => Object.keys(document)))];
  const head = [
    "_id",
    "_creationTime",
    ...fields.filter((field) => !["_id", "_creationTime"].includes(field)),
  ];
  const table = new Table({ head: head.map(printable), style: { head: [], border: [] } });
  for (const document of documents) table.push(head.map((field) => cellOf(document[field])));
  print(documents.length === 0 ? `${name} is empty.` : table.toString());
}
