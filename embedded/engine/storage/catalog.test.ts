import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { openDatabase } from "./dataFolder.ts";
import { Store } from "./store.ts";

test("after a rollback what stays is the same object, and what was added is gone", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "daybook-catalog-"));
  const store = new Store(openDatabase(path.join(folder, "test.sqlite")));
  const { catalog } = store;
  store.begin();
  const kept = catalog.ensure("", "kept");
  store.commit();

  store.begin();
  catalog.addIndex(kept, "late", ["field"]);
  catalog.ensure("", "dropped");
  store.rollback();

  expect(catalog.find("", "kept")).toBe(kept);
  expect(catalog.withNumber(kept.number)).toBe(kept);
  expect([...kept.indexes.keys()]).toEqual(["by_creation_time"]);
  expect(catalog.find("", "dropped")).toBeUndefined();
  store.close();
  rmSync(folder, { recursive: true });
});
