/** `check` for stored files: every row against its bytes. What it finds is looked at again, because the host may run. */
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { isStored, storedFiles, type FileRecord } from "../engine/files/fileTables.ts";
import { DATABASE_FILE } from "../engine/storage/dataFolder.ts";
import { Store } from "../engine/storage/store.ts";
import { textField } from "../engine/values/json.ts";
import { tableLabel, type CheckReport, type Finding } from "./checkDatabase.ts";
import { bytesProblem } from "./storedBytes.ts";

const VISIBLE_TABLE = "_storage";

type Rows = { records: FileRecord[]; visible: { id: string; table: string }[] };

/** Both kinds of rows, of one snapshot. */
function rowsOf(database: DatabaseSync, store: Store): Rows {
  database.exec("BEGIN");
  const tables = [...store.catalog.all()].filter(({ name }) => name === VISIBLE_TABLE);
  const visible = tables.flatMap((table) =>
    Array.from(store.documents(table), (row) => ({ id: textField(row, "_id"), table: tableLabel(table) })),
  );
  const records = [...storedFiles(store)];
  database.exec("COMMIT");
  return { records, visible };
}

/** Adds what is wrong with stored files to the report on a data folder's database. Changes nothing on disk. */
export async function addFileFindings(dataDir: string, report: CheckReport): Promise<CheckReport> {
  const database = new DatabaseSync(path.join(dataDir, DATABASE_FILE), { readOnly: true });
  const findings: Finding[] = [];
  try {
    const store = new Store(database);
    const { records, visible } = rowsOf(database, store);
    const known = new Map(records.map((record) => [record.fileId, record]));
    for (const { id, table } of visible) {
      if (!known.has(id)) findings.push({ kind: "missing file", table, detail: id });
    }
    for (const record of records) {
      const problem = await bytesProblem(dataDir, record);
      // Deleted since the rows were read: its bytes are gone for good reason.
      if (problem === null || !isStored(store, record.key)) continue;
      const table = tableLabel({ component: record.component, name: VISIBLE_TABLE });
      findings.push({ kind: `${problem} file`, table, detail: record.fileId });
    }
  } finally {
    database.close();
  }
  const tables = report.tables.map((row) => {
    const added = findings.filter(({ table }) => table === row.table).length;
    return { ...row, findings: row.findings + added };
  });
  return { tables, findings: [...report.findings, ...findings] };
}
