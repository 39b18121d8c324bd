/** The operator's view of the running app and the stored rows: reads only, and outside the functions' rules. */
import type { ComponentDescription, Inspection, TablePage } from "./contract.ts";
import type { Executor } from "./execution/executor.ts";
import type { Component } from "./loader/loadApp.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { SYSTEM_TABLES, type Table } from "./storage/catalog.ts";
import type { Store } from "./storage/store.ts";
import { afterPrefix, END_KEY, FIRST_KEY } from "./values/sortKey.ts";

type Parts = { store: Store; runtime: Runtime; executor: Executor };

function describe(component: Component): ComponentDescription {
  const { path, folder, fingerprint, schema, crons } = component;
  const functions = [...component.functions.values()].map((entry) => ({
    path: entry.path,
    kind: entry.kind,
    internal: entry.internal,
    args: entry.args,
    returns: entry.returns,
  }));
  const routes = component.router?.getRoutes().map(([route, method]) => [route, method] as const) ?? [];
  return {
    path,
    folder,
    fingerprint,
    functions,
    httpRoutes: routes.sort((left, right) => (left.join(" ") < right.join(" ") ? -1 : 1)),
    schema,
    crons: Object.fromEntries(crons),
  };
}

/** The contract's Inspection. */
export class EngineInspection implements Inspection {
  private readonly parts: Parts;

  constructor({ store, runtime, executor }: Parts) {
    this.parts = { store, runtime, executor };
  }

  components(): readonly ComponentDescription[] {
    return [...this.parts.runtime.app.values()].map(describe);
  }

  tables(componentPath: string): readonly string[] | null {
    const { runtime, store } = this.parts;
    if (!runtime.app.has(componentPath)) return null;
    const own = [...store.catalog.all()].filter(({ component }) => component === componentPath);
    return own
      .map(({ name }) => name)
      .filter((name) => !name.startsWith("_"))
      .sort();
  }

  async readTable(
    { componentPath, name }: { componentPath: string; name: string },
    page: { order: "asc" | "desc"; cursor: string | null; limit: number },
  ): Promise<TablePage> {
    const { store, executor } = this.parts;
    const hidden = name.startsWith("_") && !SYSTEM_TABLES.has(name);
    // Between commits: a group that is not durable yet must not be seen.
    return await executor.read(async () => {
      const table = hidden ? undefined : store.catalog.find(componentPath, name);
      if (table === undefined) return await Promise.resolve({ rows: [], cursor: "", isDone: true });
      return readPage(store, table, page);
    });
  }
}

function readPage(
  store: Store,
  table: Table,
  { order, cursor, limit }: { order: "asc" | "desc"; cursor: string | null; limit: number },
): TablePage {
  const index = table.indexes.get("by_creation_time");
  if (index === undefined) throw new Error(`table ${table.name} has no index by creation time`);
  const range = { low: FIRST_KEY, high: END_KEY };
  if (cursor !== null && cursor !== "") {
    const last = Buffer.from(cursor, "hex");
    if (order === "asc") range.low = afterPrefix(last);
    else range.high = last;
  }
  const found = store.scan(table, index, range, order, limit + 1);
  const rows = found.slice(0, limit);
  return {
    rows: rows.map(({ text }) => text),
    cursor: Buffer.from(rows.at(-1)?.key ?? "").toString("hex"),
    isDone: found.length <= limit,
  };
}
