/** `inspect`: the newest rows of one table, read without writing, while the host runs or not. */
import { existsSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { checkDatabaseFile, DATABASE_FILE } from "../engine/storage/dataFolder.ts";
import { Store } from "../engine/storage/store.ts";
import { END_KEY, FIRST_KEY } from "../engine/values/sortKey.ts";
import { tableLabel } from "./checkDatabase.ts";
import { MaintenanceError } from "./maintenanceError.ts";

/** Convex-encoded JSON text of the newest documents of `[component/]table`. Throws MaintenanceError, HostError. */
export function newestRows(dataDir: string, name: string, limit: number): string[] {
  const file = path.join(dataDir, DATABASE_FILE);
  if (!existsSync(file)) {
    throw new MaintenanceError(`${dataDir} holds no database. Set DATA_DIR to the host's data folder.`);
  }
  checkDatabaseFile(file);
  const store = new Store(new DatabaseSync(file, { readOnly: true }));
  try {
    const tables = [...store.catalog.all()];
    const table = tables.find((candidate) => tableLabel(candidate) === name);
    const index = table?.indexes.get("by_creation_time");
    if (table === undefined || index === undefined) {
      const names = tables.map(tableLabel).sort();
      throw new MaintenanceError(`There is no table ${name}. There are: ${names.join(", ")}.`);
    }
    const range = { low: FIRST_KEY, high: END_KEY };
    return store.scan(table, index, range, "desc", limit).map(({ text }) => text);
  } finally {
    store.close();
  }
}
