/**
 * `check`: the database file, every index entry against its document and back, and the documents against the
 * validators that the host last held them to. Reads one snapshot, so that the host may run meanwhile.
 */
import { DatabaseSync } from "node:sqlite";
import { Catalog, indexKey, type Index, type Table } from "../engine/storage/catalog.ts";
import { validatorProblem, type ValidatorJson } from "../engine/validation/validator.ts";
import { encodeDocumentId } from "../engine/values/documentId.ts";
import { textField, type JsonObject } from "../engine/values/json.ts";

export type FindingKind =
  | "damaged file"
  | "missing index entry"
  | "extra index entry"
  | "wrong index key"
  | "damaged document"
  | "invalid document"
  | "document of no table"
  | "missing file";

export type Finding = { kind: FindingKind; table: string; detail: string };

export type TableReport = {
  table: string;
  documents: number;
  indexes: number;
  entries: number;
  findings: number;
};

export type CheckReport = { tables: TableReport[]; findings: Finding[] };

type Document = { rowid: number; raw: Uint8Array; value: JsonObject };

/** `[component/]table`, as operators name it. */
export function tableLabel({ component, name }: Pick<Table, "component" | "name">): string {
  return component === "" ? name : `${component}/${name}`;
}

function parseDocument(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as JsonObject)
      : null;
  } catch {
    return null;
  }
}

class Check {
  readonly findings: Finding[] = [];
  private readonly database: DatabaseSync;
  private readonly catalog: Catalog;

  constructor(database: DatabaseSync) {
    this.database = database;
    this.catalog = new Catalog(database);
  }

  tables(): TableReport[] {
    const tables = [...this.catalog.all()].sort((left, right) =>
      tableLabel(left) < tableLabel(right) ? -1 : 1,
    );
    const reports = tables.map((table) => this.checkTable(table));
    this.checkStrays();
    return reports;
  }

  private note(kind: FindingKind, table: string, detail: string): void {
    this.findings.push({ kind, table, detail });
  }

  private checkTable(table: Table): TableReport {
    const before = this.findings.length;
    const validator = this.validatorOf(table);
    const keyless = new Map([...table.indexes.values()].map((index) => [index.id, new Set<number>()]));
    let documents = 0;
    const rows = this.database
      .prepare("SELECT document, id, value FROM documents WHERE table_number = ?")
      .iterate(table.number);
    for (const row of rows) {
      documents += 1;
      const raw = row["id"] as Uint8Array;
      const value = parseDocument(String(row["value"]));
      if (value?.["_id"] !== encodeDocumentId(table.number, raw)) {
        this.note("damaged document", tableLabel(table), encodeDocumentId(table.number, raw));
        continue;
      }
      this.checkValue(table, validator, value);
      this.findMissing(table, { rowid: Number(row["document"]), raw, value }, keyless);
    }
    let entries = 0;
    for (const index of table.indexes.values()) {
      entries += this.checkEntries(table, index, keyless.get(index.id) ?? new Set());
    }
    const findings = this.findings.length - before;
    return { table: tableLabel(table), documents, indexes: table.indexes.size, entries, findings };
  }

  private validatorOf(table: Table): ValidatorJson | null {
    const row = this.database
      .prepare("SELECT checked_validator FROM tables WHERE number = ?")
      .get(table.number);
    const text = row?.["checked_validator"];
    return typeof text === "string" ? (JSON.parse(text) as ValidatorJson) : null;
  }

  private checkValue(table: Table, validator: ValidatorJson | null, document: JsonObject): void {
    if (validator === null) return;
    const { _id, _creationTime, ...fields } = document;
    const tableNameOf = (id: string): string | null => this.catalog.tableNameOf(table.component, id);
    const problem = validatorProblem(validator, fields, tableNameOf);
    if (problem === null) return;
    // The rest of the problem quotes the document, which is nobody's business here.
    const path = /Path: \.(\S+)/.exec(problem)?.[1];
    const where = path === undefined ? "" : `, field ${path}`;
    this.note("invalid document", tableLabel(table), `${textField(document, "_id")}${where}`);
  }

  private findMissing(table: Table, document: Document, keyless: Map<number, Set<number>>): void {
    const find = this.database.prepare("SELECT document FROM index_entries WHERE index_id = ? AND key = ?");
    for (const index of table.indexes.values()) {
      const entry = find.get(index.id, indexKey(index, document.value, document.raw));
      if (entry?.["document"] !== document.rowid) keyless.get(index.id)?.add(document.rowid);
    }
  }

  /** `keyless` are the documents that no entry names under their own key; an entry of theirs has a wrong key. */
  private checkEntries(table: Table, index: Index, keyless: Set<number>): number {
    const rows = this.database
      .prepare(
        `SELECT e.key AS key, e.document AS document, d.table_number AS number, d.id AS id, d.value AS value
         FROM index_entries e LEFT JOIN documents d ON d.document = e.document WHERE e.index_id = ?`,
      )
      .iterate(index.id);
    const where = `${tableLabel(table)}.${index.name}`;
    let count = 0;
    for (const row of rows) {
      count += 1;
      const rowid = Number(row["document"]);
      if (row["number"] !== table.number) {
        this.note("extra index entry", where, "it names a document that is not in the table");
        continue;
      }
      const raw = row["id"] as Uint8Array;
      const value = parseDocument(String(row["value"]));
      // Reported as a damaged document: its key can't be known.
      if (value === null) continue;
      const key = row["key"];
      // SQLite keeps whatever type was written; only bytes are a key.
      if (key instanceof Uint8Array && Buffer.compare(indexKey(index, value, raw), key) === 0) continue;
      const kind = keyless.delete(rowid) ? "wrong index key" : "extra index entry";
      this.note(kind, where, encodeDocumentId(table.number, raw));
    }
    for (const rowid of keyless) this.note("missing index entry", where, this.idOf(table, rowid));
    return count;
  }

  private idOf(table: Table, rowid: number): string {
    const row = this.database.prepare("SELECT id FROM documents WHERE document = ?").get(rowid);
    return row === undefined ? "" : encodeDocumentId(table.number, row["id"] as Uint8Array);
  }

  private checkStrays(): void {
    const documents = this.database
      .prepare("SELECT count(*) AS n FROM documents WHERE table_number NOT IN (SELECT number FROM tables)")
      .get();
    const entries = this.database
      .prepare("SELECT count(*) AS n FROM index_entries WHERE index_id NOT IN (SELECT id FROM indexes)")
      .get();
    if (Number(documents?.["n"]) > 0)
      this.note("document of no table", "", `${String(documents?.["n"])} of them`);
    if (Number(entries?.["n"]) > 0) {
      this.note("extra index entry", "", `${String(entries?.["n"])} of an index that does not exist`);
    }
  }
}

function fileFindings(database: DatabaseSync): Finding[] {
  const rows = database.prepare("PRAGMA integrity_check(20)").all();
  const details = rows.map((row) => String(row["integrity_check"])).filter((detail) => detail !== "ok");
  return details.map((detail) => ({ kind: "damaged file", table: "", detail }));
}

/** Checks a database file without changing it. Throws SQLite's error where it can't be read at all. */
export function checkDatabase(file: string): CheckReport {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    database.exec("BEGIN");
    const damage = fileFindings(database);
    // What SQLite itself finds broken can't be read row by row.
    if (damage.length > 0) return { tables: [], findings: damage };
    const check = new Check(database);
    const tables = check.tables();
    return { tables, findings: check.findings };
  } finally {
    database.close();
  }
}
