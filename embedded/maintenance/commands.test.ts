import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openFixture, removeDataDirs } from "../engine/testing/testEngine.ts";

const MAIN = path.resolve(import.meta.dirname, "../main.ts");
const SECRET = { DAYBOOK_BACKUP_KEY: "5a".repeat(32) };
const root = mkdtempSync(path.join(tmpdir(), "daybook-maintenance-"));
/** A stopped host's data folder, made once; tests that damage it take a copy by `damaged`. */
let dataDir = "";
let file = "";
let count = 0;

type Ended = { code: number | null; out: string; err: string };

function run(args: readonly string[], variables: Record<string, string> = {}): Ended {
  const env = { PATH: process.env["PATH"], DATA_DIR: dataDir, ...variables };
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { env, encoding: "utf8" });
  return { code: status, out: stdout, err: stderr };
}

function modeOf(name: string): number {
  return statSync(name).mode & 0o777;
}

beforeAll(async () => {
  const host = await openFixture("app");
  for (const likes of [1, 2, 3]) {
    await host.mutation("notes:add", { room: "kitchen", text: `note ${likes} \u202e`, likes });
  }
  await host.engine.close();
  ({ dataDir } = host);
  writeFileSync(path.join(dataDir, "environment"), "development\n", { mode: 0o600 });
  writeFileSync(path.join(dataDir, "development.json"), "{}\n", { mode: 0o600 });
});

beforeEach(() => {
  count += 1;
  file = path.join(root, `${count}.backup`);
});

afterAll(() => {
  removeDataDirs();
  rmSync(root, { recursive: true, force: true });
});

describe("backup and restore", () => {
  test("give back database and marker, readable by their owner only", () => {
    expect(run(["backup", file], SECRET)).toMatchObject({ code: 0 });
    expect(modeOf(file)).toBe(0o600);
    expect(readdirSync(dataDir).filter((name) => name.startsWith("backup-"))).toEqual([]);
    const restored = path.join(root, "made", "restored");
    expect(run(["restore", file], { ...SECRET, DATA_DIR: restored })).toMatchObject({ code: 0 });
    expect(modeOf(restored)).toBe(0o700);
    for (const name of ["daybook.sqlite", "environment", "development.json"]) {
      expect(modeOf(path.join(restored, name))).toBe(0o600);
    }
    const rows = (folder: string): string => run(["inspect", "notes", "--json"], { DATA_DIR: folder }).out;
    expect(rows(restored)).toBe(rows(dataDir));
  });

  test("leave development's keys out of a backup of production", () => {
    const folder = path.join(root, "production");
    run(["backup", file], SECRET);
    run(["restore", file], { ...SECRET, DATA_DIR: folder });
    writeFileSync(path.join(folder, "environment"), "production\n");
    expect(run(["backup", "--force", file], { ...SECRET, DATA_DIR: folder })).toMatchObject({ code: 0 });
    const again = path.join(root, "production-again");
    const restored = run(["restore", file], { ...SECRET, DATA_DIR: again });
    expect(restored.out).toContain("keys of production are in no backup");
    expect(readdirSync(again).sort()).toEqual(["daybook.sqlite", "environment", "files"]);
  });

  test("need a secret, and say which", () => {
    expect(run(["backup", file])).toMatchObject({ code: 1 });
    expect(run(["backup", file]).err).toContain("DAYBOOK_BACKUP_PASSPHRASE");
    expect(existsSync(file)).toBe(false);
  });

  test("overwrite no file without --force", () => {
    writeFileSync(file, "precious");
    const refused = run(["backup", file], SECRET);
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.err).toContain("--force");
    expect(statSync(file).size).toBe("precious".length);
    expect(run(["backup", "--force", file], SECRET)).toMatchObject({ code: 0 });
    expect(statSync(file).size).toBeGreaterThan(1000);
    expect(modeOf(file)).toBe(0o600);
    expect(readdirSync(root).filter((name) => name.includes("partial"))).toEqual([]);
  });

  test("restore over no data, and leave nothing behind when refused", () => {
    run(["backup", file], SECRET);
    const folder = path.join(root, "full");
    mkdirSync(folder);
    writeFileSync(path.join(folder, "anything"), "");
    const refused = run(["restore", file], { ...SECRET, DATA_DIR: folder });
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.err).toContain("is not empty");
    const wrong = { DAYBOOK_BACKUP_KEY: "5b".repeat(32), DATA_DIR: path.join(root, "wrong") };
    expect(run(["restore", file], wrong).err).toContain("passphrase or key is wrong");
    expect(
      readdirSync(root).filter((name) => name.startsWith("wrong") || name.includes(".restore-")),
    ).toEqual([]);
  });

  test("refuse a database that is whole for SQLite and damaged for the host", () => {
    const folder = damaged(`DELETE FROM index_entries WHERE ${NOTES}`);
    run(["backup", file], { ...SECRET, DATA_DIR: folder });
    const refused = run(["restore", file], { ...SECRET, DATA_DIR: path.join(root, "never") });
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.err).toContain("missing index entry");
    expect(existsSync(path.join(root, "never"))).toBe(false);
  });
});

/** One entry of the index notes.by_room. */
const BY_ROOM = `(SELECT id FROM indexes WHERE name = 'by_room')`;
const NOTES = `index_id = ${BY_ROOM} AND key = (SELECT min(key) FROM index_entries WHERE index_id = ${BY_ROOM})`;

/** A copy of the data folder, changed behind the host's back. */
function damaged(sql: string): string {
  count += 1;
  const folder = path.join(root, `damaged-${count}`);
  mkdirSync(folder);
  const source = new DatabaseSync(path.join(dataDir, "daybook.sqlite"));
  source.prepare("VACUUM INTO ?").run(path.join(folder, "daybook.sqlite"));
  source.close();
  const copy = new DatabaseSync(path.join(folder, "daybook.sqlite"));
  copy.exec(sql);
  copy.close();
  return folder;
}

describe("check", () => {
  test("finds nothing in a sound folder, and changes nothing", () => {
    const found = run(["check"]);
    expect(found).toMatchObject({ code: 0, err: "" });
    expect(found.out).toContain("No damage found.");
    expect(found.out).toMatch(/notes\D+3\D+3\D+9\D+0/);
  });

  test.each([
    ["a removed index entry", `DELETE FROM index_entries WHERE ${NOTES}`, "missing index entry"],
    [
      "an extra index entry",
      `INSERT INTO index_entries SELECT index_id, CAST(key || x'01' AS BLOB), document FROM index_entries WHERE ${NOTES}`,
      "extra index entry",
    ],
    [
      "an entry of a document that is not there",
      `INSERT INTO index_entries SELECT index_id, x'ff', 999999 FROM index_entries WHERE ${NOTES}`,
      "extra index entry",
    ],
    [
      "an entry under another key",
      `UPDATE index_entries SET key = key || x'01' WHERE ${NOTES}`,
      "wrong index key",
    ],
    [
      "a changed document",
      `UPDATE documents SET value = replace(value, '"kitchen"', '"cellar"') WHERE value LIKE '%note 1%'`,
      "wrong index key",
    ],
    [
      "a document that the schema refuses",
      `UPDATE documents SET value = replace(value, '"text":', '"test":') WHERE value LIKE '%note 1%'`,
      "invalid document",
    ],
    [
      "a document that is no JSON",
      `UPDATE documents SET value = '{' WHERE value LIKE '%note 1%'`,
      "damaged document",
    ],
  ])("finds %s", (_, sql, kind) => {
    const found = run(["check"], { DATA_DIR: damaged(sql) });
    expect(found).toMatchObject({ code: 1, err: "" });
    expect(found.out).toContain(kind);
    expect(found.out).toMatch(/Damaged: \d+ finding/);
  });

  test("finds a file that is no database", () => {
    const folder = path.join(root, "torn");
    mkdirSync(folder);
    writeFileSync(path.join(folder, "daybook.sqlite"), "not a database at all");
    expect(run(["check"], { DATA_DIR: folder })).toMatchObject({ code: 1 });
  });

  test("says so where there is nothing to check", () => {
    expect(run(["check"], { DATA_DIR: path.join(root, "nowhere") })).toMatchObject({ code: 2 });
  });
});

describe("inspect", () => {
  test("prints the newest rows first, as stored", () => {
    const { out, code } = run(["inspect", "notes", "--json", "--limit", "2"]);
    const texts = out
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { text: string }).text);
    expect(code).toBe(0);
    expect(texts).toEqual(["note 3 \u202e", "note 2 \u202e"]);
    expect(out).not.toContain("\u202e");
  });

  test("prints a table, without what would steer the terminal", () => {
    const { out } = run(["inspect", "notes"]);
    expect(out).toContain('"note 3 \\u202e"');
    expect(out.indexOf("note 3")).toBeLessThan(out.indexOf("note 1"));
  });

  test("finds the tables of components, and names all where there is none", () => {
    expect(run(["inspect", "nothing"])).toMatchObject({ code: 1 });
    const { err } = run(["inspect", "nothing"]);
    const component = /(\S+\/\w+)[,.]/.exec(err)?.[1] ?? "";
    expect(run(["inspect", component])).toMatchObject({ code: 0, err: "" });
  });

  test("refuses a limit that is none", () => {
    expect(run(["inspect", "notes", "--limit", "many"])).toMatchObject({ code: 1 });
  });
});
