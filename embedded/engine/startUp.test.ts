import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, describe, expect, test } from "vitest";
import { containing, matching } from "./testing/matchers.ts";
import { newDataDir, openFixture, removeDataDirs } from "./testing/testEngine.ts";

afterAll(removeDataDirs);

const DATABASE = "daybook.sqlite";

/** A data folder with some documents in it, closed again. */
async function usedDataDir(fixture = "app"): Promise<string> {
  const host = await openFixture(fixture);
  if (fixture === "app")
    for (let n = 0; n < 200; n += 1) await host.mutation("notes:append", { room: "used" });
  await host.engine.close();
  return host.dataDir;
}

describe("the data folder", () => {
  test("and its files are the owner's only", async () => {
    const dataDir = path.join(newDataDir(), "new", "folder");
    const host = await openFixture("app", { dataDir });
    await host.mutation("notes:append", { room: "x" });
    expect(statSync(dataDir).mode & 0o777).toBe(0o700);
    const files = readdirSync(dataDir);
    expect(files).toContain(`${DATABASE}-wal`);
    for (const file of files) {
      const { mode } = statSync(path.join(dataDir, file));
      expect([file, mode & 0o777]).toEqual([file, file === "files" ? 0o700 : 0o600]);
    }
    await host.engine.close();
  });

  test("belongs to one host at a time", async () => {
    const host = await openFixture();
    await expect(openFixture("app", { dataDir: host.dataDir })).rejects.toMatchObject({
      code: "DATA_LOCKED",
      message: containing(host.dataDir),
    });
    await host.mutation("notes:append", { room: "x" });
    await host.engine.close();
    const next = await openFixture("app", { dataDir: host.dataDir });
    expect(await next.query("notes:texts", { room: "x" })).toEqual(["0"]);
    await next.engine.close();
  });

  test("is free again after a refusal", async () => {
    const dataDir = newDataDir();
    await expect(openFixture("neverCron", { dataDir })).rejects.toMatchObject({ code: "FUNCTIONS_INVALID" });
    const host = await openFixture("app", { dataDir });
    await host.engine.close();
  });
});

describe("a database that can't be used is refused and left as it is", () => {
  test.each([
    [
      "text",
      (file: string) => {
        writeFileSync(file, "this is no database, whatever its name says");
      },
    ],
    [
      "a page overwritten",
      (file: string) => {
        const bytes = readFileSync(file);
        bytes.fill(0xa5, 4096 * 3, 4096 * 6);
        writeFileSync(file, bytes);
      },
    ],
    [
      "cut short",
      (file: string) => {
        writeFileSync(file, readFileSync(file).subarray(0, 20_000));
      },
    ],
    [
      "of another program",
      (file: string) => {
        const database = new DatabaseSync(file);
        database.exec("PRAGMA application_id = 7");
        database.close();
      },
    ],
  ])("%s", async (_what, damage) => {
    const dataDir = await usedDataDir();
    const file = path.join(dataDir, DATABASE);
    damage(file);
    const before = readFileSync(file);
    await expect(openFixture("app", { dataDir })).rejects.toMatchObject({
      code: "DATA_CORRUPT",
      message: containing("Restore a backup"),
    });
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  test("of a newer format", async () => {
    const dataDir = await usedDataDir();
    const database = new DatabaseSync(path.join(dataDir, DATABASE));
    database.exec("PRAGMA user_version = 99");
    database.close();
    await expect(openFixture("app", { dataDir })).rejects.toMatchObject({
      code: "DATA_NEWER",
      message: containing("99"),
    });
  });
});

describe("a schema that changed", () => {
  test("has its new indexes filled from what is stored", async () => {
    const before = await openFixture("schemaBefore");
    await before.mutation("pets:add", { name: "ant", legs: 6 });
    await before.mutation("pets:add", { name: "cat", legs: 4 });
    await before.engine.close();
    const after = await openFixture("schemaAfter", { dataDir: before.dataDir });
    expect(await after.query("pets:byLegs", { legs: 4 })).toEqual(["cat"]);
    await after.mutation("pets:add", { name: "dog", legs: 4 });
    expect(await after.query("pets:byLegs", { legs: 4 })).toEqual(["cat", "dog"]);
    await after.engine.close();
  });

  test("that stored documents do not fit is refused with table, field and an example", async () => {
    const before = await openFixture("schemaBefore");
    await before.mutation("pets:add", { name: "ant", legs: 6 });
    const id = (await before.mutation("pets:add", { name: "snake" })) as string;
    await before.engine.close();
    await expect(openFixture("schemaStricter", { dataDir: before.dataDir })).rejects.toMatchObject({
      code: "SCHEMA_MISMATCH",
      message: matching(new RegExp(`table "pets", field legs, for example document ${id}`)),
    });
    const again = await openFixture("schemaBefore", { dataDir: before.dataDir });
    expect(await again.mutation("pets:add", { name: "worm" })).toEqual(expect.any(String));
    await again.engine.close();
  });
});

describe("the environment", () => {
  test("that lacks a variable the app declares stops the start", async () => {
    await expect(openFixture("app", { environment: {} })).rejects.toMatchObject({
      code: "ENVIRONMENT_INVALID",
      message: containing("GREETING"),
    });
  });
});

describe("timestamps", () => {
  test("go on rising after a restart", async () => {
    const dataDir = await usedDataDir();
    const host = await openFixture("app", { dataDir });
    const before = host.engine.latestTs();
    expect(before).toBeGreaterThan(0n);
    await host.mutation("notes:append", { room: "used" });
    expect(host.engine.latestTs()).toBeGreaterThan(before);
    await host.engine.close();
  });
});
