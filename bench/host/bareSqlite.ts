/** The limit that the disk sets: rows that a loop over SQLite alone makes durable, with the pragmas of the host. */
import path from "node:path";
import { openDatabase } from "../../embedded/engine/storage/dataFolder.ts";
import { BODY } from "./rows.ts";

/** Rows per second with `rowsPerCommit` rows in each commit, for `seconds`. */
export function bareInserts(folder: string, rowsPerCommit: number, seconds: number): number {
  const database = openDatabase(path.join(folder, "bare.sqlite"));
  try {
    database.exec("CREATE TABLE IF NOT EXISTS bare (id INTEGER PRIMARY KEY, value TEXT NOT NULL)");
    const insert = database.prepare("INSERT INTO bare (value) VALUES (?)");
    const value = JSON.stringify({ group: 1, at: 1, body: BODY });
    const begin = performance.now();
    let rows = 0;
    while (performance.now() - begin < seconds * 1_000) {
      database.exec("BEGIN IMMEDIATE");
      for (let row = 0; row < rowsPerCommit; row += 1) insert.run(value);
      database.exec("COMMIT");
      rows += rowsPerCommit;
    }
    return (rows * 1_000) / (performance.now() - begin);
  } finally {
    database.close();
  }
}
